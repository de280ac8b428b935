"""Decisions made of random bytes, and how long things take in a random world."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property
from typing import Any, TypeVar

from tests.rules.oracle.calendar import local

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
SUNDAY = 1_774_742_400_000  # 2026-03-29 00:00 UTC: an hour later the clocks of Europe go from 2:00 to 3:00

_T = TypeVar("_T")


class Dice:
    """Decisions, from bytes; once these are used up, always the plainest."""

    def __init__(self, drawn: bytes) -> None:
        self._left = iter(drawn)

    def pick(self, options: Sequence[_T]) -> _T:
        """One of them."""
        return options[next(self._left, 0) % len(options)]

    def often(self, plain: _T, *others: _T) -> _T:
        """Half the time the plain one."""
        return self.pick((plain,) * len(others) + others)

    def attribute(self, name: str, *values: Any) -> dict[str, Any]:
        """One of these values, or none."""
        value = self.pick((None, *values))
        return {} if value is None else {name: value}


@dataclass(frozen=True)
class Scale:
    """How long things take in a world."""

    unit: int  # ms
    begin: int
    history: int  # units before the first evaluation
    run: int  # units with evaluations
    intervals: tuple[int, ...]  # units

    @property
    def start(self) -> int:
        """When evaluations begin."""
        return self.begin + self.history * self.unit

    @property
    def end(self) -> int:
        """When samples end."""
        return self.start + self.run * self.unit

    @property
    def over(self) -> int:
        """When evaluations end."""
        return self.end + self.run * self.unit // 8

    @cached_property
    def overs(self) -> tuple[int, ...]:
        """Windows, some of them no multiple of anything."""
        units = (61, 20, 150, 20, 61, 7, 3, 400)
        return (*(count * self.unit for count in units), self.unit * 7 // 2, self.unit * 150 + 1)

    @property
    def long_overs(self) -> tuple[int, ...]:
        """Windows of which more is known."""
        return (150 * self.unit, 61 * self.unit, 400 * self.unit)


# Where there is a history, an engine begins with what it is fed of it; else with the first thing it hears.
_HISTORIES = {SECOND: (0,), MINUTE: (0, 60, 300), HOUR: (400, 0, 60, 800)}


def scale(dice: Dice) -> Scale:
    """Seconds, minutes or hours; around midnight here or there, or around the change of clocks."""
    unit = dice.pick((MINUTE, HOUR, SECOND, HOUR, MINUTE))
    intervals = dice.pick(((1,), (2,), (1, 2), (7, 1), (5, 20), (2, 7), (20,)))
    run = dice.pick((60, 100, 40)) * min(intervals)
    history = dice.pick(_HISTORIES[unit])
    middle = SUNDAY + dice.pick((0, -1, 1, 2, 4, 16)) * HOUR
    begin = middle - (history + run * dice.pick(range(11)) // 10) * unit
    return Scale(unit, begin + dice.often(0, 7), history, run, intervals)


def clock(dice: Dice, span: Scale, tz: tzinfo) -> int:
    """A minute of the day, as the clock shows it at some time of the world."""
    now = local(span.start + dice.pick(range(9)) * span.run * span.unit // 8, tz)
    return now.hour * 60 + now.minute
