"""When to tell a robot what is stored.

A receipt lets the agent forget, and lets its backlog flow on; but every receipt is a message, and a fleet
is large. So: at once in answer to a hello and for the first samples after it, again whenever a backlog has
brought so many samples or closed the last gap, and otherwise only every few minutes while there is
something new. An agent sends again what has no receipt after five minutes (`agent.outbox`); the longest
wait stays well below that.

Robots that came together, after an outage, do not stay together: each has a wait of its own, by its name.
"""

import heapq
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

EVERY_SAMPLES: Final = 500
EVERY_MS: Final = 180_000
AT_ONCE: Final = 4_000
_SPREAD: Final = 1 / 3  # of the longest wait


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything of the robot's epoch up to `stored_until` is stored or declared lost."""

    robot: str
    epoch: str
    stored_until: int


class _Account:
    """What one robot was told, and what it was not."""

    __slots__ = ("epoch", "greeting", "next_at", "stored_until", "untold")

    def __init__(self, epoch: str, stored_until: int) -> None:
        self.epoch = epoch
        self.stored_until = stored_until
        self.untold = 0  # samples since the last receipt, duplicates included
        self.greeting = True  # its first samples are answered at once, too
        self.next_at = 0  # no ordinary receipt before


class Receipts:
    """What each robot is owed."""

    def __init__(self, every_samples: int = EVERY_SAMPLES, every_ms: int = EVERY_MS) -> None:
        self._every_samples = every_samples
        self._every_ms = every_ms
        self._accounts: dict[str, _Account] = {}
        self._soon: dict[str, None] = {}  # in the order in which they asked
        self._waiting: set[str] = set()
        self._later: list[tuple[int, str]] = []  # a heap by time, of those that wait

    def hello(self, robot: str, epoch: str, stored_until: int) -> None:
        """A robot asked what is stored."""
        self._accounts[robot] = _Account(epoch, stored_until)
        self._soon[robot] = None

    def stored(self, robot: str, epoch: str, stored_until: int, count: int) -> None:
        """`count` samples of a robot are in the store now, or were before."""
        account = self._accounts.get(robot)
        if account is None or account.epoch != epoch:
            account = self._accounts[robot] = _Account(epoch, stored_until)
        gap_closed = stored_until - account.stored_until > count  # of a backlog that live samples overtook
        account.stored_until = stored_until
        account.untold += count
        if account.greeting or gap_closed or account.untold >= self._every_samples:
            self._soon[robot] = None
        elif robot not in self._waiting:
            self._waiting.add(robot)
            heapq.heappush(self._later, (account.next_at, robot))

    def due(self, now: int, at_most: int = AT_ONCE) -> Iterator[Receipt]:
        """The receipts to send now; each counts as sent. What is over `at_most` is due the next time."""
        while self._later and self._later[0][0] <= now:
            self._has_waited(heapq.heappop(self._later)[1], now)
        for robot in list(islice(self._soon, at_most)):
            del self._soon[robot]
            yield self._tell(robot, now)

    def forget(self) -> None:
        """The connection is gone: whoever comes back asks anew."""
        self._accounts.clear()
        self._soon.clear()
        self._waiting.clear()
        self._later.clear()

    def _has_waited(self, robot: str, now: int) -> None:
        account = self._accounts[robot]
        if account.untold and account.next_at > now:  # it was told something since it began to wait
            heapq.heappush(self._later, (account.next_at, robot))
            return
        self._waiting.discard(robot)
        if account.untold:
            self._soon[robot] = None

    def _tell(self, robot: str, now: int) -> Receipt:
        account = self._accounts[robot]
        account.greeting = account.greeting and account.untold == 0
        account.untold = 0
        account.next_at = now + int(self._every_ms * (1 - _SPREAD * _fraction(robot)))
        return Receipt(robot, account.epoch, account.stored_until)


def _fraction(robot: str) -> float:
    """A number in [0, 1) that is the robot's own."""
    return zlib.crc32(robot.encode()) / 2**32
