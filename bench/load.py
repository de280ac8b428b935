"""A fleet's messages, as fast as a broker takes them: many robots over few connections, in few instructions.

    python bench/load.py --port 1883 --robots 20000

It greets for every robot, prints `ready`, and then reads commands, one a line: `go RATE SECONDS` publishes
samples at that rate and answers in JSON what was published. Robots take turns, so each one's numbers rise
by one. The messages of a turn differ from robot to robot in topic and packet id only, and from block to
block in times and counters; so a message costs a few slices, and this process little of the machine.
"""

import sys
from pathlib import Path

sys.path.pop(0)  # this folder, whose queue.py is not Python's
sys.path.insert(0, str(Path(__file__).parents[1]))

import argparse
import json
import selectors
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agent import wire
from agent.catalogue import Catalogue, load
from collector.mqtt.framing import Cutter

BLOCK: Final = 200  # messages of the same moment
WINDOW: Final = 1_000  # messages of one connection that the broker has not acknowledged
EPOCH: Final = "benchmark"
BOOT: Final = "boot-1"
_TROUBLE: Final = ("fail", "fault", "error", "un", "mis", "drop", "lost", "bad", "wrong", "disc", "interr")
_GAUGES: Final = {"up": 1.0, "battery_percent": 81.5, "rtt_ms": 23.25, "signal_dbm": -51.0}


class Fleet:
    """What the robots say. Sample `n` of every robot has number `n`, from 1."""

    def __init__(self, fleet: str, robots: int, metrics: Sequence[str], catalogue: Catalogue) -> None:
        self.names = [f"robot-{number:07d}" for number in range(robots)]
        self.topics = [_topic(str(wire.Topic(fleet, name, "samples"))) for name in self.names]
        self._fleet = fleet
        self._metrics = {name: catalogue[name] for name in metrics}

    def greetings(self) -> Iterator[bytes]:
        """Status and hello of every robot, retained, as packets but for their ids."""
        for name in self.names:
            at = _now()
            status = wire.Status(online=True, session=1, at=at)
            yield _greeting(wire.Topic(self._fleet, name, "status"), status)
            hello = wire.Hello(
                session=1,
                boot=BOOT,
                epoch=EPOCH,
                agent="bench",
                interval_s=60,
                tz="UTC",
                labels={"model": "bench"},
                first=1,
                next=1,
                at=at,
            )
            yield _greeting(wire.Topic(self._fleet, name, "hello"), hello)

    def sample(self, number: int, variant: int) -> bytes:
        """A samples message with one sample, taken now."""
        now, up = _now(), _up()
        counters: dict[str, dict[str, int]] = {}
        gauges: dict[str, dict[str, float]] = {}
        for place, metric in enumerate(self._metrics.values()):
            if metric.kind == "counter":
                counters.setdefault(metric.subsystem, {})[metric.short] = _count(
                    metric.short, number, place + variant
                )
            else:
                gauges.setdefault(metric.subsystem, {})[metric.short] = _GAUGES.get(metric.short, 40.25)
        sample = wire.Sample(t=now, up=up, boot=BOOT, synced=True, c=counters, g=gauges)
        sent = wire.Sent(t=now, up=up, boot=BOOT)
        return wire.encode(wire.Samples(epoch=EPOCH, first=1, seq=number, sent=sent, samples=[sample]))


def choose(catalogue: Catalogue, count: int) -> list[str]:
    """`count` metrics of the catalogue, three quarters of them counters."""
    counters = min(len(catalogue.counters), max(1, round(count * 0.75)))
    return [*catalogue.counters[:counters], *catalogue.gauges[: count - counters]]


