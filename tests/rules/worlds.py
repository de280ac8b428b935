"""Random worlds for the engine and the oracle: rules, rosters, streams, and when the collector listened.

Numbers are small and of a kind that adds up without rounding (quarters), so that values can be compared
exactly; gauges are tenths, whose sums depend on the order in which the rules say they are added.

A world is made of random bytes, in which zero stands for what is plainest, and a sample is a string of its
own: so a world that shows a fault can be made simpler, byte by byte and sample by sample, as long as it does.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from rules.roster import Robot, Roster
from rules.rule import RuleSet
from tests.rules.dice import HOUR, MINUTE, SECOND, Dice, Scale, clock, scale
from tests.rules.oracle import Robots, Sample
from tests.rules.oracle.calendar import zone
from tests.rules.random_rules import rule_set

COUNTERS = ("a.x", "a.y", "b.z")
ALWAYS = -(2**60)
MOST_ROBOTS = 6


@dataclass(frozen=True)
class World:
    """Everything an engine is given."""

    rules: RuleSet
    rosters: tuple[tuple[int, Robots], ...]  # each for what is due after its time
    samples: tuple[Sample, ...]  # in the order of their commit
    listening: tuple[tuple[int, int], ...]
    delay: int
    start: int  # the evaluations are after this
    end: int
    restored: bool  # the engine begins with a snapshot of `start`, else with the first thing it hears

    def roster(self, number: int) -> Roster:
        """As the engine takes it."""
        return Roster(Robot(id_, dict(attributes)) for id_, attributes in self.rosters[number][1].items())


# Rosters


def robot(dice: Dice, span: Scale) -> dict[str, str | float]:
    """What is known of a robot."""
    found: dict[str, str | float] = {
        **dice.attribute("site", *["hall"] * 4, *["bank"] * 2),
        **dice.attribute("customer", *["acme"] * 4, "zoo"),
        **dice.attribute("industry", *["ktv"] * 4, "bank"),
        **dice.attribute("scene", *["tour"] * 4, "bar"),
        **dice.attribute("tz", "Europe/Berlin", "Asia/Shanghai", "America/New_York", "Nowhere/Land"),
        **dice.attribute("lifecycle", *["live"] * 8, "retired"),
        **dice.attribute("installed_on", "2026-03-28", "2026-03-20", "soon"),
        **dice.attribute("floor", 1.0, 3.0),
        **dice.attribute("holidays", "2026-03-29", "2026-03-28, 2026-03-30"),
    }
    return {**found, **hours(dice, span, zone(found))}


def hours(dice: Dice, span: Scale, tz: tzinfo) -> dict[str, str]:
    """Opening hours of a robot."""
    begin, end = (clock(dice, span, tz) for _ in range(2))
    fit = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    return dice.attribute(
        "open_hours",
        fit,
        f"sa,su {fit}; we 12:00-13:00",
        fit,
        f"su-we {fit}",
        "mo-fr 09:00-18:00; sa,su 10:00-16:00",
        "mo-su 00:00-12:00,22:00-02:00",
        "24/7",
        "whenever",
    )


def rosters(dice: Dice, span: Scale) -> tuple[tuple[int, Robots], ...]:
    """A roster, and perhaps one that has grown, with a robot that changed."""
    first = {f"r{number}": robot(dice, span) for number in range(dice.pick((2, 4, 1, 3, 4)))}
    if dice.often(True, True, True, False):
        return ((ALWAYS, first),)
    then = dict(first)
    if dice.pick((False, True)):
        changed = {
            **dice.attribute("lifecycle", "live", "retired"),
            **dice.attribute("floor", 3.0),
            **dice.attribute("site", "bank", "hall"),
            **dice.attribute("customer", "zoo"),
        }
        then["r0"] = {**first["r0"], **changed}
    then |= {f"n{number}": robot(dice, span) for number in range(dice.pick((1, 0, 2)))}
    since = span.start + dice.pick(range(1, 10)) * span.run * span.unit // 10
    return ((ALWAYS, first), (since, then))


# Streams

# What the bytes of a sample mean: time since the one before (in paces), how late it came (in units; -1: taken
# by a clock that is ahead), what happens, how counters rise, the gauges, whether it comes again.
_GAPS = (*[1] * 8, *[0.5] * 4, 0.1, *[2] * 4, 8, 0)
_LATE = (*[0] * 10, 1, 1, 2, 2, 5, 5, 30, 90, 300, -1, -1)
_HAPPENS = (*[""] * 14, "epoch", "lacking")
_RISE = (0, 1, 0, 3, 0.25, 0, 2)
_LEVELS: tuple[dict[str, float], ...] = (
    {},
    {"a.g": 0.1},
    {"a.g": 0.2},
    {"a.g": 0.3, "a.up": 1.0},
    {"a.up": 1.0},
    {"a.up": 0.0},
)
_EARLY_PACES = {  # units; as long as is needed, but not so long that it takes an engine long to begin
    SECOND: (10, 100, 3, 30, 3600),
    MINUTE: (180, 17 * 60, 10, 60, 60 * 60),
    HOUR: (17, 60, 3, 10, 5 * 24),
}
_AGAIN = (*[None] * 16, 7, 100)


@dataclass
class Stream:
    """A robot that samples: its clock, its counters, its epoch."""

    robot: str
    span: Scale
    pace: float  # units
    place: float  # units after the begin
    known: set[str]
    epoch: int = 0
    seq: int = 0

    def __post_init__(self) -> None:
        self._counts = dict.fromkeys(COUNTERS, 0.0)
        self._gone: set[str] = set()  # for the rest of the epoch

    def samples(self, drawn: bytes) -> list[Sample]:
        """The next sample, and perhaps the same once more."""
        dice = Dice(drawn)
        gap, late, happens = dice.pick(_GAPS), dice.pick(_LATE), dice.pick(_HAPPENS)
        least = 0.2 if happens == "epoch" else 0.1 if gap else 0  # two epochs are never of one time
        self.place += max(gap * self.pace, least)
        self.seq += 1
        self._count(happens, [dice.pick(_RISE) for _ in COUNTERS])
        unit = self.span.unit
        when = self.span.begin + round(self.place * 10) * unit // 10
        t, committed = (when + 5 * unit, when) if late < 0 else (when, when + late * unit)
        values = {counter: self._counts[counter] for counter in self.known - self._gone}
        values |= dice.pick(_LEVELS)
        made = Sample(self.robot, f"{self.robot}-{self.epoch}", self.seq, t, committed, values)
        again = dice.pick(_AGAIN)
        if again is None or late < 0:
            return [made]
        return [made, replace(made, committed_at=committed + again * unit)]

    def _count(self, happens: str, rises: Sequence[float]) -> None:
        if happens == "epoch":
            self.epoch += 1
            self._counts = dict.fromkeys(COUNTERS, 0.0)
            self._gone = set()
        if happens == "lacking":
            self._gone = set(COUNTERS[:2])
        for counter, rise in zip(COUNTERS, rises, strict=True):
            self._counts[counter] += rise
            self.known |= {counter} if rise else set()


def stream(dice: Dice, span: Scale, robot_id: str, drawn: Sequence[bytes]) -> list[Sample]:
    """A robot's samples: late, missing, partial and repeated ones; a few of long before come first.

    Where everything begins with the evaluations, what was taken before comes late.
    """
    early = min(dice.pick((2, 0, 6, 12, 20)), len(drawn) * 2 // 3)
    early_pace = dice.pick(_EARLY_PACES[span.unit])
    pace = dice.pick((1, 0.8, 0.5, 1.5)) * span.run / max(len(drawn) - early, 1)
    begin = span.history + dice.pick((-4, -1, -8, 4)) * pace
    known = set(dice.pick((COUNTERS, COUNTERS, COUNTERS, COUNTERS[:1])))
    found = Stream(robot_id, span, early_pace, begin - early * early_pace, known)
    before = [sample for chunk in drawn[:early] for sample in found.samples(chunk)]
    samples = [sample for sample in before if sample.when < span.begin + round(begin * 10) * span.unit // 10]
    found.place, found.pace = begin, pace
    samples += [sample for chunk in drawn[early:] for sample in found.samples(chunk)]
    samples = [sample for sample in samples if sample.when <= span.end]
    return samples if span.history else [_come_after(span.begin, sample) for sample in samples]


def _come_after(begin: int, sample: Sample) -> Sample:
    return replace(sample, t=sample.when, committed_at=max(begin + 1, sample.committed_at))


# Worlds


def pauses(dice: Dice, span: Scale) -> tuple[tuple[int, int], ...]:
    """When the collector listened."""
    since, until = dice.pick(((0, 0), (0, 0), (3, 4), (8, 9), (10, 18), (15, 16), (0, 20)))
    twentieth = (span.end - span.begin) // 20
    return ((span.begin, span.begin + since * twentieth), (span.begin + until * twentieth, span.over))


def world(drawn: bytes, streams: Sequence[Sequence[bytes]]) -> World:
    """Made of what was drawn."""
    dice = Dice(drawn)
    span = scale(dice)
    fleets = rosters(dice, span)
    since, then = fleets[-1]
    samples = [
        sample
        for number, robot_id in enumerate(then)
        for sample in stream(dice, span, robot_id, streams[number])
        if robot_id in fleets[0][1] or sample.committed_at > since
    ]
    return World(
        listening=pauses(dice, span),
        delay=dice.pick((0, 0, span.unit // 2, 3 * span.unit)),
        rules=rule_set(dice, span),
        rosters=fleets,
        samples=tuple(sorted(samples, key=lambda sample: sample.committed_at)),
        start=span.start,
        end=span.over,
        restored=span.history > 0,
    )


@dataclass(frozen=True)
class Drawn:
    """What a case is made of: bytes of the world, of each robot's samples, and of what is done with it."""

    head: bytes
    streams: tuple[tuple[bytes, ...], ...]
    deed: bytes

    @classmethod
    def at_random(cls, chance: random.Random) -> "Drawn":
        """Any."""
        lengths = [chance.choice((16, 25, 40)) for _ in range(MOST_ROBOTS)]
        streams = tuple(tuple(chance.randbytes(8) for _ in range(length)) for length in lengths)
        return cls(chance.randbytes(400), streams, chance.randbytes(2))

    def world(self) -> World:
        """The world."""
        return world(self.head, self.streams)

    def simpler(self) -> Iterator["Drawn"]:
        """With some bytes at zero, or without some samples; what saves most comes first."""
        if self.head.endswith(b"\0"):
            yield replace(self, head=self.head.rstrip(b"\0"))
        for head in _zeroed(self.head):
            yield replace(self, head=head)
        for number, samples in enumerate(self.streams):
            for fewer in _fewer(samples):
                yield replace(self, streams=(*self.streams[:number], fewer, *self.streams[number + 1 :]))


def _zeroed(drawn: bytes) -> Iterator[bytes]:
    for size in (64, 16, 4, 1):
        for start in range(0, len(drawn), size):
            if any(drawn[start : start + size]):
                yield drawn[:start] + bytes(len(drawn[start : start + size])) + drawn[start + size :]


def _fewer(samples: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
    for size in (40, 8, 2, 1):
        for start in range(0, len(samples), size):
            yield samples[:start] + samples[start + size :]
    for place, chunk in enumerate(samples):
        for simple in _zeroed(chunk):
            yield (*samples[:place], simple, *samples[place + 1 :])
