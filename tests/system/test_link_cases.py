"""What has broken others between robot and store, each with real agents, brokers and a real collector."""

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from agent import report, wire
from agent.folder import SpoolError
from agent.report import Report
from tests.brokers import Broker, Mosquitto
from tests.processes import Agent, Collector, until
from tests.system.robots import FLEET, Robot
from tests.system.test_ingest import exported

pytestmark = pytest.mark.system
QUICK = ("--interval-s", "0.1", "--reconnect-within-s", "0.2", "--resend-after-s", "2")


class ForgetfulMosquitto(Mosquitto):
    """It acknowledges everything, and keeps next to nothing for a client that does not read."""

    def _settings(self) -> list[str]:
        return [*super()._settings(), "max_queued_messages 1", "sys_interval 1"]


def told(agent: Agent) -> Report:
    """What the agent says of itself, once it can."""

    def found() -> Report | None:
        try:
            return report.read(agent.spool)
        except SpoolError:
            return None

    return until("the agent answers", found)


def taken(agent: Agent) -> int:
    """How many samples it has taken."""
    return told(agent).next - 1


def takes(agent: Agent, count: int) -> None:
    """Waits until it has taken so many more."""
    enough = taken(agent) + count
    until(f"{agent.robot} takes {count} samples", lambda: taken(agent) >= enough)


@contextmanager
def frozen(collector: Collector) -> Iterator[None]:
    """The process gets no time, as on a machine that is much too busy; its connection stays."""
    assert collector.popen is not None
    collector.popen.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        collector.popen.send_signal(signal.SIGCONT)


@contextmanager
def listening(broker: Broker, topic: str) -> Iterator[list[bytes]]:
    """What comes on a topic, the retained message first."""
    heard: list[bytes] = []

    def received(_client: Client, _data: object, message: MQTTMessage) -> None:
        heard.append(bytes(message.payload))

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = received
    client.connect("127.0.0.1", broker.port)
    client.subscribe(topic, qos=1)
    client.loop_start()
    yield heard
    client.disconnect()
    client.loop_stop()


def all_once(collector: Collector, folder: Path, *agents: Agent) -> list[tuple[Any, ...]]:
    """Waits until everything taken so far is stored; answers what the export has, each number once."""
    wanted = {agent.robot: taken(agent) for agent in agents}

    def stored() -> list[tuple[Any, ...]]:
        rows = exported(collector, folder)
        highest = {robot: last for robot, _, _, _, _, last in rows}
        whole = all(count == last for _, _, count, _, _, last in rows)
        return rows if whole and all(highest.get(r, 0) >= n for r, n in wanted.items()) else []

    rows = until("all is stored, without a hole", stored)
    assert all(count == different and first == 1 for _, _, count, different, first, _ in rows)
    return rows


def test_a_broker_that_drops_what_it_acknowledged(tmp_path: Path) -> None:
    """The collector is slow, the broker drops its queue after PUBACK: the agent sends it again."""
    if Mosquitto.program() is None:
        pytest.skip("mosquitto is not installed")
    with (
        ForgetfulMosquitto(tmp_path / "broker") as broker,
        Collector(tmp_path, broker.url) as collector,
        Agent(tmp_path, broker.url, "r1", *QUICK) as agent,
    ):
        until("samples are stored", lambda: exported(collector, tmp_path))
        with frozen(collector), listening(broker, "$SYS/broker/publish/messages/dropped") as dropped:
            takes(agent, 60)
            until("the broker drops messages", lambda: dropped and int(dropped[-1]) > 0)
        all_once(collector, tmp_path, agent)
        assert collector.get("robots/r1")["samples_lost"] == 0


