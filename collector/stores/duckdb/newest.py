"""The newest sample of every epoch in use, found where the watermarks say that it lies."""

from typing import Any, Final

import duckdb

from collector.stores.duckdb.watermarks import FOLDED

_RECENT_MS: Final = 30 * 86_400_000
_HOUR_MS: Final = 3_600_000
_PLACES: Final = f"""
CREATE OR REPLACE TEMP TABLE places AS
SELECT robot, epoch, newest AS seq, newest_at AS committed_at FROM ({FOLDED})
WHERE newest > 0 AND newest_at >= (SELECT max(newest_at) FROM watermarks) - {_RECENT_MS}
"""  # noqa: S608 - constants
_SPANS: Final = f"""
SELECT min(committed_at), max(committed_at) FROM places GROUP BY committed_at // {_HOUR_MS} ORDER BY 1
"""  # noqa: S608 - constants
_THERE: Final = """
SELECT s.* FROM samples s JOIN places USING (committed_at, seq, robot, epoch)
WHERE s.committed_at BETWEEN ? AND ?
"""


def read(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows of `samples`. Hours of commit in which no epoch has its newest sample are not read."""
    connection.execute(_PLACES)
    found: list[dict[str, Any]] = []
    for span in connection.execute(_SPANS).fetchall():
        result = connection.execute(_THERE, span)
        names = [column[0] for column in result.description or ()]
        found += [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return found
