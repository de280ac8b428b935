"""The store's seam: what every store of samples can do, and the records that pass through it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from collector.stores.rows import MISSING, Floats, Integers, Rows, StoredSample
from rules.batch import Batch
from rules.recording import Header
from rules.roster import Roster

__all__ = [
    "LATE_MS",
    "MAX_ABOVE",
    "MAX_LOSSES",
    "MISSING",
    "Commit",
    "Contents",
    "Delivery",
    "Imported",
    "Loss",
    "LossReason",
    "Retention",
    "Rows",
    "Series",
    "Spans",
    "Store",
    "StoreError",
    "StoredSample",
    "Watermark",
]

MAX_ABOVE: Final = 20_000  # numbers that may come early, of one epoch
MAX_LOSSES: Final = 50  # that `Store.delivery` tells of one robot
LATE_MS: Final = 120_000  # a sample received so long after it was taken is late
DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
MAX_SPAN_HOURS: Final = 62  # as many as fit into one number, a bit each
LossReason = Literal["dropped", "refused"]


class StoreError(Exception):
    """The store cannot do what was asked; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Samples `first` … `last` of an epoch will never be stored, save those among them that already are.

    `dropped`: the agent gave them up; `refused`: they broke the contract.
    """

    robot: str
    epoch: str
    first: int
    last: int
    count: int
    reason: LossReason
    at: int


class Watermark(msgspec.Struct, frozen=True):
    """Of one epoch, every number up to `until` is stored or declared lost, and so are those in `above`."""

    until: int = 0
    above: frozenset[int] = frozenset()

    def __contains__(self, seq: int) -> bool:
        return seq <= self.until or seq in self.above

    @property
    def highest(self) -> int:
        """The highest number that is stored or declared lost."""
        return max(self.above, default=self.until)


@dataclass(frozen=True, slots=True)
class Commit:
    """What is stored in one transaction: samples, losses, and the watermarks after them."""

    at: int
    rows: Rows = field(default_factory=Rows)
    losses: Sequence[Loss] = ()
    watermarks: Mapping[tuple[str, str], Watermark] = field(default_factory=dict)  # by (robot, epoch)


@dataclass(frozen=True, slots=True)
class Series:
    """Metrics of one robot at points in time; None where nothing is known.

    With a step, point i stands for [times[i], times[i] + step_ms): a counter's increase, a gauge's mean.
    Without one, the points are the samples themselves: a counter's cumulative value, a gauge's value.
    """

    times: tuple[int, ...]
    step_ms: int | None
    values: Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Of many robots in spans of time, [robot, span]: how much counters rose, and when samples were taken.

    An increase is NaN where no sample tells of it; bit k of `hours` is 1 if a sample lies in the k-th hour.
    """

    increases: Mapping[str, Floats]
    hours: Integers


@dataclass(frozen=True, slots=True)
class Imported:
    """What a recording brought: new samples, those stored before, and metrics that no catalogue knows."""

    added: int
    duplicates: int
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contents:
    """How much is stored, and from when to when it was committed."""

    samples: int
    first_at: int | None
    last_at: int | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one robot's samples came. Times in ms."""

    losses: tuple[Loss, ...] = ()  # the newest first, at most `MAX_LOSSES`
    stored: int = 0  # samples received since the time asked for
    late: int = 0  # of these, received over `LATE_MS` after they were taken
    longest_delay_ms: int = 0  # of the late ones
    corrected: int = 0  # of these, not at the time that the robot's clock showed


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept, by the time of commit; None: for ever."""

    samples_ms: int | None = 400 * DAY_MS
    hours_ms: int | None = 3 * 366 * DAY_MS
    days_ms: int | None = None


class Store(Protocol):
    """Where samples are kept. One thread writes, another may maintain; any thread may read meanwhile."""

    def append(self, commit: Commit) -> None:
        """Stores all of it or nothing; durable on return. Commit times rise from one to the next."""

    def watermarks(self) -> dict[tuple[str, str], Watermark]:
        """What is stored, by (robot, epoch)."""

    def newest(self) -> list[StoredSample]:
        """The sample with the highest number of every (robot, epoch) in use within the last days."""

    def losses(self) -> dict[str, dict[LossReason, int]]:
        """How many samples of each robot were declared lost, by reason."""

    def delivery(self, robot: str, since_ms: int) -> Delivery:
        """How the robot's samples came: what was lost, and of those received since then, what was late."""

    def contents(self) -> Contents:
        """How much is stored."""

    def maintain(self, now_ms: int, retention: Retention) -> None:
        """Roll-ups and retention; from time to time, from one thread."""

    def series(
        self, robot: str, metrics: Sequence[str], from_ms: int, to_ms: int, step_ms: int | None
    ) -> Series:
        """One robot's metrics in [from_ms, to_ms); steps begin at multiples of `step_ms`.

        Metrics that the store has no column for are None throughout.
        """

    def spans(self, robots: Sequence[str], counters: Sequence[str], bounds: Sequence[int]) -> Spans:
        """Of each robot, from each bound to the next: what its `series` by the hour sums up to.

        Bounds are whole hours that rise, at most `MAX_SPAN_HOURS` from one to the next.
        """

    def batches(self, since_ms: int, roster: Roster, metrics: Sequence[str] | None = None) -> Iterator[Batch]:
        """What was committed at or after `since_ms`, one batch a commit, in order; robots: the roster."""

    def first_new(self, recording: Path) -> int | None:
        """When the first of a recording's samples was committed that is not stored yet; None: all are."""

    def take(self, recording: Path) -> Imported:
        """Stores a recording's samples with their own commit times: all that are new, or nothing."""

    def export(self, path: Path, header: Header) -> int:
        """Writes everything as a recording; returns the number of samples."""

    def close(self) -> None:
        """Puts everything in its final place on disk."""
