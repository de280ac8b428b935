"""The oracle of days, silence and opening hours, worked out by hand."""

from dataclasses import replace
from typing import Any

import pytest

from rules.rule import (
    ActiveDays,
    Compare,
    Fluctuation,
    Silent,
    TimeInterval,
    TimeSpans,
)
from tests.rules.oracle import Robots, Sample
from tests.rules.oracle import calendar as calendar
from tests.rules.oracle.records import Measured
from tests.rules.small import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    SOME,
    counts,
    increase,
    measured,
    oracle,
    rule,
    sample,
    silent,
)


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
