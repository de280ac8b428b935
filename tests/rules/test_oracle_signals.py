"""The oracle of whole conditions and of signals, worked out by hand."""

from typing import Any

import pytest

from rules.rule import (
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    Gauge,
    Group,
    Not,
    RuleSet,
)
from tests.rules.oracle import calendar as calendar
from tests.rules.small import HOUR, MINUTE, NEVER, ONE, SOME, counts, increase, look, oracle, rule, sample

ON, OFF, DARK = increase(2), increase(2, "a.y"), increase(2, "a.z")  # true, false, unknown


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        (ON, True),
        (OFF, False),
        (DARK, None),
        (AllOf((ON, DARK)), None),
        (AllOf((OFF, DARK)), False),
        (AnyOf((ON, DARK)), True),
        (AnyOf((OFF, DARK)), None),
        (Not(DARK), None),
        (Not(AllOf((ON, OFF))), True),
    ],
)
def test_kleene(condition: Condition, truth: bool | None) -> None:
    """What is not known is neither true nor false."""
    samples = [sample(1, {"a.x": 0, "a.y": 0}), sample(9.9, {"a.x": 5, "a.y": 0})]
    seen = look(rule(condition), samples, 10)
    assert seen.truth(condition, seen.things[0]) is truth


Life = list[tuple[int, str]]


@pytest.mark.parametrize(
    ("story", "settings", "life"),
    [
        ("FTTF", {}, "ina fir fir res"),
        ("FTTF", {"for_ms": 2}, "ina pen pen ina"),
        ("TTTF", {"for_ms": 2}, "pen pen fir res"),
        ("TFFFT", {"keep_firing_for_ms": 2}, "fir rec rec res fir"),
        ("TFTFFF", {"keep_firing_for_ms": 2}, "fir rec fir rec rec res"),
        ("T?F", {}, "fir fir res"),
        ("T???TT", {"for_ms": 4}, "pen pen pen pen fir fir"),
        ("T?TT", {"for_ms": 2, "missing_data": "resolve"}, "pen ina pen pen"),
        ("???F", {"for_ms": 2, "missing_data": "fire"}, "pen pen fir res"),
        ("?FT?F", {"missing_data": "unknown"}, "unk ina fir fir res"),
        ("T?T", {"for_ms": 1, "missing_data": "unknown"}, "pen unk pen"),
        ("TFFT", {}, "fir res res fir"),
    ],
)
def test_lives(story: str, settings: dict[str, Any], life: str) -> None:
    """A gauge that says T, F or nothing, once a minute."""
    levels = {"T": {"a.g": 1.0}, "F": {"a.g": 0.0}, "?": {}}
    samples = [sample(minute, levels[truth]) for minute, truth in enumerate(story, 1)]
    times = {name: value * MINUTE for name, value in settings.items() if name.endswith("_ms")}
    made = rule(Compare(Gauge("a.g", "last", MINUTE), SOME), **{**settings, **times})
    seen, states = oracle(made, samples), []
    for minute in range(1, len(story) + 1):
        seen.run((minute - 1) * MINUTE, minute * MINUTE)
        states.append(seen.signals.get(("R", "robot", "r0"), ("inactive", 0))[0][:3])
    assert " ".join(states) == life


def test_hysteresis() -> None:
    """It ends only once `clear_when` holds as well; the value shown is that of `when`."""
    made = rule(
        Compare(Gauge("a.g", "last", MINUTE), Comparison("above", 5)),
        clear_when=Compare(Gauge("a.g", "last", MINUTE), Comparison("below", 3)),
    )
    samples = [sample(minute, {"a.g": level}) for minute, level in enumerate([4, 6, 4, 3, 2, 4], 1)]
    assert [
        (s.at // MINUTE, s.after, s.since // MINUTE, s.value) for s in oracle(made, samples).run(0, HOUR)
    ] == [
        (2, "firing", 2, 6),
        (5, "resolved", 5, 2),
    ]


def test_a_roster_that_changes() -> None:
    """What is due until the change goes by the old one; who is retired then ends."""
    made, samples = rule(increase(3)), counts(*((minute, minute) for minute in range(1, 10)))
    rosters = [(NEVER, ONE), (4 * MINUTE, {"r0": {"lifecycle": "retired"}, "r1": {}})]
    seen = oracle(made, samples, rosters=rosters)
    assert [(s.at // MINUTE, s.entity, s.after) for s in seen.run(0, 9 * MINUTE)] == [
        (2, "r0", "firing"),
        (5, "r0", "resolved"),
    ]


def test_two_groups() -> None:
    """In order of time; at equal times, of the groups."""
    slow = rule(increase(3), name="S", group="slow", interval_ms=2 * MINUTE)
    rules = RuleSet((Group("slow", 2 * MINUTE, (slow,)), Group("g", MINUTE, (rule(increase(3)),))))
    seen = oracle(slow, counts((1, 0), (2, 1), (9, 1)), rules=rules)
    assert [(s.at // MINUTE, s.group, s.after) for s in seen.run(0, 10 * MINUTE)] == [
        (2, "slow", "firing"),
        (2, "g", "firing"),
        (9, "g", "resolved"),
        (10, "slow", "resolved"),
    ]
