"""An alert's life in human hands.

Two state machines are kept apart. The *signal* says whether the condition holds, and the rules engine moves
it. The *work* says what people did about it:

    new ──acknowledge──► acknowledged ──close──► closed
     │  ◄─wake─┐   ┌─wake─►    │
     └─snooze─► snoozed ◄─snooze┘

They touch in three places, and only here:

- A signal that begins to fire opens an alert, unless one of the same rule and entity is open: then that
  one carries on. A person's close while the signal fires is the end of the alert; the next one opens
  when the signal has resolved and fires anew.
- A signal that resolves closes an alert that nobody acknowledged. Once a person has taken an alert, it
  stays until a person closes it: whoever works on it decides when it is done.
- A snooze ends by itself. The alert is again what it was before, new or acknowledged.

Over both lies what suppresses an alert: another alert, a storm of its rule, or its own flapping. The rules
engine says so; people may act on a suppressed alert as on any other.

Whatever changes an alert's work, signal or suppression also says so in an `Entry` for the audit trail.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from rules import flapping
from rules.evaluation import By, Entity, Event, Evidence, Reading, SignalKey
from rules.lifecycle import State
from rules.rule import Rule

MAX_SNOOZE_MS: Final = 90 * 24 * 3_600_000
MAX_TEXT: Final = 2_000
SYSTEM: Final = "system"


class Work(StrEnum):
    """What people did about an alert."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    CLOSED = "closed"


class Signal(StrEnum):
    """Whether the condition behind an alert holds."""

    FIRING = "firing"
    RECOVERING = "recovering"
    RESOLVED = "resolved"


class Reason(StrEnum):
    """Why an alert was closed; `resolved` is the system's own."""

    FIXED_REMOTELY = "fixed_remotely"
    FIXED_ON_SITE = "fixed_on_site"
    CUSTOMER_INFORMED = "customer_informed"
    FALSE_ALARM = "false_alarm"
    EXPECTED = "expected"
    OTHER = "other"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How bad it is, the worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Kind(StrEnum):
    """What an entry of the audit trail reports."""

    OPENED = "opened"
    SIGNAL = "signal"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    WOKE = "woke"
    CLOSED = "closed"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"


REASONS: Final = tuple(reason for reason in Reason if reason is not Reason.RESOLVED)
RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}
Detail = Mapping[str, str | int | float | None]


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode of one rule on one entity; all times in ms UTC."""

    rule: str
    entity: Entity
    severity: Severity
    subsystem: str
    opened_at: int
    since: int  # when the condition began to hold
    opened_value: float | None
    value: float | None
    threshold: float | None
    evidence: tuple[Evidence, ...] = ()  # as it was when the alert opened
    signal: Signal = Signal.FIRING
    work: Work = Work.NEW
    signal_at: int = 0
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    snoozed_until: int | None = None
    snooze_reason: str | None = None
    closed_at: int | None = None
    closed_by: str | None = None
    close_reason: Reason | None = None
    close_note: str | None = None
    suppressed_by: By | None = None
    id: int = 0  # given by the database

    @property
    def is_open(self) -> bool:
        """Whether it is still in the queue."""
        return self.work is not Work.CLOSED

    @property
    def key(self) -> SignalKey:
        """Rule, kind and id of entity: what no other open alert has."""
        return self.rule, self.entity.kind, self.entity.id

    @property
    def measure(self) -> str:
        """What `value` is a value of: the first comparison's measure."""
        return self.evidence[0].measure if self.evidence else ""

    @property
    def unit(self) -> str:
        """Unit of `value` and `threshold`: that of the first comparison."""
        return self.evidence[0].unit if self.evidence else ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit trail: what happened, when, and by whom."""

    at: int
    kind: Kind
    who: str
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """An alert as it became, and the entries that say how."""

    alert: Alert
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody takes the alert."""

    note: str | None = None


