"""The oracle itself, in small worlds whose results were worked out by hand (in the comments)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rules.rule import (
    ActiveDays,
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    Fluctuation,
    Gauge,
    Group,
    Increase,
    Leaf,
    Not,
    OneOf,
    OwnPast,
    Peers,
    Prefix,
    Ratio,
    Rule,
    RuleSet,
    ShareOfRobots,
    Silent,
    Text,
    TimeInterval,
    TimeSpans,
    Within,
)
from tests.rules.oracle import Oracle, Robots, Sample
from tests.rules.oracle import calendar as calendar
from tests.rules.oracle.filters import passes
from tests.rules.oracle.look import Look, compared
from tests.rules.oracle.records import Measured
from tests.rules.oracle.sight import begin_of, step_of

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


def days(tz: str, *points: tuple[float, float]) -> tuple[list[Sample], Robots]:
    """Samples of a.x (hours after MONDAY, value) of one robot in a zone."""
    samples = [sample((MONDAY + at * HOUR) / MINUTE, {"a.x": value}) for at, value in points]
    return samples, {"r0": {"tz": tz}}


@pytest.mark.parametrize(
    ("tz", "points", "hours", "value", "covered"),
    [
        # UTC, Wednesday noon: Monday and Tuesday; 3 on Monday, 2 on Tuesday
        ("UTC", [(-5, 0), (5, 3), (30, 5), (59, 5)], 60, 1, True),
        ("UTC", [(1, 0), (5, 3), (30, 6), (59, 6)], 60, 2, False),  # never heard before Monday
        ("UTC", [(-5, 0), (5, 3), (30, 6)], 60, 2, False),  # the newest is not after 60 - 12 hours
        ("UTC", [(-5, 0)], 60, None, False),  # nothing since Monday
        ("UTC", [(-5, 0), (0, 3), (59, 3)], 60, 1, True),  # midnight is of the new day
        # In Shanghai (UTC+8), Wednesday 20:00: Monday began at -8, so the 3 are of it, the 6 of Tuesday
        ("Asia/Shanghai", [(-9, 0), (-7, 3), (17, 9), (59, 9)], 60, 2, True),
        # In Berlin (UTC+2): Monday began at -2; it is still Sunday at -3
        ("Europe/Berlin", [(-9, 0), (-3, 3), (22, 9), (59, 9)], 60, 1, True),
        ("Mars/Olympus", [(-5, 0), (5, 3), (30, 6), (59, 6)], 60, 2, True),  # as UTC
    ],
)
def test_active_days(
    tz: str, points: list[tuple[float, float]], hours: float, value: float | None, covered: bool
) -> None:
    """Days with at least three, of the two whole local days before today."""
    samples, robots = days(tz, *points)
    leaf = Compare(ActiveDays(("a.x",), 3, 2), SOME)
    found = measured(leaf, samples, (MONDAY + hours * HOUR) / MINUTE, robots)
    assert found == Measured(value, covered)


def test_the_day_of_23_hours() -> None:
    """Sunday, 2026-03-29 in Berlin lasts from 23:00 UTC on Saturday to 22:00 UTC on Sunday."""
    at = MONDAY + 12 * HOUR
    zone = calendar.zone({"tz": "Europe/Berlin"})
    assert calendar.whole_days(at, 2, zone) == [
        (MONDAY - 49 * HOUR, MONDAY - 25 * HOUR),
        (MONDAY - 25 * HOUR, MONDAY - 2 * HOUR),
    ]


@pytest.mark.parametrize(
    ("points", "count", "value"),
    [
        ([(-5, 0), (5, 2), (30, 8)], 2, 0.5),  # 2 and 6: mean 4, deviation 2
        ([(-5, 0), (30, 8)], 2, 0.0),  # Monday was not heard: of Tuesday alone
        ([(5, 0), (30, 0)], 2, None),  # nothing at all
        ([(5, 0), (30, 8)], 5, None),  # two days of five
        ([(5, 0), (30, 8)], 4, 1.0),  # 0 and 8: mean 4, deviation 4
    ],
)
def test_fluctuation(points: list[tuple[float, float]], count: int, value: float | None) -> None:
    """On Wednesday noon, over so many days; days not heard do not count."""
    samples, robots = days("UTC", *points)
    leaf = Compare(Fluctuation(("a.x",), count), SOME)
    assert measured(leaf, samples, (MONDAY + 60 * HOUR) / MINUTE, robots) == Measured(value, True)


def silent(source: str, samples: Sequence[Sample], at: float, **changes: Any) -> float | None:
    """Minutes of silence of the first entity."""
    changes = {"listening": ((0, 10**12),), "lookback": 1000 * MINUTE, **changes}
    made = changes.pop("made", rule(Silent(source, MINUTE)))
    seen = look(made, samples, at, changes.pop("robots", ONE), **changes)
    found = seen.silence(Silent(source, MINUTE), seen.things[0])
    return None if found is None else found / MINUTE


def test_silence_of_a_robot() -> None:
    """From the last commit on, in time in which the collector listened."""
    samples = [sample(5, {}), sample(1, {}, committed_at=8 * MINUTE)]
    assert silent("robot", samples, 20) == 12
    assert silent("robot", samples, 20, listening=((0, 10 * MINUTE), (15 * MINUTE, 99 * MINUTE))) == 7
    assert silent("robot", samples, 4) is None
    assert silent("robot", samples, 20, lookback=12 * MINUTE) is None
    assert silent("robot", samples, 20, lookback=12 * MINUTE + 1) == 12
    assert silent("robot", [sample(20.2, {})], 20, delay=30_000) is None  # it is seen at 21


def test_silence_of_a_subsystem() -> None:
    """Until the robot itself was last heard; a sample that says it is down is no sign of it."""
    samples = [sample(5, {"a.up": 1}), sample(9, {"a.up": 0}), sample(12, {})]
    assert silent("a", samples, 20) == 7
    assert silent("a", samples, 10) == 4
    assert silent("b", samples, 20) is None


NOON = TimeInterval("noon", (TimeSpans((0, 1, 2, 3, 4), ((720, 780),)),))
NIGHT = TimeInterval("night", (TimeSpans((0,), ((1320, 120),)),))
EASTER = TimeInterval("easter", (TimeSpans(tuple(range(7)), (), (("2026-04-03", "2026-04-06"),)),))
INTERVALS = {interval.name: interval for interval in (NOON, NIGHT, EASTER)}


@pytest.mark.parametrize(
    ("name", "attributes", "hours", "inside"),
    [
        ("noon", {}, 12, True),
        ("noon", {}, 13, False),
        ("noon", {}, 11.99, False),
        ("noon", {}, -12, False),  # Sunday
        ("noon", {"tz": "Asia/Shanghai"}, 4, True),
        ("noon", {"tz": "Europe/Berlin"}, 10, True),
        ("night", {}, 22, True),
        ("night", {}, 25.9, True),  # Tuesday 1:54 is of Monday's night
        ("night", {}, 26, False),
        ("night", {}, 1, False),  # Sunday's night is none
        ("easter", {}, 4 * 24, True),
        ("easter", {}, 8 * 24 - 0.1, True),
        ("easter", {}, 8 * 24, False),
        ("open_hours", {}, 3, True),
        ("open_hours", {"open_hours": "24/7"}, 3, True),
        ("open_hours", {"open_hours": "whenever"}, 3, True),
        ("open_hours", {"open_hours": "mo-fr 09:00-18:00; sa,su 10:00-16:00"}, 8.9, False),
        ("open_hours", {"open_hours": "mo-fr 09:00-18:00; sa,su 10:00-16:00"}, 9, True),
        ("open_hours", {"open_hours": "mo-fr 09:00-18:00; sa,su 10:00-16:00"}, -9, True),  # Sunday 15:00
        ("open_hours", {"open_hours": "mo-fr 09:00-18:00; sa,su 10:00-16:00"}, -8, False),
        ("open_hours", {"open_hours": "22:00-02:00"}, 1, True),
        ("open_hours", {"open_hours": "22:00-02:00"}, 2, False),
        ("open_hours", {"open_hours": "mo 22:00-02:00"}, 25, True),
        ("open_hours", {"open_hours": "mo 22:00-02:00"}, 1, False),
        ("open_hours", {"open_hours": "fr-mo 01:00-02:00,03:00-04:00"}, 1.5, True),
        ("open_hours", {"open_hours": "fr-mo 01:00-02:00,03:00-04:00"}, 2.5, False),
        ("open_hours", {"open_hours": "fr-mo 01:00-02:00,03:00-04:00"}, 27.5, False),
        ("open_hours", {"open_hours": "01:00-25:00"}, 0, True),
        ("open_hours", {"open_hours": "24/7", "holidays": "2026-03-29, 2026-03-30"}, 3, False),
        ("open_hours", {"open_hours": "24/7", "holidays": "2026-03-29 2026-03-31"}, 3, True),
        ("open_hours", {"open_hours": "24/7", "holidays": "2026-03-30", "tz": "Asia/Shanghai"}, 17, True),
    ],
)
def test_intervals(name: str, attributes: dict[str, str], hours: float, inside: bool) -> None:
    """Whether so many hours after Monday, 0:00 UTC lie in it, by the robot's own clock."""
    assert calendar.in_any([name], INTERVALS, attributes, round(MONDAY + hours * HOUR)) is inside


