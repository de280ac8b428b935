"""What goes wrong in the demo, whatever the hour at which it is started."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import scenario
from simulator.behavior import DAY, HOUR, Behavior
from simulator.faults import KINDS
from simulator.fleet import robots

MONDAY = 1_789_948_800_000  # 2026-09-21 00:00 UTC
MUST_SHOW = {"network", "vision", "touchscreen", "navigation", "asr", "nlp", "tts"}
FIVE_MINUTES = 300_000


@settings(max_examples=40, deadline=None)
@given(hour=st.integers(0, 7 * 24 - 1), count=st.integers(4, 60), seed=st.integers(1, 3))
def test_whatever_the_hour_faults_began_in_time(hour: int, count: int, seed: int) -> None:
    """All begin within the recorded past, and one that shows in a share began while people were there."""
    now = MONDAY + hour * HOUR
    fleet = robots(count)
    faults = scenario.faults(fleet, seed, now)
    for fault in faults:
        assert now - scenario.PAST_DAYS * DAY < fault.start < now
        if fault.end is None and fault.start > now - 4 * DAY and KINDS[fault.kind].chances:
            life = Behavior(seed, fleet[fault.robot - 1], (), FIVE_MINUTES)
            since = np.arange(fault.start, now, FIVE_MINUTES, dtype=np.int64)
            assert life.activity(since).sum() * FIVE_MINUTES / HOUR > 3


@given(count=st.integers(4, 80))
def test_the_smallest_fleet_shows_all_it_must(count: int) -> None:
    """Every subsystem, a silent robot, low conversion; the robot that fails while one watches is another."""
    fleet = robots(count)
    faults = scenario.faults(fleet, 1, MONDAY)
    lasting = [fault for fault in faults if fault.end is None]
    kinds = [KINDS[fault.kind] for fault in lasting]
    touched = {name.split(".")[0] for kind in kinds for name in (*kind.chances, *kind.bursts)}
    assert touched >= MUST_SHOW
    assert {"robot_silent", "low_conversion"} <= {fault.kind for fault in lasting}
    silent = next(fault.robot for fault in lasting if fault.kind == "robot_silent")
    assert [fault.kind for fault in lasting if fault.robot == silent] == ["robot_silent"]
    appearing = scenario.appearing(fleet, faults, MONDAY)
    assert appearing.robot not in {fault.robot for fault in faults}


def test_most_robots_of_the_usual_demo_are_well() -> None:
    """A fleet in which everything is broken teaches nothing."""
    fleet = robots(45)
    faulty = {fault.robot for fault in scenario.faults(fleet, 1, MONDAY) if fault.end is None}
    assert len(faulty) < len(fleet) * 0.6
