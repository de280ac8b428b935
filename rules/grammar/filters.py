"""`where`: which robots, by attributes of the roster."""

from collections.abc import Callable
from difflib import get_close_matches

from rules import values
from rules.document import Entries, Fields, Items, Node, Scalar, each, hint, shown
from rules.rule import DAYS_SINCE_INSTALL, Filter, OneOf, Prefix, Within

ATTRIBUTES = ("name", "customer", "site", "industry", "scene", "model", "lifecycle", "tz", DAYS_SINCE_INSTALL)
LIFECYCLES = ("live", "onboarding", "unclaimed", "retired")


def where(node: Node) -> tuple[Filter, ...]:
    """Filters on attributes; all of them must pass."""
    if not isinstance(node, Entries):
        raise node.refused(f"must be a mapping of attributes to values, not {shown(node)}")
    return tuple(_filter(key, value) for key, value in node.entries.values())


def attribute(node: Node) -> str:
    """An attribute that robots can share."""
    name = values.text(node)
    if misspelt(name):
        raise node.refused(f"unknown attribute {shown(node)}{hint(name, ATTRIBUTES)}")
    if name == DAYS_SINCE_INSTALL:
        raise node.refused(f"{DAYS_SINCE_INSTALL} changes every day; use another attribute")
    return name


def misspelt(name: str) -> bool:
    """A rule about an attribute that no robot has would be silent for ever; owners may add others."""
    return name not in ATTRIBUTES and bool(get_close_matches(name[:100], ATTRIBUTES, cutoff=0.85))


def _filter(key: Scalar, value: Node) -> Filter:
    if misspelt(key.text):
        raise key.refused(f"unknown attribute {shown(key)}{hint(key.text, ATTRIBUTES)}")
    if isinstance(value, Items):
        if not value.items:
            raise value.refused("needs at least one value")
        return OneOf(key.text, tuple(each(value, _value(key.text), "values")))
    if isinstance(value, Entries):
        return _range_or_prefix(key.text, value)
    if key.text == DAYS_SINCE_INSTALL:
        raise value.refused("must be a range such as {from: 7, to: 30}")
    return OneOf(key.text, (_value(key.text)(value),))


def _range_or_prefix(name: str, value: Node) -> Filter:
    fields = Fields(value, "a filter")
    if "prefix" in fields and name != DAYS_SINCE_INSTALL:
        fields.only(("prefix",))
        return Prefix(name, fields.read("prefix", values.text, ""))
    fields.only(("from", "to"))
    start, end = (fields.read(end, _number, None) for end in ("from", "to"))
    if start is None and end is None:
        raise value.refused("a filter needs a value, a list of values, {prefix: …} or {from: …, to: …}")
    if start is not None and end is not None and start > end:
        raise value.refused(f"from {start:g} is above to {end:g}; exchange them")
    return Within(name, start, end)


def _number(node: Node) -> float | None:
    return values.number(node)


def _value(name: str) -> Callable[[Node], str]:
    """A lifecycle is one of those there are; of other attributes we know no values."""
    return values.choice(LIFECYCLES) if name == "lifecycle" else values.text