@dataclass(frozen=True, slots=True)
class Snooze:
    """Nobody wants to see the alert before `until`."""

    until: int
    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """Somebody is done with the alert."""

    reason: Reason
    note: str | None = None


Action = Acknowledge | Snooze | Close


class IllegalActionError(Exception):
    """Alert {id} is {work}; it cannot be {action}."""

    def __init__(self, alert: Alert, action: Action) -> None:
        self.alert = alert
        self.action = action
        super().__init__(f"alert {alert.id} is {alert.work}; it cannot be {_PARTICIPLE[type(action)]}")


class InvalidActionError(ValueError):
    """An action that no alert could take; `field` and the message say what is wrong with it."""

    def __init__(self, field_name: str, message: str) -> None:
        self.field = field_name
        super().__init__(message)


_SIGNALS: Final = {State.FIRING: Signal.FIRING, State.RECOVERING: Signal.RECOVERING}
_PARTICIPLE: Final[dict[type[Action], str]] = {
    Acknowledge: "acknowledged",
    Snooze: "snoozed",
    Close: "closed",
}
_TRANSITIONS: Final[dict[tuple[Work, type[Action]], Work]] = {
    (Work.NEW, Acknowledge): Work.ACKNOWLEDGED,
    (Work.NEW, Snooze): Work.SNOOZED,
    (Work.NEW, Close): Work.CLOSED,
    (Work.ACKNOWLEDGED, Snooze): Work.SNOOZED,
    (Work.ACKNOWLEDGED, Close): Work.CLOSED,
    (Work.SNOOZED, Acknowledge): Work.ACKNOWLEDGED,
    (Work.SNOOZED, Snooze): Work.SNOOZED,
    (Work.SNOOZED, Close): Work.CLOSED,
}


def possible(alert: Alert) -> tuple[type[Action], ...]:
    """The actions that a person can take now."""
    return tuple(action for work, action in _TRANSITIONS if work is alert.work)


def begins(event: Event) -> bool:
    """Whether the event begins an episode: what recovers and fires again is still the old one."""
    return flapping.begins(event)


def opened(event: Event, rule: Rule) -> Step:
    """The step that brings a new alert into the queue; the database gives it its id."""
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
    )
    detail = {"value": event.value, "threshold": event.threshold, "since": event.since}
    return Step(alert, (Entry(event.at, Kind.OPENED, SYSTEM, detail),))


def act(alert: Alert, action: Action, who: str, now: int) -> Step:
    """What a person's action makes of an alert. Raises `IllegalActionError` and `InvalidActionError`."""
    work = _TRANSITIONS.get((alert.work, type(action)))
    if work is None:
        raise IllegalActionError(alert, action)
    _check(action, now)
    awake = replace(alert, work=work, snoozed_until=None, snooze_reason=None)
    match action:
        case Acknowledge(note):
            return _acknowledged(awake, note, who, now)
        case Snooze(until, reason):
            snoozed = replace(awake, snoozed_until=until, snooze_reason=reason)
            return Step(snoozed, (Entry(now, Kind.SNOOZED, who, {"until": until, "reason": reason}),))
        case Close(reason, note):
            return _closed(awake, reason, note, who, now)


def _acknowledged(alert: Alert, note: str | None, who: str, now: int) -> Step:
    taken = replace(alert, acknowledged_at=now, acknowledged_by=who)
    return Step(taken, (Entry(now, Kind.ACKNOWLEDGED, who, {"note": note} if note else {}),))


def _closed(alert: Alert, reason: Reason, note: str | None, who: str, now: int) -> Step:
    closed = replace(
        alert,
        work=Work.CLOSED,
        snoozed_until=None,
        snooze_reason=None,
        closed_at=now,
        closed_by=who,
        close_reason=reason,
        close_note=note,
    )
    detail = {"reason": reason.value} | ({"note": note} if note else {})
    return Step(closed, (Entry(now, Kind.CLOSED, who, detail),))


