"""What single values of a rule file mean: words, numbers, durations, texts in two languages."""

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from rules.document import Fields, Node, Scalar, hint, shown
from rules.rule import EntityKind, Text

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.ASCII)
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAY_MINUTES = 24 * 60
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|([{}])")
PLACEHOLDERS = ("robot", "site", "customer", "since", "value", "threshold", "over")
_NOT_OF: dict[EntityKind, tuple[str, ...]] = {"robot": (), "site": ("robot",), "customer": ("robot", "site")}
MAX_DURATION_MS = 90 * 86_400_000
MAX_TEXT = 1_000
MAX_NUMBER = 40  # characters
_MS_DIGITS = 15  # of a time in ms since 1970
_T = TypeVar("_T", bound=str)


def text(node: Node) -> str:
    """A text that is not empty."""
    if not isinstance(node, Scalar) or not node.text.strip():
        raise node.refused(f"must be a text, not {shown(node)}")
    if len(node.text) > MAX_TEXT:
        raise node.refused(f"a text of {len(node.text)} characters; {MAX_TEXT} are allowed")
    return node.text


def words(node: Node) -> list[str]:
    """The words of a text, which may be long."""
    if not isinstance(node, Scalar) or not node.text.strip():
        raise node.refused(f"must be a text, not {shown(node)}")
    return node.text.split()


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
    found = finite(node.text) if isinstance(node, Scalar) and node.plain else None
    if found is None:
        raise node.refused(f"must be a number, not {shown(node)}")
    return found


def whole(least: int, most: int) -> Callable[[Node], int]:
    """A reader of a whole number in this range."""

    def read(node: Node) -> int:
        found = finite(node.text) if isinstance(node, Scalar) and node.plain else None
        if found is None or found != int(found) or not least <= found <= most:
            raise node.refused(f"must be a whole number from {least} to {most}, not {shown(node)}")
        return int(found)

    return read


def share(node: Node) -> float:
    """A percentage from 0 % to 100 %, or a number from 0 to 1, as a fraction."""
    words = node.text.strip() if isinstance(node, Scalar) else ""
    found = finite(words.removesuffix("%").rstrip())
    if found is not None and words.endswith("%"):
        found /= 100
    if found is None or not 0 <= found <= 1:
        raise node.refused(f"must be a percentage from 0% to 100%, not {shown(node)}")
    return found


def natural(node: Node) -> float:
    """A number that is not negative."""
    found = number(node)
    if found < 0:
        raise node.refused(f"must not be negative, and is {shown(node)}")
    return found


def minute_of_day(node: Node) -> int:
    """A time of a day from 00:00 to 24:00, in minutes since it began."""
    found = _TIME.fullmatch(text(node))
    minute = int(found[1]) * 60 + int(found[2]) if found else _DAY_MINUTES + 1
    if minute > _DAY_MINUTES:
        raise node.refused(f"must be a time from 00:00 to 24:00, not {shown(node)}")
    return minute


def span(node: Node) -> int:
    """A duration longer than nothing, in ms."""
    found = delay(node)
    if found == 0:
        raise node.refused("must be longer than nothing")
    return found


def delay(node: Node) -> int:
    """A duration, in ms; `0s` is none."""
    found = milliseconds(node.text) if isinstance(node, Scalar) else None
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


def template(entity: EntityKind) -> Callable[[Node], Text]:
    """A reader of a text in both languages, with placeholders that alerts of such entities fill."""

    def read(node: Node) -> Text:
        fields = Fields(node, "a text for people")
        fields.only(("en", "zh"))
        en, zh = fields.need("en", of_language), fields.need("zh", of_language)
        return Text(en or "", zh or "")

    def of_language(node: Node) -> str:
        return _template(node, entity)

    return read


def finite(words: str) -> float | None:
    """What a number means; None where it is none, or has no end."""
    if len(words) > MAX_NUMBER or not _NUMBER.fullmatch(words):
        return None
    found = float(words)
    return found if math.isfinite(found) else None


def milliseconds(words: str) -> int | None:
    """What a duration means; None where it is none."""
    if len(words) > MAX_NUMBER or not _DURATION.fullmatch(words):
        return None
    return round(sum(float(count) * _UNITS_MS[unit] for count, unit in _PART.findall(words)))


def moment(words: str) -> int | None:
    """What a time with its zone means (RFC 3339, or ms since 1970), in ms; None where it is none."""
    if words.isdecimal() and len(words) <= _MS_DIGITS:
        return int(words)
    try:
        at = datetime.fromisoformat(words)
    except ValueError:
        return None
    return None if at.tzinfo is None else round(at.timestamp() * 1_000)


def _template(node: Node, entity: EntityKind) -> str:
    found = text(node)
    known = [name for name in PLACEHOLDERS if name not in _NOT_OF[entity]]
    for placeholder, brace in _PLACEHOLDER.findall(found):
        if brace:
            listed = ", ".join(f"{{{name}}}" for name in known)
            raise node.refused(f"a lone {brace}; placeholders are {listed}")
        if placeholder in _NOT_OF[entity]:
            raise node.refused(f"an alert of a {entity} has no {{{placeholder}}}; use {{{entity}}}")
        if placeholder not in known:
            raise node.refused(f'unknown placeholder "{{{placeholder}}}"{hint(placeholder, known)}')
    return found