class Line:
    """One connection with QoS 1: it sends what it is given, and counts what the broker acknowledges."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = name.encode()
        self.socket.sendall(_packet(0x10, b"\0\4MQTT\4\2\0\0" + _text(client)))
        if self._exactly(4) != b"\x20\2\0\0":
            raise ConnectionError(f"the broker does not let {name} in")
        self.given = self.acknowledged = 0
        self._waiting = bytearray()
        self._half = 0

    @property
    def open_for(self) -> int:
        """How many more messages it takes now."""
        return 0 if self._waiting else WINDOW - (self.given - self.acknowledged)

    @property
    def settled(self) -> bool:
        """Whether the broker has acknowledged everything."""
        return self.given == self.acknowledged

    def publish(self, heads: Sequence[bytes], tails: Sequence[bytes]) -> None:
        """Messages of which only the packet id is missing, between head and tail."""
        parts: list[bytes] = []
        for place, head in enumerate(heads):
            parts += (head, struct.pack("!H", (self.given + place) % 65_535 + 1), tails[place])
        self.given += len(heads)
        self._waiting += b"".join(parts)
        self.move()

    def move(self) -> None:
        """Sends and receives what can be without waiting."""
        self.socket.setblocking(False)
        try:
            while self._waiting:
                del self._waiting[: self.socket.send(self._waiting)]
        except BlockingIOError:
            pass
        try:
            while data := self.socket.recv(65_536):
                self._half += len(data)  # nothing but PUBACKs, of four bytes each
        except BlockingIOError:
            self.acknowledged = self._half // 4
        else:
            raise ConnectionError("the broker closed a connection")

    def subscribe(self, topic: str) -> None:
        """With QoS 1; for a line that publishes nothing."""
        self.socket.sendall(_packet(0x82, b"\0\1" + _text(topic.encode()) + b"\1"))
        self._exactly(5)

    def _exactly(self, size: int) -> bytes:
        answer = b""
        while len(answer) < size and (more := self.socket.recv(size - len(answer))):
            answer += more
        return answer


class Listener:
    """Where the receipts of all robots arrive."""

    def __init__(self, port: int, fleet: str) -> None:
        self.receipts = 0
        self._cutter = Cutter()
        self._line = Line(port, "load-receipts")
        self._line.subscribe(wire.subscription(fleet, "receipt"))
        self._line.socket.setblocking(False)

    def move(self) -> None:
        """Takes in what has come."""
        try:
            while data := self._line.socket.recv(262_144):
                cut = self._cutter.cut(data, 0)
                self.receipts += len(cut.arrived)
                self._line.socket.sendall(cut.acknowledgements)
        except BlockingIOError:
            pass


class Load:
    """The fleet, its connections, and how far each robot has come."""

    def __init__(self, fleet: Fleet, lines: Sequence[Line], listener: Listener) -> None:
        self._fleet = fleet
        self._lines = lines
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        for line in lines:
            self._selector.register(line.socket, selectors.EVENT_READ)
        self._sent = 0

    def greet(self) -> None:
        """Every robot says hello."""
        for place, greeting in enumerate(self._fleet.greetings()):
            line = self._lines[place % len(self._lines)]
            while line.open_for < 1:
                self._move(0.01)
            head, tail = greeting.split(_ID, 1)
            line.publish([head], [tail])
        self._settle()

    def go(self, rate: float, seconds: float) -> Mapping[str, float]:
        """Samples at that rate for that time; waits until the broker has acknowledged all of them."""
        begun, before, receipts = time.monotonic(), self._sent, self._listener.receipts
        while (passed := time.monotonic() - begun) < seconds:
            due = before + int(passed * rate)
            moved = False
            while self._sent + BLOCK <= due and (line := self._open_line()) is not None:
                self._block(line)
                moved = True
            self._move(0.0 if moved else 0.001)
        offering = time.monotonic() - begun
        self._settle()
        return {
            "sent": self._sent - before,
            "seconds": offering,
            "receipts": self._listener.receipts - receipts,
        }

    def _block(self, line: Line) -> None:
        """The next robots' next samples, up to the last of the fleet."""
        turn, robot = divmod(self._sent, len(self._fleet.topics))
        topics = self._fleet.topics[robot : robot + BLOCK]
        payload = self._fleet.sample(turn + 1, robot // BLOCK % 7)
        body = len(topics[0]) + 2 + len(payload)
        fixed = b"\x32" + _length(body)
        line.publish([fixed + topic for topic in topics], [payload] * len(topics))
        self._sent += len(topics)

    def _open_line(self) -> Line | None:
        """The one with the most room: a robot's next sample may go another way, but far later."""
        best = max(self._lines, key=lambda line: line.open_for)
        return best if best.open_for >= BLOCK else None

    def _move(self, wait_s: float) -> None:
        self._selector.select(wait_s)
        for line in self._lines:
            line.move()
        self._listener.move()

    def _settle(self) -> None:
        while not all(line.settled for line in self._lines):
            self._move(0.01)


_ID: Final = b"\0\0packet id\0\0"


def _greeting(topic: wire.Topic, message: wire.Message) -> bytes:
    """Head, place of the packet id, tail."""
    payload, place = wire.encode(message), _topic(str(topic))
    return b"\x33" + _length(len(place) + 2 + len(payload)) + place + _ID + payload


def _count(short: str, number: int, step: int) -> int:
    """Faults are rare; everything else rises."""
    return 3 if any(word in short for word in _TROUBLE) else 1_000 + number * (1 + step % 5) + step


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + _length(len(body)) + body


def _length(length: int) -> bytes:
    encoded = bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def _topic(topic: str) -> bytes:
    return _text(topic.encode())


def _text(text: bytes) -> bytes:
    return struct.pack("!H", len(text)) + text


def _now() -> int:
    return time.time_ns() // 1_000_000


def _up() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def main() -> int:
    """Greets, then does what it is told, until the input ends."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--fleet", default="bench")
    parser.add_argument("--robots", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--metrics", type=int, default=40)
    arguments = parser.parse_args()
    catalogue = load()
    fleet = Fleet(arguments.fleet, arguments.robots, choose(catalogue, arguments.metrics), catalogue)
    lines = [Line(arguments.port, f"load-{number}") for number in range(arguments.connections)]
    work = Load(fleet, lines, Listener(arguments.port, arguments.fleet))
    work.greet()
    print("ready", flush=True)
    for command in sys.stdin:
        _, rate, seconds = command.split()
        print(json.dumps(work.go(float(rate), float(seconds))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
