"""Random rules over the metrics of random worlds."""

from collections.abc import Sequence
from datetime import UTC
from typing import get_args

from rules.rule import (
    DAY_MS,
    WEEK_MS,
    ActiveDays,
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    EntityKind,
    Filter,
    Flapping,
    Fluctuation,
    Gauge,
    Group,
    Increase,
    InhibitRule,
    Leaf,
    Matcher,
    Measure,
    MissingData,
    Not,
    OneOf,
    Operator,
    OwnPast,
    Peers,
    Prefix,
    Ratio,
    Reduce,
    Rule,
    RuleSet,
    ShareOfRobots,
    Silent,
    Statistic,
    Storm,
    Text,
    TimeInterval,
    TimeSpans,
    Within,
)
from tests.rules.dice import HOUR, Dice, Scale, clock


def counters(dice: Dice) -> tuple[str, ...]:
    """One, or several."""
    return dice.often(("a.x",), ("a.y",), ("a.x", "a.y"), ("a.y", "b.z"), ("b.z", "a.y", "a.x"))


def measure(
    dice: Dice, span: Scale, entity: EntityKind, *, past: bool = False, long: bool = False
) -> Measure:
    """Anything that can be measured of such an entity."""
    overs = span.long_overs if past or long else span.overs
    kinds = ["increase", "ratio"]
    kinds += [] if past else ["days", "fluctuation"] + ["gauge", "gauge"] * (entity == "robot")
    match dice.often("increase", *kinds):
        case "ratio":
            return Ratio(counters(dice), counters(dice), dice.pick(overs), dice.pick((1.0, 0.0, 1.0, 4.0)))
        case "gauge":
            reduce: Reduce = dice.pick(get_args(Reduce))
            return Gauge("a.g", reduce, dice.pick(overs))
        case "days":
            return ActiveDays(counters(dice), dice.pick((1, 0, 4)), dice.pick((2, 1, 7, 30)))
        case "fluctuation":
            return Fluctuation(counters(dice), dice.pick((2, 1, 7, 3, 30)))
    return Increase(counters(dice), dice.pick(overs))


def comparison(dice: Dice, *bounds: float) -> Comparison:
    """Against one of these bounds, or two."""
    operator: Operator = dice.pick(get_args(Operator))
    low = dice.pick(bounds)
    higher = [bound for bound in bounds if bound >= low]
    return Comparison(operator, low, dice.pick(higher) if operator == "between" else None)


def compare(dice: Dice, found: Measure) -> Compare:
    """With what makes a difference."""
    match found:
        case Ratio():
            return Compare(found, comparison(dice, 0.5, 0.25, 1.0))
        case Fluctuation():
            return Compare(found, comparison(dice, 0.5, 0.0, 1.0))
        case Gauge():
            return Compare(found, comparison(dice, 0.2, 0.1, 0.25))
    return Compare(found, comparison(dice, 2, 0, 1, 4, 8))


