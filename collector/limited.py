"""Warnings of one kind about one thing, at most once a minute, with the number of those not shown."""

import time
from dataclasses import dataclass
from typing import Final

import structlog

EVERY_S: Final = 60.0
MAX_KEYS: Final = 10_000
log = structlog.get_logger()


@dataclass(slots=True)
class _Told:
    at: float
    hidden: int = 0


class Limited:
    """A log that no robot can fill."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], _Told] = {}

    def warning(self, event: str, about: str, **fields: object) -> None:
        """Logs, unless the same event about the same thing was logged within the last minute."""
        now = time.monotonic()
        told = self._told.get((event, about))
        if told is not None and now - told.at < EVERY_S:
            told.hidden += 1
            return
        if len(self._told) >= MAX_KEYS:
            self._told.clear()
        more = {"hidden_before": told.hidden} if told and told.hidden else {}
        log.warning(event, about=about, **fields, **more)
        self._told[event, about] = _Told(now)
