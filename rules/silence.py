"""Silence: how long nothing was heard, counted only while the collector was listening."""

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]


class Listening:
    """When the collector was listening."""

    def __init__(self) -> None:
        self._intervals: list[tuple[int, int]] = []
        self._arrays: tuple[Times, Times, Times] | None = None

    def add(self, since: int, until: int) -> None:
        """It was listening in [since, until]; what overlaps is joined. Raises `ValueError`."""
        if until < since:
            raise ValueError(f"listening from {since} until {until}: it ends before it begins")
        self._arrays = None
        if self._intervals and self._intervals[-1][0] <= since:
            last, end = self._intervals[-1]
            if since <= end:
                self._intervals[-1] = (last, max(end, until))
                return
        self._intervals = _joined([*self._intervals, (since, until)])

    def total(self, until: Times) -> Times:
        """How long it had been listening by each of these times, in ms."""
        if not self._intervals:
            return np.zeros_like(until)
        starts, ends, before = self._columns()
        at = np.maximum(np.searchsorted(starts, until, side="right") - 1, 0)
        inside = np.clip(np.minimum(until, ends[at]) - starts[at], 0, None)
        total: Times = before[at] + inside
        return total

    def _columns(self) -> tuple[Times, Times, Times]:
        if self._arrays is None:
            starts, ends = np.array(self._intervals, dtype=np.int64).T
            self._arrays = starts, ends, np.cumsum(ends - starts) - (ends - starts)
        return self._arrays


def _joined(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for since, until in sorted(intervals):
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((since, until))
    return joined
