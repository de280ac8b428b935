"""What the stubs send is what the agent reads."""

import json

from hypothesis import given
from hypothesis import strategies as st

from agent.datagrams import Absolute, Add, Put, Shift, parse
from firmware_stubs.datagrams import MAX_DATAGRAM, absolute, statsd

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,40}", fullmatch=True)
COUNTS = st.dictionaries(NAMES, st.integers(0, 2**40), max_size=80)
GAUGES = st.dictionaries(NAMES, st.floats(-1e12, 1e12), max_size=20)


@given(COUNTS, GAUGES)
def test_statsd_lines_arrive_as_sent(counts: dict[str, int], gauges: dict[str, float]) -> None:
    """Each increase once, each gauge at its value (negative ones too), no datagram over the limit."""
    added: dict[str, float] = {}
    levels: dict[str, float] = {}
    for datagram in statsd("navigation", counts, gauges):
        assert len(datagram) <= MAX_DATAGRAM
        parsed = parse(datagram)
        assert parsed.refused == ()
        for push in parsed.pushes:
            match push:
                case Add(name, amount):
                    added[name] = added.get(name, 0) + amount
                case Put(name, value):
                    levels[name] = value
                case Shift(name, delta):
                    levels[name] += delta
    assert added == {f"navigation.{name}": count for name, count in counts.items() if count}
    assert levels == {f"navigation.{name}": value for name, value in gauges.items()}


@given(COUNTS, GAUGES)
def test_absolute_counters_arrive_as_sent(counts: dict[str, int], gauges: dict[str, float]) -> None:
    """The JSON form carries boot, counters and gauges unchanged."""
    datagram = absolute("asr", "a1", counts, gauges)
    assert parse(datagram).pushes == (Absolute("asr", "a1", counts, gauges),)
    assert json.loads(datagram)["counters"] == counts


def test_nothing_counted_sends_nothing() -> None:
    """Counters that did not rise cost no line."""
    assert list(statsd("nlp", {"queries": 0}, {})) == []
    assert list(statsd("nlp", {"queries": 2, "unhandled": 0}, {"up": 1.0})) == [
        b"nlp.queries:2|c\nnlp.up:1.0|g"
    ]
