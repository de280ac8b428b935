"""Two robots under one name: what their hellos give away, and what is no clash."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import wire
from collector.identity import QUIET_MS, RETURNS, Agent, Identities

MINUTE = 60_000


def hello(who: str, session: int = 1) -> wire.Hello:
    """A hello of an agent: its epoch and its boot, like `a1`."""
    return wire.Hello(
        session=session,
        boot=f"boot-{who[1:]}",
        epoch=f"epoch-{who[0]}",
        agent="test",
        interval_s=30,
        tz="UTC",
        labels={},
        first=1,
        next=1,
        at=0,
    )


def heard(story: str, every_ms: int = MINUTE) -> Identities:
    """What is known after the hellos of a story, the last one at time 0."""
    identities, agents = Identities(), story.split()
    for session, who in enumerate(agents):
        identities.hello("r1", hello(who, session), (session + 1 - len(agents)) * every_ms)
    return identities


@pytest.mark.parametrize(
    "story",
    [
        "a1",
        "a1 a1 a1 a1 a1 a1",  # one that reconnects, or whose hello is replayed
        "a1 a2 a3 a4 a5 a6",  # that reboots
        "a1 b1 c1 d1 e1 f1",  # that begins new epochs
        "a1 a1 b2 b2",  # replaced
        "a1 b2 a1",  # a spare was tried, and given up
        "a1 b2 a1 b2",
        "a1 b2 a3 b4 a5 b6",  # by day and by night: never twice in one boot
    ],
)
def test_what_one_robot_does_is_no_clash(story: str) -> None:
    """Restarts, reboots, new epochs and a replacement never come back to what was left."""
    assert heard(story).clash("r1", 0) is None


@pytest.mark.parametrize(
    "story",
    [
        "a1 b1 a1 b1 a1",  # two spools
        "a1 a2 a1 a2 a1",  # one spool, copied with the disk's image
        "a1 b2 b2 b2 a1 a1 b2 a1",
        "a1 b2 c3 a1 b2 c3",  # three of them
        "a1 b2 c3 d4 d4 a1 c3 b2",
    ],
)
def test_agents_that_take_turns_are_noticed(story: str) -> None:
    """Several returns within the hour are no accident."""
    clash = heard(story).clash("r1", 0)
    assert clash is not None
    assert clash.count >= RETURNS
    assert clash.last_at == 0


def test_says_since_when_and_who() -> None:
    """The first return began it, and those that returned are named."""
    identities = Identities()
    told = [identities.hello("r1", hello(who), at) for at, who in enumerate(["a1", "b2", "a1", "b2", "a1"])]
    assert told[:4] == [None] * 4
    clash = told[4]
    assert clash is not None
    assert (clash.robot, clash.since, clash.last_at, clash.count) == ("r1", 2, 4, 3)
    assert clash.agents == (Agent("epoch-b", "boot-2"), Agent("epoch-a", "boot-1"))
    assert identities.clash("r2", 4) is None


def test_is_forgotten_after_a_quiet_hour() -> None:
    """Once one of them was given a name of its own, nothing is shown, and the count begins anew."""
    identities = heard("a1 b2 a1 b2 a1 b2")
    assert identities.clash("r1", QUIET_MS) is not None
    assert identities.clash("r1", QUIET_MS + 1) is None
    assert identities.hello("r1", hello("a1"), QUIET_MS + 1) is None
    assert identities.clash("r1", QUIET_MS + 1) is None


def test_rare_returns_are_no_clash() -> None:
    """Turns that are more than an hour apart do not add up."""
    assert heard("a1 b2 " * 20, QUIET_MS + 1).clash("r1", 0) is None


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 2 * QUIET_MS)), max_size=60))
def test_one_robot_never_clashes_with_itself(life: list[tuple[int, bool, int]]) -> None:
    """However often and however fast one agent reconnects, reboots and loses its spool."""
    identities, now, epoch, boot = Identities(), 0, 0, 0
    for reconnects, reboots, pause in life:
        now, boot, epoch = now + pause, boot + reboots, epoch + (not reboots)
        for session in range(reconnects):
            assert identities.hello("r1", hello(f"{chr(97 + epoch)}{boot}", session), now) is None


def test_costs_little_a_robot() -> None:
    """A number and a place in a table, also after many reboots."""
    robots = [f"robot-{number}" for number in range(20_000)]
    tracemalloc.start()
    identities = Identities()
    for boot in range(10):
        for robot in robots:
            identities.hello(robot, hello(f"a{boot}"), boot)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(identities) == len(robots)
    assert used / len(robots) < 400
