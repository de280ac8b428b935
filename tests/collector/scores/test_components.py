"""Components over a fleet at once are what they are robot by robot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.scores import components
from collector.scores.figures import Figures, Function, listened_hours, ones, open_hours
from collector.scores.reckoning import groupings
from rules.roster import Robot
from tests.collector.scores import oracle
from tests.collector.scores.examples import DAYS, SETTINGS, figures, robot

HOUR = 3_600_000
MONDAY = 1_795_392_000_000  # 2026-11-23T00:00Z


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), robots=st.integers(1, 30), at=st.integers(0, DAYS - 1))
def test_every_component_agrees_with_the_slow_one(seed: int, robots: int, at: int) -> None:
    """With gaps, zeros, few peers and weeks that are not there."""
    rnd = np.random.default_rng(seed)
    found = _random(rnd, robots)
    keys = [(str(rnd.choice(["", "bank", "hall"])), str(rnd.choice(["", "tour"]))) for _ in range(robots)]
    fleet = [Robot(str(row), {"industry": key[0], "scene": key[1]}) for row, key in enumerate(keys)]
    burden = rnd.choice([0.0, 0.25, 1.5], robots)
    measures = components.measures(found, at, groupings(fleet), burden, SETTINGS)
    for row in range(robots):
        slow = oracle.components(found, at, row, keys, float(burden[row]), SETTINGS)
        fast = {
            name: float(measure.value[row])
            for name, measure in measures.items()
            if not np.isnan(measure.value[row])
        }
        assert fast == pytest.approx(slow, abs=1e-9)


def _random(rnd: np.random.Generator, robots: int) -> Figures:
    shape = (robots, DAYS)
    counted = rnd.integers(0, 9, shape) * (rnd.random((robots, 1)) < 0.9)

    def some(most: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        values = np.round(rnd.random(shape) * most)
        values[rnd.random(shape) < 0.2] = np.nan
        values[rnd.random(robots) < 0.1] = np.nan
        return values

    functions = {
        name: Function(some(20), some(80), some(1) if name == "network" else None)
        for name in SETTINGS.functions
    }
    heard = np.minimum(counted, rnd.integers(0, 9, shape))
    return Figures(counted, heard, some(80), some(30), functions)


def test_a_day_is_silent_only_if_it_was_open() -> None:
    """Closed days neither count nor end the silence."""
    heard = [8.0] * 30 + [0, 0, 0, 0, 0]
    counted = [8.0] * 32 + [0, 8, 8]
    found = figures([{"heard": heard, "counted": counted}, {}])
    assert components.silent_days(found, DAYS - 1).tolist() == [4, 0]


def test_opening_hours_are_bits_of_the_local_day() -> None:
    """An hour is open if the site is in the middle of it; without hours it is always open."""
    open_ = open_hours(
        [robot("a", open_hours="mo 09:00-11:00", tz="UTC"), robot("b", tz="UTC")],
        [MONDAY, MONDAY + 24 * HOUR, MONDAY + 48 * HOUR],
    )
    assert open_.tolist() == [[0b11 << 9, 0], [2**24 - 1, 2**24 - 1]]
    assert ones(open_).tolist() == [[2, 0], [24, 24]]


def test_an_hour_is_listened_to_if_all_of_it_is() -> None:
    """Intervals that touch are one."""
    bounds = [MONDAY, MONDAY + 24 * HOUR]
    intervals = [(MONDAY + HOUR // 2, MONDAY + 2 * HOUR), (MONDAY + 2 * HOUR, MONDAY + 4 * HOUR - 1)]
    assert listened_hours(intervals, bounds).tolist() == [0b110]
