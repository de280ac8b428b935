"""Wall clocks and local days of time zones, over arrays of times (ms UTC).

What `zoneinfo` says of single times is tabulated here: when the offset of a zone changes, and to what. The
tables are made as far as they are asked for; before 1900 and after 2200 offsets are held to stay as they are.
"""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from rules.roster import Attribute, Roster
from rules.rule import DAY_MS

Times = NDArray[np.int64]
_BLOCK: Final = 512 * DAY_MS  # of time that is tabulated at once
_FIRST: Final = -2_208_988_800_000  # 1900
_LAST: Final = 7_258_118_400_000  # 2200
_NEVER: Final = -(2**62)


class Clock:
    """The wall clock of a zone."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._since = self._until = 0
        self._fill(0, 0)

    def offset(self, at: Times) -> Times:
        """What the clock is ahead of UTC, in ms."""
        self._cover(at)
        found: Times = self._offsets[np.searchsorted(self._changes, at, side="right") - 1]
        return found

    def instant(self, wall: Times) -> Times:
        """When the clock shows that, in ms as if it were UTC; as `datetime.timestamp` does with fold 0.

        Of two times it is the first; in a gap, as if the clock had not been put forward yet.
        """
        self._cover(wall)
        found: Times = wall - self._offsets[np.searchsorted(self._walls, wall, side="right") - 1]
        return found

    def pieces(self, since: int, until: int) -> list[tuple[int, int, int]]:
        """The time from `since` until `until` as (from, until, offset), cut where the offset changes."""
        self._cover(np.array([since, until]))
        inner = self._changes[(self._changes > since) & (self._changes < until)]
        starts = np.concatenate(([since], inner))
        ends = np.append(inner, until)
        return list(zip(starts.tolist(), ends.tolist(), self.offset(starts).tolist(), strict=True))

    def _cover(self, at: Times) -> None:
        if not at.size or self._zone is UTC:
            return
        low, high = max(int(at.min()) - DAY_MS, _FIRST), min(int(at.max()) + DAY_MS, _LAST)
        if low < self._since or high > self._until or self._since == self._until:
            known = (self._since, self._until) if self._since < self._until else (low, high)
            self._fill(min(known[0], low // _BLOCK * _BLOCK), max(known[1], (high // _BLOCK + 1) * _BLOCK))

    def _fill(self, since: int, until: int) -> None:
        changes, offsets = [_NEVER], [self._offset(since)]
        for day in range(since, until, DAY_MS):
            start, last = day, min(day + DAY_MS, until)
            while self._offset(last) != offsets[-1]:
                start = self._change(start, last)
                changes.append(start)
                offsets.append(self._offset(start))
        self._changes, self._offsets = np.array(changes), np.array(offsets)
        later = np.maximum(self._offsets[:-1], self._offsets[1:])
        self._walls = np.append(_NEVER, self._changes[1:] + later)
        self._since, self._until = since, until

    def _change(self, since: int, until: int) -> int:
        """The first second at which the offset is not that of `since`."""
        before = self._offset(since)
        while until - since > 1_000:
            middle = (since + until) // 2_000 * 1_000
            since, until = (middle, until) if self._offset(middle) == before else (since, middle)
        return until

    def _offset(self, at: int) -> int:
        offset = datetime.fromtimestamp(at // 1_000, self._zone).utcoffset()
        return 0 if offset is None else round(offset.total_seconds() * 1_000)


@lru_cache(maxsize=1024)
def clock(name: Attribute | None) -> Clock:
    """The clock of a zone; UTC where there is no such zone."""
    try:
        return Clock(ZoneInfo(str(name)) if name else UTC)
    except (LookupError, ValueError, OSError):
        return Clock(UTC)


class LocalDays:
    """Days of the robots' own zones, numbered from 1970-01-01."""

    def __init__(self, roster: Roster) -> None:
        numbers: dict[Clock, int] = {}
        clocks = (clock(robot.attributes.get("tz")) for robot in roster.robots)
        found = (numbers.setdefault(clock_, len(numbers)) for clock_ in clocks)
        self._number = np.fromiter(found, dtype=np.intp, count=len(roster))
        self._clocks = list(numbers)

    def day_of(self, at: Times, row: NDArray[np.intp]) -> Times:
        """The local day of each time, for the robot of that row."""
        at, number = np.broadcast_arrays(at, self._number[row])
        day = np.empty(at.shape, dtype=np.int64)
        for place, clock_ in self._each(number):
            day[place] = (at[place] + clock_.offset(at[place])) // DAY_MS
        return day

    def midnight(self, day: Times, row: NDArray[np.intp]) -> Times:
        """When each local day begins, for the robot of that row, in ms UTC."""
        day, number = np.broadcast_arrays(day, self._number[row])
        begin = np.empty(day.shape, dtype=np.int64)
        for place, clock_ in self._each(number):
            begin[place] = clock_.instant(day[place] * DAY_MS)
        return begin

    def _each(self, number: NDArray[np.intp]) -> list[tuple[NDArray[np.bool_], Clock]]:
        """Where each of the clocks is asked for."""
        if len(self._clocks) == 1:
            return [(np.ones(number.shape, dtype=np.bool_), self._clocks[0])]
        return [(number == at, self._clocks[at]) for at in np.unique(number).tolist()]
