"""What every page says while the collector does not do all of its work, or falls behind."""

from dataclasses import dataclass
from typing import Final, Literal

from collector.conditions import Health
from collector.words.i18n import Words

_SAME: Final = {"listening": "database", "roster": "database"}  # parts that mean the same to a reader
_HOLDS_UP: Final = ("store", "database")  # what cannot be written, the ingest waits for


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that is wrong, what it means for the reader, and the parts' own words for it."""

    tone: Literal["bad", "note"]
    text: str
    details: tuple[str, ...]


def notices(health: Health, t: Words) -> list[Notice]:
    """What is wrong, each thing once; nothing while all is well."""
    return [
        Notice("note" if name == "ingest" else "bad", t(f"notice.{name}"), tuple(details))
        for name, details in sorted(_things(health, t).items(), key=lambda thing: thing[0] == "ingest")
    ]


def _things(health: Health, t: Words) -> dict[str, list[str]]:
    """Lines of the parts that are ill, by what that means; a delay belongs to what causes it."""
    things: dict[str, list[str]] = {}
    for part in sorted(health.ill):
        name = _SAME.get(part, part)
        known = name if t.has(f"notice.{name}") else "other"
        things.setdefault(known, []).append(f"{part}: {health.parts.get(part, '')}")
    cause = next((name for name in _HOLDS_UP if name in things), None)
    if cause and "ingest" in things:
        things[cause] += things.pop("ingest")
    return things
