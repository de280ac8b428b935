"""What scores are reckoned from, and robots, sites or customers with what was measured of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from collector.scores.components import Measure
from collector.scores.figures import Figures
from collector.scores.score import CapReason
from collector.scores.settings import Codes, Floats, Integers, Kind
from rules.roster import Robot

Use = Mapping[str, tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that was open at the end of the day, and is not suppressed."""

    kind: str
    entity: str
    severity: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the CSM thinks of a customer, from 1 to 5, and how many days before the end of the day."""

    value: int
    days_ago: float


@dataclass(frozen=True, slots=True)
class Day:
    """All that the scores of one day are reckoned from; `at` is its column in the figures.

    `use` has sums of counters by name, this week's and last week's, [robot]. Customers without robots may be
    among `customers`. Those that are `waiting`, (kind, entity), have no score of the day yet; robots
    among them are peers, as they were the day before.
    """

    day: str
    at: int
    robots: Sequence[Robot]
    figures: Figures
    alerts: Sequence[OpenAlert] = ()
    pulses: Mapping[str, Pulse] = field(default_factory=dict)
    use: Use = field(default_factory=dict)
    customers: Sequence[str] = ()
    waiting: frozenset[tuple[Kind, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Table:
    """Entities of one kind, in columns: components, of which share of robots each is known [entity,
    component], how many robots have a hard failure, and how many there are.
    """

    kind: Kind
    entities: Sequence[str]
    measures: Mapping[str, Measure]
    shares: Floats
    failing: Mapping[CapReason, Integers]
    robots: Integers
    use: Use
    industries: Sequence[str | None]
    silent: Integers
    usual: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by industry


def attribute(robot: Robot, name: str) -> str:
    """An attribute as text; empty where it is not given."""
    return str(robot.attributes.get(name) or "")


def codes(keys: Sequence[object]) -> tuple[Codes, list[object]]:
    """A number for each different key, in order of appearance, and these keys; -1 for what is empty."""
    numbers: dict[object, int] = {}
    found = [numbers.setdefault(key, len(numbers)) if key else -1 for key in keys]
    return np.array(found, dtype=np.intp), list(numbers)
