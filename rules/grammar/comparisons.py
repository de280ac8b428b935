"""Comparisons: `above 25%`, `at least 5`, `between 2 and 4`; and whether their units fit what is compared."""

import re
from dataclasses import dataclass
from math import inf
from typing import Literal, cast

from rules import values
from rules.document import Node, Scalar, shown
from rules.rule import DAY_MS, ActiveDays, Comparison, Fluctuation, Gauge, Increase, Measure, Operator, Ratio

_IS = re.compile(r"(above|below|at least|at most|between)\s+(\S.*)")


@dataclass(frozen=True, slots=True)
class Scale:
    """What something is measured in, and from where to where it goes; a plain number perhaps not so far."""

    subject: str
    unit: str  # "ratio" for a fraction
    least: float = -inf
    most: float = inf
    plain_least: float = -inf
    plain_most: float = inf


ROBUST_Z = Scale("a robust z", "")
PERCENTILE = Scale("a percentile", "ratio", 0, 1)
SHARE = Scale("a share of robots", "ratio", 0, 1)
CHANGE = Scale("a change", "ratio", -1, inf, -1, 1)


def scale(measure: Measure) -> Scale:
    """The scale of a measure."""
    match measure:
        case Gauge():
            return Scale(str(measure), measure.unit)
        case Increase():
            return Scale(str(measure), measure.unit, 0)
        case Ratio() | Fluctuation():
            return Scale(str(measure), measure.unit, 0, inf, 0, 1)
        case ActiveDays():
            return Scale(str(measure), measure.unit, 0, measure.days)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it stands in a comparison; a duration's in ms."""

    number: float
    kind: Literal["number", "percent", "duration"]
    text: str


@dataclass(frozen=True, slots=True)
class Is:
    """A comparison as it stands, before it is known what is compared."""

    node: Node
    operator: Operator
    quantities: tuple[Quantity, ...]

    def on(self, scale: Scale) -> Comparison:
        """The comparison in the unit of the scale. Raises `Refused` where it does not fit."""
        bounds = [self._bound(quantity, scale) for quantity in self.quantities]
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            first, second = (quantity.text for quantity in self.quantities)
            raise self.node.refused(f"{first} is above {second}; exchange them")
        return Comparison(self.operator, *bounds)

    def _bound(self, quantity: Quantity, scale: Scale) -> float:
        bound = _in_unit(quantity, scale.unit)
        if bound is None:
            raise self.node.refused(f"{quantity.text} does not fit {scale.subject}, which is {_unit(scale)}")
        if scale.unit == "ratio" and quantity.kind == "number":
            self._plain(quantity, scale)
        if not scale.least <= bound <= scale.most:
            raise self.node.refused(f"{quantity.text} does not fit {scale.subject}, which is {_range(scale)}")
        return bound

    def _plain(self, quantity: Quantity, scale: Scale) -> None:
        if not scale.plain_least <= quantity.number <= scale.plain_most:
            advice = f"a fraction; write {quantity.text}%, or a number from {max(scale.least, -1):g} to 1"
            raise self.node.refused(f"{quantity.text} does not fit {scale.subject}, which is {advice}")


def comparison(node: Node) -> Is:
    """`above 25%`, `at least 5`, `between 10 and 20`, `above 10m`."""
    words = " ".join(node.text.split()) if isinstance(node, Scalar) else ""
    found = _IS.fullmatch(words)
    if not found:
        raise node.refused(
            f"must be such as above 25%, at least 5, at most 10m or between 2 and 4, not {shown(node)}"
        )
    operator = cast(Operator, found[1])
    parts = found[2].split(" and ") if operator == "between" else [found[2]]
    if operator == "between" and len(parts) != 2:
        raise node.refused(f"between needs two values: between 2 and 4, not {shown(node)}")
    return Is(node, operator, tuple(_quantity(node, part.strip()) for part in parts))


def _quantity(node: Node, words: str) -> Quantity:
    number = values.finite(words.removesuffix("%").rstrip())
    if number is not None:
        return Quantity(number, "percent" if words.endswith("%") else "number", words)
    if (ms := values.milliseconds(words)) is not None:
        return Quantity(float(ms), "duration", words)
    cut = words if len(words) <= 60 else f"{words[:57]}…"
    raise node.refused(f'"{cut}" is no number, percentage or duration')


def _in_unit(quantity: Quantity, unit: str) -> float | None:
    match quantity.kind, unit:
        case "number", _:
            return quantity.number
        case "percent", "ratio":
            return quantity.number / 100
        case "percent", "%":
            return quantity.number
        case "duration", "s":
            return quantity.number / 1_000
        case "duration", "ms":
            return quantity.number
        case "duration", "d":
            return quantity.number / DAY_MS
    return None


def _unit(scale: Scale) -> str:
    match scale.unit:
        case "ratio":
            return "a fraction"
        case "d":
            return "a number of days"
        case "":
            return "a plain number"
    return f"measured in {scale.unit}"


def _range(scale: Scale) -> str:
    if scale.unit == "ratio":
        most = "" if scale.most == inf else f" to {scale.most:.0%}"
        return f"from {scale.least:.0%}{most}" if most else f"never below {scale.least:.0%}"
    return f"from {scale.least:g} to {scale.most:g}" if scale.most < inf else f"never below {scale.least:g}"
