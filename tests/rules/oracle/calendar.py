"""Local time: zones, days, time intervals, opening hours. Times are ms UTC."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from rules.rule import OPEN_HOURS, TimeInterval, TimeSpans
from tests.rules.oracle.records import Attributes

DAY = 86_400_000
EVERY_DAY = tuple(range(7))
_WEEKDAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
_HALF_HOUR = 1_800_000  # changes of the offset from UTC fall on these
_ENTRY = re.compile(r"(?:([a-z,-]+) +)?(\d\d:\d\d-\d\d:\d\d(?:,\d\d:\d\d-\d\d:\d\d)*)")


def zone(attributes: Attributes) -> tzinfo:
    """A robot's own zone; UTC where it has none that is known."""
    try:
        return ZoneInfo(str(attributes["tz"]))
    except (LookupError, ValueError, OSError):
        return UTC


def local(at: int, tz: tzinfo) -> datetime:
    """What a clock on the wall shows."""
    return datetime.fromtimestamp(at // 1000, tz)


def midnight(day: date, tz: tzinfo) -> int:
    """When a local day begins."""
    return round(datetime.combine(day, time(), tz).timestamp()) * 1000


def whole_days(at: int, count: int, tz: tzinfo) -> list[tuple[int, int]]:
    """Begin and end of so many local days before the one of `at`, the first first."""
    today = local(at, tz).date()
    days = [today - timedelta(days=back) for back in range(count, 0, -1)]
    return [(midnight(day, tz), midnight(day + timedelta(days=1), tz)) for day in days]


def age_in_days(attributes: Attributes, at: int) -> int | None:
    """Whole days since midnight of the day of installation."""
    try:
        installed = date.fromisoformat(str(attributes["installed_on"]))
    except (LookupError, ValueError):
        return None
    return (at - midnight(installed, zone(attributes))) // DAY


def in_any(
    names: Sequence[str], intervals: Mapping[str, TimeInterval], attributes: Attributes, at: int
) -> bool:
    """Whether `at` lies in at least one of the intervals, of a robot with these attributes."""
    now = local(at, zone(attributes))
    return any(_in(name, intervals, attributes, now) for name in names)


def _in(name: str, intervals: Mapping[str, TimeInterval], attributes: Attributes, now: datetime) -> bool:
    if name == OPEN_HOURS:
        return _open(attributes, now)
    return any(_in_spans(spans, now) for spans in intervals[name].spans)


def _in_spans(spans: TimeSpans, now: datetime) -> bool:
    today, yesterday = now.date(), now.date() - timedelta(days=1)
    minute = now.hour * 60 + now.minute
    for begin, end in spans.times or ((0, 1440),):
        if begin < end and begin <= minute < end and _applies(spans, today):
            return True
        if begin >= end and minute >= begin and _applies(spans, today):
            return True
        if begin >= end and minute < end and _applies(spans, yesterday):
            return True
    return False


def _applies(spans: TimeSpans, day: date) -> bool:
    dates = not spans.dates or any(first <= day.isoformat() <= last for first, last in spans.dates)
    return dates and (not spans.weekdays or day.weekday() in spans.weekdays)


def _open(attributes: Attributes, now: datetime) -> bool:
    hours = read_hours(attributes.get(OPEN_HOURS))
    if hours is None:
        return True
    if now.date().isoformat() in re.split(r"[ ,]+", str(attributes.get("holidays", ""))):
        return False
    return any(_in_spans(spans, now) for spans in hours)


def read_hours(value: str | float | None) -> list[TimeSpans] | None:
    """Opening hours; None where they are not given or cannot be read, so that it is always open."""
    if not isinstance(value, str):
        return None
    spans: list[TimeSpans] = []
    for part in value.lower().split(";"):
        found = _hours(part.strip())
        if found is None:
            return None
        spans.append(found)
    return spans


def _hours(part: str) -> TimeSpans | None:
    if part == "24/7":
        return TimeSpans(EVERY_DAY, ())
    entry = _ENTRY.fullmatch(part)
    days = _days(entry[1]) if entry and entry[1] else EVERY_DAY
    times = [_times(text) for text in entry[2].split(",")] if entry else [None]
    if days is None or None in times:
        return None
    return TimeSpans(days, tuple(found for found in times if found is not None))


def _times(text: str) -> tuple[int, int] | None:
    begin, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in text.split("-"))
    minutes_fit = int(text[3:5]) < 60 and int(text[9:]) < 60
    return (begin, end) if minutes_fit and begin < 1440 and end <= 1440 else None


def _days(text: str) -> tuple[int, ...] | None:
    days: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        last = last or first
        if first not in _WEEKDAYS or last not in _WEEKDAYS:
            return None
        begin, end = _WEEKDAYS.index(first), _WEEKDAYS.index(last)
        days += [day % 7 for day in range(begin, end + 1 if begin <= end else end + 8)]
    return tuple(days)


def begin_of_period(
    names: Sequence[str],
    intervals: Mapping[str, TimeInterval],
    attributes: Attributes,
    at: int,
    floor: int,
) -> int:
    """Since when, without a break, some interval holds that holds at `at`; `floor` where since before."""

    def inside(when: int) -> bool:
        return in_any(names, intervals, attributes, when)

    if not inside(at):
        return floor
    minutes = {minute for name in names for minute in _edges(name, intervals, attributes)}
    return next(
        (edge for edge in _instants(minutes, zone(attributes), at, floor) if not inside(edge - 1)), floor
    )


def _edges(name: str, intervals: Mapping[str, TimeInterval], attributes: Attributes) -> list[int]:
    if name == OPEN_HOURS:
        spans: Sequence[TimeSpans] = read_hours(attributes.get(OPEN_HOURS)) or ()
    else:
        spans = intervals[name].spans
    return [minute for span in spans for times in span.times for minute in times]


def _instants(minutes: set[int], tz: tzinfo, at: int, floor: int) -> list[int]:
    """All times in (floor, at] at which something may begin or end, the latest first."""
    found = set(range(at // _HALF_HOUR * _HALF_HOUR, floor, -_HALF_HOUR))
    day, last = local(floor, tz).date(), local(at, tz).date()
    while day <= last:
        found |= {instant for minute in minutes for instant in _at_minute(day, minute % 1440, tz)}
        day += timedelta(days=1)
    return sorted((instant for instant in found if floor < instant <= at), reverse=True)


def _at_minute(day: date, minute: int, tz: tzinfo) -> Iterator[int]:
    for fold in (0, 1):
        shown = datetime.combine(day, time(minute // 60, minute % 60, fold=fold), tz)
        yield round(shown.timestamp()) * 1000
