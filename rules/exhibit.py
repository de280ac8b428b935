"""How the leaves of a condition are shown as evidence: what is the same each time, put together once."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rules.conditions import FALSE, TRUE, UNKNOWN
from rules.evaluation import Evidence
from rules.rule import AllOf, AnyOf, Compare, Condition, Leaf, Not, Silent, metrics_of, over_of

_HOLDS: dict[int, bool | None] = {FALSE: False, UNKNOWN: None, TRUE: True}


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A leaf, and whether the condition wants it to hold."""

    leaf: Leaf
    wanted: bool
    measure: str
    metrics: tuple[str, ...]
    comparison: str
    thresholds: tuple[float, ...]
    over_ms: int
    unit: str

    def evidence(self, number: float, truth: int) -> Evidence:
        """With what it was on one robot. A number too large to be one, as a mean of such is, is none."""
        value = number if math.isfinite(number) else None
        return Evidence(
            self.measure,
            self.metrics,
            value,
            self.comparison,
            self.thresholds,
            self.over_ms,
            self.unit,
            _HOLDS[truth],
        )


def exhibits(condition: Condition) -> list[Exhibit]:
    """All leaves: measures before silences, and what shall not hold last."""
    shown = [_exhibit(leaf, wanted) for leaf, wanted in _leaves(condition, True)]
    return sorted(shown, key=lambda exhibit: 2 * (not exhibit.wanted) + isinstance(exhibit.leaf, Silent))


def _exhibit(leaf: Leaf, wanted: bool) -> Exhibit:
    if isinstance(leaf, Silent):
        bounds = (leaf.over_ms / 1_000,)
        return Exhibit(leaf, wanted, str(leaf), leaf.metrics, "at least", bounds, leaf.over_ms, "s")
    measured = leaf.measure if isinstance(leaf, Compare) else leaf
    return Exhibit(
        leaf,
        wanted,
        str(measured),
        metrics_of(leaf),
        leaf.comparison.operator,
        leaf.comparison.thresholds,
        over_of(leaf),
        measured.unit,
    )


def _leaves(condition: Condition, wanted: bool) -> Iterator[tuple[Leaf, bool]]:
    match condition:
        case AllOf(conditions) | AnyOf(conditions):
            for inner in conditions:
                yield from _leaves(inner, wanted)
        case Not(inner):
            yield from _leaves(inner, not wanted)
        case _:
            yield condition, wanted
