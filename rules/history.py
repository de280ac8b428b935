"""What the engine remembers of samples: the newest, windows over them, and when robots were heard.

Batches wait until an evaluation (or their number) makes it worth taking them in; an evaluation at T takes in
what is not later than T. So it does not matter how samples were cut into batches.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rules.batch import Batch
from rules.rule import Compare, Gauge, Increase, Leaf, Ratio, RuleSet, Silent, leaves
from rules.silence import Listening
from rules.windows import (
    NEVER,
    CounterWindow,
    Flags,
    Floats,
    GaugeWindow,
    Latest,
    Samples,
    Times,
    reach_of,
    step_of,
    widened,
)

ROBOT = "robot"
_DAY_MS = 86_400_000
_ENOUGH = 8_192  # samples that wait before they are taken in without an evaluation


@dataclass(frozen=True, slots=True)
class Needs:
    """What rules need to be remembered; an interval is that of the rule's group."""

    counters: dict[tuple[int, int], dict[str, int]]  # (interval, over) -> counter -> column
    gauges: dict[tuple[int, int, str], dict[str, int]]  # (interval, over, reduce) -> gauge -> column
    sources: dict[str, tuple[str, ...]]  # what may be silent -> the gauge `up` it is heard by
    lookback_ms: int

    @classmethod
    def of(cls, rules: RuleSet) -> "Needs":
        """The needs of all rules together."""
        needs = cls({}, {}, {ROBOT: ()}, _lookback(rules))
        for interval, leaf in _leaves(rules):
            match leaf:
                case Silent(source):
                    needs.sources[source] = leaf.metrics
                case Compare(Gauge(metric, reduce, over)):
                    columns = needs.gauges.setdefault((interval, over, reduce), {})
                    columns.setdefault(metric, len(columns))
                case Compare(Increase(over_ms=over) | Ratio(over_ms=over)):
                    columns = needs.counters.setdefault((interval, over), {})
                    for metric in leaf.measure.metrics:
                        columns.setdefault(metric, len(columns))
        return needs


