"""What the oracle is given, and what it says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Attributes = Mapping[str, str | float]
Robots = Mapping[str, Attributes]  # by id, in the order of their rows


@dataclass(frozen=True)
class Sample:
    """One sample of one robot; a metric it lacks is not in `values`."""

    robot: str
    epoch: str
    seq: int
    t: int
    committed_at: int
    values: Mapping[str, float]

    @property
    def when(self) -> int:
        """Its event time: a robot's clock that is fast does not make it of the future."""
        return min(self.t, self.committed_at)


@dataclass(frozen=True)
class Said:
    """An event, without its evidence."""

    at: int
    group: str
    rule: str
    kind: str
    entity: str
    before: str
    after: str
    since: int
    value: float | None


@dataclass(frozen=True)
class Measured:
    """A number, None where it is not known, and whether its whole window is known."""

    value: float | None
    covered: bool = True


def added(values: Iterable[float]) -> float:
    """The plain sum, one after the other: `sum` of newer Pythons carries what rounding loses."""
    total = 0.0
    for value in values:
        total += value
    return total
