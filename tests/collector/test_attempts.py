"""How long a try to sign in must wait, as a table and as properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.http.attempts import BY_NAME, FORGOTTEN_AFTER_MS, Allowance, Attempts

SMALL = Allowance(2, 8_000)


@pytest.mark.parametrize(
    ("at", "waits"),
    [
        ([0, 0], [0, 0]),
        ([0, 0, 0], [0, 0, 1_000]),
        ([0, 0, 999, 1_000, 1_000], [0, 0, 1, 0, 2_000]),
        ([0, 0, 1_000, 3_000, 7_000, 15_000, 23_000], [0] * 7),
        ([0, 0, 1_000, 3_000, 7_000, 14_999], [0] * 5 + [1]),
        ([0, 0, 0, FORGOTTEN_AFTER_MS, FORGOTTEN_AFTER_MS, FORGOTTEN_AFTER_MS], [0, 0, 1_000, 0, 0, 1_000]),
    ],
)
def test_waits_double_up_to_the_longest(at: list[int], waits: list[int]) -> None:
    """Some tries are free, then 1 s, 2 s, 4 s, 8 s, 8 s; after an hour of quiet all is forgotten."""
    attempts = Attempts(SMALL)
    assert [attempts.begin("mei", now) for now in at] == waits


def test_a_success_forgets() -> None:
    """Of a name all tries, of an address this one."""
    attempts = Attempts(SMALL)
    assert [attempts.begin("a", 0) for _ in range(3)] == [0, 0, 1_000]
    attempts.forget("a")
    assert attempts.begin("a", 0) == 0
    attempts.take_back("a")
    assert [attempts.begin("a", 0) for _ in range(3)] == [0, 0, 1_000]
    attempts.take_back("nobody")


def test_names_are_counted_apart() -> None:
    """One that waits keeps no other waiting."""
    attempts = Attempts(SMALL)
    assert [attempts.begin("a", 0) for _ in range(3)][-1] > 0
    assert attempts.begin("b", 0) == 0


def test_very_many_names_are_held_in_bounds() -> None:
    """The longest untouched is forgotten first; the memory stays what it is."""
    attempts = Attempts(SMALL)
    for _ in range(3):
        attempts.begin("first", 0)
    for number in range(10_000):
        attempts.begin(f"n{number}", 0)
    assert attempts.begin("first", 0) == 0
    assert attempts.begin("n9999", 0) == 0


@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=60))
def test_whoever_waits_as_told_gets_in(steps: list[int]) -> None:
    """A wait is never longer than the longest, and over when it said."""
    attempts, now = Attempts(BY_NAME), 0
    for step in steps:
        now += step
        wait = attempts.begin("mei", now)
        assert 0 <= wait <= BY_NAME.longest_ms
        if wait:
            assert attempts.begin("mei", now + wait - 1) == 1
            assert attempts.begin("mei", now + wait) == 0
            now += wait
