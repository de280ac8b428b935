"""The two kinds of MQTT packet that are the whole traffic, cut out of the byte stream in one pass.

paho-mqtt reads a packet header byte by byte and builds a dozen objects a message, which at 15,000 messages
a second would take a third of the process. So a PUBLISH for us, and the PUBACK to a receipt of ours, are
taken out here; every other packet (CONNACK, SUBACK, PINGRESP, …) is left as it is, for paho. MQTT 3.1.1,
sections 2.2.3, 3.3 and 3.4.

A message longer than the contract allows is cut off just above the limit, which is enough to refuse it:
what one robot sends must not fill the collector's memory, nor cost the others the connection.
"""

import struct
from typing import Final, NamedTuple

from agent.wire import MAX_MESSAGE
from collector.inbox import Arrived

OUR_IDS: Final = range(0x8000, 0x10000)  # of the packets sent here; paho counts its own from 1
_PUBLISH: Final = 0x30
_PUBACK: Final = b"\x40\x02"
_RETAIN: Final = 0x01
_QOS: Final = 0x06
_QOS_1: Final = 0x02
_KEPT: Final = MAX_MESSAGE + 1
_LONGEST: Final = _KEPT + 1024  # of a body; what is longer may be cut off


class MalformedStreamError(ConnectionError):
    """The broker sent what is no MQTT."""


class Cut(NamedTuple):
    """What some bytes of the stream held."""

    arrived: list[Arrived]
    acknowledgements: bytes  # the PUBACKs to send once the messages are in safe hands
    settled: int  # PUBACKs to packets of ours
    others: bytes  # whole packets of every other kind, in order


class Cutter:
    """Cuts one connection's stream; holds back a packet until its last byte has come."""

    def __init__(self) -> None:
        self._rest = b""
        self._skip = 0  # bytes to come of a message that was cut off

    def cut(self, data: bytes, at: int) -> Cut:
        """Everything that is whole now; messages have come at `at`. Raises `MalformedStreamError`."""
        data = self._skipped(data)
        if self._rest:
            data = self._rest + data
        arrived: list[Arrived] = []
        acknowledgements: list[bytes] = []
        others: list[bytes] = []
        settled = position = 0
        while (frame := _frame(data, position)) is not None:
            first, body, end = frame
            is_message = first & 0xF0 == _PUBLISH
            if end > len(data):
                if not (is_message and self._can_cut_off(data, body, end)):
                    break
                self._skip, end = end - len(data), len(data)
            if is_message:
                arrived.append(_message(data, first, body, end, at))
                if first & _QOS:
                    acknowledgements.append(_PUBACK + _packet_id(data, body))
            elif _is_ours(data, position, end):
                settled += 1
            else:
                others.append(data[position:end])
            position = end
        self._rest = data[position:]
        return Cut(arrived, b"".join(acknowledgements), settled, b"".join(others))

    def _skipped(self, data: bytes) -> bytes:
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        return data[skipped:] if skipped else data

    def _can_cut_off(self, data: bytes, body: int, end: int) -> bool:
        """Whether enough is there of a message that is too long anyway."""
        return end - body > _LONGEST and len(data) - _payload(data, body) >= _KEPT


def publish(topic: bytes, payload: bytes, packet_id: int) -> bytes:
    """A PUBLISH packet with QoS 1."""
    body = 4 + len(topic) + len(payload)
    head = struct.pack("!H", len(topic)) + topic + struct.pack("!H", packet_id)
    return bytes((_PUBLISH | _QOS_1,)) + _remaining(body) + head + payload


def _remaining(length: int) -> bytes:
    encoded = bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def _frame(data: bytes, position: int) -> tuple[int, int, int] | None:
    """First byte, and where the body of the packet begins and ends; None: its header is not whole."""
    if position + 2 > len(data):
        return None
    length, body = data[position + 1], position + 2
    if length > 127:
        length &= 127
        shift = 7
        while True:
            if body >= len(data):
                return None
            byte = data[body]
            body += 1
            length |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift > 21:
                raise MalformedStreamError("the broker sent a packet whose length has over four bytes")
    return data[position], body, body + length


def _payload(data: bytes, body: int) -> int:
    """Where the payload of a QoS 1 message begins."""
    return body + 4 + int.from_bytes(data[body : body + 2])


def _packet_id(data: bytes, body: int) -> bytes:
    at = _payload(data, body)
    return data[at - 2 : at]


def _message(data: bytes, first: int, body: int, end: int, at: int) -> Arrived:
    topic = body + 2
    name = topic + int.from_bytes(data[body:topic])
    payload = name + 2 if first & _QOS else name
    if topic > end or payload > end or first & _QOS > _QOS_1:
        raise MalformedStreamError("the broker sent a message that is no MQTT of QoS 0 or 1")
    text = data[topic:name].decode(errors="replace")  # no robot's name then, so it is refused by its topic
    return Arrived(text, data[payload : min(end, payload + _KEPT)], at, first & _RETAIN == _RETAIN)


def _is_ours(data: bytes, position: int, end: int) -> bool:
    """Whether the packet is a PUBACK to one that was sent here."""
    return data[position : position + 2] == _PUBACK and end - position == 4 and data[position + 2] >= 0x80
