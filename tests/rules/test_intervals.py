"""Time intervals and local days against plain zoneinfo code, minute by minute."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.intervals import UNBOUNDED, Calendar, LocalDays, parse_holidays, parse_open_hours
from rules.roster import Robot, Roster
from rules.rule import OPEN_HOURS, TimeInterval, TimeSpans

MINUTE = 60_000
DAY = 86_400_000
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Shanghai",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "America/St_Johns",
    "UTC",
)
EVERY_DAY = tuple(range(7))


def ms(text: str, zone: str = "UTC") -> int:
    """A time on the clock of a zone."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1_000)


def inside(spans: tuple[TimeSpans, ...], zone: str, at: int, closed: frozenset[date] = frozenset()) -> bool:
    """The oracle: whether the clock shows a time of the spans."""
    local = datetime.fromtimestamp(at / 1_000, ZoneInfo(zone))
    minute = local.hour * 60 + local.minute + (local.second / 60)
    today = local.date()
    if today in closed:
        return False
    for day, shown in ((today, minute), (today - timedelta(days=1), minute + 1_440)):
        for span in spans:
            dated = not span.dates or any(a <= day.isoformat() <= b for a, b in span.dates)
            for since, until in span.times or ((0, 1_440),):
                end = until if until > since else until + 1_440
                if day.weekday() in span.weekdays and dated and since <= shown < end:
                    return True
    return False


def began(spans: tuple[TimeSpans, ...], zone: str, at: int, limit: int) -> int | None:
    """The oracle: since when without a break, looking back minute by minute."""
    minute = at // MINUTE * MINUTE
    while inside(spans, zone, minute - MINUTE):
        minute -= MINUTE
        if minute < at - limit:
            return None
    return minute


def state(spans: tuple[TimeSpans, ...], zone: str, ticks: list[int]) -> tuple[list[bool], list[int]]:
    """What the calendar says of one robot."""
    calendar = Calendar([TimeInterval("some", spans)], Roster([Robot("r", {"tz": zone})]))
    found, begin = calendar.state(("some",), np.array(ticks), np.array([0]))
    return found[:, 0].tolist(), begin[:, 0].tolist()


def is_open(attributes: Mapping[str, str | float], at: str, zone: str = "Asia/Shanghai") -> bool:
    """Whether a robot with these attributes is inside `open_hours` at that local time."""
    calendar = Calendar([], Roster([Robot("r", {"tz": zone, **attributes})]))
    return bool(calendar.state((OPEN_HOURS,), np.array([ms(at, zone)]), np.array([0]))[0][0, 0])


_minutes = st.integers(0, 1_439)
_spans = st.builds(
    TimeSpans,
    st.sets(st.sampled_from(EVERY_DAY), min_size=1).map(lambda days: tuple(sorted(days))),
    st.lists(st.tuples(_minutes, st.integers(0, 1_440)), max_size=2).map(tuple),
    st.sampled_from([(), (("2025-03-25", "2025-04-02"), ("2025-10-20", "2025-11-05"))]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_spans, min_size=1, max_size=3).map(tuple),
    st.sampled_from(ZONES),
    st.sampled_from(["2025-03-08", "2025-03-29", "2025-04-05", "2025-10-05", "2025-10-25", "2025-11-01"]),
    st.lists(st.integers(0, 3 * DAY), min_size=1, max_size=8),
)
def test_inside_is_what_the_clock_shows(
    spans: tuple[TimeSpans, ...], zone: str, day: str, after: list[int]
) -> None:
    """Round the days on which clocks change, over midnight, with dates: inside, and since when."""
    ticks = [ms(day) + at for at in after]
    found, begin = state(spans, zone, ticks)
    assert found == [inside(spans, zone, at) for at in ticks]
    for at, is_in, since in zip(ticks, found, begin, strict=True):
        expected = began(spans, zone, at, 9 * DAY) if is_in else UNBOUNDED
        assert since == expected or (expected is None and since < at - 9 * DAY)


