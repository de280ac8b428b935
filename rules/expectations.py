"""What a rule test expects, and which alerts it silences: records, and how they are read.

expect:
- {at: 65m, alert: RelocalizationFailing, robot: r1, signal: firing, value: 5, since: 65m}
- {at: 65m, alert: SiteSilent, site: hall, suppressed_by: nothing}
- {at: 65m, alerts: {SiteSilent: [hall]}}              # these fire and are not suppressed, and no other
- {at: 65m, firing: {SiteSilent: [hall], RobotSilent: [r1, r2]}}            # suppressed ones, too
silences:
- {from: 1h, to: 2h, alert: RobotSilent, site: hall}   # all that is given must fit
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rules import values
from rules.document import Fields, Node, Refused, each, hint, one_or_more, shown
from rules.evaluation import Entity
from rules.grammar.suppression import RULE_STORM
from rules.lifecycle import State
from rules.roster import Robot
from rules.rule import ENTITIES, RuleSet

KINDS = (*ENTITIES, "rule")
REASONS = ("storm", "flapping", "silence", "nothing")
EXPECT_KEYS = ("at", "alert", *KINDS, "signal", "value", "since", "suppressed_by")
SILENCE_KEYS = ("from", "to", "alert", *ENTITIES)
_NUMBER = re.compile(r"(-?\d{1,20}(?:\.\d{1,20})?)(%?)", re.ASCII)
Alert = tuple[str, Entity]  # rule and entity


@dataclass(frozen=True, slots=True)
class Approximately:
    """A number as exact as it was written: 33% is anything from 32.5 % to 33.5 %."""

    number: float
    slack: float
    text: str

    def fits(self, value: float | None) -> bool:
        """Whether a value would be written so."""
        return value is not None and abs(value - self.number) <= self.slack


@dataclass(frozen=True, slots=True)
class ExpectedSignal:
    """One signal, as it shall be at a time; None: that does not matter."""

    at_ms: int
    alert: str
    entity: Entity
    signal: State | None
    value: Approximately | None
    since_ms: int | None
    suppressed_by: str | None  # a rule, or one of REASONS
    place: str


@dataclass(frozen=True, slots=True)
class ExpectedAlerts:
    """Exactly these shall be firing or recovering at a time; without `suppressed_too`, and not suppressed."""

    at_ms: int
    alerts: frozenset[Alert]
    suppressed_too: bool
    place: str


Expectation = ExpectedSignal | ExpectedAlerts


@dataclass(frozen=True, slots=True)
class Silence:
    """From one time until another (not included), alerts that fit are suppressed; what is empty fits any."""

    from_ms: int
    to_ms: int
    alerts: tuple[str, ...]
    ids: Mapping[str, tuple[str, ...]]  # by kind of entity

    def fits(self, at_ms: int, alert: Alert, attributes: Mapping[str, object]) -> bool:
        """Whether an alert is silenced at that time; `attributes` are those of its entity."""
        rule, entity = alert
        known = {**attributes, entity.kind: entity.id}
        return (
            self.from_ms <= at_ms < self.to_ms
            and (not self.alerts or rule in self.alerts)
            and all(known.get(kind) in ids for kind, ids in self.ids.items())
        )


class Expecting:
    """Reads expectations and silences about these rules and robots. Every method raises `Refused`."""

    def __init__(self, rules: RuleSet, robots: Sequence[Robot]) -> None:
        self._alerts = {rule.name: str(rule.entity) for rule in rules.rules} | {RULE_STORM: "rule"}
        self._ids: dict[str, Collection[str]] = {
            "robot": {robot.id for robot in robots},
            "site": {str(robot.attributes["site"]) for robot in robots if "site" in robot.attributes},
            "customer": {
                str(robot.attributes["customer"]) for robot in robots if "customer" in robot.attributes
            },
            "rule": set(rules.by_name),
        }

    def expectation(self, node: Node) -> Expectation:
        """One expectation."""
        fields = Fields(node, "an expectation")
        at = fields.need("at", values.delay, ", such as at: 65m")
        found = [key for key in ("alerts", "firing") if key in fields]
        if found:
            return self._exactly(fields, at, found[0])
        return self._one(fields, at)

    def silence(self, node: Node) -> Silence:
        """One silence."""
        fields = Fields(node, "a silence")
        fields.only(SILENCE_KEYS)
        start = fields.need("from", values.delay, ", such as from: 1h")
        end = fields.need("to", values.delay, ", such as to: 2h")
        alerts = fields.read("alert", _several(_one_of(self._alerts, "alert"), "alert"), ())
        ids: dict[str, tuple[str, ...]] = {
            kind: fields.read(kind, _several(self._named(kind), kind), ())
            for kind in ENTITIES
            if kind in fields
        }
        if not alerts and not ids and fields.sound:
            raise node.refused("a silence needs one of alert, robot, site, customer")
        if start is None or end is None or not fields.sound:
            raise Refused
        if end <= start:
            raise node.refused("ends before it begins")
        return Silence(start, end, alerts, ids)

    def _exactly(self, fields: Fields, at: int | None, key: str) -> ExpectedAlerts:
        fields.only(("at", key))
        alerts = fields.read(key, self._several_alerts, None)
        if at is None or alerts is None or not fields.sound:
            raise Refused
        return ExpectedAlerts(at, alerts, key == "firing", _place(fields.node))

    def _one(self, fields: Fields, at: int | None) -> ExpectedSignal:
        fields.only(EXPECT_KEYS)
        alert = fields.need("alert", _one_of(self._alerts, "alert"))
        entity = self._entity(fields, alert) if alert else None
        signal = fields.read("signal", _state, None)
        value = fields.read("value", _approximately, None)
        since = fields.read("since", values.delay, None)
        by = fields.read("suppressed_by", self._suppressor, None)
        if not fields.sound or at is None or alert is None or entity is None:
            raise Refused
        if (signal, value, since, by) == (None, None, None, None):
            raise fields.node.refused("expects nothing; give signal, value, since or suppressed_by")
        return ExpectedSignal(at, alert, entity, signal, value, since, by, _place(fields.node))

    def _entity(self, fields: Fields, alert: str) -> Entity | None:
        kind = self._alerts[alert]
        for other in KINDS:
            if other in fields and other != kind:
                fields.entry(other).note(f"{alert} is about a {kind}; give {kind}: …")
                return None
        id_ = fields.need(kind, self._named(kind), f", which {alert} is about")
        return Entity(kind, id_) if id_ else None

    def _several_alerts(self, node: Node) -> frozenset[Alert]:
        fields = Fields(node, "this")
        fields.only(self._alerts)
        found: set[Alert] = set()
        for alert in fields.node.entries:
            kind = self._alerts.get(alert, "robot")
            who = fields.read(alert, partial(each, reader=self._named(kind), what="this"), [])
            found.update((alert, Entity(kind, id_)) for id_ in who)
        return frozenset(found)

    def _named(self, kind: str) -> Callable[[Node], str]:
        return _one_of(self._ids[kind], kind)

    def _suppressor(self, node: Node) -> str:
        return _one_of((*REASONS, *self._alerts), "reason or alert")(node)


def _state(node: Node) -> State:
    return State(values.choice(tuple(map(str, State)))(node))


def _approximately(node: Node) -> Approximately:
    text = values.text(node)
    number = _NUMBER.fullmatch(text.strip())
    if number:
        scale = 100 if number[2] else 1
        decimals = len(number[1].partition(".")[2])
        return Approximately(float(number[1]) / scale, 0.5000001 * 10**-decimals / scale, text)
    return Approximately(values.delay(node) / 1_000, 0.5, text)


def _several(reader: Callable[[Node], str], what: str) -> Callable[[Node], tuple[str, ...]]:
    return partial(one_or_more, reader=reader, what=what)


def _one_of(known: Collection[str], what: str) -> Callable[[Node], str]:
    def read(node: Node) -> str:
        name = values.text(node)
        if name not in known:
            raise node.refused(f"unknown {what} {shown(node)}{hint(name, known)}")
        return name

    return read


def _place(node: Node) -> str:
    return f"{node.source.file}:{node.line}:{node.column}"
