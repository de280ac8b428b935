"""Levels at equally spaced times, kept for as long as windows reach back.

A ring has a row a step. Row k is the level of every counter at time k * step: of the newest sample not later
than that. A level rises and never falls, so a sample that comes late is a maximum over the rows after it.
Before a robot's first sample its rows are at the level of that sample.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from rules.chain import Old, Shift
from rules.columns import Floats, Rows, Times

MAX_STEPS: Final = 60


def step_of(interval_ms: int, over_ms: int) -> int:
    """The step of a window: the interval, times the least number that makes it at most `MAX_STEPS` steps."""
    return interval_ms * -(-over_ms // (interval_ms * MAX_STEPS))


class LevelRing:
    """Levels of some counters at the multiples of a step."""

    def __init__(self, step_ms: int, length_ms: int, counters: Sequence[int], robots: int) -> None:
        self.step_ms = step_ms
        self.counters = np.array(counters, dtype=np.intp)
        self._slots = -(-length_ms // step_ms) + 2
        self._place = {counter: place for place, counter in enumerate(counters)}
        self._levels = np.zeros((len(counters), self._slots, robots))
        self.newest: int | None = None  # the last row

    def widen(self, robots: int) -> None:
        """Makes room for more robots."""
        more = np.zeros((*self._levels.shape[:2], robots - self._levels.shape[2]))
        self._levels = np.concatenate([self._levels, more], axis=2)

    def begin(self, at: int) -> None:
        """The ring starts at that time: nothing is known from before."""
        if self.newest is None:
            self.newest = at // self.step_ms

    def due(self, until: int) -> range:
        """The rows that are not there yet, up to that time."""
        assert self.newest is not None, "begin comes first"  # noqa: S101 -- a contract within this package
        return range(self.newest + 1, until // self.step_ms + 1)

    def put(self, counter: int, rows: range, levels: Floats) -> None:
        """Levels [row, robot] of a counter in rows that are due."""
        self._levels[self._place[counter], np.array(rows) % self._slots] = levels

    def moved(self, until: int) -> None:
        """All rows up to that time are there."""
        self.newest = until // self.step_ms

    def at(self, counter: int, row: int) -> Floats:
        """[robot]: the level at a multiple of the step that is not later than the newest row."""
        found: Floats = self._levels[self._place[counter], row % self._slots]
        return found

    def rows(self, counter: int, rows: Rows, robots: Rows | slice) -> Floats:
        """[row, robot]: levels at several multiples of the step."""
        levels, slots = self._levels[self._place[counter]], rows % self._slots
        if isinstance(robots, slice):
            found: Floats = levels[slots][:, robots]
        else:
            found = levels[slots[:, None], robots[None, :]]
        return found

    def shift(self, shift: Shift) -> None:
        """Lowers the past of a robot."""
        if self.newest is None:
            return
        steps = np.arange(self.newest - self._slots + 1, self.newest + 1)
        slots = steps[steps * self.step_ms < shift.until] % self._slots
        self._levels[:, slots, shift.row] -= shift.by[self.counters][:, None]

    def late(self, robots: Rows, t: Times, levels: Floats) -> None:
        """Samples ([counter of the ring, sample]) whose time's rows may be there already."""
        assert self.newest is not None, "begin comes first"  # noqa: S101 -- a contract within this package
        first = -(-t // self.step_ms)
        oldest = self.newest - self._slots + 1
        chosen = first <= self.newest
        if not chosen.any():
            return
        rows, columns = np.unique(robots[chosen], return_inverse=True)
        first = np.maximum(first[chosen], oldest)
        slots = np.arange(int(first.min()), self.newest + 1) % self._slots
        for place, values in enumerate(levels[:, chosen]):
            known = self._levels[place][slots[:, None], rows[None, :]]
            np.maximum.at(known, (first - int(first.min()), columns), values)
            self._levels[place][slots[:, None], rows[None, :]] = np.maximum.accumulate(known, axis=0)

    def late_old(self, old: Old) -> None:
        """A late sample of an epoch that is over."""
        levels = old.level[self.counters][:, None]
        self.late(np.array([old.row]), np.array([old.t]), levels)
