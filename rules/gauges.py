"""Gauges in sliding windows: the least, the greatest, or the mean of each step's newest value."""

from collections.abc import Iterable

import numpy as np

from rules.columns import NEVER, Floats, Rows, Times
from rules.rings import step_of


class GaugeRing:
    """One gauge in one window; rows are steps, step k being the time after (k - 1) * step up to k * step."""

    def __init__(self, interval_ms: int, over_ms: int, reduce: str, robots: int) -> None:
        self.over_ms = over_ms
        self.step_ms = step_of(interval_ms, over_ms)
        self.reduce = reduce
        self._slots = -(-over_ms // self.step_ms) + 2
        self._values = np.full((self._slots, robots), np.nan)
        self._at = np.full(self._values.shape if reduce == "mean" else (0, robots), NEVER)
        self._newest: int | None = None

    def widen(self, robots: int) -> None:
        """Makes room for more robots."""
        more = robots - self._values.shape[1]
        self._values = np.pad(self._values, ((0, 0), (0, more)), constant_values=np.nan)
        self._at = np.pad(self._at, ((0, 0), (0, more)), constant_values=NEVER)

    def part(self, robots: Rows) -> "GaugeRing":
        """A copy for some of the robots."""
        part = GaugeRing(self.step_ms, self.step_ms, self.reduce, 0)
        part.over_ms, part._slots, part._newest = self.over_ms, self._slots, self._newest
        part._values = np.ascontiguousarray(self._values[:, robots])
        part._at = np.ascontiguousarray(self._at[:, robots])
        return part

    def take(self, until: int, rows: Rows, t: Times, values: Floats) -> None:
        """Moves on to that time, and takes in values that are not later."""
        self.take_steps(until, rows, t, -(-t // self.step_ms), values)

    def take_steps(self, until: int, rows: Rows, t: Times, steps: Times, values: Floats) -> None:
        """The same, where it is known in which step each value is."""
        newest = self._move(-(-until // self.step_ms))
        chosen = ~np.isnan(values)
        chosen &= (steps > newest - self._slots) & (steps <= newest)
        if not chosen.all():
            rows, t, steps, values = rows[chosen], t[chosen], steps[chosen], values[chosen]
        self._put(steps % self._slots, rows, t, values)

    def reduced(self, at: int) -> Floats:
        """[robot]: of the window that ends there; NaN where no value is in it."""
        begin = (at - self.over_ms) // self.step_ms
        slots = np.arange(begin + 1, -(-at // self.step_ms) + 1) % self._slots
        rows = (self._values[slot] for slot in slots.tolist())  # one by one: a copy of all of them costs more
        if self.reduce == "mean":
            return _mean(rows, self._values.shape[1])
        extreme = np.fmin if self.reduce == "min" else np.fmax
        found = np.full(self._values.shape[1], np.nan)
        for row in rows:
            extreme(found, row, out=found)
        return found

    def range(self) -> tuple[Floats, Floats]:
        """[robot]: no window that ends at the newest step or before it has less, or more."""
        return np.fmin.reduce(self._values, axis=0), np.fmax.reduce(self._values, axis=0)

    def _move(self, newest: int) -> int:
        if self._newest is None:
            self._newest = newest
        for step in range(max(self._newest, newest - self._slots) + 1, newest + 1):
            self._values[step % self._slots] = np.nan
            if self.reduce == "mean":
                self._at[step % self._slots] = NEVER
        self._newest = max(self._newest, newest)
        return self._newest

    def _put(self, slots: Rows, rows: Rows, t: Times, values: Floats) -> None:
        if self.reduce != "mean":
            extreme = np.fmin if self.reduce == "min" else np.fmax
            places = slots * self._values.shape[1] + rows
            extreme.at(self._values.reshape(-1), places, values)
            return
        order = np.argsort(t, kind="stable")
        slots, rows, t, values = slots[order], rows[order], t[order], values[order]
        newer = t >= self._at[slots, rows]
        self._values[slots[newer], rows[newer]] = values[newer]
        self._at[slots[newer], rows[newer]] = t[newer]


def _mean(rows: Iterable[Floats], robots: int) -> Floats:
    """Added oldest first, so that it is the same to the bit however often it is reckoned."""
    total, count = np.zeros(robots), np.zeros(robots)
    for row in rows:
        known = ~np.isnan(row)
        total += np.where(known, row, 0)
        count += known
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
