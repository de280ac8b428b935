"""One robot's samples as a series, reckoned here where the server cannot: by the step, or as they are."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from collector.stores import MISSING, Rows, Series, StoreError
from collector.stores.rows import Flags, Floats, Integers

MAX_POINTS: Final = 20_000
DAY_MS: Final = 86_400_000
BEFORE_MS: Final = (DAY_MS, 30 * DAY_MS)  # so far back lies what the first increase counts from; or so far
Values = dict[str, tuple[float | None, ...]]


def grid(from_ms: int, to_ms: int, step_ms: int) -> range:
    """When the steps begin that touch the range. Raises `StoreError`."""
    if step_ms <= 0:
        raise StoreError(f"a step of {step_ms} ms is no step; give a longer one")
    begins = range(from_ms - from_ms % step_ms, to_ms, step_ms)
    if len(begins) > MAX_POINTS:
        raise StoreError(f"{len(begins)} points are too many (at most {MAX_POINTS}); give a longer step")
    return begins


def points(rows: Rows, metrics: Sequence[str], from_ms: int, to_ms: int) -> Series:
    """The samples themselves, by event time: the last `MAX_POINTS` of them."""
    order = np.lexsort((rows.seq, rows.t))
    within = order[(rows.t[order] >= from_ms) & (rows.t[order] < to_ms)][-MAX_POINTS:]
    chosen = rows.take(within)
    values: Values = {}
    for name in metrics:
        if name in chosen.counters:
            values[name] = tuple(None if v == MISSING else v for v in chosen.counters[name].tolist())
        elif name in chosen.gauges:
            values[name] = _known(chosen.gauges[name])
    return Series(tuple(chosen.t.tolist()), None, _complete(metrics, values, len(chosen)))


def needs_more(rows: Rows, begin_ms: int) -> bool:
    """Whether some epoch goes on from samples that are not among the rows."""
    epochs = np.array(rows.epoch, dtype=np.str_)
    earlier = set(epochs[rows.t < begin_ms].tolist()) | set(epochs[rows.seq == 1].tolist())
    return bool(set(rows.epoch) - earlier)


def steps(rows: Rows, metrics: Sequence[str], begins: range) -> Series:
    """A point for every step: a counter's increase, a gauge's mean.

    A counter's increase at a sample is what it rises by over everything earlier of its epoch, in event time;
    the epoch's first sample, by number, is what it counts from. A counter that it did not have began at zero.
    """
    epochs = np.unique(np.array(rows.epoch, dtype=np.str_), return_inverse=True)[1]
    base = _bases(epochs, rows.seq)
    order = np.lexsort((rows.seq, rows.t, ~base, epochs))
    ordered, epochs, base = rows.take(order), epochs[order], base[order]
    place = (ordered.t - begins.start) // begins.step
    values: Values = {}
    for name in metrics:
        if name in rows.counters:
            rises = _rises(ordered.counters[name], epochs, base)
            values[name] = _known(_gathered(place, rises, len(begins))[0])
        elif name in rows.gauges:
            sums, counts = _gathered(place, ordered.gauges[name], len(begins))
            values[name] = _known(sums / np.maximum(counts, 1))
    return Series(tuple(begins), begins.step, _complete(metrics, values, len(begins)))


def _bases(epochs: Integers, seq: Integers) -> Flags:
    """Which samples are the first of their epoch, by number."""
    base = np.zeros(len(seq), dtype=np.bool_)
    by_number = np.lexsort((seq, epochs))
    first = np.diff(epochs[by_number], prepend=-1) != 0
    base[by_number[first]] = True
    return base


def _rises(column: Integers, epochs: Integers, base: Flags) -> Floats:
    """By how much each sample exceeds those before it in its epoch; NaN for bases.

    A sample without the counter has it where it was, at first at zero.
    """
    rises = np.full(len(column), np.nan)
    for epoch in np.unique(epochs):
        own = np.flatnonzero(epochs == epoch)
        level = np.maximum.accumulate(np.maximum(column[own], 0))
        rises[own[1:]] = np.maximum(0, column[own[1:]] - level[:-1])
    rises[base] = np.nan
    return rises


def _gathered(place: Integers, values: Floats, count: int) -> tuple[Floats, Integers]:
    """Sums (NaN where there is nothing) and counts of what falls into each place from 0 to `count`."""
    inside = (place >= 0) & (place < count) & ~np.isnan(values)
    counts = np.bincount(place[inside], minlength=count)
    sums = np.bincount(place[inside], weights=values[inside], minlength=count)
    return np.where(counts > 0, sums, np.nan), counts


def _known(column: Floats) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(value) else value for value in column.tolist())


def _complete(metrics: Sequence[str], values: Mapping[str, tuple[float | None, ...]], length: int) -> Values:
    return {name: values.get(name, (None,) * length) for name in metrics}
