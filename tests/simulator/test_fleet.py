"""A virtual fleet over a real broker: the contract is kept, through restarts of collector and broker."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulator.behavior import COUNTERS
from simulator.record import last_states
from tests.brokers import Broker
from tests.processes import DEADLINE_S, Process, until
from tests.simulator.receiver import Kept, Receiver

pytestmark = pytest.mark.system


@contextmanager
def fleet(broker: Broker, folder: Path, *more: object) -> Iterator[Process]:
    """`vitals-sim fleet` of six robots that sample five times a second."""
    options: Sequence[object] = ["--robots", 6, "--interval", 0.2, "--fleet", "test", *more]
    process = Process("vitals-sim", ["fleet", "--mqtt", broker.url, *options], folder)
    with process:
        yield process


def ended(process: Process) -> int:
    """Waits for the process' own end (starts it if need be), and returns its exit code."""
    if process.popen is None:
        process.start()
    assert process.popen is not None
    return process.popen.wait(DEADLINE_S)


def holes(kept: Kept) -> list[str]:
    """Robots of which a number is missing between the first they had and the last that came."""
    with kept.lock:
        return [
            robot for (robot, epoch), held in kept.samples.items() if kept.until((robot, epoch)) < max(held)
        ]


def grows(kept: Kept, by: int) -> None:
    """Waits until so many more samples are there."""
    goal = kept.total() + by
    until(f"{goal} samples are kept", lambda: kept.total() >= goal)
    until("what was held has come as well", lambda: not holes(kept))


@pytest.mark.parametrize("connections", [[], ["--connections", 2]], ids=["one-each", "shared"])
def test_nothing_is_lost_while_the_collector_is_away(
    broker: Broker, tmp_path: Path, connections: list[object]
) -> None:
    """The collector dies and comes back: robots hold meanwhile, then send all; every number is there once."""
    kept = Kept()
    with fleet(broker, tmp_path, *connections):
        with Receiver(broker.port, kept, "first"):
            grows(kept, 60)
        before = kept.total()
        highest = {key: max(samples) for key, samples in kept.samples.items()}
        with Receiver(broker.port, kept, "second"):
            grows(kept, 60)
    assert len(kept.samples) == 6
    assert kept.total() > before
    assert not kept.refused
    assert not holes(kept)
    for key, samples in kept.samples.items():
        assert min(samples) == 1
        assert max(samples) > highest[key]


def test_nothing_is_lost_with_the_broker(broker: Broker, tmp_path: Path) -> None:
    """The broker is killed and started again: robots greet with a new session, and miss no sample."""
    kept = Kept()
    with fleet(broker, tmp_path):
        with Receiver(broker.port, kept, "first"):
            grows(kept, 60)
        sessions = {robot: hello.session for robot, hello in kept.hellos.items()}
        broker.kill()
        broker.start()
        with Receiver(broker.port, kept, "second"):
            grows(kept, 120)
            until(
                "all have greeted again",
                lambda: all(kept.hellos[robot].session > sessions[robot] for robot in sessions),
            )
    assert len(sessions) == 6
    assert not holes(kept)
    assert all(min(samples) == 1 for samples in kept.samples.values())


def test_a_fleet_says_goodbye(nats: Broker, tmp_path: Path) -> None:
    """Ended by SIGTERM, every robot is offline, and the exit code is 0."""
    kept = Kept()
    with Receiver(nats.port, kept, "only"), fleet(nats, tmp_path) as process:
        until("all are online", lambda: list(kept.online.values()) == [True] * 6)
        assert process.stop() == 0
        until("all are offline", lambda: list(kept.online.values()) == [False] * 6)
    assert "Traceback" not in process.log


def test_a_silenced_robot_leaves_and_comes_back(nats: Broker, tmp_path: Path) -> None:
    """With `robot_silent` it is offline for the fault's time; its numbers go on without a hole."""
    kept = Kept()
    with Receiver(nats.port, kept, "only"), fleet(nats, tmp_path, "--fault", "robot_silent:2:2s:3s"):
        until("it is online", lambda: kept.online.get("rv-0002"))
        until("it is offline", lambda: kept.online.get("rv-0002") is False)
        assert kept.online["rv-0001"]
        until("it is back", lambda: kept.online.get("rv-0002"))
        grows(kept, 30)
    samples = next(samples for (robot, _), samples in kept.samples.items() if robot == "rv-0002")
    assert len({sample.boot for sample in samples.values()}) == 2
    assert not holes(kept)


def test_a_recorded_past_goes_on_live(nats: Broker, tmp_path: Path) -> None:
    """Same epoch, next number, and no counter below where the recording left it."""
    past, kept = tmp_path / "past.parquet", Kept()
    record = ["record", "--robots", 6, "--days", "0.5", "--out", past]
    assert ended(Process("vitals-sim", record, tmp_path)) == 0
    states = last_states(past)
    with Receiver(nats.port, kept, "only"), fleet(nats, tmp_path, "--start-from", past):
        grows(kept, 30)
    assert set(kept.samples) == {(robot, state.epoch) for robot, state in states.items()}
    for (robot, _), samples in kept.samples.items():
        state = states[robot]
        first = samples[state.seq + 1]
        assert min(samples) == state.seq + 1
        counted = [first.c[name.split(".")[0]][name.split(".")[1]] for name in COUNTERS]
        assert all(now >= then for now, then in zip(counted, state.counters, strict=True))


def test_a_past_that_was_continued_before_is_refused(nats: Broker, tmp_path: Path) -> None:
    """The collector knows later samples of the epoch: the fleet ends with one line and exit code 1."""
    past, kept = tmp_path / "past.parquet", Kept()
    record = ["record", "--robots", 6, "--days", "0.1", "--out", past]
    assert ended(Process("vitals-sim", record, tmp_path)) == 0
    with Receiver(nats.port, kept, "only"):
        with fleet(nats, tmp_path, "--start-from", past):
            grows(kept, 30)
        with fleet(nats, tmp_path, "--start-from", past) as again:
            assert ended(again) == 1
    assert re.fullmatch(
        r"vitals-sim: rv-000\d: the collector has samples up to \d+.*", again.log.splitlines()[-1]
    )
