"""What keeps alerts from people: `inhibit_rules`, `flapping`, `rule_storm`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rules import values
from rules.document import Entries, Fields, Items, Node, Refused, Scalar, hint, one_or_more, shown
from rules.grammar.filters import attribute
from rules.rule import SEVERITIES, Flapping, InhibitRule, Matcher, Storm

RULE_STORM = "RuleStorm"  # the engine's own alert about a rule
MAX_HISTORY = 1_000
_MATCHER_KEYS = ("alert", "severity", "subsystem", "subsystem_not", "labels")


@dataclass(frozen=True, slots=True)
class Inhibition:
    """Reads inhibit rules. `named` takes each alert named, since it may stand in another file."""

    subsystems: frozenset[str]
    named: Callable[[Node, str], None]

    def rule(self, node: Node) -> InhibitRule:
        """One inhibit rule. Raises `Refused`."""
        fields = Fields(node, "an inhibit rule")
        fields.only(("source", "target", "equal"))
        source = fields.need("source", self._matcher, ": {alert: …}")
        target = fields.need("target", self._matcher, ": {alert: …}")
        equal = fields.need("equal", _attributes, ", such as equal: [site]")
        if not fields.sound or source is None or target is None or equal is None:
            raise Refused
        return InhibitRule(source, target, equal, f"{node.source.file}:{node.line}")

    def _matcher(self, node: Node) -> Matcher:
        fields = Fields(node, "a matcher")
        fields.only(_MATCHER_KEYS)
        if not fields.node.entries:
            raise node.refused(f"a matcher needs one of {', '.join(_MATCHER_KEYS)}")
        return Matcher(
            alerts=fields.read("alert", _several(self._alert, "alert"), ()),
            severities=fields.read("severity", _several(values.choice(SEVERITIES), "severity"), ()),
            subsystems=fields.read("subsystem", _several(self._subsystem, "subsystem"), ()),
            subsystem_not=fields.read("subsystem_not", _several(self._subsystem, "subsystem"), ()),
            labels=fields.read("labels", _labels, ()),
        )

    def _alert(self, node: Node) -> str:
        name = values.name(node)
        self.named(node, name)
        return name

    def _subsystem(self, node: Node) -> str:
        return known_subsystem(node, self.subsystems)


def known_subsystem(node: Node, known: Iterable[str]) -> str:
    """A subsystem of the catalogue. Raises `Refused`."""
    name = values.text(node)
    if name not in known:
        raise node.refused(f"unknown subsystem {shown(node)}{hint(name, known)}")
    return name


def flapping(node: Node) -> Flapping | None:
    """Over how many evaluations, and at which shares of changes flapping begins and ends."""
    fields = Fields(node, '"flapping"')
    fields.only(("history", "enter", "leave"))
    history = fields.need("history", values.whole(3, MAX_HISTORY), ", such as history: 21")
    enter = fields.need("enter", values.share, ", such as enter: 50%")
    leave = fields.need("leave", values.share, ", such as leave: 25%")
    if history is None or enter is None or leave is None:
        raise Refused
    if leave >= enter:
        raise node.refused(f"leave {leave:.0%} must be below enter {enter:.0%}")
    return Flapping(history, enter, leave)


def storm(node: Node) -> Storm | None:
    """`off`, or from which share of how many entities on a rule is a storm."""
    if isinstance(node, Scalar) and node.text == "off":
        return None
    if not isinstance(node, Entries):
        raise node.refused("must be off, or such as {share: 30%, min_entities: 20}")
    usual, fields = Storm(), Fields(node, '"rule_storm"')
    fields.only(("share", "min_entities"))
    share = fields.read("share", values.share, usual.share)
    if share == 0:
        raise node.refused("a share of 0% would be a storm of every alert; use off for none")
    return Storm(share, fields.read("min_entities", values.whole(2, 1_000_000), usual.min_entities))


def _several(reader: Callable[[Node], str], what: str) -> Callable[[Node], tuple[str, ...]]:
    return lambda node: one_or_more(node, reader, what)


def _attributes(node: Node) -> tuple[str, ...]:
    """robot, site, customer, or any attribute."""
    if isinstance(node, Items) and not node.items:
        raise node.refused("needs at least one of robot, site, customer or another attribute")
    return one_or_more(node, attribute, "attribute")


def _labels(node: Node) -> tuple[tuple[str, str], ...]:
    fields = Fields(node, '"labels"')
    for key in ("severity", "subsystem"):
        if key in fields:
            fields.node.entries[key][0].note(f'"{key}" stands beside "labels", not in it')
    return tuple((key, fields.read(key, values.text, "")) for key in fields.node.entries)
