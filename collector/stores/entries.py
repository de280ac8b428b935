"""What a commit leaves in the ledger: where its samples lie, and each epoch's newest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from collector.stores import Loss, Rows, Watermark
from collector.stores.rows import Integers

MINUTE_MS: Final = 60_000
NEAR_MS: Final = 10 * MINUTE_MS  # a point further from its commit is a stray
NOWHERE: Final = (2**62, -(2**62))
Key = tuple[str, str]  # robot, epoch


@dataclass(frozen=True, slots=True)
class Minute:
    """Samples that were committed within a minute; places are the times of their points, in ms."""

    minute: int
    samples: int
    first_at: int
    last_at: int
    first_place: int
    last_place: int


@dataclass(frozen=True, slots=True)
class Stray:
    """Samples of one robot, committed within a minute, whose points lie elsewhere."""

    minute: int
    robot: str
    first_place: int
    last_place: int


@dataclass(frozen=True, slots=True)
class Newest:
    """The sample with the highest number of an epoch, and where it lies."""

    seq: int
    committed_at: int
    place: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written in one transaction, once the server has the samples."""

    run: int
    number: int
    minutes: Sequence[Minute] = ()
    strays: Sequence[Stray] = ()
    newest: Mapping[Key, Newest] = field(default_factory=dict)
    losses: Sequence[Loss] = ()
    watermarks: Mapping[Key, Watermark] = field(default_factory=dict)


def minutes_and_strays(
    rows: Rows, committed_at: Integers, place: Integers
) -> tuple[list[Minute], list[Stray]]:
    """Where samples lie, by the minute in which they were committed."""
    minute = committed_at // MINUTE_MS
    far = np.abs(place - committed_at) > NEAR_MS
    minutes: list[Minute] = []
    for of in np.unique(minute).tolist():
        mine = minute == of
        near = place[mine & ~far]
        ends = (int(near.min()), int(near.max())) if len(near) else NOWHERE
        times = committed_at[mine]
        minutes.append(Minute(of, int(mine.sum()), int(times.min()), int(times.max()), *ends))
    return minutes, _strays(rows, minute, place, np.flatnonzero(far))


def newest(rows: Rows, committed_at: Integers, place: Integers) -> dict[Key, Newest]:
    """The sample with the highest number of every epoch among the rows."""
    found: dict[Key, Newest] = {}
    columns = (rows.robot, rows.epoch, rows.seq.tolist(), committed_at.tolist(), place.tolist())
    for robot, epoch, seq, at, where in zip(*columns, strict=True):
        before = found.get((robot, epoch))
        if before is None or seq > before.seq:
            found[robot, epoch] = Newest(seq, at, where)
    return found


def newer(one: Mapping[Key, Newest], other: Mapping[Key, Newest]) -> dict[Key, Newest]:
    """Of every epoch, the one with the higher number."""
    found = dict(one)
    for key, newest_ in other.items():
        if key not in found or newest_.seq > found[key].seq:
            found[key] = newest_
    return found


def _strays(rows: Rows, minute: Integers, place: Integers, far: Integers) -> list[Stray]:
    ends: dict[tuple[int, str], tuple[int, int]] = {}
    for row in far.tolist():
        key, here = (int(minute[row]), rows.robot[row]), int(place[row])
        first, last = ends.get(key, (here, here))
        ends[key] = (min(first, here), max(last, here))
    return [Stray(*key, *places) for key, places in ends.items()]
