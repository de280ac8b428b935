"""Recordings as the stores read and write them that are no database of their own: rows in portions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from collector.stores import MISSING, Rows, StoreError
from collector.stores.lineprotocol import EXACT_BELOW
from collector.stores.rows import Integers
from collector.stores.strands import Scan
from rules.recording import FIXED, ORDER, Header, RecordingError, Writer

ROWS_AT_ONCE: Final = 50_000
_BAD: Final = """
SELECT count(*) FROM read_parquet($path) WHERE NOT coalesce(
    regexp_full_match(robot, '[A-Za-z0-9_-]{1,64}') AND epoch <> '' AND seq >= 1 AND t >= 0 AND robot_t >= 0
    AND received_at >= 0 AND committed_at >= 0 AND up >= 0 AND boot IS NOT NULL AND synced IS NOT NULL
    AND corrected IS NOT NULL, false)
"""


class Recording:
    """A recording's rows, in the order of their commits. Raises `StoreError`, which names the file."""

    def __init__(self, path: Path, kinds: Mapping[str, str]) -> None:
        """`kinds`: counter or gauge, of the metrics that are taken; others are `ignored`."""
        self._path = path
        types = self._types()
        for name, kind in FIXED.items():
            if types.get(name) != kind:
                raise StoreError(f"{path}: not a recording: column {name!r} is {types.get(name, 'missing')}")
        self._counters = [name for name in types if kinds.get(name) == "counter"]
        self._gauges = [name for name in types if kinds.get(name) == "gauge"]
        self.ignored = tuple(name for name in types if name not in FIXED and name not in kinds)

    def check(self) -> int:
        """How many rows there are; refuses all of them if some lack an identity or a time."""
        if bad := self._ask(_BAD)[0][0]:
            raise StoreError(f"{self._path}: {bad} samples lack an identity or a time; nothing was taken")
        return int(self._ask("SELECT count(*) FROM read_parquet($path)")[0][0])

    def portions(self) -> Iterator[Scan]:
        """Some rows at a time."""
        values = [
            f"coalesce({_quoted(name)}, {MISSING})::BIGINT AS {_quoted(name)}" for name in self._counters
        ]
        values += [f"coalesce({_quoted(name)}, 'nan')::DOUBLE AS {_quoted(name)}" for name in self._gauges]
        query = (
            f"SELECT {', '.join([*FIXED, *values])} FROM read_parquet($path) "  # noqa: S608 - quoted
            f"WHERE committed_at >= $since AND committed_at < $until ORDER BY {ORDER}"
        )
        for since, until in self._bounds():
            with self._connected() as connection:
                bounds = {"path": str(self._path), "since": since, "until": until}
                yield self._scan(connection.execute(query, bounds).fetchnumpy())

    def _bounds(self) -> Iterator[tuple[int, int]]:
        """Ranges of commit times with about `ROWS_AT_ONCE` rows each."""
        counts = self._ask("SELECT committed_at, count(*) FROM read_parquet($path) GROUP BY 1 ORDER BY 1")
        begin, held = None, 0
        for at, count in counts:
            begin = at if begin is None else begin
            held += count
            if held >= ROWS_AT_ONCE:
                yield begin, at + 1
                begin, held = None, 0
        if begin is not None:
            yield begin, counts[-1][0] + 1

    def _scan(self, found: Mapping[str, NDArray[Any]]) -> Scan:
        rows = Rows(
            robot=found["robot"].tolist(),
            epoch=found["epoch"].tolist(),
            boot=found["boot"].tolist(),
            **{name: np.asarray(found[name]) for name in ("seq", "t", "robot_t", "received_at", "up")},
            synced=np.asarray(found["synced"]),
            corrected=np.asarray(found["corrected"]),
            counters={name: np.asarray(found[name]) for name in self._counters},
            gauges={name: np.asarray(found[name]) for name in self._gauges},
        )
        return Scan(rows, np.asarray(found["committed_at"]))

    def _types(self) -> dict[str, str]:
        query = "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet($path))"
        return dict(self._ask(query))

    def _ask(self, query: str) -> list[Any]:
        with self._connected() as connection:
            return connection.execute(query, {"path": str(self._path)}).fetchall()

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with duckdb.connect() as connection:
                yield connection
        except duckdb.Error as error:
            raise StoreError(f"{self._path}: cannot be taken in: {' '.join(str(error).split())}") from None


def write(
    path: Path, header: Header, counters: Sequence[str], gauges: Sequence[str], portions: Iterable[Scan]
) -> int:
    """Writes a recording; returns the number of samples. Raises `StoreError`."""
    try:
        with Writer(path, counters=counters, gauges=gauges) as writer:
            for portion in portions:
                if len(portion):
                    writer.write(_columns(portion))
            return writer.finish(header)
    except RecordingError as error:
        raise StoreError(str(error)) from None


def _columns(portion: Scan) -> dict[str, NDArray[Any]]:
    rows = portion.rows
    texts = {name: np.array(getattr(rows, name), dtype=object) for name in ("robot", "epoch", "boot")}
    own = {name: getattr(rows, name) for name in FIXED if name not in texts and name != "committed_at"}
    counters = {name: _counter(column) for name, column in rows.counters.items()}
    return {**texts, **own, "committed_at": portion.committed_at, **counters, **rows.gauges}


def _counter(column: Integers) -> NDArray[Any]:
    """Absent as the writer takes it: not a number; the largest integers, which no float holds, as objects."""
    if (column >= EXACT_BELOW).any():
        return np.array([None if value == MISSING else value for value in column.tolist()], dtype=object)
    return np.where(column == MISSING, np.nan, column.astype(np.float64))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
