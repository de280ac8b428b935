"""The connection to the broker: nothing is dropped, whatever it takes to work it off."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from agent import wire
from collector.conditions import Conditions
from collector.config import BrokerAddress, Tls, parse_broker, tls_context
from collector.inbox import Arrived, Connected, Disconnected, Inbox, Incoming
from collector.mqtt import Link
from collector.pipeline import clock
from collector.receipts import Receipt
from collector.telemetry import Telemetry
from tests.brokers import Broker, SecureMosquitto
from tests.processes import until
from tests.system.robots import FLEET, Robot

pytestmark = pytest.mark.system


class Running:
    """A link in its thread, and what came through it."""

    def __init__(self, address: BrokerAddress, tls: Tls | None = None, inbox: Inbox | None = None) -> None:
        self.inbox = inbox or Inbox()
        self.conditions = Conditions()
        context = tls_context(address, tls or Tls())
        self.link = Link(address, context, FLEET, self.inbox, self.conditions, Telemetry(), clock)
        self._thread = threading.Thread(target=self.link.run, daemon=True)
        self._taken: list[Incoming] = []
        self._thread.start()

    def next(self) -> Incoming:
        """The next thing to arrive but the collector's own status."""
        while True:
            if not self._taken:
                self._taken = until("something arrives", lambda: self.inbox.take(0.05))
            event = self._taken.pop(0)
            if not (isinstance(event, Arrived) and event.topic == str(wire.CollectorTopic(FLEET))):
                return event

    def leave(self) -> None:
        """Stops in order, and waits for the end."""
        self.inbox.close()
        self.link.leave()
        self._thread.join(30)
        assert not self._thread.is_alive()


@contextmanager
def linked(broker: Broker, inbox: Inbox | None = None) -> Iterator[Running]:
    """A link that is connected."""
    running = Running(parse_broker(broker.url), inbox=inbox)
    assert isinstance(running.next(), Connected)
    yield running
    running.leave()


def test_full_inbox_holds_the_broker_back(broker: Broker) -> None:
    """While nobody takes anything, no more is read; then all of it arrives, in order."""
    wanted = 900  # of 10 kB, so far more than one read brings
    with linked(broker, Inbox(max_messages=5)) as running, Robot(broker.url, "r1") as robot:
        for number in range(wanted):
            robot.raw("samples", b"%05d" % number + b" " * 10_000)
        until("it is full", lambda: not running.inbox.has_room())
        assert running.inbox.depth < wanted / 2
        arrived = [running.next() for _ in range(wanted)]
        assert [int(event.payload[:5]) for event in arrived if isinstance(event, Arrived)] == list(
            range(wanted)
        )


def test_receipts_go_out_in_great_numbers(broker: Broker) -> None:
    """More than may be under way at once, and the broker acknowledges each: the robot's is among them."""
    crowd = [Receipt(f"other-{number}", "e1", number) for number in range(3_000)]
    with linked(broker) as running, Robot(broker.url, "r1") as robot:
        running.link.send([*crowd, Receipt("r1", "e1", 17)])
        until("the last one has come", lambda: robot.stored_until == 17)


def test_last_receipts_go_out_before_the_goodbye(broker: Broker) -> None:
    """What was committed last is answered, though the link is told to leave at once."""
    with Robot(broker.url, "r1") as robot:
        with linked(broker) as running:
            running.link.send([Receipt(f"other-{number}", "e1", 1) for number in range(2_500)])
            running.link.send([Receipt("r1", "e1", 23)])
        until("it has come", lambda: robot.stored_until == 23)
        assert not collector_status(broker).online


def test_what_comes_after_the_end_of_intake_is_not_taken(nats: Broker) -> None:
    """A message that is in nobody's hands is not acknowledged, nor handed out."""
    with linked(nats) as running, Robot(nats.url, "r1") as robot:
        running.inbox.close()
        robot.samples(1, 1)
        running.link.send([Receipt("r1", "e1", 5)])
        until("receipts still go out", lambda: robot.stored_until == 5)
        assert running.inbox.take(0) == []


def test_every_connection_has_a_session_of_its_own(broker: Broker) -> None:
    """Agents see a new session after an outage, and send again what may have been lost in it."""
    with linked(broker) as running:
        first = collector_status(broker)
        broker.kill()
        assert isinstance(running.next(), Disconnected)
        broker.start()
        assert isinstance(running.next(), Connected)
        until("it is online", lambda: collector_status(broker).online)
        second = collector_status(broker)
    gone = collector_status(broker)
    assert first.online
    assert first.session != second.session
    assert (gone.online, gone.session) == (False, second.session)


