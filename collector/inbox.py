"""Between the link to the broker and the ingest: what arrived and waits, bounded in messages and in bytes.

The link puts in what one read of its socket brought; the ingest takes out everything that a round can
hold. While there is no room the link stops reading, so that the broker holds back; nothing is ever dropped
here. What was taken counts as waiting until the next round begins, since it is not committed before.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

MAX_MESSAGES: Final = 50_000
MAX_BYTES: Final = 64 * 1024 * 1024
ROUND_MESSAGES: Final = 10_000
ROUND_BYTES: Final = 16 * 1024 * 1024


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """A message from the broker, at a time in ms UTC."""

    topic: str
    payload: bytes
    at: int
    retained: bool


@dataclass(frozen=True, slots=True)
class Connected:
    """From now on the broker gives us everything."""

    at: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The broker gives us nothing any more."""

    at: int


Incoming = Arrived | Connected | Disconnected


@dataclass(frozen=True, slots=True)
class _Batch:
    events: Sequence[Incoming]
    size: int


class Inbox:
    """Batches in order, from one thread to another."""

    def __init__(self, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._waiting: deque[_Batch] = deque()
        self._messages = 0
        self._size = 0
        self._in_hand: Sequence[Incoming] = ()
        self._closed = False

    @property
    def depth(self) -> int:
        """How many events wait or are being worked on."""
        return self._messages + len(self._in_hand)

    @property
    def oldest_at(self) -> int | None:
        """When the oldest of them came, in ms UTC."""
        with self._changed:
            if self._in_hand:
                return self._in_hand[0].at
            return self._waiting[0].events[0].at if self._waiting else None

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken in."""
        return self._closed

    @property
    def exhausted(self) -> bool:
        """Whether it is closed, and everything was handed out."""
        with self._changed:
            return self._closed and not self._waiting

    def put(self, events: Sequence[Incoming]) -> bool:
        """Takes in all of them, or, when closed, none. The last batch may go beyond the bounds."""
        if not events:
            return not self._closed
        size = sum([len(event.payload) for event in events if isinstance(event, Arrived)])
        with self._changed:
            if self._closed:
                return False
            self._waiting.append(_Batch(events, size))
            self._messages += len(events)
            self._size += size
            self._changed.notify_all()
            return True

    def has_room(self, wait_s: float = 0.0) -> bool:
        """Whether more should be put in; waits a while until it should."""
        with self._changed:
            return self._changed.wait_for(self._is_open_for_more, wait_s)

    def take(self, round_s: float) -> list[Incoming]:
        """What arrives within `round_s`, or sooner if it is enough; the round before it is done with."""
        with self._changed:
            self._in_hand = ()
            self._changed.wait_for(self._has_a_round, round_s)
            taken: list[Incoming] = []
            size = 0
            while self._waiting and len(taken) < ROUND_MESSAGES and size < ROUND_BYTES:
                batch = self._waiting.popleft()
                taken.extend(batch.events)
                size += batch.size
            self._messages -= len(taken)
            self._size -= size
            self._in_hand = taken
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Takes in nothing more; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_open_for_more(self) -> bool:
        return self._closed or (self._messages < self._max_messages and self._size < self._max_bytes)

    def _has_a_round(self) -> bool:
        return self._closed or self._messages >= ROUND_MESSAGES or self._size >= ROUND_BYTES
