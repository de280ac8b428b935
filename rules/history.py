"""What the engine remembers of samples, moved on strip by strip.

Samples wait until an evaluation is due that sees them. Then the time since the last one is cut into strips
(see `strip.py`): as long as nothing odd becomes visible, one strip may hold hundreds of evaluations, and they
are all reckoned in one pass. How samples were cut into batches does not matter.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from rules.chain import Chain
from rules.columns import NEVER, Columns, Flags, Floats, Reader, Rows, Times, raise_to
from rules.days import DayLevels
from rules.gauges import GaugeRing
from rules.needs import Needs
from rules.rings import LevelRing
from rules.roster import Roster
from rules.rule import DAY_MS
from rules.silence import Listening
from rules.strip import Strip
from rules.zones import LocalDays

MAX_TICKS: Final = 360  # evaluations in one pass, as long as
MAX_CELLS: Final = 2_000_000  # evaluations times robots are not more than this


class History:
    """The fleet's past, as far as rules need it; arrays have room for more robots than there are."""

    def __init__(self, needs: Needs, roster: Roster, intervals_ms: Sequence[int], delay_ms: int) -> None:
        self.needs = needs
        self.reader = Reader(tuple(needs.counters), tuple(needs.gauges), delay_ms)
        self.listening = Listening()
        self.sources = {source: place for place, source in enumerate(needs.sources)}
        self._intervals = sorted(set(intervals_ms)) or [60_000]
        self.robots = len(roster)
        self.capacity = max(self.robots, 16)
        self._length = self.longest_strip_ms(self.capacity)
        self.chain = Chain(len(needs.counters), self.capacity)
        self.rings = {
            step: LevelRing(step, length + self._length, self._numbers(counters), self.capacity)
            for step, (length, counters) in needs.rings.items()
        }
        self.windows = {
            window: GaugeRing(window.interval_ms, window.over_ms, window.reduce, self.capacity)
            for window in needs.windows
            if window.reduce != "last"
        }
        self.heard: Times = np.full((len(self.sources), self.capacity), NEVER)
        self.gauges: Floats = np.full((len(needs.gauges), self.capacity), np.nan)  # newest values
        self.gauges_at: Times = np.full((len(needs.gauges), self.capacity), NEVER)
        self.zones, self._zone_rows = LocalDays(roster), _of_each_zone(roster)
        self.days: DayLevels | None = None
        if needs.days:
            self.days = DayLevels(self._numbers(needs.day_counters), needs.days, self.zones, self.capacity)
        self._whole_days: dict[int, tuple[Times, Times]] = {}  # of the last strip
        self._daily: dict[tuple[tuple[str, ...], int], Floats] = {}
        self._waiting: list[Columns] = []
        self._fresh: Strip | None = None  # whose gauges are not in their windows yet
        self.until = NEVER  # the end of the last strip

    def enrol(self, roster: Roster) -> None:
        """Takes a roster that has grown, or whose attributes changed."""
        self.robots = len(roster)
        self.zones, self._zone_rows = LocalDays(roster), _of_each_zone(roster)
        if self.days is not None:
            self.days.zones = self.zones
        if self.robots <= self.capacity:
            return
        self.capacity = capacity = self.robots + self.robots // 2
        for part in (self.chain, *self.windows.values(), *self._levels()):
            part.widen(capacity)
        more = ((0, 0), (0, capacity - self.heard.shape[1]))
        self.heard = np.pad(self.heard, more, constant_values=NEVER)
        self.gauges = np.pad(self.gauges, more, constant_values=np.nan)
        self.gauges_at = np.pad(self.gauges_at, more, constant_values=NEVER)

    def longest_strip_ms(self, robots: int) -> int:
        """How long a strip may be: the larger the fleet, the shorter."""
        return self._intervals[0] * int(np.clip(MAX_CELLS // max(robots, 1), 1, MAX_TICKS))

    def add(self, samples: Columns) -> None:
        """Takes samples; they wait until they are visible."""
        if len(samples) and not 0 <= int(samples.row.min()) <= int(samples.row.max()) < self.robots:
            at = int(samples.committed[0])
            raise ValueError(f"the batch of {at} has a robot that is not in the roster")
        if len(samples):
            self._waiting.append(samples)

    def begin(self, at: int) -> None:
        """No evaluation comes at that time or before it."""
        if self.until == NEVER:
            self.until = at
            for ring in self.rings.values():
                ring.begin(at)

    def last_grid(self, at: int) -> int:
        """The last time, not later than that, at which some group is evaluated."""
        return max(at // interval * interval for interval in self._intervals)

    def strips(self, until: int) -> Iterator[Strip]:
        """Moves on to that time, strip by strip; a strip may be looked at until the next one is asked for."""
        while self.until < until:
            limit = min(until, self.until + min(self._length, self.longest_strip_ms(self.robots)))
            samples = self._arrived(limit)
            end, odd = self._cut(samples, limit)
            visible = samples.visible <= end
            if not visible.all():
                self._waiting.insert(0, samples.where(~visible))
                samples = samples.where(visible)
            yield self._take(samples, end, odd=odd)

    def whole_days(self, days: int) -> tuple[Times, Times]:
        """[robot]: the first of so many days before the one that the last strip is on, and when it began."""
        if days not in self._whole_days:
            rows = np.arange(self.robots)
            first = self.zones.day_of(np.full(self.robots, self.until), rows) - days
            self._whole_days[days] = first, self.zones.midnight(first, rows)
        return self._whole_days[days]

    def daily(self, counters: tuple[str, ...], days: int) -> Floats:
        """[day, robot]: by how much the counters, summed, rose on each of those days."""
        key = counters, days
        if key not in self._daily:
            assert self.days is not None, "needs know of days"  # noqa: S101 -- a contract within this package
            rows, first = np.arange(self.robots), self.whole_days(days)[0]
            numbers = [self.needs.counters[counter] for counter in counters]
            rises = [self.days.increases(number, first, days, rows) for number in numbers]
            self._daily[key] = np.maximum(rises, 0).sum(axis=0)
        return self._daily[key]

    def windowed(self, strip: Strip) -> None:
        """Takes the gauges of a strip into their windows, once."""
        if strip is not self._fresh:
            return
        self._fresh = None
        samples = strip.samples
        steps: dict[int, Times] = {}  # the same for many windows
        for window, ring in self.windows.items():
            if ring.step_ms not in steps:
                steps[ring.step_ms] = -(-samples.t // ring.step_ms)
            values = samples.gauge(self.needs.gauges[window.metric])
            ring.take_steps(strip.until, samples.row, samples.t, steps[ring.step_ms], values)

    def _levels(self) -> Iterator[LevelRing | DayLevels]:
        yield from self.rings.values()
        if self.days is not None:
            yield self.days

    def _numbers(self, counters: dict[str, None]) -> list[int]:
        return [self.needs.counters[counter] for counter in counters]

    def _arrived(self, until: int) -> Columns:
        """What becomes visible by then; the rest goes on waiting."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return _nothing()
        samples = Columns.joined(waiting)
        due = samples.visible <= until
        if due.all():
            return samples
        self._waiting.append(samples.where(~due))
        return samples.where(due)

    def _next_grid(self, after: int) -> int:
        """The next time at which some group is evaluated."""
        return min(after // interval * interval + interval for interval in self._intervals)

    def _cut(self, samples: Columns, until: int) -> tuple[int, bool]:
        """The end of the next strip, an evaluation's time; and whether anything odd becomes visible in it."""
        first = self._next_grid(self.until)
        end = until
        if self.days is not None:
            end = min(end, self._midnight(first) - 1)
        odd = self._is_odd(samples)
        strange_at = int(samples.visible[odd].min(initial=until + 1))
        end = max(first, self.last_grid(min(end, strange_at - 1)))
        return end, strange_at <= end

    def _is_odd(self, samples: Columns) -> Flags:
        """What changes the past, or comes later than a window is long, or than its day."""
        odd = self.chain.odd(samples)
        lateness = samples.visible - samples.t
        odd |= lateness > self.needs.shortest_ms
        late = np.flatnonzero(lateness > 0)
        if self.days is not None and late.size:
            rows = samples.row[late]
            day = self.zones.day_of(samples.t[late], rows)
            odd[late] |= day != self.zones.day_of(samples.visible[late], rows)
        return odd

    def _midnight(self, after: int) -> int:
        """The first local midnight after a time, of any robot."""
        rows = self._zone_rows
        at = np.full(len(rows), after)
        return int(self.zones.midnight(self.zones.day_of(at, rows) + 1, rows).min(initial=after + DAY_MS))

    def _take(self, samples: Columns, end: int, *, odd: bool) -> Strip:
        """Everything but the gauges' windows, to the end of the strip."""
        if self._fresh is not None:
            self.windowed(self._fresh)
        since, self.until = self.until, end
        self._whole_days.clear()
        self._daily.clear()
        shifts, olds = self.chain.settle(samples) if odd else ([], [])
        single = self._next_grid(since) == end
        strip = Strip(samples, olds, self.chain, since, end, single=single)
        strip.keep(self.heard, self.gauges, self.gauges_at)
        if self.days is not None:
            self.days.begin(samples)
        for shift in shifts:
            for levels in self._levels():
                levels.shift(shift)
        self._move_rings(strip, since)
        if self.days is not None:
            self.days.take(strip, self.chain)
        self._hear(samples)
        self._fresh = strip
        return strip

    def _move_rings(self, strip: Strip, since: int) -> None:
        """Chain and rings."""
        if not strip.single:
            for ring in self.rings.values():
                self._put_rows(ring, strip)
        self.chain.advance(strip.samples, *strip.last())
        for ring in self.rings.values():
            if strip.single and (due := ring.due(strip.until)):
                for counter in ring.counters.tolist():
                    ring.put(counter, due, self.chain.level[counter])
            ring.moved(strip.until)
            self._fill_late(ring, strip, since)

    def _put_rows(self, ring: LevelRing, strip: Strip) -> None:
        due = ring.due(strip.until)
        if not due:
            return
        steps = -(-strip.samples.t // ring.step_ms)
        newest = strip.newest(steps - due.start, len(due))
        for counter in ring.counters.tolist():
            ring.put(counter, due, strip.level(counter, newest.place, slice(None)))

    def _fill_late(self, ring: LevelRing, strip: Strip, since: int) -> None:
        """Samples of times whose rows were there before they came."""
        samples, offset = strip.samples, self.chain.offset
        late = np.flatnonzero(strip.current & (samples.t <= since))
        if late.size:
            rows = samples.row[late]
            levels = samples.counters(ring.counters, late) + offset[np.ix_(ring.counters, rows)]
            ring.late(rows, samples.t[late], np.where(np.isnan(levels), -np.inf, levels))
        for old in strip.olds:
            ring.late_old(old)

    def _hear(self, samples: Columns) -> None:
        raise_to(self.heard[0], samples.row, samples.committed)
        for source, up in list(self.needs.sources.items())[1:]:
            heard = samples.gauge(self.needs.gauges[str(up)]) == 1
            raise_to(self.heard[self.sources[source]], samples.row[heard], samples.committed[heard])
        for window in self.needs.windows:
            if window.reduce == "last":
                self._renew(self.needs.gauges[window.metric], samples)

    def _renew(self, gauge: int, samples: Columns) -> None:
        """A gauge's newest value."""
        at, values = self.gauges_at[gauge], samples.gauge(gauge)
        known = np.flatnonzero(~np.isnan(values))
        np.maximum.at(at, samples.row[known], samples.t[known])
        newest = known[samples.t[known] == at[samples.row[known]]]
        self.gauges[gauge, samples.row[newest]] = values[newest]


def _of_each_zone(roster: Roster) -> Rows:
    """One robot of every time zone."""
    rows = {str(robot.attributes.get("tz")): row for row, robot in enumerate(roster.robots)}
    return np.fromiter(rows.values(), dtype=np.intp, count=len(rows))


def _nothing() -> Columns:
    none = np.empty(0, dtype=np.int64)
    return Columns(none.astype(np.intp), none, none, none, none.astype(np.int32), ())
