"""How often somebody may try to sign in: after some free tries each costs a longer wait.

In memory, and bounded: a restart forgets it, and of very many names the longest untouched are forgotten.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

FORGOTTEN_AFTER_MS: Final = 3_600_000
_FIRST_WAIT_MS: Final = 1_000
_KEYS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many tries are free, and the longest wait after them; the wait doubles with every try."""

    free: int
    longest_ms: int


BY_NAME: Final = Allowance(5, 5 * 60_000)
BY_ADDRESS: Final = Allowance(20, 15 * 60_000)


@dataclass(slots=True)
class _Tries:
    count: int
    last: int


class Attempts:
    """The tries of one kind of key, such as names; from any thread, with the caller's clock."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._lock = Lock()
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def begin(self, key: str, now: int) -> int:
        """Counts a try before it is made, and answers 0; or ms to wait, and then counts nothing."""
        with self._lock:
            tries = self._tries.get(key)
            if tries is None or now - tries.last >= FORGOTTEN_AFTER_MS:
                tries = self._tries[key] = _Tries(0, now)
            wait = tries.last + self._wait_ms(tries.count) - now
            if wait > 0:
                return wait
            tries.count, tries.last = tries.count + 1, now
            self._tries.move_to_end(key)
            while len(self._tries) > _KEYS:
                self._tries.popitem(last=False)
            return 0

    def take_back(self, key: str) -> None:
        """The try that was begun last was none: it succeeded."""
        with self._lock:
            tries = self._tries.get(key)
            if tries is not None:
                tries.count = max(0, tries.count - 1)

    def forget(self, key: str) -> None:
        """All tries of the key are over and done with."""
        with self._lock:
            self._tries.pop(key, None)

    def _wait_ms(self, count: int) -> int:
        beyond = count - self._allowance.free
        if beyond < 0:
            return 0
        return min(_FIRST_WAIT_MS << min(beyond, 20), self._allowance.longest_ms)
