"""The oracle of one robot, in small worlds whose results were worked out by hand (in the comments)."""

from typing import Any

import pytest

from rules.rule import (
    Compare,
    Comparison,
    Gauge,
    Ratio,
)
from tests.rules.oracle import calendar as calendar
from tests.rules.oracle.look import compared
from tests.rules.oracle.records import Measured
from tests.rules.oracle.sight import begin_of, step_of
from tests.rules.small import MINUTE, SOME, counts, increase, look, measured, rule, sample


@pytest.mark.parametrize(
    ("interval", "over", "step", "at", "begin"),
    [
        (1, 10, 1, 100, 90),
        (1, 60, 1, 100, 40),
        (1, 61, 2, 100, 38),  # two intervals make 61 fit; 39 is rounded down to a multiple of 2
        (1, 120, 2, 101, -20),
        (1, 121, 3, 200, 78),
        (7, 420, 7, 700, 280),
        (7, 421, 14, 700, 266),  # 279 rounded down
        (20, 3, 20, 100, 80),  # a window shorter than the interval begins at the evaluation before
    ],
)
def test_steps(interval: int, over: int, step: int, at: int, begin: int) -> None:
    """At most sixty steps a window, each a multiple of the interval."""
    assert (step_of(interval, over), begin_of(at, interval, over)) == (step, begin)


@pytest.mark.parametrize(
    ("points", "at", "value", "covered"),
    [
        ([(5, 3), (12, 5), (18, 9)], 20, 6.0, True),  # 2 + 4 within (10, 20]
        ([(10, 3), (12, 5), (18, 9)], 20, 6.0, True),  # the begin itself is before the window
        (
            [(11, 3), (12, 5), (18, 9)],
            20,
            6.0,
            False,
        ),  # the first ever is in the window: nothing before is known
        ([(5, 3), (17, 9)], 20, 6.0, False),  # the newest is not after 20 - 2.5
        ([(5, 3), (17.5, 9)], 20, 6.0, False),
        ([(5, 3), (17.6, 9)], 20, 6.0, True),
        ([(5, 3), (12, 2), (13, 3), (18, 5)], 20, 2.0, True),  # down to 2, back up to 3: nothing; then 2
        ([(5, 3), (9, 8)], 20, None, False),  # nothing in the window
        ([], 20, None, False),
        ([(1, 0), (15, 7)], 20, 7.0, False),  # told by the sample at 15, whenever it happened
    ],
)
def test_increase(points: list[tuple[float, float]], at: float, value: float | None, covered: bool) -> None:
    """Of one counter over ten minutes."""
    found = measured(increase(10), counts(*points), at)
    assert found == Measured(value, covered if value is not None else False)


def test_highest_of_the_run() -> None:
    """A decrease before the window lowers nothing: 10, then 4, then 12 is a rise of 2."""
    assert measured(increase(10), counts((1, 10), (5, 4), (15, 12)), 20).value == 2


def test_epochs() -> None:
    """What rises across a change of epoch is not counted, what rises within the new one is: 2 + 3."""
    samples = [
        *counts((5, 3), (12, 5)),
        sample(13, {"a.x": 50}, epoch="f"),
        sample(19, {"a.x": 53}, epoch="f"),
    ]
    assert measured(increase(10), samples, 20) == Measured(5, True)


def test_a_counter_that_appears_was_at_zero() -> None:
    """Within its epoch; and where the newest sample lacks it, nothing is known."""
    samples = [sample(5, {"a.y": 1}), sample(12, {"a.x": 4, "a.y": 1}), sample(18, {"a.x": 5})]
    assert measured(increase(10), samples, 20) == Measured(5, True)
    assert measured(increase(10, "a.y"), samples, 20).value is None
    assert measured(increase(10, "a.y", "a.x"), samples, 20) == Measured(5, True)
    assert measured(increase(10, "a.y", "a.z"), samples, 20).value is None


