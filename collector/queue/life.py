"""What the engine and the time make of an alert."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from collector import ranking
from collector.calendar import WorkCalendar
from collector.queue.actions import EVERYBODYS, closed, moved_dues
from collector.queue.deadlines import again_at, resumed, returning
from collector.queue.records import (
    SYSTEM,
    Alert,
    Entry,
    Kind,
    Reason,
    Severity,
    Signal,
    Step,
    Work,
)
from collector.ranking import Missed, Standing
from rules import flapping
from rules.evaluation import By, Event, Reading
from rules.lifecycle import State
from rules.rule import Rule

RELAPSE_MS: Final = 7 * 24 * 3_600_000  # so soon after a person's close, the next alert is a relapse
LATE_MS: Final = 5 * 60_000  # so much before that close it may have fired: the engine speaks of what was

# What an alert's signal becomes when the engine's does. Every state in which the condition neither holds
# nor just ended is `resolved` to the alert.
SIGNALS: Final[Mapping[State, Signal]] = {
    State.INACTIVE: Signal.RESOLVED,
    State.PENDING: Signal.RESOLVED,
    State.FIRING: Signal.FIRING,
    State.RECOVERING: Signal.RECOVERING,
    State.RESOLVED: Signal.RESOLVED,
    State.UNKNOWN: Signal.RESOLVED,
}
# What the system does by itself to the work of an alert: (work, whether somebody had taken it) → work.
WAKES: Final[Mapping[tuple[Work, bool], Work]] = {
    (Work.SNOOZED, False): Work.NEW,
    (Work.SNOOZED, True): Work.ACKNOWLEDGED,
}
RETURNS: Final[Mapping[Work, Work]] = {Work.ACKNOWLEDGED: Work.NEW}


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of an entity when an alert of it opens."""

    customer: str | None = None
    site: str | None = None
    owner: str | None = None
    calendar: WorkCalendar = EVERYBODYS
    standing: Standing = field(default_factory=Standing)
    earlier: Alert | None = None  # the alert of that rule and entity that a person closed last


def begins(event: Event) -> bool:
    """Whether the event begins an episode: what recovers and fires again is still the old one."""
    return flapping.begins(event)


def opened(event: Event, rule: Rule, case: Case | None = None) -> Step:
    """The step that brings a new alert into the queue; the database gives it its id."""
    case = case or Case()
    call, reasons = rule.call_to_action, ranking.points(rule.severity, case.standing)
    resolve_due = _due(event.at, call.resolve_within_ms, case.calendar)
    alert = Alert(
        rule=rule.name,
        entity=event.entity,
        severity=Severity(rule.severity),
        subsystem=rule.subsystem,
        opened_at=event.at,
        since=event.since,
        opened_value=event.value,
        value=event.value,
        threshold=event.threshold,
        evidence=event.evidence,
        signal_at=event.at,
        customer=case.customer,
        site=case.site,
        owner=case.owner,
        ack_due_at=_due(event.at, call.ack_within_ms, case.calendar),
        resolve_due_at=resolve_due,
        escalates_at=resolve_due,
        reasons=reasons,
        priority=ranking.priority(reasons, event.at),
    )
    detail = {"value": event.value, "threshold": event.threshold, "since": event.since, "owner": case.owner}
    entry = Entry(event.at, Kind.OPENED, SYSTEM, detail | moved_dues(None, alert))
    return _relapsed(Step(alert, (entry,)), case.earlier)


def _due(at: int, within: int | None, calendar: WorkCalendar) -> int | None:
    return None if within is None else calendar.add(at, within)


def _relapsed(step: Step, earlier: Alert | None) -> Step:
    alert = step.alert
    if earlier is None or earlier.closed_by == SYSTEM or earlier.closed_at is None:
        return step
    if not -LATE_MS <= alert.opened_at - earlier.closed_at <= RELAPSE_MS:
        return step
    count = earlier.relapses + 1
    entry = Entry(alert.opened_at, Kind.RELAPSED, SYSTEM, {"of": earlier.id, "count": count})
    return Step(replace(alert, relapse_of=earlier.id, relapses=count), (*step.entries, entry))


def advance(alert: Alert, now: int, calendar: WorkCalendar) -> Step | None:
    """What the time alone has made of an alert: it wakes, is escalated, comes back; None where nothing."""
    now_so, entries = alert, list[Entry]()
    for change in (wake, escalate, come_back):
        step = change(now_so, now, calendar)
        if step is not None:
            now_so, entries = step.alert, [*entries, *step.entries]
    return None if now_so is alert else Step(now_so, tuple(entries))


def wake(alert: Alert, now: int, calendar: WorkCalendar = EVERYBODYS) -> Step | None:
    """The end of a snooze, if it is over: the alert is again what it was before."""
    if alert.work is not Work.SNOOZED or alert.snoozed_until is None or alert.snoozed_until > now:
        return None
    work = WAKES[alert.work, alert.acknowledged_at is not None]
    awake = returning(replace(resumed(alert, now, calendar), work=work), now, calendar)
    detail = {"work": work.value} | moved_dues(alert, awake)
    return Step(replace(awake, revision=alert.revision + 1), (Entry(now, Kind.WOKE, SYSTEM, detail),))


