"""What single values of a rule file mean: words, numbers, durations, comparisons, texts in two languages."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

from rules.document import Fields, Node, Scalar, hint, shown
from rules.rule import Compare, Comparison, Measure, Operator, Text

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_IS = re.compile(r"(above|below|at least|at most|between)\s+(\S.*)")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|([{}])")
PLACEHOLDERS = ("robot", "site", "customer", "since", "value", "threshold", "over")
MAX_DURATION_MS = 90 * 86_400_000
MAX_TEXT = 1_000
_T = TypeVar("_T", bound=str)
Kind = Literal["number", "percent", "duration"]


def text(node: Node) -> str:
    """A text that is not empty."""
    if not isinstance(node, Scalar) or not node.text.strip():
        raise node.refused(f"must be a text, not {shown(node)}")
    if len(node.text) > MAX_TEXT:
        raise node.refused(f"a text of {len(node.text)} characters; {MAX_TEXT} are allowed")
    return node.text


def name(node: Node) -> str:
    """A name such as RobotSilent."""
    found = text(node)
    if not _WORD.fullmatch(found):
        raise node.refused(f"must be a name of letters, digits and _, not {shown(node)}")
    return found


def choice(options: tuple[_T, ...]) -> Callable[[Node], _T]:
    """A reader of one of these words."""

    def read(node: Node) -> _T:
        for option in options:
            if isinstance(node, Scalar) and node.text == option:
                return option
        near = hint(node.text, options) if isinstance(node, Scalar) else ""
        raise node.refused(
            f"must be one of {', '.join(options)}, not {shown(node)}{near if 'mean' in near else ''}"
        )

    return read


def number(node: Node) -> float:
    """A finite number."""
    if isinstance(node, Scalar) and node.plain and _NUMBER.fullmatch(node.text):
        return float(node.text)
    raise node.refused(f"must be a number, not {shown(node)}")


def natural(node: Node) -> float:
    """A number that is not negative."""
    found = number(node)
    if found < 0:
        raise node.refused(f"must not be negative, and is {shown(node)}")
    return found


def span(node: Node) -> int:
    """A duration longer than nothing, in ms."""
    found = delay(node)
    if found == 0:
        raise node.refused("must be longer than nothing")
    return found


def delay(node: Node) -> int:
    """A duration, in ms; `0s` is none."""
    found = _milliseconds(node.text) if isinstance(node, Scalar) else None
    if found is None:
        raise node.refused(f"must be a duration such as 90s, 15m, 6h or 7d, not {shown(node)}")
    if found > MAX_DURATION_MS:
        raise node.refused(f"{shown(node)} is longer than 90d, the longest there is")
    return found


def both(node: Node) -> Text:
    """A text in English and in Chinese."""
    fields = Fields(node, "a text for people")
    fields.only(("en", "zh"))
    en, zh = fields.need("en", text), fields.need("zh", text)
    return Text(en or "", zh or "")


def template(node: Node) -> Text:
    """A text in both languages, with placeholders that are known."""
    fields = Fields(node, "a text for people")
    fields.only(("en", "zh"))
    en, zh = fields.need("en", _template), fields.need("zh", _template)
    return Text(en or "", zh or "")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it stands in a comparison; a duration's in ms."""

    number: float
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Is:
    """A comparison as it stands, before it is known what is compared."""

    node: Node
    operator: Operator
    quantities: tuple[Quantity, ...]

    def of(self, measure: Measure) -> Compare:
        """The comparison in the measure's own unit. Raises `Refused` where units do not fit."""
        bounds = [self._in_unit(quantity, measure) for quantity in self.quantities]
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise self.node.refused(
                f"{self.quantities[0].text} is above {self.quantities[1].text}; exchange them"
            )
        return Compare(measure, Comparison(self.operator, *bounds))

    def _in_unit(self, quantity: Quantity, measure: Measure) -> float:
        unit = measure.unit
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
        counted = f"measured in {unit}" if unit else "a plain number"
        raise self.node.refused(f"{quantity.text} does not fit {measure}, which is {counted}")


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
    if words.endswith("%") and _NUMBER.fullmatch(words[:-1].strip()):
        return Quantity(float(words[:-1]), "percent", words)
    if _NUMBER.fullmatch(words) and math.isfinite(float(words)):
        return Quantity(float(words), "number", words)
    if (ms := _milliseconds(words)) is not None:
        return Quantity(float(ms), "duration", words)
    raise node.refused(f'"{words}" is no number, percentage or duration')


def _milliseconds(words: str) -> int | None:
    if len(words) > 40 or not _DURATION.fullmatch(words):
        return None
    return round(sum(float(count) * _UNITS_MS[unit] for count, unit in _PART.findall(words)))


def _template(node: Node) -> str:
    found = text(node)
    for placeholder, brace in _PLACEHOLDER.findall(found):
        if brace:
            raise node.refused(f"a lone {brace}; placeholders are {_listed()}")
        if placeholder not in PLACEHOLDERS:
            near = hint(placeholder, PLACEHOLDERS)
            raise node.refused(f'unknown placeholder "{{{placeholder}}}"{near}')
    return found


def _listed() -> str:
    return ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
