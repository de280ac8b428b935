"""A tiny collector for tests: it listens, keeps what it takes, and confirms it, by the wire contract."""

import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent import wire

Key = tuple[str, str]  # robot, epoch


@dataclass
class Kept:
    """What survives the receiver's end: its store."""

    samples: dict[Key, dict[int, wire.Sample]] = field(default_factory=dict)
    hellos: dict[str, wire.Hello] = field(default_factory=dict)
    online: dict[str, bool] = field(default_factory=dict)
    firsts: dict[Key, int] = field(default_factory=dict)  # the oldest that the robot had when it was met
    refused: list[wire.Refused] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def total(self) -> int:
        """How many samples there are."""
        with self.lock:
            return sum(len(samples) for samples in self.samples.values())

    def until(self, key: Key) -> int:
        """The highest number without a hole below."""
        number = self.firsts[key] - 1
        while number + 1 in self.samples.get(key, {}):
            number += 1
        return number


class Receiver:
    """One life of a tiny collector; `crash` ends it without a word, and its will says so."""

    def __init__(self, port: int, kept: Kept, session: str, fleet: str = "test") -> None:
        self._kept = kept
        self._fleet = fleet
        self._session = session
        self._topic = str(wire.CollectorTopic(fleet))
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"receiver-{session}")
        self._client.will_set(self._topic, self._status(False), qos=1, retain=True)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.crash()

    def crash(self) -> None:
        """Closes the socket without saying goodbye."""
        self._client.loop_stop()
        if (sock := self._client.socket()) is not None:
            sock.close()

    def _status(self, online: bool) -> bytes:
        return wire.encode(wire.CollectorStatus(online=online, session=self._session, at=1))

    def _connected(
        self, client: Client, _data: object, _flags: ConnectFlags, _code: ReasonCode, _more: Properties | None
    ) -> None:
        channels = ("samples", "hello", "status")
        client.subscribe([(f"vitals/v1/{self._fleet}/+/{channel}", 1) for channel in channels])

    def _subscribed(self, client: Client, *_: object) -> None:
        """Only now is it listening; a robot that sent before would not be heard."""
        client.publish(self._topic, self._status(True), qos=1, retain=True)

    def _take(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        answer = wire.decode(message.topic, bytes(message.payload))
        with self._kept.lock:
            match answer:
                case wire.Refused():
                    self._kept.refused.append(answer)
                case wire.Received(wire.Topic(robot=robot), wire.Hello() as hello):
                    self._kept.hellos[robot] = hello
                    self._confirm(robot, hello.epoch, hello.first)
                case wire.Received(wire.Topic(robot=robot), wire.Status(online=online)):
                    self._kept.online[robot] = online
                case wire.Received(wire.Topic(robot=robot), wire.Samples() as samples):
                    self._store(robot, samples)

    def _store(self, robot: str, message: wire.Samples) -> None:
        key = (robot, message.epoch)
        held = self._kept.samples.setdefault(key, {})
        for number, sample in enumerate(message.samples, message.seq):
            held[number] = sample
        self._confirm(robot, message.epoch, message.first)

    def _confirm(self, robot: str, epoch: str, first: int) -> None:
        self._kept.firsts.setdefault((robot, epoch), first)
        stored = self._kept.until((robot, epoch))
        receipt = wire.Receipt(epoch=epoch, stored_until=stored)
        self._client.publish(str(wire.Topic(self._fleet, robot, "receipt")), wire.encode(receipt), qos=1)
