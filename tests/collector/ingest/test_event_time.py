"""Event time: when a sample was taken, whatever the robot's clock said."""

import pytest

from agent import wire
from collector.event_time import LAG_MS, LEAD_MS, QUEUE_MS, EventTime, event_times

NOW = 1_795_000_000_000
UP = 50_000_000
HOUR = 3_600_000
DAY = 86_400_000


def sample(t: int, up: int, *, boot: str = "b1", synced: bool = True) -> wire.Sample:
    """A sample without metrics."""
    return wire.Sample(t=t, up=up, boot=boot, synced=synced, c={}, g={})


def times(
    *samples: wire.Sample, sent_t: int = NOW, received_at: int = NOW, ends: tuple[wire.End, ...] = ()
) -> list[EventTime]:
    """Event times of samples sent UP ms after the start of boot b1."""
    sent = wire.Sent(t=sent_t, up=UP, boot="b1")
    message = wire.Samples(epoch="e", first=1, seq=1, sent=sent, samples=list(samples), ends=list(ends))
    return event_times(message, received_at)


@pytest.mark.parametrize(
    ("offset", "corrected"),
    [(0, False), (LEAD_MS, False), (-LAG_MS, False), (LEAD_MS + 1, True), (-LAG_MS - 1, True), (DAY, True)],
)
def test_own_time_counts_while_it_agrees_with_the_boot_clock(offset: int, corrected: bool) -> None:
    """A synchronized clock within tolerance is kept; a skewed one is corrected by age."""
    taken = NOW - 30_000
    expected = taken if corrected else taken + offset
    assert times(sample(taken + offset, UP - 30_000)) == [EventTime(expected, corrected)]


@pytest.mark.parametrize("t", [0, 1_000, NOW - 30_000, NOW + 400 * DAY])
def test_clock_that_is_not_synchronized_does_not_count(t: int) -> None:
    """A robot that booted in 1970 has its samples where they belong, by age."""
    assert times(sample(t, UP - 30_000, synced=False)) == [EventTime(NOW - 30_000, corrected=True)]


def test_jump_of_a_day_between_samples() -> None:
    """The samples before the jump are corrected, those after it are kept; order and spacing survive."""
    found = times(sample(NOW - 60_000 - DAY, UP - 60_000), sample(NOW - 30_000, UP - 30_000))
    assert found == [EventTime(NOW - 60_000, True), EventTime(NOW - 30_000, False)]


@pytest.mark.parametrize("waited", [0, LAG_MS + 1, QUEUE_MS])
def test_a_message_that_waited_in_the_broker_keeps_its_time(waited: int) -> None:
    """The clock was not set in between: the delay is the queue's, and also an unsynchronized sample gains."""
    found = times(
        sample(9_000, UP - 60_000, synced=False), sample(NOW - 30_000, UP - 30_000), received_at=NOW + waited
    )
    assert found == [EventTime(NOW - 60_000, True), EventTime(NOW - 30_000, False)]


@pytest.mark.parametrize("off", [-HOUR, HOUR, -5 * HOUR, 8 * HOUR, DAY, -DAY])
def test_another_zones_time_taken_for_utc_is_corrected(off: int) -> None:
    """Also where the robot claims that its clock is synchronized, in all its samples and as it sends."""
    found = times(
        sample(NOW + off - 60_000, UP - 60_000), sample(NOW + off, UP), sent_t=NOW + off, received_at=NOW + 20
    )
    assert found == [EventTime(NOW - 60_000 + 20, True), EventTime(NOW + 20, True)]


def test_clock_set_right_while_samples_wait() -> None:
    """All of the boot is placed by the newest that knew the time, however long ago the others were taken."""
    found = times(
        sample(5_000, 5_000, synced=False),
        sample(NOW - DAY - 20_000, UP - 20_000),
        sample(NOW - 10_000, UP - 10_000),
    )
    assert found == [
        EventTime(NOW - UP + 5_000, True),
        EventTime(NOW - 20_000, True),
        EventTime(NOW - 10_000, False),
    ]


def test_ends_of_boots_place_what_a_message_cannot() -> None:
    """The rest of a boot, and the boots after it, are in other messages; their lengths count all the same."""
    [time] = times(
        sample(1_000, 10_000, boot="b-3", synced=False),
        ends=(wire.End("b-3", up=60_000), wire.End("", up=HOUR)),
    )
    assert time == EventTime(NOW - UP - HOUR - 50_000, True)
    [time] = times(
        sample(1_000, 10_000, boot="b-3", synced=False),
        ends=(wire.End("b-3", up=60_000), wire.End("", up=HOUR), wire.End("b-1", up=9, began=NOW - 9 * DAY)),
    )
    assert time == EventTime(NOW - 9 * DAY - HOUR - 50_000, True)
    [time] = times(
        sample(1_000, 10_000, boot="b-3", synced=False), ends=(wire.End("b-3", 60_000, began=NOW - 3 * DAY),)
    )
    assert time == EventTime(NOW - 3 * DAY + 10_000, True)


def test_earlier_boot_that_would_outlast_the_next_is_not_trusted() -> None:
    """A synchronized clock that reaches into the time of a later boot is a wrong one."""
    [time] = times(sample(NOW - HOUR, 5_000, boot="b0"))
    assert time == EventTime(NOW - UP, True)


def test_earlier_boot_with_a_synchronized_clock_is_trusted() -> None:
    """There is no age across boots; the robot's own time counts."""
    assert times(sample(NOW - DAY, 5_000, boot="b0")) == [EventTime(NOW - DAY, False)]


def test_earlier_boot_is_placed_by_one_synchronized_sample_of_it() -> None:
    """Unsynchronized samples lie relative to the synchronized one of their boot."""
    found = times(
        sample(3_000, 3_000, boot="b0", synced=False),
        sample(NOW - DAY, 60_000, boot="b0"),
    )
    assert found == [EventTime(NOW - DAY - 57_000, True), EventTime(NOW - DAY, False)]


def test_earlier_boot_never_synchronized_ends_where_the_next_begins() -> None:
    """Nothing better is known; spacing within the boot survives."""
    began = NOW - UP
    found = times(
        sample(1_000, 1_000, boot="b0", synced=False),
        sample(31_000, 31_000, boot="b0", synced=False),
        sample(NOW - 1_000, UP - 1_000),
    )
    assert found == [EventTime(began - 30_000, True), EventTime(began, True), EventTime(NOW - 1_000, False)]


def test_two_boots_without_a_clock_follow_one_another() -> None:
    """Each boot ends where the next begins."""
    found = times(
        sample(1_000, 10_000, boot="b-1", synced=False),
        sample(1_000, 20_000, boot="b0", synced=False),
    )
    began = NOW - UP
    assert [time.t for time in found] == [began - 20_000, began]


def test_earlier_boot_from_the_future_is_not_trusted() -> None:
    """A synchronized clock that is ahead of ours is a wrong one."""
    [time] = times(sample(NOW + DAY, 5_000, boot="b0"))
    assert time == EventTime(NOW - UP, True)


def test_nonsense_clocks_give_a_time_all_the_same() -> None:
    """A sample from after its own sending, or from before 1970, is neither lost nor in the future."""
    assert times(sample(0, UP + 99_999, synced=False)) == [EventTime(NOW, True)]
    assert times(sample(0, 0, synced=False), received_at=5) == [EventTime(0, True)]
