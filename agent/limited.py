"""A log line of one kind at most once a minute, with the number of those not shown."""

import logging
from dataclasses import dataclass, field

EVERY_MS = 60_000


@dataclass(slots=True)
class Limited:
    """Warnings of one kind."""

    log: logging.Logger
    kind: str
    last: str | None = field(default=None, init=False)
    _silent_until: int | None = field(default=None, init=False)
    _hidden: int = field(default=0, init=False)

    def warn(self, message: str, now_ms: int) -> None:
        """Logs it, unless one was logged within the last minute."""
        self.last = message
        if self._silent_until is not None and now_ms < self._silent_until:
            self._hidden += 1
            return
        more = f" (and {self._hidden} more since the last such line)" if self._hidden else ""
        self.log.warning("%s: %s%s", self.kind, message, more)
        self._silent_until, self._hidden = now_ms + EVERY_MS, 0
