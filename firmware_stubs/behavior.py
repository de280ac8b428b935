"""What a firmware module does as time passes: which events happen, and what its gauges say.

A module is a table of sources. They are drawn in order, so that a part can be a share of what came before
it: of the people who pass, some are recruited, and of those, some wake the robot. A fault changes the rate
or the share of the sources that name it. Randomness comes in as an argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

Form = Literal["statsd", "json"]
Faults = frozenset[str]


@dataclass(frozen=True, slots=True)
class Flow:
    """Events that come by themselves, `per_minute` on average."""

    counter: str
    per_minute: float
    under: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """The `share` of another counter's events that end so; those in `besides` ended otherwise before."""

    counter: str
    of: str
    share: float
    under: Mapping[str, float] = field(default_factory=dict)
    besides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Amount:
    """What each of another counter's events brings along, `mean` on average."""

    counter: str
    of: str
    mean: float
    under: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Level:
    """A gauge around `middle`."""

    gauge: str
    middle: float
    spread: float
    under: Mapping[str, float] = field(default_factory=dict)


Source = Flow | Part | Amount


@dataclass(frozen=True, slots=True)
class Module:
    """One firmware module: what it counts, what it measures, and the form in which it pushes."""

    name: str
    form: Form
    counts: tuple[Source, ...]
    levels: tuple[Level, ...] = ()

    def affected_by(self, fault: str) -> tuple[str, ...]:
        """Its counters and gauges that a fault changes directly."""
        counters = tuple(source.counter for source in self.counts if fault in source.under)
        return counters + tuple(level.gauge for level in self.levels if fault in level.under)

    @property
    def faults(self) -> tuple[str, ...]:
        """The kinds of faults it can have, in the order of its table."""
        kinds = (kind for source in (*self.counts, *self.levels) for kind in source.under)
        return tuple(dict.fromkeys(kinds))


@dataclass(frozen=True, slots=True)
class Work:
    """What a module did in a while: the increase of each counter, and its gauges now."""

    counts: Mapping[str, int]
    gauges: Mapping[str, float]


def work(module: Module, seconds: float, faults: Faults, random: Random, *, rate: float = 1.0) -> Work:
    """What `module` does in `seconds`, everything coming `rate` times as often as usual."""
    counts: dict[str, int] = {}
    for source in module.counts:
        counts[source.counter] = _draw(source, counts, seconds * rate / 60, faults, random)
    return Work(counts, {level.gauge: _read(level, faults, random) for level in module.levels})


def poisson(mean: float, random: Random) -> int:
    """A Poisson number: arrivals in a unit of time, their gaps drawn one by one; O(mean)."""
    count, elapsed = 0, random.expovariate(1.0)
    while elapsed < mean:
        count += 1
        elapsed += random.expovariate(1.0)
    return count


def _draw(source: Source, counts: Mapping[str, int], minutes: float, faults: Faults, random: Random) -> int:
    match source:
        case Flow(per_minute=usual):
            return poisson(_effective(usual, source.under, faults) * minutes, random)
        case Amount(of=of, mean=usual):
            return poisson(_effective(usual, source.under, faults) * counts[of], random)
        case Part(of=of, share=usual):
            share = _effective(usual, source.under, faults)
            left = counts[of] - sum(counts[other] for other in source.besides)
            return sum(random.random() < share for _ in range(left))


def _read(level: Level, faults: Faults, random: Random) -> float:
    return round(random.gauss(_effective(level.middle, level.under, faults), level.spread), 1)


def _effective(usual: float, under: Mapping[str, float], faults: Faults) -> float:
    return next((value for fault, value in under.items() if fault in faults), usual)