def test_link_stops_while_there_is_no_broker(nats: Broker) -> None:
    """Nothing to say goodbye to: it ends all the same, and said why it was not connected."""
    nats.stop()
    running = Running(parse_broker(nats.url))
    until("it says so", lambda: "Connection refused" in running.conditions.health().parts["broker"])
    running.leave()


def test_broker_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that accepts a connection and never answers does not keep the link for ever."""
    monkeypatch.setattr("collector.mqtt.connection.GREETING_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        running = Running(BrokerAddress("127.0.0.1", mute.getsockname()[1]))
        until("it says so", lambda: "does not let us in" in running.conditions.health().parts["broker"])
        running.leave()


def test_broker_that_talks_nonsense_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever listens there: the reason is shown, and it is tried again."""
    monkeypatch.setattr("collector.mqtt.link.BACK_OFF_S", (0.01, 0.02))
    with socket.create_server(("127.0.0.1", 0)) as web:
        web.settimeout(30)
        running = Running(BrokerAddress("127.0.0.1", web.getsockname()[1]))
        for _ in range(3):
            talker, _ = web.accept()
            with talker:
                talker.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        until("it says so", lambda: "no connection" in running.conditions.health().parts["broker"])
        running.leave()


def test_broker_that_refuses_us_says_why() -> None:
    """Wrong password: the reason is shown, and what was sent is what the URL says."""
    with socket.create_server(("127.0.0.1", 0)) as strict:
        strict.settimeout(30)
        port = strict.getsockname()[1]
        running = Running(parse_broker(f"mqtt://anna:s%40crumb@127.0.0.1:{port}"))
        asker, _ = strict.accept()
        with asker:
            asked = asker.recv(4096)
            asker.sendall(b"\x20\x02\x00\x05")
            until("it says so", lambda: "Not authorized" in running.conditions.health().parts["broker"])
        running.leave()
    assert asked.endswith(b"\0\4anna\0\7s@crumb")


def test_broker_that_refuses_a_subscription_says_why() -> None:
    """Rights that are too small are no silence of the fleet."""
    with socket.create_server(("127.0.0.1", 0)) as strict:
        strict.settimeout(30)
        running = Running(BrokerAddress("127.0.0.1", strict.getsockname()[1]))
        asker, _ = strict.accept()
        with asker:
            asker.recv(4096)
            asker.sendall(b"\x20\x02\x00\x00")
            asked = asker.recv(4096)
            asker.sendall(b"\x90\x05" + asked[2:4] + b"\x01\x01\x80")
            said = "does not let us subscribe to vitals/v1/test/+/samples"
            until("it says so", lambda: said in running.conditions.health().parts["broker"])
        running.leave()


def test_over_tls(tmp_path: Path) -> None:
    """Large and many messages both ways through TLS, whose records are smaller than a read."""
    wanted = 200
    with SecureMosquitto(tmp_path / "broker") as broker:
        tls = Tls(broker.ca, broker.cert, broker.key)
        running = Running(parse_broker(broker.url), tls)
        assert isinstance(running.next(), Connected)
        publisher = Client(CallbackAPIVersion.VERSION2)
        publisher.tls_set(str(broker.ca), str(broker.cert), str(broker.key))
        publisher.connect("127.0.0.1", broker.port)
        publisher.loop_start()
        for number in range(wanted):
            publisher.publish(f"vitals/v1/{FLEET}/r1/samples", b"%05d" % number + b"x" * 20_000, qos=1)
        arrived = [running.next() for _ in range(wanted)]
        assert [int(event.payload[:5]) for event in arrived if isinstance(event, Arrived)] == list(
            range(wanted)
        )
        publisher.disconnect()
        publisher.loop_stop()
        running.leave()


def collector_status(broker: Broker) -> wire.CollectorStatus:
    """The retained status of the collector."""
    found: list[wire.CollectorStatus] = []
    topic = str(wire.CollectorTopic(FLEET))
    client = Client(CallbackAPIVersion.VERSION2)

    @client.message_callback()
    def received(_client: Client, _data: object, message: object) -> None:
        read = wire.decode(topic, bytes(getattr(message, "payload", b"")))
        if isinstance(read, wire.Received) and isinstance(read.message, wire.CollectorStatus):
            found.append(read.message)

    client.connect("127.0.0.1", broker.port)
    client.subscribe(topic, qos=1)
    client.loop_start()
    deadline = time.monotonic() + 30
    while not found and time.monotonic() < deadline:
        time.sleep(0.02)
    client.disconnect()
    client.loop_stop()
    return found[0]
