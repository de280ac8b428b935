"""A strip of time: what becomes visible in it, and what was the newest of it at every evaluation.

A strip is so short that every evaluation in it can be reckoned in one pass: nothing in it changes a level of
the past. Where something does (see `chain.py`), the strip has one time of evaluation alone, its end.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from rules.chain import Chain, Old
from rules.columns import NEVER, Columns, Flags, Floats, Rows, Times

Picked = Rows | slice
ALL: Final = slice(None)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest sample of every robot as of some times; both [time, robot].

    `place` is that of a sample in the strip, after as many places as there are robots: the first ones stand
    for what a robot had sent before the strip.
    """

    at: Times
    place: Rows


class _Order(NamedTuple):
    """Samples in an order; of each two that follow each other, how much later the second is, and whether both
    are of one robot.
    """

    places: Rows
    later: Times
    same: Flags


class Strip:
    """The samples that become visible in (since, until], over the levels of before."""

    def __init__(
        self, samples: Columns, olds: list[Old], chain: Chain, since: int, until: int, *, single: bool
    ) -> None:
        self.samples = samples
        self.olds = olds
        self.since = since
        self.until = until
        self.single = single  # its end is its only time of evaluation: what is after it is all that matters
        self.current = samples.epoch == chain.epoch[samples.row]
        self.chain = chain
        self.at_before = chain.at.copy()
        self._level_before = chain.level if single else chain.level.copy()
        self._present_before = chain.present if single else chain.present.copy()
        self._values: dict[int, Floats] = {}

    def keep(self, heard: Times, gauges: Floats, gauges_at: Times) -> None:
        """What is known beside levels, of before the strip."""
        copied = not self.single
        self.heard_before = heard.copy() if copied else heard
        self.gauges_before = gauges.copy() if copied else gauges
        self.gauges_at_before = gauges_at.copy() if copied else gauges_at

    def newest(self, bucket: Times, count: int) -> Newest:
        """As of `count` times: a sample counts from the time that `bucket` numbers on."""
        samples, robots = self.samples, len(self.at_before)
        use = self.current & (bucket < count) & (samples.t >= self.at_before[samples.row])
        use[self._outdone] = False
        chosen = np.flatnonzero(use)
        flat = np.maximum(bucket[chosen], 0) * robots + samples.row[chosen]
        at = np.full((count, robots), NEVER)
        at[0] = self.at_before
        place = np.broadcast_to(np.arange(robots), (count, robots)).copy()
        if self._in_order:
            at.reshape(-1)[flat] = samples.t[chosen]
        else:
            np.maximum.at(at.reshape(-1), flat, samples.t[chosen])
            newest = samples.t[chosen] == at.reshape(-1)[flat]
            flat, chosen = flat[newest], chosen[newest]
        place.reshape(-1)[flat] = robots + chosen
        return _carried(at, place)

    @cached_property
    def _by_robot(self) -> _Order:
        """The samples of a robot one after another, in the order in which they came."""
        row = self.samples.row
        order = np.argsort(row.astype(np.uint16), kind="stable")  # a radix sort, of the lower half
        if len(self.at_before) > np.iinfo(np.uint16).max:
            order = order[np.argsort((row[order] >> 16).astype(np.uint16), kind="stable")]
        return self._ordered(order)

    def _ordered(self, order: Rows) -> _Order:
        return _Order(order, np.diff(self.samples.t[order]), np.diff(self.samples.row[order]) == 0)

    @cached_property
    def _in_order(self) -> bool:
        """Whether the samples of every robot come in the order of their times: the last one is the newest."""
        return not (self._by_robot.same & (self._by_robot.later < 0)).any()

    @cached_property
    def _outdone(self) -> Rows:
        """Samples that tell nothing: one of the same robot and time rose higher, and came before."""
        row, t = self.samples.row, self.samples.t
        order, later, same = self._by_robot if self._in_order else self._ordered(np.lexsort((t, row)))
        tied = np.flatnonzero(same & (later == 0))
        falls = self._height(order[tied + 1]) < self._height(order[tied])
        if not falls.any():
            return tied[:0]
        found: list[int] = []
        highest: dict[tuple[int, int], float] = {}
        places = order[np.union1d(tied, tied + 1)]
        for place, height in zip(places.tolist(), self._height(places).tolist(), strict=True):
            key = int(row[place]), int(t[place])
            if height < highest.setdefault(key, height):
                found.append(place)
            highest[key] = max(height, highest[key])
        return np.array(found, dtype=np.intp)

    def _height(self, places: Rows) -> Floats:
        """Within an epoch, a sample with a higher sum of counters is a later one."""
        height: Floats = np.nansum(self.samples.counters(range(len(self._level_before)), places), axis=0)
        return height

    def last(self) -> tuple[Rows, Rows, Rows]:
        """Robots with a newer sample, where the newest stands in `samples`, and others of its time."""
        samples, robots = self.samples, len(self.at_before)
        at = self.at_before.copy()
        np.maximum.at(at, samples.row[self.current], samples.t[self.current])
        newest = np.flatnonzero(self.current & (samples.t == at[samples.row]))
        place = np.full(robots, -1, dtype=np.intp)
        place[samples.row[newest]] = newest
        rows = np.flatnonzero(place >= 0)
        return rows, place[rows], newest[place[samples.row[newest]] != newest]

    def level_before(self, counter: int) -> Floats:
        """[robot]: the level of a counter before the strip."""
        level: Floats = self._level_before[counter]
        return level

    def level(self, counter: int, place: Rows, robots: Picked) -> Floats:
        """The levels of samples; `place` [time, robot] as in `Newest`."""
        level: Floats = self._extended(counter)[place] + self.chain.offset[counter, robots]
        return level

    def lacks(self, counter: int) -> bool:
        """Whether a sample lacks the counter."""
        return self.samples.lacks(counter)

    def known(self, counter: int, place: Rows) -> Flags | None:
        """Whether samples have the counter; None: all do."""
        before = self._present_before[counter]
        if not self.lacks(counter) and (before | (self.at_before == NEVER)).all():
            return None
        has: Flags = np.concatenate([before, ~np.isnan(self.samples.counter(counter))])[place]
        return has

    def _extended(self, counter: int) -> Floats:
        """Values before the strip, one a robot, then those of its samples."""
        if counter not in self._values:
            before = self._level_before[counter] - self.chain.offset[counter]
            values = self.samples.counter(counter)
            if self.lacks(counter):
                values = np.where(np.isnan(values), before[self.samples.row], values)
            self._values[counter] = np.concatenate([before, values])
        return self._values[counter]


def _carried(at: Times, place: Rows) -> Newest:
    """What was newest stays so until something newer comes."""
    if len(at) == 1:
        return Newest(at, place)
    running = np.maximum.accumulate(at, axis=0)
    number = np.where(at == running, np.arange(len(at), dtype=np.int32)[:, None], 0)
    number = np.maximum.accumulate(number, axis=0)
    return Newest(running, np.take_along_axis(place, number, axis=0))
