"""Robots with bad clocks in a world whose true time is known: what event times are measured against.

A robot lives through boots, with its clocks as they show; it holds its samples and sends them in messages
during the last boot, each some time under way. What the clocks do wrong in a boot is its `Clock`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from hypothesis import strategies as st

from agent import wire
from agent.boots import Boots
from agent.clock import PLAUSIBLE_SINCE_MS, Reading

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
EARLIEST = 1_790_000_000_000
HONEST_MS = 500  # a synchronized clock is right but for this


@dataclass(frozen=True, slots=True)
class Phase:
    """From `since` (ms after boot) on the wall clock is off by `offset`; None: at boot it was 1970."""

    since: int
    offset: int | None
    synced: bool

    @property
    def knows(self) -> bool:
        """Whether it is synchronized, and rightly so."""
        return self.synced and self.offset is not None and abs(self.offset) <= HONEST_MS

    @property
    def lies(self) -> bool:
        """Whether it claims to be synchronized, and is wrong by much."""
        return self.synced and self.offset is not None and abs(self.offset) > HONEST_MS


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of a robot: when it really began, how long it lasted, and what its wall clock showed."""

    name: str
    began: int
    lasted: int
    phases: tuple[Phase, ...]

    def reading(self, up: int) -> Reading:
        """All clocks, so long after boot."""
        phase = [phase for phase in self.phases if phase.since <= up][-1]
        wall = up if phase.offset is None else self.began + up + phase.offset
        return Reading(wall=wall, up=up, boot=self.name, synced=phase.synced)


@dataclass(frozen=True, slots=True)
class Taken:
    """A sample, when it was really taken, and in which boot."""

    sample: wire.Sample
    true_at: int
    boot: Boot


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it arrived, and how long it was under way."""

    message: wire.Samples
    taken: tuple[Taken, ...]
    received_at: int
    transit: int


@dataclass(frozen=True, slots=True)
class World:
    """A robot's life. The boots are in order; the last one sends everything, in batches."""

    boots: tuple[Boot, ...]
    interval: int
    batch: int
    transits: tuple[int, ...]

    @classmethod
    def of(cls, boots: list[Boot], interval: int, batch: int, transits: list[int]) -> Self:
        """A world of these boots."""
        return cls(tuple(boots), interval, batch, tuple(transits))

    def samples(self) -> list[Taken]:
        """All samples the robot took, in order."""
        return [
            Taken(_sample(boot.reading(up)), boot.began + up, boot)
            for boot in self.boots
            for up in range(SECOND, boot.lasted, self.interval)
        ]

    def deliveries(self) -> Iterator[Delivery]:
        """The messages that the last boot sends at its end, a second apart."""
        taken = self.samples()
        sender = self.boots[-1]
        walk = Boots(lambda seq: (seq, taken[seq - 1].sample) if seq <= len(taken) else None)
        for number, begin in enumerate(range(0, len(taken), self.batch)):
            part = tuple(taken[begin : begin + self.batch])
            up = sender.lasted + number * SECOND
            transit = self.transits[number % len(self.transits)]
            message = wire.Samples(
                epoch="e",
                first=1,
                seq=begin + 1,
                sent=sender.reading(up).sent(),
                samples=[one.sample for one in part],
                ends=walk.ends(begin + 1, len(part), len(taken) + 1, sender.name),
            )
            yield Delivery(message, part, sender.began + up + transit, transit)

    def relatable(self) -> frozenset[str]:
        """The boots whose samples can be placed: the sender's, and those whose clock once knew the time."""
        knew = {taken.boot.name for taken in self.samples() if taken.sample.synced}
        lied = {boot.name for boot in self.boots if any(phase.lies for phase in boot.phases)}
        return frozenset(knew - lied | {self.boots[-1].name})


def _sample(clocks: Reading) -> wire.Sample:
    sent = clocks.sent()
    return wire.Sample(t=sent.t, up=sent.up, boot=sent.boot, synced=clocks.trusted, c={}, g={})


_OFFSETS = [DAY, -DAY, 400 * DAY, -10 * DAY, 8 * HOUR, -5 * HOUR, HOUR, -HOUR, 5 * HOUR + 30 * MINUTE]
_off = st.sampled_from(_OFFSETS)  # by days, and by other zones
_knows = st.builds(Phase, st.just(0), st.integers(-HONEST_MS, HONEST_MS), st.just(True))
_dead_battery = st.builds(Phase, st.just(0), st.none(), st.booleans())
_wrong = st.builds(Phase, st.just(0), _off, st.just(False))
_lies = st.builds(Phase, st.just(0), _off, st.just(True))
_out_of_sync = st.just(Phase(0, 0, synced=False))  # no time server for hours
_never = st.lists(_dead_battery | _wrong, min_size=1, max_size=3)
_learns = st.tuples(_never, _knows).map(lambda parts: [*parts[0], parts[1]])
_forgets = st.tuples(_knows, _out_of_sync).map(list)
_honest = _never | _learns | _forgets | st.lists(_knows, min_size=1, max_size=1)
_any = st.lists(_dead_battery | _wrong | _knows | _lies, min_size=1, max_size=4)
Parts = tuple[str, int, int, list[Phase]]


def _boots(
    earlier: st.SearchStrategy[list[Phase]], sender: st.SearchStrategy[list[Phase]]
) -> st.SearchStrategy[list[Boot]]:
    return st.integers(0, 4).flatmap(
        lambda n: st.tuples(*[_boot(f"b{i}", earlier) for i in range(n)], _boot("sender", sender)).map(
            _one_after_another
        )
    )


def _boot(name: str, phases: st.SearchStrategy[list[Phase]]) -> st.SearchStrategy[Parts]:
    off_before = st.sampled_from([5 * SECOND, MINUTE, 10 * HOUR, 3 * DAY])
    return st.tuples(st.just(name), off_before, st.integers(2 * SECOND, HOUR), phases)


def _one_after_another(parts: tuple[Parts, ...]) -> list[Boot]:
    boots, now = [], EARLIEST
    for name, off_before, lasted, phases in parts:
        began = now + off_before
        moved = [
            Phase(lasted * i // len(phases), phase.offset, phase.synced) for i, phase in enumerate(phases)
        ]
        boots.append(Boot(name, began, lasted, tuple(moved)))
        now = began + lasted
    return boots


def _worlds(boots: st.SearchStrategy[list[Boot]], slowest: int) -> st.SearchStrategy[World]:
    transits = st.lists(st.sampled_from([0, 20, SECOND, 50 * SECOND, slowest]), min_size=1, max_size=5)
    intervals = st.sampled_from([30 * SECOND, MINUTE, 10 * MINUTE])
    return st.builds(World.of, boots, intervals, st.integers(1, 50), transits)


HONEST = _worlds(_boots(_honest, _honest), 25 * MINUTE)
LYING_SENDER = _worlds(_boots(_honest, _any), 25 * MINUTE)
LIARS = _worlds(_boots(_any, _any), 12 * HOUR)
assert EARLIEST > PLAUSIBLE_SINCE_MS
