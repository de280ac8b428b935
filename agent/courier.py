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
from typing import Protocol

from agent import wire
from agent.backoff import Backoff
from agent.boots import Boots
from agent.clock import Reading
from agent.counters import State
from agent.limited import Limited
from agent.mqtt import Acknowledged, Address, Arrived, Closed, Connected, Event, Link
from agent.outbox import Outbox, Publish, Settings
from agent.spool import Spool, SpoolFullError, SpoolSetBackError, Stored

MAX_UNACKNOWLEDGED = 8  # messages
ACKNOWLEDGE_WITHIN_S = 120.0
CONNECT_WITHIN_MS = 60_000
ASKING = Backoff(first_ms=10_000, cap_ms=600_000)
OFTEN = 5  # losses in a row of connections that did not last
_HOLE = 64  # samples looked at together beyond one that is lost
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


class Attempt(Protocol):
    """An attempt to connect, and the connection that comes of it, as `agent.mqtt.Link` is."""

    def open(self) -> None:
        """Begins, and returns at once."""

    def subscribe(self) -> None:
        """Asks again for what is retained."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Sends a message; returns the number under which it will be `Acknowledged`."""

    def close(self) -> None:
        """Ends it in order; no `Closed` follows."""


class Linking(Protocol):
    """Makes attempts; `on_event` gets what comes of them, in any thread."""

    def __call__(
        self,
        *,
        address: Address,
        tls: ssl.SSLContext | None,
        client_id: str,
        session: int,
        will: tuple[str, bytes],
        subscribe: Sequence[str],
        on_event: Callable[[Event], None],
    ) -> Attempt:
        """An attempt that has not begun yet."""


