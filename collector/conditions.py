"""How each part of the collector is, in a line; parts say so themselves, from whatever thread."""

from threading import Lock

from collector.http.services import Health


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
