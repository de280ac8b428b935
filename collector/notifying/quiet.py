"""Quiet hours: when what happens now may be told."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from collector.notifying.settings import Quiet
from collector.queue import RANK, Severity

_DAY: Final = timedelta(days=1)
_ENOUGH_MS: Final = 8 * 86_400_000  # quiet for longer than a week is quiet for ever: then it is told


def told_at(quiets: Iterable[Quiet], channel: str, severity: Severity, at: int) -> int:
    """The first time from `at` on (ms UTC) at which this may be told through the channel."""
    holding = [quiet for quiet in quiets if _holds(quiet, channel, severity)]
    found = at
    while found - at < _ENOUGH_MS:
        ends = [end for quiet in holding if (end := _end(quiet, found)) is not None]
        if not ends:
            return found
        found = max(ends)
    return at


def local_instant(day: date, minute: int, zone: ZoneInfo) -> int:
    """That minute of a local day, in ms UTC; minute 1440 is the next day's midnight."""
    days, rest = divmod(minute, 24 * 60)
    local = datetime(day.year, day.month, day.day, rest // 60, rest % 60, tzinfo=zone) + days * _DAY
    return round(local.timestamp() * 1_000)


def local_day(at: int, zone: ZoneInfo) -> date:
    """The local day of an instant."""
    return datetime.fromtimestamp(at / 1_000, UTC).astimezone(zone).date()


def _holds(quiet: Quiet, channel: str, severity: Severity) -> bool:
    if quiet.channels and channel not in quiet.channels:
        return False
    return quiet.passes is None or RANK[severity] > RANK[quiet.passes]


def _end(quiet: Quiet, at: int) -> int | None:
    """When the quiet span that covers `at` ends; None where none does. It may have begun the day before."""
    zone = ZoneInfo(quiet.zone)
    today = local_day(at, zone)
    length = quiet.end if quiet.end > quiet.begin else quiet.end + 24 * 60
    for day in (today - _DAY, today):
        if day.weekday() in quiet.days:
            begin, end = local_instant(day, quiet.begin, zone), local_instant(day, length, zone)
            if begin <= at < end:
                return end
    return None
