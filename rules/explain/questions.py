"""Questions to the engine: rules beside the one to be explained, whose readings tell what is behind it.

The engine answers for whole conditions and their leaves. What a leaf itself is made of (both sides of a
ratio, the measure of every peer, the condition on every robot of a site) is asked by a rule of its own.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from rules.conditions import FALSE, TRUE, UNKNOWN, Truth, evaluate
from rules.engine import Engine
from rules.evaluation import Evidence, Reading
from rules.exhibit import exhibits
from rules.rule import (
    Compare,
    Comparison,
    Condition,
    EntityKind,
    Group,
    Increase,
    Leaf,
    Measure,
    OwnPast,
    Peers,
    Ratio,
    Rule,
    RuleSet,
    ShareOfRobots,
    leaves,
)

_ANY: Final = Comparison("between", -math.inf, math.inf)  # holds where the measure is known and covered
_CODES: Final = {False: FALSE, None: UNKNOWN, True: TRUE}


@dataclass(frozen=True, slots=True)
class Known:
    """A measure at a time; `covered`: all of its window is known."""

    value: float | None
    covered: bool


@dataclass
class Questions:
    """Rules to be evaluated beside `rule`, in its group."""

    rule: Rule
    _asked: dict[tuple[EntityKind, Condition], Rule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for condition in self.rule.conditions:
            self._ask(condition)
            for leaf in leaves(condition):
                for part, kind in _parts(leaf, self.rule.entity):
                    self._ask(part, kind)

    def rule_set(self, rules: RuleSet) -> RuleSet:
        """The rule and the questions, with the time intervals of the set that the rule is of."""
        asked = (self.rule, *self._asked.values())
        return RuleSet((Group(self.rule.group, self.rule.interval_ms, asked),), rules.intervals)

    def evidence(self, engine: Engine, condition: Condition, entity: str) -> dict[Leaf, Evidence]:
        """What each leaf of a condition was; empty where it was not evaluated."""
        return self._evidence(engine, condition, entity, self.rule.entity)

    def truth(self, engine: Engine, condition: Condition, entity: str, kind: EntityKind) -> bool | None:
        """Whether a condition holds."""
        found = self._evidence(engine, condition, entity, kind)
        return truth_of(condition, found)

    def measure(self, engine: Engine, measure: Measure, entity: str) -> Known:
        """What a measure was."""
        condition = Compare(measure, _ANY)
        evidence = self._evidence(engine, condition, entity, self.rule.entity).get(condition)
        if evidence is None:
            return Known(None, False)
        return Known(evidence.value, evidence.holds is True)

    def _ask(self, condition: Condition, kind: EntityKind | None = None) -> None:
        key = (kind or self.rule.entity, condition)
        if key not in self._asked:
            self._asked[key] = replace(
                self.rule,
                name=f"{self.rule.name} #{len(self._asked) + 1}",
                entity=key[0],
                when=condition,
                clear_when=None,
                for_ms=0,
                keep_firing_for_ms=0,
                flapping=None,
                storm=None,
            )

    def _evidence(
        self, engine: Engine, condition: Condition, entity: str, kind: EntityKind
    ) -> dict[Leaf, Evidence]:
        reading = engine.reading(self._asked[kind, condition].name, entity)
        return {} if reading is None else _by_leaf(condition, reading)


def truth_of(condition: Condition, evidence: dict[Leaf, Evidence]) -> bool | None:
    """Whether a condition holds, by what its leaves were; a leaf that was not evaluated is unknown."""

    def leaf(one: Leaf) -> Truth:
        holds = evidence[one].holds if one in evidence else None
        return np.array([_CODES[holds]], dtype=np.int8)

    code = int(evaluate(condition, leaf)[0])
    return {FALSE: False, UNKNOWN: None, TRUE: True}[code]


def _parts(leaf: Leaf, kind: EntityKind) -> Iterator[tuple[Condition, EntityKind]]:
    match leaf:
        case Compare(Ratio() as ratio):
            yield from ((Compare(one, _ANY), kind) for one in sides(ratio))
        case Peers(measure) | OwnPast(measure):
            yield Compare(measure, _ANY), kind
            if isinstance(measure, Ratio):
                yield from ((Compare(one, _ANY), kind) for one in sides(measure))
        case ShareOfRobots(condition):
            yield condition, "robot"


def sides(ratio: Ratio) -> tuple[Increase, Increase]:
    """What is above and below the line."""
    return Increase(ratio.of, ratio.over_ms), Increase(ratio.to, ratio.over_ms)


def _by_leaf(condition: Condition, reading: Reading) -> dict[Leaf, Evidence]:
    """Evidence is in another order than leaves, but tells what it is of."""
    found: dict[Leaf, Evidence] = {}
    for exhibit in exhibits(condition):
        told = (exhibit.measure, exhibit.comparison, exhibit.thresholds, exhibit.over_ms)
        for one in reading.evidence:
            if (one.measure, one.comparison, one.thresholds, one.over_ms) == told:
                found[exhibit.leaf] = one
    return found
