"""The language of conditions: what stands under `when`, `clear_when` and `where`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from rules import values
from rules.document import Entries, Fields, Items, Node, Refused, Scalar, each, hint, shown
from rules.metrics import Kind, Metric
from rules.rule import (
    DAYS_SINCE_INSTALL,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Filter,
    Gauge,
    Increase,
    Measure,
    Not,
    OneOf,
    Prefix,
    Ratio,
    Reduce,
    Silent,
    Within,
    leaves,
)

REDUCES: tuple[Reduce, ...] = ("last", "min", "max", "mean")
# Known to the design, and not in this version: each has its place here and nowhere else.
LATER_CONDITIONS = ("active_days", "fluctuation", "peers", "own_past", "share_of_robots", "measure")
LATER_RULE_KEYS = ("active_time_intervals", "mute_time_intervals", "flapping", "measure")
LATER_FILE_KEYS = ("inhibit_rules", "time_intervals")
LATER_ENTITIES = ("site", "customer")
ATTRIBUTES = ("name", "customer", "site", "industry", "scene", "model", "lifecycle", "tz", DAYS_SINCE_INSTALL)
LIFECYCLES = ("live", "onboarding", "unclaimed", "retired")


@dataclass(frozen=True, slots=True)
class Grammar:
    """Reads conditions over the metrics of a catalogue. Every method raises `Refused`."""

    metrics: Mapping[str, Metric]

    def condition(self, node: Node) -> Condition:
        """A whole condition."""
        fields = Fields(node, "a condition")
        forms = {
            "increase": self._compared,
            "ratio": self._compared,
            "gauge": self._compared,
            "silent": self._silent,
            "all": lambda fields: AllOf(self._several(fields, "all")),
            "any": lambda fields: AnyOf(self._several(fields, "any")),
            "not": self._not,
        }
        return self._form(fields, forms)(fields)

    def clear_when(self, when: Condition | None) -> Callable[[Node], Condition]:
        """A reader of `clear_when`: a whole condition, or `is` alone, about the measure of `when`."""

        def read(node: Node) -> Condition:
            if not isinstance(node, Entries) or set(node.entries) != {"is"}:
                return self.condition(node)
            is_ = values.comparison(node.entries["is"][1])
            measures = {leaf.measure for leaf in leaves(when) if isinstance(leaf, Compare)} if when else set()
            if when is not None and len(measures) != 1:
                raise node.refused(f'"when" has {len(measures) or "no"} measures; say which one is meant')
            return is_.of(measures.pop()) if measures else AllOf(())

        return read

    def where(self, node: Node) -> tuple[Filter, ...]:
        """Filters on attributes; all of them must pass."""
        if not isinstance(node, Entries):
            raise node.refused(f"must be a mapping of attributes to values, not {shown(node)}")
        return tuple(_filter(key, value) for key, value in node.entries.values())

    def _form(
        self, fields: Fields, forms: Mapping[str, Callable[[Fields], Condition]]
    ) -> Callable[[Fields], Condition]:
        found = [key for key in forms if key in fields]
        if len(found) == 1:
            return forms[found[0]]
        if found:
            raise fields.node.refused(f"{' and '.join(found)} in one condition; join them with all or any")
        fields.only([*forms, "is", "over", "reduce"], LATER_CONDITIONS)
        if not fields.sound:
            raise Refused
        raise fields.node.refused(f"a condition needs one of {', '.join(forms)}")

    def _compared(self, fields: Fields) -> Condition:
        measure = self._measure(fields)
        is_ = fields.need("is", values.comparison, ", such as is: at least 5")
        if measure is None or is_ is None:
            raise Refused
        return is_.of(measure)

    def _measure(self, fields: Fields) -> Measure | None:
        if "ratio" in fields:
            fields.only(("ratio", "is"))
            return fields.read("ratio", self._ratio, None)
        over = fields.need("over", values.span, ", such as over: 6h")
        if "increase" in fields:
            fields.only(("increase", "over", "is"))
            counters = fields.read("increase", self._counters, None)
            return Increase(counters, over, self._unit(counters)) if counters and over else None
        fields.only(("gauge", "reduce", "over", "is"))
        gauge = fields.read("gauge", self._metric("gauge"), "")
        reduce = fields.need("reduce", values.choice(REDUCES), f": one of {', '.join(REDUCES)}")
        return Gauge(gauge, reduce, over, self._unit((gauge,))) if gauge and reduce and over else None

    def _ratio(self, node: Node) -> Ratio | None:
        fields = Fields(node, "a ratio")
        fields.only(("of", "to", "over", "min_samples"))
        of = fields.need("of", self._counters)
        to = fields.need("to", self._counters)
        over = fields.need("over", values.span, ", such as over: 1h")
        minimum = fields.read("min_samples", values.natural, 1.0)
        return Ratio(of, to, over, max(minimum, 1.0)) if of and to and over else None

    def _silent(self, fields: Fields) -> Condition:
        fields.only(("silent", "over"))
        source = fields.need("silent", self._source)
        over = fields.need("over", values.span, ", such as over: 15m")
        if not source or not over:
            raise Refused
        return Silent(source, over)

    def _several(self, fields: Fields, key: str) -> tuple[Condition, ...]:
        fields.only((key,))
        node = fields.node.entries[key][1]
        conditions = tuple(each(node, self.condition, f'"{key}"'))
        if isinstance(node, Items) and len(conditions) < len(node.items):
            raise Refused
        if not conditions:
            raise node.refused(f'"{key}" needs at least one condition')
        return conditions

    def _not(self, fields: Fields) -> Condition:
        fields.only(("not",))
        return Not(self.condition(fields.node.entries["not"][1]))

    def _counters(self, node: Node) -> tuple[str, ...]:
        if not isinstance(node, Items):
            return (self._metric("counter")(node),)
        found = each(node, self._metric("counter"), "counters")
        if not node.items:
            raise node.refused("needs at least one counter")
        if len(set(found)) < len(found):
            raise node.refused("a counter stands twice")
        return tuple(found)

    def _metric(self, kind: Kind) -> Callable[[Node], str]:
        def read(node: Node) -> str:
            name = values.text(node)
            metric = self.metrics.get(name)
            if metric is None:
                raise node.refused(f'unknown metric "{name}"{self._near(name, kind)}')
            if metric.kind != kind:
                use = "gauge" if metric.kind == "gauge" else "increase or ratio"
                raise node.refused(f'"{name}" is a {metric.kind}, not a {kind}; use {use} for it')
            return name

        return read

    def _near(self, name: str, kind: Kind) -> str:
        alike = [known for known, metric in self.metrics.items() if metric.kind == kind]
        near = hint(name, alike)
        return near if "did you mean" in near else "; it is not in the catalogue"

    def _unit(self, metrics: tuple[str, ...]) -> str:
        """The unit that all of them share."""
        units = {self.metrics[metric].unit for metric in metrics if metric}
        return units.pop() if len(units) == 1 else ""

    def _source(self, node: Node) -> str:
        source = values.text(node)
        known = [
            "robot",
            *(metric.subsystem for metric in self.metrics.values() if metric.name.endswith(".up")),
        ]
        if source not in known:
            raise node.refused(f'unknown subsystem "{source}"{hint(source, known)}')
        return source


def _filter(key: Scalar, value: Node) -> Filter:
    if _misspelt(key.text):
        raise key.refused(f'unknown attribute "{key.text}"{hint(key.text, ATTRIBUTES)}')
    if isinstance(value, Items):
        if not value.items:
            raise value.refused("needs at least one value")
        return OneOf(key.text, tuple(each(value, _value(key.text), "values")))
    if isinstance(value, Entries):
        return _range_or_prefix(key.text, value)
    if key.text == DAYS_SINCE_INSTALL:
        raise value.refused("must be a range such as {from: 7, to: 30}")
    return OneOf(key.text, (_value(key.text)(value),))


def _range_or_prefix(attribute: str, value: Node) -> Filter:
    fields = Fields(value, "a filter")
    if "prefix" in fields and attribute != DAYS_SINCE_INSTALL:
        fields.only(("prefix",))
        return Prefix(attribute, fields.read("prefix", values.text, ""))
    fields.only(("from", "to"))
    start, end = (fields.read(end, _number, None) for end in ("from", "to"))
    if start is None and end is None:
        raise value.refused("a filter needs a value, a list of values, {prefix: …} or {from: …, to: …}")
    if start is not None and end is not None and start > end:
        raise value.refused(f"from {start:g} is above to {end:g}; exchange them")
    return Within(attribute, start, end)


def _number(node: Node) -> float | None:
    return values.number(node)


def _value(attribute: str) -> Callable[[Node], str]:
    """A lifecycle is one of those there are; of other attributes we know no values."""
    return values.choice(LIFECYCLES) if attribute == "lifecycle" else values.text


def _misspelt(attribute: str) -> bool:
    """A rule about an attribute that no robot has would be silent for ever; owners may add others."""
    return attribute not in ATTRIBUTES and bool(get_close_matches(attribute, ATTRIBUTES, cutoff=0.85))
