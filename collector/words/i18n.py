"""The console's words: texts in English and Chinese, and how each language writes numbers and times.

A text is found by its key and may hold `{names}`. Where English needs a singular, the entry is a mapping
with `one` and `other`, chosen by `n`. Nothing here reads a clock: `now` comes in.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from collector.words import wording
from collector.words.wording import LANGUAGES, Language

DEFAULT: Final[Language] = "en"
_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000
_STEPS: Final = (("second", _SECOND, _MINUTE), ("minute", _MINUTE, _HOUR), ("hour", _HOUR, 2 * _DAY))
_FORMS: Final = {"one", "other"}  # a text with a singular
_Entry = str | Mapping[str, str]


@cache
def texts(language: Language) -> Mapping[str, _Entry]:
    """All texts of a language by their full key (`queue.title`), of all its files."""
    found: dict[str, _Entry] = {}
    for file in files(__package__).joinpath("text", language).iterdir():
        written = dict(_flat("", yaml.safe_load(file.read_text(encoding="utf-8"))))
        if twice := found.keys() & written.keys():
            raise ValueError(f"{file.name}: {min(twice)!r} is written in another file, too")
        found |= written
    return found


def _flat(prefix: str, node: Mapping[str, object]) -> Iterable[tuple[str, _Entry]]:
    for key, value in node.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and set(value) != _FORMS:
            yield from _flat(f"{name}.", value)
        elif isinstance(value, Mapping):
            yield name, {str(form): str(text) for form, text in value.items()}
        else:
            yield name, str(value)


def chosen(query: str | None, cookie: str | None, accept: str | None, person: str | None = None) -> Language:
    """The language of a page: the address's, else the one chosen before, the person's, the browser's."""
    for wish in (query, cookie, person, *_accepted(accept or "")):
        language = (wish or "").lower().partition("-")[0]
        for known in LANGUAGES:
            if language == known:
                return known
    return DEFAULT


def _accepted(header: str) -> list[str]:
    ranked = []
    for place, part in enumerate(header.split(",")):
        tag, _, quality = part.strip().partition(";q=")
        weight = float(quality) if re.fullmatch(r"[01](\.\d{1,3})?", quality) else 1.0
        ranked.append((-weight, place, tag))
    return [tag for _, _, tag in sorted(ranked)]


def zone(name: str | None) -> tzinfo:
    """The time zone of that name; UTC where nobody knows it."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


@dataclass(frozen=True, slots=True)
class Words:
    """One language, as templates speak it."""

    language: Language

    def __call__(self, key: str, /, **names: object) -> str:
        """The text of `key`; a key nobody wrote is a fault of the program and raises `KeyError`."""
        entry = texts(self.language)[key]
        if not isinstance(entry, str):
            entry = entry.get("one", entry["other"]) if names.get("n") == 1 else entry["other"]
        shown = {name: self.count(value) if name == "n" else value for name, value in names.items()}
        return entry.format(**shown) if names else entry

    def has(self, key: str) -> bool:
        """Whether a text of that key was written."""
        return key in texts(self.language)

    def one_of(self, group: str, value: str) -> str:
        """The word for one value of a group (`severity`, `high`); the value itself if it has no word."""
        key = f"{group}.{value}"
        return self(key) if self.has(key) else value.replace("_", " ")

    def both(self, label: object) -> str:
        """The right one of a label that holds both languages as attributes `en` and `zh`."""
        return str(getattr(label, self.language))

    def count(self, value: object) -> str:
        """A whole number with its thousands apart."""
        return f"{value:,.0f}" if isinstance(value, int | float) else str(value)

    def quantity(self, value: float | None, unit: str = "") -> str:
        """A measured value as a person reads it."""
        return wording.value(value, unit, self.language) if value is not None else "–"

    def duration(self, ms: float) -> str:
        """A length of time in at most two units."""
        return wording.duration(ms, self.language)

    def ago(self, at: int, now: int) -> str:
        """How long ago, or in how long, in one unit: `3 min ago`, `2 天后`."""
        distance = abs(now - at)
        if distance < 10 * _SECOND:
            return self("time.now")
        unit, size = next(((u, s) for u, s, limit in _STEPS if distance < limit), ("day", _DAY))
        amount = self(f"time.{unit}", n=distance // size)
        return self("time.ago" if at <= now else "time.ahead", amount=amount)

    def moment(self, at: int, tz: tzinfo = UTC) -> str:
        """Date and time to the minute."""
        return self._written("time.moment", at, tz)

    def span(self, since: int, until: int, tz: tzinfo = UTC) -> str:
        """Two moments, written as one where they fall into the same minute, or day."""
        first, last = self.moment(since, tz), self.moment(until, tz)
        if first == last:
            return first
        if self.day(since, tz) != self.day(until, tz):
            return f"{first} – {last}"
        return f"{first}–{datetime.fromtimestamp(until / 1_000, tz):%H:%M}"

    def exactly(self, at: int, tz: tzinfo = UTC) -> str:
        """Date and time to the second, with the time zone named."""
        return f"{self._written('time.exact', at, tz)} ({tz})"

    def day(self, at: int, tz: tzinfo = UTC) -> str:
        """The date alone."""
        return self._written("time.date", at, tz)

    def _written(self, key: str, at: int, tz: tzinfo) -> str:
        local = datetime.fromtimestamp(at / 1_000, tz)
        month = str(texts(self.language)["time.months"]).split()[local.month - 1]
        return str(texts(self.language)[key]).format(at=local, month=month)
