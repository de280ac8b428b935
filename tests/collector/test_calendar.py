"""Working time: by hand, against a slow clock that looks at every minute, and its two halves together."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.calendar import WorkCalendar

HOUR = 3_600_000
MINUTE = 60_000
ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"]
BUSY = st.builds(
    WorkCalendar,
    tz=st.sampled_from(ZONES),
    hours=st.sampled_from(
        ["mo-fr 09:00-18:00", "mo-su 22:00-06:00", "sa,su 00:00-24:00; we 01:00-03:30", "24/7"]
    ),
    holidays=st.sampled_from([None, "2026-03-29", "2026-10-24 2026-10-25"]),
)
# Around the days on which clocks of these zones are put forward and back.
MOMENTS = st.sampled_from(["2026-03-27", "2026-04-03", "2026-10-23", "2026-10-30"]).flatmap(
    lambda day: st.integers(0, 4 * 24 * 60).map(lambda minutes: at(f"{day}T00:00+00:00") + minutes * MINUTE)
)


def at(text: str) -> int:
    """A time in ms UTC."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def is_worked(calendar: WorkCalendar, ms: int) -> bool:
    """The slow clock: what does the wall show at this moment?"""
    wall = datetime.fromtimestamp(ms / 1_000, UTC).astimezone(ZoneInfo(calendar.tz or "UTC"))
    if wall.date().isoformat() in (calendar.holidays or "").split():
        return False
    minute, day = wall.hour * 60 + wall.minute, wall.weekday()
    match calendar.hours:
        case "24/7":
            return True
        case "mo-su 22:00-06:00":
            return minute >= 22 * 60 or minute < 6 * 60
        case "sa,su 00:00-24:00; we 01:00-03:30":
            return day >= 5 or (day == 2 and 60 <= minute < 210)
    return day < 5 and 540 <= minute < 1080


@pytest.mark.parametrize(
    ("begin", "hours", "end"),
    [
        ("2026-11-23T09:00+08:00", 2, "2026-11-23T11:00+08:00"),
        ("2026-11-27T17:00+08:00", 2, "2026-11-30T10:00+08:00"),  # Friday evening to Monday
        ("2026-11-28T12:00+08:00", 9, "2026-11-30T18:00+08:00"),  # a weekend does not count
        ("2026-11-23T03:00+08:00", 0, "2026-11-23T03:00+08:00"),
        ("2026-09-30T17:00+08:00", 2, "2026-10-05T10:00+08:00"),  # two days of holidays, then a weekend
    ],
)
def test_deadlines_by_hand(begin: str, hours: int, end: str) -> None:
    """Nights, weekends and holidays do not count."""
    calendar = WorkCalendar("Asia/Shanghai", None, "2026-10-01 2026-10-02")
    assert calendar.add(at(begin), hours * HOUR) == at(end)
    assert calendar.between(at(begin), at(end)) == hours * HOUR


@pytest.mark.parametrize(("day", "worked"), [("2026-03-29", 7), ("2026-10-25", 9), ("2026-06-07", 8)])
def test_a_night_in_which_the_clock_is_changed(day: str, worked: int) -> None:
    """From 22:00 to 06:00 are seven hours in spring and nine in autumn."""
    calendar = WorkCalendar("Europe/Berlin", "mo-su 22:00-06:00")
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    begin = round((noon - timedelta(hours=14)).timestamp() * 1_000) - 2 * HOUR
    assert calendar.between(begin, round(noon.timestamp() * 1_000)) == worked * HOUR


@given(calendar=BUSY, begin=MOMENTS, minutes=st.integers(0, 2 * 24 * 60))
def test_between_is_what_a_slow_clock_counts(calendar: WorkCalendar, begin: int, minutes: int) -> None:
    """Working time is the minutes in which the wall clock shows a working time."""
    end = begin + minutes * MINUTE
    counted = sum(is_worked(calendar, ms) for ms in range(begin, end, MINUTE))
    assert calendar.between(begin, end) == counted * MINUTE


@given(calendar=BUSY, begin=MOMENTS, ms=st.integers(0, 80 * HOUR))
def test_add_is_the_first_moment(calendar: WorkCalendar, begin: int, ms: int) -> None:
    """So much has passed by then, and not a moment before."""
    end = calendar.add(begin, ms)
    assert calendar.between(begin, end) == ms
    assert end == begin or calendar.between(begin, end - 1) == ms - 1


@given(calendar=BUSY, begin=MOMENTS, parts=st.lists(st.integers(0, 30 * HOUR), max_size=4))
def test_parts_add_up(calendar: WorkCalendar, begin: int, parts: list[int]) -> None:
    """One after the other is the same as all at once."""
    end = begin
    for part in parts:
        end = calendar.add(end, part)
    assert end == calendar.add(begin, sum(parts))


def test_open_at_is_now_or_the_next_opening() -> None:
    """A moment that is worked is its own; another leads to the next morning."""
    calendar = WorkCalendar("Asia/Shanghai")
    assert calendar.open_at(at("2026-11-23T10:30+08:00")) == at("2026-11-23T10:30+08:00")
    assert calendar.open_at(at("2026-11-27T18:00+08:00")) == at("2026-11-30T09:00+08:00")


@pytest.mark.parametrize("hours", ["", "whenever", "mo-fr 25:00-26:00", None])
def test_hours_that_cannot_be_read(hours: str | None) -> None:
    """Whoever wrote nonsense works as everybody does; so a deadline never fails."""
    assert WorkCalendar("Asia/Shanghai", hours).add(0, HOUR) == WorkCalendar("Asia/Shanghai").add(0, HOUR)
    assert WorkCalendar("Nowhere/City", hours).add(0, HOUR) == WorkCalendar(None).add(0, HOUR)


@pytest.mark.parametrize("moment", [-1, 2**63 - 1])
def test_times_that_no_clock_shows(moment: int) -> None:
    """They stay what they are."""
    assert WorkCalendar().add(moment, HOUR) == moment
    assert WorkCalendar().between(moment, moment + HOUR) in (0, HOUR - 1)


def test_a_year_of_holidays() -> None:
    """A deadline behind them is found all the same."""
    days = " ".join((date(2026, 1, 1) + timedelta(days=n)).isoformat() for n in range(365))
    assert WorkCalendar("UTC", "mo-su 09:00-10:00", days).add(at("2026-01-01T00:00Z"), HOUR) == at(
        "2027-01-01T10:00Z"
    )
