"""Sets of numbers as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.stores.numbers import format_numbers, parse_numbers


@pytest.mark.parametrize(
    ("numbers", "text"), [(set(), ""), ({7}, "7"), ({3, 4, 5, 9}, "3-5,9"), ({1, 3, 5}, "1,3,5")]
)
def test_runs_are_written_short(numbers: set[int], text: str) -> None:
    """Neighbours become one run."""
    assert format_numbers(numbers) == text


@given(st.sets(st.integers(0, 300)))
def test_round_trip(numbers: set[int]) -> None:
    """What is written is read."""
    assert parse_numbers(format_numbers(numbers)) == numbers
