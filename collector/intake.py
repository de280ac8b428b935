"""What becomes of a message from a robot: samples to store, duplicates, refusals, losses.

The promise is that a sample is stored exactly once, or declared lost. Of each (robot, epoch) the intake
therefore knows which numbers are settled: every one up to `until`, and a few above it that came early.

    settled:   1 … until │ until+1 missing … │ above: live samples that overtook the backlog
                         └ comes later, or is declared lost once the agent says `first` is beyond it

A number is settled when its sample is handed out to be stored, when the agent gave it up, or when it was
refused for good. What is settled is a duplicate from then on. Whoever calls must store what is handed out
before anybody is told; if the process dies in between, the store's watermarks tell the next one, and the
agent sends it again.

Within an epoch no counter decreases. A sample is held against its nearest known neighbours: a counter below
an earlier one, or above a later one, is a fault of the agent, and the sample is refused.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from agent.catalogue import Catalogue
from agent.wire import Hello, Sample, Samples
from collector.event_time import EventTime, event_times
from collector.stores import MAX_ABOVE, Loss, StoredSample, Watermark

RefusalReason = Literal["decrease", "too_far_ahead"]
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A sample that is not taken: `decrease` is final, `too_far_ahead` may come again later."""

    seq: int
    reason: RefusalReason
    detail: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a message brought."""

    robot: str
    epoch: str
    samples: tuple[StoredSample, ...] = ()
    duplicates: int = 0
    refusals: tuple[Refusal, ...] = ()
    losses: tuple[Loss, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)  # metrics that no catalogue knows

    @property
    def lost(self) -> int:
        """How many samples the agent declared lost."""
        return sum(loss.count for loss in self.losses if loss.reason == "dropped")


class Intake:
    """Tells new samples from old ones."""

    def __init__(
        self,
        catalogue: Catalogue,
        watermarks: Mapping[tuple[str, str], Watermark] | None = None,
        newest: Iterable[StoredSample] = (),
    ) -> None:
        self._counters = _by_subsystem(catalogue, catalogue.counters)
        self._gauges = _by_subsystem(catalogue, catalogue.gauges)
        self._epochs = {key: _Epoch(watermark) for key, watermark in (watermarks or {}).items()}
        for sample in newest:
            self._epoch(sample.robot, sample.epoch).remember(sample.seq, sample.counters)

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
        losses = self._step_over(robot, message.epoch, message.first, at)
        return Accepted(robot, message.epoch, losses=losses)

    def samples(self, robot: str, message: Samples, received_at: int) -> Accepted:
        """Takes a message of samples apart. `received_at` is when it arrived."""
        dropped = self._step_over(robot, message.epoch, message.first, received_at)
        epoch = self._epoch(robot, message.epoch)
        numbered = enumerate(
            zip(message.samples, event_times(message, received_at), strict=True), message.seq
        )
        fresh = [(seq, sample, time) for seq, (sample, time) in numbered if seq not in epoch]
        unknown: Counter[str] = Counter()
        taken: list[StoredSample] = []
        refusals: list[Refusal] = []
        for seq, sample, time in fresh:
            read = self._read(robot, message.epoch, seq, sample, time, received_at, unknown)
            refusal = epoch.take(seq, read.counters)
            if refusal is None:
                taken.append(read)
            else:
                refusals.append(refusal)
        return Accepted(
            robot,
            message.epoch,
            samples=tuple(taken),
            duplicates=len(message.samples) - len(fresh),
            refusals=tuple(refusals),
            losses=(*dropped, *_for_good(robot, message.epoch, refusals, received_at)),
            unknown=unknown,
        )

    def _read(
        self,
        robot: str,
        epoch: str,
        seq: int,
        sample: Sample,
        time: EventTime,
        received_at: int,
        unknown: Counter[str],
    ) -> StoredSample:
        return StoredSample(
            robot=robot,
            epoch=epoch,
            seq=seq,
            t=time.t,
            robot_t=sample.t,
            received_at=received_at,
            up=sample.up,
            boot=sample.boot,
            synced=sample.synced,
            corrected=time.corrected,
            counters=_flat(sample.c, self._counters, unknown),
            gauges=_flat(sample.g, self._gauges, unknown),
        )

    def _epoch(self, robot: str, epoch: str) -> "_Epoch":
        return self._epochs.setdefault((robot, epoch), _Epoch(Watermark()))

    def _step_over(self, robot: str, epoch: str, first: int, at: int) -> tuple[Loss, ...]:
        """Settles what lies below `first`: the agent has none of it any more."""
        if first <= self.stored_until(robot, epoch) + 1:
            return ()
        known = self._epoch(robot, epoch)
        begin = known.until + 1
        count = known.advance_to(first - 1)
        return (Loss(robot, epoch, begin, first - 1, count, "dropped", at),) if count else ()


class _Epoch:
    """The settled numbers of one epoch, and the counters that the next samples are held against."""

    __slots__ = ("_above", "_before", "_before_seq", "_highest", "_highest_seq", "until")

    def __init__(self, watermark: Watermark) -> None:
        self.until = watermark.until
        self._above = set(watermark.above)
        self._highest_seq = self._before_seq = 0
        self._highest: Mapping[str, int] = {}  # counters of the sample with the highest number
        self._before: Mapping[str, int] = {}  # counters of the sample taken last

    def __contains__(self, seq: int) -> bool:
        return seq <= self.until or seq in self._above

    @property
    def watermark(self) -> Watermark:
        return Watermark(self.until, frozenset(self._above))

    def take(self, seq: int, counters: Mapping[str, int]) -> Refusal | None:
        """Settles the number of a sample, and remembers its counters; or says why it is refused."""
        if seq > self.until + 1 and len(self._above) >= MAX_ABOVE:
            return Refusal(
                seq, "too_far_ahead", f"{len(self._above)} samples above the gap at {self.until + 1}"
            )
        refusal = self._decrease(seq, counters)
        if refusal is None:
            self.remember(seq, counters)
        self._above.add(seq)
        self._close_up()
        return refusal

    def advance_to(self, until: int) -> int:
        """Settles everything up to `until`; returns how many numbers were not settled before."""
        early = {seq for seq in self._above if seq <= until}
        missing = until - self.until - len(early)
        self._above -= early
        self.until = until
        self._close_up()
        return missing

    def remember(self, seq: int, counters: Mapping[str, int]) -> None:
        """Later samples are held against this one."""
        if seq >= self._highest_seq:
            self._highest_seq, self._highest = seq, counters
        self._before_seq, self._before = seq, counters

    def _decrease(self, seq: int, counters: Mapping[str, int]) -> Refusal | None:
        if seq > self._highest_seq:
            return _decrease(seq, self._highest_seq, self._highest, counters)
        later = _decrease(seq, self._highest_seq, counters, self._highest)
        if later is None and self._before_seq < seq:
            return _decrease(seq, self._before_seq, self._before, counters)
        return later

    def _close_up(self) -> None:
        while self.until + 1 in self._above:
            self.until += 1
            self._above.remove(self.until)


def _decrease(seq: int, other: int, lower: Mapping[str, int], upper: Mapping[str, int]) -> Refusal | None:
    """Refuses sample `seq` if a counter of the earlier sample is above that of the later one."""
    for name, value in lower.items():
        if upper.get(name, value) < value:
            detail = f"{name} is {value} before {upper[name]} within one epoch (samples {seq} and {other})"
            return Refusal(seq, "decrease", detail)
    return None


def _for_good(robot: str, epoch: str, refusals: Iterable[Refusal], at: int) -> tuple[Loss, ...]:
    final = (refusal.seq for refusal in refusals if refusal.reason == "decrease")
    return tuple(Loss(robot, epoch, seq, seq, 1, "refused", at) for seq in final)


def _by_subsystem(catalogue: Catalogue, names: Iterable[str]) -> dict[str, dict[str, str]]:
    known: dict[str, dict[str, str]] = {}
    for name in names:
        metric = catalogue[name]
        known.setdefault(metric.subsystem, {})[metric.short] = name
    return known


def _flat(
    values: Mapping[str, Mapping[str, _Number]],
    known: Mapping[str, Mapping[str, str]],
    unknown: Counter[str],
) -> dict[str, _Number]:
    """Values by full name, those in no catalogue left out and counted."""
    flat: dict[str, _Number] = {}
    for subsystem, metrics in values.items():
        names = known.get(subsystem, {})
        for short, value in metrics.items():
            name = names.get(short)
            if name is None:
                unknown[f"{subsystem}.{short}"] += 1
            else:
                flat[name] = value
    return flat
