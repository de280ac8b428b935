"""Samples → what happened in a sliding window, for the whole fleet at once.

A window of length `over`, looked at from time T, is (s, T], where s is T - over rounded down to a multiple
of the window's step. The step is the interval of the rules' group, doubled until the window has at most
`MAX_STEPS` steps: a window of 6 h at 1 m is exact, one of 7 d at 5 m begins at most 40 minutes early. T
itself is exact: samples later than T are not in it, though they may have come already.

A window keeps, for each robot, the newest sample of each step within it, and the newest before it (`tail`).
So the increase of a counter is one subtraction, newest sample minus tail, and a sample that comes late goes
to the step it belongs to. Nothing depends on the order in which samples come, but for two samples of one
robot with the same time: the later one counts.

- No increase is computed across a change of epoch: there, the steps are walked one by one.
- Counters are born with their epoch, at zero: where an earlier sample of the epoch lacks one, it was at zero.
- A decrease within an epoch is no increase.
- The tail counts if it is not older than the window is long (at most `REACH_MS`) when the window begins.
  Where there is none, the window is not covered: the increase is the one known so far, from its first step
  with a sample.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

MAX_STEPS = 360
REACH_MS = 3 * 86_400_000
NEVER = np.iinfo(np.int64).min // 2  # a time before all times
_NO_EPOCH = -1

_S = TypeVar("_S", bound=np.generic)
Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]


def step_of(interval_ms: int, over_ms: int) -> int:
    """The step of a window: the interval, doubled until there are at most `MAX_STEPS` of them."""
    step = interval_ms
    while over_ms > step * MAX_STEPS:
        step *= 2
    return step


def reach_of(over_ms: int) -> int:
    """How far before a window its tail may lie."""
    return min(over_ms, REACH_MS)


def widened(array: NDArray[_S], capacity: int, axis: int, fill: float) -> NDArray[_S]:
    """The same array with more room along one axis."""
    shape = list(array.shape)
    shape[axis] = capacity - shape[axis]
    return np.concatenate([array, np.full(shape, fill, dtype=array.dtype)], axis=axis)


def patience_of(over_ms: int) -> int:
    """How long before the end of a window its newest sample may lie for the window to be known to its end."""
    return over_ms // 4


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples in order of time; those of the same time in the order in which they came."""

    row: Rows
    t: Times
    epoch: NDArray[np.int32]
    counters: Floats  # [sample, counter], NaN where the sample lacks it
    gauges: Floats  # [sample, gauge]

    def __len__(self) -> int:
        return len(self.t)

    def where(self, chosen: slice | Flags | Rows) -> "Samples":
        """Some of them."""
        return Samples(
            self.row[chosen],
            self.t[chosen],
            self.epoch[chosen],
            self.counters[chosen],
            self.gauges[chosen],
        )


class Latest:
    """The newest sample of each robot, and each gauge's newest value."""

    def __init__(self, counters: int, gauges: int, capacity: int) -> None:
        self.at = np.full(capacity, NEVER)
        self.epoch = np.full(capacity, _NO_EPOCH, dtype=np.int32)
        self.counters = np.full((counters, capacity), np.nan)
        self.gauges = np.full((gauges, capacity), np.nan)
        self.gauges_at = np.full((gauges, capacity), NEVER)

    def widen(self, capacity: int) -> None:
        """Makes room for more robots."""
        self.at = widened(self.at, capacity, 0, NEVER)
        self.epoch = widened(self.epoch, capacity, 0, _NO_EPOCH)
        self.counters = widened(self.counters, capacity, 1, np.nan)
        self.gauges = widened(self.gauges, capacity, 1, np.nan)
        self.gauges_at = widened(self.gauges_at, capacity, 1, NEVER)

    def take(self, samples: Samples) -> None:
        """Takes in samples. Repeated rows are assigned in order, so the newest stays."""
        for gauge in range(len(self.gauges)):
            values = samples.gauges[:, gauge]
            newer = (samples.t >= self.gauges_at[gauge, samples.row]) & ~np.isnan(values)
            self.gauges[gauge, samples.row[newer]] = values[newer]
            self.gauges_at[gauge, samples.row[newer]] = samples.t[newer]
        newest = samples.where(samples.t >= self.at[samples.row])
        self.at[newest.row] = newest.t
        self.epoch[newest.row] = newest.epoch
        self.counters[:, newest.row] = newest.counters.T


class _Found:
    """What a window found last: most evaluations see no new sample, and need not reckon it again."""

    def __init__(self) -> None:
        self.revision = 0
        self.stale = True  # samples came or went since
        self.result: tuple[Floats, Flags]
        self._flags: tuple[Flags, ...] = ()

    def is_new(self, *flags: Flags) -> bool:
        """Whether the result has to be reckoned again; `flags` are what time alone changes."""
        same = not self.stale and all(map(np.array_equal, flags, self._flags))
        self.stale, self._flags = False, flags
        self.revision += not same
        return not same


