"""All entities of one kind at one time, as one rule sees them: what its conditions say of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rules.rule import (
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    Leaf,
    Not,
    OwnPast,
    Peers,
    Rule,
    ShareOfRobots,
    Silent,
    TimeInterval,
)
from tests.rules.oracle import calendar
from tests.rules.oracle.filters import passes
from tests.rules.oracle.measures import change, measure
from tests.rules.oracle.peers import standing
from tests.rules.oracle.records import Attributes, Measured
from tests.rules.oracle.sight import Sight

Truth = bool | None


@dataclass(frozen=True)
class Thing:
    """An entity and its robots that count."""

    kind: str
    id: str
    robots: Sequence[Sight]
    inside: bool

    @property
    def attributes(self) -> Attributes:
        """What all its robots have in common."""
        common = dict(self.robots[0].attributes) if self.robots else {}
        for robot in self.robots[1:]:
            common = {name: value for name, value in common.items() if robot.attributes.get(name) == value}
        return common


def things(kind: str, rule: Rule, fleet: Sequence[Sight]) -> list[Thing]:
    """Every entity of the kind, in order of its first robot."""
    inside = {robot.robot for robot in fleet if passes(rule.where, robot.attributes, robot.at)}
    if kind == "robot":
        return [Thing(kind, robot.robot, [robot], robot.robot in inside) for robot in fleet]
    members: dict[str, list[Sight]] = {}
    for robot in fleet:
        if kind in robot.attributes:
            members.setdefault(str(robot.attributes[kind]), []).append(robot)
    counting = {id_: [r for r in robots if r.robot in inside] for id_, robots in members.items()}
    return [Thing(kind, id_, robots, bool(robots)) for id_, robots in counting.items()]


@dataclass(frozen=True)
class Listening:
    """When the collector listened, and how far back one can know when somebody was heard."""

    spans: Sequence[tuple[int, int]]  # apart from each other, in order
    lookback: int

    def by(self, until: int) -> int:
        """How long it had been listening by then."""
        return sum(max(0, min(until, end) - since) for since, end in self.spans)


class Look:
    """What one rule sees at one time."""

    def __init__(
        self,
        rule: Rule,
        fleet: Sequence[Sight],
        intervals: Mapping[str, TimeInterval],
        listening: Listening,
        at: int,
    ) -> None:
        self.rule = rule
        self.fleet = fleet
        self.intervals = intervals
        self.listening = listening
        self.at = at
        self.things = things(rule.entity, rule, fleet)
        self._compared: dict[tuple[Peers, str], dict[str, float]] = {}

    def judged(self, thing: Thing) -> bool:
        """Whether it is a time at which the rule is judged, by the clock of the thing's first robot."""
        attributes = thing.robots[0].attributes
        active, mute = self.rule.active_intervals, self.rule.mute_intervals
        if active and not calendar.in_any(active, self.intervals, attributes, self.at):
            return False
        return not calendar.in_any(mute, self.intervals, attributes, self.at)

    def truth(self, condition: Condition, thing: Thing) -> Truth:
        """In Kleene's three values; None is unknown."""
        match condition:
            case AllOf(parts):
                return negated(either([negated(self.truth(part, thing)) for part in parts]))
            case AnyOf(parts):
                return either([self.truth(part, thing) for part in parts])
            case Not(part):
                return negated(self.truth(part, thing))
            case Silent(_, over):
                silence = self.silence(condition, thing)
                return None if silence is None else silence >= over
        comparison = condition.comparison
        return compared(self.measured(condition, thing), comparison)

    def measured(self, leaf: Leaf, thing: Thing) -> Measured:
        """What a leaf compares; a silence in seconds."""
        interval = self.rule.interval_ms
        match leaf:
            case Compare():
                return measure(leaf.measure, thing.robots, interval)
            case Silent():
                silence = self.silence(leaf, thing)
                return Measured(None if silence is None else silence / 1000)
            case OwnPast():
                return Measured(change(leaf, thing.robots, interval))
            case ShareOfRobots():
                return Measured(self._share(leaf, thing))
            case Peers():
                return Measured(self._standing(leaf, thing))

    def silence(self, silent: Silent, thing: Thing) -> int | None:
        """In ms; of several robots, the one heard last."""
        known = [self._silence(silent.source, robot, thing) for robot in thing.robots]
        return min((silence for silence in known if silence is not None), default=None)

    def _silence(self, source: str, robot: Sight, thing: Thing) -> int | None:
        heard = robot.heard_of(source)
        if heard is None or robot.heard is None or heard <= self.at - self.listening.lookback:
            return None
        until = self.at if source == "robot" else min(self.at, robot.heard)
        if self.rule.active_intervals:
            attributes = thing.robots[0].attributes
            names = self.rule.active_intervals
            heard = calendar.begin_of_period(names, self.intervals, attributes, self.at, heard)
        return max(0, self.listening.by(until) - self.listening.by(heard))

    def _share(self, share: ShareOfRobots, thing: Thing) -> float | None:
        alone = [replace(thing, kind="robot", id=robot.robot, robots=[robot]) for robot in thing.robots]
        truths = [self.truth(share.condition, robot) for robot in alone]
        known = [truth for truth in truths if truth is not None]
        return sum(known) / len(known) if len(known) >= max(share.min_robots, 1) else None

    def _standing(self, peers: Peers, thing: Thing) -> float | None:
        everyone = things(thing.kind, self.rule, self.fleet)
        inside = {other.id: other for other in everyone if other.inside}
        if (peers, thing.kind) not in self._compared:
            found = {
                id_: measure(peers.measure, other.robots, self.rule.interval_ms)
                for id_, other in inside.items()
            }
            self._compared[peers, thing.kind] = {
                id_: one.value for id_, one in found.items() if one.value is not None and one.covered
            }
        attributes = {id_: other.attributes for id_, other in inside.items()}
        return standing(peers, thing.id, self._compared[peers, thing.kind], attributes)

    def evidence(self, thing: Thing) -> list[tuple[float | None, Truth]]:
        """Value and truth of each leaf of the condition, of the one that speaks for it most plainly first."""
        ranked = sorted(
            wanted(self.rule.when, True), key=lambda pair: (not pair[1], isinstance(pair[0], Silent))
        )
        found = [(self.measured(leaf, thing).value, self.truth(leaf, thing)) for leaf, _ in ranked]
        for place, (_, sought) in enumerate(ranked):
            if sought and found[place][1]:
                return [found[place], *found[:place], *found[place + 1 :]]
        return found


def compared(measured: Measured, comparison: Comparison) -> Truth:
    """A number against its bounds: what is known in part may still grow."""
    value, bounds = measured.value, comparison.thresholds
    if value is None or (comparison.operator not in ("above", "at least") and not measured.covered):
        return None
    match comparison.operator:
        case "above":
            return value > bounds[0]
        case "at least":
            return value >= bounds[0]
        case "below":
            return value < bounds[0]
        case "at most":
            return value <= bounds[0]
    return bounds[0] <= value <= bounds[1]


def negated(truth: Truth) -> Truth:
    """Not."""
    return None if truth is None else not truth


def either(truths: Sequence[Truth]) -> Truth:
    """Or."""
    if any(truths):
        return True
    return None if None in truths else False


def wanted(condition: Condition, sought: bool) -> list[tuple[Leaf, bool]]:
    """The leaves from left to right, and whether each shall hold."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return [pair for part in parts for pair in wanted(part, sought)]
        case Not(part):
            return wanted(part, not sought)
    return [(condition, sought)]
