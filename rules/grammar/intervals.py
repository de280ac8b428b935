"""`time_intervals`: named sets of weekdays, times of day and dates."""

from datetime import date
from itertools import pairwise

from rules import values
from rules.document import Entries, Fields, Node, Refused, each, one_or_more, shown
from rules.rule import Minutes, TimeSpans

WEEKDAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
EVERY_DAY = tuple(range(7))
Dates = tuple[str, str]


def spans(node: Node) -> tuple[TimeSpans, ...]:
    """Spans of time; the interval is all of them together. Raises `Refused`."""
    found = tuple(each(node, _span, '"spans"'))
    if not found:
        raise Refused if getattr(node, "items", ()) else node.refused('"spans" needs at least one')
    return found


def _span(node: Node) -> TimeSpans:
    fields = Fields(node, "a span")
    fields.only(("weekdays", "times", "dates"))
    if not fields.node.entries:
        raise node.refused("a span needs weekdays, times or dates")
    weekdays = fields.read("weekdays", _weekdays, EVERY_DAY)
    times: tuple[Minutes, ...] = fields.read("times", _times, ())
    dates = fields.read("dates", lambda node: one_or_more(node, _dates, "date"), ())
    if any(before[1] > after[0] for before, after in pairwise(times)):
        fields.entry("times").note("the times overlap; join them")
    if not fields.sound:
        raise Refused
    return TimeSpans(weekdays, times, dates)


def _weekdays(node: Node) -> tuple[int, ...]:
    days = [day for days in one_or_more(node, _days, "weekday") for day in days]
    if len(set(days)) < len(days):
        raise node.refused("a weekday stands twice")
    return tuple(sorted(days))


def _days(node: Node) -> tuple[int, ...]:
    """`sa`, or `mo-fr`; `sa-mo` goes over the end of the week."""
    words = values.text(node).lower().split("-")
    if len(words) > 2 or any(word not in WEEKDAYS for word in words):
        listed = ", ".join(WEEKDAYS)
        raise node.refused(f"must be a weekday ({listed}) or a range such as mo-fr, not {shown(node)}")
    first, last = WEEKDAYS.index(words[0]), WEEKDAYS.index(words[-1])
    return tuple(day % 7 for day in range(first, first + (last - first) % 7 + 1))


def _times(node: Node) -> tuple[Minutes, ...]:
    return tuple(sorted(each(node, _minutes, '"times"')))


def _minutes(node: Node) -> Minutes:
    fields = Fields(node, "a time of day")
    fields.only(("from", "to"))
    start = fields.need("from", values.minute_of_day, ", such as from: 09:00")
    end = fields.need("to", values.minute_of_day, ", such as to: 18:00")
    if start is None or end is None:
        raise Refused
    if start >= end:
        begin, until = (_clock(minute) for minute in (start, end))
        advice = f"write two: {{from: {begin}, to: 24:00}} and {{from: 00:00, to: {until}}}"
        raise node.refused(f"ends before it begins; over midnight, {advice}" if end else _MIDNIGHT)
    return start, end


_MIDNIGHT = "ends before it begins; the end of a day is to: 24:00"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _dates(node: Node) -> Dates:
    """One day, or the first and the last."""
    if not isinstance(node, Entries):
        day = _date(node)
        return day, day
    fields = Fields(node, "dates")
    fields.only(("from", "to"))
    first, last = fields.need("from", _date), fields.need("to", _date)
    if first is None or last is None:
        raise Refused
    if first > last:
        raise node.refused(f"from {first} is after to {last}; exchange them")
    return first, last


def _date(node: Node) -> str:
    text = values.text(node)
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise node.refused(f"must be a date such as 2026-10-01, not {shown(node)}")
    return text
