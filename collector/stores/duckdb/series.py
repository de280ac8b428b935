"""One robot's metrics over a range of time, by the step or sample by sample.

Steps are reckoned from parts: samples, and cells of roll-ups. Those that are `shown` are what the answer is
about; the others only tell how high the counters were before. A counter's increase at a part is what it rises
by over everything earlier of its epoch, in event time; the epoch's first sample, by number, is what it
counts from. So it comes out the same from samples as from their cells, whatever the order of arrival.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from collector.stores import Series, StoreError
from collector.stores.duckdb.rollups import DAY_MS, HOUR_MS
from collector.stores.duckdb.schema import COUNTER, parts, quoted

MAX_POINTS: Final = 20_000
UNROLLED: Final = "SELECT coalesce(min(id), 2147483647) FROM portions WHERE id NOT IN (FROM rolled)"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which metrics of which robot, in [from_ms, to_ms)."""

    robot: str
    metrics: tuple[str, ...]
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class _Columns:
    """The metrics asked for that are stored."""

    counters: Sequence[str]
    gauges: Sequence[str]

    def of_samples(self) -> str:
        own = self._born_at_zero()
        for gauge in self.gauges:
            names = parts(gauge)
            own.append(f"{quoted(gauge)} AS {quoted(names['sum'])}")
            own.append(f"({quoted(gauge)} IS NOT NULL)::BIGINT AS {quoted(names['count'])}")
        return _and(own)

    def of_cells(self) -> str:
        return _and([*map(quoted, self.counters), *self._sums()])

    def of_bases(self) -> str:
        return _and([*self._born_at_zero(), *(f"NULL AS {name}" for name in self._sums())])

    def _born_at_zero(self) -> list[str]:
        return [f"coalesce({quoted(name)}, 0) AS {quoted(name)}" for name in self.counters]

    def rises(self) -> str:
        return _and([*(_rise(quoted(name)) for name in self.counters), *self._sums()])

    def totals(self) -> str:
        rises = [f"sum({quoted(name)})::DOUBLE" for name in self.counters]
        sums = self._sums()
        means = [
            f"sum({total}) / nullif(sum({count}), 0)"
            for total, count in zip(sums[::2], sums[1::2], strict=True)
        ]
        return _and([*rises, *means])

    def _sums(self) -> list[str]:
        return [quoted(parts(gauge)[part]) for gauge in self.gauges for part in ("sum", "count")]


def points(connection: duckdb.DuckDBPyConnection, asked: Asked, stored: Mapping[str, str]) -> Series:
    """The samples themselves, by event time: the last `MAX_POINTS` of them."""
    known = [name for name in asked.metrics if name in stored]
    query = f"""
        SELECT t{_and(map(quoted, known))} FROM samples
        WHERE robot = ? AND t >= ? AND t < ? ORDER BY t DESC, seq DESC LIMIT {MAX_POINTS}
    """  # noqa: S608 - names are quoted
    rows = connection.execute(query, [asked.robot, asked.from_ms, asked.to_ms]).fetchall()[::-1]
    times = tuple(row[0] for row in rows)
    values = {name: tuple(row[at] for row in rows) for at, name in enumerate(known, 1)}
    return Series(times, None, _complete(asked, values, len(times)))


def steps(
    connection: duckdb.DuckDBPyConnection, asked: Asked, stored: Mapping[str, str], step_ms: int
) -> Series:
    """A point for every step that begins in the range: a counter's increase, a gauge's mean.

    Steps of whole hours or days are reckoned from roll-ups, and from what is not rolled up yet; finer ones
    from the samples, as far back as these are kept.
    """
    times = _grid(asked, step_ms)
    counters = [name for name in asked.metrics if stored.get(name) == COUNTER]
    gauges = [name for name in asked.metrics if name in stored and stored[name] != COUNTER]
    found = _totals(connection, asked.robot, _Columns(counters, gauges), times, step_ms) if times else {}
    none = (None,) * (len(counters) + len(gauges))
    values = {
        name: tuple(found.get(t, none)[at] for t in times) for at, name in enumerate([*counters, *gauges])
    }
    return Series(times, step_ms, _complete(asked, values, len(times)))


