"""Samples on their way from messages into columns.

Each sample becomes a record of 8-byte numbers: the fixed ones, then the catalogue's counters and gauges in
its order. Records lie one after another in a buffer, which NumPy reads as a table and turns into columns once
the tray is emptied. That is what makes the way of a sample cheap: nothing is done metric by metric in Python,
and the objects that the decoder made for its numbers are gone before the next sample comes.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.wire import Sample
from collector.event_time import EventTime
from collector.known import Known
from collector.stores import MISSING, Rows
from collector.stores.rows import Integers

_FIXED: Final = 8  # numbers of every record: place, seq, t, robot_t, received_at, up, synced, corrected
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
        self._record = struct.Struct(f"{_FIXED + len(known.counters)}q{len(known.gauges)}d")
        self._clear()

    def _clear(self) -> None:
        self._robots: list[str] = []
        self._epochs: list[str] = []
        self._boots: list[str] = []
        self._records = bytearray()
        self._unknown: Counter[str] = Counter()

    def add(
        self, robot: str, epoch: str, place: int, seq: int, sample: Sample, time: EventTime, received_at: int
    ) -> None:
        """Takes a sample."""
        known = self._known
        numbers = known.numbers(sample) if known.holds(sample) else self._read(sample)
        fixed = (place, seq, time.t, sample.t, received_at, sample.up, sample.synced, time.corrected)
        self._records += self._record.pack(*fixed, *numbers)
        self._robots.append(robot)
        self._epochs.append(epoch)
        self._boots.append(sample.boot)

    def empty(self) -> Taken:
        """Everything taken, in order; nothing is left."""
        columns, gauges = self._columns()
        place, seq, t, robot_t, received_at, up, synced, corrected = columns[:_FIXED]
        counters = columns[_FIXED:]
        rows = Rows(
            robot=self._robots,
            epoch=self._epochs,
            boot=self._boots,
            seq=seq,
            t=t,
            robot_t=robot_t,
            received_at=received_at,
            up=up,
            synced=synced.astype(np.bool_),
            corrected=corrected.astype(np.bool_),
            counters=dict(zip(self._known.counters, counters, strict=True)),
            gauges=dict(zip(self._known.gauges, gauges, strict=True)),
        )
        taken = Taken(rows, place.astype(np.intp), counters, self._unknown)
        self._clear()
        return taken

    def _columns(self) -> tuple[Integers, NDArray[np.float64]]:
        """[number, sample], each number's values beside one another; the gauges apart."""
        width = self._record.size // 8
        table = np.frombuffer(self._records, dtype=np.int64).reshape(len(self._robots), width)
        columns = np.ascontiguousarray(table.T)
        gauges = width - len(self._known.gauges)
        return columns[:gauges], columns[gauges:].view(np.float64)

    def _read(self, sample: Sample) -> Iterable[float]:
        """The numbers of a sample that `Known` did not decode."""
        return chain(
            self._in_order(sample.c, self._missing_counters), self._in_order(sample.g, self._missing_gauges)
        )

    def _in_order(
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
