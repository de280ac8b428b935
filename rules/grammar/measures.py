"""What can be measured: increases, ratios, gauges, days, over the metrics of a catalogue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rules import values
from rules.document import Fields, Node, Refused, hint, one_or_more, shown
from rules.metrics import Kind, Metric
from rules.rule import DAY_MS, ActiveDays, Fluctuation, Gauge, Increase, Measure, Ratio, Reduce

REDUCES: tuple[Reduce, ...] = ("last", "min", "max", "mean")
MEASURES = ("increase", "ratio", "gauge", "active_days", "fluctuation")
MAX_DAYS = 35


@dataclass(frozen=True, slots=True)
class Measures:
    """Reads measures over the metrics of a catalogue. Every method raises `Refused`."""

    metrics: Mapping[str, Metric]

    def whole(self, node: Node) -> Measure:
        """A measure that stands alone: `{increase: …, over: …}`."""
        fields = Fields(node, "a measure")
        found = [key for key in MEASURES if key in fields]
        if len(found) == 1:
            return self.among(fields, ())
        if "is" in fields:
            raise fields.node.refused('a measure has no "is"; that stands under "when"')
        fields.only((*MEASURES, "over", "reduce"))
        if not fields.sound:
            raise Refused
        raise node.refused(f"a measure needs one of {', '.join(MEASURES)}")

    def among(self, fields: Fields, others: tuple[str, ...]) -> Measure:
        """The measure among the keys of a mapping, which may have these others."""
        forms: dict[str, Callable[[Fields, tuple[str, ...]], Measure | None]] = {
            "increase": self._increase,
            "gauge": self._gauge,
            "ratio": self._nested("ratio", self._ratio),
            "active_days": self._nested("active_days", self._active_days),
            "fluctuation": self._nested("fluctuation", self._fluctuation),
        }
        measure = next(read for key, read in forms.items() if key in fields)(fields, others)
        if measure is None:
            raise Refused
        return measure

    def source(self, node: Node) -> str:
        """What can be silent: the robot, or a subsystem whose module says that it is up."""
        source = values.text(node)
        modules = [
            metric.subsystem for metric in self.metrics.values() if metric.name == f"{metric.subsystem}.up"
        ]
        if source not in ("robot", *modules):
            raise node.refused(f"unknown subsystem {shown(node)}{hint(source, ['robot', *modules])}")
        return source

    def _nested(
        self, key: str, reader: Callable[[Node], Measure | None]
    ) -> Callable[[Fields, tuple[str, ...]], Measure | None]:
        def read(fields: Fields, others: tuple[str, ...]) -> Measure | None:
            fields.only((key, *others))
            return fields.read(key, reader, None)

        return read

    def _increase(self, fields: Fields, others: tuple[str, ...]) -> Increase | None:
        fields.only(("increase", "over", *others))
        counters = fields.read("increase", self._counters, None)
        over = fields.need("over", values.span, ", such as over: 6h")
        return Increase(counters, over, self._unit(counters)) if counters and over else None

    def _gauge(self, fields: Fields, others: tuple[str, ...]) -> Gauge | None:
        fields.only(("gauge", "reduce", "over", *others))
        gauge = fields.read("gauge", self._metric("gauge"), "")
        reduce = fields.need("reduce", values.choice(REDUCES), f": one of {', '.join(REDUCES)}")
        over = fields.need("over", values.span, ", such as over: 6h")
        return Gauge(gauge, reduce, over, self._unit((gauge,))) if gauge and reduce and over else None

    def _ratio(self, node: Node) -> Ratio | None:
        fields = Fields(node, "a ratio")
        fields.only(("of", "to", "over", "min_samples"))
        of = fields.need("of", self._counters)
        to = fields.need("to", self._counters)
        over = fields.need("over", values.span, ", such as over: 1h")
        minimum = fields.read("min_samples", values.natural, 1.0)
        return Ratio(of, to, over, max(minimum, 1.0)) if of and to and over else None

    def _active_days(self, node: Node) -> ActiveDays | None:
        fields = Fields(node, '"active_days"')
        fields.only(("of", "at_least", "over"))
        of = fields.need("of", self._counters)
        at_least = fields.need("at_least", _positive, ", such as at_least: 1")
        days = fields.need("over", whole_days, ", such as over: 14d")
        return ActiveDays(of, at_least, days) if of and at_least and days else None

    def _fluctuation(self, node: Node) -> Fluctuation | None:
        fields = Fields(node, '"fluctuation"')
        fields.only(("of", "per", "over"))
        of = fields.need("of", self._counters)
        fields.read("per", values.choice(("day",)), "day")
        days = fields.need("over", whole_days, ", such as over: 14d")
        return Fluctuation(of, days) if of and days else None

    def _counters(self, node: Node) -> tuple[str, ...]:
        return one_or_more(node, self._metric("counter"), "counter")

    def _metric(self, kind: Kind) -> Callable[[Node], str]:
        def read(node: Node) -> str:
            name = values.text(node)
            metric = self.metrics.get(name)
            if metric is None:
                raise node.refused(f"unknown metric {shown(node)}{self._near(name, kind)}")
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


def whole_days(node: Node) -> int:
    """A duration of whole days, as many as days are kept."""
    over = values.span(node)
    if over % DAY_MS or over > MAX_DAYS * DAY_MS:
        raise node.refused(f"must be whole days from 1d to {MAX_DAYS}d, not {shown(node)}")
    return over // DAY_MS


def _positive(node: Node) -> float:
    found = values.number(node)
    if found <= 0:
        raise node.refused(f"must be above 0, and is {shown(node)}")
    return found