class CounterWindow:
    """Increases of some counters in one window."""

    def __init__(self, step_ms: int, over_ms: int, counters: list[int], capacity: int) -> None:
        self.step_ms = step_ms
        self.over_ms = over_ms
        self._columns = np.array(counters, dtype=np.intp)
        self._steps = steps = -(-over_ms // step_ms) + 2
        self._begin: int | None = None  # the window is after this step
        self._until = NEVER  # and ends here
        self._at = np.full((steps, capacity), NEVER)
        self._epoch = np.full((steps, capacity), _NO_EPOCH, dtype=np.int32)
        self._values = np.full((steps, capacity, len(counters)), np.nan)
        self._tail_at = np.full(capacity, NEVER)
        self._tail_epoch = np.full(capacity, _NO_EPOCH, dtype=np.int32)
        self._tail = np.full((len(counters), capacity), np.nan)
        self._first = np.full(capacity, -NEVER)  # the first step with a sample; a hint, see `_first_step`
        self._found = _Found()

    @property
    def revision(self) -> int:
        """Changes whenever `increases` found something else than before."""
        return self._found.revision

    def widen(self, capacity: int) -> None:
        """Makes room for more robots."""
        self._at = widened(self._at, capacity, 1, NEVER)
        self._epoch = widened(self._epoch, capacity, 1, _NO_EPOCH)
        self._values = widened(self._values, capacity, 1, np.nan)
        self._tail_at = widened(self._tail_at, capacity, 0, NEVER)
        self._tail_epoch = widened(self._tail_epoch, capacity, 0, _NO_EPOCH)
        self._tail = widened(self._tail, capacity, 1, np.nan)
        self._first = widened(self._first, capacity, 0, -NEVER)
        self._found.stale = True

    def advance(self, until: int) -> None:
        """Moves on so that the window may end at `until`; steps that leave it become the tail."""
        begin = (until - self.over_ms) // self.step_ms
        if self._begin is None:
            self._begin = begin
        for step in range(self._begin + 1, min(begin, self._begin + self._steps) + 1):
            self._leave(step % self._steps)
        self._begin = max(begin, self._begin)
        self._until = until

    def take(self, samples: Samples) -> None:
        """Takes in samples that are not later than the time last advanced to."""
        self._found.stale = True
        steps = -(-samples.t // self.step_ms)
        late = steps <= self._now
        if late.any():
            self._take_late(samples.where(late))
            samples, steps = samples.where(~late), steps[~late]
        slots = steps % self._steps
        newer = samples.t >= self._at[slots, samples.row]
        slots, rows = slots[newer], samples.row[newer]
        self._at[slots, rows] = samples.t[newer]
        self._epoch[slots, rows] = samples.epoch[newer]
        self._values[slots, rows] = samples.counters[newer][:, self._columns]
        np.minimum.at(self._first, samples.row, steps)

    def increases(self, latest: Latest) -> tuple[Floats, Flags]:
        """[counter, robot]: the increases, NaN where unknown; and whether the window is covered."""
        begin_ms = self._now * self.step_ms
        present = latest.at > begin_ms
        known = present & (self._tail_at > begin_ms - reach_of(self.over_ms))
        to_its_end = latest.at > self._until - patience_of(self.over_ms)
        if self._found.is_new(present, known, to_its_end):
            increases = self._increases(latest, present, known)
            self._found.result = increases, known & to_its_end & ~np.isnan(self._tail)
        return self._found.result

    def _increases(self, latest: Latest, present: Flags, known: Flags) -> Floats:
        ends: Floats = latest.counters[self._columns]
        increases: Floats = np.maximum(ends - _born_at_zero(self._tail), 0)
        increases[:, ~present] = np.nan
        odd = np.flatnonzero(present & (~known | (self._tail_epoch != latest.epoch)))
        if odd.size:
            increases[:, odd] = self._known_so_far(odd, known[odd], latest.epoch[odd], ends[:, odd])
        return increases

    @property
    def _now(self) -> int:
        assert self._begin is not None, "advance comes first"  # noqa: S101 -- a contract within this file
        return self._begin

    def _leave(self, slot: int) -> None:
        filled = self._at[slot] > NEVER
        if not filled.any():
            return
        self._found.stale = True
        np.copyto(self._tail, self._values[slot].T, where=filled)
        np.copyto(self._tail_at, self._at[slot], where=filled)
        np.copyto(self._tail_epoch, self._epoch[slot], where=filled)
        self._at[slot] = NEVER

    def _take_late(self, samples: Samples) -> None:
        newer = samples.where(samples.t >= self._tail_at[samples.row])
        self._tail_at[newer.row] = newer.t
        self._tail_epoch[newer.row] = newer.epoch
        self._tail[:, newer.row] = newer.counters[:, self._columns].T

    def _known_so_far(self, rows: Rows, known: Flags, epoch: NDArray[np.int32], ends: Floats) -> Floats:
        """[counter, row]: from the first sample where no tail is known; step by step where need be."""
        first = self._first_step(rows) % self._steps
        base = np.where(known, self._tail[:, rows], self._values[first, rows].T)
        base_epoch = np.where(known, self._tail_epoch[rows], self._epoch[first, rows])
        increases: Floats = np.maximum(ends - _born_at_zero(base), 0)
        walk = ~np.isnan(ends) & (base_epoch != epoch)
        walkers = np.flatnonzero(walk.any(axis=0))
        if walkers.size:
            walked = self._walked(rows[walkers], known[walkers])
            increases[:, walkers] = np.where(walk[:, walkers], walked, increases[:, walkers])
        return increases

    def _first_step(self, rows: Rows) -> Rows:
        """The first step with a sample. `_first` may be of a step that has left; then it is looked for."""
        gone = rows[self._first[rows] <= self._now]
        if gone.size:
            steps = np.arange(self._now + 1, self._now + 1 + self._steps)
            self._first[gone] = steps[(self._at[steps % self._steps][:, gone] > NEVER).argmax(axis=0)]
        return self._first[rows].astype(np.intp)

    def _walked(self, rows: Rows, known: Flags) -> Floats:
        """[counter, row]: the rises from each sample to the next of the same epoch, summed."""
        slots = np.arange(self._now + 1, self._now + 1 + self._steps) % self._steps
        who, when = np.nonzero((self._at[slots][:, rows] > NEVER).T)
        places = slots[when], rows[who]
        tails = np.flatnonzero(known)  # come before the samples in the window
        everyone = np.concatenate([tails, who])
        order = np.argsort(everyone, kind="stable")
        values = np.concatenate([self._tail[:, rows[tails]].T, self._values[places]])[order]
        epochs = np.concatenate([self._tail_epoch[rows[tails]], self._epoch[places]])[order]
        return np.array([_rises(everyone[order], epochs, column, len(rows)) for column in values.T])


def _born_at_zero(values: Floats) -> Floats:
    """A counter that a sample lacks, and a later one of its epoch has, was at zero."""
    return np.where(np.isnan(values), 0, values)


def _rises(who: Rows, epochs: NDArray[np.int32], values: Floats, robots: int) -> Floats:
    """By robot: what a counter rose from sample to sample of one epoch; samples stand in order by robot."""
    values = _born_at_zero(values)
    same = (np.diff(who) == 0) & (np.diff(epochs) == 0)
    rises = np.where(same, np.maximum(np.diff(values), 0), 0)
    summed = np.zeros(robots)
    np.add.at(summed, who[1:], rises)
    return summed


class GaugeWindow:
    """The least or the greatest value of some gauges in one window, or the mean of each step's newest."""

    def __init__(self, step_ms: int, over_ms: int, reduce: str, gauges: list[int], capacity: int) -> None:
        self.step_ms = step_ms
        self.over_ms = over_ms
        self.reduce = reduce
        self._columns = np.array(gauges, dtype=np.intp)
        self._steps = steps = -(-over_ms // step_ms) + 2
        self._begin: int | None = None
        self._values = np.full((steps, capacity, len(gauges)), np.nan)
        self._at = np.full(self._values.shape if reduce == "mean" else (0, 0, 0), NEVER)

    def widen(self, capacity: int) -> None:
        """Makes room for more robots."""
        self._values = widened(self._values, capacity, 1, np.nan)
        self._at = widened(self._at, capacity, 1, NEVER) if self.reduce == "mean" else self._at

    def advance(self, until: int) -> None:
        """Moves on so that the window may end at `until`."""
        begin = (until - self.over_ms) // self.step_ms
        if self._begin is None:
            self._begin = begin
        for step in range(self._begin + 1, min(begin, self._begin + self._steps) + 1):
            self._values[step % self._steps] = np.nan
            if self.reduce == "mean":
                self._at[step % self._steps] = NEVER
        self._begin = max(begin, self._begin)

    def take(self, samples: Samples) -> None:
        """Takes in samples that are not later than the time last advanced to."""
        steps = -(-samples.t // self.step_ms)
        assert self._begin is not None, "advance comes first"  # noqa: S101 -- a contract within this file
        timely = steps > self._begin
        samples, slots = samples.where(timely), steps[timely] % self._steps
        for column, gauge in enumerate(self._columns):
            values = samples.gauges[:, gauge]
            known = ~np.isnan(values)
            self._put(column, slots[known], samples.row[known], samples.t[known], values[known])

    def reduced(self) -> Floats:
        """[gauge, robot]: NaN where no value is in the window."""
        reduced: Floats
        if self.reduce in ("min", "max"):
            extreme = np.fmin if self.reduce == "min" else np.fmax
            reduced = extreme.reduce(self._values, axis=0).T
            return reduced
        known = ~np.isnan(self._values)
        counts = known.sum(axis=0)
        totals = np.where(known, self._values, 0).sum(axis=0)
        return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan).T

    def _put(self, column: int, slots: Rows, rows: Rows, t: Times, values: Floats) -> None:
        if self.reduce in ("min", "max"):
            extreme = np.fmin if self.reduce == "min" else np.fmax
            places = np.ravel_multi_index((slots, rows, np.full_like(slots, column)), self._values.shape)
            extreme.at(self._values.reshape(-1), places, values)
        else:
            newer = t >= self._at[slots, rows, column]
            self._values[slots[newer], rows[newer], column] = values[newer]
            self._at[slots[newer], rows[newer], column] = t[newer]
