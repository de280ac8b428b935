"""A group of rules at work: the signals of its rules on every robot, and one evaluation after another."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from rules import lifecycle
from rules.conditions import Truth, compare, either, evaluate, negated
from rules.evaluation import Entity, Evaluation, Event, Evidence, Reading, Signal, SignalKey
from rules.exhibit import Exhibit, exhibits
from rules.history import ROBOT, History
from rules.lifecycle import ACTIVE, CODE, KEEP, LASTING, OUTSIDE, STATES, State
from rules.measures import Measured, measure
from rules.roster import Roster
from rules.rule import (
    DAYS_SINCE_INSTALL,
    Group,
    Leaf,
    Measure,
    Rule,
    Silent,
    leaves,
)


class GroupState:
    """Signals of one group; arrays are [rule, robot]."""

    def __init__(self, group: Group, roster: Roster) -> None:
        self.name = group.name
        self.evaluated_at: int | None = None
        self._interval_ms = group.interval_ms
        self._rules = group.rules
        self._numbers = {rule.name: number for number, rule in enumerate(group.rules)}
        self._for = np.array([rule.for_ms for rule in group.rules], dtype=np.int64)
        self._keep_firing_for = np.array([rule.keep_firing_for_ms for rule in group.rules], dtype=np.int64)
        self._meanings = np.array([lifecycle.meanings(rule.missing_data) for rule in group.rules])
        self._ages = np.array([_asks_for_age(rule) for rule in group.rules])
        self._exhibits = [exhibits(rule.when) for rule in group.rules]
        self._state = np.full((len(group.rules), 0), CODE[State.INACTIVE], dtype=np.int8)
        self._since = np.zeros((len(group.rules), 0), dtype=np.int64)
        self._failed: set[str] = set()
        self._now = _Now(group)
        self.enrol(roster)

    @property
    def next_at(self) -> int:
        """The next time of evaluation."""
        return (self.evaluated_at or 0) // self._interval_ms * self._interval_ms + self._interval_ms

    def enrol(self, roster: Roster) -> None:
        """Takes a roster that has grown, or whose attributes changed."""
        self._roster = roster
        new = len(roster) - self._state.shape[1]
        self._state = np.pad(self._state, ((0, 0), (0, new)), constant_values=CODE[State.INACTIVE])
        self._since = np.pad(self._since, ((0, 0), (0, new)))
        self._inside = np.array([roster.mask(rule.where) for rule in self._rules])

    def signals(self) -> Iterator[tuple[SignalKey, Signal]]:
        """Every signal but the inactive ones."""
        for number, row in zip(*np.nonzero(self._state != CODE[State.INACTIVE]), strict=True):
            key = (self._rules[number].name, ROBOT, self._roster.ids[row])
            yield key, Signal(STATES[self._state[number, row]], int(self._since[number, row]))

    def restore(self, signals: Mapping[SignalKey, Signal]) -> list[SignalKey]:
        """Takes up the signals of its rules on robots of the roster; says which these were."""
        self._state[:] = CODE[State.INACTIVE]
        taken = [
            key for key in signals if key[0] in self._numbers and key[1] == ROBOT and key[2] in self._roster
        ]
        for key in taken:
            place = self._numbers[key[0]], self._roster.index(key[2])
            self._state[place] = CODE[signals[key].state]
            self._since[place] = signals[key].since
        return taken

    def evaluate(self, at: int, history: History) -> Evaluation:
        """Evaluates every rule on every robot; the history must have taken in what is not later than `at`."""
        self.evaluated_at = at
        self._now.begin(at, history, len(self._roster))
        said, errors = self._inputs(at)
        change = lifecycle.step(self._state, self._since, said, at, self._for, self._keep_firing_for)
        self._state[change.rule, change.robot] = change.after
        self._since[change.rule, change.robot] = change.since
        events = tuple(
            self._event(at, *changed)
            for changed in zip(
                change.rule.tolist(),
                change.robot.tolist(),
                change.before.tolist(),
                change.after.tolist(),
                change.since.tolist(),
                strict=True,
            )
        )
        self._failed = failed = {rule for rule, _ in errors}
        active = zip(*(places.tolist() for places in np.nonzero(ACTIVE[self._state])), strict=True)
        readings = (
            self._reading(number, row) for number, row in active if self._rules[number].name not in failed
        )
        return Evaluation(at, self.name, events, tuple(readings), tuple(errors))

    def reading(self, rule: str, row: int) -> Reading | None:
        """What a signal looked like at the last evaluation; None where it was not in it."""
        if rule not in self._numbers or rule in self._failed or row >= self._now.robots:
            return None
        return self._reading(self._numbers[rule], row)

    def _inputs(self, at: int) -> tuple[Truth, list[tuple[str, str]]]:
        """What is said to each signal, and the errors of rules that say nothing."""
        truths = np.zeros(self._state.shape, dtype=np.int8)
        lasting = LASTING[self._state]
        errors = {}
        for number, rule in enumerate(self._rules):
            try:
                truths[number] = self._truth(rule, lasting[number])
            except Exception as error:
                errors[number] = (rule.name, f"{type(error).__name__}: {error}")
        said = self._meanings[np.arange(len(truths))[:, None], truths]
        said[~self._inside_at(at)] = OUTSIDE
        said[list(errors)] = KEEP
        return said, list(errors.values())

    def _truth(self, rule: Rule, lasting: NDArray[np.bool_]) -> Truth:
        """Whether the condition holds; of signals that fire, whether they go on."""
        truth = evaluate(rule.when, self._now.truth)
        if rule.clear_when is None or not lasting.any():
            return truth
        goes_on = either(truth, negated(evaluate(rule.clear_when, self._now.truth)))
        return np.where(lasting, goes_on, truth)

    def _inside_at(self, at: int) -> NDArray[np.bool_]:
        if not self._ages.any():
            return self._inside
        inside = self._inside.copy()
        for number in np.flatnonzero(self._ages):
            inside[number] &= self._roster.days_mask(self._rules[number].where, at)
        return inside

    def _event(self, at: int, number: int, row: int, before: int, after: int, since: int) -> Event:
        evidence = self._evidence(number, row)
        return Event(
            at=at,
            rule=self._rules[number].name,
            entity=Entity(ROBOT, self._roster.ids[row]),
            before=STATES[before],
            after=STATES[after],
            since=since,
            value=evidence[0].value if evidence else None,
            threshold=evidence[0].thresholds[0] if evidence else None,
            evidence=evidence,
        )

    def _reading(self, number: int, row: int) -> Reading:
        evidence = self._evidence(number, row)
        return Reading(
            at=self.evaluated_at or 0,
            rule=self._rules[number].name,
            entity=Entity(ROBOT, self._roster.ids[row]),
            state=STATES[self._state[number, row]],
            since=int(self._since[number, row]),
            value=evidence[0].value if evidence else None,
            threshold=evidence[0].thresholds[0] if evidence else None,
            evidence=evidence,
        )

    def _evidence(self, number: int, row: int) -> tuple[Evidence, ...]:
        """What the condition consists of; first what speaks for it most plainly."""
        found = [self._now.evidence(exhibit, row) for exhibit in self._exhibits[number]]
        for place, exhibit in enumerate(self._exhibits[number]):
            if exhibit.wanted and found[place].holds:
                return (found.pop(place), *found)
        return tuple(found)


class _Now:
    """Measures and truths of one moment, each reckoned once, however many rules look at it.

    What no sample changed since the moment before is taken from there.
    """

    def __init__(self, group: Group) -> None:
        self._interval_ms = group.interval_ms
        every = [leaf for rule in group.rules for condition in rule.conditions for leaf in leaves(condition)]
        measures: dict[Measure | Silent, int] = {}
        equal: dict[Leaf, int] = {}
        # By identity, since a rule's records are hashed slowly; the group keeps them alive.
        self._measure_of = {id(leaf): measures.setdefault(_measured(leaf), len(measures)) for leaf in every}
        self._truth_of = {id(leaf): equal.setdefault(leaf, len(equal)) for leaf in every}
        self._measures: dict[int, Measured] = {}
        self._truths: dict[int, tuple[Measured, Truth]] = {}
        self._revisions: dict[int, tuple[int, int] | None] = {}
        self._fresh: set[int] = set()  # measures of this moment
        self._history: History | None = None
        self._at = 0
        self.robots = 0

    def begin(self, at: int, history: History, robots: int) -> None:
        """A new moment."""
        self._at, self._history, self.robots = at, history, robots
        self._fresh.clear()

    def truth(self, leaf: Leaf) -> Truth:
        """Of every robot. The caller must not change it."""
        key, measured = self._truth_of[id(leaf)], self._measured(leaf)
        of, truth = self._truths.get(key, (None, None))
        if truth is None or of is not measured:
            truth = compare(leaf, measured)
            self._truths[key] = measured, truth
        return truth

    def evidence(self, exhibit: Exhibit, row: int) -> Evidence:
        """What a leaf says about one robot."""
        number = self._measured(exhibit.leaf).numbers[row].item()
        return exhibit.evidence(number, self.truth(exhibit.leaf)[row].item())

    def _measured(self, leaf: Leaf) -> Measured:
        key = self._measure_of[id(leaf)]
        if key not in self._fresh:
            assert self._history is not None, "begin comes first"  # noqa: S101 -- a contract within this file
            revision = self._history.revision(self._interval_ms, leaf)
            if revision is None or revision != self._revisions.get(key):
                self._measures[key] = measure(leaf, self._history, self._interval_ms, self._at)
            self._revisions[key] = revision
            self._fresh.add(key)
        return self._measures[key]


def _measured(leaf: Leaf) -> Measure | Silent:
    return leaf if isinstance(leaf, Silent) else leaf.measure


def _asks_for_age(rule: Rule) -> bool:
    return any(filter_.attribute == DAYS_SINCE_INSTALL for filter_ in rule.where)
