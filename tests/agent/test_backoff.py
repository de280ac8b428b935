"""The time between attempts to connect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.backoff import CAP_MS, FLOOR_MS, STEADY_MS, Backoff


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_stays_within_bounds(failures: int, chance: float) -> None:
    """No wait is shorter than the floor or longer than the cap."""
    assert FLOOR_MS <= Backoff(failures).delay(chance) <= CAP_MS


@pytest.mark.parametrize(
    ("failures", "ceiling"), [(1, 5_000), (2, 10_000), (4, 40_000), (5, 60_000), (99, 60_000)]
)
def test_spreads_over_all_of_a_doubling_time(failures: int, ceiling: int) -> None:
    """Full jitter: anything up to the ceiling, also once the ceiling is the cap."""
    backoff = Backoff(failures)
    assert (backoff.delay(0.5), backoff.delay(0.999)) == (ceiling // 2, int(ceiling * 0.999))


def test_forgives_only_after_a_steady_connection() -> None:
    """Two agents with one name throw each other out at once: that must not become a storm."""
    assert Backoff(5).lost(STEADY_MS) == Backoff(1)
    assert Backoff(5).lost(CAP_MS) == Backoff(6) == Backoff(5).failed()
