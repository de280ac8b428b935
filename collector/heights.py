"""How high the counters of every epoch stand: within an epoch, none of them falls.

An epoch has a place, and the counters of its highest sample stand there, a row of a matrix: a fleet is
large, and a row is 8 bytes a counter. A round of samples is held against them at once; only epochs in which
something is wrong are looked at sample by sample.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.stores.rows import MISSING, Flags, Integers

_FIRST_ROOM: Final = 1_024
_NOTHING: Final = 0  # no sample has this number


@dataclass(frozen=True, slots=True)
class Found:
    """A sample that cannot be: `row` of the round, whose `counter` contradicts that of sample `other`."""

    row: int
    seq: int
    other: int
    counter: str
    before: int  # the value of the earlier of the two
    after: int  # of the later: less


class Heights:
    """The highest sample of each epoch, and, where a backlog fills a gap below it, the last one taken."""

    def __init__(self, counters: Iterable[str]) -> None:
        self._counters = tuple(counters)
        self._places = 0
        self._highest = np.full((_FIRST_ROOM, len(self._counters)), MISSING, dtype=np.int64)
        self._highest_seq = np.full(_FIRST_ROOM, _NOTHING, dtype=np.int64)
        self._before: dict[int, tuple[int, Integers]] = {}  # by place: the last sample below the highest

    def new_place(self) -> int:
        """A place for an epoch of which nothing is known."""
        place, self._places = self._places, self._places + 1
        if place == len(self._highest):
            self._highest = np.concatenate([self._highest, np.full_like(self._highest, MISSING)])
            self._highest_seq = np.concatenate([self._highest_seq, np.full_like(self._highest_seq, _NOTHING)])
        return place

    def remember(self, place: int, seq: int, counters: Mapping[str, int]) -> None:
        """Later samples are held against this one."""
        self._remember(
            place, seq, np.array([counters.get(name, MISSING) for name in self._counters], dtype=np.int64)
        )

    def take(self, places: NDArray[np.intp], seqs: Integers, counters: Integers) -> list[Found]:
        """Remembers the samples of a round; `counters` is [counter, sample]. Says which cannot be."""
        if not len(places):
            return []
        order = np.lexsort((seqs, places))
        place, seq, values = places[order], seqs[order], counters.T[order]
        wrong = self._contradicted(place, seq, values)
        if not wrong.any():
            self._remember_all(place, seq, values)
            return []
        doubtful = np.isin(place, place[wrong])
        sound = ~doubtful
        self._remember_all(place[sound], seq[sound], values[sound])
        rows = np.sort(order[doubtful])
        found = (
            self._take_one(row, int(places[row]), int(seqs[row]), counters[:, row]) for row in rows.tolist()
        )
        return [wrong for wrong in found if wrong is not None]

    def _contradicted(self, place: NDArray[np.intp], seq: Integers, values: Integers) -> Flags:
        """Samples in order of (place, seq): which are below the one before them, or above the highest."""
        earlier = np.empty_like(values)
        earlier[1:] = values[:-1]
        first = np.ones(len(place), dtype=np.bool_)
        first[1:] = np.diff(place) != 0
        highest, highest_seq = self._highest[place], self._highest_seq[place]
        late = seq < highest_seq
        earlier[first] = np.where(late[first, None], MISSING, highest[first])
        overtaking = ~first & ~late  # the first one above the highest, after some below it
        overtaking[1:] &= late[:-1]
        earlier[overtaking] = highest[overtaking]
        wrong: Flags = _falls(earlier, values)
        if late.any():
            wrong[late] |= _falls(values[late], highest[late])
            self._hold_against_before(np.flatnonzero(late & first), place, seq, values, wrong)
        return wrong

    def _hold_against_before(
        self,
        rows: NDArray[np.intp],
        place: NDArray[np.intp],
        seq: Integers,
        values: Integers,
        wrong: Flags,
    ) -> None:
        for row in rows.tolist():
            before_seq, before = self._before.get(int(place[row]), (_NOTHING, None))
            if before is not None and before_seq < seq[row]:
                wrong[row] |= bool(_falls(before, values[row]))

    def _remember_all(self, place: NDArray[np.intp], seq: Integers, values: Integers) -> None:
        """Samples in order of (place, seq); of each place the last is the highest, or the one before it."""
        if not len(place):
            return
        last = np.ones(len(place), dtype=np.bool_)
        last[:-1] = np.diff(place) != 0
        place, seq, values = place[last], seq[last], values[last]
        new = seq >= self._highest_seq[place]
        self._highest[place[new]] = values[new]
        self._highest_seq[place[new]] = seq[new]
        if self._before:
            for number in place[new].tolist():
                self._before.pop(number, None)
        for row in np.flatnonzero(~new).tolist():
            self._before[int(place[row])] = (int(seq[row]), values[row].copy())

    def _remember(self, place: int, seq: int, values: Integers) -> None:
        self._remember_all(np.array([place]), np.array([seq]), values[None, :])

    def _take_one(self, row: int, place: int, seq: int, values: Integers) -> Found | None:
        """One sample; if it is refused, it is not remembered."""
        highest_seq, highest = int(self._highest_seq[place]), self._highest[place]
        if seq > highest_seq:
            wrong = self._compare(row, seq, highest_seq, highest, values)
        else:
            wrong = self._compare(row, seq, highest_seq, values, highest)
            before_seq, before = self._before.get(place, (_NOTHING, None))
            if wrong is None and before is not None and before_seq < seq:
                wrong = self._compare(row, seq, before_seq, before, values)
        if wrong is None:
            self._remember(place, seq, values)
        return wrong

    def _compare(self, row: int, seq: int, other: int, earlier: Integers, later: Integers) -> Found | None:
        fallen = np.flatnonzero((later < earlier) & (later != MISSING))
        if not fallen.size:
            return None
        at = int(fallen[0])
        return Found(row, seq, other, self._counters[at], int(earlier[at]), int(later[at]))


def _falls(earlier: Integers, later: Integers) -> Flags:
    """Whether any counter that both have falls."""
    fallen: Flags = ((later < earlier) & (later != MISSING)).any(axis=-1)
    return fallen
