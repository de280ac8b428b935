"""Times as forms give them and people read them: a moment on some zone's clock, hours of a week."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from collector.silences import Recurrence
from collector.words.i18n import Words

DAYS: Final = ("mo", "tu", "we", "th", "fr", "sa", "su")
_TIMES: Final = re.compile(r"([a-z,-]+) (\d\d:\d\d-\d\d:\d\d)")


def local(at: int, zone: tzinfo) -> str:
    """A moment as `<input type="datetime-local">` has it."""
    return f"{datetime.fromtimestamp(at / 1_000, zone):%Y-%m-%dT%H:%M}"


def moment(given: str, zone: tzinfo) -> int:
    """Ms UTC of what such an input gave, on that zone's clock. Raises `ValueError`."""
    return round(datetime.fromisoformat(given.strip()).replace(tzinfo=zone).timestamp() * 1_000)


def weekly(days: Sequence[str], since: str, until: str, zone: str) -> Recurrence | None:
    """Hours of chosen days of the week; None where no day is."""
    chosen = [day for day in DAYS if day in days]
    return Recurrence(f"{','.join(chosen)} {since}-{until}", zone) if chosen else None


def recurring(recurrence: Recurrence, t: Words) -> str:
    """The times of a week, in words."""
    said = _TIMES.sub(
        lambda found: t("times.weekly", days=_days(found[1], t), hours=found[2].replace("-", "–")),
        recurrence.times,
    )
    return t("times.zoned", times=said, zone=recurrence.tz)


def _days(written: str, t: Words) -> str:
    """`mo-fr,su` in words."""
    names = dict(zip(DAYS, t("times.days").split(), strict=True))
    return (
        re.sub("|".join(DAYS), lambda found: names[found[0]], written)
        .replace("-", "–")
        .replace(",", t("times.comma"))
    )


def given_days(form: Mapping[str, str]) -> list[str]:
    """The days that are ticked in a form."""
    return [day for day in DAYS if form.get(f"day_{day}")]
