"""Conditions: what stands under `when` and `clear_when`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from rules import values
from rules.document import Fields, Items, Node, Refused, each, one_or_more
from rules.grammar.comparisons import CHANGE, PERCENTILE, ROBUST_Z, SHARE, Scale, comparison, scale
from rules.grammar.filters import attribute
from rules.grammar.measures import MEASURES, Measures
from rules.rule import (
    WEEK_MS,
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    EntityKind,
    Gauge,
    Increase,
    Leaf,
    Measure,
    Not,
    OwnPast,
    Peers,
    Ratio,
    ShareOfRobots,
    Silent,
    Statistic,
    leaves,
)

STATISTICS: dict[Statistic, Scale] = {"robust_z": ROBUST_Z, "percentile": PERCENTILE}
MAX_WEEKS = 8
MAX_PEERS = 100_000
_T = TypeVar("_T")
_L = TypeVar("_L", bound=Leaf)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a condition takes from what stands around it: it need not say again what is said there."""

    entity: EntityKind = "robot"
    measure: Measure | None = None  # the rule's
    when: Condition | None = None  # of the rule, while `clear_when` is read
    within_share: bool = False
    broken: bool = False  # what stands around was refused, so that what is lacking here may have stood there

    def inherited(self, kind: type[_L]) -> _L | None:
        """The leaf of `when` of this kind, where there is one alone."""
        found = [leaf for leaf in leaves(self.when) if isinstance(leaf, kind)] if self.when else []
        return found[0] if len(found) == 1 else None

    def subject(self) -> Measure | ShareOfRobots | None:
        """What `is` alone is about."""
        if self.when is None:
            return self.measure
        found = {
            leaf.measure if isinstance(leaf, Compare) else leaf
            for leaf in leaves(self.when)
            if isinstance(leaf, Compare | ShareOfRobots)
        }
        return found.pop() if len(found) == 1 else self.measure


@dataclass(frozen=True, slots=True)
class Conditions:
    """Reads conditions. Every method raises `Refused`."""

    measures: Measures

    def reader(self, scope: Scope) -> Callable[[Node], Condition]:
        """A reader of a whole condition."""

        def read(node: Node) -> Condition:
            fields = Fields(node, "a condition")
            return self._form(fields)(fields, scope)

        return read

    def _form(self, fields: Fields) -> Callable[[Fields, Scope], Condition]:
        forms: dict[str, Callable[[Fields, Scope], Condition]] = {
            **dict.fromkeys(MEASURES, self._compared),
            "silent": self._silent,
            "peers": self._peers,
            "own_past": self._own_past,
            "share_of_robots": self._share,
            "all": lambda fields, scope: AllOf(self._several(fields, "all", scope)),
            "any": lambda fields, scope: AnyOf(self._several(fields, "any", scope)),
            "not": self._not,
        }
        found = [key for key in forms if key in fields]
        if len(found) == 1:
            return forms[found[0]]
        if found:
            raise fields.node.refused(f"{' and '.join(found)} in one condition; join them with all or any")
        if set(fields.node.entries) == {"is"}:
            return self._bare
        fields.only([*forms, "is", "over", "reduce"])
        if not fields.sound:
            raise Refused
        raise fields.node.refused(f"a condition needs one of {', '.join(forms)}")

    def _compared(self, fields: Fields, scope: Scope) -> Condition:
        measure = _try(fields, lambda: self.measures.among(fields, ("is",)))
        is_ = fields.need("is", comparison, ", such as is: at least 5")
        if measure is None or is_ is None:
            raise Refused
        self._allowed(measure, fields.node, scope)
        return Compare(measure, is_.on(scale(measure)))

    def _bare(self, fields: Fields, scope: Scope) -> Condition:
        is_ = comparison(fields.entry("is"))
        subject = scope.subject()
        if subject is None:
            raise Refused if scope.broken else fields.node.refused(_which(scope))
        if isinstance(subject, ShareOfRobots):
            return replace(subject, comparison=is_.on(SHARE))
        self._allowed(subject, fields.node, scope)
        return Compare(subject, is_.on(scale(subject)))

    def _silent(self, fields: Fields, scope: Scope) -> Condition:
        fields.only(("silent", "over"))
        source = fields.need("silent", self.measures.source)
        over = fields.need("over", values.span, ", such as over: 15m")
        if not source or not over:
            raise Refused
        if source != "robot" and scope.entity != "robot":
            raise fields.node.refused(f"a {scope.entity} has no module {source}; put this in share_of_robots")
        return Silent(source, over)

    def _peers(self, fields: Fields, scope: Scope) -> Condition:
        inner, before = _inside(fields, "peers"), scope.inherited(Peers)
        inner.only(("measure", "same", "min_peers", *STATISTICS))
        measure = self._measure(inner, scope, before.measure if before else None)
        same = inner.read("same", _same, before.same if before else None)
        few = inner.read("min_peers", _min_peers, before.min_peers if before else None)
        _lacking(inner, scope, same, "same", ": [industry, scene]")
        _lacking(inner, scope, few, "min_peers", ", such as min_peers: 12")
        statistic, compared = _statistic(inner)
        if not inner.sound or measure is None or same is None or few is None:
            raise Refused
        return Peers(measure, same, few, statistic, compared)

    def _own_past(self, fields: Fields, scope: Scope) -> Condition:
        inner, before = _inside(fields, "own_past"), scope.inherited(OwnPast)
        inner.only(("measure", "weeks", "change"))
        measure = self._measure(inner, scope, before.measure if before else None)
        weeks = inner.read("weeks", _weeks, before.weeks if before else None)
        _lacking(inner, scope, weeks, "weeks", ", such as weeks: 4")
        change = inner.need("change", _on(CHANGE), ", such as change: below -20%")
        if not inner.sound or measure is None or weeks is None or change is None:
            raise Refused
        if not isinstance(measure, Increase | Ratio):
            raise inner.node.refused(f'"own_past" takes an increase or a ratio, not {measure}')
        if measure.over_ms + weeks * WEEK_MS > values.MAX_DURATION_MS:
            raise inner.node.refused("looks back more than 90d; take fewer weeks, or a shorter window")
        return OwnPast(measure, weeks, change)

    def _share(self, fields: Fields, scope: Scope) -> Condition:
        if scope.within_share or scope.entity == "robot":
            raise fields.node.refused('"share_of_robots" is of a site or customer; for_each says which')
        inner, before = _inside(fields, "share_of_robots"), scope.inherited(ShareOfRobots)
        inner.only(("when", "min_robots", "is"))
        robots = replace(scope, entity="robot", within_share=True, when=before.condition if before else None)
        condition = inner.read("when", self.reader(robots), robots.when)
        _lacking(inner, scope, condition, "when", ": a condition of each robot")
        few = inner.read("min_robots", values.whole(1, MAX_PEERS), before.min_robots if before else 1)
        share = inner.need("is", _on(SHARE), ", such as is: above 50%")
        if not inner.sound or condition is None or share is None:
            raise Refused
        return ShareOfRobots(condition, few, share)

    def _several(self, fields: Fields, key: str, scope: Scope) -> tuple[Condition, ...]:
        fields.only((key,))
        node = fields.entry(key)
        conditions = tuple(each(node, self.reader(scope), f'"{key}"'))
        if isinstance(node, Items) and len(conditions) < len(node.items):
            raise Refused
        if not conditions:
            raise node.refused(f'"{key}" needs at least one condition')
        return conditions

    def _not(self, fields: Fields, scope: Scope) -> Condition:
        fields.only(("not",))
        return Not(self.reader(scope)(fields.entry("not")))

    def _measure(self, fields: Fields, scope: Scope, before: Measure | None) -> Measure | None:
        """Its own, that of the same in `when`, or the rule's."""
        found = fields.read("measure", self.measures.whole, before or scope.measure)
        _lacking(fields, scope, found, "measure", ": its own, or one beside when")
        if found is not None:
            self._allowed(found, fields.node, scope)
        return found

    def _allowed(self, measure: Measure, node: Node, scope: Scope) -> None:
        if isinstance(measure, Gauge) and scope.entity != "robot":
            raise node.refused(f"a gauge cannot be summed over a {scope.entity}; put it in share_of_robots")


