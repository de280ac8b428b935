"""Faults as they are written on a command line, and as labels."""

import numpy as np
import pytest

from simulator.faults import KINDS, Burst, Fault, FaultError, Frame, labels, parse, spec

HOUR = 3_600_000
FRAME = Frame(begin=1_000 * HOUR, now=1_100 * HOUR)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("lidar_failing:3", Fault("lidar_failing", 3, 1_000 * HOUR)),
        ("lidar_failing:rv-0003:2h", Fault("lidar_failing", 3, 1_002 * HOUR)),
        ("lidar_failing:3:+2h:90m", Fault("lidar_failing", 3, 1_002 * HOUR, 1_002 * HOUR + 5_400_000)),
        ("module_down.tts:12:-3h", Fault("module_down.tts", 12, 1_097 * HOUR)),
        ("robot_silent:1:1970-02-11T17:00:00Z:1d", Fault("robot_silent", 1, 1_001 * HOUR, 1_025 * HOUR)),
    ],
)
def test_a_fault_is_read(text: str, fault: Fault) -> None:
    """Kind, robot by number or id, start after the beginning or before now or at an instant, duration."""
    assert parse(text, FRAME) == fault
    assert parse(spec(fault), FRAME) == fault


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("lidar_failing", "write KIND:ROBOT"),
        ("lidar_fialing:3", "did you mean 'lidar_failing'?"),
        ("lidar_failing:0", "a number from 1"),
        ("lidar_failing:bob", "'bob' is no robot"),
        ("lidar_failing:3:soon", "'soon' is no duration"),
        ("lidar_failing:3:2h:", "START and DURATION"),
        ("lidar_failing:3:2026-99-01T00:00:00Z", "is no instant"),
        ("lidar_failing:3:99999999999999d", "is too long"),
        ("", "write KIND:ROBOT"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_hint(text: str, hint: str) -> None:
    """The message names the fault as written and says what to write."""
    with pytest.raises(FaultError) as error:
        parse(text, FRAME)
    assert hint in str(error.value)
    assert "\n" not in str(error.value)


def test_bursts_add_up_whatever_the_steps() -> None:
    """Fine steps and coarse steps hold the same events, and none come before the fault."""
    burst = Burst(10, 0.5, 60)
    fine = np.arange(0, 3 * HOUR + 1, 5_000, dtype=np.int64)
    events = burst.events(HOUR, fine[:-1], fine[1:])
    coarse = burst.events(HOUR, np.array([0, HOUR]), np.array([HOUR, 3 * HOUR]))
    assert events[fine[1:] <= HOUR].sum() == 0
    assert coarse.tolist() == [0, events.sum()]
    assert events[fine[1:] <= HOUR + 30_000].sum() == 10


def test_labels_end_with_the_recording() -> None:
    """A fault that lasts ends where the recording does; one that begins later is not in it."""
    faults = [
        Fault("lidar_failing", 2, 2_000, 9_000),
        Fault("face_errors", 1, 1_000),
        Fault("robot_silent", 3, 8_000),
    ]
    assert labels(faults, {1: "rv-0001", 2: "rv-0002", 3: "rv-0003"}, 6_000) == (
        "robot,fault,start,end\n"
        "rv-0001,face_errors,1970-01-01T00:00:01.000Z,1970-01-01T00:00:06.000Z\n"
        "rv-0002,lidar_failing,1970-01-01T00:00:02.000Z,1970-01-01T00:00:06.000Z\n"
    )


def test_every_kind_names_a_rule() -> None:
    """Each kind changes something, and says which rule should see it."""
    for name, kind in KINDS.items():
        assert kind.rule, name
        assert kind.chances or kind.bursts or kind.gauges or kind.silent or kind.module, name