@pytest.mark.parametrize(
    ("spans", "at", "since"),
    [
        ((TimeSpans(EVERY_DAY, ((1_320, 120),)),), "2026-05-05T01:30", "2026-05-04T22:00"),
        (
            (TimeSpans((0,), ((1_320, 1_440),)), TimeSpans((1,), ((0, 300),))),
            "2026-05-05T04:00",
            "2026-05-04T22:00",
        ),
        ((TimeSpans(EVERY_DAY, ()),), "2026-05-05T04:00", None),
        (
            (TimeSpans(EVERY_DAY, (), (("2026-02-01", "2026-06-30"),)),),
            "2026-06-05T04:00",
            "2026-02-01T00:00",
        ),
        ((TimeSpans(EVERY_DAY, (), (("2024-01-01", "2027-01-01"),)),), "2026-06-05T04:00", None),
        ((TimeSpans((5, 6), ()),), "2026-05-03T12:00", "2026-05-02T00:00"),
    ],
)
def test_periods_are_joined(spans: tuple[TimeSpans, ...], at: str, since: str | None) -> None:
    """Over midnight, over spans, over months; None: nobody knows since when."""
    zone = "Asia/Shanghai"
    expected = UNBOUNDED if since is None else ms(since, zone)
    assert state(spans, zone, [ms(at, zone)]) == ([True], [expected])


def test_periods_are_joined_over_names() -> None:
    """What is inside one interval or the next is one period."""
    day, night = TimeSpans(EVERY_DAY, ((480, 1_200),)), TimeSpans(EVERY_DAY, ((1_200, 1_380),))
    calendar = Calendar([TimeInterval("day", (day,)), TimeInterval("night", (night,))], Roster([Robot("r")]))
    at, row = np.array([ms("2026-05-05T21:00")]), np.array([0])
    assert calendar.state(("night",), at, row)[1].tolist() == [[ms("2026-05-05T20:00")]]
    assert calendar.state(("day", "night"), at, row)[1].tolist() == [[ms("2026-05-05T08:00")]]


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        ("mo-fr 09:00-18:00; sa,su 10:00-16:00", "2026-05-08T17:59", True),
        ("mo-fr 09:00-18:00; sa,su 10:00-16:00", "2026-05-08T18:00", False),
        ("mo-fr 09:00-18:00; sa,su 10:00-16:00", "2026-05-09T09:59", False),
        ("mo-fr 09:00-18:00; sa,su 10:00-16:00", "2026-05-09T10:00", True),
        ("Mo-Fr 09:00-12:00, 13:00-18:00", "2026-05-08T12:30", False),
        ("fr 22:00-02:00", "2026-05-09T01:59", True),
        ("fr 22:00-02:00", "2026-05-08T01:59", False),
        ("sa-mo 00:00-24:00", "2026-05-10T23:59", True),
        ("09:00-18:00", "2026-05-10T09:00", True),
        ("fr 08:00-08:00", "2026-05-09T07:59", True),
        ("24/7", "2026-05-10T03:00", True),
        ("whenever we like", "2026-05-10T03:00", True),
    ],
)
def test_open_hours(hours: str, at: str, expected: bool) -> None:
    """What a site's hours mean; what cannot be read is always open."""
    assert is_open({"open_hours": hours}, at) is expected


@pytest.mark.parametrize(
    ("attributes", "at", "expected"),
    [
        ({"open_hours": "09:00-18:00", "holidays": "2026-10-01 2026-10-02"}, "2026-10-02T12:00", False),
        ({"open_hours": "09:00-18:00", "holidays": "2026-10-01,2026-10-02"}, "2026-10-03T12:00", True),
        ({"open_hours": "22:00-04:00", "holidays": "2026-10-01"}, "2026-10-01T02:00", False),
        ({"open_hours": "22:00-04:00", "holidays": "2026-10-01"}, "2026-10-02T02:00", True),
        ({"open_hours": "24/7", "holidays": "2026-10-01"}, "2026-10-01T12:00", False),
        ({"open_hours": "09:00-18:00", "holidays": "soon"}, "2026-10-02T03:00", False),
        ({"open_hours": "09:00-18:00", "holidays": "soon 2026-10-02"}, "2026-10-02T12:00", False),
        ({"open_hours": 9.0}, "2026-10-02T03:00", True),
        ({"holidays": "2026-10-01"}, "2026-10-01T12:00", True),
        ({}, "2026-10-01T12:00", True),
    ],
)
def test_holidays(attributes: Mapping[str, str | float], at: str, expected: bool) -> None:
    """On a holiday a site with hours is closed; one without hours is always open; no day closes nothing."""
    assert is_open(attributes, at) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "mo",
        "mo 9-18",
        "xx 09:00-18:00",
        "mo-tu-we 09:00-18:00",
        "mo 09:60-18:00",
        "24:00-02:00",
        "mo 09:00-25:00",
        "mo 09:00-18:00,",
        "mo 09:00-18:00 off",
        "8/7",
    ],
)
def test_hours_that_cannot_be_read(text: str) -> None:
    """One clear line."""
    with pytest.raises(ValueError, match=r"^open_hours.*(such as|00:00|use mo)") as caught:
        parse_open_hours(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["tomorrow", "20261001", "2026-13-01", "2026-10-01 2026-02-30"])
