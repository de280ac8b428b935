"""How much a spool may hold, and what must go when it holds more. The oldest go first.

Three things bound a spool: bytes of its own files, what must stay free of the disk it lies on, and the age
of samples. A disk that is nearly full though the spool is small is filled by somebody else: the spool then
stops growing beyond 4 MB, and new samples take the room of the oldest; shrinking further would feed that
somebody.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from agent.clock import Reading

Reason = Literal["bytes", "disk", "age", "damaged", "full"]
MB: Final = 1_000_000
DAY_MS: Final = 86_400_000
SMALLEST_BYTES: Final = 4 * MB
INCOMING_BYTES: Final = 128 * 1024  # what the next sample may need, counters' state and B-tree included
_FREE_BYTES: Final = 64 * MB
_FREE_SHARE: Final = 20  # of a small disk, a twentieth


@dataclass(frozen=True, slots=True)
class Quota:
    """A spool's bounds. `max_age_ms` None: any age; `keep_free_bytes` None: 64 MB, or 5 % of a small disk."""

    max_bytes: int = 256 * MB
    max_age_ms: int | None = 30 * DAY_MS
    keep_free_bytes: int | None = None
    keep_free_inodes: int = 64


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system; `inodes_free` None: it does not count any."""

    total: int
    free: int
    inodes_free: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of a spool's files, how many of these are free for more, and how many samples lie in the rest."""

    files: int
    reusable: int
    held: int
    disk: Disk


@dataclass(frozen=True, slots=True)
class Surplus:
    """So many samples must go, and why."""

    count: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Taken:
    """When a sample was taken, by all its clocks."""

    t: int
    up: int
    boot: str
    synced: bool


def is_scarce(quota: Quota, disk: Disk) -> bool:
    """Whether less of the disk is free than should be."""
    bytes_free = quota.keep_free_bytes
    if bytes_free is None:
        bytes_free = min(_FREE_BYTES, disk.total // _FREE_SHARE)
    no_inodes = disk.inodes_free is not None and disk.inodes_free < quota.keep_free_inodes
    return disk.free < bytes_free or no_inodes


def surplus(quota: Quota, usage: Usage) -> Surplus | None:
    """How many of the oldest samples must go before the next is taken; None: there is room."""
    filled = usage.files - usage.reusable
    over = filled + INCOMING_BYTES - quota.max_bytes
    must_not_grow = filled > SMALLEST_BYTES and is_scarce(quota, usage.disk)
    wanted = INCOMING_BYTES - usage.reusable if must_not_grow else 0
    reason: Reason = "bytes" if over >= wanted else "disk"
    if max(over, wanted) <= 0 or usage.held == 0:
        return None
    of_one = max(1.0, filled / usage.held)
    return Surplus(min(usage.held, math.ceil(max(over, wanted) / of_one)), reason)


def age_ms(taken: Taken, now: Reading) -> int | None:
    """How old a sample is; None: no clock can tell.

    Within a boot the boot clock tells; across boots the wall clock, if both of its readings can be trusted.
    """
    if taken.boot == now.boot:
        return now.up - taken.up
    return now.wall - taken.t if taken.synced and now.trusted else None


def outlived(quota: Quota, probes: Iterable[tuple[int, Taken]], now: Reading) -> int | None:
    """The highest number among the probes that is too old; whatever is below it is older still."""
    if quota.max_age_ms is None:
        return None
    ages = ((seq, age_ms(taken, now)) for seq, taken in probes)
    return max((seq for seq, age in ages if age is not None and age > quota.max_age_ms), default=None)
