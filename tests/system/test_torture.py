"""Torture, short: random kills under load leave zeros; and when something is missing, they do not."""

from pathlib import Path

import duckdb
import pytest

from tests.brokers import Broker
from tests.system import torture
from tests.system.parts import LoadPlan
from tests.system.rig import Rig
from tests.system.timeline import State, Step, Timeline
from tests.system.torture import Plan

PAUSES = """
    0s     start broker, collector, 2 agents, robots
    4s     pause collector
    6s     pause broker; stop agent 1
    7s     resume collector
    8s     resume broker; start agent 1
    9s     pause agent 2
    10s    stop broker
    11s    start broker; stop collector
    12s    start collector; kill agent 2
    13s    start agent 2
    15s    end
"""
DAMAGE = """
    0s     start broker, collector, 2 agents
    4s     kill collector
    10s    kill agents
    11s    damage agents
    12s    start agents
    14s    start collector
    17s    end
"""


def test_the_seed_is_the_plan() -> None:
    """The same seed gives the same kills, another seed others; each is followed by a start."""
    first, again, other = (torture.timeline(Plan(seed, kills=50)) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert first.kills == 50
    assert set(first.standing.values()) == {State.UP}
    killed = {step.part for step in first.steps if step.verb == "kill"}
    assert killed == {"broker", "collector", "agent 1", "agent 2", "agent 3"}


def test_a_plan_by_time_ends_in_time() -> None:
    """Kills of the collector alone, none after the time given."""
    timeline = torture.timeline(Plan(7, seconds=60, only="collector"))
    kills = [step for step in timeline.steps if step.verb == "kill"]
    assert {step.part for step in kills} == {"collector"}
    assert len(kills) >= 6
    assert max(step.at_s for step in kills) <= 60 <= timeline.end_s


@pytest.mark.system
def test_random_kills_leave_zeros(broker: Broker, tmp_path: Path) -> None:
    """Agent, broker and collector killed at random: nothing lost, nothing twice, every alert once."""
    broker.stop()
    account = torture.torture(broker, Plan(seed=31, kills=6), tmp_path)
    assert account.is_zero, str(account)
    assert account["samples taken"] > 2_000
    assert account["alerts expected"] == 23


@pytest.mark.system
def test_a_collector_killed_under_load_stores_each_sample_once(nats: Broker, tmp_path: Path) -> None:
    """500 samples a second, and the collector killed again and again."""
    nats.stop()
    plan = Plan(seed=16, seconds=15, only="collector", agents=0, robots=50, rate=500)
    assert torture.timeline(plan).kills >= 3
    account = torture.torture(nats, plan, tmp_path)
    assert account.is_zero, str(account)
    assert account["samples taken"] > 4_000


@pytest.mark.system
def test_pauses_and_stops_leave_zeros(broker: Broker, tmp_path: Path) -> None:
    """Processes that stand still, or end in order, are no worse than those that die."""
    broker.stop()
    with Rig(broker, tmp_path, LoadPlan(robots=10, rate=50, fault_within_s=10)) as rig:
        rig.run(Timeline.parse(PAUSES))
        rig.settle()
        account = rig.account()
    assert account.is_zero, str(account)


@pytest.mark.system
def test_what_a_damaged_spool_lost_is_declared(nats: Broker, tmp_path: Path) -> None:
    """Pages of the spools are zeroed before anybody has their samples: what is gone is declared."""
    nats.stop()
    with Rig(nats, tmp_path) as rig:
        rig.run(Timeline.parse(DAMAGE))
        rig.settle(by_themselves=False)
        account = rig.account()
    assert account.is_zero, str(account)
    assert account["declared lost"] > 0


@pytest.mark.system
def test_a_store_that_lost_and_doubled_is_found_out(nats: Broker, tmp_path: Path) -> None:
    """One row taken out of the collector's files, and one put in again: the account names both."""
    nats.stop()
    with Rig(nats, tmp_path) as rig:
        rig.run(Timeline.parse("0s start broker, collector, 1 agent\n 4s end"))
        rig.settle()
        rig.do(Step(0.0, "stop", "collector"))
        with duckdb.connect(str(tmp_path / "collector" / "samples.duckdb")) as connection:
            connection.execute("DELETE FROM fresh WHERE seq = 3")
            connection.execute("INSERT INTO fresh SELECT * FROM fresh WHERE seq = 5")
        rig.do(Step(0.0, "start", "collector"))
        account = rig.account()
    assert (account["undeclared lost"], account["duplicated"]) == (1, 1)
    assert any("neither stored nor declared lost: 3, of" in finding for finding in account.findings)
