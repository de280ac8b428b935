"""Load: many robots on one connection, each keeping what it took until a receipt covers it, as an agent does.

    python tests/system/load.py --mqtt mqtt://127.0.0.1:1883 --robots 500 --rate 5000 --report load.json

Every robot has the agent's own outbox; its spool is a list of times, since a sample's values follow from its
number. SIGTERM ends sampling: what is held is delivered, the report is written, and the process ends with 0.

A robot turns faulty at some sample of its own: `navigation.lidar_faults` jumps from 0 to `FAULTS`, and stays.
"""

import argparse
import json
import random
import secrets
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import msgspec

from agent import wire
from agent.catalogue import load as load_catalogue
from agent.mqtt import Acknowledged, Arrived, Closed, Connected, Event, Link, parse_url
from agent.outbox import Outbox, Settings

FLEET: Final = "test"
FAULTS: Final = 10
METRICS: Final = 40
TICK_S: Final = 0.01
MAX_UNACKNOWLEDGED: Final = 500  # messages on their way to the broker
BACK_OFF_S: Final = (0.3, 2.0)
HELLO_AGAIN_S: Final = 5.0  # while what is held at the end gets no receipts; doubles each time
TOLD_EVERY_S: Final = 5.0
SETTLED_IN_MS: Final = 5_000  # a fault comes later than a rule's first step
MESSAGE_BYTES: Final = 200 * 1024


class Report(msgspec.Struct, frozen=True):
    """What one robot says it took, and whether it turned faulty on the way."""

    epoch: str
    taken: int
    held: int
    faulty: bool


class Summary(msgspec.Struct, frozen=True):
    """All robots of a load, and how long it sampled."""

    robots: dict[str, Report]
    seconds: float


