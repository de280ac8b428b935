"""Which counters matter, as the rules see it: what they count as trouble, and out of how much."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.rule import (
    ActiveDays,
    Comparison,
    Condition,
    Fluctuation,
    Gauge,
    Increase,
    Measure,
    Ratio,
    RuleSet,
    ShareOfRobots,
    Silent,
    leaves,
)

_RISING = ("above", "at least", "between")


@dataclass(frozen=True, slots=True)
class Watched:
    """Counters of one subsystem: trouble, each with what it is a part of, and the others rules look at."""

    trouble: tuple[str, ...]
    whole: dict[str, str]  # of a counter of trouble: the counter it is a share of
    other: tuple[str, ...]


def watched(rules: RuleSet, subsystem: str) -> Watched:
    """What the rules look at in one subsystem; what some rule wants to be high is no trouble."""
    bad: dict[str, None] = {}
    good: dict[str, None] = {}
    whole: dict[str, str] = {}
    of_which: dict[str, None] = {}
    for measure, comparison in _comparisons(rules):
        rising = comparison.operator in _RISING
        match measure:
            case Increase(metrics):
                (bad if rising else good).update(dict.fromkeys(metrics))
            case Ratio(of, to):
                (bad if rising else good).update(dict.fromkeys(of))
                of_which.update(dict.fromkeys(to))
                if rising and len(to) == 1:
                    whole.update(dict.fromkeys(of, to[0]))
            case ActiveDays() | Fluctuation():
                good.update(dict.fromkeys(measure.metrics))
    trouble = [name for name in bad if name not in good]
    own = dict.fromkeys(name for name in (*bad, *good, *of_which) if name.startswith(f"{subsystem}."))
    return Watched(
        trouble=tuple(name for name in own if name in trouble),
        whole={name: base for name, base in whole.items() if name in own and name in trouble},
        other=tuple(name for name in own if name not in trouble),
    )


def gauges(rules: RuleSet) -> tuple[str, ...]:
    """The gauges that some rule looks at."""
    found = (measure.metric for measure, _ in _comparisons(rules) if isinstance(measure, Gauge))
    return tuple(dict.fromkeys(name for name in found if not name.endswith(".up")))


def _comparisons(rules: RuleSet) -> Iterator[tuple[Measure, Comparison]]:
    """Every measure that some rule looks at, against a number, peers, its past, or robot by robot."""
    for rule in rules.rules:
        yield from _compared(rule.when)


def _compared(condition: Condition) -> Iterator[tuple[Measure, Comparison]]:
    for leaf in leaves(condition):
        match leaf:
            case ShareOfRobots(inner):
                yield from _compared(inner)
            case Silent():
                pass
            case _:
                yield leaf.measure, leaf.comparison
