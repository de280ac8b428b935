"""The least a collector does, for tests of the agent: keeps samples, sends receipts, forgets nothing."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from agent import wire

DEADLINE_S = 180.0
Store = dict[tuple[str, str, int], wire.Sample]


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Waits until the condition holds; fails, naming what was awaited, if it does not for a long time."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


class Receiver:
    """A connected stand-in for the collector; `samples` are all it received, by robot, epoch and number.

    A `store` that is handed from one to the next outlives each of them, as a collector's does.
    """

    def __init__(
        self, port: int, *, receipts: bool = True, session: str = "1", store: Store | None = None
    ) -> None:
        self.receipts = receipts
        self.samples: Store = {} if store is None else store
        self.hellos: list[wire.Hello] = []
        self.statuses: list[wire.Status] = []
        self.firsts: dict[tuple[str, str], int] = {}
        self._untils: dict[tuple[str, str], int] = {}
        self.refused: list[wire.Refused] = []
        self.contradictions: list[tuple[str, str, int]] = []  # numbers that came with another content before
        self.messages = 0
        self._fleet, self._session = "test", session
        self._lock = threading.RLock()
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(DEADLINE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Says that the collector is offline, and leaves."""
        self.announce(online=False)
        self._client.disconnect()
        self._client.loop_stop()

    def announce(self, *, online: bool) -> None:
        """Publishes the collector's status."""
        status = wire.CollectorStatus(online=online, session=self._session, at=0)
        topic = str(wire.CollectorTopic(self._fleet))
        self._client.publish(topic, wire.encode(status), qos=1, retain=True).wait_for_publish(DEADLINE_S)

    def numbers(self, robot: str, epoch: str) -> list[int]:
        """The numbers of all samples received, in order."""
        with self._lock:
            return sorted(n for who, which, n in self.samples if (who, which) == (robot, epoch))

    def stored_until(self, robot: str, epoch: str) -> int:
        """The highest number up to which everything is here, or declared lost."""
        with self._lock:
            until = max(self.firsts.get((robot, epoch), 1) - 1, self._untils.get((robot, epoch), 0))
            while (robot, epoch, until + 1) in self.samples:
                until += 1
            self._untils[robot, epoch] = until
            return until

    def send_receipt(self, robot: str, epoch: str, stored_until: int) -> None:
        """Publishes a receipt, true or not."""
        receipt = wire.Receipt(epoch=epoch, stored_until=stored_until)
        self._client.publish(str(wire.Topic(self._fleet, robot, "receipt")), wire.encode(receipt), qos=1)

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe([(wire.subscription(self._fleet, "samples"), 1)])
        client.subscribe([(wire.subscription(self._fleet, channel), 1) for channel in ("hello", "status")])
        status = wire.CollectorStatus(online=True, session=self._session, at=0)
        client.publish(str(wire.CollectorTopic(self._fleet)), wire.encode(status), qos=1, retain=True)
        self._ready.set()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        received = wire.decode(message.topic, bytes(message.payload))
        with self._lock:
            if isinstance(received, wire.Refused):
                self.refused.append(received)
            elif isinstance(received.topic, wire.Topic):
                self._take(received.topic.robot, received.message)

    def _take(self, robot: str, message: wire.Message) -> None:
        match message:
            case wire.Hello(epoch=epoch, first=first):
                self.hellos.append(message)
                self._answer(robot, epoch, first)
            case wire.Status():
                self.statuses.append(message)
            case wire.Samples(epoch=epoch, first=first, seq=seq, samples=samples):
                self.messages += 1
                came = {(robot, epoch, number): s for number, s in enumerate(samples, seq)}
                self.contradictions += [key for key in came if self.samples.get(key, came[key]) != came[key]]
                self.samples |= came
                self._answer(robot, epoch, first)

    def _answer(self, robot: str, epoch: str, first: int) -> None:
        self.firsts[robot, epoch] = max(first, self.firsts.get((robot, epoch), 1))
        if self.receipts:
            self.send_receipt(robot, epoch, self.stored_until(robot, epoch))
