"""One agent in virtual time: a day without a network, brokers that never answer, a namesake."""

import logging
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest

from agent.backoff import CAP_MS
from agent.courier import CONNECT_WITHIN_MS
from agent.spool import open_spool
from tests.virtual.agents import Air, Clock, VirtualAgent, run

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.mark.parametrize("fails_after_ms", [0, 5_000, None])
def test_a_day_without_name_server_and_broker(
    ram_path: Path, caplog: pytest.LogCaptureFixture, fails_after_ms: int | None
) -> None:
    """Attempts fail at once, late or never: it tries all day, keeps every sample, and delivers each once."""
    caplog.set_level(logging.CRITICAL, "agent")  # what is kept for the report is no memory of the agent's
    air = Air(Clock(), fails_after_ms=fails_after_ms)
    agent = VirtualAgent(open_spool(ram_path), air)
    run(air.clock, [agent], 2 * HOUR)
    tracemalloc.start()
    run(air.clock, [agent], 22 * HOUR)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    attempt_ms = CONNECT_WITHIN_MS if fails_after_ms is None else fails_after_ms
    gaps = [after - before for before, after in pairwise(air.attempts)]
    assert max(gaps) <= CAP_MS + attempt_ms
    assert DAY / (CAP_MS + attempt_ms) <= len(air.attempts) <= 3 * DAY / (CAP_MS + attempt_ms)
    assert len({gap // 1000 for gap in gaps[10:]}) > 30  # never in step
    assert agent.courier.outbox.depth == DAY // 30_000
    assert grown < 64 * 1024

    air.reachable = True
    run(air.clock, [agent], HOUR)
    assert agent.courier.outbox.depth <= 1
    assert len(air.stored) >= DAY // 30_000
    assert set(air.stored.values()) == {1}


def test_says_why_it_is_not_connected(ram_path: Path) -> None:
    """People read what the resolver said, or that nobody answered."""
    air = Air(Clock())
    agent = VirtualAgent(open_spool(ram_path), air)
    run(air.clock, [agent], HOUR)
    assert agent.courier.standing.problem == f"mqtt://broker:1883: {air.reason}"
    air.fails_after_ms = None
    run(air.clock, [agent], HOUR)
    assert agent.courier.standing.problem == "mqtt://broker:1883: no answer within 60 s"
    assert agent.counted["network.connect_failures"] == pytest.approx(len(air.attempts), abs=1)


def test_two_agents_under_one_name(ram_path: Path) -> None:
    """The broker throws one out for the other, all day: they do not hammer it, they tell, they deliver."""
    air = Air(Clock(), reachable=True)
    spools = []
    for number in (1, 2):
        (ram_path / str(number)).mkdir()
        spools.append(open_spool(ram_path / str(number)))
    agents = [VirtualAgent(spool, air, seed) for seed, spool in enumerate(spools)]
    run(air.clock, agents, 12 * HOUR)
    assert len(air.attempts) <= 12 * 60 * 3
    assert any("does another agent run as r1 too?" in str(a.courier.standing.problem) for a in agents)
    for spool in spools:
        assert air.stored_until(spool.epoch) >= spool.next - 20
        assert spool.held <= 20


def test_asks_for_the_collector_again(ram_path: Path) -> None:
    """A status that a broker lost between subscribing and publishing does not hold a robot for ever."""
    air = Air(Clock(), reachable=True, retains=False)
    agent = VirtualAgent(open_spool(ram_path), air)
    run(air.clock, [agent], 60_000)
    assert agent.courier.standing.collector_online
    assert air.attempts.tolist() == [0]
    assert agent.courier.outbox.depth <= 1
