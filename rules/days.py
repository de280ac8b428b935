"""What counters rose by on each of a robot's own days.

A row a local day: the level of the newest sample before the midnight that ends it. The row of the day that a
robot was last heard on is its level of now; days after it have no rows yet.
"""

from collections.abc import Sequence

import numpy as np

from rules.chain import Chain, Old, Shift
from rules.columns import Columns, Flags, Floats, Rows, Times
from rules.strip import Strip
from rules.zones import LocalDays

_NO_DAY = -(2**31)


class DayLevels:
    """Levels of some counters at the ends of days; days are numbered as `LocalDays` does."""

    def __init__(self, counters: Sequence[int], days: int, zones: LocalDays, robots: int) -> None:
        self.zones = zones
        self.counters = np.array(counters, dtype=np.intp)
        self._place = {counter: place for place, counter in enumerate(counters)}
        self._slots = days + 4
        self._levels = np.zeros((len(counters), self._slots, robots))
        self._heard = np.zeros((self._slots, robots), dtype=np.bool_)
        self._day = np.full(robots, _NO_DAY, dtype=np.int64)  # that it was last heard on
        self._begins = np.full(robots, np.iinfo(np.int64).min)  # the midnights around it
        self._ends = np.full(robots, np.iinfo(np.int64).min)

    def widen(self, robots: int) -> None:
        """Makes room for more robots."""
        more = robots - len(self._day)
        self._levels = np.pad(self._levels, ((0, 0), (0, 0), (0, more)))
        self._heard = np.pad(self._heard, ((0, 0), (0, more)))
        self._day = np.pad(self._day, (0, more), constant_values=_NO_DAY)
        self._begins, self._ends = (
            np.pad(times, (0, more), constant_values=np.iinfo(np.int64).min)
            for times in (self._begins, self._ends)
        )

    def take(self, strip: Strip, chain: Chain) -> None:
        """The samples of a strip; the chain is of its end."""
        samples, current = strip.samples, strip.current
        late = current & (samples.t < self._begins[samples.row])
        while (crossing := current & (samples.t >= self._ends[samples.row])).any():
            self._settle_day(samples, current & ~crossing & ~late, chain)
            self._cross(samples.row[crossing], samples.t[crossing])
        seen = np.zeros(len(self._day), dtype=np.bool_)
        seen[samples.row] = True
        rows = np.flatnonzero(seen & (self._day != _NO_DAY))
        self._levels[:, self._day[rows] % self._slots, rows] = chain.level[np.ix_(self.counters, rows)]
        if late.any():
            chosen = np.flatnonzero(late)
            values = samples.counters(self.counters, chosen)
            levels = values + chain.offset[np.ix_(self.counters, samples.row[chosen])]
            self._late(samples.row[chosen], samples.t[chosen], np.where(np.isnan(levels), -np.inf, levels))
        for old in strip.olds:
            self._take_old(old)

    def begin(self, samples: Columns) -> None:
        """Robots that were never heard come to the day of their earliest sample."""
        new = self._day[samples.row] == _NO_DAY
        if new.any():
            self._cross(samples.row[new], samples.t[new])

    def shift(self, shift: Shift) -> None:
        """Lowers the past of a robot."""
        newest = int(self._day[shift.row])
        if newest == _NO_DAY:
            return
        lowered = int(self.zones.day_of(np.array([shift.until]), np.array([shift.row]))[0])
        days = np.arange(newest - self._slots + 1, min(newest + 1, lowered))
        self._levels[:, days % self._slots, shift.row] -= shift.by[self.counters][:, None]

    def increases(self, counter: int, first: Times, days: int, rows: Rows) -> Floats:
        """[day, robot]: by how much the counter rose on so many days from `first` ([robot]) on."""
        wanted = first + np.arange(-1, days)[:, None]
        known = np.minimum(wanted, np.where(self._day[rows] == _NO_DAY, 0, self._day[rows]))
        levels = self._levels[self._place[counter]][known % self._slots, rows]
        rises: Floats = np.diff(levels, axis=0)
        return rises

    def heard(self, first: Times, days: int, rows: Rows) -> Flags:
        """[day, robot]: whether the robot was heard on those days."""
        wanted = first + np.arange(days)[:, None]
        known = (wanted <= self._day[rows]) & (wanted > self._day[rows] - self._slots)
        heard: Flags = known & self._heard[wanted % self._slots, rows]
        return heard

    def _settle_day(self, samples: Columns, before: Flags, chain: Chain) -> None:
        """The level of the day that robots are about to leave: that of the newest sample on it."""
        chosen = np.flatnonzero(before & (self._day[samples.row] != _NO_DAY))
        row, slots = samples.row[chosen], self._day[samples.row[chosen]] % self._slots
        for place, counter in enumerate(self.counters):
            levels = samples.counter(counter)[chosen] + chain.offset[counter, row]
            known = ~np.isnan(levels)
            flat = slots[known] * len(self._day) + row[known]
            np.maximum.at(self._levels[place].reshape(-1), flat, levels[known])

    def _cross(self, row: Rows, t: Times) -> None:
        """Robots come to the day of their earliest sample after the one that they were on."""
        first = np.full(len(self._day), np.iinfo(np.int64).max)
        np.minimum.at(first, row, t)
        rows = np.flatnonzero(first < np.iinfo(np.int64).max)
        day = self.zones.day_of(first[rows], rows)
        last = self._day[rows]
        for passed in range(1, self._slots + 1):
            going = (last + passed <= day) & (last != _NO_DAY) & (last + passed > day - self._slots)
            here = rows[going]
            slots = (last[going] + passed) % self._slots
            self._levels[:, slots, here] = self._levels[:, last[going] % self._slots, here]
            self._heard[slots, here] = False
        self._leap(rows, last, day)
        self._day[rows] = day
        self._heard[day % self._slots, rows] = True
        self._begins[rows] = self.zones.midnight(day, rows)
        self._ends[rows] = self.zones.midnight(day + 1, rows)

    def _leap(self, rows: Rows, last: Times, day: Times) -> None:
        """Robots that were away for longer than there are rows: every row is of the day they left."""
        far = (last != _NO_DAY) & (day - last >= self._slots)
        for row, slot in zip(rows[far].tolist(), (last[far] % self._slots).tolist(), strict=True):
            self._levels[:, :, row] = self._levels[:, slot, row][:, None]
            self._heard[:, row] = False

    def _late(self, rows: Rows, t: Times, levels: Floats) -> None:
        """Samples of days that their robots have left."""
        days = self.zones.day_of(t, rows)
        for place, (row, day) in enumerate(zip(rows.tolist(), days.tolist(), strict=True)):
            newest = int(self._day[row])
            oldest = newest - self._slots + 1
            if day >= oldest:
                self._heard[day % self._slots, row] = True
            slots = np.arange(max(day, oldest), newest + 1) % self._slots
            known = self._levels[:, slots, row]
            self._levels[:, slots, row] = np.maximum(known, levels[:, place][:, None])

    def _take_old(self, old: Old) -> None:
        if self._day[old.row] != _NO_DAY:
            levels = old.level[self.counters][:, None]
            self._late(np.array([old.row]), np.array([old.t]), levels)
