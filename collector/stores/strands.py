"""From a server's series back to samples.

A server answers one series after another: one field of one robot's epoch, as points over time. Points of
the same time belong to the same sample. What identifies samples is read first (`places`); then their other
fields fall into columns (`columns`), wherever a point has the place of one. A fleet is hundreds of thousands
of short series, so they are only gathered one by one, and reckoned with all at once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.stores import MISSING, Rows
from collector.stores.lineprotocol import HIGH, LOW, joined
from collector.stores.rows import Flags, Floats, Integers

Key = tuple[str, str]  # robot, epoch
Values = NDArray[Any]  # integers or floats, as the server has them
IDENTITY: Final = ("seq", "commit", "committed_at", "t")
OWN: Final = ("received_at", "robot_t", "synced", "corrected", "up")
POINTS_AT_ONCE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Strand:
    """Points of one field of one robot's epoch; `boot` where the field has it as a tag."""

    field: str
    robot: str
    epoch: str
    boot: str
    stamps: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The samples that a reading is about, ordered by key and stamp; columns of one length."""

    keys: Sequence[Key]
    key: Integers  # which of them
    stamps: Integers
    seq: Integers
    commit: Integers
    committed_at: Integers
    t: Integers

    def __len__(self) -> int:
        return len(self.stamps)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Samples, and when each was committed."""

    rows: Rows
    committed_at: Integers

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: NDArray[Any]) -> "Scan":
        """The samples at these places, in that order."""
        return Scan(self.rows.take(places), self.committed_at[places])

    def in_order(self) -> "Scan":
        """Ordered by commit time, robot, seq."""
        _, robots = np.unique(np.array(self.rows.robot, dtype=np.str_), return_inverse=True)
        return self.take(np.lexsort((self.rows.seq, robots, self.committed_at)))


def places(strands: Iterable[Strand], wanted: Callable[[Places], Flags]) -> Places:
    """The samples of which all of `IDENTITY` is there, and that are wanted."""
    gathered = {name: _Points() for name in IDENTITY}
    numbers: dict[Key, int] = {}
    for strand in strands:
        number = numbers.setdefault((strand.robot, strand.epoch), len(numbers))
        gathered[strand.field].add(number, strand)
    found = {name: points.arrays() for name, points in gathered.items()}
    every = _unique(*found["seq"][:2])
    has = np.ones(len(every[0]), dtype=np.bool_)
    fields: dict[str, Integers] = {}
    for name, (key, stamps, values) in found.items():
        at, hit = _position(every, key, stamps)
        there = np.zeros(len(has), dtype=np.bool_)
        there[at[hit]] = True
        fields[name] = np.zeros(len(has), dtype=np.int64)
        fields[name][at[hit]] = values[hit].astype(np.int64)
        has &= there
    whole = _some(Places(list(numbers), *every, **fields), has)
    return _some(whole, wanted(whole))


def columns(at: Places, strands: Iterable[Strand], counters: Sequence[str], gauges: Sequence[str]) -> Scan:
    """The samples' fields; `counters` and `gauges` are the metrics that get a column."""
    filled = _Columns(at)
    for strand in strands:
        filled.add(strand)
    return filled.scan(counters, gauges)


class _Points:
    """Points of one field, of many series."""

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._lengths: list[int] = []
        self._stamps: list[Sequence[int]] = []
        self._values: list[Sequence[float]] = []
        self.count = 0

    def add(self, key: int, strand: Strand) -> None:
        self._keys.append(key)
        self._lengths.append(len(strand.stamps))
        self._stamps.append(strand.stamps)
        self._values.append(strand.values)
        self.count += len(strand.stamps)

    def arrays(self) -> tuple[Integers, Integers, Values]:
        """Keys, stamps and values, of one length."""
        key = np.repeat(np.array(self._keys, dtype=np.int64), self._lengths)
        stamps = np.fromiter(chain.from_iterable(self._stamps), dtype=np.int64, count=self.count)
        return key, stamps, np.array(list(chain.from_iterable(self._values)))


