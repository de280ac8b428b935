"""Steps reckoned in columns are what a slow reading of the samples gives."""

from hypothesis import given
from hypothesis import strategies as st

from collector.stores import Rows, StoredSample
from collector.stores.steps import grid, points, steps
from tests.collector.stores.oracle import increases, means
from tests.conformance.stores import CATALOGUE, sample

COUNTER, GAUGE = "network.disconnects", "network.rtt_ms"
SAMPLES = st.lists(
    st.builds(
        sample,
        seq=st.integers(1, 12),
        epoch=st.sampled_from(["e1", "e2"]),
        t=st.integers(0, 9_000),
        counters=st.one_of(st.just({}), st.builds(lambda n: {COUNTER: n}, st.integers(0, 30))),
        gauges=st.one_of(st.just({}), st.builds(lambda n: {GAUGE: float(n)}, st.integers(0, 9))),
    ),
    unique_by=lambda one: (one.epoch, one.seq),
    max_size=16,
)


@given(SAMPLES, st.sampled_from([700, 1000, 3000]))
def test_steps_are_what_a_slow_reading_gives(samples: list[StoredSample], step: int) -> None:
    """Increases and means, over any order, hole, epoch and decrease."""
    begins = grid(1500, 8000, step)
    series = steps(Rows.of(samples, CATALOGUE), [COUNTER, GAUGE, "no.such"], begins)
    assert series.times == tuple(begins)
    assert list(series.values[COUNTER]) == increases(samples, COUNTER, begins, step)
    assert list(series.values[GAUGE]) == means(samples, GAUGE, begins, step)
    assert set(series.values["no.such"]) <= {None}


@given(SAMPLES)
def test_points_are_the_samples_in_the_order_of_time(samples: list[StoredSample]) -> None:
    """By event time, then number; None where a sample lacks the metric."""
    series = points(Rows.of(samples, CATALOGUE), [COUNTER], 1000, 8000)
    within = sorted((s for s in samples if 1000 <= s.t < 8000), key=lambda s: (s.t, s.seq))
    assert series.times == tuple(s.t for s in within)
    by_time = list(zip(series.times, series.values[COUNTER], strict=True))
    assert sorted(by_time, key=repr) == sorted(((s.t, s.counters.get(COUNTER)) for s in within), key=repr)
