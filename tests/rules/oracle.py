"""The slow scalar oracle: what the engine should say, written as plainly as possible, one robot at a time.

It shares the rule records with the engine and nothing else: no arrays, no windows that move, no state but the
signals. Every evaluation looks at all samples anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rules.rule import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Filter,
    Gauge,
    Group,
    Increase,
    Leaf,
    Not,
    OneOf,
    Prefix,
    Ratio,
    Rule,
    Silent,
    leaves,
)

DAY = 86_400_000


@dataclass(frozen=True)
class Sample:
    """One sample of one robot."""

    robot: str
    epoch: str
    t: int
    committed_at: int
    values: dict[str, float]


@dataclass(frozen=True)
class Said:
    """An event, without its evidence."""

    at: int
    group: str
    rule: str
    robot: str
    before: str
    after: str
    since: int
    value: float | None


@dataclass
class Oracle:
    """Rules over samples that are all known beforehand."""

    groups: Sequence[Group]
    robots: dict[str, dict[str, str | float]]
    samples: Sequence[Sample]  # in the order of their commit
    listening: Sequence[tuple[int, int]]
    lookback: int
    delay: int
    signals: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def run(self, begin: int, end: int) -> list[Said]:
        """Every event of the evaluations that are due in (begin, end]."""
        due = [
            (at, number)
            for number, group in enumerate(self.groups)
            for at in range((begin // group.interval_ms + 1) * group.interval_ms, end + 1, group.interval_ms)
            if at + self.delay <= end
        ]
        return [said for at, number in sorted(due) for said in self._evaluate(self.groups[number], at)]

    def _evaluate(self, group: Group, at: int) -> list[Said]:
        said = []
        for rule in group.rules:
            for robot in self.robots:
                before, since = self.signals.get((rule.name, robot), ("inactive", 0))
                look = _Look(self, group.interval_ms, robot, at)
                after, since_after = self._next(rule, robot, look, before, since, at)
                if after != before:
                    said.append(
                        Said(at, group.name, rule.name, robot, before, after, since_after, look.shown(rule))
                    )
                    self.signals[rule.name, robot] = after, since_after
        return said

    def _next(  # noqa: C901 -- the whole life in one place is what makes it plain
        self, rule: Rule, robot: str, look: "_Look", state: str, since: int, at: int
    ) -> tuple[str, int]:
        """The signal's next state, as the manual describes its life."""
        if not all(_passes(filter_, self.robots[robot]) for filter_ in rule.where):
            if state in ("firing", "recovering"):
                return "resolved", at
            return ("inactive", at) if state in ("pending", "unknown") else (state, since)
        holds = look.truth(rule.when)
        if state in ("firing", "recovering") and rule.clear_when is not None:
            cleared = look.truth(rule.clear_when)
            holds = _any([holds, None if cleared is None else not cleared])
        if holds is None:
            match rule.missing_data:
                case "keep_last_state":
                    return state, since
                case "unknown":
                    return (state, since) if state in ("firing", "recovering") else ("unknown", at)
            holds = rule.missing_data == "fire"
        match state, holds:
            case "firing", False:
                return ("recovering" if rule.keep_firing_for_ms > 0 else "resolved"), at
            case "recovering", True:
                return "firing", at
            case "recovering", False:
                return ("resolved", at) if at - since >= rule.keep_firing_for_ms else (state, since)
            case "pending", True:
                return ("firing" if at - since >= rule.for_ms else "pending"), since
            case "pending" | "unknown", False:
                return "inactive", at
            case (("inactive" | "resolved" | "unknown"), True):
                return ("pending" if rule.for_ms > 0 else "firing"), at
        return state, since

    def listened(self, until: int) -> int:
        """How long the collector had been listening by then."""
        return sum(max(0, min(until, end) - since) for since, end in _joined(self.listening))


