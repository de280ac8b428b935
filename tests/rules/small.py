"""Small worlds, put together by hand: what the tables of the oracle share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rules.rule import (
    Compare,
    Comparison,
    Condition,
    Group,
    Increase,
    Leaf,
    Rule,
    RuleSet,
    Silent,
    Text,
)
from tests.rules.oracle import Oracle, Robots, Sample
from tests.rules.oracle import calendar as calendar
from tests.rules.oracle.look import Look
from tests.rules.oracle.records import Measured

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SOME = Comparison("at least", 1)
NEVER = -1
ONE: Robots = {"r0": {}}
MONDAY = 1_774_828_800_000  # 2026-03-30 00:00 UTC, a Monday; Europe changed its clocks the day before


def rule(when: Condition, **changes: Any) -> Rule:
    """A rule each minute."""
    made = Rule("R", "g", MINUTE, Text("", ""), Text("", ""), when, "keep_last_state", "low", "a")
    return replace(made, **changes)


def sample(at: float, values: Mapping[str, float], **changes: Any) -> Sample:
    """Of robot r0, taken and committed at a minute."""
    made = Sample("r0", "e", round(at), round(at * MINUTE), round(at * MINUTE), values)
    return replace(made, **changes)


def oracle(made: Rule, samples: Sequence[Sample], robots: Robots = ONE, **changes: Any) -> Oracle:
    """An oracle of one rule that always listened, without delay."""
    rules = RuleSet((Group("g", made.interval_ms, (made,)),))
    always = ((-(10**15), 10**15),)
    whole = Oracle(rules, [(-(10**15), robots)], samples, always, 1000 * DAY, 0)
    return replace(whole, **changes)


def look(made: Rule, samples: Sequence[Sample], at: float, robots: Robots = ONE, **changes: Any) -> Look:
    """What the rule sees at a minute."""
    seen = oracle(made, samples, robots, **changes)
    (found,) = seen.look(seen.rules.groups[0], round(at * MINUTE))
    return found


def measured(
    leaf: Leaf, samples: Sequence[Sample], at: float, robots: Robots = ONE, **changes: Any
) -> Measured:
    """What the leaf measures of the first entity at a minute."""
    seen = look(rule(leaf, **changes), samples, at, robots)
    return seen.measured(leaf, seen.things[0])


def increase(over: float, *counters: str) -> Compare:
    """An increase over minutes."""
    return Compare(Increase(counters or ("a.x",), round(over * MINUTE)), SOME)


def counts(*points: tuple[float, float]) -> list[Sample]:
    """Samples of counter a.x: minute, value."""
    return [sample(at, {"a.x": value}) for at, value in points]


def several(*points: tuple[str, float, float]) -> list[Sample]:
    """Samples of a.x: robot, minute, value."""
    return [sample(at, {"a.x": value}, robot=robot) for robot, at, value in points]


def silent(source: str, samples: Sequence[Sample], at: float, **changes: Any) -> float | None:
    """Minutes of silence of the first entity."""
    changes = {"listening": ((0, 10**12),), "lookback": 1000 * MINUTE, **changes}
    made = changes.pop("made", rule(Silent(source, MINUTE)))
    seen = look(made, samples, at, changes.pop("robots", ONE), **changes)
    found = seen.silence(Silent(source, MINUTE), seen.things[0])
    return None if found is None else found / MINUTE
