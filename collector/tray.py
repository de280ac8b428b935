"""Samples on their way from messages into columns.

Each sample's numbers go, in the catalogue's order, to the end of one long list; only when the tray is
emptied does NumPy cut the list into rows and turn them into columns. That is what makes the way of a sample
cheap: hardly anything is done metric by metric in Python.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.wire import Sample
from collector.event_time import EventTime
from collector.known import Known
from collector.stores import MISSING, Rows
from collector.stores.rows import Integers

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Taken:
    """What was in the tray: samples in columns, and beside them what only the intake needs."""

    rows: Rows
    places: NDArray[np.intp]  # [sample]: the place of its epoch
    counters: Integers  # [counter, sample], `MISSING` where it has none
    unknown: Mapping[str, int]

    def without(self, places: Iterable[int]) -> Rows:
        """The rows but these."""
        keep = np.ones(len(self.rows), dtype=np.bool_)
        keep[list(places)] = False
        return self.rows.take(keep)


class Tray:
    """Takes samples one by one and gives them back as columns."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._missing_counters = dict.fromkeys(known.counters, MISSING)
        self._missing_gauges = dict.fromkeys(known.gauges, np.nan)
        self._clear()

    def _clear(self) -> None:
        self._samples: list[tuple[str, str, str, int, int, int, int, int, int, bool, bool]] = []
        self._counters: list[int] = []
        self._gauges: list[float] = []
        self._unknown: Counter[str] = Counter()

    def add(
        self, robot: str, epoch: str, place: int, seq: int, sample: Sample, time: EventTime, received_at: int
    ) -> None:
        """Takes a sample."""
        known = self._known
        if known.holds(sample):
            self._counters.extend(known.numbers(sample.c))
            self._gauges.extend(known.numbers(sample.g))
        else:
            self._counters.extend(self._read(sample.c, self._missing_counters))
            self._gauges.extend(self._read(sample.g, self._missing_gauges))
        fixed = (place, seq, time.t, sample.t, received_at, sample.up, sample.synced, time.corrected)
        self._samples.append((robot, epoch, sample.boot, *fixed))

    def empty(self) -> Taken:
        """Everything taken, in order; nothing is left."""
        samples, unknown = self._samples, self._unknown
        counters = _columns(self._counters, self._known.counters, len(samples), np.int64)
        gauges = _columns(self._gauges, self._known.gauges, len(samples), np.float64)
        self._clear()
        if not samples:
            return Taken(Rows(), np.empty(0, dtype=np.intp), counters, unknown)
        robot, epoch, boot, place, seq, t, robot_t, received_at, up, synced, corrected = zip(
            *samples, strict=True
        )
        rows = Rows(
            robot=robot,
            epoch=epoch,
            boot=boot,
            seq=np.array(seq, dtype=np.int64),
            t=np.array(t, dtype=np.int64),
            robot_t=np.array(robot_t, dtype=np.int64),
            received_at=np.array(received_at, dtype=np.int64),
            up=np.array(up, dtype=np.int64),
            synced=np.array(synced, dtype=np.bool_),
            corrected=np.array(corrected, dtype=np.bool_),
            counters=dict(zip(self._known.counters, counters, strict=True)),
            gauges=dict(zip(self._known.gauges, gauges, strict=True)),
        )
        return Taken(rows, np.array(place, dtype=np.intp), counters, unknown)

    def _read(
        self, values: Mapping[str, Mapping[str, _Number]], missing: Mapping[str, _Number]
    ) -> Iterable[_Number]:
        """Values by full name, in the order of the catalogue; what it does not know is counted."""
        found = dict(missing)
        for name, value in _named(values):
            if name in found:
                found[name] = value
            else:
                self._unknown[name] += 1
        return found.values()


def _named(values: Mapping[str, Mapping[str, _Number]]) -> Iterable[tuple[str, _Number]]:
    return chain.from_iterable(
        [(f"{subsystem}.{short}", value) for short, value in metrics.items()]
        for subsystem, metrics in values.items()
    )


_Kind = TypeVar("_Kind", np.int64, np.float64)


def _columns(
    numbers: Sequence[float], names: Sequence[str], samples: int, kind: type[_Kind]
) -> NDArray[_Kind]:
    """[metric, sample], each metric's values beside one another."""
    table = np.array(numbers, dtype=kind).reshape(samples, len(names))
    return np.ascontiguousarray(table.T)