def leaf(dice: Dice, span: Scale, entity: EntityKind) -> Leaf:
    """A comparison of some kind."""
    kinds = ["silent", "peers"] + ["own past"] * (span.unit == HOUR) + ["share"] * (entity != "robot")
    match dice.often("compare", *kinds):
        case "silent":
            return Silent(
                dice.pick(("robot", "a") if entity == "robot" else ("robot",)), dice.pick(span.overs)
            )
        case "peers":
            return peers(dice, span, entity)
        case "own past":
            found = measure(dice, span, entity, past=True)
            most = min(4, (90 * DAY_MS - found.over_ms) // WEEK_MS)
            return OwnPast(found, min(most, dice.pick((1, 2, 1, 4))), comparison(dice, 0, -0.5, -0.2, 1))
        case "share":
            inner = condition(dice, span, "robot")
            return ShareOfRobots(inner, dice.pick((1, 2)), comparison(dice, 0.5, 0, 1))
    return compare(dice, measure(dice, span, entity))


def peers(dice: Dice, span: Scale, entity: EntityKind) -> Peers:
    """A comparison among peers."""
    statistic: Statistic = dice.pick(get_args(Statistic))
    bounds = (0.5, 0, 0.75, 1) if statistic == "percentile" else (0, -1, 0.6745)
    same = dice.pick(((), ("industry",), ("industry", "scene"), ("site", "floor")))
    return Peers(
        measure(dice, span, entity, long=True),
        same,
        dice.pick((2, 2, 3, 4)),
        statistic,
        comparison(dice, *bounds),
    )


def condition(dice: Dice, span: Scale, entity: EntityKind, depth: int = 2) -> Condition:
    """A leaf, or what can be made of several."""
    kind = dice.often("leaf", "all", "any", "not") if depth else "leaf"
    if kind == "leaf":
        return leaf(dice, span, entity)
    if kind == "not":
        return Not(condition(dice, span, entity, depth - 1))
    inner = tuple(condition(dice, span, entity, depth - 1) for _ in range(dice.pick((2, 1, 3))))
    return AllOf(inner) if kind == "all" else AnyOf(inner)


FILTERS: tuple[tuple[Filter, ...], ...] = (
    (OneOf("site", ("hall",)),),
    (OneOf("lifecycle", ("live", "retired")),),
    (OneOf("floor", ("3",)), Within("floor", 0, None)),
    (Prefix("industry", "k"),),
    (Within("days_since_install", 1, 9),),
    (Within("days_since_install", None, 7), OneOf("lifecycle", ("live", "retired"))),
)
TIMES = (("open_hours",), ("shift",), ("shift", "open_hours"), ("fair",))


def rule(dice: Dice, span: Scale, name: str, group: str, interval: int) -> Rule:
    """A rule over the metrics of these tests."""
    entity: EntityKind = dice.pick(("robot", "site", "robot", "customer"))
    missing: MissingData = dice.pick(get_args(MissingData))
    when = condition(dice, span, entity)
    lasts = (0, 0, 5, 40)
    return Rule(
        name=name,
        group=group,
        interval_ms=interval,
        about=Text(name, name),
        summary=Text(name, name),
        when=when,
        missing_data=missing,
        severity="low",
        subsystem="a",
        entity=entity,
        where=dice.often((), *FILTERS),
        clear_when=clearing(dice, span, entity, when),
        for_ms=dice.pick(lasts) * span.unit,
        keep_firing_for_ms=dice.pick(lasts) * span.unit,
        active_intervals=dice.often((), *TIMES),
        mute_intervals=dice.often((), (), (), *TIMES),
        storm=dice.often(None, Storm(0.3, 1), Storm(0.5, 2)),
        flapping=dice.often(None, Flapping(6, 0.3, 0.2), Flapping(20, 0.1, 0.0)),
    )


def clearing(dice: Dice, span: Scale, entity: EntityKind, when: Condition) -> Condition | None:
    """Nothing, what is easier than the condition, or something else altogether."""
    kind = dice.often("", "easier", "other")
    if kind == "easier" and isinstance(when, Compare) and isinstance(when.measure, Increase):
        return Compare(when.measure, Comparison("at most", 1))
    return condition(dice, span, entity) if kind == "other" else None


def named(dice: Dice, span: Scale, name: str) -> TimeInterval:
    """An interval of two spans."""
    spans = []
    for _ in range(2):
        times = tuple((clock(dice, span, UTC), clock(dice, span, UTC)) for _ in range(dice.pick((1, 0, 2))))
        days = dice.often((0, 1, 2, 3, 4, 5, 6), (5, 6), (6,), (0, 1, 2))
        dates = dice.often((), (("2026-03-29", "2026-04-02"),))
        spans.append(TimeSpans(days, tuple(each for each in times if each[0] != each[1]), dates))
    return TimeInterval(name, tuple(spans))


def rule_set(dice: Dice, span: Scale) -> RuleSet:
    """A group an interval."""
    groups = []
    for number, interval in enumerate(span.intervals):
        every = interval * span.unit
        made = [
            rule(dice, span, f"R{number}{place}", f"g{number}", every)
            for place in range(dice.pick((1, 2, 3)))
        ]
        groups.append(Group(f"g{number}", every, tuple(made)))
    intervals = (named(dice, span, "shift"), named(dice, span, "fair"))
    names = [each.name for group in groups for each in group.rules]
    inhibit = tuple(inhibition(dice, names) for _ in range(dice.pick((0, 1, 2))))
    return RuleSet(tuple(groups), intervals, inhibit)


def inhibition(dice: Dice, names: Sequence[str]) -> InhibitRule:
    """Alerts of one rule, or of any, hide those of another."""
    source, target = Matcher((dice.pick(names),)), Matcher(dice.often((), (dice.pick(names),)))
    return InhibitRule(source, target, dice.pick((("site",), ("customer",), ("robot",), ())))
