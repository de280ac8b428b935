"""The connection to the broker: nothing is dropped, whatever it takes to work it off."""

import asyncio
import threading
import time

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from agent import wire
from collector.conditions import Conditions
from collector.config import parse_broker
from collector.ingest import Arrived, Connected, Disconnected, Incoming
from collector.mqtt import Link
from collector.pipeline import clock
from tests.brokers import Broker
from tests.system.robots import FLEET, Robot

pytestmark = pytest.mark.system


def link_to(broker: Broker, inbox: asyncio.Queue[Incoming]) -> Link:
    """A link that reads into the inbox."""
    return Link(parse_broker(broker.url), None, FLEET, inbox, Conditions(), clock)


async def next_of(inbox: asyncio.Queue[Incoming]) -> Incoming:
    """The next thing to arrive but the collector's own status, with a generous deadline."""
    while True:
        event = await asyncio.wait_for(inbox.get(), 30)
        if not (isinstance(event, Arrived) and event.topic == str(wire.CollectorTopic(FLEET))):
            return event


async def left(link: Link, running: asyncio.Task[None]) -> None:
    """Stops a link in order."""
    link.stop_listening()
    link.leave()
    await asyncio.wait_for(running, 30)


def test_full_inbox_holds_the_broker_back(broker: Broker) -> None:
    """With an inbox of five, five hundred messages all arrive, in order, once somebody takes them."""
    wanted = 500

    def publish() -> None:
        with Robot(broker.url, "r1") as robot:
            for seq in range(1, wanted + 1):
                robot.samples(seq, 1)

    async def live() -> list[int]:
        inbox: asyncio.Queue[Incoming] = asyncio.Queue(5)
        link = link_to(broker, inbox)
        running = asyncio.create_task(link.run())
        assert isinstance(await next_of(inbox), Connected)
        publisher = threading.Thread(target=publish)
        publisher.start()
        await asyncio.to_thread(publisher.join, 60)
        arrived = [await next_of(inbox) for _ in range(wanted)]
        await left(link, running)
        return [_seq(event) for event in arrived]

    assert asyncio.run(live()) == list(range(1, wanted + 1))


def test_every_connection_has_a_session_of_its_own(nats: Broker) -> None:
    """Agents see a new session after an outage, and send again what may have been lost in it."""

    async def live() -> list[wire.CollectorStatus]:
        inbox: asyncio.Queue[Incoming] = asyncio.Queue(5)
        link = link_to(nats, inbox)
        running = asyncio.create_task(link.run())
        assert isinstance(await next_of(inbox), Connected)
        first = await asyncio.to_thread(collector_status, nats)
        nats.kill()
        assert isinstance(await next_of(inbox), Disconnected)
        nats.start()
        assert isinstance(await next_of(inbox), Connected)
        second = await asyncio.to_thread(collector_status, nats)
        await left(link, running)
        return [first, second, await asyncio.to_thread(collector_status, nats)]

    first, second, gone = asyncio.run(live())
    assert first.online
    assert second.online
    assert first.session != second.session
    assert (gone.online, gone.session) == (False, second.session)


def test_link_stops_while_there_is_no_broker(nats: Broker) -> None:
    """Nothing to say goodbye to: it ends all the same."""
    nats.stop()

    async def live() -> None:
        link = link_to(nats, asyncio.Queue(5))
        running = asyncio.create_task(link.run())
        await asyncio.sleep(0)
        await left(link, running)
        assert link.quiet

    asyncio.run(live())


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


def _seq(event: Incoming) -> int:
    assert isinstance(event, Arrived)
    read = wire.decode(event.topic, event.payload)
    assert isinstance(read, wire.Received)
    assert isinstance(read.message, wire.Samples)
    return read.message.seq