@dataclass(frozen=True, slots=True)
class Clocks:
    """Wall clock, boot clock and monotonic clock at one moment, ms."""

    wall: int
    up: int
    now: int

    @classmethod
    def read(cls) -> "Clocks":
        """This moment."""
        up = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        return cls(time.time_ns() // 1_000_000, up, time.monotonic_ns() // 1_000_000)


class Robot:
    """One robot: an outbox, and the times of the samples it holds."""

    def __init__(self, name: str, faulty_after: int, shape: bytes, *, jitter: float) -> None:
        self.name = name
        self.epoch = secrets.token_hex(8)
        self.faulty_from: int | None = None  # the number of the first faulty sample
        self._faulty_after = faulty_after
        self._begun: int | None = None
        self.outbox = Outbox(1, 1, Settings(), jitter=jitter)
        self.topic = str(wire.Topic(FLEET, name, "samples"))
        self._shape = shape
        self._times: deque[tuple[int, int]] = deque()  # wall and boot clock of each sample held

    def sample(self, clocks: Clocks) -> None:
        """Takes one."""
        self._begun = clocks.now if self._begun is None else self._begun
        seq = self.outbox.take()
        self._times.append((clocks.wall, clocks.up))
        settled = clocks.now - self._begun >= SETTLED_IN_MS
        if self.faulty_from is None and seq > self._faulty_after and settled:
            self.faulty_from = seq

    def messages(self, clocks: Clocks) -> Iterable[bytes]:
        """What is to be published now."""
        publish = self.outbox.next_publish(clocks.now)
        if publish is None:
            return
        begin = publish.seq - self.outbox.first
        at_once = MESSAGE_BYTES // len(self._shape)
        for seq in range(publish.seq, publish.seq + publish.count, at_once):
            count = min(at_once, publish.seq + publish.count - seq)
            yield self._message(seq, count, begin + seq - publish.seq, clocks)

    def hello(self, session: int, clocks: Clocks) -> wire.Hello:
        """What it says on every connect."""
        return wire.Hello(
            session=session,
            boot="load",
            epoch=self.epoch,
            agent="load",
            interval_s=1,
            tz="UTC",
            labels={"model": "load"},
            first=self.outbox.first,
            next=self.outbox.next,
            at=clocks.wall,
        )

    def receipt(self, receipt: wire.Receipt, now: int) -> None:
        """Forgets what is stored."""
        if receipt.epoch != self.epoch:
            return
        if receipt.stored_until >= self.outbox.next:
            raise RuntimeError(
                f"{self.name}: a receipt up to {receipt.stored_until}, of {self.outbox.next - 1} taken"
            )
        before = self.outbox.first
        self.outbox.receipt(receipt.stored_until, now)
        for _ in range(self.outbox.first - before):
            self._times.popleft()

    @property
    def report(self) -> Report:
        """How it stands."""
        return Report(self.epoch, self.outbox.next - 1, self.outbox.depth, self.faulty_from is not None)

    def _message(self, seq: int, count: int, place: int, clocks: Clocks) -> bytes:
        samples = b",".join(self._sample(seq + n, *self._times[place + n]) for n in range(count))
        return b'{"epoch":"%s","first":%d,"seq":%d,"sent":{"t":%d,"up":%d,"boot":"load"},"samples":[%s]}' % (
            self.epoch.encode(),
            self.outbox.first,
            seq,
            clocks.wall,
            clocks.up,
            samples,
        )

    def _sample(self, seq: int, wall: int, up: int) -> bytes:
        faulty = self.faulty_from is not None and seq >= self.faulty_from
        return self._shape % (wall, up, seq, FAULTS if faulty else 0)


class Load:
    """The robots, and their one connection."""

    def __init__(self, url: str, robots: list[Robot], rate: float) -> None:
        self._address = parse_url(url)
        self._robots = robots
        self._by_name = {robot.name: robot for robot in robots}
        self._rate = rate
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._link: Link | None = None
        self._up = False
        self._session = 0
        self._attempt_at = 0.0
        self._unacknowledged = 0
        self._taken = 0
        self._told_at = 0.0

    def run(self, stopping: Callable[[], bool]) -> Summary:
        """Samples until told to stop, then delivers what is held."""
        begun = time.monotonic()
        while not stopping():
            due = int((time.monotonic() - begun) * self._rate) - self._taken
            self._round(max(0, due), self._next_robots(due))
            self._tell(begun)
            time.sleep(TICK_S)
        seconds = time.monotonic() - begun
        self._deliver()
        return Summary({robot.name: robot.report for robot in self._robots}, seconds)

    def _next_robots(self, due: int) -> list[Robot]:
        count = len(self._robots)
        return [self._robots[(self._taken + n) % count] for n in range(min(max(due, 1), count))]

    def _deliver(self) -> None:
        patience_s = HELLO_AGAIN_S
        hello_at = time.monotonic() + patience_s
        while holding := [robot for robot in self._robots if robot.outbox.depth]:
            if time.monotonic() >= hello_at:
                self._close()
                patience_s = min(2 * patience_s, 60.0)
                hello_at = time.monotonic() + patience_s
            self._round(0, holding)
            time.sleep(10 * TICK_S)
        self._close()

    def _round(self, due: int, robots: Iterable[Robot]) -> None:
        """Hears what came, takes `due` samples in turn, and publishes for `robots`."""
        while True:
            try:
                self._on(self._events.get_nowait())
            except Empty:
                break
        self._connect()
        clocks = Clocks.read()
        for _ in range(due):
            self._robots[self._taken % len(self._robots)].sample(clocks)
            self._taken += 1
        for robot in robots:
            if self._link is None or not self._up or self._unacknowledged >= MAX_UNACKNOWLEDGED:
                return
            for payload in robot.messages(clocks):
                self._publish(robot.topic, payload)

    def _connect(self) -> None:
        if self._link is not None or time.monotonic() < self._attempt_at:
            return
        self._session += 1
        will = wire.Status(online=False, session=self._session, at=Clocks.read().wall)
        self._link = Link(
            address=self._address,
            tls=None,
            client_id=f"load-{self._robots[0].name}",
            session=self._session,
            will=(str(wire.Topic(FLEET, self._robots[0].name, "status")), wire.encode(will)),
            subscribe=(wire.subscription(FLEET, "receipt"), str(wire.CollectorTopic(FLEET))),
            on_event=self._events.put,
        )
        self._link.open()

    def _on(self, event: Event) -> None:
        if event.session != self._session or self._link is None:
            return
        match event:
            case Connected():
                self._greet()
            case Closed():
                self._lost()
            case Acknowledged():
                self._unacknowledged -= 1
            case Arrived():
                self._hear(event)

    def _greet(self) -> None:
        self._up = True
        clocks = Clocks.read()
        for robot in self._robots:
            self._say(robot, "hello", robot.hello(self._session, clocks))
            self._say(robot, "status", wire.Status(online=True, session=self._session, at=clocks.wall))
            robot.outbox.connected(clocks.now)

    def _hear(self, event: Arrived) -> None:
        now = Clocks.read().now
        match wire.decode(event.topic, event.payload):
            case wire.Received(wire.CollectorTopic(), wire.CollectorStatus() as status):
                for robot in self._robots:
                    robot.outbox.collector(status.online, status.session, now)
            case wire.Received(wire.Topic(robot=name), wire.Receipt() as receipt) if name in self._by_name:
                self._by_name[name].receipt(receipt, now)

    def _say(self, robot: Robot, channel: wire.Channel, message: wire.Message) -> None:
        self._publish(str(wire.Topic(FLEET, robot.name, channel)), wire.encode(message), retain=True)

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if self._link is not None:
            self._unacknowledged += 1
            self._link.publish(topic, payload, retain=retain)

    def _close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._lost()

    def _lost(self) -> None:
        self._link, self._up, self._unacknowledged = None, False, 0
        self._attempt_at = time.monotonic() + random.uniform(*BACK_OFF_S)
        for robot in self._robots:
            robot.outbox.disconnected()

    def _tell(self, begun: float) -> None:
        if time.monotonic() - self._told_at < TOLD_EVERY_S:
            return
        self._told_at = time.monotonic()
        seconds = max(0.1, self._told_at - begun)
        held = sum(robot.outbox.depth for robot in self._robots)
        print(
            f"{seconds:.0f}s: {self._taken} taken, {self._taken / seconds:.0f}/s, {held} held, "
            f"{'connected' if self._up else 'not connected'}",
            flush=True,
        )


def robots_of(count: int, rate: float, fault_within_s: float) -> list[Robot]:
    """Robots `load-0` …; they turn faulty one after the other, the last after about `fault_within_s`."""
    step, shape = fault_within_s * rate / count / count, shape_of_a_sample()
    return [Robot(f"load-{n}", int(step * n), shape, jitter=random.random()) for n in range(count)]


def shape_of_a_sample() -> bytes:
    """A sample of `METRICS` metrics as JSON, with places for t, up, goals and lidar faults, in this order."""
    names = [name for name in load_catalogue().counters if name.partition(".")[0] not in ("agent", "system")]
    counters: dict[str, dict[str, int]] = {"navigation": {"goals": -1, "lidar_faults": -2}}
    for name in names[: METRICS - 5]:
        subsystem, _, short = name.partition(".")
        counters.setdefault(subsystem, {}).setdefault(short, 1000)
    gauges = {"network": {"rtt_ms": 20.5}, "system": {"cpu_percent": 12.5, "memory_percent": 40.0}}
    body = json.dumps({"t": -3, "up": -4, "boot": "load", "synced": True, "c": counters, "g": gauges})
    for place in ("-3", "-4", "-1", "-2"):
        body = body.replace(f" {place}", " %d")
    return body.replace(" ", "").encode()


def main() -> int:
    """Runs a load; 0 once everything taken is covered by receipts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mqtt", required=True, metavar="URL")
    parser.add_argument("--robots", type=int, default=20, metavar="N", help="default %(default)s")
    parser.add_argument("--rate", type=float, default=100, help="samples a second, of all together")
    parser.add_argument("--fault-within-s", type=float, default=30, metavar="S", help="default %(default)s")
    parser.add_argument("--report", type=Path, required=True, metavar="FILE", help="JSON, written at the end")
    asked = parser.parse_args()
    stops: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stops.append(number))
    robots = robots_of(asked.robots, asked.rate, asked.fault_within_s)
    summary = Load(asked.mqtt, robots, asked.rate).run(lambda: bool(stops))
    asked.report.write_bytes(msgspec.json.encode(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
