"""An alert's life in human hands.

Two state machines are kept apart. The *signal* says whether the condition holds, and the rules engine moves
it. The *work* says what people did about it:

    new ──acknowledge──► acknowledged ──close──► closed
     │ ▲◄─wake─┐   ┌─wake─►  │  │
     │ └───────│───│──return─┘  │
     └─snooze─► snoozed ◄─snooze┘

They touch in three places, and only here:

- A signal that begins to fire opens an alert, unless one of the same rule and entity is open: then that
  one carries on. A person's close while the signal fires is the end of the alert; the next one opens
  when the signal has resolved and fires anew. So soon after a person's close, it is a relapse.
- A signal that resolves closes an alert that nobody has taken. Once a person has taken an alert, it
  stays until that person is done with it, or leaves it alone: whoever works on it decides when it is done.
- A snooze ends by itself. The alert is again what it was before, new or acknowledged.

Two deadlines run in the owner's working time: to be taken, and to be solved. They stand still while the
alert is snoozed. One that passes escalates the alert; one that is not solved is escalated day by day, while
its signal lasts, in working time. A taken alert that nobody moves for two working days comes back as new; if
its signal has resolved, it is closed as resolved instead.

Over both machines lies what suppresses an alert: another alert, a storm of its rule, or its own flapping, as
the rules engine says; beside it a silence or maintenance of people's making. Of the two the engine's is shown
first. People may act on a suppressed alert as on any other; by itself it is neither escalated nor does it
come back.

Whatever changes an alert's work, signal, suppression, owner or deadlines also says so in an `Entry` for the
audit trail.
"""

from collector.queue.actions import (
    MAX_SNOOZE_MS,
    MAX_STEP,
    MAX_TEXT,
    TRANSITIONS,
    Acknowledge,
    Action,
    Assign,
    Check,
    Close,
    IllegalActionError,
    InvalidActionError,
    Note,
    Snooze,
    StaleActionError,
    act,
    possible,
)
from collector.queue.deadlines import ESCALATE_AGAIN_MS, RETURN_AFTER_MS
from collector.queue.life import (
    RELAPSE_MS,
    RETURNS,
    SIGNALS,
    WAKES,
    Case,
    advance,
    begins,
    come_back,
    escalate,
    follow,
    measured,
    opened,
    silence,
    suppress,
    value_in,
    wake,
    withdraw,
)
from collector.queue.records import (
    RANK,
    REASONS,
    SILENCE,
    SYSTEM,
    Alert,
    Detail,
    Entry,
    Kind,
    Reason,
    Severity,
    Signal,
    Step,
    Work,
)

__all__ = [
    "ESCALATE_AGAIN_MS",
    "MAX_SNOOZE_MS",
    "MAX_STEP",
    "MAX_TEXT",
    "RANK",
    "REASONS",
    "RELAPSE_MS",
    "RETURNS",
    "RETURN_AFTER_MS",
    "SIGNALS",
    "SILENCE",
    "SYSTEM",
    "TRANSITIONS",
    "WAKES",
    "Acknowledge",
    "Action",
    "Alert",
    "Assign",
    "Case",
    "Check",
    "Close",
    "Detail",
    "Entry",
    "IllegalActionError",
    "InvalidActionError",
    "Kind",
    "Note",
    "Reason",
    "Severity",
    "Signal",
    "Snooze",
    "StaleActionError",
    "Step",
    "Work",
    "act",
    "advance",
    "begins",
    "come_back",
    "escalate",
    "follow",
    "measured",
    "opened",
    "possible",
    "silence",
    "suppress",
    "value_in",
    "wake",
    "withdraw",
]
