"""Where a plot's numbers come from: one robot's series, or those of the robots of a site or customer."""

from collections.abc import Sequence
from typing import Final

from collector.http.services import Services
from collector.stores import Series
from collector.subjects import Subject

ROBOTS: Final = 40  # of a site or customer that are read; a plot of more would take too long


def series(
    services: Services, subject: Subject, metrics: Sequence[str], since: int, until: int, step: int
) -> Series:
    """The metrics of what an alert is about: counters summed over its robots, gauges as their mean."""
    robots = subject.robots[:ROBOTS]
    if len(robots) == 1:
        return services.store.series(robots[0], metrics, since, until, step)
    found = [services.store.series(robot, metrics, since, until, step) for robot in robots]
    times = tuple(sorted({time for each in found for time in each.times}))
    return Series(times, step, {metric: _together(services, found, metric, times) for metric in metrics})


def _together(
    services: Services, found: Sequence[Series], metric: str, times: Sequence[int]
) -> tuple[float | None, ...]:
    known: dict[int, list[float]] = {}
    for each in found:
        for time, value in zip(each.times, each.values.get(metric, ()), strict=False):
            if value is not None:
                known.setdefault(time, []).append(value)
    mean = metric in services.catalogue.gauges
    sums = {time: sum(values) / (len(values) if mean else 1) for time, values in known.items()}
    return tuple(sums.get(time) for time in times)