def test_holidays_that_cannot_be_read(text: str) -> None:
    """The day is named."""
    with pytest.raises(ValueError, match=r"holidays: '.*' is no day; write such as 2026-10-01"):
        parse_holidays(text)


def test_robots_have_clocks_and_hours_of_their_own() -> None:
    """One call for many robots and times, some of them asked for twice."""
    robots = [
        Robot("a", {"tz": "Asia/Shanghai", "open_hours": "09:00-18:00"}),
        Robot("b", {"tz": "Europe/Berlin", "open_hours": "09:00-18:00"}),
        Robot("c", {"tz": "Nowhere/Land"}),
        Robot("d", {"tz": "Asia/Shanghai", "open_hours": "09:00-18:00"}),
    ]
    ticks = np.array([ms("2026-05-05T02:00"), ms("2026-05-05T08:00"), ms("2026-07-01T09:59")])
    found, begin = Calendar([], Roster(robots)).state((OPEN_HOURS,), ticks, np.array([3, 0, 1, 2]))
    assert found.tolist() == [
        [True, True, False, True],
        [True, True, True, True],
        [True, True, True, True],
    ]
    assert begin[1].tolist() == [
        ms("2026-05-05T01:00"),
        ms("2026-05-05T01:00"),
        ms("2026-05-05T07:00"),
        UNBOUNDED,
    ]


def test_an_unknown_interval_is_refused() -> None:
    """The loader lets none through; here it is an error."""
    with pytest.raises(KeyError, match="lunch"):
        Calendar([], Roster([Robot("r")])).state(("lunch",), np.array([0]), np.array([0]))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=4),
    st.lists(st.integers(ms("1971-01-01"), ms("2040-01-01")), min_size=1, max_size=6),
)
def test_local_days(zones: list[str], times: list[int]) -> None:
    """The day of a time, and when a day begins, are those of zoneinfo."""
    days = LocalDays(Roster([Robot(f"r{number}", {"tz": zone}) for number, zone in enumerate(zones)]))
    row = np.array([number % len(zones) for number in range(len(times))])
    found = days.day_of(np.array(times), row)
    begins = days.midnight(found, row)
    for at, number, day, begin in zip(times, row, found.tolist(), begins.tolist(), strict=True):
        zone = ZoneInfo(zones[number])
        local = datetime.fromtimestamp(at // 1_000, zone).date()
        assert date(1970, 1, 1) + timedelta(days=day) == local
        assert begin == round(datetime.combine(local, time(), zone).timestamp() * 1_000)


@pytest.mark.parametrize("zone", ZONES)
def test_every_day_of_two_years(zone: str) -> None:
    """No change of a clock is missed, and days follow one another."""
    days = LocalDays(Roster([Robot("r", {"tz": zone})]))
    first = date(2025, 1, 1)
    numbers = np.arange(800) + (first - date(1970, 1, 1)).days
    begins = days.midnight(numbers, np.zeros(800, dtype=np.intp)).tolist()
    dates = [first + timedelta(days=day) for day in range(800)]
    assert begins == [
        round(datetime.combine(day, time(), ZoneInfo(zone)).timestamp() * 1_000) for day in dates
    ]
    assert all(23 * 60 * MINUTE <= later - earlier <= 25 * 60 * MINUTE for earlier, later in pairwise(begins))


def test_shapes_are_those_asked_for() -> None:
    """A day a row, or many days for each of some rows."""
    days = LocalDays(Roster([Robot("a", {"tz": "Asia/Shanghai"}), Robot("b")]))
    asked = np.array([[0, 1, 2], [0, 1, 2]])
    begins = days.midnight(asked, np.array([[0], [1]]))
    assert begins.tolist() == [[day * DAY - 8 * 60 * MINUTE for day in (0, 1, 2)], [0, DAY, 2 * DAY]]
    assert datetime.fromtimestamp(0, UTC).date() == date(1970, 1, 1)
