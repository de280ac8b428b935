"""Whatever a broker hands over is answered: received or refused with a reason, never an exception."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import wire
from agent.wire import Received, Refused, Samples
from tests.wire import golden

SAMPLES = f"{golden.ROBOT}/samples"
RECEIPT = f"{golden.ROBOT}/receipt"


def samples_json(**fields: str) -> bytes:
    """A samples message in which some fields are written as the test wants them."""
    outer = {"epoch": '"e"', "first": "1", "seq": "1", "sent": '{"t":1,"up":1,"boot":"b"}'}
    inner = {"t": "1", "up": "1", "boot": '"b"', "synced": "true", "c": "{}", "g": "{}"}
    outer |= {name: text for name, text in fields.items() if name in outer}
    inner |= {name: text for name, text in fields.items() if name in inner}
    sample = ",".join(f'"{name}":{text}' for name, text in inner.items())
    outer |= {"samples": fields.get("samples", f"[{{{sample}}}]")}
    return ("{" + ",".join(f'"{name}":{text}' for name, text in outer.items()) + "}").encode()


def many(count: int) -> str:
    return json.dumps({f"m{number}": number for number in range(count)})


TAKEN: dict[str, dict[str, str]] = {
    "nothing counted": {},
    "largest count": {"c": '{"a":{"b":4611686018427387904}}'},
    "largest number": {"seq": str(2**53), "first": str(2**53)},
    "an integer for a gauge": {"g": '{"a":{"b":3}}'},
    "a very large gauge": {"g": '{"a":{"b":-1.7e308}}'},
    "a very small gauge": {"g": '{"a":{"b":5e-324}}'},
    "a duplicate key, of which the last counts": {"c": '{"a":{"b":1,"b":2}}'},
    "unknown fields": {"seq": '1,"more":[1,{"deep":[null]}]'},
    "a text of 256 bytes": {"epoch": json.dumps("e" * 256)},
    "most samples": {
        "samples": "[" + ",".join(['{"t":1,"up":1,"boot":"b","synced":true,"c":{},"g":{}}'] * 500) + "]"
    },
    "most metrics": {"c": f'{{"a":{many(1000)},"b":{many(1000)}}}'},
}
REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "NaN": ({"g": '{"a":{"b":NaN}}'}, "not_json"),
    "Infinity": ({"g": '{"a":{"b":Infinity}}'}, "not_json"),
    "-Infinity": ({"g": '{"a":{"b":-Infinity}}'}, "not_json"),
    "1e999": ({"g": '{"a":{"b":1e999}}'}, "schema"),
    "-1e999": ({"g": '{"a":{"b":-1e999}}'}, "schema"),
    "a gauge of 5000 digits": ({"g": '{"a":{"b":' + "9" * 5000 + "}}"}, "schema"),
    "a gauge that is null": ({"g": '{"a":{"b":null}}'}, "schema"),
    "a gauge that is true": ({"g": '{"a":{"b":true}}'}, "schema"),
    "a gauge that is text": ({"g": '{"a":{"b":"3"}}'}, "schema"),
    "a count of 5000 digits": ({"c": '{"a":{"b":' + "9" * 5000 + "}}"}, "schema"),
    "a count over 64 bits": ({"c": '{"a":{"b":18446744073709551616}}'}, "schema"),
    "a count over 2^62": ({"c": '{"a":{"b":4611686018427387905}}'}, "schema"),
    "a negative count": ({"c": '{"a":{"b":-1}}'}, "schema"),
    "a fraction as count": ({"c": '{"a":{"b":1.5}}'}, "schema"),
    "a whole float as count": ({"c": '{"a":{"b":1.0}}'}, "schema"),
    "a count with exponent": ({"c": '{"a":{"b":1e300}}'}, "schema"),
    "true as count": ({"c": '{"a":{"b":true}}'}, "schema"),
    "true as number": ({"seq": "true"}, "schema"),
    "text as number": ({"seq": '"1"'}, "schema"),
    "1 as truth": ({"synced": "1"}, "schema"),
    "number 0": ({"seq": "0"}, "schema"),
    "a number over 2^53": ({"seq": str(2**53 + 1)}, "schema"),
    "first above seq": ({"first": "2"}, "limits"),
    "a time before 1970": ({"t": "-1"}, "schema"),
    "no samples": ({"samples": "[]"}, "schema"),
    "samples that are null": ({"samples": "null"}, "schema"),
    "501 samples": (
        {"samples": "[" + ",".join(['{"t":1,"up":1,"boot":"b","synced":true,"c":{},"g":{}}'] * 501) + "]"},
        "schema",
    ),
    "2001 metrics": ({"c": f'{{"a":{many(1000)},"b":{many(1001)}}}'}, "limits"),
    "no epoch": ({"epoch": '""'}, "schema"),
    "257 characters": ({"epoch": json.dumps("e" * 257)}, "schema"),
    "256 characters of 3 bytes": ({"epoch": json.dumps("好" * 256)}, "limits"),
    "a boot of 256 characters of 3 bytes": ({"boot": json.dumps("好" * 256)}, "limits"),
    "NUL": ({"epoch": '"a\\u0000b"'}, "limits"),
    "NUL in a boot": ({"boot": '"\\u0000"'}, "limits"),
    "a lone surrogate, escaped": ({"epoch": '"\\ud800"'}, "not_json"),
    "a lone surrogate as a name": ({"c": '{"a":{"\\udfff":1}}'}, "not_json"),
    "a capital letter in a name": ({"c": '{"Network":{"disconnects":1}}'}, "limits"),
    "a dot in a name": ({"g": '{"network":{"rtt.ms":1}}'}, "limits"),
    "an empty name": ({"c": '{"":{"a":1}}'}, "limits"),
    "a long name": ({"c": '{"a":{"' + "b" * 65 + '":1}}'}, "limits"),
    "a name that ends its line": ({"c": '{"a":{"b\\n":1}}'}, "limits"),
    "a name that is SQL": ({"c": '{"a":{"b\\"; DROP TABLE samples; --":1}}'}, "limits"),
    "counters as a list": ({"c": "[]"}, "schema"),
    "arrays 100000 deep": ({"c": "[" * 100_000}, "schema"),
    "unknown arrays 100000 deep": ({"seq": '1,"zz":' + "[" * 100_000 + "]" * 100_000}, "not_json"),
    "unknown objects 20000 deep": ({"seq": '1,"zz":' + '{"a":' * 20_000 + "1" + "}" * 20_000}, "not_json"),
    "a comment": ({"seq": "1 /* one */"}, "not_json"),
    "a trailing comma": ({"seq": "1,"}, "not_json"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_within_the_limits_is_taken(case: str) -> None:
    """Limits are met, not overshot."""
    answer = wire.decode(SAMPLES, samples_json(**TAKEN[case]))
    assert isinstance(answer, Received), answer


@pytest.mark.parametrize("case", REFUSED)
def test_what_breaks_the_contract_is_refused(case: str) -> None:
    """Each with the kind of reason that it is counted by, and a detail of one short line."""
    fields, reason = REFUSED[case]
    answer = wire.decode(SAMPLES, samples_json(**fields))
    assert isinstance(answer, Refused), answer
    assert answer.reason == reason
    assert 0 < len(answer.detail) < 1000
    assert "\n" not in answer.detail


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'""',
        b"0",
        b"\x00",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"epoch":"\xff","stored_until":1}',
        b'{"epoch":"\xed\xa0\x80","stored_until":1}',
        b'{"epoch":"\xc0\x80","stored_until":1}',
        b'{"epoch":"e","stored_until":1}x',
        b'{"epoch":"e","stored_until":1}{"epoch":"e","stored_until":2}',
        b"{'epoch':'e','stored_until':1}",
        b'{"epoch":"e","stored_until":-1}',
    ],
)
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    """Empty (a cleared retained message), not UTF-8, two at once, and whatever else is no JSON object."""
    assert isinstance(wire.decode(RECEIPT, payload), Refused)


def test_a_duplicate_key_counts_once() -> None:
    """Of a key that comes twice the last counts, as in any JSON reader of the field."""
    answer = wire.decode(SAMPLES, samples_json(c='{"a":{"b":1,"b":2}}'))
    assert isinstance(answer, Received)
    assert isinstance(answer.message, Samples)
    assert answer.message.samples[0].c == {"a": {"b": 2}}


def test_a_payload_that_claims_another_robot_is_refused() -> None:
    """The robot in the topic is the robot."""
    other = b'{"robot":"lobby-08","epoch":"e","stored_until":1}'
    same = b'{"robot":"lobby-07","epoch":"e","stored_until":1}'
    answer = wire.decode(RECEIPT, other)
    assert isinstance(answer, Refused)
    assert answer.reason == "identity"
    assert "lobby-08" in answer.detail
    assert isinstance(wire.decode(RECEIPT, same), Received)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b" " * (wire.MAX_MESSAGE + 1), "too_large"),
        (b" " * wire.MAX_MESSAGE, "not_json"),
        (zlib.compress(b" " * (wire.MAX_INFLATED + 1)), "too_large"),
        (zlib.compress(b" " * wire.MAX_INFLATED), "not_json"),
        (zlib.compress(b"0" * 200_000_000, 9), "too_large"),
        (zlib.compress(zlib.compress(b'{"epoch":"e","stored_until":1}')), "not_json"),
        (zlib.compress(b'{"epoch":"e","stored_until":1}') + b"x", "compression"),
        (zlib.compress(b'{"epoch":"e","stored_until":1}')[:-1], "compression"),
        (zlib.compress(b'{"epoch":"e","stored_until":1}')[:-4] + b"\0\0\0\0", "compression"),
        (zlib.compress(b""), "not_json"),
        (b"\x78", "compression"),
        (b"\x78\x9c", "compression"),
        (b"\x78\xbb\x00\x00\x00\x01", "compression"),  # wants a preset dictionary
        (b"\x78\x9c" + b"\x00" * 100, "compression"),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else value,
)
def test_sizes_and_compression_are_limited(payload: bytes, reason: str) -> None:
    """Too long, too long once inflated (a bomb included), cut, damaged, or followed by something else."""
    answer = wire.decode(RECEIPT, payload)
    assert isinstance(answer, Refused)
    assert answer.reason == reason


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "vitals",
        "vitals/v1/demo/r1",
        "vitals/v1/demo/r1/samples/",
        "/vitals/v1/demo/r1/samples",
        "vitals/v2/demo/r1/samples",
        "vitals/v1/Demo/r1/samples",
        "vitals/v1//r1/samples",
        "vitals/v1/demo//samples",
        "vitals/v1/demo/r 1/samples",
        "vitals/v1/demo/r1\n/samples",
        "vitals/v1/demo/机器人/samples",
        f"vitals/v1/demo/{'r' * 65}/samples",
        f"vitals/v1/{'f' * 33}/r1/samples",
        "vitals/v1/demo/r1/other",
        "vitals/v1/demo/+/samples",
        "vitals/v1/demo/#",
        "vitals/v1/demo/collector/hello",
        "vitals/v1/demo/collector/samples",
        "x" * 65_535,
        "vitals/v1/demo/\ud800/samples",
    ],
)
def test_other_topics_are_refused(topic: str) -> None:
    """Only topics of this contract have messages, and the detail stays short."""
    answer = wire.decode(topic, b"{}")
    assert isinstance(answer, Refused)
    assert answer.reason == "topic"
    assert len(answer.detail) < 1000


def test_topics_are_read_as_written() -> None:
    """A topic names fleet, robot and channel; the collector's own has a fleet only."""
    assert wire.parse_topic("vitals/v1/demo/r_1-B/hello") == wire.Topic("demo", "r_1-B", "hello")
    assert wire.parse_topic("vitals/v1/demo/collector/status") == wire.CollectorTopic("demo")
    assert wire.subscription("demo", "samples") == "vitals/v1/demo/+/samples"
    assert wire.is_robot("r" * 64)
    assert not wire.is_robot("collector")
    assert wire.is_fleet("f" * 32)


