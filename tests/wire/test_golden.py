"""Messages of v1 as they went over the wire, which every later version must read the same."""

import json
import zlib

import pytest

from agent import wire
from agent.wire import Hello, Received, Refused, Samples
from tests.wire import golden

KEPT = sorted(path.name for path in golden.FOLDER.iterdir())


def payload(name: str) -> bytes:
    return (golden.FOLDER / name).read_bytes()


def plain(message: bytes) -> bytes:
    return zlib.decompress(message) if message[:1] == b"\x78" else message


def test_every_channel_has_golden_messages() -> None:
    """Nothing of the contract is left out, and no expected message lacks its file."""
    assert {name.split(".")[0] for name in KEPT} == {*wire.CHANNELS, "collector"}
    assert set(golden.MESSAGES) <= set(KEPT)


@pytest.mark.parametrize("name", golden.MESSAGES)
def test_golden_messages_are_read(name: str) -> None:
    """The bytes of then mean the message of then."""
    received = wire.decode(golden.topic(name), payload(name))
    assert isinstance(received, Received)
    assert str(received.topic) == golden.topic(name)
    assert received.message == golden.MESSAGES[name]


@pytest.mark.parametrize("name", golden.MESSAGES)
def test_encoding_has_not_changed(name: str) -> None:
    """The same message is written with the same JSON bytes, compressed where it was."""
    written = wire.encode(golden.MESSAGES[name])
    assert plain(written) == plain(payload(name))
    assert (written[:1] == b"\x78") == name.endswith(".zlib")


def test_short_messages_may_be_compressed_too() -> None:
    """Whether to compress is the sender's choice."""
    received = wire.decode(golden.topic("samples.json"), payload("samples.small.json.zlib"))
    assert isinstance(received, Received)
    assert received.message == golden.MESSAGES["samples.one.json"]


def test_fields_of_later_agents_are_passed_over() -> None:
    """A newer agent's hello, with a field that v1 does not know, is a hello."""
    received = wire.decode(golden.topic("hello.json"), payload("hello.later-agent.json"))
    assert isinstance(received, Received)
    assert isinstance(received.message, Hello)
    assert received.message.interval_s == 30
    assert received.message.robot == "lobby-07"


@pytest.mark.parametrize("name", KEPT)
def test_every_truncation_is_refused(name: str) -> None:
    """A message cut short anywhere is refused with a reason, never raised and never half believed."""
    whole = payload(name).rstrip()
    for length in range(len(whole)):
        answer = wire.decode(golden.topic(name), whole[:length])
        assert isinstance(answer, Refused), (length, answer)
        assert answer.reason in {"not_json", "compression", "schema"}
        assert answer.detail


@pytest.mark.parametrize("name", KEPT)
def test_every_flipped_byte_is_answered(name: str) -> None:
    """Any byte of a message replaced: an answer, and a compressed one is never believed."""
    whole = payload(name)
    for place in range(len(whole)):
        for byte in (0, 0x22, 0x2D, 0x39, 0x7B, 0xFF, whole[place] ^ 1):
            answer = wire.decode(golden.topic(name), whole[:place] + bytes([byte]) + whole[place + 1 :])
            assert isinstance(answer, Received | Refused)


@pytest.mark.parametrize("name", KEPT)
def test_each_missing_field_is_named(name: str) -> None:
    """A message without one of its fields is refused, and the answer names the field."""
    fields = json.loads(plain(payload(name)))
    for field in fields:
        if field in ("robot", "battery", "ends"):
            continue
        less = {other: value for other, value in fields.items() if other != field}
        answer = wire.decode(golden.topic(name), json.dumps(less).encode())
        assert isinstance(answer, Refused), field
        assert (answer.reason, f"`{field}`" in answer.detail) == ("schema", True)


@pytest.mark.parametrize("name", KEPT)
def test_a_message_on_the_wrong_channel_is_refused(name: str) -> None:
    """No message passes for one of another channel."""
    for channel in wire.CHANNELS:
        if channel != name.split(".")[0]:
            answer = wire.decode(golden.topic(channel), payload(name))
            assert isinstance(answer, Refused), channel


def test_backlog_numbers_follow_from_the_first() -> None:
    """Samples of a message are consecutive, oldest first."""
    received = wire.decode(golden.topic("samples.json"), payload("samples.backlog.json"))
    assert isinstance(received, Received)
    assert isinstance(received.message, Samples)
    ups = [sample.up for sample in received.message.samples]
    assert ups == sorted(ups)
    assert received.message.seq == 1201
