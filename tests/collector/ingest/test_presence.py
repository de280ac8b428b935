"""Presence: who is there, and what silence means."""

from collections.abc import Callable

import pytest

from agent.wire import Status
from collector.presence import Fleet
from tests.collector.ingest.examples import NOW, hello, rows, sample

MINUTE = 60_000
Step = Callable[[Fleet], object]


def says(session: int, *, retained: bool = False) -> Step:
    """A hello."""
    return lambda fleet: fleet.hello("r1", hello(session=session), NOW, retained=retained)


def status(online: bool, session: int, *, retained: bool = False) -> Step:
    """A status, by the robot or by the broker."""
    text = Status(online=online, session=session, at=NOW)
    return lambda fleet: fleet.status("r1", text, NOW, retained=retained)


def samples() -> Step:
    """A message with samples."""
    return lambda fleet: fleet.heard("r1", NOW)


@pytest.mark.parametrize(
    ("steps", "presence"),
    [
        ([], "never"),
        ([says(1)], "online"),
        ([says(1), status(True, 1)], "online"),
        ([says(1), status(True, 1), status(False, 1)], "lost"),
        ([says(1), says(2), status(False, 1)], "online"),  # the will of the old connection comes late
        ([says(1), status(False, 1), says(2)], "online"),
        ([says(2), status(False, 1), status(True, 2)], "online"),
        ([says(1), status(False, 1), samples()], "online"),  # whatever the broker said
        ([status(False, 3, retained=True), says(3, retained=True)], "lost"),  # long gone, in either order
        ([says(3, retained=True), status(False, 3, retained=True)], "lost"),
        ([status(False, 2, retained=True), says(3, retained=True)], "online"),
        ([status(False, 3, retained=True)], "lost"),
        ([status(False, 3), says(3)], "online"),  # a live hello is no history
    ],
)
def test_sessions(steps: list[Step], presence: str) -> None:
    """Only the end of the last greeted session counts."""
    fleet = Fleet()
    fleet.listening(NOW)
    for step in steps:
        step(fleet)
    assert fleet.presence("r1", NOW) == presence


@pytest.mark.parametrize(
    ("silence", "presence"),
    [(MINUTE, "online"), (2 * MINUTE, "late"), (5 * MINUTE, "late"), (6 * MINUTE, "lost")],
)
def test_silence(silence: int, presence: str) -> None:
    """A connected robot whose samples stay away is late, then lost."""
    fleet = Fleet()
    fleet.listening(NOW)
    fleet.hello("r1", hello(), NOW)
    assert fleet.presence("r1", NOW + silence) == presence


def test_silence_is_counted_only_while_listening() -> None:
    """After our own outage nobody is late yet."""
    fleet = Fleet()
    fleet.listening(NOW)
    fleet.hello("r1", hello(), NOW)
    fleet.listening(None)
    assert fleet.presence("r1", NOW + 60 * MINUTE) == "online"
    fleet.listening(NOW + 60 * MINUTE)
    assert fleet.presence("r1", NOW + 61 * MINUTE) == "online"
    assert fleet.presence("r1", NOW + 70 * MINUTE) == "lost"


def test_silence_before_a_restart_counts() -> None:
    """A robot that was silent while an earlier collector listened is lost already, not late anew."""
    fleet = Fleet(listened=[(NOW - 90 * MINUTE, NOW - MINUTE)])
    fleet.stored(rows(sample(1, t=NOW - 60 * MINUTE)))
    fleet.listening(NOW)
    assert fleet.presence("r1", NOW) == "lost"
    fleet.stored(rows(sample(2, t=NOW - 2 * MINUTE)))
    assert fleet.presence("r1", NOW) == "late"


def test_robot_of_which_only_the_past_is_known_is_not_online() -> None:
    """Stored samples alone do not make a robot present."""
    fleet = Fleet()
    fleet.stored(rows(sample(1, t=NOW)))
    assert fleet.presence("r1", NOW + MINUTE) == "late"
    fleet.listening(NOW)
    assert fleet.presence("r1", NOW + 10 * MINUTE) == "lost"


def test_newest_sample_is_shown_whatever_comes_later() -> None:
    """A backlog does not overwrite the live values; a new epoch does."""
    fleet = Fleet()
    fleet.stored(rows(sample(5, gauges={"asr.up": 1})))
    fleet.stored(rows(sample(2, gauges={"asr.up": 0})))
    assert fleet.state("r1").seq == 5
    assert fleet.state("r1").up("asr") is True
    assert fleet.state("r1").up("nlp") is None
    fleet.stored(rows(sample(1, epoch="e2", t=NOW + 10**6, gauges={"asr.up": 0})))
    assert fleet.state("r1").up("asr") is False


def test_losses_add_up() -> None:
    """Lost and refused samples are counted by robot."""
    fleet = Fleet()
    fleet.declared_lost("r1", 3)
    fleet.declared_lost("r1", 4)
    fleet.declared_refused("r1", 1)
    assert (fleet.state("r1").lost, fleet.state("r1").refused) == (7, 1)


def test_counts() -> None:
    """Robots by presence."""
    fleet = Fleet()
    fleet.listening(NOW)
    fleet.hello("a", hello(), NOW)
    fleet.status("b", Status(online=False, session=9, at=NOW), NOW)
    assert fleet.counts(["a", "b", "c"], NOW) == {"online": 1, "late": 0, "lost": 1, "never": 1}


def test_what_robots_hold_and_since_when() -> None:
    """The time is that of the last change, robot by robot; one never heard is taken in."""
    fleet = Fleet()
    fleet.all_holding(["r1", "r2"], [5, 0], NOW)
    fleet.all_holding(["r2", "r1", "r3"], [7, 5, 1], NOW + MINUTE)
    states = [fleet.state(robot) for robot in ("r1", "r2", "r3")]
    assert [(state.held, state.held_at) for state in states] == [
        (5, NOW),
        (7, NOW + MINUTE),
        (1, NOW + MINUTE),
    ]
    fleet.all_holding(["r1", "r1"], [9, 0], NOW + 2 * MINUTE)
    assert fleet.state("r1").held == 0
