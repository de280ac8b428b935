"""Levels: what each counter of each robot rose to, through restarts and new epochs, as one rising line.

A robot's samples in order of time are a chain. Within an epoch a counter's level is its value plus an offset;
a new epoch begins at the level where the one before it ended. So the increase between any two times is one
subtraction of levels, and windows, days and past weeks need nothing but levels at their ends.

The frame is the newest epoch's: its offset never changes. A sample that comes late may tell of a rise in
the past that nobody knew of: an epoch began lower, or an earlier one ended higher, than was known. Then
everything before it is lowered (`Shift`), and the levels of now stay what they are.

Most samples are regular: of their robot's newest epoch, not before its first known sample, and with every
counter that the robot had before. Their levels need no look at any other sample. What is odd is settled one
by one, by `settle`; `NO_EPOCH` marks a robot that was never heard.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rules.columns import NEVER, NO_EPOCH, Codes, Columns, Flags, Floats, Rows, Times


@dataclass(frozen=True, slots=True)
class Shift:
    """Levels of a robot at times before `until` are lower by so much."""

    row: int
    until: int
    by: Floats  # [counter]


@dataclass(slots=True)
class Segment:
    """An epoch of a robot that is not its newest one."""

    epoch: int
    first_at: int
    last_at: int
    first: Floats  # levels, [counter]
    last: Floats
    offset: Floats

    def lower(self, by: Floats) -> None:
        """Moves it, as everything before some time."""
        self.first = self.first - by
        self.last = self.last - by
        self.offset = self.offset - by


@dataclass(frozen=True, slots=True)
class Old:
    """The level of a sample that is not of its robot's newest epoch."""

    row: int
    t: int
    level: Floats  # [counter], -inf where it tells nothing


