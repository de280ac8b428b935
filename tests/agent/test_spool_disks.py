"""Real file systems that are small: full, without inodes, read-only."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent import folder as folders
from tests.agent.process import Agent
from tests.agent.receiver import Receiver, eventually
from tests.brokers import Broker

NOBODY = "mqtt://127.0.0.1:1"
Mount = Callable[[str], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Makes file systems of given options."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a file system needs root")
    made: list[Path] = []

    def make(options: str) -> Path:
        place = tmp_path / f"disk-{len(made)}"
        place.mkdir()
        run = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], capture_output=True)
        if run.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {run.stderr.decode().strip()}")
        made.append(place)
        return place

    yield make
    for place in made:
        subprocess.run(["umount", "-l", place], check=True)


def remount(place: Path, how: str) -> None:
    """Makes a file system read-only or writable."""
    subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)


def use_up_bytes(place: Path) -> Path:
    """Fills a file system with one file."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                continue
        except OSError:
            return filler
    return filler


def use_up_inodes(place: Path) -> Path:
    """Makes empty files until there can be no more."""
    filler = place / "filler"
    filler.mkdir()
    for number in range(100_000):
        try:
            (filler / str(number)).touch()
        except OSError:
            return filler
    raise AssertionError("there is no end of inodes")


def answers(agent: Agent) -> None:
    """Waits until the agent tells of itself."""
    eventually(lambda: bool(agent.status().get("running")), "the agent answers")


def all_arrived(receiver: Receiver, agent: Agent) -> None:
    """Waits until every number taken by now has arrived; none is missing or used twice."""
    status = agent.status()
    epoch, last = status["epoch"], status["next"] - 1
    eventually(lambda: receiver.stored_until("r1", epoch) >= last, f"all up to {last}")
    assert receiver.numbers("r1", epoch)[:last] == list(range(1, last + 1))
    assert receiver.contradictions == []


def test_a_full_disk(mount: Mount, nats: Broker, tmp_path: Path) -> None:
    """The agent lives and says what it cannot keep; with room, it goes on, though it was killed meanwhile."""
    place = mount("size=4m")
    with Agent(tmp_path, nats.url, spool=place / "spool", interval_s=0.1) as agent:
        eventually(lambda: agent.status().get("held", 0) >= 5, "it holds")
        filler = use_up_bytes(place)
        eventually(lambda: agent.status()["dropped"].get("full", 0) >= 5, "it counts what it cannot keep")
        assert "No space left" in agent.status()["disk_problem"] or "full" in agent.status()["disk_problem"]
        agent.kill()
        agent.start()
        answers(agent)
        filler.unlink()
        before = agent.status()["next"]
        eventually(lambda: agent.status()["next"] > before, "it samples again")
        assert agent.status()["disk_problem"] is None
        with Receiver(nats.port) as receiver:
            all_arrived(receiver, agent)


def test_no_inodes(mount: Mount, nats: Broker, tmp_path: Path) -> None:
    """A running agent needs no more of them; one that cannot begin for want of any says so, and later can."""
    place = mount("size=8m,nr_inodes=60")
    with Agent(tmp_path, nats.url, spool=place / "spool", interval_s=0.1) as agent:
        answers(agent)
        filler = use_up_inodes(place)
        before = agent.status()["next"]
        eventually(lambda: agent.status()["next"] > before + 3, "it samples on")
        assert agent.stop() == 0
        for number in range(1_000, 1_004):  # what it gave back
            try:
                (filler / str(number)).touch()
            except OSError:
                break
        agent.start()
        assert agent.wait() == 1
        assert agent.log.count("No space left on device") + agent.log.count("unable to open") >= 1
        shutil.rmtree(filler)
        agent.start()
        answers(agent)
        with Receiver(nats.port) as receiver:
            all_arrived(receiver, agent)
        assert not folders.damaged(agent.spool)


def test_a_read_only_disk_at_boot(mount: Mount, nats: Broker, tmp_path: Path) -> None:
    """The agent says so in one line and ends; once the disk can be written, all it had is there."""
    place = mount("size=8m")
    with Agent(tmp_path, nats.url, spool=place / "spool", interval_s=0.1) as agent:
        eventually(lambda: agent.status().get("held", 0) >= 5, "it holds")
        agent.kill()
        lines = agent.log.count("\n")
        remount(place, "ro")
        agent.start()
        assert agent.wait() == 1
        assert agent.log.count("\n") == lines + 1
        assert "Read-only file system" in agent.log
        assert agent.status()["held"] >= 5
        remount(place, "rw")
        agent.start()
        answers(agent)
        with Receiver(nats.port) as receiver:
            all_arrived(receiver, agent)
