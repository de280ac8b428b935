"""What firmware pushes, as bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.datagrams import Absolute, Add, Parsed, Put, Shift, parse

TAKEN = [
    (b"navigation.relocalization_faults:1|c", Add("navigation.relocalization_faults", 1)),
    (b"navigation.relocalization_faults:1|c\n", Add("navigation.relocalization_faults", 1)),
    (b"navigation.distance_m:0.25|c", Add("navigation.distance_m", 0.25)),
    (b"asr.utterances:3|c|@0.1", Add("asr.utterances", 30)),
    (b"asr.utterances:3|c|@0.5|#env:prod,a:b", Add("asr.utterances", 6)),
    (b"network.rtt_ms:23|g", Put("network.rtt_ms", 23)),
    (b"network.rtt_ms:2.5|ms", Put("network.rtt_ms", 2.5)),
    (b"network.signal_dbm:-3|g", Shift("network.signal_dbm", -3)),
    (b"network.signal_dbm:+3|g", Shift("network.signal_dbm", 3)),
    (
        b'{"subsystem":"asr","boot":"a1","counters":{"utterances":8123}}',
        Absolute("asr", "a1", {"utterances": 8123}),
    ),
    (b'{"subsystem":"asr","gauges":{"up":1}}', Absolute("asr", "", {}, {"up": 1.0})),
]
REFUSED = [
    b"",
    b"\n\n",
    b"nonsense",
    b"asr.utterances:|c",
    b"asr.utterances:nan|c",
    b"asr.utterances:inf|g",
    b"asr.utterances:1_000|c",
    b"asr.utterances:0x10|c",
    b"asr.utterances:1e999|g",
    b"asr.utterances:-1|c",
    b"asr.utterances:1|c|@0",
    b"asr.utterances:1|c|@2",
    b"asr.utterances:1|c|@x",
    b"asr.utterances:99999999999999999999|c",
    b"asr.utterances:1|s",
    b"asr utterances:1|c",
    b"\xff\xfe:1|c",
    b"{",
    b"{}",
    b"[1]",
    b'{"subsystem":"asr","counter":{"utterances":1}}',
    b'{"subsystem":"asr","counters":{"utterances":-1}}',
    b'{"subsystem":"asr","counters":{"utterances":1.5}}',
    b'{"subsystem":"asr","counters":{"utterances":true}}',
    b'{"subsystem":"asr","counters":{"utterances":99999999999999999999}}',
    b'{"subsystem":"asr","gauges":{"up":"1"}}',
    b'{"subsystem":"\xff"}',
    b'{"a":' * 5_000,
]


@pytest.mark.parametrize(("data", "push"), TAKEN)
def test_takes(data: bytes, push: object) -> None:
    """Both forms, as any StatsD client and any JSON encoder write them."""
    assert parse(data) == Parsed((push,), ())  # type: ignore[arg-type]


@pytest.mark.parametrize("data", REFUSED)
def test_refuses(data: bytes) -> None:
    """What is malformed is refused with one short line that shows it."""
    parsed = parse(data)
    assert parsed.pushes == ()
    (reason,) = parsed.refused
    assert 0 < len(reason) < 300
    assert "\n" not in reason


def test_takes_the_good_lines_of_a_datagram() -> None:
    """A malformed line costs none of its neighbours."""
    parsed = parse(b"asr.utterances:1|c\nnonsense\r\nasr.unrecognized:2|c\n")
    assert parsed.pushes == (Add("asr.utterances", 1), Add("asr.unrecognized", 2))
    assert len(parsed.refused) == 1


@given(st.binary(max_size=200))
def test_survives_any_bytes(data: bytes) -> None:
    """Whatever arrives is taken or refused."""
    parsed = parse(data)
    assert parsed.pushes or parsed.refused


@given(st.text(alphabet="asr.:|cg@0123456789-+e\n# {}", max_size=60))
def test_survives_whatever_looks_like_statsd(text: str) -> None:
    """Near misses are taken or refused too."""
    parsed = parse(text.encode())
    assert parsed.pushes or parsed.refused


@given(st.dictionaries(st.text(max_size=10), st.integers(0, 2**53)))
def test_takes_any_counters_in_json(counters: dict[str, int]) -> None:
    """Names are the catalogue's business, not the form's."""
    data = json.dumps({"subsystem": "x", "boot": "b", "counters": counters}).encode()
    assert parse(data) == Parsed((Absolute("x", "b", counters),), ())
