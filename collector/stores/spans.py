"""Spans of time over many robots: checked, and, where the store cannot, gathered robot by robot."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from collector.stores import HOUR_MS, MAX_SPAN_HOURS, Series, Spans, StoreError
from collector.stores.rows import Integers


def hours(bounds: Sequence[int]) -> range:
    """The begins of all hours from the first bound to the last. Raises `StoreError`."""
    if len(bounds) < 2:
        raise StoreError(f"{len(bounds)} bounds make no span; give two or more")
    if uneven := [bound for bound in bounds if bound % HOUR_MS]:
        raise StoreError(f"{uneven[0]} ms is no whole hour; give bounds at whole hours")
    for begin, end in pairwise(bounds):
        if not 0 < end - begin <= MAX_SPAN_HOURS * HOUR_MS:
            raise StoreError(
                f"from {begin} to {end} is no span of 1 to {MAX_SPAN_HOURS} hours; give bounds that rise so"
            )
    return range(bounds[0], bounds[-1], HOUR_MS)


def places(bounds: Sequence[int]) -> tuple[Integers, Integers]:
    """Of every hour from the first bound to the last: its span, and its number in the span."""
    begins = np.array(hours(bounds), dtype=np.int64)
    edges = np.array(bounds, dtype=np.int64)
    span = np.searchsorted(edges, begins, side="right") - 1
    return span, (begins - edges[span]) // HOUR_MS


class Gathered:
    """What is known of some robots' spans, one robot after another."""

    def __init__(self, robots: int, counters: Sequence[str], bounds: Sequence[int]) -> None:
        self._bounds = bounds
        self._span, self._number = places(bounds)
        shape = (robots, len(bounds) - 1)
        self._increases = {name: np.full(shape, np.nan) for name in counters}
        self._hours = np.zeros(shape, dtype=np.int64)

    def add(self, robot: int, times: Integers, hourly: Series) -> None:
        """A robot's samples, and its increases in every hour."""
        for name, row in self._increases.items():
            values = np.array(hourly.values[name], dtype=np.float64)  # None becomes NaN
            known = ~np.isnan(values)
            row[robot, np.unique(self._span[known])] = 0.0
            np.add.at(row[robot], self._span[known], values[known])
        hour = np.unique((times - self._bounds[0]) // HOUR_MS)
        hour = hour[(hour >= 0) & (hour < len(self._span))]
        np.bitwise_or.at(self._hours[robot], self._span[hour], np.int64(1) << self._number[hour])

    def spans(self) -> Spans:
        """All of it."""
        return Spans(self._increases, self._hours)
