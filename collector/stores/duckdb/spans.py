"""What many robots' counters rose by from one bound of time to the next, out of roll-ups and samples.

It is the reckoning of `series`, for a fleet at once: of each epoch, the highest level in a span less the
highest before it. The epoch's first sample, by number, is what its increases count from; what lies before the
first bound only tells how high the counters were.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import duckdb
import numpy as np

from collector.stores import Spans
from collector.stores import spans as spanned
from collector.stores.duckdb import schema
from collector.stores.duckdb.rollups import DAY_MS, HOUR_MS
from collector.stores.duckdb.schema import COUNTER, quoted
from collector.stores.duckdb.series import UNROLLED

_BASE: Final = -2  # where the first sample of an epoch stands among spans: before everything
_BEFORE: Final = -1  # and what lies before the first bound


def read(
    connection: duckdb.DuckDBPyConnection,
    robots: Sequence[str],
    counters: Sequence[str],
    bounds: Sequence[int],
) -> Spans:
    """Of each robot, what counters rose in each of the spans, and in which hours it took samples."""
    stored = schema.columns(connection)
    known = [name for name in dict.fromkeys(counters) if stored.get(name) == COUNTER]
    span, number = spanned.places(bounds)
    asked = {"place": np.arange(len(robots)), "robot": np.array(robots, dtype=object)}
    hours = {"hour": np.array(spanned.hours(bounds), dtype=np.int64), "span": span, "number": number}
    connection.register("asked", asked)
    connection.register("asked_hours", hours)
    [(unrolled,)] = connection.execute(UNROLLED).fetchall()
    query = _query(known, bounds[0], bounds[-1], unrolled)
    found = connection.execute(query).fetchnumpy() if len(robots) else {}
    return _filled(found, (len(robots), len(bounds) - 1), counters)


def _filled(found: dict[str, Any], shape: tuple[int, int], counters: Sequence[str]) -> Spans:
    hours = np.zeros(shape, dtype=np.int64)
    increases = {name: np.full(shape, np.nan) for name in counters}
    if found:
        at = (found["place"], found["span"])
        hours[at] = np.ma.filled(found["hours"], 0)
        for name, column in increases.items():
            if name in found:
                column[at] = np.ma.filled(found[name].astype(np.float64), np.nan)
    return Spans(increases, hours)


def _query(counters: Sequence[str], begin: int, until: int, unrolled: int) -> str:
    """Rows (place, span, hours, counters …) of those spans of which something is known."""
    names = [quoted(name) for name in counters]
    return f"""
        WITH parts AS ({" UNION ALL ".join(_sources(names, begin, until, unrolled))}),
        firsts AS (SELECT place, epoch, min(seq) AS seq FROM parts WHERE seq IS NOT NULL GROUP BY ALL),
        numbered AS (
            SELECT parts.*, firsts.seq IS NOT NULL AS base, span, 1::BIGINT << number AS bit
            FROM parts LEFT JOIN firsts USING (place, epoch, seq) LEFT JOIN asked_hours USING (hour)
        ),
        heard AS (SELECT place, span, bit_or(bit) AS hours FROM numbered WHERE span IS NOT NULL GROUP BY ALL),
        levels AS (
            SELECT place, epoch, CASE WHEN base THEN {_BASE} ELSE coalesce(span, {_BEFORE}) END AS span
                {_listed(f"max({name}) AS {name}" for name in names)}
            FROM numbered WHERE base OR hour < {until} GROUP BY ALL
        ),
        risen AS (
            SELECT place, span{_listed(_rise(name) for name in names)} FROM levels
            WINDOW earlier AS (
                PARTITION BY place, epoch ORDER BY span ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
        ),
        totals AS (
            SELECT place, span{_listed(f"sum({name})::DOUBLE AS {name}" for name in names)}
            FROM risen WHERE span >= 0 GROUP BY ALL
        )
        SELECT * FROM heard LEFT JOIN totals USING (place, span)
    """  # noqa: S608 - names are quoted


def _sources(names: Sequence[str], begin: int, until: int, unrolled: int) -> Iterator[str]:
    """Where the parts come from: (place, epoch, seq, hour, counters …)."""
    for table, time, seq, where in (
        ("fresh", "t", "seq", "true"),
        ("settled", "t", "seq", f"portion >= {unrolled}"),
        ("bases", "t", "seq", "true"),
        ("days", "start", "NULL", f"start < {begin - begin % DAY_MS}"),
        ("hours", "start", "NULL", f"start >= {begin - begin % DAY_MS} AND start < {until}"),
    ):
        levels = names if seq == "NULL" else [f"coalesce({name}, 0) AS {name}" for name in names]
        yield (
            f"SELECT place, epoch, {seq} AS seq, {time} - {time} % {HOUR_MS} AS hour{_listed(levels)} "  # noqa: S608
            f"FROM {table} JOIN asked USING (robot) WHERE {where}"
        )


def _rise(name: str) -> str:
    rise = f"greatest(0, {name} - coalesce(max({name}) OVER earlier, 0))"
    return f"CASE WHEN {name} IS NOT NULL THEN {rise} END AS {name}"


def _listed(columns: Iterable[str]) -> str:
    return "".join(f", {column}" for column in columns)
