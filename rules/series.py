"""The values of a series in promtool's notation: `5`, `5x3`, `0+4x60`, `_x40`."""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from rules import values
from rules.document import Node, shown

MAX_VALUES = 1_000_000  # of a file
Values = tuple[float | None, ...]
_NUMBER = r"-?\d{1,20}(?:\.\d{1,20})?"
_STEPS = re.compile(rf"(_|{_NUMBER})(?:([+-]\d{{1,20}}(?:\.\d{{1,20}})?))?(?:x(\d{{1,7}}))?", re.ASCII)


class Series:
    """Reads the series of a file, up to `MAX_VALUES` in all."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def read(self, node: Node) -> Values:
        """The values; None is no value. Raises `Refused`."""
        found: list[float | None] = []
        for word in values.words(node):
            step = _STEPS.fullmatch(word)
            if not step or (step[1] == "_" and step[2]):
                cut = word if len(word) <= 60 else f"{word[:57]}…"
                raise node.refused(f'"{cut}" is no series; write such as 0+4x60, 5x3, _x40 or 7')
            self._left -= int(step[3] or 0) + 1
            if self._left < 0:
                raise node.refused(f"more than {MAX_VALUES} values in this file, up to {shown(node)}")
            found += _expanded(step[1], step[2], step[3])
        return tuple(found)


def epochs(counters: Sequence[Values], length: int) -> tuple[int, ...]:
    """By step, how often one of the counters had fallen by then: each time a new epoch begins."""
    falls = [0] * length
    for counter in counters:
        known = [(step, value) for step, value in enumerate(counter) if value is not None]
        for (_, before), (step, value) in pairwise(known):
            falls[step] |= value < before
    return tuple(accumulate(falls))


def length(series: Mapping[str, Values]) -> int:
    """How many steps the longest of them has."""
    return max(map(len, series.values()), default=0)


def _expanded(first: str, step: str | None, times: str | None) -> Sequence[float | None]:
    if first == "_":
        return [None] * int(times or 1)
    return [float(first) + float(step or 0) * number for number in range(int(times or 0) + 1)]
