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
    return replace(
        alert,
        ack_due_at=_rest(alert.ack_due_at, at, before, after),
        resolve_due_at=_rest(alert.resolve_due_at, at, before, after),
        escalates_at=_rest(alert.escalates_at, at, before, after),
    )


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
    return due if due is None or due <= at else after.add(at, before.between(at, due))
