"""What a person can do about an alert, and in which state of its work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from collector import ranking
from collector.calendar import WorkCalendar
from collector.queue.deadlines import handed_over, resumed, returning
from collector.queue.records import REASONS, Alert, Detail, Entry, Kind, Reason, Step, Work

MAX_SNOOZE_MS: Final = 90 * 24 * 3_600_000
MAX_TEXT: Final = 2_000
MAX_STEP: Final = 100
MAX_STEPS: Final = 100
EVERYBODYS: Final = WorkCalendar()


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


@dataclass(frozen=True, slots=True)
class Assign:
    """The alert gets another owner, a person's id, or (None) none. `calendar` is the new owner's."""

    owner: str | None
    calendar: WorkCalendar | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Somebody writes something down; on a closed alert too."""

    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """A step of the playbook is done, or is not after all."""

    step: str
    done: bool = True


Action = Acknowledge | Snooze | Close | Assign | Note | Check


class IllegalActionError(Exception):
    """Alert {id} is {work}; it cannot be {action}. `last` is what happened to it last, once it is known."""

    def __init__(self, alert: Alert, action: Action, message: str = "") -> None:
        self.alert = alert
        self.action = action
        self.last: Entry | None = None
        known = f"alert {alert.id} is {alert.work}; it cannot be {_PARTICIPLE[type(action)]}"
        super().__init__(message or known)


class StaleActionError(IllegalActionError):
    """Alert {id} was changed meanwhile: the action was meant for it as it was before."""

    def __init__(self, alert: Alert, action: Action) -> None:
        super().__init__(alert, action, f"alert {alert.id} was changed meanwhile; it is {alert.work} now")


class InvalidActionError(ValueError):
    """An action that no alert could take; `field` and the message say what is wrong with it."""

    def __init__(self, field_name: str, message: str) -> None:
        self.field = field_name
        super().__init__(message)


_PARTICIPLE: Final[dict[type[Action], str]] = {
    Acknowledge: "acknowledged",
    Snooze: "snoozed",
    Close: "closed",
    Assign: "assigned",
    Note: "noted",
    Check: "checked",
}
_DUES: Final = ("ack_due_at", "resolve_due_at")
TRANSITIONS: Final[Mapping[tuple[Work, type[Action]], Work]] = {
    (Work.NEW, Acknowledge): Work.ACKNOWLEDGED,
    (Work.NEW, Snooze): Work.SNOOZED,
    (Work.NEW, Close): Work.CLOSED,
    (Work.NEW, Assign): Work.NEW,
    (Work.NEW, Note): Work.NEW,
    (Work.NEW, Check): Work.NEW,
    (Work.ACKNOWLEDGED, Snooze): Work.SNOOZED,
    (Work.ACKNOWLEDGED, Close): Work.CLOSED,
    (Work.ACKNOWLEDGED, Assign): Work.ACKNOWLEDGED,
    (Work.ACKNOWLEDGED, Note): Work.ACKNOWLEDGED,
    (Work.ACKNOWLEDGED, Check): Work.ACKNOWLEDGED,
    (Work.SNOOZED, Acknowledge): Work.ACKNOWLEDGED,
    (Work.SNOOZED, Snooze): Work.SNOOZED,
    (Work.SNOOZED, Close): Work.CLOSED,
    (Work.SNOOZED, Assign): Work.SNOOZED,
    (Work.SNOOZED, Note): Work.SNOOZED,
    (Work.SNOOZED, Check): Work.SNOOZED,
    (Work.CLOSED, Note): Work.CLOSED,
}


def possible(alert: Alert) -> tuple[type[Action], ...]:
    """The actions that a person can take now."""
    return tuple(action for work, action in TRANSITIONS if work is alert.work)


def act(alert: Alert, action: Action, who: str, now: int, calendar: WorkCalendar = EVERYBODYS) -> Step:
    """What a person's action makes of an alert; `calendar` is its owner's.

    An action that changes nothing, such as a second check of a step, leaves no entry. Raises
    `IllegalActionError` and `InvalidActionError`.
    """
    work = TRANSITIONS.get((alert.work, type(action)))
    if work is None:
        raise IllegalActionError(alert, action)
    _check(action, alert, now)
    step = _EFFECTS[type(action)](alert, action, who, now, calendar)
    if not step.entries:
        return step
    moved = replace(step.alert, work=work, revision=alert.revision + 1, moved_at=now)
    owners = (action.calendar or EVERYBODYS) if isinstance(action, Assign) else calendar
    return Step(returning(moved, now, owners), step.entries)


