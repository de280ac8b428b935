"""What becomes of a message from a robot: samples to store, duplicates, refusals, losses.

The promise is that a sample is stored exactly once, or declared lost. Of each (robot, epoch) the intake
therefore knows which numbers are settled: every one up to `until`, and a few above it that came early.

    settled:   1 … until │ until+1 missing … │ above: live samples that overtook the backlog
                         └ comes later, or is declared lost once the agent says `first` is beyond it

A number is settled when its sample is handed out to be stored, when the agent gave it up, or when it was
refused for good. What is settled is a duplicate from then on. Whoever calls must store what is handed out
before anybody is told; if the process dies in between, the store's watermarks tell the next one, and the
agent sends it again.

Message after message is settled by `hello` and `samples`; the samples themselves gather in a tray, and
`collect` hands out a round of them at once, in columns.

Within an epoch no counter decreases. A sample is held against its nearest known neighbours: a counter below
an earlier one, or above a later one, is a fault of the agent, and the sample is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from agent.catalogue import Catalogue
from agent.wire import Hello, Samples
from collector.event_time import event_times
from collector.heights import Found, Heights
from collector.known import Known
from collector.stores import MAX_ABOVE, Loss, Rows, StoredSample, Watermark
from collector.tray import Tray

RefusalReason = Literal["decrease", "too_far_ahead", "too_many_epochs"]
MAX_EPOCHS: Final = 1_000  # of one robot: an agent begins one a spool, so a few in its life
_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A sample that is not taken: `decrease` is final, the others may come again later."""

    robot: str
    epoch: str
    seq: int
    reason: RefusalReason
    detail: str


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """What a message brought; its samples are in the tray until `collect`."""

    robot: str
    epoch: str
    stored_until: int  # every sample up to there is settled
    missing: int  # so many the robot is known to have, and we do not
    fresh: int = 0  # samples that are new
    duplicates: int = 0
    refusals: tuple[Refusal, ...] = ()  # for now: they are not settled
    losses: tuple[Loss, ...] = ()  # declared by the agent

    @property
    def lost(self) -> int:
        """How many samples the agent declared lost."""
        return sum(loss.count for loss in self.losses)


@dataclass(frozen=True, slots=True)
class Collected:
    """The samples of a round, and what is wrong with some."""

    rows: Rows
    refusals: Sequence[Refusal] = ()  # not among the rows; settled
    losses: Sequence[Loss] = ()  # what the refusals mean
    watermarks: Mapping[tuple[str, str], Watermark] = field(default_factory=dict)  # those that have moved
    unknown: Mapping[str, int] = field(default_factory=dict)  # values of metrics that no catalogue knows


class Intake:
    """Tells new samples from old ones."""

    def __init__(
        self,
        catalogue: Catalogue,
        watermarks: Mapping[tuple[str, str], Watermark] | None = None,
        newest: Iterable[StoredSample] = (),
    ) -> None:
        self.known = Known(catalogue)
        self._tray = Tray(self.known)
        self._heights = Heights(self.known.counters)
        self._epochs: dict[tuple[str, str], _Epoch] = {}
        self._epochs_of: dict[str, int] = {}
        self._moved: dict[tuple[str, str], _Epoch] = {}  # since the last `collect`
        for (robot, epoch), watermark in (watermarks or {}).items():
            self._begin(robot, epoch, watermark)
        for sample in newest:
            if (known := self._epochs.get((sample.robot, sample.epoch))) is not None:
                self._heights.remember(known.place, sample.seq, sample.counters)

    def watermark(self, robot: str, epoch: str) -> Watermark:
        """Which numbers of an epoch are settled."""
        known = self._epochs.get((robot, epoch))
        return known.watermark if known else Watermark()

    def stored_until(self, robot: str, epoch: str) -> int:
        """The number up to which every sample of an epoch is settled."""
        known = self._epochs.get((robot, epoch))
        return known.until if known else 0

    def hello(self, robot: str, message: Hello, at: int) -> Accepted:
        """What a hello says of the samples that the agent no longer holds."""
        key = robot, message.epoch
        known = self._epoch(key)
        if known is None:
            return _too_many_epochs(robot, message.epoch, message.first)
        losses = _step_over(known, robot, message.epoch, message.first, at)
        if losses:
            self._moved[key] = known
        known.next = max(known.next, message.next)
        return Accepted(robot, message.epoch, known.until, known.missing, losses=losses)

    def samples(self, robot: str, message: Samples, received_at: int) -> Accepted:
        """Settles what a message of samples brings. `received_at` is when it arrived."""
        key = robot, message.epoch
        epoch = self._epoch(key)
        if epoch is None:
            return _too_many_epochs(robot, message.epoch, message.seq)
        losses = _step_over(epoch, robot, message.epoch, message.first, received_at)
        new, too_far = epoch.claim(message.seq, len(message.samples))
        if new:
            self._lay_out(robot, message, epoch.place, new, received_at)
        if new or losses:
            self._moved[key] = epoch
        refusals = tuple([_too_far_ahead(key, epoch, seq) for seq in too_far])
        duplicates = len(message.samples) - len(new) - len(refusals)
        return Accepted(
            robot, message.epoch, epoch.until, epoch.missing, len(new), duplicates, refusals, losses
        )

    def _lay_out(
        self, robot: str, message: Samples, place: int, new: Sequence[int], received_at: int
    ) -> None:
        """Puts the new ones of a message's samples into the tray."""
        times = event_times(message, received_at)
        for seq in new:
            at = seq - message.seq
            self._tray.add(robot, message.epoch, place, seq, message.samples[at], times[at], received_at)

    def collect(self, at: int) -> Collected:
        """The samples taken since the last time, in the order in which they came."""
        taken = self._tray.empty()
        watermarks = {key: epoch.watermark for key, epoch in self._moved.items()}
        self._moved.clear()
        found = self._heights.take(taken.places, taken.rows.seq, taken.counters)
        if not found:
            return Collected(taken.rows, watermarks=watermarks, unknown=taken.unknown)
        refusals = [_decreased(taken.rows, wrong) for wrong in found]
        losses = [Loss(r.robot, r.epoch, r.seq, r.seq, 1, "refused", at) for r in refusals]
        rows = taken.without([wrong.row for wrong in found])
        return Collected(rows, refusals, losses, watermarks, taken.unknown)

    def _epoch(self, key: tuple[str, str]) -> "_Epoch | None":
        """The epoch, a new one if need be; None: of this robot there are too many."""
        known = self._epochs.get(key)
        if known is None and self._epochs_of.get(key[0], 0) < MAX_EPOCHS:
            known = self._begin(*key, Watermark())
        return known

    def _begin(self, robot: str, epoch: str, watermark: Watermark) -> "_Epoch":
        self._epochs_of[robot] = self._epochs_of.get(robot, 0) + 1
        begun = self._epochs[robot, epoch] = _Epoch(self._heights.new_place(), watermark)
        return begun


