"""The oracle of sites, customers, peers and the past, worked out by hand."""

import math
from dataclasses import replace
from typing import Any

import pytest

from rules.rule import (
    ActiveDays,
    Compare,
    Fluctuation,
    Increase,
    OneOf,
    OwnPast,
    Peers,
    Prefix,
    Ratio,
    ShareOfRobots,
    Silent,
    Within,
)
from tests.rules.oracle import Robots
from tests.rules.oracle import calendar as calendar
from tests.rules.oracle.filters import passes
from tests.rules.oracle.records import Measured
from tests.rules.small import (
    HOUR,
    MINUTE,
    MONDAY,
    SOME,
    counts,
    increase,
    look,
    measured,
    rule,
    sample,
    several,
    silent,
)


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


def test_robust_z_has_a_floor() -> None:
    """A twentieth of the median: of 100 100 100 101 the last is 0.6745 / 5."""
    points = [p for n, v in enumerate([100, 100, 100, 101]) for p in ((f"r{n}", 5, 0), (f"r{n}", 18, v))]
    leaf = Peers(Increase(("a.x",), 10 * MINUTE), (), 3, "robust_z", SOME)
    seen = look(rule(leaf), several(*points), 20, PEERS)
    value = seen.measured(leaf, seen.things[3]).value
    assert value is not None
    assert math.isclose(value, 0.6745 / 5)
