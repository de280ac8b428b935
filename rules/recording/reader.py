"""Reads recordings: the header, and the rows as portions of columns, checked while they are read.

Rows come out of DuckDB through Arrow's C interface, a stream whose columns NumPy looks at where they are: no
row becomes a Python object. Robots and epochs are turned into numbers by DuckDB.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rules.batch import Batch, Portion
from rules.recording.form import FIXED, KEY, ORDER, Header, RecordingError, line, parsed, quoted_name
from rules.roster import Roster

if TYPE_CHECKING:
    import duckdb

_READ = ("committed_at", "robot", "epoch", "seq", "t")
_NUMBERS = ("BIGINT", "INTEGER", "DOUBLE", "FLOAT")
_T = TypeVar("_T")
Ints = NDArray[np.int64]


def read_header(path: Path) -> Header:
    """The header of a recording. Raises `RecordingError`."""
    with _connected() as connection:
        query = "SELECT value FROM parquet_kv_metadata(?) WHERE key = ?"
        found = _ask(path, lambda: connection.execute(query, [str(path), KEY.encode()]).fetchone())
    if found is None:
        raise RecordingError(f"{path}: not a recording: no metadata {KEY!r}")
    return parsed(path, found[0])


def metrics(path: Path) -> tuple[str, ...]:
    """The metrics that have a column in a recording. Raises `RecordingError`."""
    return Recording(path).metrics


def read_batches(
    path: Path, roster: Roster, metrics: Sequence[str] | None = None, rows: int = 200_000
) -> Iterator[Batch]:
    """One batch a commit time, in order; `metrics` of it (None: all), at most `rows` rows read at once.

    Every robot of the file must be in the roster. Raises `RecordingError`.
    """
    held: Batch | None = None
    for chunk in Recording(path).chunks(roster, metrics, rows):
        for batch in _batches(chunk):
            if held is not None and held.committed_at == batch.committed_at:
                batch = _joined(held, batch)  # it began in the chunk before
            elif held is not None:
                yield held
            held = batch
    if held is not None:
        yield held


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows as they were read, and where the first of them stands in the file (from 0)."""

    first: int
    portion: Portion
    seq: Ints

    def part(self, rows: slice) -> "Chunk":
        """Some of its rows, one after another."""
        return Chunk(self.first + rows.start, part(self.portion, rows), self.seq[rows])


def part(portion: Portion, rows: slice) -> Portion:
    """Some of its rows, one after another."""
    return Portion(
        portion.committed_at[rows],
        portion.robot[rows],
        portion.epoch[rows],
        portion.epochs,
        portion.t[rows],
        {name: column[rows] for name, column in portion.values.items()},
    )


