"""The connection to the broker: what arrives goes into a bounded inbox, receipts go out.

A clean session, since nothing depends on the broker's memory: agents keep what has no receipt, and every
connection of ours has a session of its own, at whose sight they send again what we may have missed. A
message is acknowledged to the broker once it is in the inbox; while that is full, the broker holds back.
"""

import asyncio
import contextlib
import math
import random
import ssl
import uuid
from collections.abc import Callable, Sequence
from typing import Final

import aiomqtt
import structlog

from agent import wire
from collector.conditions import Conditions
from collector.config import BrokerAddress
from collector.ingest import Arrived, Connected, Disconnected, Incoming
from collector.receipts import Receipt

KEEPALIVE_S: Final = 15
PUBLISH_TIMEOUT_S: Final = 5.0
BACK_OFF_S: Final = (0.2, 30.0)
CHANNELS: Final[tuple[wire.Channel, ...]] = ("hello", "status", "samples")
log = structlog.get_logger()


class Link:
    """Connects, again and again, until told to leave."""

    def __init__(
        self,
        address: BrokerAddress,
        tls: ssl.SSLContext | None,
        fleet: str,
        inbox: asyncio.Queue[Incoming],
        conditions: Conditions,
        clock: Callable[[], int],
    ) -> None:
        self._address = address
        self._tls = tls
        self._fleet = fleet
        self._inbox = inbox
        self._conditions = conditions
        self._clock = clock
        self._client: aiomqtt.Client | None = None
        self._failures = 0
        self._deaf = asyncio.Event()
        self._done = asyncio.Event()
        self._quiet = asyncio.Event()
        conditions.ill("broker", f"connecting to {address}")

    @property
    def quiet(self) -> bool:
        """Whether nothing will arrive any more."""
        return self._quiet.is_set()

    def stop_listening(self) -> None:
        """Takes in nothing more; receipts still go out, until `leave`."""
        self._deaf.set()

    def leave(self) -> None:
        """Says goodbye and disconnects; `run` ends."""
        self._done.set()

    async def run(self) -> None:
        """Keeps the connection up until `stop_listening` and `leave`."""
        while not self._deaf.is_set():
            try:
                await self._connection()
            except (aiomqtt.MqttError, OSError) as error:
                self._failures += 1
                self._conditions.ill("broker", f"no connection to {self._address}: {error}")
                log.warning("no connection to the broker", broker=str(self._address), error=str(error))
                await self._pause()
        self._quiet.set()

    async def send(self, receipts: Sequence[Receipt]) -> int:
        """Publishes receipts; answers how many went out. What fails is asked for again by the agents."""
        client = self._client
        if client is None or not receipts:
            return 0
        sent = await asyncio.gather(*(self._send(client, receipt) for receipt in receipts))
        return sum(sent)

    async def _send(self, client: aiomqtt.Client, receipt: Receipt) -> bool:
        topic = str(wire.Topic(self._fleet, receipt.robot, "receipt"))
        text = wire.encode(wire.Receipt(epoch=receipt.epoch, stored_until=receipt.stored_until))
        try:
            await client.publish(topic, text, qos=1, timeout=PUBLISH_TIMEOUT_S)
        except aiomqtt.MqttError as error:
            log.warning("receipt not sent", robot=receipt.robot, error=str(error))
            return False
        return True

    async def _connection(self) -> None:
        """One connection, from its greeting to its end; returns only when told to leave."""
        session = uuid.uuid4().hex
        async with self._connect(session) as client:
            client.pending_calls_threshold = 10_000  # it would warn of every larger round of receipts
            client._client.manual_ack_set(True)
            await self._greet(client, session)
            try:
                await self._listen(client)
                self._quiet.set()
                await self._done.wait()
                await client.publish(*self._status(session, online=False), qos=1, retain=True)
            finally:
                self._client = None

    def _connect(self, session: str) -> aiomqtt.Client:
        topic, text = self._status(session, online=False)
        return aiomqtt.Client(
            self._address.host,
            self._address.port,
            username=self._address.user,
            password=self._address.password,
            identifier=f"vitals-collector-{session[:12]}",
            clean_session=True,
            keepalive=KEEPALIVE_S,
            tls_context=self._tls,
            will=aiomqtt.Will(topic, text, qos=1, retain=True),
            logger=None,
        )

    async def _greet(self, client: aiomqtt.Client, session: str) -> None:
        for channel in CHANNELS:
            await client.subscribe(wire.subscription(self._fleet, channel), qos=1)
        await client.publish(*self._status(session, online=True), qos=1, retain=True)
        await self._inbox.put(Connected(self._clock()))
        self._client = client
        self._failures = 0
        self._conditions.well("broker", f"connected to {self._address}")
        log.info("connected to the broker", broker=str(self._address), fleet=self._fleet)

    async def _listen(self, client: aiomqtt.Client) -> None:
        """Reads until told to stop. Raises `MqttError` when the connection is lost."""
        reading = asyncio.create_task(self._read(client))
        stopping = asyncio.create_task(self._deaf.wait())
        try:
            await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                await self._inbox.put(Disconnected(self._clock()))
                reading.result()
        finally:
            for task in (reading, stopping):
                task.cancel()
            await asyncio.gather(reading, stopping, return_exceptions=True)

    async def _read(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload if isinstance(message.payload, bytes) else b""
            topic = str(message.topic)
            await self._inbox.put(Arrived(topic, payload, self._clock(), bool(message.retain)))
            client._client.ack(message.mid, message.qos)

    def _status(self, session: str, *, online: bool) -> tuple[str, bytes]:
        status = wire.CollectorStatus(online=online, session=session, at=self._clock())
        return str(wire.CollectorTopic(self._fleet)), wire.encode(status)

    async def _pause(self) -> None:
        """Exponential back-off with full jitter, cut short when told to stop."""
        shortest, longest = BACK_OFF_S
        ceiling = min(longest, shortest * math.pow(2, min(self._failures, 16)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._deaf.wait(), shortest + ceiling * random.random())  # noqa: S311