class History:
    """The samples of the fleet, as far as rules need them; arrays are as long as the roster."""

    def __init__(self, needs: Needs, robots: int) -> None:
        self._robots = robots
        self._capacity = capacity = max(robots, 16)
        self._needs = needs
        self._counters = _numbered(metric for columns in needs.counters.values() for metric in columns)
        self._gauges = _numbered(metric for columns in needs.gauges.values() for metric in columns)
        self._latest = Latest(len(self._counters), len(self._gauges), capacity)
        self._counter_windows = {
            (interval, over): CounterWindow(
                step_of(interval, over), over, [self._counters[metric] for metric in columns], capacity
            )
            for (interval, over), columns in needs.counters.items()
        }
        self._gauge_windows = {
            (interval, over, reduce): GaugeWindow(
                step_of(interval, over), over, reduce, [self._gauges[metric] for metric in columns], capacity
            )
            for (interval, over, reduce), columns in needs.gauges.items()
            if reduce != "last"
        }
        self._sources = _numbered(needs.sources)
        self._heard = np.full((len(self._sources), capacity), NEVER)
        self._silences: Floats | None = None
        self._waiting: list[Batch] = []
        self._waiting_samples = 0
        self._patience = _ENOUGH
        self._early: Samples | None = None  # came before an evaluation that they are too late for
        self._epochs: dict[str, int] = {}
        self._increases: dict[tuple[int, int], tuple[Floats, Flags]] = {}  # of this evaluation
        self._reduced: dict[tuple[int, int, str], Floats] = {}
        self.listening = Listening()

    def widen(self, robots: int) -> None:
        """Makes room for a roster that has grown."""
        self._robots = robots
        if robots <= self._capacity:
            return
        self._capacity = capacity = robots + robots // 2
        for window in self._windows():
            window.widen(capacity)
        self._latest.widen(capacity)
        self._heard = widened(self._heard, capacity, 1, NEVER)

    def add(self, batch: Batch, settled: int) -> None:
        """Takes a batch; every evaluation not later than `settled` is over."""
        if len(batch) and not 0 <= int(batch.robot.min()) <= int(batch.robot.max()) < self._robots:
            raise ValueError(f"the batch of {batch.committed_at} has a robot that is not in the roster")
        self._waiting.append(batch)
        self._waiting_samples += len(batch)
        if self._waiting_samples > self._patience:
            self.take_in(settled)
            self._patience = _ENOUGH + 2 * (len(self._early) if self._early else 0)

    def take_in(self, until: int) -> None:
        """Takes in what waits and is not later than `until`; no evaluation may be earlier from now on."""
        self._silences = None
        self._increases.clear()
        self._reduced.clear()
        for window in self._windows():
            window.advance(until)
        samples = self._arrived()
        if samples is None:
            return
        due = int(np.searchsorted(samples.t, until, side="right"))
        self._early = samples.where(slice(due, None)) if due < len(samples) else None
        samples = samples.where(slice(due))
        if len(samples):
            self._latest.take(samples)
            for window in self._windows():
                window.take(samples)

    def revision(self, interval_ms: int, leaf: Leaf) -> tuple[int, int] | None:
        """Equal for two evaluations that find the same numbers; None where these change with time alone."""
        match leaf:
            case Compare(Increase(over_ms=over) | Ratio(over_ms=over)):
                key = (interval_ms, over)
                self._windowed(key)
                return self._counter_windows[key].revision, self._robots
        return None

    def increases(self, interval_ms: int, over_ms: int, counters: Sequence[str]) -> tuple[Floats, Flags]:
        """The summed increase of those that a robot has, NaN if it has none; and whose window is covered."""
        key = (interval_ms, over_ms)
        increases, covered = self._windowed(key)
        columns = self._needs.counters[key]
        if len(counters) == 1:
            row = columns[counters[0]]
            return increases[row, : self._robots], covered[row, : self._robots]
        rows = [columns[counter] for counter in counters]
        parts = increases[rows, : self._robots]
        known = ~np.isnan(parts)
        total = np.where(known.any(axis=0), np.where(known, parts, 0).sum(axis=0), np.nan)
        complete: Flags = np.all(covered[rows, : self._robots] | ~known, axis=0)
        return total, complete

    def _windowed(self, key: tuple[int, int]) -> tuple[Floats, Flags]:
        if key not in self._increases:
            self._increases[key] = self._counter_windows[key].increases(self._latest)
        return self._increases[key]

    def gauge(self, interval_ms: int, gauge: Gauge, at: int) -> Floats:
        """The reduced gauge of each robot, NaN where no value is in the window."""
        key = (interval_ms, gauge.over_ms, gauge.reduce)
        if gauge.reduce == "last":
            row = self._gauges[gauge.metric]
            step = step_of(interval_ms, gauge.over_ms)
            begin = (at - gauge.over_ms) // step * step
            values = self._latest.gauges[row, : self._robots]
            return np.where(self._latest.gauges_at[row, : self._robots] > begin, values, np.nan)
        if key not in self._reduced:
            self._reduced[key] = self._gauge_windows[key].reduced()
        return self._reduced[key][self._needs.gauges[key][gauge.metric], : self._robots]

    def silence(self, source: str, at: int) -> Floats:
        """For how long each robot, or its subsystem, has not been heard, in ms of listening.

        NaN where it was never heard, or so long ago that the engine would not know after a restart. A
        subsystem is silent only while its robot is heard: else it is the robot that is silent.
        """
        if self._silences is None:
            self._silences = self._all_silences(at)
        return self._silences[self._sources[source], : self._robots]

    def _all_silences(self, at: int) -> Floats:
        """[source, robot]; the robot itself is the first source."""
        heard = self.listening.total(self._heard)
        until = np.minimum(heard[0], self.listening.total(np.array([at])))
        silent = np.maximum(until - heard, 0)
        silent[0] = np.maximum(self.listening.total(np.array([at])) - heard[0], 0)
        return np.where(self._heard > at - self._needs.lookback_ms, silent, np.nan)

    def _windows(self) -> Iterator[CounterWindow | GaugeWindow]:
        yield from self._counter_windows.values()
        yield from self._gauge_windows.values()

    def _arrived(self) -> Samples | None:
        """Everything that waits, in order of time."""
        batches, self._waiting, self._waiting_samples = self._waiting, [], 0
        new = [self._samples(batches)] if batches else []
        parts = [self._early, *new] if self._early is not None else new
        if not parts:
            return None
        joined = parts[0] if len(parts) == 1 else _concatenated(parts)
        return joined.where(np.argsort(joined.t, kind="stable"))

    def _samples(self, batches: Sequence[Batch]) -> Samples:
        sizes = [len(batch) for batch in batches]
        row = np.concatenate([batch.robot for batch in batches]).astype(np.intp)
        committed = np.repeat(np.array([batch.committed_at for batch in batches], dtype=np.int64), sizes)
        self._hear(batches, row, committed)
        t = np.minimum(np.concatenate([batch.t for batch in batches]), committed)
        codes = (self._epoch(epoch) for batch in batches for epoch in batch.epoch)
        epoch = np.fromiter(codes, dtype=np.int32, count=len(row))
        counters, gauges = (self._matrix(batches, metrics) for metrics in (self._counters, self._gauges))
        return Samples(row, t, epoch, counters, gauges)

    def _hear(self, batches: Sequence[Batch], row: NDArray[np.intp], committed: Times) -> None:
        self._heard[0, row] = committed
        for source, (up, *_) in list(self._needs.sources.items())[1:]:
            heard = _column(batches, up) == 1
            self._heard[self._sources[source], row[heard]] = committed[heard]

    def _epoch(self, epoch: str) -> int:
        return self._epochs.setdefault(epoch, len(self._epochs))

    def _matrix(self, batches: Sequence[Batch], metrics: Iterable[str]) -> Floats:
        columns = [_column(batches, metric) for metric in metrics]
        rows = sum(map(len, batches))
        return np.stack(columns, axis=1) if columns else np.empty((rows, 0))


def _column(batches: Sequence[Batch], metric: str) -> Floats:
    parts = [batch.values.get(metric) for batch in batches]
    filled = (
        np.full(len(batch), np.nan) if part is None else part
        for part, batch in zip(parts, batches, strict=True)
    )
    return np.concatenate(list(filled))


def _concatenated(parts: Sequence[Samples]) -> Samples:
    return Samples(
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.t for part in parts]),
        np.concatenate([part.epoch for part in parts]),
        np.concatenate([part.counters for part in parts]),
        np.concatenate([part.gauges for part in parts]),
    )


def _numbered(metrics: Iterable[str]) -> dict[str, int]:
    return {metric: number for number, metric in enumerate(dict.fromkeys(metrics))}


def _leaves(rules: RuleSet) -> Iterator[tuple[int, Leaf]]:
    for rule in rules.rules:
        for condition in rule.conditions:
            for leaf in leaves(condition):
                yield rule.interval_ms, leaf


def _lookback(rules: RuleSet) -> int:
    """How far back samples matter: a window and its reach, and twice a silence; at least a day."""
    needs = [_DAY_MS]
    for interval, leaf in _leaves(rules):
        if isinstance(leaf, Silent):
            needs.append(2 * leaf.over_ms)
        else:
            over = leaf.measure.over_ms
            needs.append(over + reach_of(over) + step_of(interval, over))
    return max(needs)
