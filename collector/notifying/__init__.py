"""What is told to people outside of the console: who, what, when, and again until it arrives.

An alert's happenings (opened, assigned, …) are committed with the alert. The worker reads them in order
and writes, in one transaction with its place in them, one row for each message and channel: the outbox.
Only then is anything sent. A row has a key of its own, so reading the same happening twice writes nothing
new; and the attempt is committed before the sending, so a crash between both sends again, with the same
key, instead of forgetting.

    happening ──routing──► waiting ──sent──► sent
                            │ ▲  └─ three days of failures ──► given up ──by hand──► waiting
                suppressed  ▼ │  revealed
                            held ── the alert closed, or was passed on ──► withdrawn
"""
