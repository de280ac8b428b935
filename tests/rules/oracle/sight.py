"""What can be seen of one robot at one time."""

import math
from collections.abc import Iterable, Sequence
from functools import cached_property

from rules.rule import DAY_MS, WEEK_MS, ActiveDays, Fluctuation, Gauge
from tests.rules.oracle import calendar
from tests.rules.oracle.records import Attributes, Sample, added

MAX_STEPS = 60


def step_of(interval: int, over: int) -> int:
    """The step of a window: so many intervals that it has at most 60."""
    return interval * math.ceil(over / (interval * MAX_STEPS))


def begin_of(at: int, interval: int, over: int) -> int:
    """Where a window ending at `at` begins; it is not in it."""
    step = step_of(interval, over)
    return (at - over) // step * step


class Sight:
    """One robot as it is seen at the evaluation at `at`."""

    def __init__(
        self, robot: str, attributes: Attributes, samples: Sequence[Sample], at: int, delay: int
    ) -> None:
        self.robot = robot
        self.attributes = attributes
        self.at = at
        self.come = [s for s in samples if s.committed_at <= at + delay]
        visible = [s for s in self.come if s.when <= at]
        self.chain = sorted(
            visible, key=lambda sample: sample.when
        )  # stable: of equals the later one is last
        self._rises: dict[str, list[tuple[int, float]]] = {}

    # Counters

    def rises(self, counter: str) -> list[tuple[int, float]]:
        """(when, by how much) for every sample of the chain."""
        if counter not in self._rises:
            self._rises[counter] = list(self._climb(counter))
        return self._rises[counter]

    def _climb(self, counter: str) -> Iterable[tuple[int, float]]:
        epoch, highest = None, 0.0
        for sample in self.chain:
            value = sample.values.get(counter, 0.0)
            if sample.epoch != epoch:
                epoch, highest = sample.epoch, value
                yield sample.when, 0.0
            else:
                yield sample.when, max(0.0, value - highest)
                highest = max(highest, value)

    def rise(self, counter: str, begin: int, end: int) -> float:
        """By how much it rose in (begin, end]."""
        return added(rise for when, rise in self.rises(counter) if begin < when <= end)

    def increase(self, counter: str, begin: int) -> float | None:
        """In the window (begin, at]; None where it is not known."""
        if not self.chain or self.chain[-1].when <= begin or counter not in self.chain[-1].values:
            return None
        return self.rise(counter, begin, self.at)

    def covers(self, begin: int, over: int) -> bool:
        """Whether the window (begin, at] is known from its begin to nearly its end."""
        if not self.chain:
            return False
        return self.chain[0].when <= begin and self.chain[-1].when > self.at - over // 4

    def past(self, counters: Sequence[str], interval: int, over: int, weeks: int) -> float | None:
        """The summed increase over the same window so many weeks ago."""
        step, then = step_of(interval, over), self.at - weeks * WEEK_MS
        begin, end = (then - over) // step * step, then // step * step
        if not self.chain or self.chain[0].when > begin:
            return None
        return added(self.rise(counter, begin, end) for counter in counters)

    # Gauges

    def gauge(self, gauge: Gauge, interval: int) -> float | None:
        """The gauge, reduced."""
        begin, step = begin_of(self.at, interval, gauge.over_ms), step_of(interval, gauge.over_ms)
        inside = [s for s in self.chain if s.when > begin and gauge.metric in s.values]
        if not inside:
            return None
        values = [s.values[gauge.metric] for s in inside]
        newest = {-(-s.when // step): s.values[gauge.metric] for s in inside}  # by step, the last one stays
        match gauge.reduce:
            case "last":
                return values[-1]
            case "min":
                return min(values)
            case "max":
                return max(values)
        return added(newest[number] for number in sorted(newest)) / len(newest)

    # Days

    def days(self, count: int) -> list[tuple[int, int]]:
        """The whole local days before today."""
        return calendar.whole_days(self.at, count, calendar.zone(self.attributes))

    def daily(self, measure: ActiveDays | Fluctuation) -> list[float]:
        """The summed increase of each day."""
        return [
            added(self.rise(counter, begin - 1, end - 1) for counter in measure.of)
            for begin, end in self.days(measure.days)
        ]

    def heard_on(self, count: int) -> list[bool]:
        """Whether there is a sample of each day."""
        return [any(begin <= s.when < end for s in self.chain) for begin, end in self.days(count)]

    def knows_days(self, measure: ActiveDays) -> bool:
        """Whether anything is known of the days."""
        begin, _ = self.days(measure.days)[0]
        if not self.chain or self.chain[-1].when <= begin:
            return False
        return any(counter in self.chain[-1].values for counter in measure.of)

    def covers_days(self, count: int) -> bool:
        """Whether the days are known from the first to nearly now."""
        begin, _ = self.days(count)[0]
        return self.covers(begin, count * DAY_MS)

    # Silence

    @cached_property
    def heard(self) -> int | None:
        """When the robot was last heard."""
        return max((s.committed_at for s in self.chain), default=None)

    def heard_of(self, source: str) -> int | None:
        """When the robot, or a subsystem that is up, was last heard."""
        if source == "robot":
            return self.heard
        ups = (s.committed_at for s in self.chain if s.values.get(f"{source}.up") == 1)
        return max(ups, default=None)
