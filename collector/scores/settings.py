"""What scores are made of: weights, scales and limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Codes = NDArray[np.intp]
Kind = Literal["robot", "site", "customer"]
KINDS: Final[tuple[Kind, ...]] = ("robot", "site", "customer")
PULSE: Final = "pulse"
CAP: Final = "cap"
HEARD_SECONDS: Final = "heard_seconds"
VISITORS: Final = "engagement.visitors"
INTERACTIONS: Final = "engagement.interactions"


@dataclass(frozen=True, slots=True)
class Scale:
    """From what is worst (0) to what is best (1).

    Min-max normalisation between goalposts (OECD and JRC, 2008, step 5): (x - worst) / (best - worst).
    """

    worst: float
    best: float

    def of(self, values: Floats) -> Floats:
        """Where the values stand on it; NaN stays NaN."""
        return np.clip((values - self.worst) / (self.best - self.worst), 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """How a robot is held against its peers: on a scale of robust z, with enough of them, and of visitors."""

    scale: Scale
    min_peers: int
    min_visitors: float


@dataclass(frozen=True, slots=True)
class Function:
    """A subsystem's failures as a share of attempts; known where there were enough, and `only_if` rose."""

    failures: tuple[str, ...]
    attempts: str
    only_if: str | None
    min_attempts: float
    scale: Scale


@dataclass(frozen=True, slots=True)
class Trend:
    """This week against the mean of `weeks` before it, of which at least `min_weeks` are known."""

    scale: Scale
    weeks: int
    min_weeks: int
    min_interactions: float  # a day, in the weeks before


@dataclass(frozen=True, slots=True)
class Caps:
    """What a score is at most after a hard failure."""

    critical_alert: int
    silent: int
    silent_days: int
    share_of_robots: float


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. `weights` has every component, in the order in which they are shown."""

    weights: Mapping[str, float]
    minimum_coverage: float
    availability: Scale
    peers: PeerSettings
    functions: Mapping[str, Function]
    trend: Trend
    alerts: Mapping[str, float]
    stale_after_days: int
    caps: Caps

    def weights_of(self, kind: Kind) -> Mapping[str, float]:
        """The components that a robot, site or customer can have, with their weights."""
        return {name: weight for name, weight in self.weights.items() if name != PULSE or kind == "customer"}

    @property
    def metrics(self) -> tuple[str, ...]:
        """The counters that scores are reckoned from."""
        found = [VISITORS, INTERACTIONS]
        for function in self.functions.values():
            found += [*function.failures, function.attempts, *filter(None, [function.only_if])]
        return tuple(name for name in dict.fromkeys(found) if name != HEARD_SECONDS)