class _Look:
    """One robot at one time."""

    def __init__(self, oracle: Oracle, interval: int, robot: str, at: int) -> None:
        self.oracle = oracle
        self.interval = interval
        self.at = at
        come = [s for s in oracle.samples if s.robot == robot and s.committed_at <= at + oracle.delay]
        self.come = come
        times = [min(s.t, s.committed_at) for s in come]
        order = sorted(range(len(come)), key=lambda number: times[number])  # stable: the later one comes last
        self.samples = [(times[number], come[number]) for number in order if times[number] <= at]

    def truth(self, condition: Condition) -> bool | None:
        """Kleene's three values; None is unknown."""
        match condition:
            case AllOf(parts):
                negated = [self.truth(part) for part in parts]
                found = _any([None if truth is None else not truth for truth in negated])
                return None if found is None else not found
            case AnyOf(parts):
                return _any([self.truth(part) for part in parts])
            case Not(part):
                truth = self.truth(part)
                return None if truth is None else not truth
            case Silent():
                value, _ = self.value(condition)
                return None if value is None else value >= condition.over_ms / 1000
        return self._compared(condition)

    def shown(self, rule: Rule) -> float | None:
        """The value of the leaf that speaks most plainly."""
        ranked = sorted(_wanted(rule.when, True), key=lambda pair: (not pair[1], isinstance(pair[0], Silent)))
        plain = [leaf for leaf, wanted in ranked if wanted and self.truth(leaf)]
        return self.value([*plain, *(leaf for leaf, _ in ranked)][0])[0]

    def _compared(self, leaf: Compare) -> bool | None:
        value, covered = self.value(leaf)
        operator, bounds = leaf.comparison.operator, leaf.comparison.thresholds
        if value is None or (operator not in ("above", "at least") and not covered):
            return None
        match operator:
            case "above":
                return value > bounds[0]
            case "at least":
                return value >= bounds[0]
            case "below":
                return value < bounds[0]
            case "at most":
                return value <= bounds[0]
        return bounds[0] <= value <= bounds[1]

    def value(self, leaf: Leaf) -> tuple[float | None, bool]:
        """What the leaf compares, and whether the window is covered."""
        if isinstance(leaf, Silent):
            silence = self._silence(leaf.source)
            return (None if silence is None else silence / 1000), True
        match leaf.measure:
            case Increase(metrics, over):
                return self._sum(metrics, over)
            case Ratio() as ratio:
                of, covered = self._sum(ratio.of, ratio.over_ms)
                to, also = self._sum(ratio.to, ratio.over_ms)
                if of is None or to is None or to < ratio.min_samples:
                    return None, covered and also
                return of / to, covered and also
            case Gauge() as gauge:
                return self._gauge(gauge), True

    def _sum(self, metrics: Sequence[str], over: int) -> tuple[float | None, bool]:
        parts = [self._increase(metric, over) for metric in metrics]
        known = [(value, covered) for value, covered in parts if value is not None]
        if not known:
            return None, False
        return sum(value for value, _ in known), all(covered for _, covered in known)

    def _increase(self, metric: str, over: int) -> tuple[float | None, bool]:
        step = self._step(over)
        begin = (self.at - over) // step * step
        inside = [(t, s) for t, s in self.samples if t > begin]
        before = [(t, s) for t, s in self.samples if begin - min(over, 3 * DAY) < t <= begin]
        if not inside or metric not in inside[-1][1].values:
            return None, False
        newest = {-(-t // step): s for t, s in inside}
        points = [s for _, s in before[-1:]] + [newest[number] for number in sorted(newest)]
        to_its_end = inside[-1][0] > self.at - over // 4
        covered = bool(before) and metric in before[-1][1].values and to_its_end
        levels = [(s.epoch, s.values.get(metric, 0.0)) for s in points]  # counters are born at zero
        rises = (
            max(0.0, after - earlier)
            for (earlier_epoch, earlier), (epoch, after) in pairwise(levels)
            if earlier_epoch == epoch
        )
        return sum(rises), covered

    def _gauge(self, gauge: Gauge) -> float | None:
        step = self._step(gauge.over_ms)
        begin = (self.at - gauge.over_ms) // step * step
        inside = [
            (t, s.values[gauge.metric]) for t, s in self.samples if t > begin and gauge.metric in s.values
        ]
        if not inside:
            return None
        values = [value for _, value in inside]
        newest = list({-(-t // step): value for t, value in inside}.values())
        reduced = {
            "last": values[-1],
            "min": min(values),
            "max": max(values),
            "mean": sum(newest) / len(newest),
        }
        return reduced[gauge.reduce]

    def _silence(self, source: str) -> int | None:
        heard_robot = max((s.committed_at for s in self.come), default=None)
        ups = (s.committed_at for s in self.come if source == "robot" or s.values.get(f"{source}.up") == 1)
        heard = max(ups, default=None)
        if heard is None or heard_robot is None or heard <= self.at - self.oracle.lookback:
            return None
        until = self.at if source == "robot" else min(self.at, heard_robot)
        return max(0, self.oracle.listened(until) - self.oracle.listened(heard))

    def _step(self, over: int) -> int:
        step = self.interval
        while over > 360 * step:
            step *= 2
        return step


def _any(truths: Sequence[bool | None]) -> bool | None:
    if any(truths):
        return True
    return None if None in truths else False


def _passes(filter_: Filter, attributes: dict[str, str | float]) -> bool:
    value = attributes.get(filter_.attribute)
    match filter_:
        case OneOf(_, values):
            return value in values
        case Prefix(_, prefix):
            return isinstance(value, str) and value.startswith(prefix)
    return isinstance(value, float) and (filter_.start or value) <= value <= (filter_.end or value)


def _wanted(condition: Condition, wanted: bool) -> list[tuple[Leaf, bool]]:
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return [pair for part in parts for pair in _wanted(part, wanted)]
        case Not(part):
            return _wanted(part, not wanted)
    return [(leaf, wanted) for leaf in leaves(condition)]


def _joined(intervals: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for since, end in sorted(intervals):
        if joined and since <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((since, end))
    return joined
