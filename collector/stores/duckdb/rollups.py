"""Roll-ups: partial aggregates of samples by hour and by day of event time.

A cell has, of one epoch in one hour (or day): the number of samples, of each counter the highest value, of
each gauge sum, count, lowest and highest. Cells of the same hour are merged by adding, min and max, so a late
sample needs no more than a cell of its own.

The sample with the lowest number of an epoch is what its increases count from. Whatever was that when it was
rolled up lies in `bases`, and its counters in no cell: should an earlier sample come, the one that was first
counts as any other, and the earlier one is the base. So increases do not depend on the order of arrival.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

import duckdb

from collector.stores.duckdb.schema import COUNTER, GAUGE, metrics, parts, quoted

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
AT_ONCE: Final = 1_000_000  # samples or cells, in memory
COMPACT: Final = 10_000  # cells that may lie loose
_CHUNKS: Final = {"hours": DAY_MS, "days": 32 * DAY_MS}  # what is compacted together
TABLES: Final = tuple(_CHUNKS)
_MERGE: Final = {"sum": "sum({})", "count": "sum({})::BIGINT", "min": "min({})", "max": "max({})"}


def roll_up(connection: duckdb.DuckDBPyConnection, first: int, last: int) -> None:
    """Adds the cells of the portions `first` … `last`, in the caller's transaction."""
    portions = f"portion BETWEEN {first} AND {last}"
    _keep_bases(connection, portions)
    for robots in _robots(connection, "settled", portions):
        connection.execute(_cells(connection, f"{portions} AND {robots}"))
        _add(connection, "hours", "cells", loose=True)
        _add(connection, "days", f"({_merged(connection, 'cells', DAY_MS)})", loose=True)
    connection.execute("DROP TABLE IF EXISTS cells")
    connection.execute("DROP TABLE firsts")


def loose_chunks(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[int, int]]:
    """Ranges [begin, end) of time in which a table has so many loose cells that merging them pays."""
    size = _CHUNKS[table]
    loose = connection.execute(f"""
        SELECT start // {size} * {size} AS begin, count(*) FROM {table} WHERE loose
        GROUP BY begin HAVING count(*) >= {COMPACT} ORDER BY begin
    """).fetchall()  # noqa: S608 - our own tables
    return [
        (begin, begin + size)
        for begin, count in loose
        if count >= _count(connection, table, f"NOT loose AND start >= {begin} AND start < {begin + size}")
    ]


def compact(connection: duckdb.DuckDBPyConnection, table: str, begin: int, end: int) -> None:
    """Merges the cells of the chunk, in the caller's transaction."""
    chunk = f"start >= {begin} AND start < {end}"
    for robots in _robots(connection, table, chunk):
        here = f"{chunk} AND {robots}"
        merged = _merged(connection, f"(SELECT * FROM {table} WHERE {here})", 1)  # noqa: S608 - our own tables
        connection.execute(f"CREATE OR REPLACE TEMP TABLE cells AS {merged}")
        connection.execute(f"DELETE FROM {table} WHERE {here}")  # noqa: S608 - our own tables
        _add(connection, table, "cells", loose=False)
    connection.execute("DROP TABLE IF EXISTS cells")


def _keep_bases(connection: duckdb.DuckDBPyConnection, where: str) -> None:
    """Keeps the first samples of epochs, and leaves which they are in the temporary table `firsts`."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE firsts AS
        WITH f AS (SELECT robot, epoch, min(seq) AS seq FROM settled WHERE {where} GROUP BY robot, epoch)
        SELECT robot, epoch, seq FROM f WHERE NOT EXISTS (
            SELECT 1 FROM bases b WHERE b.robot = f.robot AND b.epoch = f.epoch AND b.seq <= f.seq
        )
    """)  # noqa: S608 - numbers
    counters = _listed(quoted(name) for name in metrics(connection, COUNTER))
    connection.execute(f"""
        INSERT INTO bases BY NAME SELECT robot, epoch, seq, t{counters}
        FROM settled JOIN firsts USING (robot, epoch, seq) WHERE {where}
    """)  # noqa: S608 - names are quoted


def _cells(connection: duckdb.DuckDBPyConnection, where: str) -> str:
    """The hour cells of settled samples, as the temporary table `cells`."""
    counters = [
        f"max(coalesce({quoted(name)}, 0)) FILTER (f.seq IS NULL) AS {quoted(name)}"
        for name in metrics(connection, COUNTER)
    ]
    gauges = [
        f"{part}({quoted(gauge)}) AS {quoted(name)}"
        for gauge in metrics(connection, GAUGE)
        for part, name in parts(gauge).items()
    ]
    return f"""
        CREATE OR REPLACE TEMP TABLE cells AS
        SELECT robot, epoch, t // {HOUR_MS} * {HOUR_MS} AS start, count(*) AS samples
            {_listed([*counters, *gauges])}
        FROM settled LEFT JOIN firsts f USING (robot, epoch, seq)
        WHERE {where} GROUP BY robot, epoch, start ORDER BY robot, epoch, start
    """  # noqa: S608 - names are quoted


def _merged(connection: duckdb.DuckDBPyConnection, cells: str, length_ms: int) -> str:
    """Cells as cells of a greater length, one for each (robot, epoch, start)."""
    counters = [f"max({quoted(name)}) AS {quoted(name)}" for name in metrics(connection, COUNTER)]
    gauges = [
        f"{_MERGE[part].format(quoted(name))} AS {quoted(name)}"
        for gauge in metrics(connection, GAUGE)
        for part, name in parts(gauge).items()
    ]
    return f"""
        SELECT robot, epoch, c.start // {length_ms} * {length_ms} AS start, sum(samples)::BIGINT AS samples
            {_listed([*counters, *gauges])}
        FROM {cells} c GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """  # noqa: S608 - names are quoted


def _robots(connection: duckdb.DuckDBPyConnection, table: str, where: str) -> Iterator[str]:
    """Conditions that divide what a table has there by robot, in order, `AT_ONCE` rows or so in each."""
    rows = _count(connection, table, where)
    if rows <= AT_ONCE:
        yield "true"
        return
    query = f"SELECT DISTINCT robot FROM {table} WHERE {where} ORDER BY robot"  # noqa: S608 - our own tables
    robots = [row[0] for row in connection.execute(query).fetchall()]
    step = max(1, len(robots) * AT_ONCE // rows)
    for begin, end in pairwise([*robots[::step], None]):
        yield f"robot >= {_text(begin)}" + ("" if end is None else f" AND robot < {_text(end)}")


def _count(connection: duckdb.DuckDBPyConnection, table: str, where: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def _add(connection: duckdb.DuckDBPyConnection, table: str, cells: str, *, loose: bool) -> None:
    connection.execute(f"INSERT INTO {table} BY NAME SELECT *, {loose} AS loose FROM {cells}")  # noqa: S608


def _listed(columns: Iterable[str]) -> str:
    return "".join(f", {column}" for column in columns)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
