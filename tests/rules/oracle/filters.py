"""Who a rule is about."""

from collections.abc import Sequence

from rules.rule import DAYS_SINCE_INSTALL, Filter, OneOf, Prefix, Within
from tests.rules.oracle.calendar import age_in_days
from tests.rules.oracle.records import Attributes


def passes(where: Sequence[Filter], attributes: Attributes, at: int) -> bool:
    """Whether a robot passes all filters; a retired one has to be asked for."""
    asked = any(filter_.attribute == "lifecycle" for filter_ in where)
    if attributes.get("lifecycle") == "retired" and not asked:
        return False
    return all(_passes(filter_, attributes, at) for filter_ in where)


def _passes(filter_: Filter, attributes: Attributes, at: int) -> bool:
    value: str | float | None = attributes.get(filter_.attribute)
    if filter_.attribute == DAYS_SINCE_INSTALL:
        value = age_in_days(attributes, at)
    match filter_:
        case OneOf(_, values):
            return value in values if isinstance(value, str) else value in _numbers(values)
        case Prefix(_, prefix):
            return isinstance(value, str) and value.startswith(prefix)
        case Within(_, start, end):
            if value is None or isinstance(value, str):
                return False
            return (start is None or start <= value) and (end is None or value <= end)


def _numbers(values: Sequence[str]) -> list[float]:
    found = []
    for value in values:
        try:
            found.append(float(value))
        except ValueError:
            continue
    return found
