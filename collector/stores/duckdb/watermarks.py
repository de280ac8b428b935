"""Watermarks: every move is a row of its own, the last one counts; from time to time they are folded.

Rows are only added, so a move costs the same with a thousand epochs and with a million; an UPDATE would have
to find every epoch first.
"""

from typing import Final

import duckdb

from collector.stores import Watermark
from collector.stores.duckdb.columns import Columns
from collector.stores.numbers import parse_numbers

FOLD: Final = 100_000  # moves that may wait
FOLDED: Final = """
SELECT robot, epoch, arg_max(until, move) AS until, arg_max(above, move) AS above,
    max(newest) AS newest, arg_max(newest_at, newest) AS newest_at, max(move) AS move
FROM watermarks GROUP BY robot, epoch
"""


def last_move(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the last move; 0: none."""
    [(number,)] = connection.execute("SELECT coalesce(max(move), 0) FROM watermarks").fetchall()
    return int(number)


def move(connection: duckdb.DuckDBPyConnection, columns: Columns, number: int) -> None:
    """Adds moves; `number` is higher than that of every move before."""
    connection.register("moves", columns)
    connection.execute(
        "INSERT INTO watermarks BY NAME SELECT *, ?::BIGINT AS move, true AS loose FROM moves", [number]
    )
    connection.unregister("moves")


def read(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], Watermark]:
    """The watermarks, by (robot, epoch)."""
    rows = connection.execute(f"SELECT robot, epoch, until, above FROM ({FOLDED})").fetchall()  # noqa: S608
    return {
        (robot, epoch): Watermark(until, parse_numbers(above)) if above else Watermark(until)
        for robot, epoch, until, above in rows
    }


def fold(connection: duckdb.DuckDBPyConnection) -> bool:
    """Where many moves wait, one row an epoch takes their place; in the caller's transaction."""
    counts = "SELECT count(*) FILTER (loose), count(*) FILTER (NOT loose) FROM watermarks"
    loose, folded = connection.execute(counts).fetchone() or (0, 0)
    if loose < max(FOLD, folded):
        return False
    connection.execute(f"CREATE TEMP TABLE folded AS {FOLDED}")
    connection.execute("DELETE FROM watermarks")
    connection.execute("INSERT INTO watermarks BY NAME SELECT *, false AS loose FROM folded")
    connection.execute("DROP TABLE folded")
    return True
