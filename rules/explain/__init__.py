"""Why a rule holds on an entity at a time, or does not: each leaf with its value, window and bounds.

The engine goes through the recording until that time, with the rule and with `questions` beside it; so what
is told is what the engine found. The recording itself is asked only how many samples there were.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rules.backtest import Plan, Progress, blocks
from rules.engine import Engine
from rules.entities import Entities, Scope
from rules.evaluation import Evidence
from rules.explain import facts
from rules.explain.facts import Facts
from rules.explain.questions import Known, Questions, sides, truth_of
from rules.intervals import Calendar
from rules.lifecycle import State
from rules.rings import step_of
from rules.roster import Roster
from rules.rule import (
    ActiveDays,
    Compare,
    Condition,
    Fluctuation,
    Leaf,
    Measure,
    OwnPast,
    Peers,
    Ratio,
    Rule,
    RuleSet,
    ShareOfRobots,
    Silent,
    leaves,
    metrics_of,
    over_of,
)
from rules.zones import LocalDays


@dataclass(frozen=True, slots=True)
class Among:
    """The peers that a value was held against."""

    same: tuple[tuple[str, str], ...]  # attributes that they share with the entity
    count: int  # itself included
    median: float
    mad: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One leaf: what it was, over which window, and what is behind it."""

    leaf: Leaf
    evidence: Evidence | None  # None: the rule is not about the entity
    window: tuple[int, int] | None  # (after, until]; a silence has none
    facts: Facts
    of: Known | None = None  # of a ratio: above the line
    to: Known | None = None  # and below
    own: Known | None = None  # of peers and past: the measure of the entity itself
    peers: Among | None = None
    peers_known: int | None = None  # whose measure is known, with or without enough in common
    robots: tuple[tuple[str, bool | None], ...] = ()  # of a share: each robot, and whether it holds there


@dataclass(frozen=True, slots=True)
class Part:
    """A condition of the rule and its leaves."""

    name: str  # when, clear_when
    condition: Condition
    holds: bool | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What there is to say."""

    rule: Rule
    entity: str
    asked: int
    at: int | None  # the last evaluation by then; None: there was none
    zone: str
    state: State | None  # None: it was not evaluated, or
    inside: bool  # the rule is not about the entity
    since: int | None = None
    muted: tuple[str, ...] = ()  # intervals by which the rule is not judged at that time
    parts: tuple[Part, ...] = field(default=())


def explain(
    plan: Plan, rules: RuleSet, rule: Rule, entity: str, asked: int, progress: Progress
) -> Explanation:
    """Raises `RecordingError`; the entity must be in the roster."""
    roster = _needed(plan.roster, rule, entity)
    questions = Questions(rule)
    engine = _gone_through(plan, roster, questions.rule_set(rules), asked, progress)
    at = engine.snapshot().watermarks.get(rule.group)
    first = next(row for row, robot in enumerate(roster.robots) if _of(roster, row, rule.entity) == entity)
    zone = str(roster.robots[first].attributes.get("tz", "UTC"))
    reading = engine.reading(rule.name, entity)
    scope = Scope(rule, Entities.among(roster, rule.entity), roster)
    inside = entity in {scope.entities.ids[member] for member in scope.members.tolist()}
    if at is None or reading is None:
        return Explanation(rule, entity, asked, at, zone, None, inside)
    calendar = Calendar(rules.intervals, roster)
    looking = _Looking(plan, roster, engine, questions, entity, at)
    names = ("when", "clear_when")
    parts = tuple(looking.part(name, part) for name, part in zip(names, rule.conditions, strict=False))
    muted = _muted(calendar, rule, at, first)
    state, since = reading.state, reading.since
    return Explanation(rule, entity, asked, at, zone, state, inside, since, muted, parts)


class _Looking:
    """An engine that stands at the evaluation to be explained."""

    def __init__(
        self, plan: Plan, roster: Roster, engine: Engine, questions: Questions, entity: str, at: int
    ) -> None:
        self._plan, self._roster, self._engine = plan, roster, engine
        self._questions, self._rule, self._entity, self._at = questions, questions.rule, entity, at
        self._entities = Entities.among(roster, self._rule.entity)
        self._scope = Scope(self._rule, self._entities, roster)
        self._robots = [row for row in range(len(roster)) if _of(roster, row, self._rule.entity) == entity]

    def part(self, name: str, condition: Condition) -> Part:
        evidence = self._questions.evidence(self._engine, condition, self._entity)
        findings = tuple(self._finding(leaf, evidence.get(leaf)) for leaf in dict.fromkeys(leaves(condition)))
        return Part(name, condition, truth_of(condition, evidence), findings)

    def _finding(self, leaf: Leaf, evidence: Evidence | None) -> Finding:
        window = self._window(leaf)
        robots = [self._roster.ids[row] for row in self._robots]
        since = self._at - over_of(leaf) if window is None else window[0]
        found = facts.of(
            self._plan.recording, robots, metrics_of(leaf), (since, self._at), self._plan.eval_delay_ms
        )
        measure = leaf.measure if isinstance(leaf, Compare | Peers | OwnPast) else None
        own = None if measure is None or isinstance(leaf, Compare) else self._measured(measure)
        of, to = self._sides(measure)
        peers, known = self._peers(leaf) if isinstance(leaf, Peers) else (None, None)
        shares = self._shares(leaf, robots) if isinstance(leaf, ShareOfRobots) else ()
        return Finding(leaf, evidence, window, found, of, to, own, peers, known, shares)

    def _measured(self, measure: Measure) -> Known:
        return self._questions.measure(self._engine, measure, self._entity)

    def _sides(self, measure: Measure | None) -> tuple[Known | None, Known | None]:
        if not isinstance(measure, Ratio):
            return None, None
        above, below = sides(measure)
        return self._measured(above), self._measured(below)

    def _peers(self, leaf: Peers) -> tuple[Among | None, int]:
        """As the engine chooses them: the first grouping of which enough are known."""
        members = self._scope.members.tolist()
        numbers = np.array([self._number(leaf.measure, member) for member in members])
        inside = self._scope.inside(np.array([self._at]))
        known = ~np.isnan(numbers) & (True if inside is None else inside[0])
        place = members.index(self._entities.rows[self._entity])
        least = max(leaf.min_peers, 2 if leaf.statistic == "percentile" else 1)
        for dropped, codes in enumerate(self._scope.peers(leaf.same)):
            group = known & (codes == codes[place])
            if group.sum() >= least and known[place]:
                median = float(np.median(numbers[group]))
                mad = float(np.median(np.abs(numbers[group] - median)))
                shared = leaf.same[: len(leaf.same) - dropped]
                return Among(self._shared(shared), int(group.sum()), median, mad), int(known.sum())
        return None, int(known.sum())

    def _number(self, measure: Measure, member: int) -> float:
        known = self._questions.measure(self._engine, measure, self._entities.ids[member])
        return np.nan if known.value is None or not known.covered else known.value

    def _shared(self, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
        attributes = self._roster.robots[self._robots[0]].attributes
        return tuple((name, str(attributes.get(name, "missing"))) for name in names)

    def _shares(self, leaf: ShareOfRobots, robots: Sequence[str]) -> tuple[tuple[str, bool | None], ...]:
        counting = {self._roster.ids[row] for row in np.flatnonzero(self._scope.mask).tolist()}
        return tuple(
            (robot, self._questions.truth(self._engine, leaf.condition, robot, "robot"))
            for robot in robots
            if robot in counting
        )

    def _window(self, leaf: Leaf) -> tuple[int, int] | None:
        measure = leaf.measure if isinstance(leaf, Compare | Peers | OwnPast) else None
        if isinstance(leaf, Silent):
            return None
        if isinstance(measure, ActiveDays | Fluctuation):
            return self._days(measure.days)
        step = step_of(self._rule.interval_ms, over_of(leaf))
        return (self._at - over_of(leaf)) // step * step, self._at

    def _days(self, days: int) -> tuple[int, int]:
        """The last whole local days of the entity's first robot."""
        zones, row = LocalDays(self._roster), np.array([self._robots[0]])
        today = zones.day_of(np.array([self._at]), row)
        return int(zones.midnight(today - days, row)[0]), int(zones.midnight(today, row)[0])


