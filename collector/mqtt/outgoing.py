"""Receipts on their way to the broker: one a robot, so there are never more than robots."""

import threading
from collections.abc import Iterable
from typing import Final

from agent import wire
from collector.mqtt.framing import OUR_IDS, publish
from collector.receipts import Receipt

IN_FLIGHT: Final = 1_000  # packets that the broker has not acknowledged


class Outgoing:
    """Waiting receipts, by robot; a newer one takes the older one's place. One thread puts, one sends."""

    def __init__(self, fleet: str) -> None:
        self._fleet = fleet
        self._lock = threading.Lock()
        self._waiting: dict[str, Receipt] = {}
        self._in_flight = 0
        self._sent = 0

    @property
    def idle(self) -> bool:
        """Whether nothing waits, and the broker has acknowledged everything sent."""
        return not self._waiting and not self._in_flight

    def put(self, receipts: Iterable[Receipt]) -> None:
        """Receipts to send."""
        with self._lock:
            for receipt in receipts:
                self._waiting[receipt.robot] = receipt

    def packets(self) -> list[bytes]:
        """As many as the broker should be given now, as MQTT packets; they count as sent."""
        with self._lock:
            room = IN_FLIGHT - self._in_flight
            due = [self._waiting.pop(robot) for robot in list(self._waiting)[:room]] if room else []
        self._in_flight += len(due)
        return [self._packet(receipt) for receipt in due]

    def settle(self, count: int) -> None:
        """The broker has acknowledged so many."""
        self._in_flight = max(0, self._in_flight - count)

    def clear(self) -> None:
        """A new connection: whoever still waits asks anew."""
        with self._lock:
            self._waiting.clear()
        self._in_flight = 0

    def _packet(self, receipt: Receipt) -> bytes:
        topic = str(wire.Topic(self._fleet, receipt.robot, "receipt"))
        text = wire.encode(wire.Receipt(epoch=receipt.epoch, stored_until=receipt.stored_until))
        self._sent += 1
        return publish(topic.encode(), text, OUR_IDS[self._sent % len(OUR_IDS)])