@pytest.mark.parametrize(
    ("names", "attributes", "hours", "begin"),
    [
        (["noon"], {}, 12.5, 12),
        (["noon"], {}, 12, 12),
        (["night"], {}, 25, 22),
        (["noon", "open_hours"], {"open_hours": "13:00-14:00"}, 13.5, 12),  # what touches is one period
        (["open_hours"], {"open_hours": "24/7"}, 12, -100),
        (["open_hours"], {"open_hours": "24/7", "holidays": "2026-03-29"}, 12, 0),
        (["open_hours"], {"open_hours": "00:00-24:00", "holidays": "2026-03-29"}, 12, 0),
        # In Berlin, the 29th at 1:00 UTC the clock goes from 2:00 to 3:00: 2:30 never comes
        (["open_hours"], {"open_hours": "02:30-09:00", "tz": "Europe/Berlin"}, -20, -23),
        (["open_hours"], {"open_hours": "01:30-09:00", "tz": "Europe/Berlin"}, -20, -23.5),
    ],
)
def test_begin_of_a_period(names: list[str], attributes: dict[str, str], hours: float, begin: float) -> None:
    """In hours after Monday, 0:00 UTC; -100 where it began before that."""
    at, floor = round(MONDAY + hours * HOUR), MONDAY - 100 * HOUR
    assert calendar.begin_of_period(names, INTERVALS, attributes, at, floor) == MONDAY + begin * HOUR


