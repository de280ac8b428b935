"""Scores kept up to date: what is due, out of store, roster and queue, into the database.

A day is scored once it is over on the robots' clocks: the robots of a zone after their midnight, against
the others as they were a day before; then again when the next zone's day is over. At the start, and after an
import, the days are made up for that a trend shows. A score that is there stays as it is, though late samples
come.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from collector.relational import Relational
from collector.scores.components import WEEK
from collector.scores.figures import Figures, figures, listened_hours, open_hours
from collector.scores.reckoning import scores
from collector.scores.settings import Floats, Integers, Kind, Settings
from collector.scores.table import Day, Pulse, attribute
from collector.stores import HOUR_MS, Spans, Store
from rules.intervals import LocalDays
from rules.roster import Robot, Roster

USED: Final = (
    "engagement.visitors", "engagement.recruits", "engagement.wakeups", "engagement.interactions",
    "engagement.tours", "engagement.check_ins", "engagement.escorts", "engagement.deliveries",
    "engagement.narrations", "engagement.ratings", "engagement.satisfied_ratings",
)  # fmt: skip
PAST_DAYS: Final = 56  # that a trend shows
RETRY_MS: Final = HOUR_MS  # so long a robot that came meanwhile waits
_ROBOTS_AT_ONCE: Final = 2_000
_EPOCH: Final = date(1970, 1, 1)
_DAY_MS: Final = 24 * HOUR_MS
_SUNDAY: Final = 6
_KNOWN_DAYS: Final = 4  # of the week before, on which a robot must have been heard


def _never() -> bool:
    return False


def written(day: int) -> str:
    """A day, counted from 1970-01-01, as YYYY-MM-DD."""
    return (_EPOCH + timedelta(day)).isoformat()


def counted(day: str) -> int:
    """A day as YYYY-MM-DD, counted from 1970-01-01."""
    return (date.fromisoformat(day) - _EPOCH).days


@dataclass(frozen=True, slots=True)
class _Zone:
    """Robots whose clocks show the same, and their last whole day."""

    robots: Sequence[Robot]
    midnights: LocalDays
    last: int

    def day_of(self, at: int) -> int:
        """The local day of a time."""
        return int(self.midnights.day_of(np.array([at]), np.zeros(1, dtype=np.intp))[0])

    def late(self, day: int) -> int:
        """How many days its last whole day is behind that one."""
        return max(day - self.last, 0)

    def bounds(self, first: int, last: int) -> list[int]:
        """When the days begin, and the last one ends; to the hour."""
        days = np.arange(first, last + 2)
        begins = self.midnights.midnight(days, np.zeros(len(days), dtype=np.intp))
        whole: list[int] = (begins // HOUR_MS * HOUR_MS).tolist()
        return whole


@dataclass(slots=True)
class Scoring:
    """Keeps the scores of one collector; one thread at a time reckons."""

    store: Store
    relational: Relational
    settings: Settings
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _roster: tuple[int, Roster] | None = None  # by its revision
    _looked: tuple[tuple[int, ...], int] | None = None  # at which last days, and when

    def bring_up_to_date(self, now: int, stopping: Callable[[], bool] = _never) -> list[str]:
        """Scores what is due by now, and answers the days; soon after, nothing is. Raises `StoreError`.

        Once `stopping` answers true it ends with the day or portion that it is at; the next call goes on.
        """
        with self._lock:
            zones = self._zones(now)
            lasts = tuple(zone.last for zone in zones)
            if not zones or (self._looked and self._looked[0] == lasts and now - self._looked[1] < RETRY_MS):
                return []
            newest = max(lasts)
            past = self._past(zones, newest)
            ready = [zone for zone in zones if zone.last >= newest]
            due = [newest] if self._lacks(ready, newest) else []
            done = [*self._score(past, zones, now, stopping), *self._score(due, zones, now, stopping)]
            if newest in done:
                self.relational.scores.thin(written(newest))
            if not stopping():
                self._looked = lasts, now
            return [written(day) for day in done]

    def _zones(self, now: int) -> list[_Zone]:
        revision = self.relational.roster_revision()
        if self._roster is None or self._roster[0] != revision:
            self._roster = revision, self.relational.roster()
        by_zone: dict[str, list[Robot]] = {}
        for robot in self._roster[1].robots:
            if robot.attributes.get("lifecycle") != "retired":
                by_zone.setdefault(str(robot.attributes.get("tz") or ""), []).append(robot)
        return [_zone(robots, now) for robots in by_zone.values()]

    def _lacks(self, ready: Sequence[_Zone], day: int) -> bool:
        there = self.relational.scores.entities("robot", written(day))
        return any(robot.id not in there for zone in ready for robot in zone.robots)

    def _past(self, zones: Sequence[_Zone], newest: int) -> list[int]:
        """The days before the newest that a trend shows and that lack scores, since the first sample.

        Of those that are there the last may have been scored in part: zones were waited for as the collector
        ended.
        """
        first_at = self.store.contents().first_at
        if first_at is None:
            return []
        first = min(zone.day_of(first_at) for zone in zones)
        days = range(max(first, newest - PAST_DAYS), newest)
        wanted = [day for day in days if newest - day <= WEEK + 1 or _is_sunday(day)]
        there = self.relational.scores.days()
        last = max((day for day in wanted if written(day) in there), default=newest)
        again = last < newest and self._lacks([zone for zone in zones if zone.last >= last], last)
        return [day for day in wanted if written(day) not in there or (again and day == last)]

    def _score(
        self, days: Sequence[int], zones: Sequence[_Zone], now: int, stopping: Callable[[], bool]
    ) -> list[int]:
        """Reads once what all of these days need. Where the last is not over yet, robots are peers only.

        Answers the days that are done.
        """
        if not days:
            return []
        first = days[0] - WEEK * (1 + self.settings.trend.weeks) + 1
        ready = [zone for zone in zones if zone.last >= days[-1]]
        robots = [robot for zone in zones for robot in zone.robots]
        parts = [part for zone in zones for part in self._figures(zone, first, days[-1], stopping)]
        use = self._use(zones, days[-1], stopping)
        if stopping():  # not all was read
            return []
        found = Figures.joined(parts)
        pulses, customers = self.relational.scores.pulses(), self.relational.scores.registered()
        done: list[int] = []
        for day in days:
            if stopping():
                break
            end = max(zone.bounds(day, day)[1] for zone in ready)
            reckoned = Day(
                day=written(day),
                at=day - first,
                robots=robots,
                figures=found,
                alerts=self.relational.scores.open_at(end),
                pulses=_pulses(pulses, end),
                use=use if day == days[-1] else {},
                customers=customers,
                waiting=_waiting([zone for zone in zones if zone not in ready]),
            )
            self.relational.scores.save(scores(reckoned, self.settings), now)
            done.append(day)
        return done

    def _figures(self, zone: _Zone, first: int, last: int, stopping: Callable[[], bool]) -> Iterator[Figures]:
        """Of the days; where the last is not over yet, of as many days that end a day before."""
        late = zone.late(last)
        bounds = zone.bounds(first - late, last - late)
        listened = listened_hours(self.relational.listening(), bounds)
        for robots in _portions(zone.robots):
            if stopping():
                return
            spans = self.store.spans([robot.id for robot in robots], self.settings.metrics, bounds)
            since = _in_use(robots, spans, first - late)
            yield figures(spans, open_hours(robots, bounds), listened, since, self.settings)

    def _use(
        self, zones: Sequence[_Zone], last: int, stopping: Callable[[], bool]
    ) -> dict[str, tuple[Floats, Floats]]:
        """Sums of what was used in the week that ends with the day, and in the one before.

        NaN for the week before, where a robot was heard on too few of its days to be compared with.
        """
        parts: list[Spans] = []
        for zone in zones:
            end = last - zone.late(last)
            bounds = zone.bounds(end - 2 * WEEK + 1, end)
            for robots in _portions(zone.robots):
                if stopping():
                    return {}
                parts.append(self.store.spans([robot.id for robot in robots], USED, bounds))
        known = np.concatenate([(part.hours[:, :WEEK] != 0).sum(axis=1) >= _KNOWN_DAYS for part in parts])
        return {
            name: (
                _sums(parts, name, slice(WEEK, None)),
                np.where(known, _sums(parts, name, slice(WEEK)), np.nan),
            )
            for name in USED
        }


def _waiting(zones: Sequence[_Zone]) -> frozenset[tuple[Kind, str]]:
    """The robots in these zones, and their sites and customers."""
    robots = [robot for zone in zones for robot in zone.robots]
    groups: tuple[Kind, ...] = ("site", "customer")
    named = {(kind, attribute(robot, kind)) for robot in robots for kind in groups}
    own: set[tuple[Kind, str]] = {("robot", robot.id) for robot in robots}
    return frozenset(named | own)


def _zone(robots: Sequence[Robot], now: int) -> _Zone:
    midnights = LocalDays(Roster(robots[:1]))
    today = midnights.day_of(np.array([now]), np.zeros(1, dtype=np.intp))
    return _Zone(robots, midnights, int(today[0]) - 1)


def _portions(robots: Sequence[Robot]) -> Iterator[Sequence[Robot]]:
    for at in range(0, len(robots), _ROBOTS_AT_ONCE):
        yield robots[at : at + _ROBOTS_AT_ONCE]


def _in_use(robots: Sequence[Robot], spans: Spans, first: int) -> Integers:
    """[robot]: since which day, counted from `first`: as installed, else since it was first heard."""
    heard = spans.hours != 0
    first_heard = np.where(heard.any(axis=1), heard.argmax(axis=1), heard.shape[1])
    since: Integers = first_heard.astype(np.int64)
    for row, robot in enumerate(robots):
        installed = robot.attributes.get("installed_on")
        if installed is not None:
            since[row] = counted(str(installed)) - first
    return since


def _pulses(given: Mapping[str, tuple[int, int]], end: int) -> dict[str, Pulse]:
    """Those that had been said by the end of the day."""
    return {
        customer: Pulse(value, (end - at) / _DAY_MS) for customer, (value, at) in given.items() if at <= end
    }


def _sums(parts: Sequence[Spans], name: str, days: slice) -> Floats:
    sums: Floats = np.concatenate([np.nansum(part.increases[name][:, days], axis=1) for part in parts])
    return sums


def _is_sunday(day: int) -> bool:
    return (_EPOCH + timedelta(day)).weekday() == _SUNDAY
