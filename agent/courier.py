"""Carries samples from the spool to the collector: connects, says hello, publishes what the outbox says.

Runs in one thread; the link's threads only put their events into a queue and wake that thread.
"""

import logging
import math
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from agent import wire
from agent.backoff import Backoff
from agent.clock import Reading
from agent.counters import State
from agent.limited import Limited
from agent.mqtt import Acknowledged, Address, Arrived, Closed, Connected, Event, Link
from agent.outbox import Outbox, Publish, Settings
from agent.spool import Spool, SpoolDamagedError, SpoolFullError, Stored

MAX_HELD = 500_000  # samples; the oldest make room
MAX_UNACKNOWLEDGED = 8  # messages
ACKNOWLEDGE_WITHIN_S = 120.0
MESSAGE_BYTES = 200 * 1024  # of samples in one message, so that it keeps wire.MAX_MESSAGE even uncompressed

log = logging.getLogger("agent.courier")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the robot is, as its hello says."""

    fleet: str
    robot: str
    version: str
    interval_s: float
    tz: str
    labels: Mapping[str, str]

    def topic(self, channel: wire.Channel) -> str:
        """The robot's topic for a channel."""
        return str(wire.Topic(self.fleet, self.robot, channel))


@dataclass(frozen=True, slots=True)
class Remote:
    """The broker, and how to reach it."""

    address: Address
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of broker and collector, for people to read; instants are wall-clock ms."""

    connected_since: int | None = None
    problem: str | None = None
    collector_online: bool | None = None


class Courier:
    """The way of one spool's samples. Times are monotonic milliseconds."""

    def __init__(
        self,
        identity: Identity,
        remote: Remote,
        spool: Spool,
        clocks: Callable[[], Reading],
        count: Callable[[str, float], object],
        wake: Callable[[], None],
        settings: Settings,
    ) -> None:
        self._identity = identity
        self._remote = remote
        self._spool = spool
        self._clocks = clocks
        self._count = count
        self._wake = wake
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._link: Link | None = None
        self._up_at: int | None = None
        self._attempt_at: int | None = 0
        self._backoff = Backoff()
        self._session = spool.session
        self._unacknowledged: dict[int, float] = {}
        self._offline_since: int | None = None
        self._offline_ms = 0
        self._refused = Limited(log, "message from the broker refused")
        self.rtt_ms: float | None = None
        self.standing = Standing()
        self.outbox = Outbox(spool.first, spool.next, settings, jitter=random.random())  # noqa: S311 - spreads load

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us."""
        return self._up_at is not None

    def hold(self, sample: wire.Sample, state: State) -> None:
        """Takes a sample into spool and outbox. Raises `SpoolFullError` if the disk takes no more."""
        self._spool.append(sample, state)
        self.outbox.take()
        if self.outbox.depth > MAX_HELD:
            dropped = self.outbox.drop_oldest(self.outbox.depth - MAX_HELD)
            self._count("agent.samples_dropped", dropped)
            self._spool.drop(self.outbox.first)

    def step(self, now_ms: int) -> None:
        """Does whatever is to be done by now."""
        for event in self._drain():
            self._on(event, now_ms)
        if self._link is None and self._attempt_at is not None and now_ms >= self._attempt_at:
            self._connect(now_ms)
        self._give_up_on_deaf_broker(now_ms)
        while self.connected and len(self._unacknowledged) < MAX_UNACKNOWLEDGED:
            publish = self.outbox.next_publish(now_ms)
            if publish is None:
                return
            self._send(publish)

    def wake_at(self, now_ms: int) -> int | None:
        """When `step` has something to do, if nothing happens; None: never."""
        if self._link is None:
            return self._attempt_at
        if not self.connected or len(self._unacknowledged) >= MAX_UNACKNOWLEDGED:
            return None
        return self.outbox.wake_at(now_ms)

    def offline_ms(self, now_ms: int) -> int:
        """How long the broker was out of reach since this was last asked."""
        if self._offline_since is None:
            spent, self._offline_ms = self._offline_ms, 0
        else:
            spent = self._offline_ms + now_ms - self._offline_since
            self._offline_ms, self._offline_since = 0, now_ms
        return spent

    def leave(self, now_ms: int, patience_s: float) -> None:
        """Publishes what may still be published, says goodbye, and closes the connection."""
        self._attempt_at = None
        self.step(now_ms)
        if self._link is None:
            return
        if self.connected:
            self._publish("status", wire.Status(online=False, session=self._session, at=self._wall()), True)
            self._settle(patience_s)
        if self._link is not None:  # the broker may have gone while we said goodbye
            self._link.close()
            self._link = None
            self._down(now_ms)

    def abandon(self) -> None:
        """Closes the connection, if there is one, without another word."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _settle(self, patience_s: float) -> None:
        """Waits until the broker has everything, though not for long."""
        deadline = time.monotonic() + patience_s
        while self._unacknowledged and self.connected and (left := deadline - time.monotonic()) > 0:
            try:
                self._on(self._events.get(timeout=left), int(time.monotonic() * 1000))
            except Empty:
                return

    def _give_up_on_deaf_broker(self, now_ms: int) -> None:
        """A broker that acknowledges nothing, though it answers pings, is left and tried anew."""
        oldest = min(self._unacknowledged.values(), default=math.inf)
        if self._link is not None and time.monotonic() - oldest > ACKNOWLEDGE_WITHIN_S:
            self._link.close()
            reason = f"{self._remote.address} acknowledged nothing for {ACKNOWLEDGE_WITHIN_S:.0f} s"
            self._on_closed(Closed(self._session, True, reason), now_ms)

    def _connect(self, now_ms: int) -> None:
        self._session = self._new_session()
        if self._offline_since is None:
            self._offline_since = now_ms
        self._count("network.connect_attempts", 1)
        will = wire.Status(online=False, session=self._session, at=self._wall())
        receipts = self._identity.topic("receipt")
        self._link = Link(
            address=self._remote.address,
            tls=self._remote.tls,
            client_id=f"vitals-{self._identity.fleet}-{self._identity.robot}",
            session=self._session,
            will=(self._identity.topic("status"), wire.encode(will)),
            subscribe=(receipts, str(wire.CollectorTopic(self._identity.fleet))),
            on_event=self._notify,
        )
        self._link.open()

    def _new_session(self) -> int:
        try:
            return self._spool.new_session()
        except SpoolFullError:
            return self._session + 1  # sampling stops on a full disk, talking does not

    def _notify(self, event: Event) -> None:
        self._events.put(event)
        self._wake()

    def _drain(self) -> Iterator[Event]:
        while True:
            try:
                yield self._events.get_nowait()
            except Empty:
                return

    def _on(self, event: Event, now_ms: int) -> None:
        if event.session != self._session:
            return
        match event:
            case Connected():
                self._on_connected(now_ms)
            case Closed():
                self._on_closed(event, now_ms)
            case Arrived():
                self._on_arrived(event, now_ms)
            case Acknowledged(mid=mid, at=at) if mid in self._unacknowledged:
                self.rtt_ms = 1000 * (at - self._unacknowledged.pop(mid))

    def _on_connected(self, now_ms: int) -> None:
        self._up_at = now_ms
        if self._offline_since is not None:
            self._offline_ms += now_ms - self._offline_since
            self._offline_since = None
        self.standing = replace(self.standing, connected_since=self._wall(), problem=None)
        log.info("connected to %s, session %d", self._remote.address, self._session)
        self._publish("hello", self._hello(), True)
        self._publish("status", wire.Status(online=True, session=self._session, at=self._wall()), True)
        self.outbox.connected(now_ms)

    def _on_closed(self, event: Closed, now_ms: int) -> None:
        if event.was_up and self._up_at is not None:
            self._count("network.disconnects", 1)
            self._backoff = self._backoff.lost(now_ms - self._up_at)
        else:
            self._count("network.connect_failures", 1)
            self._backoff = self._backoff.failed()
        self._link = None
        self._down(now_ms)
        delay = self._backoff.delay(random.random())  # noqa: S311 - spreads load
        self._attempt_at = now_ms + delay
        self.standing = replace(self.standing, problem=event.reason)
        log.warning("%s; next attempt in %.1f s", event.reason, delay / 1000)

    def _down(self, now_ms: int) -> None:
        self._up_at = None
        self._offline_since = now_ms if self._offline_since is None else self._offline_since
        self._unacknowledged.clear()
        self.rtt_ms = None
        self.outbox.disconnected()
        self.standing = replace(self.standing, connected_since=None, collector_online=None)

    def _on_arrived(self, event: Arrived, now_ms: int) -> None:
        received = wire.decode(event.topic, event.payload)
        if isinstance(received, wire.Refused):
            self._refused.warn(f"{event.topic}: {received.reason}: {received.detail}", now_ms)
            return
        match received.message:
            case wire.CollectorStatus(online=online, session=session):
                self.standing = replace(self.standing, collector_online=online)
                self.outbox.collector(online, session, now_ms)
            case wire.Receipt(epoch=epoch, stored_until=stored_until) if epoch == self._spool.epoch:
                self._on_receipt(stored_until, now_ms)

    def _on_receipt(self, stored_until: int, now_ms: int) -> None:
        if stored_until >= self.outbox.next:
            raise SpoolDamagedError(
                f"the collector has samples up to {stored_until}, and this spool only up to "
                f"{self.outbox.next - 1}: it was set back to an older state"
            )
        below = self.outbox.receipt(stored_until, now_ms)
        if below is not None:
            self._spool.forget(below - 1, self._wall())

    def _hello(self) -> wire.Hello:
        clocks = self._clocks()
        return wire.Hello(
            session=self._session,
            boot=clocks.boot,
            epoch=self._spool.epoch,
            agent=self._identity.version,
            interval_s=self._identity.interval_s,
            tz=self._identity.tz,
            labels=dict(self._identity.labels),
            first=self.outbox.first,
            next=self.outbox.next,
            at=max(0, clocks.wall),
        )

    def _send(self, publish: Publish) -> None:
        seq = publish.seq
        for batch in split(self._spool.read(publish.seq, publish.count), MESSAGE_BYTES):
            message = wire.Samples(
                epoch=self._spool.epoch,
                first=self.outbox.first,
                seq=seq,
                sent=self._clocks().sent(),
                samples=[stored.sample for stored in batch],
            )
            self._publish("samples", message, False)
            seq += len(batch)

    def _publish(self, channel: wire.Channel, message: wire.Message, retain: bool) -> None:
        if self._link is None:
            return
        mid = self._link.publish(self._identity.topic(channel), wire.encode(message), retain=retain)
        self._unacknowledged[mid] = time.monotonic()

    def _wall(self) -> int:
        return max(0, self._clocks().wall)


def split(samples: Sequence[Stored], at_most: int) -> Iterator[list[Stored]]:
    """Cuts samples into runs of at most so many bytes, though never into less than one sample."""
    batch: list[Stored] = []
    size = 0
    for stored in samples:
        if batch and size + stored.size > at_most:
            yield batch
            batch, size = [], 0
        batch.append(stored)
        size += stored.size
    if batch:
        yield batch