def test_silence_counts_from_opening() -> None:
    """At 12:30 noon is 30 minutes old, however long nothing was heard."""
    made = rule(Silent("robot", MINUTE), active_intervals=("open_hours",))
    robots: Robots = {"r0": {"open_hours": "12:00-13:00"}}
    samples = [sample(60, {"a.up": 1}), sample(12 * 60 + 20, {})]
    settings: dict[str, Any] = {"robots": robots, "made": made, "lookback": DAY}
    assert silent("robot", samples[:1], 12 * 60 + 30, **settings) == 30
    assert silent("robot", samples, 12 * 60 + 30, **settings) == 10
    assert silent("a", samples, 12 * 60 + 30, **settings) == 20
    assert silent("robot", [], 12 * 60 + 30, **settings) is None


def test_not_judged_is_kept() -> None:
    """Outside its hours a signal stays; `for` goes on by the clock on the wall."""
    hours: Robots = {"r0": {"open_hours": "00:00-00:05; 00:08-00:20"}}
    made = rule(increase(3), for_ms=6 * MINUTE, active_intervals=("open_hours",))
    samples = counts(*((minute, minute) for minute in range(1, 30)))
    assert [(s.at // MINUTE, s.after) for s in oracle(made, samples, hours).run(0, 10 * MINUTE)] == [
        (2, "pending"),
        (8, "firing"),
    ]
    mute = replace(made, active_intervals=(), mute_intervals=("open_hours",), for_ms=0)
    assert [s.at // MINUTE for s in oracle(mute, samples, hours).run(0, 10 * MINUTE)] == [5]


@pytest.mark.parametrize(
    ("where", "attributes", "inside"),
    [
        ((), {}, True),
        ((), {"lifecycle": "retired"}, False),
        ((OneOf("lifecycle", ("retired",)),), {"lifecycle": "retired"}, True),
        ((OneOf("industry", ("bank", "ktv")),), {"industry": "ktv"}, True),
        ((OneOf("industry", ("bank", "ktv")),), {}, False),
        ((OneOf("floor", ("3", "ground")),), {"floor": 3.0}, True),
        ((OneOf("floor", ("4", "ground")),), {"floor": 3.0}, False),
        ((Prefix("model", "k"),), {"model": "kiwi"}, True),
        ((Prefix("model", "k"),), {"model": 3.0}, False),
        ((Within("floor", None, 3),), {"floor": 3.0}, True),
        ((Within("floor", 4, None),), {"floor": 3.0}, False),
        ((Within("floor", 0, 3),), {"floor": "3"}, False),
        ((Within("days_since_install", 7, 7),), {"installed_on": "2026-03-23"}, True),
        ((Within("days_since_install", 7, 7),), {"installed_on": "2026-03-22"}, False),
        (
            (Within("days_since_install", 7, 7),),
            {"installed_on": "2026-03-23", "tz": "America/New_York"},
            False,
        ),
        ((Within("days_since_install", 0, 70),), {"installed_on": "soon"}, False),
    ],
)
def test_filters(where: Any, attributes: dict[str, str | float], inside: bool) -> None:
    """On Monday, 2026-03-30, 1:00 UTC."""
    assert passes(where, attributes, MONDAY + HOUR) is inside


def several(*points: tuple[str, float, float]) -> list[Sample]:
    """Samples of a.x: robot, minute, value."""
    return [sample(at, {"a.x": value}, robot=robot) for robot, at, value in points]


HALL: Robots = {
    "r0": {"customer": "c", "industry": "ktv"},
    "r1": {"site": "hall", "customer": "c", "industry": "ktv"},
    "r2": {"site": "bank", "industry": "ktv"},
    "r3": {"site": "hall", "lifecycle": "retired", "industry": "bank"},
    "r4": {"site": "hall", "industry": "ktv"},
}


def test_entities() -> None:
    """In order of their first robots; retired ones do not count, nor make a site one that is inside."""
    seen = look(rule(increase(10), entity="site"), [], 20, HALL)
    assert [(t.id, [r.robot for r in t.robots], t.inside) for t in seen.things] == [
        ("hall", ["r1", "r4"], True),
        ("bank", ["r2"], True),
    ]
    assert [thing.attributes.get("industry") for thing in seen.things] == ["ktv", "ktv"]
    retired = rule(increase(10), entity="site", where=(OneOf("lifecycle", ("retired",)),))
    seen = look(retired, [], 20, HALL)
    assert [(t.id, t.inside) for t in seen.things] == [("hall", True), ("bank", False)]
    assert [t.id for t in look(rule(increase(10), entity="customer"), [], 20, HALL).things] == ["c"]


def test_sums_over_a_site() -> None:
    """Of the robots that know: r1 rose by 2, r4 by 3; covered only where both are."""
    known = several(("r1", 5, 0), ("r3", 5, 0), ("r1", 18, 2), ("r3", 18, 100))
    assert measured(increase(10), known, 20, HALL, entity="site") == Measured(2, True)
    both = [*known, *several(("r4", 11, 0), ("r4", 18, 3))]
    assert measured(increase(10), both, 20, HALL, entity="site") == Measured(5, False)
    assert measured(increase(10), [], 20, HALL, entity="site").value is None


def test_days_of_a_site() -> None:
    """Each robot has its own midnight: 3 each on Monday are 6, on Tuesday 2."""
    robots: Robots = {"r0": {"site": "s"}, "r1": {"site": "s", "tz": "Asia/Shanghai"}}
    start = MONDAY / MINUTE
    samples = several(
        *(("r0", start + at * 60, value) for at, value in [(-1, 0), (1, 3), (30, 5), (59, 5)]),
        *(("r1", start + at * 60, value) for at, value in [(-9, 0), (-7, 3), (59, 3)]),
    )
    at = start + 60 * 60
    active = Compare(ActiveDays(("a.x",), 3, 2), SOME)
    assert measured(active, samples, at, robots, entity="site") == Measured(1, True)
    fluctuation = Compare(Fluctuation(("a.x",), 2), SOME)
    assert measured(fluctuation, samples, at, robots, entity="site").value == 0.5  # 6 and 2


def test_silence_of_a_site() -> None:
    """The least of its robots'; those never heard are left out."""
    samples = several(("r1", 5, 0), ("r2", 17, 0), ("r3", 18, 0))
    made = rule(Silent("robot", MINUTE), entity="site")
    assert silent("robot", samples, 20, robots=HALL, made=made) == 15
    assert silent("robot", [*samples, *several(("r4", 12, 0))], 20, robots=HALL, made=made) == 8


@pytest.mark.parametrize(
    ("min_robots", "known", "share"),
    [(1, 3, 1 / 3), (3, 3, 1 / 3), (4, 3, None), (0, 0, None), (1, 1, 1.0)],
)
def test_share_of_robots(min_robots: int, known: int, share: float | None) -> None:
    """Robots of which it holds, of those of which it is known: only r0 rose."""
    robots: Robots = {f"r{number}": {"site": "s"} for number in range(4)}
    points = [point for n in range(known) for point in ((f"r{n}", 5, 0), (f"r{n}", 18, 1 if n == 0 else 0))]
    leaf = ShareOfRobots(increase(10), min_robots, SOME)
    assert measured(leaf, several(*points), 20, robots, entity="site").value == share


PEERS: Robots = {
    **{f"r{number}": {"industry": "ktv", "scene": "tour"} for number in range(3)},
    **{f"r{number}": {"industry": "ktv", "scene": "bar"} for number in range(3, 5)},
    "r5": {"industry": "bank"},
    "r6": {"industry": "bank", "lifecycle": "retired"},
}


@pytest.mark.parametrize(
    ("me", "min_peers", "z", "percentile"),
    [
        # increases: r0..r5 are 1 2 4 10 20 40, r6 (retired) 80
        ("r0", 3, 0.6745 * (1 - 2) / 1, 0.0),  # among 1 2 4: median 2, deviations 1 0 2
        ("r2", 3, 0.6745 * (4 - 2) / 1, 1.0),
        ("r3", 2, 0.6745 * (10 - 15) / 5, 0.0),  # among 10 20
        ("r3", 3, 0.6745 * (10 - 4) / 3, 0.75),  # among 1 2 4 10 20: deviations 3 2 0 6 16
        ("r5", 3, None, None),  # nobody is of its industry: who shares nothing is no peer
        ("r6", 3, None, None),
    ],
)
def test_peers(me: str, min_peers: int, z: float | None, percentile: float | None) -> None:
    """Of the same industry and scene, else of the industry, else nobody."""
    values = dict(zip(PEERS, [1, 2, 4, 10, 20, 40, 80], strict=True))
    points = [point for robot, value in values.items() for point in ((robot, 5, 0), (robot, 18, value))]
    leaf = Peers(Increase(("a.x",), 10 * MINUTE), ("industry", "scene"), min_peers, "robust_z", SOME)
    for peers, expected in ((leaf, z), (replace(leaf, statistic="percentile"), percentile)):
        seen = look(rule(peers), several(*points), 20, PEERS)
        thing = next(thing for thing in seen.things if thing.id == me)
        assert seen.measured(peers, thing).value == (None if expected is None else pytest.approx(expected))


def test_peers_that_are_not_covered_do_not_count() -> None:
    """r2's window is known in part only: 1 and 2 are too few for three."""
    points = [("r0", 5, 0), ("r1", 5, 0), ("r2", 11, 0), ("r0", 18, 1), ("r1", 18, 2), ("r2", 18, 4)]
    leaf = Peers(Increase(("a.x",), 10 * MINUTE), (), 3, "robust_z", SOME)
    assert measured(leaf, several(*points), 20, PEERS).value is None
    assert measured(replace(leaf, min_peers=2), several(*points), 20, PEERS).value == pytest.approx(-0.6745)


def test_equals_among_peers() -> None:
    """Nobody differs: the spread has a floor, and half of the equals are below."""
    points = [point for n in range(3) for point in ((f"r{n}", 5, 0), (f"r{n}", 18, 7))]
    leaf = Peers(Increase(("a.x",), 10 * MINUTE), (), 3, "robust_z", SOME)
    assert measured(leaf, several(*points), 20, PEERS).value == 0
    assert measured(replace(leaf, statistic="percentile"), several(*points), 20, PEERS).value == 0.5


WEEK = 7 * 24 * 60  # minutes


@pytest.mark.parametrize(
    ("weeks", "points", "change"),
    [
        # two hours before WEEK * 3 + 120; hourly; last week 4, the week before 8, now 3
        (1, [(0, 0), (WEEK + 60, 8), (2 * WEEK + 60, 12), (3 * WEEK + 110, 15)], 3 / 4 - 1),
        (2, [(0, 0), (WEEK + 60, 8), (2 * WEEK + 60, 12), (3 * WEEK + 110, 15)], 3 / 6 - 1),
        (4, [(0, 0), (WEEK + 60, 8), (2 * WEEK + 60, 12), (3 * WEEK + 110, 15)], 3 / ((0 + 8 + 4) / 3) - 1),
        (2, [(2 * WEEK, 0), (2 * WEEK + 60, 4), (3 * WEEK + 110, 7)], 3 / 4 - 1),  # one of two is enough
        (4, [(2 * WEEK, 0), (2 * WEEK + 60, 4), (3 * WEEK + 110, 7)], None),
        (1, [(0, 0), (2 * WEEK + 121, 4), (3 * WEEK + 110, 7)], None),  # nothing in the past window
        (1, [(0, 0), (2 * WEEK + 60, 4), (3 * WEEK + 30, 7)], None),  # not covered to its end
        (1, [(0, 0), (2 * WEEK + 60, 4)], None),
    ],
)
def test_own_past(weeks: int, points: list[tuple[float, float]], change: float | None) -> None:
    """Two hours, against the same two hours of past weeks."""
    leaf = OwnPast(Increase(("a.x",), 2 * HOUR), weeks, SOME)
    found = measured(leaf, counts(*points), 3 * WEEK + 120)
    assert found.value == (None if change is None else pytest.approx(change))


def test_own_past_of_a_ratio() -> None:
    """A past window with too little in it is not known: 1/2 now, 1/4 two weeks ago."""
    points = [(0, 0, 0), (WEEK + 60, 1, 4), (2 * WEEK + 60, 2, 5), (3 * WEEK + 110, 4, 9)]
    samples = [sample(at, {"a.x": x, "a.y": y}) for at, x, y in points]
    leaf = OwnPast(Ratio(("a.x",), ("a.y",), 2 * HOUR, 3), 2, SOME)
    assert measured(leaf, samples, 3 * WEEK + 120).value == 1.0


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


def test_robust_z_has_a_floor() -> None:
    """A twentieth of the median: of 100 100 100 101 the last is 0.6745 / 5."""
    points = [p for n, v in enumerate([100, 100, 100, 101]) for p in ((f"r{n}", 5, 0), (f"r{n}", 18, v))]
    leaf = Peers(Increase(("a.x",), 10 * MINUTE), (), 3, "robust_z", SOME)
    seen = look(rule(leaf), several(*points), 20, PEERS)
    value = seen.measured(leaf, seen.things[3]).value
    assert value is not None
    assert math.isclose(value, 0.6745 / 5)
