"""Time intervals: when a robot's site is open, and other times by name, on the clock of each robot.

A robot is inside an interval when its wall clock shows a day and a time of it, so an hour that a clock
shows twice is inside twice, and one that it skips never comes. Robots of the same zone, hours and holidays
are one schedule; what is inside is worked out once a schedule, for a month at a time.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.roster import Attribute, Robot, Roster
from rules.rule import DAY_MS, OPEN_HOURS, Minutes, TimeInterval, TimeSpans
from rules.zones import LocalDays, Times, clock

__all__ = ["UNBOUNDED", "Calendar", "LocalDays", "open_times", "parse_holidays", "parse_open_hours"]

UNBOUNDED: Final = -(2**62)
LOOKBACK_MS: Final = 400 * DAY_MS  # a period that has lasted longer is told to be without a beginning
_MINUTE_MS: Final = 60_000
_DAY_MINUTES: Final = 24 * 60
_CHUNK: Final = 32 * DAY_MS
_SCHEDULE_KEY: Final = 1 << 33  # more ms than a chunk has
_EPOCH: Final = date(1970, 1, 1).toordinal()
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_EVERY_DAY: Final = tuple(range(7))
_WEEKDAYS: Final = {name: number for number, name in enumerate(("mo", "tu", "we", "th", "fr", "sa", "su"))}
_RULE: Final = re.compile(r"(?:([a-z][a-z,\s-]*?)\s+)?(\d.*)")
_SPAN: Final = re.compile(r"(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)")
_EXAMPLE: Final = "write such as mo-fr 09:00-18:00; sa,su 10:00-16:00"

Spans = tuple[Times, Times]  # begins and ends, in order, none touching the next
_Key = tuple[Attribute | None, Attribute | None, Attribute | None]  # zone, hours, holidays


# --- the attributes ---------------------------------------------------------------------------------------


def parse_open_hours(text: str) -> tuple[TimeSpans, ...]:
    """What the attribute `open_hours` says; none of the spans goes over midnight. Raises `ValueError`."""
    spans: list[TimeSpans] = []
    for part in text.strip().lower().split(";"):
        if part.strip() == "24/7":
            spans.append(TimeSpans(_EVERY_DAY, ()))
        elif part.strip():
            spans.extend(_rule(part.strip()))
    if not spans:
        raise ValueError(f"open_hours {text!r}: no times; {_EXAMPLE}, or 24/7")
    return tuple(spans)


def parse_holidays(text: str) -> frozenset[int]:
    """The days (from 1970-01-01) that the attribute `holidays` names. Raises `ValueError`."""
    return frozenset(_day(part) for part in _dates(text))


def _dates(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,]+", text) if part]


def _day(text: str) -> int:
    if _DATE.fullmatch(text):
        with suppress(ValueError):
            return date.fromisoformat(text).toordinal() - _EPOCH
    raise ValueError(f"holidays: {text!r} is no day; write such as 2026-10-01 2026-10-02")


def _rule(part: str) -> Iterator[TimeSpans]:
    found = _RULE.fullmatch(part)
    if found is None:
        raise ValueError(f"open_hours {part!r} cannot be read; {_EXAMPLE}")
    weekdays = _weekdays(found[1]) if found[1] else _EVERY_DAY
    for text in found[2].split(","):
        since, until = _minutes(text.strip())
        if until > since:
            yield TimeSpans(weekdays, ((since, until),))
            continue
        yield TimeSpans(weekdays, ((since, _DAY_MINUTES),))
        if until:
            yield TimeSpans(tuple(sorted((day + 1) % 7 for day in weekdays)), ((0, until),))


def _weekdays(text: str) -> tuple[int, ...]:
    days: set[int] = set()
    for part in text.split(","):
        ends = [_WEEKDAYS.get(name.strip()) for name in part.split("-")]
        if None in ends or len(ends) > 2:
            raise ValueError(f"open_hours: {part.strip()!r} are no days; use mo, tu, we, th, fr, sa, su")
        first, last = ends[0] or 0, ends[-1] or 0
        days.update((first + day) % 7 for day in range((last - first) % 7 + 1))
    return tuple(sorted(days))


def _minutes(text: str) -> Minutes:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"open_hours: {text!r} is no time; write such as 09:00-18:00")
    hours = [int(number) for number in found.groups()]
    since, until = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if max(hours[1], hours[3]) > 59 or max(since, until) > _DAY_MINUTES or since == _DAY_MINUTES:
        raise ValueError(f"open_hours: {text!r} is no time; hours go from 00:00 to 24:00")
    return since, until


def open_times(zone: str | None, hours: str, holidays: str | None, since: int, until: int) -> Spans:
    """The times in a range in which a clock of that zone is within the hours, and not on a holiday.

    Days that cannot be read are no holidays. Raises `ValueError` for hours that cannot be read.
    """
    return _within(zone, parse_open_hours(hours), 0, _closed(holidays), since, until)


# --- the calendar -----------------------------------------------------------------------------------------


class Calendar:
    """The named intervals, and `open_hours`, of all robots of a roster."""

    def __init__(self, intervals: Sequence[TimeInterval], roster: Roster) -> None:
        self._named = {interval.name: interval.spans for interval in intervals}
        self._open, self._open_number = _numbered(_open_key(robot) for robot in roster.robots)
        self._zones, self._zone_number = _numbered(
            (robot.attributes.get("tz"), None, None) for robot in roster.robots
        )
        self._months: dict[tuple[tuple[str, ...], int], _Month] = {}

    def state(
        self, names: tuple[str, ...], at: Times, rows: NDArray[np.intp]
    ) -> tuple[NDArray[np.bool_], Times]:
        """Whether each robot is inside at least one of the intervals, and since when: both [at, rows].

        The beginning is in ms UTC; `UNBOUNDED` where there is none (or none within `LOOKBACK_MS`), or where
        the robot is not inside. Raises `KeyError` for a name that is not known.
        """
        hours = OPEN_HOURS in names and OPEN_HOURS not in self._named
        schedules, number = (self._open, self._open_number) if hours else (self._zones, self._zone_number)
        inside = np.empty((len(at), len(schedules)), dtype=np.bool_)
        begin = np.empty((len(at), len(schedules)), dtype=np.int64)
        chunks = at // _CHUNK
        for chunk in np.unique(chunks).tolist():
            ticks = chunks == chunk
            month = self._month(names, hours, schedules, chunk)
            inside[ticks], begin[ticks] = month.state(at[ticks])
        return inside[:, number[rows]], begin[:, number[rows]]

    def _month(self, names: tuple[str, ...], hours: bool, schedules: Sequence[_Key], chunk: int) -> "_Month":
        found = self._months.get((names, chunk))
        if found is None:
            named = tuple(
                span for name in names if not (hours and name == OPEN_HOURS) for span in self._named[name]
            )
            spans = [_spans(key, hours, named, chunk * _CHUNK) for key in schedules]
            found = self._months[names, chunk] = _Month.of(chunk * _CHUNK, spans)
            for old in [key for key in self._months if key[0] == names and abs(key[1] - chunk) > 1]:
                del self._months[old]
        return found


def _open_key(robot: Robot) -> _Key:
    attributes = robot.attributes
    hours = attributes.get("open_hours")
    return attributes.get("tz"), hours, None if hours is None else attributes.get("holidays")


def _numbered(keys: Iterator[_Key]) -> tuple[list[_Key], NDArray[np.intp]]:
    """The different ones, and for each row which it is."""
    numbers: dict[_Key, int] = {}
    number = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.intp)
    return list(numbers), number


@dataclass(frozen=True, slots=True)
class _Month:
    """What is inside in a chunk of time: the spans of all schedules, one after another."""

    start: int
    schedules: int
    keys: Times  # schedule and begin in the chunk as one number, so that one search finds all
    begins: Times
    ends: Times

    @classmethod
    def of(cls, start: int, spans: Sequence[Spans]) -> "_Month":
        none = np.array([UNBOUNDED])  # stands before the first span of each schedule
        begins = [np.append(none, begin) for begin, _ in spans]
        keys = [
            number * _SCHEDULE_KEY + np.clip(begin - start, 0, _CHUNK) for number, begin in enumerate(begins)
        ]
        ends = [np.append(none, end) for _, end in spans]
        return cls(start, len(spans), *(np.concatenate([none[:0], *parts]) for parts in (keys, begins, ends)))

    def state(self, at: Times) -> tuple[NDArray[np.bool_], Times]:
        wanted = (at - self.start)[:, None] + np.arange(self.schedules) * _SCHEDULE_KEY
        place = np.searchsorted(self.keys, wanted, side="right") - 1
        inside = self.ends[place] > at[:, None]
        begin = self.begins[place]
        return inside, np.where(inside & (begin > at[:, None] - LOOKBACK_MS), begin, UNBOUNDED)


@lru_cache(maxsize=16_384)
def _spans(key: _Key, hours: bool, named: tuple[TimeSpans, ...], start: int) -> Spans:
    """What is inside in the chunk that begins at `start`; where a period began before it, since when."""
    always, open_spans, closed = _opening(key) if hours else (False, (), frozenset[int]())
    if always:
        return np.array([UNBOUNDED]), np.array([start + _CHUNK])
    spans = _within(key[0], (*named, *open_spans), len(named), closed, start - DAY_MS, start + _CHUNK)
    if spans[0].size and spans[0][0] == start - DAY_MS and spans[1][0] > start:
        since = start - LOOKBACK_MS - DAY_MS
        spans = _within(key[0], (*named, *open_spans), len(named), closed, since, start + _CHUNK)
    late = spans[1] > start
    return spans[0][late], spans[1][late]


def _opening(key: _Key) -> tuple[bool, tuple[TimeSpans, ...], frozenset[int]]:
    """Whether a site is always open, and else when, and on which days it is not."""
    _, hours, holidays = key
    try:
        return hours is None, parse_open_hours(str(hours)) if hours is not None else (), _closed(holidays)
    except ValueError:
        return True, (), frozenset()


def _closed(holidays: Attribute | None) -> frozenset[int]:
    """The days among them that can be read."""
    days: set[int] = set()
    for part in _dates(str(holidays or "")):
        with suppress(ValueError):
            days.add(_day(part))
    return frozenset(days)


def _within(
    zone: Attribute | None,
    spans: tuple[TimeSpans, ...],
    never_closed: int,
    closed: frozenset[int],
    since: int,
    until: int,
) -> Spans:
    """The spans in a range of time; those after the first `never_closed` not on the days `closed`."""
    days = np.arange(since // DAY_MS - 3, until // DAY_MS + 4)
    open_days = days[~np.isin(days, list(closed))] if closed else days
    walls = [_walls(span, days if at < never_closed else open_days) for at, span in enumerate(spans)]
    begin = np.concatenate([np.empty(0, dtype=np.int64), *(wall[0] for wall in walls)])
    end = np.concatenate([np.empty(0, dtype=np.int64), *(wall[1] for wall in walls)])
    parts = [
        (np.maximum(begin - offset, start), np.minimum(end - offset, stop))
        for start, stop, offset in clock(zone).pieces(since, until)
    ]
    return _joined(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _walls(span: TimeSpans, days: Times) -> Spans:
    """Begins and ends as the wall clock shows them."""
    wanted = days[np.isin((days + 3) % 7, span.weekdays or _EVERY_DAY)]  # 1970-01-01 was a Thursday
    if span.dates:
        ranges = [(_day(first), _day(last)) for first, last in span.dates]
        dated = [(wanted >= first) & (wanted <= last) for first, last in ranges]
        wanted = wanted[np.logical_or.reduce(dated)]
    times = np.array(span.times or ((0, _DAY_MINUTES),), dtype=np.int64)
    times[:, 1] += np.where(times[:, 1] <= times[:, 0], _DAY_MINUTES, 0)
    found = wanted[:, None, None] * DAY_MS + times * _MINUTE_MS
    return found[..., 0].ravel(), found[..., 1].ravel()


def _joined(begin: Times, end: Times) -> Spans:
    """In order, those that overlap or touch as one, empty ones left out."""
    kept = begin < end
    begin, end = begin[kept], end[kept]
    order = np.argsort(begin, kind="stable")
    begin, reach = begin[order], np.maximum.accumulate(end[order]) if end.size else end
    starts = np.flatnonzero(np.append(True, begin[1:] > reach[:-1])) if begin.size else order
    return begin[starts], reach[np.append(starts[1:], begin.size) - 1] if begin.size else reach
