"""The real application over a real database, a real store and a fleet that has spoken."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from agent import wire
from agent.catalogue import load
from collector.changes import Changes
from collector.conditions import Health
from collector.http.app import create
from collector.http.services import Services
from collector.presence import Fleet
from collector.relational import Relational, RobotRecord
from collector.stores import Commit, Rows, StoredSample, Watermark
from collector.stores.duckdb import DuckStore
from collector.telemetry import Telemetry
from rules.evaluation import By, Entity, Event, Suppression
from rules.lifecycle import State
from tests.collector.evaluations import RULES, Signals, evaluation, evidence
from tests.signing import sign_in

T = 1_795_309_200_000  # 2026-11-22T01:00:00Z
MINUTE = 60_000


@dataclass
class World:
    """The parts under the app, and time as the tests want it."""

    services: Services
    signals: Signals = field(default_factory=Signals)

    def fires(self, rule: str, *robots: str, at: int = T) -> list[int]:
        """A rule begins to fire on robots; the ids of their alerts."""
        return self.services.relational.commit(self.signals.fires(at, rule, *robots), RULES)

    def fires_on(self, rule: str, entity: Entity, at: int = T) -> list[int]:
        """A rule begins to fire on an entity of any kind."""
        event = Event(at, rule, entity, State.INACTIVE, State.FIRING, at - MINUTE, 6.0, 5.0, evidence(6.0))
        return self.services.relational.commit(evaluation(at, event), RULES)

    def suppressed(self, by: By | None, rule: str, robot: str, at: int = T) -> list[int]:
        """An alert of a robot is suppressed from now on."""
        change = Suppression(at, rule, Entity("robot", robot), by)
        return self.services.relational.commit(replace(evaluation(at), suppressions=(change,)), RULES)


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: int = T

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time at which the requests come."""
    return Clock()


@pytest.fixture
def health() -> list[Health]:
    """What the collector says of itself: the last one counts."""
    return [Health(True, {"broker": "connected"})]


@pytest.fixture
def world(tmp_path: Path, clock: Clock, health: list[Health]) -> Iterator[World]:
    """Three robots: one that sends every minute, one that went silent, one that was never heard."""
    catalogue = load()
    relational = Relational(f"sqlite:///{tmp_path / 'collector.sqlite'}")
    relational.import_robots(
        [
            RobotRecord("r1", name="小智", customer="ACME", site="Hall 2", tz="Asia/Shanghai"),
            RobotRecord("r2", name="小慧", customer="ACME", site="Hall 3"),
            RobotRecord("r3"),
        ]
    )
    store = DuckStore(tmp_path / "samples.duckdb", catalogue)
    fleet = Fleet()
    fleet.listening(T - 1_000 * MINUTE)
    fleet.hello("r1", hello(), T)
    for robot in ("r1", "r2"):
        until = T if robot == "r1" else T - 300 * MINUTE
        taken = [sample(robot, number, until - (10 - number) * MINUTE) for number in range(1, 11)]
        rows = Rows.of(taken, catalogue)
        store.append(Commit(until, rows, (), {(robot, "e1"): Watermark(10)}))
        fleet.stored(rows)
    relational.start_listening(T - 1_000 * MINUTE, T)
    services = Services(
        relational=relational,
        store=store,
        rules=RULES,
        catalogue=catalogue,
        fleet=fleet,
        changes=Changes(),
        telemetry=Telemetry(),
        health=lambda: health[-1],
        clock=clock,
        scratch=tmp_path,
    )
    yield World(services)
    store.close()
    relational.close()


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    """An admin's script that talks to the app."""
    with visitor(world) as client:
        yield sign_in(client, world.services)


@pytest.fixture
def stranger(world: World) -> Iterator[TestClient]:
    """Somebody who is not signed in."""
    with visitor(world) as client:
        yield client


def visitor(world: World) -> TestClient:
    """A client of the app that is not signed in."""
    return TestClient(create(world.services), base_url="http://vitals", raise_server_exceptions=False)


def hello() -> wire.Hello:
    """What r1 said when it connected."""
    return wire.Hello(
        session=1,
        boot="b1",
        epoch="e1",
        agent="0.1.0",
        interval_s=60,
        tz="Asia/Shanghai",
        labels={"model": "X1", "firmware": "7.2"},
        first=1,
        next=11,
        at=T,
    )


def sample(robot: str, number: int, t: int) -> StoredSample:
    """Two relocalization faults every sample, and a round trip that grows; touchscreen is down."""
    return StoredSample(
        robot=robot,
        epoch="e1",
        seq=number,
        t=t,
        robot_t=t,
        received_at=t,
        up=number,
        boot="b1",
        synced=True,
        corrected=False,
        counters={"navigation.relocalization_faults": 2 * number},
        gauges={"network.rtt_ms": 10.0 * number, "navigation.up": 1.0, "touchscreen.up": 0.0},
    )