class _Columns:
    """Fields of the samples, filled as series come in."""

    def __init__(self, at: Places) -> None:
        self._at = at
        self._numbers = {key: number for number, key in enumerate(at.keys)}
        self._every = (at.key, at.stamps)
        self._waiting: dict[str, _Points] = {}
        self._values: dict[str, Values] = {}
        self._has: dict[str, Flags] = {}
        self._boots: list[str] = []
        self._boot_of: list[tuple[int, Sequence[int]]] = []

    def add(self, strand: Strand) -> None:
        number = self._numbers.get((strand.robot, strand.epoch))
        if number is None:
            return
        points = self._waiting.setdefault(strand.field, _Points())
        points.add(number, strand)
        if strand.field == "up":
            self._boots.append(strand.boot)
            self._boot_of.append((number, strand.stamps))
        if points.count >= POINTS_AT_ONCE:
            self._fill(strand.field)

    def scan(self, counters: Sequence[str], gauges: Sequence[str]) -> Scan:
        for field in list(self._waiting):
            self._fill(field)
        at = self._at
        keys = [at.keys[number] for number in at.key.tolist()]
        rows = Rows(
            robot=[robot for robot, _ in keys],
            epoch=[epoch for _, epoch in keys],
            boot=self._boot_column(),
            seq=at.seq,
            t=at.t,
            robot_t=self._integers("robot_t"),
            received_at=self._integers("received_at"),
            up=self._integers("up"),
            synced=self._integers("synced") == 1,
            corrected=self._integers("corrected") == 1,
            counters={name: self._counter(name) for name in counters},
            gauges={name: self._gauge(name) for name in gauges},
        )
        return Scan(rows, at.committed_at)

    def _fill(self, field: str) -> None:
        key, stamps, values = self._waiting.pop(field).arrays()
        rows, hit = _position(self._every, key, stamps)
        if field not in self._values:
            self._values[field] = np.zeros(len(self._at), dtype=values.dtype)
            self._has[field] = np.zeros(len(self._at), dtype=np.bool_)
        self._values[field][rows[hit]] = values[hit]
        self._has[field][rows[hit]] = True

    def _boot_column(self) -> list[str]:
        boots = np.full(len(self._at), "", dtype=object)
        lengths = [len(stamps) for _, stamps in self._boot_of]
        key = np.repeat(np.array([number for number, _ in self._boot_of], dtype=np.int64), lengths)
        of = np.repeat(np.array(self._boots, dtype=object), lengths)
        stamps = np.array(list(chain.from_iterable(s for _, s in self._boot_of)), dtype=np.int64)
        rows, hit = _position(self._every, key, stamps)
        boots[rows[hit]] = of[hit]
        return boots.tolist()

    def _integers(self, name: str, without: int = 0) -> Integers:
        if name not in self._values:
            return np.full(len(self._at), without, dtype=np.int64)
        return np.where(self._has[name], self._values[name].astype(np.int64), without)

    def _counter(self, name: str) -> Integers:
        column = self._integers(name, MISSING)
        if (halves := self._halves(name)) is None:
            return column
        return np.where(halves[1], halves[0], column)

    def _gauge(self, name: str) -> Floats:
        column = np.full(len(self._at), np.nan)
        if name in self._values:
            column = np.where(self._has[name], self._values[name].astype(np.float64), np.nan)
        if (halves := self._halves(name)) is None:
            return column
        return np.where(halves[1], halves[0].view(np.float64), column)

    def _halves(self, name: str) -> tuple[Integers, Flags] | None:
        """Numbers that were written in halves, and where there are such."""
        if name + LOW not in self._values:
            return None
        return joined(self._integers(name + HIGH), self._integers(name + LOW)), self._has[name + LOW]


def _unique(key: Integers, stamps: Integers) -> tuple[Integers, Integers]:
    """Every pair once, in order."""
    order = np.lexsort((stamps, key))
    key, stamps = key[order], stamps[order]
    first = np.ones(len(key), dtype=np.bool_)
    first[1:] = (key[1:] != key[:-1]) | (stamps[1:] != stamps[:-1])
    return key[first], stamps[first]


def _position(every: tuple[Integers, Integers], key: Integers, stamps: Integers) -> tuple[Integers, Flags]:
    """Where each pair stands among those in order, and whether it is there."""
    times = np.unique(every[1])
    rank = np.searchsorted(times, stamps)
    there = rank < len(times)
    there[there] = times[rank[there]] == stamps[there]
    places = every[0] * len(times) + np.searchsorted(times, every[1])
    at = np.searchsorted(places, key * len(times) + rank)
    there &= at < len(places)
    there[there] = places[at[there]] == (key * len(times) + rank)[there]
    return at, there


def _some(found: Places, mask: Flags) -> Places:
    names = ("key", "stamps", "seq", "commit", "committed_at", "t")
    return Places(found.keys, *(getattr(found, name)[mask] for name in names))
