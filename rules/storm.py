"""Storms: where one rule begins to fire on a large share of its entities at once, that is one alert.

It is a signal of the built-in rule `RuleStorm` on the entity (rule, name of the rule). It fires where those
that fire and began to within the last hour are at least `share` of the entities inside, and at least
`min_entities`; it resolves where those of them that still fire, with those that joined, are below half of
that share. Judged at every evaluation of the rule.
"""

from collections.abc import Iterator, Mapping
from typing import Final, cast

import numpy as np

from rules.evaluation import By, Entity, Event, Evidence, Signal, SignalKey
from rules.lifecycle import State
from rules.roster import Mask, Roster
from rules.rule import (
    DAYS_SINCE_INSTALL,
    AnyOf,
    CallToAction,
    EntityKind,
    Rule,
    RuleSet,
    Severity,
    Storm,
    Text,
)

NAME: Final = "RuleStorm"
KIND: Final = "rule"
SEVERITY: Final[Severity] = "high"
HOUR_MS: Final = 3_600_000
MEASURE: Final = "share of entities that began to fire within 1h"
RULE: Final = Rule(
    name=NAME,
    group="",
    interval_ms=0,
    about=Text("One rule fires in many places at once", "同一规则在多处同时触发"),
    summary=Text(
        "{entity} fires on {value} of all that it watches since {since}; its alerts are held back",
        "{entity} 自 {since} 起在其监测对象的 {value} 上触发，其告警已被收起",
    ),
    when=AnyOf(()),  # judged by `Storms`
    missing_data="keep_last_state",
    severity=SEVERITY,
    subsystem="fleet",
    entity=cast(EntityKind, KIND),
    labels={"severity": SEVERITY, "subsystem": "fleet"},
    call_to_action=CallToAction(
        next_step=Text(
            "Look for what these places have in common: a network, a release, a change to the rule",
            "查找这些地点的共同点：网络、版本发布或规则改动",
        ),
        playbook="rule-storm",
        ack_within_ms=HOUR_MS,
    ),
    storm=None,
)


def rule_named(rules: RuleSet, name: str) -> Rule | None:
    """The rule of that name, the built-in one included."""
    return rules.by_name.get(name, RULE if name == NAME else None)


class Storms:
    """The signals of `RuleStorm`, and which alerts each of them stands for."""

    def __init__(self, rules: RuleSet, roster: Roster) -> None:
        self._rules = {rule.name: (rule, rule.storm) for rule in rules.rules if rule.storm is not None}
        self._firing: dict[str, dict[SignalKey, int]] = {name: {} for name in self._rules}
        self._many: dict[str, set[str]] = {rule.group: set() for rule, _ in self._rules.values()}
        self._since: dict[str, int] = {}  # of the storms that fire
        self._gone: list[str] = []  # storms of rules that are there no more
        self.enrol(roster)

    def enrol(self, roster: Roster) -> None:
        """Takes a roster that has grown, or whose attributes changed."""
        self._roster = roster
        self._masks: dict[str, Mask] = {}
        self._inside: dict[str, int] = {}

    def restore(self, signals: Mapping[SignalKey, Signal]) -> None:
        """Takes up the storms among the signals that fire."""
        storms = {id_: signal.since for (rule, _, id_), signal in signals.items() if rule == NAME}
        self._since = {id_: since for id_, since in storms.items() if id_ in self._rules}
        self._gone = sorted(storms.keys() - self._rules.keys())
        for name in self._since:
            self._many[self._rules[name][0].group].add(name)

    def signals(self) -> dict[SignalKey, Signal]:
        """Those that fire."""
        known = {(NAME, KIND, name): Signal(State.FIRING, since) for name, since in self._since.items()}
        return known | {(NAME, KIND, name): Signal(State.FIRING, 0) for name in self._gone}

    def began(self, key: SignalKey, at: int) -> None:
        """An alert began to fire."""
        firing = self._firing.get(key[0])
        if firing is not None:
            firing[key] = at
            rule, storm = self._rules[key[0]]
            if len(firing) >= storm.min_entities:
                self._many[rule.group].add(key[0])

    def ended(self, key: SignalKey) -> None:
        """An alert fires no more."""
        firing = self._firing.get(key[0])
        if firing is not None and firing.pop(key, None) is not None:
            rule, storm = self._rules[key[0]]
            if len(firing) < storm.min_entities and key[0] not in self._since:
                self._many[rule.group].discard(key[0])

    def asks(self, group: str) -> bool:
        """Whether an evaluation of the group has to be looked at."""
        return bool(self._many.get(group) or self._gone)

    def judge(self, group: str, at: int) -> Iterator[Event]:
        """The storms that begin or end at an evaluation of the group."""
        for name in self._gone:
            yield _event(at, name, State.FIRING, None, None)
        self._gone = []
        for name in sorted(self._many.get(group, ())):
            yield from self._judge(*self._rules[name], at)

    def by(self, key: SignalKey) -> By | None:
        """The storm that stands for an alert that fires, if there is one."""
        since = self._since.get(key[0])
        began = self._firing[key[0]].get(key) if since is not None else None
        if since is None or began is None or began <= since - HOUR_MS:
            return None
        return By("storm", NAME, Entity(KIND, key[0]))

    def firing(self, name: str) -> Iterator[SignalKey]:
        """The alerts of a rule that fire."""
        yield from self._firing.get(name, ())

    def _judge(self, rule: Rule, storm: Storm, at: int) -> Iterator[Event]:
        since, firing = self._since.get(rule.name), self._firing[rule.name]
        inside = self._count(rule, at)
        if since is None:
            if len(firing) < max(storm.min_entities, storm.share * inside):
                return
            count = sum(began > at - HOUR_MS for began in firing.values())
            if count and count >= storm.min_entities and count >= storm.share * inside:
                self._since[rule.name] = at
                yield _event(at, rule.name, State.INACTIVE, count / max(inside, 1), storm.share)
            return
        count = sum(began > since - HOUR_MS for began in firing.values())
        if not count or count < storm.share / 2 * inside:
            del self._since[rule.name]
            if len(firing) < storm.min_entities:
                self._many[rule.group].discard(rule.name)
            yield _event(at, rule.name, State.FIRING, count / max(inside, 1), storm.share)

    def _count(self, rule: Rule, at: int) -> int:
        """How many entities are inside."""
        if any(filter_.attribute == DAYS_SINCE_INSTALL for filter_ in rule.where):
            return self._entities(rule, self._mask(rule) & self._roster.days_mask(rule.where, at))
        if rule.name not in self._inside:
            self._inside[rule.name] = self._entities(rule, self._mask(rule))
        return self._inside[rule.name]

    def _mask(self, rule: Rule) -> Mask:
        if rule.name not in self._masks:
            self._masks[rule.name] = self._roster.mask(rule.where)
        return self._masks[rule.name]

    def _entities(self, rule: Rule, mask: Mask) -> int:
        if rule.entity == "robot":
            return int(np.count_nonzero(mask))
        robots = (self._roster.robots[row] for row in np.flatnonzero(mask))
        return len({robot.attributes.get(rule.entity) for robot in robots} - {None, ""})


def _event(at: int, name: str, before: State, value: float | None, share: float | None) -> Event:
    begins = before is State.INACTIVE
    bounds = () if share is None else (share,)
    shown = Evidence(MEASURE, (), value, "at least", bounds, HOUR_MS, "ratio", begins)
    after = State.FIRING if begins else State.RESOLVED
    return Event(at, NAME, Entity(KIND, name), before, after, at, value, share, (shown,))
