"""A notifier that dies at a step: `python -m tests.notifying.crashing PORT`, told databases on stdin.

For each database, a process opens alerts and tells of them until its n-th step, at which it ends as by
kill -9; n counts the databases. A second process then does what is left. Every transaction that writes and
every sending is a step. Answers `died N` or `done N` a line.
"""

import os
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

from collector.notifying.letter import Kind, Notification
from collector.notifying.sending import Sender
from collector.notifying.settings import Channel, DigestTime, Route, Settings
from collector.notifying.worker import Notifier
from tests.notifying.world import HOUR, World, settings

DIED = 9
STEPS = frozenset({"begin", "write", "settle", "claim", "sent", "failed", "send"})


class Dying:
    """Whatever it stands for, with an end before its n-th step, counted over all of them together.

    Only what changes something is a step: to die around a question is to die between two steps.
    """

    def __init__(self, inner: Any, steps: list[int]) -> None:
        self._inner = inner
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        if name in STEPS:
            self._steps[0] -= 1
            if self._steps[0] == 0:
                os._exit(DIED)
        return getattr(self._inner, name)


class DyingSender:
    """A sender with an end by its n-th step."""

    def __init__(self, steps: list[int]) -> None:
        self._inner = Dying(Sender(), steps)

    def send(self, channel: Channel, notification: Notification, address: str | None = None) -> None:
        """One attempt."""
        self._inner.send(channel, notification, address)


def chosen(port: int) -> Settings:
    """Everything goes to one web server, the digest, too."""
    route = Route(("hook",), kinds=frozenset(Kind))
    morning = DigestTime(8 * 60 + 30, "Asia/Shanghai", ("hook",))
    return settings(route, digest=morning, hook=f"json://127.0.0.1:{port}/")


def live(url: str, port: int, dies_at: int) -> None:
    """Two alerts open, one of them is escalated, and all of it is told."""
    with closing(World(url)) as world:
        notifier = _notifier(world, port, dies_at)
        world.happens(world.opens("r1"), "escalated")
        world.opens("r2")
        for _ in range(2):
            world.work(notifier)


def again(url: str, port: int) -> None:
    """After a restart."""
    with closing(World(url)) as world:
        world.now += HOUR
        notifier = _notifier(world, port, 0)
        for _ in range(3):
            world.work(notifier, HOUR // 2)


def _notifier(world: World, port: int, dies_at: int) -> Notifier:
    steps = [dies_at]
    notifier = world.notifier(chosen(port), DyingSender(steps))
    notifier._outbox = Dying(notifier._outbox, steps)  # type: ignore[assignment]
    return notifier


def _forked(work: Callable[[], None]) -> int:
    """The work in a process of its own; answers how it ended."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(port: int) -> int:
    """Runs over the databases."""
    for number, line in enumerate(sys.stdin, 1):
        url, dies_at = line.strip(), number
        ended = _forked(lambda: live(url, port, dies_at))  # noqa: B023 - it is run at once
        if ended not in (0, DIED) or _forked(lambda: again(url, port)) != 0:  # noqa: B023
            return 1
        sys.stdout.write(f"{'done' if ended == 0 else 'died'} {number}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
