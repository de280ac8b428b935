"""Messages cut out of the byte stream, against packets put together one by one."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.wire import MAX_MESSAGE
from collector.inbox import Arrived
from collector.mqtt.framing import OUR_IDS, Cutter, MalformedStreamError, publish

AT = 1_700_000_000_000
Packet = tuple[
    bytes, Arrived | None, bytes, int
]  # bytes, message, its PUBACK, whether it settles one of ours


def remaining(length: int) -> bytes:
    """The MQTT form of a length: seven bits a byte, the lowest first."""
    low, rest = length % 128, length // 128
    return bytes((low,)) if rest == 0 else bytes((low | 128,)) + remaining(rest)


def message(topic: str, payload: bytes, qos: int, retained: bool, packet_id: int) -> Packet:
    """A PUBLISH, and what must come of it."""
    number = struct.pack("!H", packet_id) if qos else b""
    body = struct.pack("!H", len(topic.encode())) + topic.encode() + number + payload
    packet = bytes((0x30 | qos << 1 | retained,)) + remaining(len(body)) + body
    return packet, Arrived(topic, payload, AT, retained), b"\x40\x02" + number if qos else b"", 0


def other(packet: bytes) -> Packet:
    """A packet for paho."""
    return packet, None, b"", 0


messages = st.builds(
    message,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
    st.binary(max_size=400),
    st.sampled_from([0, 1]),
    st.booleans(),
    st.integers(1, 65_535),
)
pubacks = st.integers(1, 65_535).map(
    lambda number: (b"\x40\x02" + struct.pack("!H", number), None, b"", int(number in OUR_IDS))
)
others = st.sampled_from([b"\xd0\x00", b"\x20\x02\x00\x00", b"\x90\x05\x00\x01\x01\x01\x01"]).map(other)


@given(st.lists(st.one_of(messages, pubacks, others), max_size=30), st.data())
def test_however_the_stream_is_chopped_the_packets_are_the_same(
    packets: list[Packet], data: st.DataObject
) -> None:
    """Every message in order with its PUBACK, ours counted, everything else whole and in order for paho."""
    stream = b"".join(packet for packet, _, _, _ in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    cutter = Cutter()
    found = [cutter.cut(piece, AT) for piece in pieces]
    assert [event for cut in found for event in cut.arrived] == [event for _, event, _, _ in packets if event]
    assert b"".join(cut.acknowledgements for cut in found) == b"".join(ack for _, _, ack, _ in packets)
    assert sum(cut.settled for cut in found) == sum(settles for _, _, _, settles in packets)
    for_paho = [packet for packet, event, _, settles in packets if event is None and not settles]
    assert b"".join(cut.others for cut in found) == b"".join(for_paho)


@given(st.lists(st.binary(max_size=200), max_size=20))
@example([b"\x30\x02\x00\x05"])
@example([b"\x34\x05\x00\x01t\x00\x01"])
def test_whatever_arrives_is_cut_or_refused(pieces: list[bytes]) -> None:
    """Bytes that are no MQTT raise the one error that ends a connection, and nothing else."""
    cutter = Cutter()
    try:
        for piece in pieces:
            cutter.cut(piece, AT)
    except MalformedStreamError:
        pass


def test_what_is_no_mqtt_is_refused() -> None:
    """A topic longer than its packet, none at all, QoS 2, a length of five bytes."""
    for packet in (
        b"\x30\x02\x00\x05",
        b"\x30\x00",
        b"\x30\x01\x00\xd0\x00",
        b"\x34\x05\x00\x01t\x00\x01",
        b"\x30\xff\xff\xff\xff\x01",
    ):
        with pytest.raises(MalformedStreamError):
            Cutter().cut(packet, AT)


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("excess", [1, 5_000, 3_000_000])
def test_a_message_over_the_limit_is_cut_off_and_the_next_is_whole(qos: int, excess: int) -> None:
    """What is kept is enough to refuse it; it is acknowledged, and memory holds no more of it."""
    long, _, puback, _ = message("vitals/v1/f/r/samples", b"x" * (MAX_MESSAGE + excess), qos, False, 7)
    next_, whole, _, _ = message("vitals/v1/f/r/hello", b"{}", 0, True, 0)
    stream, cutter = long + next_, Cutter()
    cuts = [cutter.cut(stream[at : at + 60_000], AT) for at in range(0, len(stream), 60_000)]
    first, second = [event for cut in cuts for event in cut.arrived]
    assert len(first.payload) == MAX_MESSAGE + 1
    assert second == whole
    assert b"".join(cut.acknowledgements for cut in cuts) == puback


@given(st.binary(min_size=1, max_size=60), st.binary(max_size=400), st.sampled_from(OUR_IDS))
def test_what_is_published_can_be_read(topic: bytes, payload: bytes, packet_id: int) -> None:
    """Our own PUBLISH packets read back, with the id to acknowledge."""
    cut = Cutter().cut(publish(topic, payload, packet_id), AT)
    assert cut.arrived == [Arrived(topic.decode(errors="replace"), payload, AT, False)]
    assert cut.acknowledgements == b"\x40\x02" + struct.pack("!H", packet_id)
