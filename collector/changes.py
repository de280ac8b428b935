"""Tells open pages what has changed. Whoever changes something publishes it, from any thread."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from threading import Lock
from typing import Final, Literal

Topic = Literal["alerts", "robots", "notifications"]
MANY: Final = 500


@dataclass(frozen=True, slots=True)
class Change:
    """What is new since the listener heard last; `ids` is empty where too many changed to name them."""

    topic: Topic
    ids: tuple[str, ...]
    revision: int


class Changes:
    """Listeners that read slowly get fewer and larger changes, never a growing backlog."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listeners: set[_Listener] = set()
        self._revision = 0
        self._closed = False

    @property
    def revision(self) -> int:
        """Rises with every change that is told."""
        return self._revision

    def publish(self, topic: Topic, ids: Collection[str | int]) -> None:
        """Tells every listener that these changed; nothing, if there are none."""
        if not ids:
            return
        with self._lock:
            self._revision += 1
            for listener in self._listeners:
                listener.add(topic, ids, self._revision)

    def close(self) -> None:
        """Ends every `listen`, now and later: the server stops."""
        with self._lock:
            self._closed = True
            for listener in self._listeners:
                listener.wake()

    async def listen(self, keep_alive_s: float = 15.0) -> AsyncIterator[Change | None]:
        """Changes as they come; None whenever none came for `keep_alive_s`. Ends with `close`."""
        listener = _Listener(asyncio.get_running_loop())
        with self._lock:
            self._listeners.add(listener)
        try:
            while not self._closed:
                quiet = not await listener.wait(keep_alive_s)
                changes = self._take(listener)
                for change in changes:
                    yield change
                if quiet and not changes:
                    yield None
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def _take(self, listener: "_Listener") -> list[Change]:
        with self._lock:
            return listener.take()


class _Listener:
    """One open page: what it has not heard yet, and how to wake it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._woken = asyncio.Event()
        self._pending: dict[Topic, set[str]] = {}
        self._many: set[Topic] = set()
        self._revision = 0

    def add(self, topic: Topic, ids: Collection[str | int], revision: int) -> None:
        pending = self._pending.setdefault(topic, set())
        pending.update(map(str, ids))
        if len(pending) > MANY:
            self._many.add(topic)
            pending.clear()
        self._revision = revision
        self.wake()

    def wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def take(self) -> list[Change]:
        changes = [
            Change(topic, () if topic in self._many else tuple(sorted(ids)), self._revision)
            for topic, ids in sorted(self._pending.items())
        ]
        self._pending.clear()
        self._many.clear()
        return changes