def closed(alert: Alert, reason: Reason, note: str | None, who: str, now: int) -> Step:
    """The end of an alert."""
    ended = replace(
        alert,
        work=Work.CLOSED,
        snoozed_at=None,
        snoozed_until=None,
        snooze_reason=None,
        returns_at=None,
        closed_at=now,
        closed_by=who,
        close_reason=reason,
        close_note=note,
    )
    detail = {"reason": reason.value} | ({"note": note} if note else {})
    return Step(ended, (Entry(now, Kind.CLOSED, who, detail),))


def _acknowledge(alert: Alert, action: Acknowledge, who: str, now: int, calendar: WorkCalendar) -> Step:
    awake = resumed(alert, now, calendar)
    calm = awake.ranked(ranking.without(awake.reasons, "ack_missed"))
    taken = replace(calm, acknowledged_at=now, acknowledged_by=who)
    detail = ({"note": action.note} if action.note else {}) | moved_dues(alert, taken)
    return Step(taken, (Entry(now, Kind.ACKNOWLEDGED, who, detail),))


def _snooze(alert: Alert, action: Snooze, who: str, now: int, calendar: WorkCalendar) -> Step:
    awake = resumed(alert, now, calendar)
    snoozed = replace(awake, snoozed_at=now, snoozed_until=action.until, snooze_reason=action.reason)
    detail: Detail = {"until": action.until, "reason": action.reason, **moved_dues(alert, snoozed)}
    return Step(snoozed, (Entry(now, Kind.SNOOZED, who, detail),))


def _close(alert: Alert, action: Close, who: str, now: int, calendar: WorkCalendar) -> Step:
    awake = resumed(alert, now, calendar)
    step = closed(awake, action.reason, action.note, who, now)
    [entry] = step.entries
    return Step(step.alert, (replace(entry, detail={**entry.detail, **moved_dues(alert, step.alert)}),))


def _assign(alert: Alert, action: Assign, who: str, now: int, calendar: WorkCalendar) -> Step:
    if action.owner == alert.owner:
        return Step(alert, ())
    moved = handed_over(alert, now, calendar, action.calendar or EVERYBODYS)
    given = replace(moved, owner=action.owner)
    detail = {"owner": action.owner, "before": alert.owner} | moved_dues(alert, given)
    return Step(given, (Entry(now, Kind.ASSIGNED, who, detail),))


def _note(alert: Alert, action: Note, who: str, now: int, _calendar: WorkCalendar) -> Step:
    return Step(replace(alert), (Entry(now, Kind.NOTED, who, {"note": action.text.strip()}),))


def _check_off(alert: Alert, action: Check, who: str, now: int, _calendar: WorkCalendar) -> Step:
    if (action.step in alert.checked) == action.done:
        return Step(alert, ())
    others = tuple(step for step in alert.checked if step != action.step)
    checked = (*others, action.step) if action.done else others
    detail: Detail = {"step": action.step, "done": int(action.done)}
    return Step(replace(alert, checked=checked), (Entry(now, Kind.CHECKED, who, detail),))


_EFFECTS: Final[Mapping[type[Action], Callable[[Alert, Any, str, int, WorkCalendar], Step]]] = {
    Acknowledge: _acknowledge,
    Snooze: _snooze,
    Close: _close,
    Assign: _assign,
    Note: _note,
    Check: _check_off,
}


def moved_dues(before: Alert | None, after: Alert) -> dict[str, str | int | float | None]:
    """What an entry says of deadlines that moved."""
    dues = {name: (getattr(before, name, None), getattr(after, name)) for name in _DUES}
    return {name: due for name, (was, due) in dues.items() if due != was}


def _check(action: Action, alert: Alert, now: int) -> None:
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
        case Note(text):
            _check_text("text", text, MAX_TEXT, "is empty; write what there is to say")
        case Check(step, done):
            _check_text("step", step, MAX_STEP, "is empty; name a step of the playbook")
            if done and len(alert.checked) >= MAX_STEPS and step not in alert.checked:
                raise InvalidActionError("step", f"{MAX_STEPS} steps are done already; no playbook has more")


def _check_snooze(until: int, reason: str, now: int) -> None:
    if until <= now:
        raise InvalidActionError("until", "is not in the future; give a later time")
    if until > now + MAX_SNOOZE_MS:
        raise InvalidActionError("until", "is more than 90 days away; snooze again then, or close the alert")
    _check_text("reason", reason, MAX_TEXT, "is empty; say why the alert can wait")


def _check_text(field: str, text: str, most: int, empty: str) -> None:
    if not text.strip():
        raise InvalidActionError(field, empty)
    if len(text) > most:
        raise InvalidActionError(field, f"{len(text)} characters; {most} are allowed")