def _gone_through(plan: Plan, roster: Roster, rules: RuleSet, asked: int, progress: Progress) -> Engine:
    """An engine that has evaluated all that was due by then, and nothing later."""
    engine = Engine(rules, roster, eval_delay_ms=plan.eval_delay_ms, attentive=True)
    for since, until in plan.recording.header.listening:
        engine.listened(since, until)
    now = asked + plan.eval_delay_ms
    samples = 0
    for portion in plan.recording.portions(roster, rules.metrics, rostered=True):
        for block in blocks(portion):
            if int(block.committed_at[0]) > now:
                break
            engine.tick(min(now, int(block.committed_at[0]) - 1))
            engine.feed_portion(block)
            samples += len(block)
            progress(samples, int(block.committed_at[-1]))
        if int(portion.committed_at[-1]) > now:
            break
    engine.tick(now)
    return engine


def _needed(roster: Roster, rule: Rule, entity: str) -> Roster:
    """The robots that bear on the entity: its own, or all where it is held against others."""
    if any(isinstance(leaf, Peers) for condition in rule.conditions for leaf in leaves(condition)):
        return roster
    return Roster(robot for row, robot in enumerate(roster.robots) if _of(roster, row, rule.entity) == entity)


def _of(roster: Roster, row: int, kind: str) -> str | None:
    robot = roster.robots[row]
    if kind == "robot":
        return robot.id
    value = robot.attributes.get(kind)
    return None if value is None else str(value)


def _muted(calendar: Calendar, rule: Rule, at: int, row: int) -> tuple[str, ...]:
    """The names of the intervals that keep the rule from being judged."""

    def inside(names: tuple[str, ...]) -> bool:
        return bool(calendar.state(names, np.array([at]), np.array([row]))[0][0, 0])

    if rule.active_intervals and not inside(rule.active_intervals):
        return rule.active_intervals
    if rule.mute_intervals and inside(rule.mute_intervals):
        return rule.mute_intervals
    return ()


def entity_ids(roster: Roster, kind: str) -> set[str]:
    """The entities of a kind that the roster knows."""
    found = (_of(roster, row, kind) for row in range(len(roster)))
    return {id_ for id_ in found if id_ is not None}