class Courier:
    """The way of one spool's samples. Times are monotonic milliseconds.

    `linking`, `chance` (random in [0, 1)) and `monotonic` (seconds) are the world; tests have others.
    """

    def __init__(
        self,
        identity: Identity,
        remote: Remote,
        spool: Spool,
        clocks: Callable[[], Reading],
        count: Callable[[str, float], object],
        wake: Callable[[], None],
        settings: Settings,
        *,
        backoff: Backoff | None = None,
        linking: Linking = Link,
        chance: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identity = identity
        self._remote = remote
        self._spool = spool
        self._clocks = clocks
        self._count = count
        self._wake = wake
        self._linking = linking
        self._chance = chance
        self._monotonic = monotonic
        self._boots = Boots(self._sample_from)
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._link: Attempt | None = None
        self._trying_since = 0
        self._up_at: int | None = None
        self._attempt_at: int | None = 0
        self._backoff = backoff or Backoff()
        self._ask_at: int | None = None
        self._asking = ASKING
        self._session = spool.session
        self._unacknowledged: dict[int, float] = {}
        self._offline_since: int | None = None
        self._offline_ms = 0
        self._refused = Limited(log, "message from the broker refused")
        self._unconnected = Limited(log, "no connection")
        self._receipt: int | None = None  # the last one
        self.rtt_ms: float | None = None
        self.standing = Standing()
        self.outbox = Outbox(spool.first, spool.next, settings, jitter=chance())

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us."""
        return self._up_at is not None

    def hold(self, sample: wire.Sample, state: State) -> None:
        """Takes a sample into spool and outbox. Raises `SpoolFullError` if the disk takes no more."""
        self._spool.append(sample, state)
        self.outbox.take()

    def follow(self) -> bool:
        """Passes over what the spool no longer has. Returns whether there was any."""
        return self.outbox.drop_oldest(self._spool.first - self.outbox.first) > 0

    @property
    def is_delivered(self) -> bool:
        """Whether a receipt covers every number of the spool, lost ones included."""
        return self._receipt is not None and self._receipt >= self.outbox.next - 1

    def step(self, now_ms: int) -> None:
        """Does whatever is to be done by now."""
        for event in self._drain():
            self._on(event, now_ms)
        if self._link is None and self._attempt_at is not None and now_ms >= self._attempt_at:
            self._connect(now_ms)
        self._give_up_on_silent_broker(now_ms)
        self._ask_for_collector(now_ms)
        while self.connected and len(self._unacknowledged) < MAX_UNACKNOWLEDGED:
            publish = self.outbox.next_publish(now_ms)
            if publish is None:
                return
            self._send(publish)

    def wake_at(self, now_ms: int) -> int | None:
        """When `step` has something to do, if nothing happens; None: never."""
        if self._link is None:
            return self._attempt_at
        times = [self._patience_ends_at()]
        if self.connected and len(self._unacknowledged) < MAX_UNACKNOWLEDGED:
            times += [self.outbox.wake_at(now_ms), self._ask_at]
        return min((at for at in times if at is not None), default=None)

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
        deadline = self._monotonic() + patience_s
        while self._unacknowledged and self.connected and (left := deadline - self._monotonic()) > 0:
            try:
                self._on(self._events.get(timeout=left), int(self._monotonic() * 1000))
            except Empty:
                return

    def _patience_ends_at(self) -> int | None:
        """When a broker that says nothing is left; None: it owes us nothing."""
        if not self.connected:
            return self._trying_since + CONNECT_WITHIN_MS
        oldest = min(self._unacknowledged.values(), default=None)
        return None if oldest is None else math.ceil(1000 * (oldest + ACKNOWLEDGE_WITHIN_S))

    def _give_up_on_silent_broker(self, now_ms: int) -> None:
        """One that neither accepts nor refuses us, or acknowledges nothing though it answers pings."""
        ends_at = self._patience_ends_at()
        if self._link is None or ends_at is None or now_ms < ends_at:
            return
        self._link.close()
        said = f"acknowledged nothing for {ACKNOWLEDGE_WITHIN_S:.0f} s"
        if not self.connected:
            said = f"no answer within {CONNECT_WITHIN_MS / 1000:.0f} s"
        self._on_closed(Closed(self._session, self.connected, f"{self._remote.address}: {said}"), now_ms)

    def _ask_for_collector(self, now_ms: int) -> None:
        """While holding, now and then: a broker may lose a status that is published just as we subscribe.

        NATS does (one time in twenty, when the two fall together); a robot would hold for ever.
        """
        if self._link is None or not self.outbox.holding:
            self._ask_at, self._asking = None, ASKING
            return
        if self._ask_at is not None and now_ms < self._ask_at:
            return
        if self._ask_at is not None:
            self._link.subscribe()
            self._asking = self._asking.failed()
        self._ask_at = now_ms + self._asking.delay(self._chance())

    def _connect(self, now_ms: int) -> None:
        self._session = self._new_session()
        if self._offline_since is None:
            self._offline_since = now_ms
        self._count("network.connect_attempts", 1)
        will = wire.Status(online=False, session=self._session, at=self._wall())
        receipts = self._identity.topic("receipt")
        self._trying_since = now_ms
        self._link = self._linking(
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
        delay = self._backoff.delay(self._chance())
        self._attempt_at = now_ms + delay
        problem = event.reason + (self._suspicion() if event.was_up else "")
        self.standing = replace(self.standing, problem=problem)
        self._unconnected.warn(f"{problem}; next attempt in {delay / 1000:.1f} s", now_ms)

    def _suspicion(self) -> str:
        """Brokers do not say that they threw us out for another client of our name."""
        if self._backoff.failures < OFTEN:
            return ""
        return f" (over and over: does another agent run as {self._identity.robot} too?)"

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
            raise SpoolSetBackError(
                f"the collector has samples up to {stored_until}, and this spool only up to "
                f"{self.outbox.next - 1}: it was set back to an older state"
            )
        below = self.outbox.receipt(stored_until, now_ms)
        self._receipt = stored_until
        if below is not None:
            self._spool.forget(below - 1, self._wall())
            self._boots.forget(below)
        if self.follow():  # a hole lay there: `first` declares it
            self._publish("hello", self._hello(), True)

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
        for run in self._spool.runs(publish.seq, publish.count):
            seq = run.seq
            for batch in split(run.samples, MESSAGE_BYTES):
                samples = [stored.sample for stored in batch]
                self._publish("samples", self._message(seq, samples), False)
                seq += len(batch)

    def _message(self, seq: int, samples: list[wire.Sample]) -> wire.Samples:
        sent = self._clocks().sent()
        ends: list[wire.End] = []
        if samples[0].boot != sent.boot:
            ends = self._boots.ends(seq, len(samples), self.outbox.next, sent.boot)
        return wire.Samples(
            epoch=self._spool.epoch,
            first=self.outbox.first,
            seq=seq,
            sent=sent,
            samples=samples,
            ends=ends,
        )

    def _sample_from(self, seq: int) -> tuple[int, wire.Sample] | None:
        """The first sample held from a number on."""
        count = 1
        while seq < self.outbox.next:
            for run in self._spool.runs(seq, min(count, self.outbox.next - seq)):
                return run.seq, run.samples[0].sample
            seq, count = seq + count, _HOLE
        return None

    def _publish(self, channel: wire.Channel, message: wire.Message, retain: bool) -> None:
        if self._link is None:
            return
        mid = self._link.publish(self._identity.topic(channel), wire.encode(message), retain=retain)
        self._unacknowledged[mid] = self._monotonic()

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
