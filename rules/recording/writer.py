"""Writes recordings: the rows in order, and the file whole or not at all."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rules.recording.form import FIXED, KEY, ORDER, Header, RecordingError, line, quoted, quoted_name, to_json


def copy_statement(query: str, path: Path, header: Header) -> str:
    """The DuckDB statement that writes what `query` selects, in the order it selects, as a recording."""
    options = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{KEY}: {quoted(to_json(header))}}}"
    return f"COPY ({query}) TO {quoted(str(path))} ({options})"


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
        columns = ", ".join(f"{quoted_name(name)} {type_}" for name, type_ in self._types.items())
        self._connection.execute("SET enable_progress_bar = false")
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
        names = ", ".join(quoted_name(name) for name in chunk)
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
            raise RecordingError(f"{self._path}: cannot be written: {line(error)}") from None
        (count,) = self._connection.execute("SELECT count(*) FROM samples").fetchone() or (0,)
        return int(count)

    def _value(self, name: str, column: NDArray[Any]) -> str:
        quoted, type_ = quoted_name(name), self._types[name]
        if column.dtype.kind == "f":
            return f"CASE WHEN isnan({quoted}) THEN NULL ELSE {quoted}::{type_} END"
        return f"{quoted}::{type_}"


def _storable(column: NDArray[Any]) -> NDArray[Any]:
    """Fixed-width strings would become enumerations in DuckDB; objects become VARCHAR."""
    return column.astype(object) if column.dtype.kind == "U" else np.ascontiguousarray(column)