class _Epoch:
    """The settled numbers of one epoch, and its place among the heights."""

    __slots__ = ("_above", "next", "place", "until")

    def __init__(self, place: int, watermark: Watermark) -> None:
        self.place = place
        self.until = watermark.until
        self.next = watermark.highest + 1  # the number after the highest that the agent is known to have
        self._above: set[int] | None = set(watermark.above) or None  # few epochs have any

    def __contains__(self, seq: int) -> bool:
        return seq <= self.until or (self._above is not None and seq in self._above)

    @property
    def above(self) -> "frozenset[int] | set[int]":
        return self._above or _NONE

    @property
    def watermark(self) -> Watermark:
        return Watermark(self.until, frozenset(self._above) if self._above else _NONE)

    @property
    def missing(self) -> int:
        above = 0 if self._above is None else len(self._above)
        return max(0, self.next - 1 - self.until - above)

    def claim(self, seq: int, count: int) -> tuple[Sequence[int], Sequence[int]]:
        """Settles `count` numbers from `seq` on; answers those that are new, and those too far ahead."""
        if seq == self.until + 1 and self._above is None:  # nearly all messages
            self.until += count
            self.next = max(self.next, self.until + 1)
            return range(seq, seq + count), ()
        new: list[int] = []
        too_far: list[int] = []
        for number in range(seq, seq + count):
            if self._is_too_far(number):
                too_far.append(number)
            elif number not in self:
                self._settle(number)
                new.append(number)
        return new, too_far

    def _is_too_far(self, seq: int) -> bool:
        if self._above is None or len(self._above) < MAX_ABOVE:
            return False
        return seq > self.until + 1 and seq not in self._above

    def _settle(self, seq: int) -> None:
        self.next = max(self.next, seq + 1)
        if seq != self.until + 1:
            self._above = self._above or set()
            self._above.add(seq)
            return
        self.until = seq
        if self._above is not None:
            self._close_up()

    def advance_to(self, until: int) -> int:
        """Settles everything up to `until`; returns how many numbers were not settled before."""
        early = {seq for seq in self.above if seq <= until}
        missing = until - self.until - len(early)
        self.until = until
        self.next = max(self.next, until + 1)
        if self._above is not None:
            self._above -= early
            self._close_up()
        return missing

    def _close_up(self) -> None:
        above = self._above or set()
        while self.until + 1 in above:
            self.until += 1
            above.remove(self.until)
        self._above = above or None


def _too_many_epochs(robot: str, epoch: str, seq: int) -> Accepted:
    detail = f"epoch {epoch!r} is one more than the {MAX_EPOCHS} that a robot may have"
    return Accepted(robot, epoch, 0, 0, refusals=(Refusal(robot, epoch, seq, "too_many_epochs", detail),))


def _too_far_ahead(key: tuple[str, str], epoch: _Epoch, seq: int) -> Refusal:
    detail = f"{len(epoch.above)} samples above the gap at {epoch.until + 1}"
    return Refusal(*key, seq, "too_far_ahead", detail)


def _step_over(epoch: _Epoch, robot: str, name: str, first: int, at: int) -> tuple[Loss, ...]:
    """Settles what lies below `first`: the agent has none of it any more."""
    if first <= epoch.until + 1:
        return ()
    begin = epoch.until + 1
    count = epoch.advance_to(first - 1)
    return (Loss(robot, name, begin, first - 1, count, "dropped", at),) if count else ()


def _decreased(rows: Rows, wrong: Found) -> Refusal:
    detail = (
        f"{wrong.counter} is {wrong.before} before {wrong.after} within one epoch "
        f"(samples {wrong.seq} and {wrong.other})"
    )
    return Refusal(rows.robot[wrong.row], rows.epoch[wrong.row], wrong.seq, "decrease", detail)
