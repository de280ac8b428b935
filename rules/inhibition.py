"""Inhibition: an alert that fires because another one does need not be shown.

An inhibit rule means pairs of firing alerts, a source and a target, whose entities have equal attributes. As
in Alertmanager, an alert that is both is not inhibited by others that are both: they would hide each other.
A missing attribute equals nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from rules.evaluation import By, Entity, SignalKey
from rules.roster import Attribute, Roster
from rules.rule import RuleSet

_NOTHING: Final[Mapping[str, Attribute]] = {}
Place = tuple[int, tuple[Attribute, ...]]  # inhibit rule, and the values of its `equal`


class _Role(NamedTuple):
    """What alerts of a rule are to an inhibit rule."""

    number: int
    source: bool
    target: bool


class Inhibition:
    """Alerts that fire, and which of them inhibit which."""

    def __init__(self, rules: RuleSet, roster: Roster) -> None:
        self._equal = [rule.equal for rule in rules.inhibit_rules]
        self._order = {rule.name: number for number, rule in enumerate(rules.rules)}
        self._roles = {rule.name: _roles(rules, rule.name) for rule in rules.rules}
        self._alerts: dict[SignalKey, int] = {}
        self.enrol(roster)

    def enrol(self, roster: Roster) -> None:
        """Takes a roster that has grown, or whose attributes changed."""
        self._roster = roster
        self._shared: dict[str, Mapping[str, Mapping[str, Attribute]]] = {}
        self._sources: defaultdict[Place, dict[SignalKey, bool]] = defaultdict(dict)  # whether it is both
        self._targets: defaultdict[Place, dict[SignalKey, bool]] = defaultdict(dict)
        self._first: dict[tuple[Place, bool], SignalKey | None] = {}
        for key, began in self._alerts.items():
            self.began(key, began)

    def began(self, key: SignalKey, at: int) -> Iterable[Place]:
        """An alert began to fire; the targets of these places are to be judged."""
        self._alerts[key] = at
        return self._place(key, enters=True)

    def ended(self, key: SignalKey) -> Iterable[Place]:
        """An alert fires no more; the targets of these places are to be judged."""
        places = self._place(key, enters=False)
        self._alerts.pop(key, None)
        return places

    def targets(self, place: Place) -> Iterable[SignalKey]:
        """The alerts that could be inhibited there."""
        return self._targets.get(place, {})

    def by(self, key: SignalKey) -> By | None:
        """The alert that inhibits this one: of several that of the first inhibit rule that began first."""
        for role in self._roles.get(key[0], ()):
            values = self._values(key, role.number) if role.target else None
            source = None if values is None else self._first_source((role.number, values), role.source)
            if source is not None:
                return By("inhibited", source[0], Entity(source[1], source[2]))
        return None

    def _place(self, key: SignalKey, *, enters: bool) -> list[Place]:
        changed = []
        for role in self._roles.get(key[0], ()):
            values = self._values(key, role.number)
            if values is None:
                continue
            place = role.number, values
            if role.source:
                changed.append(place)
                _put(self._sources[place], key, role.target, enters)
                self._first.pop((place, False), None)
                self._first.pop((place, True), None)
            if role.target:
                _put(self._targets[place], key, role.source, enters)
        return changed

    def _first_source(self, place: Place, both: bool) -> SignalKey | None:
        """Of all sources, or of those that are no targets."""
        if (place, both) not in self._first:
            sources = self._sources.get(place, {})
            fitting = [key for key, target in sources.items() if not (both and target)]
            self._first[place, both] = min(fitting, key=self._rank, default=None)
        return self._first[place, both]

    def _rank(self, key: SignalKey) -> tuple[int, int, str, str]:
        return self._alerts[key], self._order[key[0]], key[1], key[2]

    def _values(self, key: SignalKey, number: int) -> tuple[Attribute, ...] | None:
        equal = self._equal[number]
        attributes = self._attributes(key[1], key[2]) if equal else _NOTHING
        values = tuple(attributes[name] for name in equal if name in attributes)
        return values if len(values) == len(equal) else None

    def _attributes(self, kind: str, id_: str) -> Mapping[str, Attribute]:
        """Of a site or customer: itself, and what all its robots share."""
        if kind == "robot":
            known = (
                self._roster.robots[self._roster.index(id_)].attributes if id_ in self._roster else _NOTHING
            )
            return {**known, "robot": id_}
        if kind not in self._shared:
            self._shared[kind] = _shared(self._roster, kind)
        return {**self._shared[kind].get(id_, _NOTHING), kind: id_}


def _put(alerts: dict[SignalKey, bool], key: SignalKey, both: bool, enters: bool) -> None:
    if enters:
        alerts[key] = both
    else:
        alerts.pop(key, None)


def _roles(rules: RuleSet, name: str) -> tuple[_Role, ...]:
    rule = rules.by_name[name]
    roles = (
        _Role(number, inhibit.source.fits(rule), inhibit.target.fits(rule))
        for number, inhibit in enumerate(rules.inhibit_rules)
    )
    return tuple(role for role in roles if role.source or role.target)


def _shared(roster: Roster, kind: str) -> Mapping[str, Mapping[str, Attribute]]:
    """By site or customer: the attributes that all its robots have with the same value."""
    shared: dict[str, dict[str, Attribute]] = {}
    for robot in roster.robots:
        id_ = robot.attributes.get(kind)
        if id_ is None:
            continue
        known = shared.setdefault(str(id_), dict(robot.attributes))
        for name in [name for name, value in known.items() if robot.attributes.get(name) != value]:
            del known[name]
    return shared