def test_a_late_will_of_an_old_connection(broker: Broker, tmp_path: Path) -> None:
    """The robot is back on a new connection when the broker finds out that the old one is dead."""
    with Collector(tmp_path, broker.url) as collector, Robot(broker.url, "r1") as robot:
        old = Client(CallbackAPIVersion.VERSION2, client_id="old-connection-of-r1")
        topic = str(wire.Topic(FLEET, "r1", "status"))
        will = wire.encode(wire.Status(online=False, session=1, at=0))
        old.will_set(topic, will, qos=1, retain=True)
        old.connect("127.0.0.1", broker.port)
        old.loop_start()
        robot.hello(session=1)
        robot.hello(session=2)
        robot.samples(1, 1)
        until("it is online", lambda: presence(collector) == "online")
        until("connected", old.is_connected)
        old.loop_stop()
        connection = old.socket()
        assert connection is not None
        with listening(broker, topic) as statuses:
            connection.close()  # without a goodbye
            until("the will comes", lambda: will in statuses)
        robot.samples(2, 1)
        until("what came after the will is stored", lambda: exported(collector, tmp_path)[0][2] == 2)
        assert presence(collector) == "online"


def presence(collector: Collector) -> str:
    """What the API says of the robot; nothing while it does not know it."""
    found = collector.try_get("robots/r1")
    return str(found["presence"]) if found else ""


def test_a_collector_killed_while_receipts_are_on_their_way(broker: Broker, tmp_path: Path) -> None:
    """Killed again and again as soon as it begins to answer: all is stored once, and forgotten only then."""
    with (
        Collector(tmp_path, broker.url) as collector,
        Agent(tmp_path, broker.url, "r1", *QUICK) as agent,
        listening(broker, str(wire.Topic(FLEET, "r1", "receipt"))) as receipts,
    ):
        for _ in range(3):
            receipts.clear()
            until("a receipt goes out", lambda: receipts)
            collector.kill()
            takes(agent, 5)
            collector.start()
        forgotten = told(agent).first - 1
        [row] = all_once(collector, tmp_path, agent)
        assert row[5] >= forgotten


@pytest.mark.parametrize("seed", [1, 2])
def test_messages_that_come_twice_and_out_of_order(nats: Broker, tmp_path: Path, seed: int) -> None:
    """In any order, each of them twice: every number is stored once, and the receipt covers all."""
    moments = random.Random(seed)
    batches = [(1 + 5 * n, 5) for n in range(20)] * 2
    moments.shuffle(batches)
    with Collector(tmp_path, nats.url) as collector, Robot(nats.url, "r1") as robot:
        robot.hello(next=101)
        for seq, count in batches:
            robot.samples(seq, count)
        until("all is stored", lambda: exported(collector, tmp_path) == [("r1", "e1", 100, 100, 1, 100)])
        robot.hello(next=101, session=2)
        until("a receipt covers all", lambda: robot.stored_until == 100)
        assert collector.get("robots/r1")["samples_lost"] == 0


def test_two_robots_under_one_name(broker: Broker, tmp_path: Path) -> None:
    """They throw each other out of the broker: it is noticed, and what both take is stored all the same."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        Collector(tmp_path, broker.url) as collector,
        Agent(tmp_path / "one", broker.url, "r1", *QUICK) as one,
        Agent(tmp_path / "two", broker.url, "r1", *QUICK) as two,
    ):
        clash = until("the clash is noticed", lambda: clash_of(collector))
        assert {agent["epoch"] for agent in clash["agents"]} <= {epoch_of(one), epoch_of(two)}
        assert clash["count"] >= 3
        epochs = {epoch_of(one), epoch_of(two)}
        for alone, other in ((two, one), (one, two)):
            other.stop()
            alone.stop()
            alone.start()
            last = taken(alone)
            until("it delivers undisturbed", lambda a=alone, n=last: told(a).first > n)  # type: ignore[misc]
        rows = exported(collector, tmp_path)
        assert {epoch for _, epoch, *_ in rows} == epochs
        assert all(count == different and first == 1 for _, _, count, different, first, _ in rows)


def clash_of(collector: Collector) -> dict[str, Any] | None:
    """The clash that the API shows, if any."""
    found = collector.try_get("robots/r1/delivery")
    return found["clash"] if found else None


def epoch_of(agent: Agent) -> str:
    """The epoch of its spool."""
    return told(agent).epoch
