"""The form of a silence: what stands in it, and what it says when it is sent."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from collector.http.fields import duration
from collector.http.views.times import DAYS, given_days, local, moment, weekly
from collector.silences import (
    MAX_MATCHERS,
    Draft,
    InvalidSilenceError,
    Matcher,
    Recurrence,
    Silence,
    SilenceKind,
)
from collector.words.i18n import zone
from rules.intervals import parse_open_hours

LENGTHS: Final = ("1h", "4h", "1d", "7d", "30d")
_ROWS: Final = 4  # of matchers, at least
_MOST: Final = MAX_MATCHERS + 1  # with that of a person's scope
_WHOLE_DAY: Final = ("00:00", "24:00")
_PLAIN: Final = re.compile(r"([a-z][a-z, -]*) (\d\d:\d\d)-(\d\d:\d\d)")
Form = Mapping[str, str]


def filled(silence: Silence, clock: str) -> dict[str, str]:
    """What stands in the form of a silence; its times are those of the zone `clock`."""
    tz = zone(clock)
    return {
        "id": str(silence.id),
        "revision": str(silence.revision),
        "kind": silence.kind.value,
        "zone": clock,
        "begins": local(silence.begins_at, tz),
        "length": "until",
        "ends": local(silence.ends_at, tz),
        "comment": silence.comment,
        **filled_in(silence.matchers),
        **_hours(silence.recurrence),
    }


def filled_in(matchers: Iterable[Matcher]) -> dict[str, str]:
    """What stands in the rows of these matchers."""
    found: dict[str, str] = {}
    for number, matcher in enumerate(matchers):
        found |= {f"name_{number}": matcher.name, f"op_{number}": matcher.op}
        found[f"values_{number}"] = "\n".join(matcher.values) if matcher.op == "in" else matcher.values[0]
    return found


def places(form: Form) -> range:
    """The rows of matchers: all that say something, and one more while there may be one."""
    last = max((number for number in range(_MOST) if _written(form, number)), default=-1)
    return range(min(_MOST, max(_ROWS, last + 2)))


def matchers_of(form: Form) -> tuple[Matcher, ...]:
    """Those of the form that say something."""
    found = []
    for number in range(_MOST):
        written, op = _written(form, number), form.get(f"op_{number}", "=")
        if not written:
            continue
        separator = "\n" if "\n" in written else ";"
        values = [part.strip() for part in written.split(separator)] if op == "in" else [written]
        known = tuple(value for value in values if value)
        found.append(Matcher(form.get(f"name_{number}", ""), op, known))  # type: ignore[arg-type]
    return tuple(found)


def drafted(form: Form, now: int, before: Silence | None = None) -> Draft:
    """What the form asks for; what stands there as it did `before` stays as it was, to the millisecond.

    Raises `InvalidSilenceError` for times that cannot be read.
    """
    draft = _draft(form, now)
    if before is None:
        return draft
    clock = form.get("zone", "").strip()
    shown = _draft(filled(before, clock), now)
    same = {shown_as: each for each in before.matchers for shown_as in matchers_of(filled_in([each]))}
    as_before = draft.recurrence == shown.recurrence and _clock(before.recurrence) in (None, clock)
    return replace(
        draft,
        matchers=tuple(same.get(matcher, matcher) for matcher in draft.matchers),
        begins_at=before.begins_at if draft.begins_at == shown.begins_at else draft.begins_at,
        ends_at=before.ends_at if draft.ends_at == shown.ends_at else draft.ends_at,
        recurrence=before.recurrence if as_before else draft.recurrence,
    )


def _draft(form: Form, now: int) -> Draft:
    clock = form.get("zone", "").strip()
    tz = zone(clock)
    try:
        begins = moment(form["begins"], tz) if form.get("begins") else now
        length = form.get("length", "")
        ends = moment(form.get("ends", ""), tz) if length == "until" else begins + duration(length)
    except ValueError:
        raise InvalidSilenceError([("ends_at", "cannot be read")]) from None
    kind = SilenceKind.MAINTENANCE if form.get("kind") == "maintenance" else SilenceKind.SILENCE
    return Draft(kind, matchers_of(form), begins, ends, form.get("comment", ""), _recurrence(form, clock))


def _recurrence(form: Form, clock: str) -> Recurrence | None:
    written = form.get("times", "").strip()
    hours = form.get("from") or _WHOLE_DAY[0], form.get("to") or _WHOLE_DAY[1]
    return Recurrence(written, clock) if written else weekly(given_days(form), *hours, clock)


def _hours(recurrence: Recurrence | None) -> dict[str, str]:
    """Days and hours, ticked; or as they are written, where that is more than the same hours of some days."""
    if recurrence is None:
        return {}
    found = _PLAIN.fullmatch(recurrence.times)
    if found is None:
        return {"times": recurrence.times}
    [spans, *_] = parse_open_hours(f"{found[1]} {'-'.join(_WHOLE_DAY)}")
    hours = ("", "") if (found[2], found[3]) == _WHOLE_DAY else (found[2], found[3].replace("24:00", ""))
    return {f"day_{DAYS[day]}": "1" for day in spans.weekdays} | {"from": hours[0], "to": hours[1]}


def _clock(recurrence: Recurrence | None) -> str | None:
    return None if recurrence is None else recurrence.tz


def _written(form: Form, number: int) -> str:
    return form.get(f"values_{number}", "").strip()
