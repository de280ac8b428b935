"""Stored samples as the engine takes them: one batch a commit, in the order of the commits."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import duckdb
import numpy as np

from rules.batch import Batch
from rules.roster import Roster

ROWS_AT_ONCE: Final = 200_000  # rows of a settled portion lie by robot: each reading goes through all of it
_COARSE_MS: Final = 60_000
Rows = dict[str, np.ndarray[Any, Any]]


def read_batches(
    connection: duckdb.DuckDBPyConnection, since_ms: int, roster: Roster, metrics: Sequence[str]
) -> Iterator[Batch]:
    """What was committed at or after `since_ms`; robots that are not in the roster are left out."""
    ids = np.array(roster.ids, dtype=object)
    connection.register("roster_rows", {"id": ids, "place": np.arange(len(ids), dtype=np.int32)})
    for begin, end in _portions(connection, since_ms):
        yield from _split(_read(connection, metrics, begin, end), metrics)


def _portions(connection: duckdb.DuckDBPyConnection, since_ms: int) -> list[tuple[int, int]]:
    """Ranges [begin, end) of commit times, of about `ROWS_AT_ONCE` samples each."""
    query = f"""
        SELECT committed_at // {_COARSE_MS} * {_COARSE_MS} AS coarse, count(*) FROM samples
        WHERE committed_at >= ? GROUP BY coarse ORDER BY coarse
    """  # noqa: S608 - a constant
    portions: list[tuple[int, int]] = []
    begin, rows = since_ms, 0
    for coarse, count in connection.execute(query, [since_ms]).fetchall():
        rows += count
        if rows >= ROWS_AT_ONCE:
            portions.append((begin, coarse + _COARSE_MS))
            begin, rows = coarse + _COARSE_MS, 0
    return [*portions, (begin, 2**62)] if rows else portions


def _read(connection: duckdb.DuckDBPyConnection, metrics: Sequence[str], begin: int, end: int) -> Rows:
    values = "".join(f', "{name}"::DOUBLE AS "{name}"' for name in metrics)
    query = f"""
        SELECT committed_at, place, epoch, seq, t{values} FROM samples JOIN roster_rows ON robot = id
        WHERE committed_at >= ? AND committed_at < ? ORDER BY committed_at, robot, seq
    """  # noqa: S608 - names of columns come from the catalogue
    return connection.execute(query, [begin, end]).fetchnumpy()


def _split(rows: Rows, metrics: Sequence[str]) -> Iterator[Batch]:
    committed = rows["committed_at"]
    bounds = [0, *(np.flatnonzero(np.diff(committed)) + 1).tolist(), len(committed)]
    values = {name: np.ma.filled(rows[name], np.nan) for name in metrics}
    epochs = rows["epoch"].tolist()
    for first, last in pairwise(bounds):
        if last > first:
            here = slice(first, last)
            yield Batch(
                committed_at=int(committed[first]),
                robot=rows["place"][here],
                epoch=epochs[here],
                seq=rows["seq"][here],
                t=rows["t"][here],
                values={name: column[here] for name, column in values.items()},
            )
