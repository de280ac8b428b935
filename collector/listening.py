"""When the collector was listening: silence is judged by it, so it is kept beside what was heard."""

from typing import Final

from collector.evaluation import Evaluator
from collector.presence import Fleet
from collector.relational import Relational

HEARTBEAT_MS: Final = 2_000  # and always well before an evaluation looks so far


class Listening:
    """The present time of listening, if there is one; written down every few seconds."""

    def __init__(self, relational: Relational, evaluator: Evaluator, fleet: Fleet) -> None:
        self._relational = relational
        self._evaluator = evaluator
        self._fleet = fleet
        self._heartbeat_ms = min(HEARTBEAT_MS, evaluator.eval_delay_ms // 2)
        self._id = 0
        self._since: int | None = None
        self._written = 0

    @property
    def since(self) -> int | None:
        """When the present time of listening began; None: nobody listens."""
        return self._since

    def begin(self, at: int) -> None:
        """The broker gives us everything from now on."""
        self.end(at)
        self._id = self._relational.start_listening(at)
        self._since = self._written = at
        self._fleet.listening(at)

    def extend(self, at: int) -> None:
        """Still listening, if we were."""
        if self._since is None or at < self._since:
            return
        self._evaluator.listened(self._since, at)
        if at - self._written >= self._heartbeat_ms:
            self._relational.heard_until(self._id, at)
            self._written = at

    def end(self, at: int) -> None:
        """The broker, or the collector, is going."""
        if self._since is None:
            return
        at = max(at, self._since)
        self._evaluator.listened(self._since, at)
        self._relational.heard_until(self._id, at)
        self._since = None
        self._fleet.listening(None)
