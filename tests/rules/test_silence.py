"""Time in which the collector was listening."""

import numpy as np
import pytest

from rules.silence import Listening


def total(listening: Listening, *until: int) -> list[int]:
    """How long it was listening by these times."""
    found: list[int] = listening.total(np.array(until)).tolist()
    return found


def test_only_listening_counts() -> None:
    """Before, between and after the intervals, no time passes."""
    listening = Listening()
    listening.add(100, 200)
    listening.add(500, 600)
    assert total(listening, 0, 100, 150, 200, 400, 550, 600, 9_999) == [0, 0, 50, 100, 100, 150, 200, 200]


def test_an_interval_that_grows_is_one() -> None:
    """Heartbeats extend it; what overlaps or comes out of order is joined."""
    listening = Listening()
    for until in (110, 150, 200):
        listening.add(100, until)
    listening.add(40, 120)
    listening.add(0, 10)
    assert total(listening, 5, 10, 100, 250) == [5, 10, 70, 170]


def test_nothing_was_ever_heard_of() -> None:
    """Without listening, there is no silence."""
    assert total(Listening(), 0, 1_000) == [0, 0]


def test_an_interval_must_not_end_before_it_begins() -> None:
    """It is refused, with its times."""
    with pytest.raises(ValueError, match="from 5 until 4"):
        Listening().add(5, 4)
