"""How one robot's samples came."""

from typing import Final

import duckdb

from collector.stores import LATE_MS, MAX_LOSSES, Delivery, Loss

_LOSSES: Final = f"""
SELECT robot, epoch, "first", "last", count, reason, declared_at FROM losses WHERE robot = ?
ORDER BY declared_at DESC, epoch, "last" DESC LIMIT {MAX_LOSSES}
"""  # noqa: S608 - constants
_ARRIVALS: Final = f"""
WITH arrivals AS (
    SELECT received_at - t AS delay, corrected FROM samples WHERE robot = ? AND received_at >= ?
)
SELECT count(*), count(*) FILTER (delay > {LATE_MS}), coalesce(max(delay) FILTER (delay > {LATE_MS}), 0),
    count(*) FILTER (corrected)
FROM arrivals
"""  # noqa: S608 - constants


def read(connection: duckdb.DuckDBPyConnection, robot: str, since_ms: int) -> Delivery:
    """The robot's losses, and what was late or corrected of what was received since then."""
    losses = tuple(Loss(*row) for row in connection.execute(_LOSSES, [robot]).fetchall())
    counts = connection.execute(_ARRIVALS, [robot, since_ms]).fetchone() or (0, 0, 0, 0)
    return Delivery(losses, *counts)
