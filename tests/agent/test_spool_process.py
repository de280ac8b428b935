"""A real agent that is killed, whose spool is damaged, whose disk refuses: all arrives, or is declared."""

import errno
import os
import random
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agent import folder as folders
from agent.folder import DATABASE
from agent.spool import open_spool
from tests.agent.process import Agent
from tests.agent.receiver import Receiver, eventually
from tests.agent.spools import fill, overwrite, zero_pages
from tests.brokers import Broker

KILLS = 12
NOBODY = "mqtt://127.0.0.1:1"


def answers(agent: Agent) -> None:
    """Waits until the agent tells of itself."""
    eventually(lambda: bool(agent.status().get("running")), "the agent answers")


def missing_of_delivered(receiver: Receiver, agent: Agent) -> int:
    """Waits until all that was taken by now is stored or declared. Returns how many of it never arrived."""
    wanted = agent.status()
    epoch, last = wanted["epoch"], wanted["next"] - 1
    eventually(lambda: receiver.stored_until("r1", epoch) >= last, f"all up to {last}")
    assert receiver.contradictions == []
    return missing(receiver, epoch, last)


def missing(receiver: Receiver, epoch: str, until: int) -> int:
    """How many numbers the receiver never got."""
    return until - len([n for n in receiver.numbers("r1", epoch) if n <= until])


def test_killed_again_and_again_under_load(nats: Broker, tmp_path: Path) -> None:
    """kill -9 at any instant, with samples and pushes coming fast: no number is missing or used twice."""
    chance = random.Random(5)
    with Receiver(nats.port) as receiver, Agent(tmp_path, nats.url, interval_s=0.1) as agent:
        for _ in range(KILLS):
            answers(agent)
            wanted = agent.status()["next"] + chance.randint(1, 9)
            while agent.status()["next"] < wanted:
                agent.push(b"asr.utterances:1|c")
            agent.kill()
            agent.start()
        answers(agent)
        assert missing_of_delivered(receiver, agent) == 0
        status = agent.status()
        assert status["next"] > 2 * KILLS
        assert status["dropped"] == {}
        assert {epoch for _, epoch, _ in receiver.samples} == {status["epoch"]}
    assert not folders.damaged(agent.spool)


def test_damaged_again_and_again(nats: Broker, tmp_path: Path) -> None:
    """Killed and damaged, with a backlog: what cannot be read is declared, everything else arrives."""
    chance = random.Random(7)
    with Agent(tmp_path, nats.url, interval_s=0.1) as agent:
        for _ in range(4):
            answers(agent)
            wanted = agent.status()["next"] + 25
            eventually(lambda n=wanted: agent.status()["next"] > n, "a backlog")  # type: ignore[misc]
            agent.kill()
            size = (agent.spool / DATABASE).stat().st_size
            overwrite(agent.spool / DATABASE, chance.randrange(size), bytes(3_000))
            agent.start()
        answers(agent)
        with Receiver(nats.port) as receiver:
            lost = missing_of_delivered(receiver, agent)
            status = agent.status()
            declared = status["dropped"].get("damaged", 0)
            assert lost <= declared < status["next"] / 2
            assert {epoch for _, epoch, _ in receiver.samples} == {status["epoch"]}
            assert status["counters"]["agent"]["samples_dropped"] == declared
            totals = [receiver.samples[key].c["agent"]["samples_taken"] for key in sorted(receiver.samples)]
            assert totals == sorted(totals)


def test_damage_that_shows_only_when_it_is_read(nats: Broker, tmp_path: Path) -> None:
    """A running agent that finds a row spoilt declares it, keeps the others and its epoch, and says so."""
    agent = Agent(tmp_path, nats.url)
    agent.spool.mkdir()
    with closing(open_spool(agent.spool)) as spool:
        fill(spool, 400, metrics=30)
        epoch = spool.epoch
    whole = (agent.spool / DATABASE).read_bytes()
    at = whole.index(b'"utterances":200,') + len(b'"utterances":')
    overwrite(agent.spool / DATABASE, at, b"300")
    with Receiver(nats.port) as receiver, agent:
        eventually(lambda: receiver.stored_until("r1", epoch) >= 401, "all")
        assert receiver.numbers("r1", epoch)[:400] == [*range(1, 200), *range(201, 402)]
        assert agent.status()["dropped"] == {"damaged": 1}
        assert "sample 200 is not what was written" in agent.log
        printed = agent.printed_status()
        assert "given up   1 samples: they could not be read any more" in printed
        assert f"set aside  {agent.spool}/damaged-1: files of a damaged spool" in printed


def test_a_former_epoch_is_delivered_first(nats: Broker, tmp_path: Path) -> None:
    """After damage in two places, the old epoch's samples arrive as they were, and its end is declared."""
    agent = Agent(tmp_path, nats.url)
    agent.spool.mkdir()
    with closing(open_spool(agent.spool)) as spool:
        fill(spool, 100, metrics=300)
        old = spool.epoch
    zero_pages(agent.spool, 0, 30, 31)
    for path in folders.ledger_files(agent.spool):
        path.write_bytes(b"")
    with Receiver(nats.port) as receiver, agent:
        eventually(lambda: receiver.stored_until("r1", old) >= 100, "the old epoch")
        eventually(lambda: receiver.hellos[-1].epoch != old, "the new epoch")
        new = receiver.hellos[-1].epoch
        eventually(lambda: receiver.stored_until("r1", new) >= 3, "samples of the new epoch")
        lost = agent.status()["dropped"]["damaged"]
        assert 0 < lost == missing(receiver, old, 100)
        assert receiver.numbers("r1", new)[0] == 1
        eventually(lambda: not folders.formers(agent.spool), "the old one is gone")


