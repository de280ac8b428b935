"""Robots by hand: a connection that says what the wire contract lets an agent say."""

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from agent import wire

FLEET = "test"


class Robot:
    """One robot's connection; it keeps the receipts it gets."""

    def __init__(self, url: str, name: str, epoch: str = "e1") -> None:
        self.name = name
        self.epoch = epoch
        self._receipts: list[int] = []
        self._lock = threading.Lock()
        address = urlsplit(url)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"robot-{name}")
        self._client.on_message = self._received
        self._client.connect(str(address.hostname), int(address.port or 1883))
        self._client.subscribe(str(wire.Topic(FLEET, name, "receipt")), qos=1)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def stored_until(self) -> int:
        """The highest number that a receipt named."""
        with self._lock:
            return max(self._receipts, default=-1)

    @property
    def receipts(self) -> int:
        """How many receipts came."""
        with self._lock:
            return len(self._receipts)

    def hello(self, *, first: int = 1, next: int = 1, session: int = 1) -> None:  # noqa: A002 - the wire's word
        """Introduces itself, retained."""
        self._say(
            wire.Hello(
                session=session,
                boot="b1",
                epoch=self.epoch,
                agent="test",
                interval_s=1,
                tz="UTC",
                labels={"model": "by hand"},
                first=first,
                next=next,
                at=_now(),
            ),
            "hello",
            retain=True,
        )

    def samples(
        self, seq: int, count: int, counters: Mapping[str, int] | None = None, first: int = 1
    ) -> None:
        """Publishes samples `seq` … `seq + count - 1`, a millisecond apart, the last one taken just now."""
        time.sleep(count / 1000)  # else they would overlap with those published before
        now, up = _now(), _up()
        taken = [
            wire.Sample(
                t=now - age,
                up=up - age,
                boot="b1",
                synced=True,
                c={"navigation": dict(counters or {"goals": seq + count - 1 - age})},
                g={"network": {"rtt_ms": 20.0}},
            )
            for age in reversed(range(count))
        ]
        sent = wire.Sent(t=now, up=up, boot="b1")
        self._say(wire.Samples(epoch=self.epoch, first=first, seq=seq, sent=sent, samples=taken), "samples")

    def raw(self, channel: str, payload: bytes) -> None:
        """Publishes whatever it is told to."""
        self._client.publish(f"vitals/v1/{FLEET}/{self.name}/{channel}", payload, qos=1).wait_for_publish(30)

    def _say(self, message: wire.Message, channel: wire.Channel, *, retain: bool = False) -> None:
        topic = str(wire.Topic(FLEET, self.name, channel))
        self._client.publish(topic, wire.encode(message), qos=1, retain=retain).wait_for_publish(30)

    def _received(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        received = wire.decode(message.topic, bytes(message.payload))
        if isinstance(received, wire.Received) and isinstance(received.message, wire.Receipt):
            with self._lock:
                self._receipts.append(received.message.stored_until)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _up() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
