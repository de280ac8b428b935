"""Samples as the engine holds them: columns, in the order in which they came."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

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
Kind = Literal["counters", "gauges"]
MANY = 8


class Chunk:
    """The values of samples that came together, a column a metric."""

    def __init__(
        self, counters: Sequence[Floats | None], gauges: Sequence[Floats | None], count: int
    ) -> None:
        self._values = {"counters": counters, "gauges": gauges}
        self.count = count
        self._gaps: dict[int, bool] = {}

    def column(self, kind: Kind, number: int) -> Floats:
        """NaN where a sample lacks the metric."""
        values = self._values[kind][number]
        return np.full(self.count, np.nan) if values is None else values

    @property
    def width(self) -> tuple[tuple[Kind, int], tuple[Kind, int]]:
        """How many counters and gauges there are."""
        return ("counters", len(self._values["counters"])), ("gauges", len(self._values["gauges"]))

    def lacks(self, counter: int) -> bool:
        """Whether a sample lacks the counter."""
        if counter not in self._gaps:
            self._gaps[counter] = bool(np.isnan(self.column("counters", counter).sum()))
        return self._gaps[counter]


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples; a time of a sample is never later than its commit."""

    row: Rows
    t: Times
    committed: Times
    visible: Times  # the first time of evaluation at which it is seen
    epoch: Codes
    chunks: tuple[
        tuple[Chunk, Rows | None], ...
    ]  # their values, one after another: which of a chunk's; None: all
    _columns: dict[tuple[Kind, int], Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.row)

    @staticmethod
    def joined(parts: Sequence["Columns"]) -> "Columns":
        """One after another."""
        if len(parts) == 1:
            return parts[0]
        chunks = tuple(chunk for part in parts for chunk in part.chunks)
        return Columns(
            np.concatenate([part.row for part in parts]),
            np.concatenate([part.t for part in parts]),
            np.concatenate([part.committed for part in parts]),
            np.concatenate([part.visible for part in parts]),
            np.concatenate([part.epoch for part in parts]),
            ((_together(chunks), None),) if len(chunks) > MANY else chunks,
        )

    def where(self, chosen: Flags) -> "Columns":
        """Some of them."""
        return Columns(
            self.row[chosen],
            self.t[chosen],
            self.committed[chosen],
            self.visible[chosen],
            self.epoch[chosen],
            tuple(self._chosen(chosen)),
        )

    def counter(self, number: int) -> Floats:
        """One counter, NaN where a sample lacks it."""
        return self._column("counters", number)

    def gauge(self, number: int) -> Floats:
        """One gauge, NaN where a sample lacks it."""
        return self._column("gauges", number)

    def counters(self, numbers: Iterable[int], places: Rows) -> Floats:
        """[counter, place]: some counters of some samples."""
        found = [self.counter(number)[places] for number in numbers]
        return np.stack(found) if found else np.empty((0, len(places)))

    def lacks(self, counter: int) -> bool:
        """Whether a sample lacks the counter, or one that came with it."""
        return any(chunk.lacks(counter) for chunk, _ in self.chunks)

    def _column(self, kind: Kind, number: int) -> Floats:
        key = kind, number
        if key not in self._columns:
            parts = [_picked(chunk, picked, kind, number) for chunk, picked in self.chunks]
            self._columns[key] = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])
        return self._columns[key]

    def _chosen(self, chosen: Flags) -> Iterator[tuple[Chunk, Rows | None]]:
        begin = 0
        for chunk, picked in self.chunks:
            end = begin + (chunk.count if picked is None else len(picked))
            part = chosen[begin:end]
            begin = end
            if part.all():
                yield chunk, picked
            elif part.any():
                yield chunk, np.flatnonzero(part) if picked is None else picked[part]


def _together(chunks: Sequence[tuple[Chunk, Rows | None]]) -> Chunk:
    """One for many: a live fleet's samples come a few at a time."""
    first = chunks[0][0]
    counters, gauges = (
        [
            np.concatenate([_picked(chunk, picked, kind, number) for chunk, picked in chunks])
            for number in range(many)
        ]
        for kind, many in first.width
    )
    return Chunk(
        counters, gauges, sum(chunk.count if picked is None else len(picked) for chunk, picked in chunks)
    )


def _picked(chunk: Chunk, picked: Rows | None, kind: Kind, number: int) -> Floats:
    column = chunk.column(kind, number)
    return column if picked is None else column[picked]


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
            chunks=((self._chunk(values, len(t)), None),),
        )

    def _chunk(self, values: Mapping[str, Floats], count: int) -> Chunk:
        counters, gauges = ([values.get(name) for name in names] for names in (self._counters, self._gauges))
        return Chunk(counters, gauges, count)