def escalate(alert: Alert, now: int, calendar: WorkCalendar) -> Step | None:
    """Says so when a deadline has passed: once that nobody took it, and day by day that it is not solved.

    The latter in working time only; until then it waits, without an entry.
    """
    if alert.work not in (Work.NEW, Work.ACKNOWLEDGED) or alert.hidden_by is not None:
        return None
    told, entries = alert, list[Entry]()
    if alert.work is Work.NEW and alert.ack_missed_at is None and _passed(alert.ack_due_at, now):
        told = replace(_missed(told, "ack_missed"), ack_missed_at=now)
        entries.append(_escalation("ack", alert.ack_due_at, now))
    if alert.signal is not Signal.RESOLVED and _passed(alert.escalates_at, now):
        opens = calendar.open_at(now)
        if opens > now:
            told = replace(told, escalates_at=opens)
        else:
            told = replace(_missed(told, "resolve_missed"), escalates_at=again_at(now, calendar))
            entries.append(_escalation("resolve", alert.resolve_due_at, now))
    return None if told is alert else Step(told, tuple(entries))


def _passed(due: int | None, now: int) -> bool:
    return due is not None and due <= now


def _missed(alert: Alert, key: Missed) -> Alert:
    return replace(alert, escalated=alert.escalated + 1).ranked(ranking.missed(alert.reasons, key))


def _escalation(deadline: str, due: int | None, now: int) -> Entry:
    return Entry(now, Kind.ESCALATED, SYSTEM, {"deadline": deadline, "due": due})


def come_back(alert: Alert, now: int, _calendar: WorkCalendar) -> Step | None:
    """An alert that somebody took and nobody moved since is new again; if it has resolved, it is closed."""
    if alert.work not in RETURNS or not _passed(alert.returns_at, now) or alert.hidden_by is not None:
        return None
    if alert.signal is Signal.RESOLVED:
        return _ended(alert, None, now)
    new = replace(
        alert,
        work=RETURNS[alert.work],
        acknowledged_at=None,
        acknowledged_by=None,
        returns_at=None,
        ack_due_at=None,  # it was met
        revision=alert.revision + 1,
    )
    detail = {"taken_by": alert.acknowledged_by, "moved_at": alert.moved_at}
    return Step(new, (Entry(now, Kind.RETURNED, SYSTEM, detail | moved_dues(alert, new)),))


def follow(alert: Alert, state: State, at: int) -> Step:
    """What a signal's new state makes of an open alert; where it means nothing new, no entries."""
    signal = SIGNALS[state]
    if signal is alert.signal:
        return Step(alert, ())
    entry = Entry(at, Kind.SIGNAL, SYSTEM, {"before": alert.signal.value, "after": signal.value})
    changed = replace(alert, signal=signal, signal_at=at)
    if signal is not Signal.RESOLVED or alert.acknowledged_at is not None:
        return Step(changed, (entry,))
    step = _ended(changed, None, at)
    return Step(step.alert, (entry, *step.entries))


def _ended(alert: Alert, note: str | None, at: int) -> Step:
    step = closed(alert, Reason.RESOLVED, note, SYSTEM, at)
    return Step(replace(step.alert, revision=alert.revision + 1), step.entries)


def suppress(alert: Alert, by: By | None, at: int) -> Step:
    """From now on the engine says that an open alert is suppressed by something else, or (None) no more."""
    return _hidden(alert, replace(alert, suppressed_by=by), at, SYSTEM)


def silence(alert: Alert, by: By | None, at: int, who: str = SYSTEM) -> Step:
    """From now on a silence hides an open alert, or (None) no more; beside what the engine says."""
    return _hidden(alert, replace(alert, silenced_by=by), at, who)


def _hidden(before: Alert, after: Alert, at: int, who: str) -> Step:
    """Entries tell of everything that suppresses, also of what something else hides."""
    if after == before:
        return Step(before, ())
    engine = after.suppressed_by != before.suppressed_by
    by, was = (
        (after.suppressed_by, before.suppressed_by) if engine else (after.silenced_by, before.silenced_by)
    )
    kind, told = (Kind.UNSUPPRESSED, None if engine else was) if by is None else (Kind.SUPPRESSED, by)
    return Step(after, (Entry(at, kind, who, {} if told is None else _told(told)),))


def _told(by: By) -> dict[str, str | int | float | None]:
    return {"reason": by.reason, "rule": by.rule, "kind": by.entity.kind, "entity": by.entity.id}


def withdraw(alert: Alert, at: int) -> Step:
    """Ends an open alert whose rule no longer exists: nothing would ever end it otherwise."""
    return _ended(alert, f"the rule {alert.rule} is no longer in use", at)


def value_in(reading: Reading, measure: str) -> float | None:
    """What a reading says of the measure that opened the alert; None where it knows nothing.

    A reading begins with whatever now speaks most plainly, which may be another part of the condition.
    """
    for found in reading.evidence:
        if found.measure == measure:
            return found.value
    return reading.value


def measured(alert: Alert, value: float) -> Alert:
    """The alert with the latest value of what opened it."""
    return alert if value == alert.value else replace(alert, value=value)
