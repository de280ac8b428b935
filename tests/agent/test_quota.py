"""What must go when a spool holds too much."""

import pytest

from agent.clock import PLAUSIBLE_SINCE_MS, Reading
from agent.quota import (
    DAY_MS,
    INCOMING_BYTES,
    MB,
    Disk,
    Quota,
    Surplus,
    Taken,
    Usage,
    age_ms,
    is_scarce,
    outlived,
    surplus,
)

ROOMY = Disk(total=1_000_000 * MB, free=500_000 * MB, inodes_free=10_000)
FULL = Disk(total=1_000_000 * MB, free=1 * MB, inodes_free=10_000)
NOW = Reading(wall=PLAUSIBLE_SINCE_MS + 100 * DAY_MS, up=5 * DAY_MS, boot="now", synced=True)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(files=5 * MB, reusable=0, held=1_000, disk=ROOMY), None),
        (Usage(10 * MB - INCOMING_BYTES, 0, 1_000, ROOMY), None),
        (Usage(10 * MB, 0, 1_000, ROOMY), Surplus(14, "bytes")),  # 128 KiB at 10 kB each
        (Usage(10 * MB, 2 * MB, 1_000, ROOMY), None),  # what is free inside can be written again
        (Usage(20 * MB, 0, 1_000, ROOMY), Surplus(507, "bytes")),
        (Usage(30 * MB, 0, 3, ROOMY), Surplus(3, "bytes")),  # never more than there are
        (Usage(30 * MB, 0, 0, ROOMY), None),
        (Usage(5 * MB, 0, 500, FULL), Surplus(14, "disk")),  # it does not grow
        (Usage(5 * MB, INCOMING_BYTES, 500, FULL), None),
        (Usage(3 * MB, 0, 500, FULL), None),  # a small spool is not what fills it
    ],
)
def test_how_many_must_go(usage: Usage, expected: Surplus | None) -> None:
    """As many as make room for the next, for 10 MB and on a disk that is roomy or full."""
    assert surplus(Quota(max_bytes=10 * MB), usage) == expected


@pytest.mark.parametrize(
    ("quota", "disk", "expected"),
    [
        (Quota(), Disk(1_000_000 * MB, 65 * MB, 64), False),
        (Quota(), Disk(1_000_000 * MB, 63 * MB, 64), True),
        (Quota(), Disk(100 * MB, 6 * MB, 64), False),  # of a small disk, 5 %
        (Quota(), Disk(100 * MB, 4 * MB, 64), True),
        (Quota(keep_free_bytes=500 * MB), Disk(1_000 * MB, 400 * MB, 64), True),
        (Quota(keep_free_bytes=0), Disk(1_000 * MB, 0, 64), False),
        (Quota(), Disk(1_000_000 * MB, 65 * MB, 63), True),
        (Quota(), Disk(1_000_000 * MB, 65 * MB, None), False),  # a file system without inodes
    ],
)
def test_when_a_disk_is_nearly_full(quota: Quota, disk: Disk, expected: bool) -> None:
    """Bytes and inodes both count."""
    assert is_scarce(quota, disk) is expected


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (Taken(t=0, up=2 * DAY_MS, boot="now", synced=False), 3 * DAY_MS),  # whatever the wall clock said
        (Taken(t=NOW.wall - DAY_MS, up=9 * DAY_MS, boot="before", synced=True), DAY_MS),
        (Taken(t=NOW.wall - DAY_MS, up=9 * DAY_MS, boot="before", synced=False), None),
    ],
)
def test_how_old_a_sample_is(taken: Taken, expected: int | None) -> None:
    """By the boot clock within a boot, else by the wall clock where it can be trusted."""
    assert age_ms(taken, NOW) == expected


def test_an_untrusted_wall_clock_makes_nothing_old() -> None:
    """A robot that boots in 1970, or in 2099 without synchronization, gives nothing up for its age."""
    taken = Taken(t=NOW.wall, up=0, boot="before", synced=True)
    later = Reading(wall=NOW.wall + 1_000 * DAY_MS, up=1, boot="now", synced=False)
    assert age_ms(taken, later) is None


def test_what_lies_below_an_old_sample_is_old_too() -> None:
    """Samples whose age nobody can tell go with a later one that is too old."""
    unknown = Taken(t=5, up=5, boot="first", synced=False)
    old = Taken(t=NOW.wall - 40 * DAY_MS, up=5, boot="second", synced=True)
    young = Taken(t=NOW.wall - 20 * DAY_MS, up=5, boot="third", synced=True)
    probes = [(1, unknown), (3, old), (7, young)]
    assert outlived(Quota(), probes, NOW) == 3
    assert outlived(Quota(max_age_ms=50 * DAY_MS), probes, NOW) is None
    assert outlived(Quota(max_age_ms=None), probes, NOW) is None