class Chain:
    """The newest epoch of every robot; arrays are [robot] or [counter, robot]."""

    def __init__(self, counters: int, robots: int) -> None:
        self.epoch: Codes = np.full(robots, NO_EPOCH, dtype=np.int32)
        self.since: Times = np.full(robots, -NEVER)  # its first sample of all
        self.first_at: Times = np.full(robots, -NEVER)  # of the epoch
        self.at: Times = np.full(robots, NEVER)  # its newest sample
        self.offset: Floats = np.zeros((counters, robots))
        self.first: Floats = np.zeros((counters, robots))
        self.level: Floats = np.zeros((counters, robots))
        self.present: Flags = np.zeros((counters, robots), dtype=np.bool_)
        self.older: dict[int, list[Segment]] = {}

    def widen(self, robots: int) -> None:
        """Makes room for more robots."""
        other = Chain(len(self.level), robots - self.level.shape[1])
        for name in ("epoch", "since", "first_at", "at", "offset", "first", "level", "present"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(other, name)], axis=-1))

    def odd(self, samples: Columns) -> Flags:
        """Which samples have to be settled before anything else of their time is looked at."""
        row = samples.row
        odd: Flags = (samples.epoch != self.epoch[row]) | (samples.t < self.first_at[row])
        for counter in range(len(self.level)):
            if samples.lacks(counter):
                odd |= self._vanished(counter, samples, np.isnan(samples.counter(counter)))
        late = np.flatnonzero(samples.t <= self.at[row])
        if late.size:
            levels = samples.counters(range(len(self.level)), late) + self.offset[:, row[late]]
            known, tied = self.level[:, row[late]], samples.t[late] == self.at[row[late]]
            odd[late] |= np.where(tied, levels < known, levels > known).any(axis=0)
        return odd

    def settle(self, samples: Columns) -> tuple[list[Shift], list[Old]]:
        """Takes in the odd ones of samples that become visible together, and what is of the same robots.

        What comes out regular from then on is left to `advance`.
        """
        self._begin(samples)
        odd = self.odd(samples)
        if not odd.any():
            return [], []
        shifts: list[Shift] = []
        olds: list[Old] = []
        concerned = np.flatnonzero(np.isin(samples.row, samples.row[odd]))
        order = concerned[np.lexsort((samples.t[concerned], samples.row[concerned]))]
        for place in order.tolist():
            values = samples.counters(range(len(self.level)), np.array([place]))[:, 0]
            sample = (int(samples.epoch[place]), int(samples.t[place]), values)
            shifts += self._take(int(samples.row[place]), *sample)
        for place in order.tolist():
            olds += self._old(int(samples.row[place]), samples, place)
        return shifts, olds

    def advance(self, samples: Columns, rows: Rows, places: Rows, rivals: Rows) -> None:
        """The newest regular samples of these robots, and others of the same times."""
        self.at[rows] = samples.t[places]
        tied = samples.row[rivals]
        for counter in range(len(self.level)):
            level, offset, values = self.level[counter], self.offset[counter], samples.counter(counter)
            found = values[places]
            self.present[counter, rows] = ~np.isnan(found) if samples.lacks(counter) else True
            level[rows] = np.fmax(level[rows], found + offset[rows])
            np.fmax.at(level, tied, values[rivals] + offset[tied])

    def _vanished(self, counter: int, samples: Columns, lacking: Flags) -> Flags:
        """Whether a sample lacks a counter that an earlier one of its robot had."""
        row, t = samples.row, samples.t
        had = np.where(self.present[counter], self.at, -NEVER)
        np.minimum.at(had, row[~lacking], t[~lacking])
        return lacking & (t >= had[row])

    def _begin(self, samples: Columns) -> None:
        """Robots that were never heard begin with their earliest sample, at level 0."""
        new = np.flatnonzero(self.epoch[samples.row] == NO_EPOCH)
        if not new.size:
            return
        order = new[np.lexsort((samples.t[new], samples.row[new]))]
        rows, firsts = np.unique(samples.row[order], return_index=True)
        first = order[firsts]
        values = samples.counters(range(len(self.level)), first)
        self.epoch[rows] = samples.epoch[first]
        self.since[rows] = self.first_at[rows] = self.at[rows] = samples.t[first]
        self.offset[:, rows] = -np.nan_to_num(values)
        self.present[:, rows] = ~np.isnan(values)

    def _take(self, row: int, epoch: int, t: int, values: Floats) -> Iterator[Shift]:
        self.since[row] = min(self.since[row], t)
        if epoch == self.epoch[row]:
            yield from self._take_newest(row, t, values)
            return
        older = self.older.setdefault(row, [])
        known = next((place for place, segment in enumerate(older) if segment.epoch == epoch), None)
        if known is not None:
            yield from self._extend(row, known, t, values)
        elif t >= self.at[row]:
            self._renew(row, epoch, t, values)
        else:
            self._insert(row, epoch, t, values)

    def _take_newest(self, row: int, t: int, values: Floats) -> Iterator[Shift]:
        """A sample of the newest epoch."""
        levels = np.nan_to_num(values) + self.offset[:, row]
        if t < self.first_at[row]:
            by = np.maximum(self.first[:, row] - levels, 0)
            until, self.first_at[row] = int(self.first_at[row]), t
            self.first[:, row] -= by
            self.offset[:, row] -= _too_high(levels, values, self.first[:, row])
            yield self._lowered(row, len(self.older.get(row, ())), until, by)
            return
        self.level[:, row] = np.fmax(self.level[:, row], values + self.offset[:, row])
        if t >= self.at[row]:
            self.at[row] = t
            self.present[:, row] = ~np.isnan(values)

    def _extend(self, row: int, place: int, t: int, values: Floats) -> Iterator[Shift]:
        """A sample of an epoch that is over."""
        segment = self.older[row][place]
        levels = np.nan_to_num(values) + segment.offset
        if t < segment.first_at:
            by = np.maximum(segment.first - levels, 0)
            until, segment.first_at = segment.first_at, t
            segment.first = segment.first - by
            segment.offset = segment.offset - _too_high(levels, values, segment.first)
            yield self._lowered(row, place, until, by)
        else:
            by = np.maximum(np.where(np.isnan(values), 0, levels - segment.last), 0)
            segment.last_at = max(segment.last_at, t)
            yield self._lowered(row, place + 1, t, by)
            segment.last = segment.last + by

    def _lowered(self, row: int, places: int, until: int, by: Floats) -> Shift:
        """The epochs before that place are lower."""
        for segment in self.older.get(row, [])[:places]:
            segment.lower(by)
        return Shift(row, until, by)

    def _renew(self, row: int, epoch: int, t: int, values: Floats) -> None:
        """A new epoch begins where the one before it ended."""
        first, last, offset = (array[:, row].copy() for array in (self.first, self.level, self.offset))
        ended = Segment(int(self.epoch[row]), int(self.first_at[row]), int(self.at[row]), first, last, offset)
        self.older[row].append(ended)
        self.epoch[row] = epoch
        self.first_at[row] = self.at[row] = t
        self.offset[:, row] = last - np.nan_to_num(values)
        self.first[:, row] = last
        self.present[:, row] = ~np.isnan(values)

    def _insert(self, row: int, epoch: int, t: int, values: Floats) -> None:
        """An epoch that nobody knew of, before one that is known."""
        older = self.older[row]
        place = next((place for place, segment in enumerate(older) if segment.first_at > t), len(older))
        level = older[place].first if place < len(older) else self.first[:, row]
        level = level.copy()
        older.insert(place, Segment(epoch, t, t, level, level, level - np.nan_to_num(values)))

    def _old(self, row: int, samples: Columns, place: int) -> Iterator[Old]:
        for segment in self.older.get(row, ()):
            if segment.epoch == int(samples.epoch[place]):
                values = samples.counters(range(len(self.level)), np.array([place]))[:, 0]
                level = np.where(np.isnan(values), -np.inf, values + segment.offset)
                yield Old(row, int(samples.t[place]), level)


def _too_high(levels: Floats, values: Floats, first: Floats) -> Floats:
    """By how much an epoch's first sample is above the next: of a counter that its later samples lack."""
    return np.where(np.isnan(values), 0, np.maximum(levels - first, 0))
