"""Windows, where a table says more than the oracle: steps, and what is known of a counter that appears."""

import numpy as np
import pytest

from rules.batch import Batch
from rules.engine import Engine
from rules.rings import step_of
from rules.roster import Robot, Roster
from rules.rule import Compare, Comparison, Group, Increase, Rule, RuleSet, Text

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NAN = float("nan")


@pytest.mark.parametrize(
    ("interval", "over", "step"),
    [
        (30_000, HOUR, 60_000),
        (MINUTE, HOUR, MINUTE),
        (MINUTE, 6 * HOUR, 6 * MINUTE),
        (MINUTE, 6 * HOUR + 1, 7 * MINUTE),
        (5 * MINUTE, 7 * DAY, 170 * MINUTE),
        (MINUTE, 10_000, MINUTE),
    ],
)
def test_steps(interval: int, over: int, step: int) -> None:
    """So many intervals that at most sixty steps make the window."""
    assert step_of(interval, over) == step


@pytest.mark.parametrize(
    ("values", "increase"),
    [
        ([4, 4, 5, 9], 5),
        ([NAN, NAN, 5, 9], 9),
        ([NAN, NAN, NAN, 9], 9),
        ([4, NAN, NAN, 9], 5),
        ([4, 4, 5, NAN], None),
        ([NAN, NAN, NAN, NAN], None),
    ],
)
def test_what_is_known_of_a_counter(values: list[float], increase: float | None) -> None:
    """Of four samples, the first before the window: what appears was at zero, what is gone is not known."""
    engine = _attentive(Increase(("a.x",), 3 * MINUTE))
    for minute, value in zip((0.8, 2, 3, 4), values, strict=True):
        engine.feed(_batch(round(minute * MINUTE), value))
    engine.tick(4 * MINUTE)
    reading = engine.reading("R", "r0")
    assert reading is not None
    assert reading.value == increase


@pytest.mark.parametrize("ticking", [False, True], ids=["at once", "tick by tick"])
@pytest.mark.parametrize("late", [0.1, 0.6, 1.2], ids=["the same evaluation", "the next", "the one after"])
def test_of_two_samples_of_one_time_the_higher_counts(late: float, *, ticking: bool) -> None:
    """Two that were taken at the same time and come in the wrong order: counters do not fall by it."""
    engine = _attentive(Increase(("a.x",), 3 * MINUTE))
    taken = round(2.4 * MINUTE)
    for at, t, value in (
        (round(0.8 * MINUTE), round(0.8 * MINUTE), 0.0),
        (taken, taken, 7.0),
        (taken + round(late * MINUTE), taken, 5.0),
    ):
        if ticking:
            engine.tick(at - 1)
        engine.feed(_batch(at, value, t))
    engine.tick(4 * MINUTE)
    reading = engine.reading("R", "r0")
    assert reading is not None
    assert reading.value == 7


def _attentive(measure: Increase) -> Engine:
    when = Compare(measure, Comparison("at least", 0))
    rule = Rule("R", "g", MINUTE, Text("", ""), Text("", ""), when, "keep_last_state", "low", "a")
    rules = RuleSet((Group("g", MINUTE, (rule,)),))
    return Engine(rules, Roster([Robot("r0")]), eval_delay_ms=0, attentive=True)


def _batch(at: int, value: float, t: int | None = None) -> Batch:
    one, taken = np.array([0], dtype=np.int32), np.array([at if t is None else t])
    return Batch(at, one, ["e"], np.array([at]), taken, {"a.x": np.array([value])})
