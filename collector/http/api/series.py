"""A robot's metrics over time, in as many points as anybody can use."""

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel

from collector.http.fields import rfc3339
from collector.http.problems import did_you_mean, invalid, missing, shown
from collector.http.services import Services

MAX_POINTS: Final = 5_000
MAX_METRICS: Final = 20
DEFAULT_POINTS: Final = 400
DEFAULT_RANGE_MS: Final = 24 * 3_600_000
STEPS_S: Final = (1, 5, 10, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 86_400, 604_800)


class MetricSeries(BaseModel):
    """Points `[time, value]`: of a counter its increase in the step, of a gauge its mean; null without data.

    `latest` is the newest value known: of a counter, its cumulative total.
    """

    kind: Literal["counter", "gauge"]
    unit: str
    latest: float | None
    points: list[tuple[str, float | None]]


class RobotSeries(BaseModel):
    """Series of one robot; a point stands for the step that begins at its time."""

    robot: str
    step_s: float
    metrics: dict[str, MetricSeries]


def read(
    services: Services,
    robot: str,
    metrics: Sequence[str],
    from_ms: int | None,
    to_ms: int | None,
    step_ms: int | None,
) -> RobotSeries:
    """Series of known metrics of a known robot; by default the last day. Raises `Problem` (404, 422)."""
    if services.relational.robot(robot) is None:
        raise missing("robot", robot)
    wanted = _known(services, metrics)
    until = services.clock() if to_ms is None else to_ms
    since = max(until - DEFAULT_RANGE_MS, 0) if from_ms is None else from_ms
    step = _step(since, until, step_ms)
    found = services.store.series(robot, wanted, since, until, step)
    times = [rfc3339(time) for time in found.times]
    latest = services.fleet.state(robot).values
    return RobotSeries(
        robot=robot,
        step_s=step / 1_000,
        metrics={
            name: MetricSeries(
                kind=services.catalogue[name].kind,
                unit=services.catalogue[name].unit,
                latest=latest.get(name),
                points=list(zip(times, found.values[name], strict=True)),
            )
            for name in wanted
        },
    )


def default_step(span_ms: int) -> int:
    """The finest round step, in ms, that makes no more points of a span than a plot can show."""
    fitting = (step * 1_000 for step in STEPS_S if span_ms <= step * 1_000 * DEFAULT_POINTS)
    return next(fitting, -(-span_ms // DEFAULT_POINTS))


def _known(services: Services, metrics: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(metrics))
    if not wanted:
        raise invalid("metric", "is required; such as metric=navigation.relocalization_faults")
    if len(wanted) > MAX_METRICS:
        raise invalid("metric", f"{len(wanted)} metrics; ask for at most {MAX_METRICS} at once")
    for name in wanted:
        if name not in services.catalogue:
            raise invalid(
                "metric", f"there is no metric {shown(name)}{did_you_mean(name, services.catalogue)}"
            )
    return wanted


def _step(since: int, until: int, asked: int | None) -> int:
    if since >= until:
        raise invalid("from", f"{rfc3339(since)} is not before {rfc3339(until)}, where the range ends")
    step = asked if asked is not None else default_step(until - since)
    if (until - since) / step > MAX_POINTS:
        enough = next((s for s in STEPS_S if until - since <= s * 1_000 * MAX_POINTS), None)
        hint = f"use step={enough} or more" if enough else "ask for a shorter range"
        raise invalid("step", f"{step / 1_000:g} s would make over {MAX_POINTS} points; {hint}")
    return step
