"""How each part of the collector is, in a line; parts say so themselves, from whatever thread."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the collector does its work; `parts` says of each part how it is, in a word or a line.

    `ill` are the parts that do not do their work.
    """

    ok: bool
    parts: Mapping[str, str] = field(default_factory=dict)
    ill: frozenset[str] = frozenset()


class Conditions:
    """The parts of a running collector and what they last said."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._said: dict[str, tuple[bool, str]] = {}

    def well(self, part: str, text: str) -> None:
        """The part does its work."""
        self._say(part, True, text)

    def ill(self, part: str, text: str) -> None:
        """The part does not do its work, for this reason."""
        self._say(part, False, text)

    def health(self) -> Health:
        """All parts together: well if each of them is."""
        with self._lock:
            said = dict(self._said)
        ill = frozenset(part for part, (ok, _) in said.items() if not ok)
        return Health(not ill, {part: text for part, (_, text) in said.items()}, ill)

    def _say(self, part: str, ok: bool, text: str) -> None:
        with self._lock:
            self._said[part] = (ok, text)
