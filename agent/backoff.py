"""How long to wait before the next attempt to connect: exponential, with full jitter.

Full jitter also at the cap: a fleet that lost its broker must not come back in step.
Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from dataclasses import dataclass, replace

FIRST_MS = 1_000
CAP_MS = 60_000
FLOOR_MS = 200
STEADY_MS = 60_000


@dataclass(frozen=True, slots=True)
class Backoff:
    """Failures in a row, and what follows from them."""

    failures: int = 0

    def delay(self, chance: float) -> int:
        """Milliseconds to wait; `chance` is random in [0, 1)."""
        ceiling = min(CAP_MS, FIRST_MS << min(self.failures, 16))
        return max(FLOOR_MS, int(ceiling * chance))

    def failed(self) -> "Backoff":
        """After an attempt that failed."""
        return replace(self, failures=self.failures + 1)

    def lost(self, lasted_ms: int) -> "Backoff":
        """After a connection that lasted so long: only a steady one forgives earlier failures."""
        return Backoff() if lasted_ms >= STEADY_MS else self.failed()
