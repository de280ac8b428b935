"""The roster: robots in a fixed order, and their attributes as masks over it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from rules.rule import DAYS_SINCE_INSTALL, Filter, OneOf, Prefix, Within

Attribute = str | float
_DAY_MS = 86_400_000
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot and what is known of it: name, customer, site, industry, scene, model, lifecycle, tz,
    installed_on (YYYY-MM-DD), and attributes of the owner's own.
    """

    id: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


class Roster:
    """Robots in the order in which they came; a robot keeps its row for good."""

    def __init__(self, robots: Iterable[Robot] = ()) -> None:
        self.robots: tuple[Robot, ...] = tuple(robots)
        self._rows = {robot.id: row for row, robot in enumerate(self.robots)}
        self._masks: dict[tuple[Filter, ...], Mask] = {}
        if len(self._rows) != len(self.robots):
            raise ValueError("a robot stands twice in the roster")

    def __len__(self) -> int:
        return len(self.robots)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._rows

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The robots' ids, by row."""
        return tuple(robot.id for robot in self.robots)

    def index(self, id_: str) -> int:
        """The row of a robot. Raises `KeyError` where it is not in the roster."""
        return self._rows[id_]

    def joined(self, robots: Iterable[Robot]) -> "Roster":
        """With these robots: a known one has the new attributes, a new one comes after the others."""
        merged = {robot.id: robot for robot in self.robots}
        merged.update((robot.id, robot) for robot in robots)
        return Roster(merged.values())

    def mask(self, where: Sequence[Filter]) -> Mask:
        """Who passes all filters. Retired robots pass only filters that ask for a lifecycle.

        `days_since_install` is left to `days_mask`, since it changes with time.
        """
        if tuple(where) not in self._masks:
            self._masks[tuple(where)] = self._mask(where)
        return self._masks[tuple(where)]

    def _mask(self, where: Sequence[Filter]) -> Mask:
        mask = np.ones(len(self), dtype=np.bool_)
        filters = [filter_ for filter_ in where if filter_.attribute != DAYS_SINCE_INSTALL]
        if not any(filter_.attribute == "lifecycle" for filter_ in filters):
            mask &= ~self._matching("lifecycle", lambda value: value == "retired")
        for filter_ in filters:
            mask &= self._matching(filter_.attribute, _test(filter_))
        return mask

    def days_mask(self, where: Sequence[Filter], at: int) -> Mask:
        """Who passes the filters on `days_since_install` at that time."""
        days = np.floor((at - self._installed_at) / _DAY_MS)
        mask = ~np.isnan(days)
        for filter_ in where:
            if isinstance(filter_, Within) and filter_.attribute == DAYS_SINCE_INSTALL:
                mask &= days >= (-np.inf if filter_.start is None else filter_.start)
                mask &= days <= (np.inf if filter_.end is None else filter_.end)
        return mask

    def _matching(self, attribute: str, test: Callable[[Attribute], bool]) -> Mask:
        values = (robot.attributes.get(attribute) for robot in self.robots)
        hits = (value is not None and test(value) for value in values)
        return np.fromiter(hits, dtype=np.bool_, count=len(self))

    @cached_property
    def _installed_at(self) -> NDArray[np.float64]:
        """Midnight of the day of installation in the robot's own time zone; NaN where not known."""
        starts = (_installed_at(robot.attributes) for robot in self.robots)
        return np.fromiter(starts, dtype=np.float64, count=len(self))


def _test(filter_: Filter) -> Callable[[Attribute], bool]:
    match filter_:
        case OneOf(_, values):
            numbers = {_number(value) for value in values}
            return lambda value: value in (values if isinstance(value, str) else numbers)
        case Prefix(_, prefix):
            return lambda value: isinstance(value, str) and value.startswith(prefix)
        case Within(_, start, end):
            low = -np.inf if start is None else start
            high = np.inf if end is None else end
            return lambda value: not isinstance(value, str) and low <= value <= high


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _installed_at(attributes: Mapping[str, Attribute]) -> float:
    try:
        day = date.fromisoformat(str(attributes.get("installed_on", "")))
    except ValueError:
        return np.nan
    midnight = datetime.combine(day, time(), tzinfo=_zone(attributes.get("tz")))
    return midnight.timestamp() * 1000


def _zone(name: Attribute | None) -> tzinfo:
    try:
        return ZoneInfo(str(name)) if name else UTC
    except (LookupError, ValueError, OSError):
        return UTC