def test_an_epoch_of_which_nothing_is_left_is_declared(nats: Broker, tmp_path: Path) -> None:
    """No sample could be read, but how many there were is known: the collector hears of it."""
    agent = Agent(tmp_path, nats.url)
    agent.spool.mkdir()
    with closing(open_spool(agent.spool)) as spool:
        fill(spool, 5)
        spool.forget(2, 0)
        old = spool.epoch
    (agent.spool / DATABASE).unlink()
    with Receiver(nats.port) as receiver, agent:
        eventually(lambda: receiver.stored_until("r1", old) >= 6, "the loss is declared, and it goes on")
        assert receiver.numbers("r1", old)[0] == 6
        assert agent.status()["dropped"] == {"damaged": 3}


@contextmanager
def small_files(agent: Agent) -> Iterator[None]:
    """The running agent cannot make any file larger than it is: a quota of the system, at its end."""
    pid = agent.status()["pid"]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def refuses(agent: Agent) -> None:
    """Waits until the agent has noticed that its disk takes nothing, and checks that it says so."""
    eventually(lambda: bool(agent.status().get("disk_problem")), "it notices")
    before = agent.status()
    eventually(lambda: agent.status()["dropped"].get("full", 0) >= 3, "it counts what it cannot keep")
    assert agent.status()["next"] == before["next"]
    assert agent.running
    assert "disk       since 2" in agent.printed_status()


def recovers(agent: Agent, receiver: Receiver) -> None:
    """Waits until it keeps samples again; what it could not keep stays counted, and no number is missing."""
    before = agent.status()["next"]
    eventually(lambda: agent.status()["next"] > before + 2, "it samples again")
    status = agent.status()
    assert status["disk_problem"] is None
    assert status["counters"]["agent"]["samples_dropped"] == status["dropped"]["full"] >= 3
    assert missing_of_delivered(receiver, agent) == 0


def test_a_disk_that_takes_no_more(nats: Broker, tmp_path: Path) -> None:
    """The agent lives, counts what it cannot keep, says so, and goes on once the disk does."""
    with Receiver(nats.port) as receiver, Agent(tmp_path, nats.url) as agent:
        answers(agent)
        with small_files(agent):
            refuses(agent)
        recovers(agent, receiver)


@pytest.mark.parametrize("problem", [errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_disk_that_refuses_while_the_agent_runs(
    nats: Broker, tmp_path: Path, faulty_disk: Path, problem: int
) -> None:
    """Read-only all at once, full, or broken: the same."""
    switch = tmp_path / "broken"
    environment = {
        "LD_PRELOAD": str(faulty_disk),
        "FAULTY_FOLDER": str(tmp_path / "spool"),
        "FAULTY_SWITCH": str(switch),
        "FAULTY_ERROR": str(problem),
    }
    with Receiver(nats.port) as receiver, Agent(tmp_path, nats.url, environment=environment) as agent:
        answers(agent)
        switch.touch()
        refuses(agent)
        assert "sample not kept: " in agent.log
        switch.unlink()
        recovers(agent, receiver)


def test_the_quota_holds_while_nobody_listens(tmp_path: Path) -> None:
    """An agent started on a spool above its quota gives up the oldest at once, and says how many and why."""
    agent = Agent(tmp_path, NOBODY, "--spool-max-bytes", "4MB", "--spool-max-age", "off")
    agent.spool.mkdir()
    with closing(open_spool(agent.spool)) as spool:
        fill(spool, 1_500, metrics=300)
    with agent:
        eventually(lambda: "bytes" in agent.status().get("dropped", {}), "it gives some up")
        eventually(lambda: agent.status()["bytes"] <= 4_000_000, "it is small enough")
        status = agent.status()
        assert status["first"] == status["dropped"]["bytes"] + 1
        assert "the oldest, for --spool-max-bytes" in agent.printed_status()
        assert "quota: " in agent.log
        assert status["counters"]["agent"]["samples_dropped"] == status["dropped"]["bytes"]


def test_a_disk_without_room_at_boot_is_named(tmp_path: Path, faulty_disk: Path) -> None:
    """An agent that cannot begin says why in one line, and nothing of its spool is touched."""
    switch = tmp_path / "broken"
    environment = {
        "LD_PRELOAD": str(faulty_disk),
        "FAULTY_FOLDER": str(tmp_path / "spool"),
        "FAULTY_SWITCH": str(switch),
        "FAULTY_ERROR": str(errno.ENOSPC),
    }
    agent = Agent(tmp_path, NOBODY, environment=environment)
    agent.spool.mkdir()
    switch.touch()
    agent.start()
    assert agent.wait() == 1
    assert agent.log.count("\n") == 1
    assert os.strerror(errno.ENOSPC) in agent.log
