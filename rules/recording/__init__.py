"""Recordings: what a fleet sent, in one Parquet file, one row a sample, in the order of commit.

Every row has the columns of `FIXED`, then one column a metric, named in full (`network.disconnects`): BIGINT
for a counter, DOUBLE for a gauge, NULL where the sample lacks it. Ordered by commit time, robot, seq.
The file's key-value metadata `robovitals` is JSON: the version of this form, the intervals in which the
collector was listening (silence is judged by them), and the robots with their attributes.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from rules.batch import Batch
from rules.roster import Attribute, Robot, Roster

if TYPE_CHECKING:
    import duckdb

VERSION = 1
KEY = "robovitals"
FIXED: Mapping[str, str] = {
    "robot": "VARCHAR",
    "epoch": "VARCHAR",
    "seq": "BIGINT",
    "t": "BIGINT",  # event time
    "robot_t": "BIGINT",  # what the robot's wall clock said
    "received_at": "BIGINT",
    "committed_at": "BIGINT",
    "up": "BIGINT",  # since the robot's boot
    "boot": "VARCHAR",
    "synced": "BOOLEAN",
    "corrected": "BOOLEAN",
}
ORDER = "committed_at, robot, seq"
_T = TypeVar("_T")
_READ = ("robot", "epoch", "seq", "t", "committed_at")


class RecordingError(Exception):
    """A recording cannot be read or written; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands beside the rows: when the collector was listening (since, until), and the robots."""

    listening: tuple[tuple[int, int], ...]
    robots: tuple[Robot, ...]


def read_header(path: Path) -> Header:
    """The header of a recording. Raises `RecordingError`."""
    with _connected() as connection:
        query = "SELECT value FROM parquet_kv_metadata(?) WHERE key = ?"
        found = _ask(path, lambda: connection.execute(query, [str(path), KEY.encode()]).fetchone())
    if found is None:
        raise RecordingError(f"{path}: not a recording: no metadata {KEY!r}")
    return _parsed(path, found[0])


def metrics(path: Path) -> tuple[str, ...]:
    """The metrics that have a column in a recording. Raises `RecordingError`."""
    with _connected() as connection:
        return tuple(name for name in _columns(connection, path) if name not in FIXED)


def read_batches(
    path: Path, roster: Roster, metrics: Sequence[str] | None = None, rows: int = 200_000
) -> Iterator[Batch]:
    """One batch a commit time, in order; `metrics` of it (None: all), about `rows` rows in memory at a time.

    Every robot of the file must be in the roster. Raises `RecordingError`.
    """
    with _connected() as connection:
        columns = [name for name in _columns(connection, path) if name not in FIXED]
        wanted = columns if metrics is None else [name for name in columns if name in set(metrics)]
        for since, until in _portions(connection, path, rows):
            yield from _batches(path, _portion(connection, path, wanted, since, until), roster, wanted)


def copy_statement(query: str, path: Path, header: Header) -> str:
    """The DuckDB statement that writes what `query` selects, in the order it selects, as a recording."""
    options = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{KEY}: {_quoted(_json(header))}}}"
    return f"COPY ({query}) TO {_quoted(str(path))} ({options})"


class Writer:
    """Writes a recording chunk by chunk; the file appears at `path` whole, or not at all.

    Used as a context manager; `finish` must be called inside it. Raises `RecordingError`.
    """

    def __init__(self, path: Path, *, counters: Sequence[str], gauges: Sequence[str]) -> None:
        self._path = path
        types = {**FIXED, **dict.fromkeys(counters, "BIGINT"), **dict.fromkeys(gauges, "DOUBLE")}
        self._types = types

    def __enter__(self) -> Self:
        import duckdb

        if self._path.is_dir():
            raise RecordingError(f"{self._path}: is a folder; name a file in it")
        try:
            self._folder = tempfile.TemporaryDirectory(dir=self._path.parent, prefix=".recording-")
        except OSError as error:
            raise RecordingError(f"{self._path}: cannot be written: {error.strerror}") from None
        self._connection = duckdb.connect(str(Path(self._folder.name, "rows.duckdb")))
        columns = ", ".join(f"{_name(name)} {type_}" for name, type_ in self._types.items())
        self._connection.execute(f"CREATE TABLE samples ({columns})")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._folder.cleanup()

    def write(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Adds rows: all of `FIXED`, and metrics (NaN or a missing column: not in the sample)."""
        if missing := FIXED.keys() - columns.keys():
            raise RecordingError(f"{self._path}: no column {min(missing)!r} in the rows to write")
        if unknown := columns.keys() - self._types.keys():
            raise RecordingError(f"{self._path}: column {min(unknown)!r} was not announced")
        chunk = {name: _storable(column) for name, column in columns.items()}
        self._connection.register("chunk", chunk)
        names = ", ".join(_name(name) for name in chunk)
        values = ", ".join(self._value(name, column) for name, column in chunk.items())
        self._connection.execute(f"INSERT INTO samples ({names}) SELECT {values} FROM chunk")  # noqa: S608 -- names are quoted
        self._connection.unregister("chunk")

    def finish(self, header: Header) -> int:
        """Sorts the rows, writes the file, and answers how many rows it has."""
        part = Path(self._folder.name, "part.parquet")
        query = f"SELECT * FROM samples ORDER BY {ORDER}"  # noqa: S608 -- constant
        try:
            self._connection.execute(copy_statement(query, part, header))
            part.replace(self._path)
        except Exception as error:
            raise RecordingError(f"{self._path}: cannot be written: {_line(error)}") from None
        (count,) = self._connection.execute("SELECT count(*) FROM samples").fetchone() or (0,)
        return int(count)

    def _value(self, name: str, column: NDArray[Any]) -> str:
        quoted, type_ = _name(name), self._types[name]
        if column.dtype.kind == "f":
            return f"CASE WHEN isnan({quoted}) THEN NULL ELSE {quoted}::{type_} END"
        return f"{quoted}::{type_}"


