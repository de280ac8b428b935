"""Deadlines: they run in the owner's working time, and stand still while an alert is snoozed."""

from dataclasses import replace
from typing import Final

from collector.calendar import WorkCalendar
from collector.queue.records import Alert, Work

RETURN_AFTER_MS: Final = 18 * 3_600_000  # of working time: two days of nine hours
ESCALATE_AGAIN_MS: Final = 24 * 3_600_000  # at the earliest, and then when it is worked


def resumed(alert: Alert, now: int, calendar: WorkCalendar) -> Alert:
    """The alert with its snooze over, if there was one: deadlines move on by the snooze's working time."""
    if alert.snoozed_at is None:
        return replace(alert, snoozed_until=None, snooze_reason=None)
    paused = calendar.between(alert.snoozed_at, now)
    return replace(
        alert,
        snoozed_at=None,
        snoozed_until=None,
        snooze_reason=None,
        ack_due_at=_later(alert.ack_due_at, paused, calendar),
        resolve_due_at=_later(alert.resolve_due_at, paused, calendar),
        escalates_at=_later(alert.escalates_at, paused, calendar),
    )


def handed_over(alert: Alert, now: int, before: WorkCalendar, after: WorkCalendar) -> Alert:
    """The same working time is left, in the new owner's calendar; what has passed has passed."""
    at = now if alert.snoozed_at is None else alert.snoozed_at
    resolve_due_at = _rest(alert.resolve_due_at, at, before, after)
    return replace(
        alert,
        ack_due_at=_rest(alert.ack_due_at, at, before, after),
        resolve_due_at=resolve_due_at,
        escalates_at=_told_at(alert, resolve_due_at, at, after),
    )


def _told_at(alert: Alert, resolve_due_at: int | None, at: int, after: WorkCalendar) -> int | None:
    """When it is next escalated in the new owner's time: no sooner once it was told, else when it is due."""
    if alert.escalates_at is None or resolve_due_at is None:
        return alert.escalates_at
    told = any(point.key == "resolve_missed" for point in alert.reasons)
    return after.open_at(alert.escalates_at if told else max(resolve_due_at, at))


def returning(alert: Alert, now: int, calendar: WorkCalendar) -> Alert:
    """From now on: if taken, it comes back when nobody moves it for long. A snooze is no idleness."""
    taken = alert.work is Work.ACKNOWLEDGED
    return replace(alert, returns_at=calendar.add(now, RETURN_AFTER_MS) if taken else None)


def again_at(now: int, calendar: WorkCalendar) -> int:
    """When an alert that is still not solved is escalated once more."""
    return calendar.open_at(now + ESCALATE_AGAIN_MS)


def _later(due: int | None, working_ms: int, calendar: WorkCalendar) -> int | None:
    return None if due is None else calendar.add(due, working_ms)


def _rest(due: int | None, at: int, before: WorkCalendar, after: WorkCalendar) -> int | None:
    if due is None or due <= at:
        return due
    left = before.between(at, due)
    return after.add(at, left) if left else after.open_at(at)