def test_late_samples_and_fast_clocks() -> None:
    """A late one takes its place in the chain once it has come; one of the future is of when it came."""
    late = sample(12, {"a.x": 8}, committed_at=19 * MINUTE)
    samples = [*counts((5, 3), (18, 8)), late]
    assert measured(increase(5), samples, 18).value == 5
    assert measured(increase(5), samples, 20).value == 0  # the rise was at 12
    fast = sample(99, {"a.x": 8}, committed_at=19 * MINUTE)
    assert measured(increase(5), [*counts((5, 3)), fast], 20).value == 5
    assert measured(increase(5), [*counts((5, 3)), fast], 18).value is None


def test_of_equal_times_the_later_one_counts() -> None:
    """In order of arrival: 3, then 7, then 5 at the same time; the way back up to 7 is no rise."""
    samples = [*counts((5, 3), (15, 7)), *counts((15, 5), (16, 7))]
    assert measured(increase(10), samples, 20).value == 4
    gauges = [sample(15, {"a.g": 1}), sample(15, {"a.g": 2})]
    assert measured(Compare(Gauge("a.g", "last", 10 * MINUTE), SOME), gauges, 20).value == 2


def test_delay() -> None:
    """The evaluation at 10 sees what was committed until 10:30, and of that what was taken until 10."""
    samples = [
        *counts((1, 0)),
        sample(9, {"a.x": 3}, committed_at=round(10.5 * MINUTE)),
        sample(10, {"a.x": 9}, committed_at=round(10.6 * MINUTE)),
        sample(10.1, {"a.x": 4}),
    ]
    assert measured(increase(9), samples, 10).value is None
    seen = look(rule(increase(9)), samples, 10, delay=30_000)
    assert seen.measured(increase(9), seen.things[0]).value == 3


@pytest.mark.parametrize(
    ("min_samples", "points", "value"),
    [
        (1, [(5, 0, 0), (15, 1, 4)], 0.25),
        (5, [(5, 0, 0), (15, 1, 4)], None),
        (4, [(5, 0, 0), (15, 1, 4)], 0.25),
        (0, [(5, 0, 0), (15, 1, 0)], None),
        (0, [(5, 0, 0), (15, 1, 0.5)], None),  # never by less than one
    ],
)
def test_ratio(min_samples: float, points: list[tuple[float, float, float]], value: float | None) -> None:
    """One increase by another, where that is enough."""
    samples = [sample(at, {"a.x": x, "a.y": y}) for at, x, y in points]
    ratio = Compare(Ratio(("a.x",), ("a.y",), 10 * MINUTE, min_samples), SOME)
    assert measured(ratio, samples, 20).value == value


@pytest.mark.parametrize(
    ("reduce", "over", "value"),
    [
        ("last", 10, 8.0),
        ("min", 10, 1.0),
        ("max", 10, 9.0),
        ("mean", 10, (9 + 1 + 8) / 3),  # steps of a minute: (11, 12], (12, 13], (18, 19]
        ("mean", 120, (1 + 9 + 1 + 8) / 4),  # steps of two minutes: (4, 6], (10, 12], (12, 14], (18, 20]
        ("last", 1, None),
    ],
)
def test_gauges(reduce: Any, over: int, value: float | None) -> None:
    """The newest of each step makes the mean; a sample without the gauge says nothing."""
    samples = [sample(at, {"a.g": level}) for at, level in [(5, 1), (11.5, 2), (12, 9), (13, 1), (18.5, 8)]]
    found = measured(Compare(Gauge("a.g", reduce, over * MINUTE), SOME), [*samples, sample(19.5, {})], 20)
    assert found == Measured(value, True)


@pytest.mark.parametrize(
    ("operator", "value", "covered", "truth"),
    [
        ("above", 1, False, False),
        ("above", 2, False, True),
        ("at least", 1, False, True),
        ("below", 0, False, None),
        ("below", 0, True, True),
        ("at most", 1, True, True),
        ("at most", 1, False, None),
        ("between", 3, True, True),
        ("between", 4, True, False),
        ("between", 2, False, None),
        ("above", None, True, None),
    ],
)
def test_comparisons(operator: Any, value: float | None, covered: bool, truth: bool | None) -> None:
    """With 1 (and 3): what is known in part may be enough already, but never little enough."""
    comparison = Comparison(operator, 1, 3 if operator == "between" else None)
    assert compared(Measured(value, covered), comparison) is truth
