"""A robot's clocks: what may be believed of the wall clock, and what a message says of all of them."""

import pytest

from agent.clock import PLAUSIBLE_SINCE_MS, Reading
from agent.procfs import Machine
from agent.wire import Sent

NOW = 1_795_000_000_000


@pytest.mark.parametrize(
    ("wall", "synced", "trusted"),
    [(NOW, True, True), (NOW, False, False), (9_000, True, False), (PLAUSIBLE_SINCE_MS - 1, True, False)],
)
def test_believes_a_synchronized_clock_that_can_be_right(wall: int, synced: bool, trusted: bool) -> None:
    """Kernels call a clock synchronized that shows 1970."""
    assert Reading(wall=wall, up=9_000, boot="b", synced=synced).trusted is trusted


def test_a_clock_before_1970_can_be_sent() -> None:
    """Set wrongly by hand, it shows a negative time, which the wire does not know."""
    assert Reading(wall=-5, up=7, boot="b", synced=False).sent() == Sent(t=0, up=7, boot="b")


def test_the_boot_clock_does_not_follow_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock is set back by a day: ages within the boot stay as they are."""
    machine = Machine()
    before = machine.clocks()
    monkeypatch.setattr("agent.procfs.time.time_ns", lambda: (before.wall - 86_400_000) * 1_000_000)
    after = machine.clocks()
    assert after.wall == before.wall - 86_400_000
    assert 0 <= after.up - before.up < 3_600_000
    assert after.boot == before.boot
