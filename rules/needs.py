"""What rules need to be remembered of samples."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from rules.rings import step_of
from rules.rule import (
    DAY_MS,
    WEEK_MS,
    ActiveDays,
    Compare,
    Condition,
    Fluctuation,
    Gauge,
    Increase,
    Measure,
    OwnPast,
    Peers,
    Ratio,
    RuleSet,
    ShareOfRobots,
    Silent,
    leaves,
)

ROBOT: Final = "robot"
SLACK_MS: Final = 3 * DAY_MS  # after a restart, a robot is known from its samples of so long before a window


@dataclass(frozen=True, slots=True)
class Window:
    """One gauge in one window of a group with that interval."""

    interval_ms: int
    over_ms: int
    reduce: str
    metric: str


@dataclass(slots=True)
class Needs:
    """What all rules together need; metrics are numbered in order of mention."""

    counters: dict[str, int] = field(default_factory=dict)
    gauges: dict[str, int] = field(default_factory=dict)
    rings: dict[int, tuple[int, dict[str, None]]] = field(default_factory=dict)  # step -> length, counters
    windows: dict[Window, None] = field(default_factory=dict)
    day_counters: dict[str, None] = field(default_factory=dict)
    days: int = 0
    sources: dict[str, str | None] = field(
        default_factory=lambda: {ROBOT: None}
    )  # -> the gauge it is heard by
    shortest_ms: int = 400 * DAY_MS  # the shortest window of a counter
    lookback_ms: int = DAY_MS

    @classmethod
    def of(cls, rules: RuleSet) -> "Needs":
        """The needs of all rules."""
        needs = cls()
        for rule in rules.rules:
            for condition in rule.conditions:
                for measure, weeks in measured(condition):
                    needs._measure(rule.interval_ms, measure, weeks)
        needs.lookback_ms += SLACK_MS if needs.rings or needs.days else 0
        return needs

    def _measure(self, interval: int, measure: Measure | Silent, weeks: int) -> None:
        match measure:
            case Silent(source, over):
                self.sources[source] = f"{source}.up" if source != ROBOT else None
                self._number_gauges(measure.metrics)
                self._look_back(2 * over)
            case Gauge(metric, reduce, over):
                self._number_gauges((metric,))
                self.windows[Window(interval, over, reduce, metric)] = None
                self._look_back(over + step_of(interval, over))
            case Increase(over_ms=over) | Ratio(over_ms=over):
                self._ring(step_of(interval, over), over + weeks * WEEK_MS, measure.metrics)
                self.shortest_ms = min(self.shortest_ms, over)
            case ActiveDays(of, _, days) | Fluctuation(of, days):
                self._number_counters(of)
                self.day_counters.update(dict.fromkeys(of))
                self.days = max(self.days, days)
                self._look_back((days + 2) * DAY_MS)

    def _ring(self, step: int, length: int, metrics: tuple[str, ...]) -> None:
        self._number_counters(metrics)
        known, counters = self.rings.get(step, (0, {}))
        self.rings[step] = max(known, length + step), {**counters, **dict.fromkeys(metrics)}
        self._look_back(length + step)

    def _number_counters(self, metrics: tuple[str, ...]) -> None:
        for metric in metrics:
            self.counters.setdefault(metric, len(self.counters))

    def _number_gauges(self, metrics: tuple[str, ...]) -> None:
        for metric in metrics:
            self.gauges.setdefault(metric, len(self.gauges))

    def _look_back(self, ms: int) -> None:
        self.lookback_ms = max(self.lookback_ms, ms)


def measured(condition: Condition) -> Iterator[tuple[Measure | Silent, int]]:
    """What a condition measures of robots, however deep, and how many past weeks of it."""
    for leaf in leaves(condition):
        match leaf:
            case Compare(measure) | Peers(measure):
                yield measure, 0
            case OwnPast(measure, weeks):
                yield measure, weeks
            case Silent():
                yield leaf, 0
            case ShareOfRobots(inner):
                yield from measured(inner)
