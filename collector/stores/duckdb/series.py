"""One robot's metrics over a range of time, by the step or sample by sample."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import duckdb

from collector.stores import Series, StoreError

MAX_POINTS: Final = 20_000
BEFORE_MS: Final = 86_400_000  # so far back we look for the sample that the first increase counts from


@dataclass(frozen=True, slots=True)
class Asked:
    """Which metrics of which robot, in [from_ms, to_ms)."""

    robot: str
    metrics: tuple[str, ...]
    from_ms: int
    to_ms: int


def points(connection: duckdb.DuckDBPyConnection, asked: Asked, stored: Mapping[str, str]) -> Series:
    """The samples themselves, by event time: the last `MAX_POINTS` of them."""
    known = [name for name in asked.metrics if name in stored]
    query = f"""
        SELECT t{_and(_quoted(name) for name in known)} FROM samples
        WHERE robot = ? AND t >= ? AND t < ? ORDER BY t DESC, seq DESC LIMIT {MAX_POINTS}
    """  # noqa: S608 - names of columns come from the catalogue
    rows = connection.execute(query, [asked.robot, asked.from_ms, asked.to_ms]).fetchall()[::-1]
    times = tuple(row[0] for row in rows)
    values = {name: tuple(row[at] for row in rows) for at, name in enumerate(known, 1)}
    return Series(times, None, _complete(asked, values, len(times)))


def steps(
    connection: duckdb.DuckDBPyConnection, asked: Asked, stored: Mapping[str, str], step_ms: int
) -> Series:
    """A point for every step that begins in the range: a counter's increase, a gauge's mean.

    An increase belongs to the step of the later of two samples of an epoch that follow one another; a
    counter that an earlier sample of the epoch did not have began at zero.
    """
    times = _grid(asked, step_ms)
    known = [name for name in asked.metrics if name in stored]
    counters = [name for name in known if stored[name] == "BIGINT"]
    query = f"""
        WITH sampled AS (
            SELECT t{_and(_rise(name) if name in counters else _quoted(name) for name in known)}
            FROM samples WHERE robot = $robot AND t >= $before AND t < $until
            WINDOW earlier AS (PARTITION BY epoch ORDER BY seq)
        )
        SELECT t - t % $step AS step{_and(_whole(name, name in counters) for name in known)}
        FROM sampled WHERE t >= $begin GROUP BY step ORDER BY step
    """  # noqa: S608 - names of columns come from the catalogue
    begin, until = (times[0], times[-1] + step_ms) if times else (asked.from_ms, asked.from_ms)
    bounds = {"before": begin - BEFORE_MS, "begin": begin, "until": until, "step": step_ms}
    rows = connection.execute(query, {"robot": asked.robot, **bounds}).fetchall()
    found = {row[0]: row[1:] for row in rows}
    empty = (None,) * len(known)
    values = {name: tuple(found.get(t, empty)[at] for t in times) for at, name in enumerate(known)}
    return Series(times, step_ms, _complete(asked, values, len(times)))


def _grid(asked: Asked, step_ms: int) -> tuple[int, ...]:
    if step_ms <= 0:
        raise StoreError(f"a step of {step_ms} ms is no step; give a longer one")
    begin = asked.from_ms - asked.from_ms % step_ms
    if (count := len(grid := range(begin, asked.to_ms, step_ms))) > MAX_POINTS:
        raise StoreError(f"{count} points are too many (at most {MAX_POINTS}); give a longer step")
    return tuple(grid)


def _rise(name: str) -> str:
    column = _quoted(name)
    return (
        f"CASE WHEN lag(seq) OVER earlier IS NOT NULL THEN greatest(0, {column} - "
        f"coalesce(lag({column} IGNORE NULLS) OVER earlier, 0)) END AS {column}"
    )


def _whole(name: str, is_counter: bool) -> str:
    return f"{'sum' if is_counter else 'avg'}({_quoted(name)})::DOUBLE"


def _complete(
    asked: Asked, values: Mapping[str, tuple[float | None, ...]], length: int
) -> dict[str, tuple[float | None, ...]]:
    return {name: values.get(name, (None,) * length) for name in asked.metrics}


def _quoted(name: str) -> str:
    return f'"{name}"'


def _and(columns: Iterable[str]) -> str:
    return "".join(f", {column}" for column in columns)