class Recording:
    """A recording to be read. Raises `RecordingError`, here and while it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _connected() as connection:
            query = "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(?))"
            rows = _ask(path, lambda: connection.execute(query, [str(path)]).fetchall())
            count = "SELECT num_rows FROM parquet_file_metadata(?)"
            (self.rows,) = _ask(path, lambda: connection.execute(count, [str(path)]).fetchone()) or (0,)
        self._types: dict[str, str] = dict(rows)
        for name, type_ in FIXED.items():
            if name not in self._types:
                raise RecordingError(f"{path}: not a recording: no column {name!r}")
            self._expect(name, (type_,))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that have a column."""
        return tuple(name for name in self._types if name not in FIXED)

    @cached_property
    def header(self) -> Header:
        """What stands beside the rows."""
        return read_header(self.path)

    @cached_property
    def span(self) -> tuple[int, int]:
        """The first and the last commit; (0, 0) where there is none."""
        query = "SELECT min(committed_at), max(committed_at) FROM read_parquet(?)"
        with _connected() as connection:
            found = _ask(self.path, lambda: connection.execute(query, [str(self.path)]).fetchone())
        first, last = found or (None, None)
        return int(first or 0), int(last or 0)

    def ask(self, query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """DuckDB's answer to a query in which `{rows}` stands for all rows."""
        with _connected() as connection:
            asked = query.format(rows="read_parquet($path)")
            given = {**values, "path": str(self.path)}
            return _ask(self.path, lambda: connection.execute(asked, given).fetchall())

    def portions(
        self,
        roster: Roster,
        metrics: Sequence[str] | None = None,
        rows: int = 200_000,
        *,
        rostered: bool = False,
    ) -> Iterator[Portion]:
        """The rows in order of commit, in portions of at most so many; `metrics` of them (None: all).

        A commit may go on in the next portion. Columns may be read-only. `rostered`: of the robots in the
        roster alone; else every robot must be in it.
        """
        for chunk in self.chunks(roster, metrics, rows, rostered=rostered):
            yield chunk.portion

    def chunks(
        self, roster: Roster, metrics: Sequence[str] | None, rows: int, *, rostered: bool = False
    ) -> Iterator[Chunk]:
        """As `portions`, with what only this package looks at."""
        wanted = self.metrics if metrics is None else [name for name in self.metrics if name in set(metrics)]
        for name in wanted:
            self._expect(name, _NUMBERS)
        with _connected() as connection:
            check = _Check(self.path, roster)
            for chunk in self._read(connection, roster, wanted, check, rostered):
                check.order(chunk)
                size = len(chunk.portion)
                if size <= rows:
                    yield chunk
                    continue
                for start in range(0, size, rows):
                    yield chunk.part(slice(start, min(start + rows, size)))

    def _read(
        self,
        connection: "duckdb.DuckDBPyConnection",
        roster: Roster,
        metrics: Sequence[str],
        check: "_Check",
        rostered: bool,
    ) -> Iterator[Chunk]:
        _enumerate(connection, "robots", roster.ids)
        query = "SELECT DISTINCT epoch FROM read_parquet(?) WHERE epoch IS NOT NULL"
        found = _ask(self.path, lambda: connection.execute(query, [str(self.path)]).fetchall())
        epochs = tuple(sorted(epoch for (epoch,) in found))
        _enumerate(connection, "epochs", epochs)
        first = 0
        for columns in self._columns(connection, metrics, rostered):
            check.complete(columns, first)
            robot, epoch, seq, t, committed_at = (
                columns[name].filled for name in ("robot", "epoch", "seq", "t", "committed_at")
            )
            values = {name: columns[name].with_nan() for name in metrics}
            portion = Portion(committed_at, _codes(robot), _codes(epoch), epochs, t, values)
            yield Chunk(first, portion, seq)
            first += len(portion)

    def _columns(
        self, connection: "duckdb.DuckDBPyConnection", metrics: Sequence[str], rostered: bool
    ) -> Iterator[dict[str, "_Column"]]:
        import nanoarrow

        coded = {
            "robot": "enum_code(try_cast(robot AS robots))",
            "epoch": "enum_code(try_cast(epoch AS epochs))",
        }
        fixed = [f"{coded.get(name, name)} AS {name}" for name in _READ]
        values = [f"{quoted_name(name)}::DOUBLE" for name in metrics]
        chosen = "WHERE try_cast(robot AS robots) IS NOT NULL" if rostered else ""
        query = f"SELECT {', '.join([*fixed, *values])} FROM read_parquet(?) {chosen}"  # noqa: S608 -- names are quoted
        names = [*_READ, *metrics]
        relation = _ask(self.path, lambda: connection.sql(query, params=[str(self.path)]))
        stream = iter(_ask(self.path, lambda: nanoarrow.c_array_stream(relation)))
        while (array := _ask(self.path, lambda: next(stream, None))) is not None:
            # A view of a child keeps the array alive; the child of a view does not.
            yield {name: _Column.of(array.child(place).view()) for place, name in enumerate(names)}

    def _expect(self, name: str, types: Iterable[str]) -> None:
        if self._types[name] not in types:
            wanted = " or ".join(types)
            raise RecordingError(f"{self.path}: column {name!r} is {self._types[name]}, not {wanted}")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of an Arrow array; what it holds where there is no value is anything."""

    filled: NDArray[Any]
    missing: NDArray[np.bool_] | None

    @classmethod
    def of(cls, view: Any) -> "_Column":
        values = np.asarray(view.buffer(1))[view.offset : view.offset + view.length]
        if not view.null_count:
            return cls(values, None)
        bits = np.asarray(view.buffer(0)).view(np.uint8)
        valid = np.unpackbits(bits, bitorder="little")[view.offset : view.offset + view.length]
        return cls(values, valid == 0)

    def with_nan(self) -> NDArray[np.float64]:
        """NaN where there is no value."""
        return self.filled if self.missing is None else np.where(self.missing, np.nan, self.filled)


class _Check:
    """Refuses rows that lack what every row has, or that are not in order; says which row."""

    def __init__(self, path: Path, roster: Roster) -> None:
        self._path = path
        order = sorted(range(len(roster)), key=lambda row: roster.ids[row].encode())
        self._rank = np.empty(len(roster), dtype=np.int64)
        self._rank[order] = np.arange(len(roster))
        self._last: tuple[int, int, int] | None = None

    def complete(self, columns: Mapping[str, _Column], first: int) -> None:
        """Every row has its commit, robot, epoch, number and time."""
        for name in _READ:
            missing = columns[name].missing
            if missing is not None and missing.any():
                self._refuse(name, first + int(missing.argmax()))

    def order(self, chunk: Chunk) -> None:
        """Rows are ordered by commit, robot, number; also after the chunk before."""
        keys: list[Ints] = [chunk.portion.committed_at, self._rank[chunk.portion.robot], chunk.seq]
        if self._last is not None:
            keys = [np.insert(key, 0, last) for key, last in zip(keys, self._last, strict=True)]
        commit, robot, seq = (np.diff(key) for key in keys)
        wrong = (commit < 0) | ((commit == 0) & ((robot < 0) | ((robot == 0) & (seq < 0))))
        if wrong.any():
            row = chunk.first + int(wrong.argmax()) + (self._last is None)
            raise RecordingError(f"{self._path}: row {row + 1}: out of order; rows go by {ORDER}")
        self._last = (int(keys[0][-1]), int(keys[1][-1]), int(keys[2][-1])) if len(keys[0]) else self._last

    def _refuse(self, name: str, row: int) -> None:
        query = f"SELECT {name} FROM read_parquet(?, file_row_number = true) WHERE file_row_number = ?"  # noqa: S608 -- of `_READ`
        with _connected() as connection:
            found = connection.execute(query, [str(self._path), row]).fetchone()
        value = found[0] if found else None
        if value is None:
            raise RecordingError(f"{self._path}: row {row + 1}: column {name!r} has no value")
        raise RecordingError(f"{self._path}: row {row + 1}: robot {value!r} is not in the roster")


def _codes(codes: NDArray[Any]) -> NDArray[np.int32]:
    return codes.astype(np.int32)


def _enumerate(connection: "duckdb.DuckDBPyConnection", type_: str, names: Sequence[str]) -> None:
    """A type whose codes are the places of the names; DuckDB takes no empty one."""
    connection.execute(f"CREATE TYPE {type_} AS ENUM (SELECT unnest(?::VARCHAR[]))", [list(names) or [""]])


def _batches(chunk: Chunk) -> Iterator[Batch]:
    portion = chunk.portion
    if not len(portion):
        return
    bounds = np.flatnonzero(np.diff(portion.committed_at)) + 1
    for start, end in zip([0, *bounds.tolist()], [*bounds.tolist(), len(portion)], strict=True):
        part = chunk.part(slice(start, end))
        yield Batch(
            committed_at=int(part.portion.committed_at[0]),
            robot=part.portion.robot,
            epoch=[portion.epochs[code] for code in part.portion.epoch.tolist()],
            seq=part.seq,
            t=part.portion.t,
            values=part.portion.values,
        )


def _joined(one: Batch, other: Batch) -> Batch:
    return Batch(
        one.committed_at,
        np.concatenate([one.robot, other.robot]),
        [*one.epoch, *other.epoch],
        np.concatenate([one.seq, other.seq]),
        np.concatenate([one.t, other.t]),
        {name: np.concatenate([one.values[name], other.values[name]]) for name in one.values},
    )


def _connected() -> "duckdb.DuckDBPyConnection":
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    return connection


def _ask(path: Path, question: Callable[[], _T]) -> _T:
    """Whatever DuckDB finds wrong with the file is told in one line."""
    import duckdb

    if not path.is_file():  # DuckDB would read every file of a folder
        raise RecordingError(
            f"{path}: {'is a folder' if path.is_dir() else 'is not there'}; name a recording"
        )
    try:
        return question()
    except (duckdb.Error, RuntimeError) as error:  # nanoarrow tells errors of the stream as `RuntimeError`
        raise RecordingError(f"{path}: cannot be read: {line(error)}") from None
