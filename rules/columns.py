"""Samples as the engine holds them: columns, in the order in which they came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rules.batch import Batch, Portion

NEVER = np.iinfo(np.int64).min // 2  # a time before all times
NO_EPOCH = -1

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Rows = NDArray[np.intp]
Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples; a time of a sample is never later than its commit."""

    row: Rows
    t: Times
    committed: Times
    visible: Times  # the first time of evaluation at which it is seen
    epoch: Codes
    counters: Floats  # [counter, sample], NaN where the sample lacks it
    gauges: Floats  # [gauge, sample]

    def __len__(self) -> int:
        return len(self.row)

    @staticmethod
    def joined(parts: Sequence["Columns"]) -> "Columns":
        """One after another."""
        if len(parts) == 1:
            return parts[0]
        return Columns(
            *(
                np.concatenate([getattr(part, name) for part in parts], axis=-1)
                for name in ("row", "t", "committed", "visible", "epoch", "counters", "gauges")
            )
        )

    def where(self, chosen: Flags | Rows) -> "Columns":
        """Some of them."""
        return Columns(
            self.row[chosen],
            self.t[chosen],
            self.committed[chosen],
            self.visible[chosen],
            self.epoch[chosen],
            self.counters[:, chosen],
            self.gauges[:, chosen],
        )


def raise_to(array: Times, places: Rows, values: Times) -> None:
    """`np.maximum.at`, which is slow, and mostly called with values that rise."""
    if len(values) and (values[1:] >= values[:-1]).all():
        highest = np.full(len(array), NEVER)
        highest[places] = values
        np.maximum(array, highest, out=array)
    else:
        np.maximum.at(array, places, values)


class Reader:
    """Makes columns of batches; gives every epoch a number."""

    def __init__(self, counters: Sequence[str], gauges: Sequence[str], delay_ms: int) -> None:
        self._counters = tuple(counters)
        self._gauges = tuple(gauges)
        self._delay = delay_ms
        self.epochs: dict[str, int] = {}

    def of_batch(self, batch: Batch) -> Columns:
        """The samples of one commit."""
        committed = np.full(len(batch), batch.committed_at, dtype=np.int64)
        codes = self._coded(batch.epoch)
        return self._columns(batch.robot, batch.t, committed, codes, batch.values)

    def of_portion(self, portion: Portion) -> Columns:
        """The samples of many commits."""
        codes = self._coded(portion.epochs)[portion.epoch]
        return self._columns(portion.robot, portion.t, portion.committed_at, codes, portion.values)

    def _coded(self, epochs: Sequence[str]) -> Codes:
        known = self.epochs
        codes = (known.setdefault(epoch, len(known)) for epoch in epochs)
        return np.fromiter(codes, dtype=np.int32, count=len(epochs))

    def _columns(
        self,
        robot: NDArray[np.int32],
        t: Times,
        committed: Times,
        epoch: Codes,
        values: Mapping[str, Floats],
    ) -> Columns:
        timely = np.minimum(t, committed)
        return Columns(
            row=robot.astype(np.intp),
            t=timely,
            committed=committed,
            visible=np.maximum(timely, committed - self._delay),
            epoch=epoch,
            counters=_matrix(values, self._counters, len(t)),
            gauges=_matrix(values, self._gauges, len(t)),
        )


def _matrix(values: Mapping[str, Floats], metrics: Sequence[str], count: int) -> Floats:
    matrix = np.empty((len(metrics), count))
    for place, metric in enumerate(metrics):
        column = values.get(metric)
        matrix[place] = np.nan if column is None else column
    return matrix
