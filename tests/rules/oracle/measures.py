"""Measures of a robot, or of several together: sites and customers are their robots."""

import math
from collections.abc import Sequence

from rules.rule import ActiveDays, Fluctuation, Gauge, Increase, Measure, OwnPast, Ratio
from tests.rules.oracle.records import Measured, added
from tests.rules.oracle.sight import Sight, begin_of

UNKNOWN = Measured(None, False)


def measure(measure: Measure, robots: Sequence[Sight], interval: int) -> Measured:
    """What the robots have of it together."""
    match measure:
        case Increase(metrics, over):
            return _increase(metrics, over, robots, interval)
        case Ratio() as ratio:
            of = _increase(ratio.of, ratio.over_ms, robots, interval)
            to = _increase(ratio.to, ratio.over_ms, robots, interval)
            return Measured(_fraction(of.value, to.value, ratio.min_samples), of.covered and to.covered)
        case ActiveDays() as active:
            return _active_days(active, robots)
        case Fluctuation() as fluctuation:
            return Measured(_fluctuation(fluctuation, robots))
        case Gauge() as gauge:
            values = [robot.gauge(gauge, interval) for robot in robots]
            return Measured(values[0] if values else None)


def _increase(counters: Sequence[str], over: int, robots: Sequence[Sight], interval: int) -> Measured:
    total, known, covered = 0.0, False, True
    for robot in robots:
        begin = begin_of(robot.at, interval, over)
        for counter in counters:
            value = robot.increase(counter, begin)
            if value is not None:
                total, known = total + value, True
                covered = covered and robot.covers(begin, over)
    return Measured(total, covered) if known else UNKNOWN


def _fraction(of: float | None, to: float | None, min_samples: float) -> float | None:
    if of is None or to is None or to < max(min_samples, 1):
        return None
    return of / to


def _active_days(active: ActiveDays, robots: Sequence[Sight]) -> Measured:
    known = [robot for robot in robots if robot.knows_days(active)]
    if not known:
        return UNKNOWN
    days = [added(sums) for sums in zip(*(robot.daily(active) for robot in known), strict=True)]
    covered = all(robot.covers_days(active.days) for robot in known)
    return Measured(float(len([day for day in days if day >= active.at_least])), covered)


def _fluctuation(fluctuation: Fluctuation, robots: Sequence[Sight]) -> float | None:
    days = range(fluctuation.days)
    sums = [robot.daily(fluctuation) for robot in robots]
    heard = [robot.heard_on(fluctuation.days) for robot in robots]
    values = [added(day[number] for day in sums) for number in days if any(day[number] for day in heard)]
    if not values or len(values) < math.ceil(fluctuation.days / 2):
        return None
    mean = added(values) / len(values)
    if mean == 0:
        return None
    variance = added((value - mean) * (value - mean) for value in values) / len(values)
    return math.sqrt(variance) / mean


def change(own_past: OwnPast, robots: Sequence[Sight], interval: int) -> float | None:
    """By which part the measure changed against the mean of past weeks."""
    now = measure(own_past.measure, robots, interval)
    past = [_past(own_past.measure, robots, interval, week) for week in range(1, own_past.weeks + 1)]
    known = [value for value in reversed(past) if value is not None]
    if now.value is None or not now.covered or not known or len(known) < math.ceil(own_past.weeks / 2):
        return None
    mean = added(known) / len(known)
    return None if mean == 0 else now.value / mean - 1


def _past(measure: Measure, robots: Sequence[Sight], interval: int, week: int) -> float | None:
    def summed(counters: Sequence[str]) -> float | None:
        parts = [robot.past(counters, interval, measure.over_ms, week) for robot in robots]
        known = [part for part in parts if part is not None]
        return added(known) if known else None

    match measure:
        case Increase(metrics):
            return summed(metrics)
        case Ratio(of, to, _, min_samples):
            return _fraction(summed(of), summed(to), min_samples)
    raise TypeError(f"{measure} has no past")
