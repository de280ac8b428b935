"""Recordings into the store and out of it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from collector.stores import MAX_ABOVE, Imported, StoreError, Watermark
from collector.stores.duckdb.columns import Columns
from collector.stores.duckdb.schema import quoted
from collector.stores.numbers import format_numbers
from rules.recording import FIXED, ORDER, Header, copy_statement

Key = tuple[str, str]
Run = tuple[int, int]
_BAD: Final = """
SELECT count(*) FROM read_parquet($path) WHERE NOT coalesce(
    regexp_full_match(robot, '[A-Za-z0-9_-]{1,64}') AND epoch <> '' AND seq >= 1 AND t >= 0 AND robot_t >= 0
    AND received_at >= 0 AND committed_at >= 0 AND up >= 0 AND boot IS NOT NULL AND synced IS NOT NULL
    AND corrected IS NOT NULL, false)
"""
_IS_NEW: Final = """
NOT EXISTS (SELECT 1 FROM samples s WHERE s.robot = r.robot AND s.epoch = r.epoch AND s.seq = r.seq)
"""
_NEW: Final = f"""
CREATE OR REPLACE TEMP TABLE taken AS
SELECT robot, epoch, seq, min(committed_at) AS committed_at, arg_min(file_row_number, committed_at) AS place
FROM read_parquet($path, file_row_number = true) r WHERE {_IS_NEW} GROUP BY robot, epoch, seq
"""  # noqa: S608 - constants
_TAKE: Final = """
INSERT INTO fresh BY NAME SELECT {columns}
FROM read_parquet($path, file_row_number = true) r JOIN taken ON place = file_row_number
"""
_RUNS: Final = """
SELECT robot, epoch, min(seq), max(seq), arg_max(committed_at, seq) FROM (
    SELECT robot, epoch, seq, committed_at,
        seq - row_number() OVER (PARTITION BY robot, epoch ORDER BY seq) AS run
    FROM taken
) GROUP BY robot, epoch, run ORDER BY robot, epoch, min(seq)
"""


def first_new(
    connection: duckdb.DuckDBPyConnection, recording: Path, stored: Mapping[str, str]
) -> int | None:
    """When the first sample was committed that is not stored yet; None: all are."""
    path = {"path": str(recording)}
    _columns(connection, recording, stored)
    query = f"SELECT min(committed_at) FROM read_parquet($path) r WHERE {_IS_NEW}"  # noqa: S608 - constants
    with _readable(recording):
        row = connection.execute(query, path).fetchone()
    return None if row is None else row[0]


def take(
    connection: duckdb.DuckDBPyConnection,
    recording: Path,
    stored: Mapping[str, str],
    before: Mapping[Key, Watermark],
) -> tuple[Imported, Columns]:
    """Inserts the rows that are new, within the caller's transaction; answers the watermarks after them."""
    path = {"path": str(recording)}
    ours, ignored = _columns(connection, recording, stored)
    names = ", ".join(f"r.{quoted(name)}" for name in ours)
    with _readable(recording):
        bad = _count(connection.execute(_BAD, path))
        rows = _count(connection.execute("SELECT count(*) FROM read_parquet($path)", path))
        if bad:
            raise StoreError(f"{recording}: {bad} samples lack an identity or a time; nothing was taken")
        connection.execute(_NEW, path)
        connection.execute(_TAKE.format(columns=names), path)
    added = _count(connection.execute("SELECT count(*) FROM taken"))
    marks = _watermarks(connection, before)
    connection.execute("DROP TABLE taken")
    return Imported(added, rows - added, ignored), marks


def export(connection: duckdb.DuckDBPyConnection, path: Path, header: Header) -> int:
    """Writes everything as a recording; the file appears whole, or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        query = f"SELECT * FROM samples ORDER BY {ORDER}"  # noqa: S608 - constants
        count = _count(connection.execute(copy_statement(query, part, header)))
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from None
    except duckdb.IOException as error:
        raise StoreError(f"{path}: cannot be written: {' '.join(str(error).split())}") from None
    finally:
        part.unlink(missing_ok=True)
    return count


def after(runs: list[Run], before: Watermark | None) -> Watermark:
    """The watermark once the runs of numbers are stored, too.

    Where nothing of the epoch was known, the recording is where we come in: what lies before it is not
    missed. Holes are missed until the agent says that it has nothing to fill them with, unless so much
    follows them that nobody will.
    """
    until = runs[0][0] - 1 if before is None else before.until
    above = set() if before is None else set(before.above)
    for first, last in runs:
        if first <= until + 1:
            until = max(until, last)
        elif len(above) + last - first + 1 > MAX_ABOVE:
            above.clear()
            until = last
        else:
            above.update(range(first, last + 1))
        above = {number for number in above if number > until}
        while until + 1 in above:
            until += 1
            above.remove(until)
    return Watermark(until, frozenset(above))


def _watermarks(connection: duckdb.DuckDBPyConnection, before: Mapping[Key, Watermark]) -> Columns:
    runs: dict[Key, list[Run]] = defaultdict(list)
    newest_at: dict[Key, int] = {}
    for robot, epoch, first, last, at in connection.execute(_RUNS).fetchall():
        runs[robot, epoch].append((first, last))
        newest_at[robot, epoch] = at
    marks = {key: after(numbers, before.get(key)) for key, numbers in runs.items()}
    return {
        "robot": np.array([robot for robot, _ in marks], dtype=object),
        "epoch": np.array([epoch for _, epoch in marks], dtype=object),
        "until": np.array([mark.until for mark in marks.values()], dtype=np.int64),
        "above": np.array([format_numbers(mark.above) for mark in marks.values()], dtype=object),
        "newest": np.array([runs[key][-1][1] for key in marks], dtype=np.int64),
        "newest_at": np.array([newest_at[key] for key in marks], dtype=np.int64),
    }


def _columns(
    connection: duckdb.DuckDBPyConnection, recording: Path, stored: Mapping[str, str]
) -> tuple[list[str], tuple[str, ...]]:
    """The columns of the file that the store has, and those it has not."""
    query = "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet($path))"
    found = dict(connection.execute(query, {"path": str(recording)}).fetchall())
    for name, kind in FIXED.items():
        if found.get(name) != kind:
            raise StoreError(f"{recording}: not a recording: column {name!r} is {found.get(name, 'missing')}")
    return [name for name in found if name in stored], tuple(name for name in found if name not in stored)


@contextmanager
def _readable(recording: Path) -> Iterator[None]:
    """What is wrong with the file is told of the file, not of the store."""
    try:
        yield
    except duckdb.Error as error:
        raise StoreError(f"{recording}: cannot be taken in: {' '.join(str(error).split())}") from None


def _count(result: duckdb.DuckDBPyConnection) -> int:
    row = result.fetchone()
    return int(row[0]) if row else 0
