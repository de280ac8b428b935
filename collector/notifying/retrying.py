"""When something that did not arrive is tried again, and when no more."""

from typing import Final

FIRST_MS: Final = 30_000
LONGEST_MS: Final = 3_600_000
GIVE_UP_MS: Final = 3 * 86_400_000
JITTER: Final = 0.2  # of the delay, either way


def delay(attempts: int, chance: float) -> int:
    """How long to wait after so many failed attempts (1, 2, …), in ms; `chance` is from 0 to 1."""
    plain = min(FIRST_MS << min(max(attempts, 1) - 1, 20), LONGEST_MS)
    return round(plain * (1 - JITTER + 2 * JITTER * chance))
