"""The measures of all robots, from the history."""

from dataclasses import dataclass

import numpy as np

from rules.history import History
from rules.rule import Gauge, Increase, Leaf, Ratio, Silent
from rules.windows import Flags, Floats


@dataclass(frozen=True, slots=True)
class Measured:
    """A number a robot, NaN where it is not known; and where the whole window is known (None: everywhere)."""

    numbers: Floats
    covered: Flags | None = None


def measure(leaf: Leaf, history: History, interval_ms: int, at: int) -> Measured:
    """What a leaf compares: an increase, a fraction, a gauge, or seconds of silence."""
    if isinstance(leaf, Silent):
        return Measured(history.silence(leaf.source, at) / 1_000)
    match leaf.measure:
        case Increase(counters, over):
            return Measured(*history.increases(interval_ms, over, counters))
        case Ratio() as ratio:
            return _ratio(ratio, history, interval_ms)
        case Gauge() as gauge:
            return Measured(history.gauge(interval_ms, gauge, at))


def _ratio(ratio: Ratio, history: History, interval_ms: int) -> Measured:
    of, covered = history.increases(interval_ms, ratio.over_ms, ratio.of)
    to, also = history.increases(interval_ms, ratio.over_ms, ratio.to)
    enough = to >= ratio.min_samples
    return Measured(np.where(enough, of / np.where(enough, to, 1), np.nan), covered & also)