def _totals(
    connection: duckdb.DuckDBPyConnection, robot: str, columns: _Columns, times: Sequence[int], step_ms: int
) -> dict[int, tuple[float | None, ...]]:
    query = f"""
        WITH parts AS ({" UNION ALL ".join(_sources(columns, step_ms))}),
        numbered AS (SELECT *, coalesce(seq = min(seq) OVER (PARTITION BY epoch), false) AS base FROM parts),
        risen AS (
            SELECT moment, shown{columns.rises()} FROM numbered
            WINDOW earlier AS (
                PARTITION BY epoch ORDER BY NOT base, moment, shown, seq
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
        )
        SELECT moment - moment % $step AS step{columns.totals()} FROM risen
        WHERE shown AND moment >= $begin AND moment < $until GROUP BY step
    """  # noqa: S608 - names are quoted
    [(unrolled,)] = connection.execute(UNROLLED).fetchall()
    bounds = {"robot": robot, "begin": times[0], "until": times[-1] + step_ms, "step": step_ms}
    rows = connection.execute(query, {**bounds, "unrolled": unrolled})
    return {row[0]: row[1:] for row in rows.fetchall()}


def _sources(columns: _Columns, step_ms: int) -> list[str]:
    """Where the parts come from: (epoch, moment, seq, shown, metrics …)."""
    sample = f"SELECT epoch, t AS moment, seq, true AS shown{columns.of_samples()} FROM"
    base = (
        f"SELECT epoch, t AS moment, seq, true AS shown{columns.of_bases()} FROM bases WHERE robot = $robot"  # noqa: S608
    )
    tail = [
        f"{sample} fresh WHERE robot = $robot",
        f"{sample} settled WHERE robot = $robot AND portion >= $unrolled",
    ]
    if step_ms % DAY_MS == 0:
        return [*tail, base, _cells(columns, "days", None)]
    days = _cells(columns, "days", DAY_MS)
    if step_ms % HOUR_MS == 0:
        return [*tail, base, days, _cells(columns, "hours", None)]
    rolled = f"{sample} settled WHERE robot = $robot AND t < $until AND portion < $unrolled"
    return [
        *tail,
        base,
        days,
        _cells(columns, "hours", HOUR_MS),
        f"{rolled} AND t >= $begin - $begin % {HOUR_MS}",
    ]


def _cells(columns: _Columns, table: str, level_after: int | None) -> str:
    """Cells as parts; with `level_after`, not shown, but a level that was reached when the cell was over."""
    moment, shown = ("start", "true") if level_after is None else (f"start + {level_after}", "false")
    earlier = f" AND start >= $begin - $begin % {DAY_MS}" if table == "hours" else ""
    return (
        f"SELECT epoch, {moment} AS moment, NULL AS seq, {shown} AS shown{columns.of_cells()} FROM {table} "  # noqa: S608
        f"WHERE robot = $robot AND {moment} < $until{earlier}"
    )


def _grid(asked: Asked, step_ms: int) -> tuple[int, ...]:
    if step_ms <= 0:
        raise StoreError(f"a step of {step_ms} ms is no step; give a longer one")
    begin = asked.from_ms - asked.from_ms % step_ms
    if (count := len(grid := range(begin, asked.to_ms, step_ms))) > MAX_POINTS:
        raise StoreError(f"{count} points are too many (at most {MAX_POINTS}); give a longer step")
    return tuple(grid)


def _rise(column: str) -> str:
    return (
        f"CASE WHEN NOT base AND {column} IS NOT NULL THEN "
        f"greatest(0, {column} - coalesce(max({column}) OVER earlier, 0)) END AS {column}"
    )


def _complete(
    asked: Asked, values: Mapping[str, tuple[float | None, ...]], length: int
) -> dict[str, tuple[float | None, ...]]:
    return {name: values.get(name, (None,) * length) for name in asked.metrics}


def _and(columns: Iterable[str]) -> str:
    return "".join(f", {column}" for column in columns)
