"""Working time: the hours of a week in which a person works, on the clock of a zone, but for holidays.

Deadlines are counted in it. A time that is not worked does not pass: two hours after Friday 17:00 of
somebody who works mo-fr 09:00-18:00 is Monday 10:00. An hour that the clock shows twice is worked twice, and
one that it skips never comes.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from rules.intervals import Spans, open_times, parse_open_hours
from rules.rule import DAY_MS

HOURS: Final = "mo-fr 09:00-18:00"  # of those who did not say
_CHUNK: Final = 64 * DAY_MS
_LAST: Final = 7_258_118_400_000  # 2200: what no clock should show is not worked
_MOST_CHUNKS: Final = 1_000  # a century and more: nobody waits for longer


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """When somebody works. Hours that cannot be read are those of everybody; an unknown zone is UTC."""

    tz: str | None = None
    hours: str | None = None
    holidays: str | None = None

    def add(self, at: int, working_ms: int) -> int:
        """The first moment at which so much working time has passed since `at`; all in ms (UTC)."""
        if working_ms <= 0 or not 0 <= at <= _LAST:
            return at
        rest, chunk = working_ms, at // _CHUNK
        for number in range(chunk, chunk + _MOST_CHUNKS):
            begins, ends = self._worked(number)
            lengths = np.maximum(ends - np.maximum(begins, at), 0)
            passed = np.cumsum(lengths)
            place = int(np.searchsorted(passed, rest))
            if place < len(passed):
                return int(ends[place] - (passed[place] - rest))
            rest -= int(passed[-1]) if len(passed) else 0
        return (chunk + _MOST_CHUNKS) * _CHUNK

    def between(self, since: int, until: int) -> int:
        """How much working time lies between two moments; nothing if the second is not later."""
        since, until = max(0, since), min(until, _LAST)
        if until <= since:
            return 0
        return sum(
            int(np.maximum(np.minimum(ends, until) - np.maximum(begins, since), 0).sum())
            for begins, ends in map(self._worked, range(since // _CHUNK, until // _CHUNK + 1))
        )

    def open_at(self, at: int) -> int:
        """The first moment from `at` on that is worked."""
        return self.add(at, 1) - 1

    def _worked(self, chunk: int) -> Spans:
        return _worked(self.tz, _readable(self.hours), self.holidays, chunk)


@lru_cache(maxsize=4096)
def _readable(hours: str | None) -> str:
    try:
        parse_open_hours(hours or "")
    except ValueError:
        return HOURS
    return str(hours)


@lru_cache(maxsize=16_384)
def _worked(tz: str | None, hours: str, holidays: str | None, chunk: int) -> Spans:
    return open_times(tz, hours, holidays, chunk * _CHUNK, (chunk + 1) * _CHUNK)
