"""What each engine must say about a day, reckoned from its matrices: so that every difference has a reason.

`firing` follows our semantics, less those in `theirs`, which it takes from MetricsQL. With none of them it is
what our engine must say, with all of them what vmalert must say.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.day import MINUTE_MS, Day
from rules.rule import AllOf, Compare, Condition, Gauge, Increase, Ratio, Rule, Silent

DELAY_MS: Final = 30_000
MAX_STEPS: Final = 60
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]


class Reason(StrEnum):
    """A way in which the two languages differ on purpose."""

    WINDOW = "our window begins up to a step earlier"
    EPOCH = "MetricsQL counts what a counter shows first after a reset"
    COVERAGE = "`at most` is unknown to us where the last quarter of the window is empty"
    ARRIVAL = "we judge by what had arrived by then, a replay of VictoriaMetrics by what came later, too"
    STALENESS = "an empty window is 0 to MetricsQL while the sample before it is fresh, and unknown to us"
    SEVERAL = "several of these together"


SINGLE: Final = tuple(reason for reason in Reason if reason is not Reason.SEVERAL)
EVERY: Final = frozenset(SINGLE)
_FRESH_MINUTES: Final = 1  # VictoriaMetrics looks back by about the usual time between two samples


def reasons(rule: Rule, day: Day, ours: Flags, theirs: Flags) -> Iterator[tuple[Reason | None, int]]:
    """How many differences have each reason; None: unexplained."""
    open_ = ours != theirs
    yield None, int((open_ & ((firing(rule, day) != ours) | (firing(rule, day, EVERY) != theirs))).sum())
    open_ &= (firing(rule, day) == ours) & (firing(rule, day, EVERY) == theirs)
    for reason in SINGLE:
        if open_.any():
            found = open_ & (firing(rule, day, frozenset({reason})) == theirs)
            yield reason, int(found.sum())
            open_ &= ~found
    yield Reason.SEVERAL, int(open_.sum())


def firing(rule: Rule, day: Day, theirs: frozenset[Reason] = frozenset()) -> Flags:
    """[evaluation, robot]: whether the alert fires; the first evaluation is a minute after the start."""
    held = _Model(day, theirs).holds(rule.when)[1:]
    fired: Flags = held & (_lasted(held) * MINUTE_MS >= rule.for_ms)
    return fired


def _lasted(held: Flags) -> Counts:
    """For how many minutes it has held."""
    number = np.arange(len(held))[:, None]
    broken = np.maximum.accumulate(np.where(held, -1, number), axis=0)
    return number - broken - 1


class _Model:
    """The measures at every evaluation; row `k` of a matrix is the evaluation after `k` minutes."""

    def __init__(self, day: Day, theirs: frozenset[Reason]) -> None:
        self._day = day
        self._theirs = theirs
        self._now = np.arange(day.minutes + 1)[:, None]
        self._visible = self._visible_slots()
        self._newest_of = _with_zero(np.maximum.accumulate(day.present * self._now[1:], axis=0))
        self._newest = np.take_along_axis(self._newest_of, self._visible, axis=0)

    def holds(self, condition: Condition) -> Flags:
        """Whether it holds and is known to."""
        match condition:
            case AllOf(conditions):
                return reduce(np.logical_and, map(self.holds, conditions))
            case Silent(_, over):
                silent: Flags = self._silence() >= over
                return silent
            case Compare(measure, comparison):
                return self._compared(measure, comparison.operator, comparison.threshold)
        raise TypeError(f"{condition} is not among the ten")

    def _compared(self, measure: Any, operator: str, threshold: float) -> Flags:
        numbers, covered = self._measured(measure)
        compare = {
            "above": np.greater,
            "at least": np.greater_equal,
            "below": np.less,
            "at most": np.less_equal,
        }
        with np.errstate(invalid="ignore"):
            held: Flags = compare[operator](numbers, threshold)
        return held & covered if operator in ("below", "at most") and covered is not None else held

    def _measured(self, measure: Any) -> tuple[Numbers, Flags | None]:
        match measure:
            case Increase((counter,), over):
                return self._increase(counter, over // MINUTE_MS)
            case Ratio((of,), (to,), over, min_samples):
                part, whole = (self._increase(counter, over // MINUTE_MS)[0] for counter in (of, to))
                enough = whole >= max(min_samples, 1)
                return np.where(enough, part / np.where(enough, whole, 1), np.nan), None
            case Gauge(metric, how, over):
                return self._extreme(metric, np.fmin if how == "min" else np.fmax, over // MINUTE_MS), None
        raise TypeError(f"{measure} is not among the ten")

    def _increase(self, counter: str, over: int) -> tuple[Numbers, Flags]:
        begin = self._begin(over)
        after = np.minimum(np.maximum(begin, 0), self._visible)
        risen = _with_zero(np.cumsum(self._rises(counter), axis=0))
        numbers = (_at(risen, self._visible) - _at(risen, after)).astype(np.float64)
        known = self._newest > np.maximum(begin, 0)
        if Reason.STALENESS in self._theirs:
            known |= (self._newest > 0) & (self._newest > begin - _FRESH_MINUTES)
        numbers[~known] = np.nan
        return numbers, self._covered(begin, over)

    def _covered(self, begin: Counts, over: int) -> Flags:
        first = np.argmax(self._day.present, axis=0) + 1
        covered: Flags = first <= begin
        return (
            covered if Reason.COVERAGE in self._theirs else covered & (self._newest > self._now - over // 4)
        )

    def _rises(self, counter: str) -> Counts:
        """Of each sample against the one before it."""
        day, values = self._day, self._day.values[counter]
        before = np.maximum(self._newest_of[:-1] - 1, 0)
        since = np.take_along_axis(values, before, axis=0)
        same = np.take_along_axis(day.epoch, before, axis=0) == day.epoch
        fresh = values if Reason.EPOCH in self._theirs else np.zeros_like(values)
        rises = np.where(same, np.maximum(values - since, 0), fresh)
        return np.where(day.present & (self._newest_of[:-1] > 0), rises, 0)

    def _extreme(self, metric: str, extreme: np.ufunc, over: int) -> Numbers:
        values = np.where(self._day.present, self._day.values[metric], np.nan)
        numbers = np.full(self._visible.shape, np.nan)
        for back in range(over):
            slots = self._now[back + 1 :] - 1 - back
            seen = np.where(slots < self._visible[back + 1 :], values[slots[:, 0]], np.nan)
            numbers[back + 1 :] = extreme(numbers[back + 1 :], seen)
        return numbers

    def _begin(self, over: int) -> Counts:
        """Where the window begins, in minutes of the day; may be before it."""
        step = 1 if Reason.WINDOW in self._theirs else -(-over // MAX_STEPS)
        return (self._now - over) // step * step

    def _visible_slots(self) -> Counts:
        """How many slots of each robot, from the first on, were visible."""
        slots = (
            self._now[1:] if Reason.ARRIVAL in self._theirs else np.maximum(self._now[1:], self._known_from())
        )
        return _running_most(slots, np.broadcast_to(self._now[1:], self._day.t.shape), self._day)

    def _known_from(self) -> Counts:
        """At which evaluation each sample had been committed."""
        return -(-(self._day.committed - DELAY_MS - self._day.start) // MINUTE_MS)

    def _silence(self) -> Numbers:
        """Since when nothing had been heard, in ms; NaN where there never was anything."""
        day = self._day
        if Reason.ARRIVAL in self._theirs:
            heard = _running_most(
                np.broadcast_to(self._now[1:], day.t.shape), np.where(day.present, day.t, 0), day
            )
        else:
            seen = np.maximum(self._now[1:], self._known_from())
            heard = _running_most(seen, np.where(day.present, day.committed, 0), day)
        silence = np.maximum(day.start + self._now * MINUTE_MS - heard, 0)
        return np.where(heard > 0, silence, np.nan)


def _running_most(since: Counts, values: Counts, day: Day) -> Counts:
    """The greatest of the values [slot, robot] that count from evaluation `since` on, at every evaluation."""
    most = np.zeros((day.minutes + 1, day.robots), dtype=np.int64)
    since = np.broadcast_to(since, values.shape)
    within = since <= day.minutes
    rows = np.broadcast_to(np.arange(day.robots), values.shape)
    np.maximum.at(most, (since[within], rows[within]), values[within])
    return np.maximum.accumulate(most, axis=0)


def _at(totals: Counts, slots: Counts) -> Counts:
    return np.take_along_axis(totals, slots, axis=0)


def _with_zero(column: Counts) -> Counts:
    """With a row of zeros before it: what it is before the first slot."""
    return np.concatenate([np.zeros_like(column[:1]), column])


def tally(found: Mapping[Reason | None, int]) -> str:
    """`1,204: our window begins …; 3: …`, most first."""
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return "; ".join(f"{count:,}: {reason or 'UNEXPLAINED'}" for reason, count in ordered if count)
