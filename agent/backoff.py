"""How long to wait before the next attempt to connect: exponential, with full jitter.

Full jitter also at the first attempt and at the cap: a fleet that lost its broker must not come back in
step, neither after a moment nor after a day. Only a connection that outlasts the longest wait forgives
earlier failures: two agents with one client id throw each other out for ever, and must not hammer the broker.
Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from dataclasses import dataclass, replace

FIRST_MS = 5_000  # 10,000 robots that lose their broker in one instant: 2,000 connections a second
CAP_MS = 60_000
FLOOR_MS = 200
STEADY_MS = 2 * CAP_MS


@dataclass(frozen=True, slots=True)
class Backoff:
    """Failures in a row, and what follows from them. `first_ms`: the longest wait after the first."""

    failures: int = 0
    first_ms: int = FIRST_MS
    cap_ms: int = CAP_MS

    def delay(self, chance: float) -> int:
        """Milliseconds to wait after the latest failure; `chance` is random in [0, 1)."""
        ceiling = min(self.cap_ms, self.first_ms << min(max(0, self.failures - 1), 16))
        return max(min(FLOOR_MS, self.first_ms), int(ceiling * chance))

    def failed(self) -> "Backoff":
        """After an attempt that failed."""
        return replace(self, failures=self.failures + 1)

    def lost(self, lasted_ms: int) -> "Backoff":
        """After a connection that lasted so long: only a steady one forgives earlier failures."""
        return replace(self, failures=1) if lasted_ms >= STEADY_MS else self.failed()