def test_more_topics_than_are_kept_are_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken apart before is kept, within a bound; what is refused is not."""
    monkeypatch.setattr(wire, "_TOPICS_KEPT", 3)
    monkeypatch.setattr(wire, "_topics", {})
    topics = [wire.Topic("demo", f"r{number}", "samples") for number in range(8)]
    for topic in topics * 2:
        assert wire.parse_topic(str(topic)) == topic
        assert isinstance(wire.parse_topic(f"{topic}/more"), Refused)
        assert len(wire._topics) <= 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
TOPICS = st.sampled_from([golden.topic(name) for name in golden.MESSAGES])


@given(st.text() | TOPICS, st.binary(max_size=300))
def test_any_bytes_on_any_topic_are_answered(topic: str, payload: bytes) -> None:
    """Nothing at all makes decode raise."""
    assert isinstance(wire.decode(topic, payload), Received | Refused)
    assert isinstance(wire.decode(topic, b"\x78" + payload), Received | Refused)
    assert isinstance(wire.decode(topic, zlib.compress(payload)), Received | Refused)


@given(st.sampled_from(sorted(golden.MESSAGES)), st.data())
def test_any_field_replaced_by_any_json_is_answered(name: str, data: st.DataObject) -> None:
    """Messages whose fields, at any depth, are something else."""
    payload = (golden.FOLDER / name).read_bytes()
    message = json.loads(zlib.decompress(payload) if payload[:1] == b"\x78" else payload)
    _replace(message, data)
    answer = wire.decode(golden.topic(name), json.dumps(message).encode())
    assert isinstance(answer, Received | Refused)
    if isinstance(answer, Received):
        assert wire.decode(golden.topic(name), wire.encode(answer.message)) == answer


def _replace(message: Any, data: st.DataObject) -> None:
    """Puts any JSON in the place of some value within."""
    while True:
        places = sorted(message) if isinstance(message, dict) else range(len(message))
        place = data.draw(st.sampled_from(places))
        inner = message[place]
        if not (isinstance(inner, dict | list) and inner) or data.draw(st.booleans()):
            message[place] = data.draw(JSON)
            return
        message = inner
