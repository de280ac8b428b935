"""An agent in virtual time: the real courier on a real spool, its clocks and its network made for the test.

`Air` is the network: what becomes of an attempt to connect. Whatever happens, happens on one clock.
"""

import heapq
import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent import wire
from agent.clock import Reading
from agent.counters import State
from agent.courier import Courier, Identity, Remote
from agent.mqtt import Acknowledged, Address, Arrived, Closed, Connected, Event
from agent.outbox import Settings
from agent.spool import Spool

FLEET = "test"
EPOCH_MS = 1_795_000_000_000


class Clock:
    """Virtual time in ms, and what happens in it."""

    def __init__(self) -> None:
        self.now = 0
        self._coming: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def later(self, delay_ms: int, what: Callable[[], None]) -> None:
        """Something will happen."""
        self._count += 1
        heapq.heappush(self._coming, (self.now + delay_ms, self._count, what))

    def advance(self, to: int) -> bool:
        """Goes on to the next thing that happens, but not beyond `to`; whether something did."""
        if not self._coming or self._coming[0][0] > to:
            self.now = max(self.now, to)
            return False
        self.now, _, what = heapq.heappop(self._coming)
        what()
        return True


@dataclass
class Air:
    """A broker and a collector, or none: `reachable` tells whether an attempt finds them."""

    clock: Clock
    reachable: bool = False
    retains: bool = (
        True  # else the collector's status is lost to whoever connects, and given when asked again
    )
    fails_after_ms: int | None = 5_000  # None: an attempt that fails never says so
    reason: str = "[Errno -3] Temporary failure in name resolution"
    attempts: "array[int]" = field(default_factory=lambda: array("q"))  # their times
    holder: "VirtualLink | None" = None  # whose connection it is; there is one client id
    stored: dict[tuple[str, int], int] = field(default_factory=dict)  # (epoch, number): how often it came

    def link(
        self, *, address: Address, session: int, on_event: Callable[[Event], None], **_: object
    ) -> "VirtualLink":
        """An attempt."""
        return VirtualLink(self, address, session, on_event)

    def stored_until(self, epoch: str) -> int:
        """Up to which number everything is stored."""
        until = 0
        while (epoch, until + 1) in self.stored:
            until += 1
        return until


class VirtualLink:
    """One attempt over the air, and the connection that comes of it."""

    def __init__(self, air: Air, address: Address, session: int, on_event: Callable[[Event], None]) -> None:
        self._air = air
        self._address = address
        self._session = session
        self._on_event = on_event
        self._closed = False
        self._sent = 0

    def open(self) -> None:
        """Begins."""
        air = self._air
        air.attempts.append(air.clock.now)
        if air.reachable:
            air.clock.later(20, self._accepted)
        elif air.fails_after_ms is not None:
            air.clock.later(air.fails_after_ms, lambda: self.end(air.reason, was_up=False))

    def subscribe(self) -> None:
        """Asks again for the collector's status."""
        status = wire.CollectorStatus(online=True, session="a", at=0)
        self._hear(str(wire.CollectorTopic(FLEET)), status)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:  # noqa: ARG002 - as agent.mqtt has it
        """Carries a message to the collector, unless the connection ends before."""
        self._sent += 1
        mid = self._sent
        self._air.clock.later(10, lambda: self._carried(topic, payload, mid))
        return mid

    def close(self) -> None:
        """Ends it without a word."""
        self._closed = True

    def end(self, reason: str, *, was_up: bool) -> None:
        """The connection is lost."""
        self._tell(Closed(self._session, was_up, f"{self._address}: {reason}"))
        self._closed = True

    def _accepted(self) -> None:
        if self._closed:
            return
        if self._air.holder is not None:
            self._air.holder.end("Unspecified error", was_up=True)
        self._air.holder = self
        self._tell(Connected(self._session))
        if self._air.retains:
            self.subscribe()

    def _carried(self, topic: str, payload: bytes, mid: int) -> None:
        if self._closed:
            return
        self._tell(Acknowledged(self._session, mid, self._air.clock.now / 1000))
        received = wire.decode(topic, payload)
        assert isinstance(received, wire.Received)
        match received.message:
            case wire.Hello(epoch=epoch):
                self._answer(topic, epoch)
            case wire.Samples(epoch=epoch, seq=seq, samples=samples):
                for number in range(seq, seq + len(samples)):
                    self._air.stored[epoch, number] = self._air.stored.get((epoch, number), 0) + 1
                self._answer(topic, epoch)

    def _answer(self, topic: str, epoch: str) -> None:
        receipt = wire.Receipt(epoch=epoch, stored_until=self._air.stored_until(epoch))
        self._hear(topic.rpartition("/")[0] + "/receipt", receipt)

    def _hear(self, topic: str, message: wire.Message) -> None:
        self._tell(Arrived(self._session, topic, wire.encode(message)))

    def _tell(self, event: Event) -> None:
        if not self._closed:
            self._on_event(event)


class VirtualAgent:
    """A courier that is stepped whenever it is due, and a sample every so often."""

    def __init__(self, spool: Spool, air: Air, seed: int = 1, interval_ms: int = 30_000) -> None:
        self.counted: dict[str, float] = {}
        self._clock = air.clock
        self._interval_ms = interval_ms
        self._sample_at = 0
        self.courier = Courier(
            Identity(FLEET, "r1", "0", interval_ms / 1000, "UTC", {}),
            Remote(Address("broker", 1883, secure=False), None),
            spool,
            self._clocks,
            self._count,
            lambda: None,
            Settings(),
            linking=air.link,
            chance=random.Random(seed).random,
            monotonic=lambda: self._clock.now / 1000,
        )

    def step(self) -> int:
        """Does what is due; answers when something will be."""
        now = self._clock.now
        if now >= self._sample_at:
            self._sample_at += self._interval_ms
            sent = self._clocks().sent()
            sample = wire.Sample(t=sent.t, up=sent.up, boot=sent.boot, synced=True, c={}, g={})
            self.courier.hold(sample, State())
        self.courier.step(now)
        wake_at = self.courier.wake_at(now)
        return self._sample_at if wake_at is None else min(self._sample_at, max(wake_at, now + 1))

    def _clocks(self) -> Reading:
        return Reading(wall=EPOCH_MS + self._clock.now, up=self._clock.now, boot="b", synced=True)

    def _count(self, name: str, amount: float) -> None:
        self.counted[name] = self.counted.get(name, 0) + amount


def run(clock: Clock, agents: Sequence[VirtualAgent], for_ms: int) -> None:
    """Lets virtual time pass."""
    end = clock.now + for_ms
    while clock.now < end:
        due = min(agent.step() for agent in agents)
        clock.advance(min(due, end))