def _check(action: Action, now: int) -> None:
    match action:
        case Snooze(until, reason):
            _check_snooze(until, reason, now)
        case Close(Reason.RESOLVED, _):
            raise InvalidActionError(
                "reason", f"'resolved' is the system's own; use one of {', '.join(REASONS)}"
            )
        case Close(Reason.OTHER, note) if not (note or "").strip():
            raise InvalidActionError("note", "closing with reason 'other' needs a note that says why")
        case Close(_, note) | Acknowledge(note) if len(note or "") > MAX_TEXT:
            raise InvalidActionError("note", f"{len(note or '')} characters; {MAX_TEXT} are allowed")


def _check_snooze(until: int, reason: str, now: int) -> None:
    if until <= now:
        raise InvalidActionError("until", "is not in the future; give a later time")
    if until > now + MAX_SNOOZE_MS:
        raise InvalidActionError("until", "is more than 90 days away; snooze again then, or close the alert")
    if not reason.strip():
        raise InvalidActionError("reason", "is empty; say why the alert can wait")
    if len(reason) > MAX_TEXT:
        raise InvalidActionError("reason", f"{len(reason)} characters; {MAX_TEXT} are allowed")


def wake(alert: Alert, now: int) -> Step | None:
    """The end of a snooze, if it is over: the alert is again what it was before."""
    if alert.work is not Work.SNOOZED or alert.snoozed_until is None or alert.snoozed_until > now:
        return None
    work = Work.NEW if alert.acknowledged_at is None else Work.ACKNOWLEDGED
    awake = replace(alert, work=work, snoozed_until=None, snooze_reason=None)
    return Step(awake, (Entry(now, Kind.WOKE, SYSTEM, {"work": work.value}),))


def follow(alert: Alert, state: State, at: int) -> Step:
    """What a signal's new state makes of an open alert; where it means nothing new, no entries.

    Every state in which the condition neither holds nor just ended is `resolved` to the alert.
    """
    signal = _SIGNALS.get(state, Signal.RESOLVED)
    if signal is alert.signal:
        return Step(alert, ())
    entry = Entry(at, Kind.SIGNAL, SYSTEM, {"before": alert.signal.value, "after": signal.value})
    changed = replace(alert, signal=signal, signal_at=at)
    if signal is not Signal.RESOLVED or alert.acknowledged_at is not None:
        return Step(changed, (entry,))
    closed = _closed(changed, Reason.RESOLVED, None, SYSTEM, at)
    return Step(closed.alert, (entry, *closed.entries))


def suppress(alert: Alert, by: By | None, at: int) -> Step:
    """From now on an open alert is suppressed by something else, or (None) no more."""
    if by == alert.suppressed_by:
        return Step(alert, ())
    if by is None:
        return Step(replace(alert, suppressed_by=None), (Entry(at, Kind.UNSUPPRESSED, SYSTEM),))
    detail = {"reason": by.reason, "rule": by.rule, "kind": by.entity.kind, "entity": by.entity.id}
    return Step(replace(alert, suppressed_by=by), (Entry(at, Kind.SUPPRESSED, SYSTEM, detail),))


def withdraw(alert: Alert, at: int) -> Step:
    """Ends an open alert whose rule no longer exists: nothing would ever end it otherwise."""
    note = f"the rule {alert.rule} is no longer in use"
    return _closed(alert, Reason.RESOLVED, note, SYSTEM, at)


def value_in(reading: Reading, alert: Alert) -> float | None:
    """What a reading says of that which opened the alert; None where it knows nothing.

    A reading begins with whatever now speaks most plainly, which may be another part of the condition.
    """
    for found in reading.evidence:
        if found.measure == alert.measure:
            return found.value
    return reading.value


def measured(alert: Alert, value: float) -> Alert:
    """The alert with the latest value of what opened it."""
    return alert if value == alert.value else replace(alert, value=value)
