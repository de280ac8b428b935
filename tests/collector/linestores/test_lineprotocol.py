"""Line protocol: what is written reads back by the specification, and no two samples share a point."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.stores import Rows, StoredSample
from collector.stores.lineprotocol import (
    HIGH,
    LOW,
    MILLISECONDS,
    NANOSECONDS,
    Dialect,
    Marks,
    encode,
    joined,
    stamps,
    tag,
    untag,
)
from tests.conformance.stores import CATALOGUE, T0, sample
from tests.lineprotocol import Point, parse

DIALECTS = st.sampled_from([NANOSECONDS, MILLISECONDS])
TEXTS = st.text(max_size=20)
SAMPLES = st.builds(
    sample,
    seq=st.integers(1, 2**53 - 1),
    robot=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    epoch=TEXTS,
    boot=TEXTS,
    t=st.integers(0, 2**42),
    up=st.integers(0, 2**53 - 1),
    synced=st.booleans(),
    counters=st.dictionaries(st.sampled_from(CATALOGUE.counters), st.integers(0, 2**63 - 1), max_size=4),
    gauges=st.dictionaries(
        st.sampled_from(CATALOGUE.gauges), st.floats(allow_nan=False, allow_infinity=False), max_size=4
    ),
)


def _lines(samples: list[StoredSample], dialect: Dialect) -> list[Point]:
    rows = Rows.of(samples, CATALOGUE)
    at = np.full(len(rows), T0, dtype=np.int64)
    marks = Marks("l", 7, at, stamps(dialect, rows.t, rows.seq, 1))
    return list(parse(encode(rows, marks, dialect).decode()))


def _counter(fields: dict[str, float], name: str) -> float:
    if name + LOW not in fields:
        return fields[name]
    return int(joined(np.int64(fields[name + HIGH]), np.int64(fields[name + LOW])))  # type: ignore[arg-type]


def _gauge(fields: dict[str, float], name: str) -> float:
    if name + LOW not in fields:
        return fields[name]
    bits = joined(
        np.array([fields[name + HIGH]], dtype=np.int64), np.array([fields[name + LOW]], dtype=np.int64)
    )
    return float(bits.view(np.float64)[0])


@settings(max_examples=50)  # the reader goes character by character
@given(st.lists(SAMPLES, max_size=3), DIALECTS)
def test_every_sample_reads_back_by_the_specification(samples: list[StoredSample], dialect: Dialect) -> None:
    """Two points a sample, all of its fields among them, numbers exact in either dialect."""
    points = _lines(samples, dialect)
    assert len(points) == 2 * len(samples)
    for one, point, up in zip(samples, points[::2], points[1::2], strict=True):
        assert {name: untag(point.tags[name]) for name in ("robot", "epoch")} == {
            "robot": one.robot,
            "epoch": one.epoch,
        }
        assert (untag(up.tags["boot"]), up.fields, up.stamp) == (one.boot, {"up": one.up}, point.stamp)
        own = ("seq", "t", "robot_t", "received_at", "synced", "corrected")
        assert {name: point.fields[name] for name in own} == {name: int(getattr(one, name)) for name in own}
        assert (point.fields["commit"], point.fields["committed_at"]) == (7, T0)
        assert {name: _counter(point.fields, name) for name in one.counters} == one.counters
        assert {name: _gauge(point.fields, name).hex() for name in one.gauges} == {
            name: value.hex() for name, value in one.gauges.items()
        }


@given(TEXTS)
def test_any_text_is_a_tag(text: str) -> None:
    """What outsiders name themselves survives, and is never empty nor has a mark of the protocol in it."""
    assert untag(tag(text)) == text
    assert tag(text)
    assert not set(tag(text)) & set(' ,="\\\n')


def test_absent_and_infinite_values_are_left_out() -> None:
    """No field is written for what is not there, and none that a server would refuse."""
    one = sample(1, counters={}, gauges={"network.rtt_ms": math.inf, "network.signal_dbm": math.nan})
    (point, _) = _lines([one], MILLISECONDS)
    assert not [name for name in point.fields if "." in name]


@given(st.integers(1, 2**40), st.integers(0, 2**42), DIALECTS)
def test_samples_that_follow_one_another_never_share_a_point(seq: int, t: int, dialect: Dialect) -> None:
    """Not even if the clock stands still, for as many samples as there are slots."""
    numbers = np.arange(seq, seq + dialect.slots if dialect is MILLISECONDS else seq + 1000)
    found = stamps(dialect, np.full(len(numbers), t), numbers, run=3)
    assert len(np.unique(found)) == len(numbers)
    assert ((found // dialect.per_ms - t) < dialect.grain_ms).all()
    assert ((t - found // dialect.per_ms) < dialect.grain_ms).all()


def test_a_clock_set_back_by_whole_hours_does_not_bring_points_together() -> None:
    """A wrong zone, a wrong day: however often a sample is taken, its number has another slot."""
    for every_s in (1, 2, 5, 10, 30, 60):
        for hours in range(1, 500):
            assert hours * 3600 // every_s * 31 % MILLISECONDS.slots, (every_s, hours)
