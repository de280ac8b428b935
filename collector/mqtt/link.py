"""The connection to the broker: what arrives goes into the inbox, receipts go out, in a thread of its own.

A clean session, since nothing depends on the broker's memory: agents keep what has no receipt, and every
connection of ours has a session of its own, at whose sight they send again what we may have missed. A
message is acknowledged to the broker once it is in the inbox; while that is full nothing is read, and the
broker holds back.

paho-mqtt connects, signs in, subscribes, pings and says goodbye. Messages and receipts, the mass, pass it
by (`collector.mqtt.framing`). Whatever blocks costs a wait for the interpreter's lock, which the ingest holds
nearly always; so there is one large read, and one write, for hundreds of messages.
"""

import contextlib
import math
import random
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from paho.mqtt.client import MQTTMessageInfo

from agent import wire
from collector.conditions import Conditions
from collector.config import BrokerAddress
from collector.inbox import Connected, Disconnected, Inbox
from collector.mqtt.connection import Connection
from collector.mqtt.outgoing import Outgoing
from collector.receipts import Receipt
from collector.telemetry import Telemetry

GOODBYE_S: Final = 5.0  # for the broker to take the last receipts and our status
BACK_OFF_S: Final = (0.2, 30.0)
_HELD_S: Final = 0.1
_PAUSE_S: Final = 0.002  # between reads, so that each brings many messages
log = structlog.get_logger()


class Link:
    """Connects, again and again, until the inbox is closed."""

    def __init__(
        self,
        address: BrokerAddress,
        tls: ssl.SSLContext | None,
        fleet: str,
        inbox: Inbox,
        conditions: Conditions,
        telemetry: Telemetry,
        clock: Callable[[], int],
    ) -> None:
        self._address = address
        self._tls = tls
        self._fleet = fleet
        self._inbox = inbox
        self._conditions = conditions
        self._telemetry = telemetry
        self._clock = clock
        self._outgoing = Outgoing(fleet)
        self._failures = 0
        self._leaving = threading.Event()
        self._connected = False
        self._waker, self._woken = socket.socketpair()
        for end in (self._waker, self._woken):
            end.setblocking(False)
        conditions.ill("broker", f"connecting to {address}")

    @property
    def connected(self) -> bool:
        """Whether messages arrive and receipts go out."""
        return self._connected

    def run(self) -> None:
        """Keeps the connection up until the inbox is closed, and then until `leave`."""
        while not self._inbox.closed:
            try:
                self._connection()
            except (OSError, UnicodeError) as error:
                self._failures += 1
                self._conditions.ill("broker", f"no connection to {self._address}: {error}")
                log.warning("no connection to the broker", broker=str(self._address), error=str(error))
                self._pause()

    def send(self, receipts: Sequence[Receipt]) -> None:
        """Receipts to publish. What does not go out is asked for again by the agents; from any thread."""
        if receipts and self._connected:
            self._outgoing.put(receipts)
            self._wake()

    def leave(self) -> None:
        """Sends the last receipts, says goodbye and disconnects; `run` ends. The inbox is closed before."""
        self._leaving.set()
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b"\0")

    def _connection(self) -> None:
        """One connection, from its greeting to its end; returns only when told to leave."""
        will = wire.CollectorStatus(online=False, session=uuid.uuid4().hex, at=self._clock())
        connection = Connection(self._address, self._tls, self._fleet, will)
        try:
            connection.connect(self._woken)
            while not self._leaving.is_set():
                with self._cpu_counted():
                    self._exchange(connection)
            self._say_goodbye(connection)
        finally:
            self._hung_up(connection)

    def _exchange(self, connection: Connection) -> None:
        """Waits until there is something to do, and does it."""
        if self._inbox.has_room():
            connection.wait()
            arrived = self._read(connection)
            pause_s = _PAUSE_S if arrived else 0.0
        else:
            connection.ping()
            pause_s = _HELD_S
        self._send_receipts(connection)
        connection.write()
        if pause_s:
            time.sleep(pause_s)

    def _read(self, connection: Connection) -> bool:
        """Takes in what has come; whether messages were among it."""
        cut = connection.read(self._clock())
        if not self._connected and (connection.subscribed or cut.arrived):
            self._greeted(connection)
        if self._inbox.put(cut.arrived):
            connection.queue(cut.acknowledgements)
        self._outgoing.settle(cut.settled)
        return bool(cut.arrived)

    def _greeted(self, connection: Connection) -> None:
        self._outgoing.clear()
        self._inbox.put([Connected(self._clock())])
        connection.say_online(self._clock())
        self._connected = True
        self._failures = 0
        self._conditions.well("broker", f"connected to {self._address}")
        log.info("connected to the broker", broker=str(self._address), fleet=self._fleet)

    def _hung_up(self, connection: Connection) -> None:
        if self._connected:
            self._connected = False
            self._inbox.put([Disconnected(self._clock())])
        connection.close()

    def _send_receipts(self, connection: Connection) -> None:
        packets = self._outgoing.packets()
        if packets:
            connection.queue(b"".join(packets))
            self._telemetry.receipts_sent.inc(len(packets))

    def _say_goodbye(self, connection: Connection) -> None:
        """What is still to be sent, then the status; within `GOODBYE_S`."""
        end = time.monotonic() + GOODBYE_S
        last: MQTTMessageInfo | None = None
        while time.monotonic() < end and not (last and last.is_published()):
            self._send_receipts(connection)
            if last is None and self._outgoing.idle:
                last = connection.say_offline(self._clock())
            connection.write()
            connection.wait(0.1)
            self._read(connection)
        if last and last.is_published():
            connection.disconnect()  # else the will speaks for us

    @contextmanager
    def _cpu_counted(self) -> Iterator[None]:
        begun = time.thread_time()
        try:
            yield
        finally:
            self._telemetry.cpu_seconds.labels("link").inc(time.thread_time() - begun)

    def _pause(self) -> None:
        """Exponential back-off with full jitter, cut short when told to leave."""
        shortest, longest = BACK_OFF_S
        ceiling = min(longest, shortest * math.pow(2, min(self._failures, 16)))
        self._leaving.wait(shortest + ceiling * random.random())  # noqa: S311 - spreads load