def _try(fields: Fields, read: Callable[[], _T]) -> _T | None:
    """What can be read; else None, and why is recorded."""
    try:
        return read()
    except Refused as refused:
        fields.node.source.record(refused)
        return None


def _inside(fields: Fields, key: str) -> Fields:
    fields.only((key,))
    return Fields(fields.entry(key), f'"{key}"')


def _lacking(fields: Fields, scope: Scope, value: object, key: str, why: str) -> None:
    """Says that a value stands neither here nor around, unless what stands around is wrong already."""
    if value is None and key not in fields and not scope.broken:
        fields.node.note(f'{fields.what} needs "{key}"{why}')


def _statistic(fields: Fields) -> tuple[Statistic, Comparison]:
    found = [statistic for statistic in STATISTICS if statistic in fields]
    if not found and not fields.sound:
        raise Refused
    if len(found) != 1:
        wrong = "has both" if found else "needs one of"
        raise fields.node.refused(f'"peers" {wrong} robust_z and percentile, such as robust_z: below -2.5')
    (statistic,) = found
    compared = fields.read(statistic, _on(STATISTICS[statistic]), None)
    if compared is None:
        raise Refused
    return statistic, compared


def _on(scale: Scale) -> Callable[[Node], Comparison | None]:
    def read(node: Node) -> Comparison:
        return comparison(node).on(scale)

    return read


def _same(node: Node) -> tuple[str, ...]:
    """Attributes; none of them is: everyone is a peer."""
    if isinstance(node, Items) and not node.items:
        return ()
    return one_or_more(node, attribute, "attribute")


def _which(scope: Scope) -> str:
    if scope.when is None:
        return '"is" alone needs a measure beside "when"'
    measures = {leaf.measure for leaf in leaves(scope.when) if isinstance(leaf, Compare)}
    return f'"when" has {len(measures) or "no"} measures; say which one is meant'


_min_peers = values.whole(2, MAX_PEERS)
_weeks = values.whole(1, MAX_WEEKS)
