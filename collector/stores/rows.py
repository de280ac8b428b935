"""Samples as they pass into a store: one record a sample, or, where there are many, columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.catalogue import Catalogue

MISSING: Final = -1  # where a sample has no such counter: counters are never negative
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class StoredSample:
    """One sample as it is stored: identity, times in ms UTC, and the metrics that the catalogue knows."""

    robot: str
    epoch: str
    seq: int
    t: int  # event time: when the sample was taken, as well as can be told
    robot_t: int  # what the robot's wall clock said
    received_at: int
    up: int  # ms since the robot's boot
    boot: str
    synced: bool
    corrected: bool  # `t` is not the robot's own
    counters: Mapping[str, int]  # by full name
    gauges: Mapping[str, float]


def _integers() -> Integers:
    return np.empty(0, dtype=np.int64)


def _flags() -> Flags:
    return np.empty(0, dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Samples as columns: element i of every column belongs to the same sample. Fields as in `StoredSample`.

    `counters` and `gauges` have a column for every metric that some sample may have; where one has none,
    a counter is `MISSING` and a gauge is NaN.
    """

    robot: Sequence[str] = ()
    epoch: Sequence[str] = ()
    boot: Sequence[str] = ()
    seq: Integers = field(default_factory=_integers)
    t: Integers = field(default_factory=_integers)
    robot_t: Integers = field(default_factory=_integers)
    received_at: Integers = field(default_factory=_integers)
    up: Integers = field(default_factory=_integers)
    synced: Flags = field(default_factory=_flags)
    corrected: Flags = field(default_factory=_flags)
    counters: Mapping[str, Integers] = field(default_factory=dict)
    gauges: Mapping[str, Floats] = field(default_factory=dict)

    @classmethod
    def of(cls, samples: Sequence[StoredSample], catalogue: Catalogue) -> "Rows":
        """Records as columns, with a column for every metric of the catalogue."""
        counters, gauges = [s.counters for s in samples], [s.gauges for s in samples]
        return cls(
            robot=[s.robot for s in samples],
            epoch=[s.epoch for s in samples],
            boot=[s.boot for s in samples],
            seq=np.array([s.seq for s in samples], dtype=np.int64),
            t=np.array([s.t for s in samples], dtype=np.int64),
            robot_t=np.array([s.robot_t for s in samples], dtype=np.int64),
            received_at=np.array([s.received_at for s in samples], dtype=np.int64),
            up=np.array([s.up for s in samples], dtype=np.int64),
            synced=np.array([s.synced for s in samples], dtype=np.bool_),
            corrected=np.array([s.corrected for s in samples], dtype=np.bool_),
            counters={
                name: np.array([c.get(name, MISSING) for c in counters], dtype=np.int64)
                for name in catalogue.counters
            },
            gauges={
                name: np.array([g.get(name, np.nan) for g in gauges], dtype=np.float64)
                for name in catalogue.gauges
            },
        )

    def __len__(self) -> int:
        return len(self.robot)

    def samples(self) -> Iterator[StoredSample]:
        """The same as records, in order."""
        for at in range(len(self)):
            counters = {name: int(column[at]) for name, column in self.counters.items()}
            gauges = {name: float(column[at]) for name, column in self.gauges.items()}
            yield StoredSample(
                robot=self.robot[at],
                epoch=self.epoch[at],
                seq=int(self.seq[at]),
                t=int(self.t[at]),
                robot_t=int(self.robot_t[at]),
                received_at=int(self.received_at[at]),
                up=int(self.up[at]),
                boot=self.boot[at],
                synced=bool(self.synced[at]),
                corrected=bool(self.corrected[at]),
                counters={name: value for name, value in counters.items() if value != MISSING},
                gauges={name: value for name, value in gauges.items() if not np.isnan(value)},
            )

    def take(self, indices: NDArray[Any]) -> "Rows":
        """The rows at these places (or where a mask of flags is true), in that order."""
        places = np.flatnonzero(indices) if indices.dtype == np.bool_ else indices
        listed = places.tolist()
        return Rows(
            robot=[self.robot[at] for at in listed],
            epoch=[self.epoch[at] for at in listed],
            boot=[self.boot[at] for at in listed],
            seq=self.seq[places],
            t=self.t[places],
            robot_t=self.robot_t[places],
            received_at=self.received_at[places],
            up=self.up[places],
            synced=self.synced[places],
            corrected=self.corrected[places],
            counters={name: column[places] for name, column in self.counters.items()},
            gauges={name: column[places] for name, column in self.gauges.items()},
        )