def _storable(column: NDArray[Any]) -> NDArray[Any]:
    """Fixed-width strings would become enumerations in DuckDB; objects become VARCHAR."""
    return column.astype(object) if column.dtype.kind == "U" else np.ascontiguousarray(column)


def _connected() -> "duckdb.DuckDBPyConnection":
    import duckdb

    return duckdb.connect()


def _ask(path: Path, question: Callable[[], _T]) -> _T:
    """Whatever DuckDB finds wrong with the file is told in one line."""
    import duckdb

    if not path.is_file():  # DuckDB would read every file of a folder
        raise RecordingError(
            f"{path}: {'is a folder' if path.is_dir() else 'is not there'}; name a recording"
        )
    try:
        return question()
    except duckdb.Error as error:
        raise RecordingError(f"{path}: cannot be read: {_line(error)}") from None


def _columns(connection: "duckdb.DuckDBPyConnection", path: Path) -> list[str]:
    query = "SELECT column_name FROM (DESCRIBE SELECT * FROM read_parquet(?))"
    names = [row[0] for row in _ask(path, lambda: connection.execute(query, [str(path)]).fetchall())]
    for name in FIXED:
        if name not in names:
            raise RecordingError(f"{path}: not a recording: no column {name!r}")
    return names


def _portions(connection: "duckdb.DuckDBPyConnection", path: Path, rows: int) -> Iterator[tuple[int, int]]:
    """Ranges [since, until) of commit times that hold about so many rows each."""
    query = "SELECT committed_at, count(*) FROM read_parquet(?) GROUP BY 1 ORDER BY 1"
    counts = _ask(path, lambda: connection.execute(query, [str(path)]).fetchall())
    since, held = None, 0
    for committed_at, count in counts:
        if since is not None and held + count > rows:
            yield since, committed_at
            since, held = None, 0
        since = committed_at if since is None else since
        held += count
    if since is not None:
        yield since, counts[-1][0] + 1


def _portion(
    connection: "duckdb.DuckDBPyConnection", path: Path, metrics: Sequence[str], since: int, until: int
) -> dict[str, NDArray[Any]]:
    values = [f"coalesce({_name(name)}::DOUBLE, 'nan') AS {_name(name)}" for name in metrics]
    query = (
        f"SELECT {', '.join([*_READ, *values])} FROM read_parquet(?) "  # noqa: S608 -- names are quoted
        f"WHERE committed_at >= ? AND committed_at < ? ORDER BY {ORDER}"
    )
    return _ask(path, lambda: connection.execute(query, [str(path), since, until]).fetchnumpy())


def _batches(
    path: Path, columns: Mapping[str, NDArray[Any]], roster: Roster, metrics: Sequence[str]
) -> Iterator[Batch]:
    for name in _READ:
        if np.ma.is_masked(columns[name]):
            raise RecordingError(f"{path}: column {name!r} has rows without a value")
    robot = _rows(path, columns["robot"].tolist(), roster)
    epoch = columns["epoch"].tolist()
    commits = np.asarray(columns["committed_at"], dtype=np.int64)
    starts = np.flatnonzero(np.diff(commits, prepend=commits[0] - 1))
    for start, end in zip(starts, np.append(starts[1:], len(commits)), strict=True):
        part = slice(int(start), int(end))
        yield Batch(
            committed_at=int(commits[start]),
            robot=robot[part],
            epoch=epoch[part],
            seq=np.asarray(columns["seq"][part], dtype=np.int64),
            t=np.asarray(columns["t"][part], dtype=np.int64),
            values={name: np.asarray(columns[name][part], dtype=np.float64) for name in metrics},
        )


def _rows(path: Path, ids: list[str], roster: Roster) -> NDArray[np.int32]:
    try:
        return np.fromiter((roster.index(id_) for id_ in ids), dtype=np.int32, count=len(ids))
    except KeyError as error:
        raise RecordingError(f"{path}: robot {error.args[0]!r} is not in the roster") from None


def _json(header: Header) -> str:
    robots = [{**robot.attributes, "id": robot.id} for robot in header.robots]
    listening = [list(interval) for interval in header.listening]
    return json.dumps({"recording": VERSION, "listening": listening, "robots": robots}, ensure_ascii=False)


def _parsed(path: Path, value: bytes) -> Header:
    try:
        document = json.loads(value)
        if document["recording"] != VERSION:
            raise RecordingError(
                f"{path}: a recording of version {document['recording']!r}; {VERSION} is known"
            )
        listening = tuple((int(since), int(until)) for since, until in document["listening"])
        return Header(listening, tuple(_robot(robot) for robot in document["robots"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordingError(f"{path}: the metadata {KEY!r} is damaged: {_line(error)}") from None


def _robot(document: Mapping[str, Attribute]) -> Robot:
    return Robot(str(document["id"]), {name: value for name, value in document.items() if name != "id"})


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _line(error: Exception) -> str:
    return " ".join(str(error).split("LINE 1:")[0].split())[:300]
