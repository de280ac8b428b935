"""When to tell a robot what is stored.

A receipt lets the agent forget, and lets its backlog flow on; but every receipt is a message, and a fleet
is large. So: at once in answer to a hello and for the first samples after it, again whenever a backlog has
brought so many samples, and otherwise only every so often while there is something new.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

EVERY_SAMPLES: Final = 500
EVERY_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything of the robot's epoch up to `stored_until` is stored or declared lost."""

    robot: str
    epoch: str
    stored_until: int


@dataclass(frozen=True, slots=True)
class _Account:
    """What one robot was told, and what it was not."""

    epoch: str
    stored_until: int
    told_at: int = 0
    untold: int = 0  # samples since the last receipt, duplicates included
    asked: bool = True  # it waits for an answer
    greeting: bool = True  # its first samples are answered at once, too


class Receipts:
    """What each robot is owed."""

    def __init__(self, every_samples: int = EVERY_SAMPLES, every_ms: int = EVERY_MS) -> None:
        self._every_samples = every_samples
        self._every_ms = every_ms
        self._accounts: dict[str, _Account] = {}
        self._open: set[str] = set()  # robots with something untold

    def hello(self, robot: str, epoch: str, stored_until: int) -> None:
        """A robot asked what is stored."""
        self._accounts[robot] = _Account(epoch, stored_until)
        self._open.add(robot)

    def stored(self, robot: str, epoch: str, stored_until: int, count: int) -> None:
        """`count` samples of a robot are in the store now, or were before."""
        before = self._accounts.get(robot)
        if before is None or before.epoch != epoch:
            before = _Account(epoch, stored_until)
        self._accounts[robot] = replace(before, stored_until=stored_until, untold=before.untold + count)
        self._open.add(robot)

    def due(self, now: int) -> Iterator[Receipt]:
        """The receipts to send now; each counts as sent."""
        for robot in sorted(self._open):
            account = self._accounts[robot]
            if self._is_due(account, now):
                yield Receipt(robot, account.epoch, account.stored_until)
                greeting = account.greeting and account.untold == 0
                told = replace(account, told_at=now, untold=0, asked=False, greeting=greeting)
                self._accounts[robot] = told
                self._open.discard(robot)

    def _is_due(self, account: _Account, now: int) -> bool:
        first = account.greeting and account.untold > 0
        many = account.untold >= self._every_samples
        return account.asked or first or many or now - account.told_at >= self._every_ms

    def forget(self) -> None:
        """The connection is gone: whoever comes back asks anew."""
        self._accounts.clear()
        self._open.clear()
