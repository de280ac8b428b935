"""What a robot does: reproducible, seamless, plausible."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.catalogue import load
from simulator.behavior import COUNTERS, DAY, GAUGES, HOUR, Behavior, Run
from simulator.faults import Fault
from simulator.fleet import robot, robots
from simulator.profiles import PROFILES
from simulator.record import Past, portions

MONDAY = 1_789_948_800_000  # 2026-09-21 00:00 UTC
FIVE_MINUTES = 300_000
SHARES = {
    "vision.face_attempts": ("vision.faces_unrecognized", "vision.face_errors"),
    "touchscreen.touches": ("touchscreen.touches_unanswered", "touchscreen.wrong_commands"),
    "navigation.goals": (
        "navigation.start_failures",
        "navigation.interruptions",
        "navigation.other_failures",
    ),
    "asr.utterances": ("asr.unrecognized", "asr.misrecognized"),
    "nlp.queries": ("nlp.unhandled", "nlp.mishandled"),
    "tts.utterances": ("tts.unplayed", "tts.misplayed"),
    "engagement.visitors": ("engagement.recruits",),
    "engagement.recruits": ("engagement.wakeups",),
    "engagement.wakeups": ("engagement.interactions",),
    "engagement.interactions": ("engagement.ratings",),
    "engagement.ratings": ("engagement.satisfied_ratings",),
}


def beats(begin: int, end: int, interval_ms: int = FIVE_MINUTES) -> NDArray[np.int64]:
    """The times after `begin` up to `end` at which a robot samples."""
    return np.arange(begin + interval_ms, end + 1, interval_ms, dtype=np.int64)


def lived(number: int, faults: Sequence[Fault] = (), days: float = 7, seed: int = 1) -> Run:
    """Some days of a robot, from a Monday on."""
    life = Behavior(seed, robot(number), faults, FIVE_MINUTES)
    return life.run(life.born(MONDAY), beats(MONDAY, MONDAY + round(days * DAY)))


def rows(columns: Mapping[str, NDArray[Any]], id_: str) -> dict[str, list[Any]]:
    """The rows of one robot."""
    mine = columns["robot"] == id_
    return {name: column[mine].tolist() for name, column in columns.items()}


def test_every_metric_of_the_catalogue_is_simulated() -> None:
    """A robot has all counters and gauges that the shipped catalogue knows, and no others."""
    catalogue = load()
    assert set(COUNTERS) == set(catalogue.counters)
    assert set(GAUGES) == set(catalogue.gauges)


def test_more_robots_do_not_change_the_others() -> None:
    """Robot 2 has the same samples in a fleet of 3 and in one of 9 with faults elsewhere."""
    few = Past(robots(3), (), 7, MONDAY, MONDAY + DAY, FIVE_MINUTES)
    faults = (Fault("robot_silent", 1, MONDAY), Fault("face_errors", 5, MONDAY))
    many = Past(robots(9), faults, 7, MONDAY, MONDAY + DAY, FIVE_MINUTES)
    (alone,), (among,) = portions(few), portions(many)
    assert rows(alone, "rv-0002") == rows(among, "rv-0002")


def test_another_seed_is_another_past() -> None:
    """The seed matters, and the same seed gives the same."""
    assert lived(3, days=1, seed=1).after == lived(3, days=1, seed=1).after
    assert lived(3, days=1, seed=1).after.counters != lived(3, days=1, seed=2).after.counters


@settings(max_examples=25, deadline=None)
@given(
    number=st.integers(1, 60),
    cut=st.integers(1, 575),
    silent=st.integers(-12, 60),
    interval_ms=st.sampled_from([FIVE_MINUTES, 5_000]),
)
def test_a_past_can_be_continued_anywhere(number: int, cut: int, silent: int, interval_ms: int) -> None:
    """A run cut in two gives the samples of the run in one go, also across a time switched off."""
    off = Fault("robot_silent", number, MONDAY + silent * HOUR, MONDAY + (silent + 3) * HOUR)
    lossy = Fault("network_unstable", number, MONDAY + silent * HOUR)
    times = beats(MONDAY, MONDAY + 576 * interval_ms, interval_ms)
    life = Behavior(3, robot(number), (off, lossy), interval_ms)
    whole = life.run(life.born(MONDAY), times)
    first = life.run(life.born(MONDAY), times[:cut])
    second = life.run(first.after, times[cut:])
    assert second.after == whole.after
    assert np.array_equal(np.concatenate([first.seq, second.seq]), whole.seq)
    for name in GAUGES:
        assert np.array_equal(np.concatenate([first.gauges[name], second.gauges[name]]), whole.gauges[name])
    for name in COUNTERS:
        joined = np.concatenate([first.counters[name], second.counters[name]])
        assert np.array_equal(joined, whole.counters[name])


@pytest.mark.parametrize("number", range(1, 25))
def test_counters_are_plausible(number: int) -> None:
    """None decreases, and of any attempts no more fail than were made."""
    run = lived(number)
    for name in COUNTERS:
        assert (np.diff(run.counters[name], prepend=0) >= 0).all(), name
    for whole, parts in SHARES.items():
        increases = np.sum([np.diff(run.counters[part], prepend=0) for part in parts], axis=0)
        assert (increases <= np.diff(run.counters[whole], prepend=0)).all(), whole
    assert run.seq.tolist() == list(range(1, len(run.t) + 1))
    assert run.counters["agent.samples_taken"].tolist() == run.seq.tolist()


def test_nobody_comes_while_the_site_is_closed() -> None:
    """A bank has visitors between 9 and 17 local time only, and none are counted at night."""
    bank = next(member for member in robots(20) if member.industry == "bank")
    run = lived(bank.number)
    visitors = np.diff(run.counters["engagement.visitors"], prepend=0)
    hours = ((run.t - FIVE_MINUTES // 2 + 8 * HOUR) % DAY) / HOUR
    closed = (hours < 9) | (hours > 17)
    assert visitors[closed].sum() == 0
    assert visitors[~closed].sum() > 1_000


def test_a_government_hall_rests_at_the_weekend() -> None:
    """Weekdays weigh: no visitors on Saturday and Sunday, many on Monday."""
    hall = next(member for member in robots(30) if member.industry == "government_hall")
    run = lived(hall.number)
    weekdays = np.array([datetime.fromtimestamp((t + 8 * HOUR) / 1_000, UTC).weekday() for t in run.t])
    visitors = np.diff(run.counters["engagement.visitors"], prepend=0)
    assert visitors[weekdays >= 5].sum() == 0
    assert visitors[weekdays == 0].sum() > 100


def test_clocks_that_change_move_the_opening_hours() -> None:
    """Berlin opens an hour earlier in UTC once summer time has begun."""
    shop = next(member for member in robots(30) if member.tz == "Europe/Berlin")
    life = Behavior(1, shop, (), FIVE_MINUTES)
    winter = int(datetime(2026, 3, 27, 8, 30, tzinfo=UTC).timestamp() * 1_000)
    summer = int(datetime(2026, 3, 30, 8, 30, tzinfo=UTC).timestamp() * 1_000)
    assert life.is_open(np.array([winter, summer])).tolist() == [False, True]


def test_industries_differ_as_practitioners_say() -> None:
    """Tours in exhibition halls, deliveries in a KTV, check-ins in a meeting centre."""
    total: dict[str, dict[str, float]] = {}
    for industry in PROFILES:
        member = next(one for one in robots(48) if one.industry == industry)
        counters = lived(member.number).counters
        total[industry] = {name: float(column[-1]) for name, column in counters.items()}
    assert max(total, key=lambda industry: total[industry]["engagement.tours"]) == "exhibition_hall"
    assert max(total, key=lambda industry: total[industry]["engagement.check_ins"]) == "meeting_centre"
    ktv = total["ktv"]
    assert ktv["engagement.deliveries"] > 20 * ktv["engagement.tours"]
    assert min(total, key=lambda industry: total[industry]["engagement.interactions"]) == "ktv"


def test_a_silent_robot_takes_no_samples_and_boots_when_it_is_back() -> None:
    """Its numbers have no hole, its uptime starts anew, and it counts a reboot."""
    off = Fault("robot_silent", 4, MONDAY + 10 * HOUR, MONDAY + 15 * HOUR)
    run = lived(4, [off], days=1)
    assert not ((run.t >= off.start) & (run.t < off.until)).any()
    assert (np.diff(run.seq) == 1).all()
    back = int(np.argmax(run.t >= off.until))
    assert run.gauges["system.uptime_s"][back] <= FIVE_MINUTES / 1_000
    reboots = run.counters["system.reboots"]
    assert reboots[back] == reboots[back - 1] + 1


def test_a_module_that_is_down_says_so_and_counts_nothing() -> None:
    """Its gauge `up` is 0 and its counters rest, only while the fault lasts; others go on."""
    down = Fault("module_down.vision", 6, MONDAY + 2 * HOUR, MONDAY + 8 * HOUR)
    run = lived(6, [down], days=1)
    inside = (run.t >= down.start) & (run.t < down.until)
    assert (run.gauges["vision.up"] == np.where(inside, 0.0, 1.0)).all()
    assert np.diff(run.counters["vision.face_attempts"], prepend=0)[inside].sum() == 0
    assert np.diff(run.counters["engagement.visitors"], prepend=0)[inside].sum() > 0
