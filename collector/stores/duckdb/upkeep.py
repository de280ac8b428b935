"""What is done to the store from time to time: settling, rolling up, compacting, forgetting.

Each step is one transaction over what was committed before it began, so kill -9 in the middle is harmless,
and samples that are appended meanwhile are neither waited for nor missed: they stay in `fresh`. Rows are
added and deleted, never updated: after an UPDATE, DuckDB makes no checkpoint while an earlier reader reads.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import duckdb

from collector.stores import Retention
from collector.stores.duckdb import rollups, watermarks
from collector.stores.duckdb.rollups import DAY_MS, HOUR_MS

SETTLE: Final = 1_000_000  # samples in a portion
SETTLE_MS: Final = DAY_MS  # samples that have waited so long are settled, be they few
AT_ONCE: Final = 2  # portions in one go, so that stopping the collector need not wait long
_ATTEMPTS: Final = 40
_PAUSE_S: Final = 0.05
_PIECES: Final = """
SELECT committed_at < $horizon AS past, min(committed_at), max(committed_at), count(*) FROM fresh
GROUP BY past, committed_at // 60000 ORDER BY 2
"""
_NOTE: Final = """
INSERT INTO portions SELECT $id, min(committed_at), max(committed_at), count(*) FROM fresh
WHERE committed_at BETWEEN $first AND $last
"""
_SETTLE: Final = """
INSERT INTO settled BY NAME SELECT *, $id::INTEGER AS portion FROM fresh
WHERE committed_at BETWEEN $first AND $last ORDER BY robot, epoch, seq
"""


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of `fresh`, by their times of commit; `past`: retention lets them go."""

    past: bool
    first_at: int
    last_at: int
    samples: int


def maintain(connection: duckdb.DuckDBPyConnection, now_ms: int, retention: Retention) -> None:
    """Does what is due. The connection is the caller's alone, and in no transaction."""
    horizon = 0 if retention.samples_ms is None else now_ms - retention.samples_ms
    done = _settle_due(connection, now_ms, horizon)
    done |= _roll_up(connection, now_ms, horizon)
    done |= _compact(connection)
    done |= _forget(connection, now_ms, horizon, retention)
    with _transaction(connection):
        done |= watermarks.fold(connection)
    if done:
        _checkpoint(connection)


def _checkpoint(connection: duckdb.DuckDBPyConnection) -> None:
    """Puts everything in its final place, between two commits; where there is no such moment, another time.

    FORCE CHECKPOINT would wait for the end of what goes on now, and nothing new could begin meanwhile.
    """
    for _ in range(_ATTEMPTS):
        try:
            connection.execute("CHECKPOINT")
        except duckdb.TransactionException:
            time.sleep(_PAUSE_S)
        else:
            return


def portions(pieces: list[Piece]) -> list[Piece]:
    """Pieces put together until they are `SETTLE` samples; none has both past samples and others."""
    joined: list[Piece] = []
    for past, alike in groupby(pieces, lambda piece: piece.past):
        held: Piece | None = None
        for piece in alike:
            first_at, before = (held.first_at, held.samples) if held else (piece.first_at, 0)
            held = Piece(past, first_at, piece.last_at, before + piece.samples)
            if held.samples >= SETTLE:
                joined.append(held)
                held = None
        joined += [held] if held else []
    return joined


def _settle_due(connection: duckdb.DuckDBPyConnection, now_ms: int, horizon: int) -> bool:
    """Settles everything once it is much or old, and always what is past."""
    pieces = [Piece(*row) for row in connection.execute(_PIECES, {"horizon": horizon}).fetchall()]
    much = sum(piece.samples for piece in pieces) >= SETTLE
    old = any(piece.first_at < now_ms - SETTLE_MS for piece in pieces)
    due = portions([piece for piece in pieces if piece.past or much or old])[:AT_ONCE]
    for portion in due:
        with _transaction(connection):
            _settle(connection, portion)
    return bool(due)


def _settle(connection: duckdb.DuckDBPyConnection, portion: Piece) -> None:
    span = {"first": portion.first_at, "last": portion.last_at}
    (id_,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM portions").fetchone() or (1,)
    connection.execute(_NOTE, {"id": id_, **span})
    connection.execute(_SETTLE, {"id": id_, **span})
    connection.execute("DELETE FROM fresh WHERE committed_at BETWEEN $first AND $last", span)


def _roll_up(connection: duckdb.DuckDBPyConnection, now_ms: int, horizon: int) -> bool:
    """Rolls up every settled portion, once one of them begins over an hour ago."""
    query = "SELECT min(id), max(id), min(first_at) FROM portions WHERE id NOT IN (FROM rolled)"
    first, last, since = connection.execute(query).fetchone() or (None, None, None)
    if since is None or since >= max(horizon, now_ms - HOUR_MS):
        return False
    with _transaction(connection):
        rollups.roll_up(connection, first, last)
        connection.execute("INSERT INTO rolled FROM range(?, ?)", [first, last + 1])
    return True


def _compact(connection: duckdb.DuckDBPyConnection) -> bool:
    chunks = [(table, chunk) for table in rollups.TABLES for chunk in rollups.loose_chunks(connection, table)]
    for table, (begin, end) in chunks:
        with _transaction(connection):
            rollups.compact(connection, table, begin, end)
    return bool(chunks)


def _forget(connection: duckdb.DuckDBPyConnection, now_ms: int, horizon: int, retention: Retention) -> bool:
    """Whole portions, hour cells by the day and day cells go when their time is over."""
    with _transaction(connection):
        query = "SELECT id FROM portions WHERE id IN (FROM rolled) AND last_at < ?"
        old = connection.execute(query, [horizon]).fetchall()
        for id_ in old:
            connection.execute("DELETE FROM settled WHERE portion = ?", id_)
            connection.execute("DELETE FROM portions WHERE id = ?", id_)
            connection.execute("DELETE FROM rolled WHERE portion = ?", id_)
        gone = _forget_cells(connection, "hours", now_ms, retention.hours_ms)
        gone += _forget_cells(connection, "days", now_ms, retention.days_ms)
    return bool(old) or gone > 0


def _forget_cells(connection: duckdb.DuckDBPyConnection, table: str, now_ms: int, kept_ms: int | None) -> int:
    if kept_ms is None:
        return 0
    before = (now_ms - kept_ms) // DAY_MS * DAY_MS
    row = connection.execute(f"DELETE FROM {table} WHERE start < ?", [before]).fetchone()  # noqa: S608 - ours
    return int(row[0]) if row else 0


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
