"""What lies in the outbox: a message for one channel, told once."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from collector.notifying.message import Message

DIGEST: Final = "digest"
BUNDLE: Final = "bundle"


class Kind(StrEnum):
    """What happened to an alert that people may want to be told."""

    OPENED = "opened"
    ASSIGNED = "assigned"
    ESCALATED = "escalated"
    RETURNED = "returned"
    RELAPSED = "relapsed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to an alert; ids rise in the order of the commits."""

    id: int
    alert: int
    kind: str
    at: int
    who: str | None = None  # did it
    name: str | None = None  # of who did it, where that is known
    owner: str | None = None  # whose the alert was from then on, where that was said


class State(StrEnum):
    """Where a message is on its way."""

    WAITING = "waiting"
    HELD = "held"  # its alert is suppressed
    SENT = "sent"
    BUNDLED = "bundled"  # told in one message with others
    GIVEN_UP = "given_up"
    WITHDRAWN = "withdrawn"  # its alert closed, or was passed on, before anybody was told


@dataclass(frozen=True, slots=True)
class Letter:
    """A message before it is written to the outbox. Whoever has seen `key` has seen the message."""

    key: str
    kind: str
    channel: str
    message: Message
    due_at: int
    give_up_at: int
    alert: int | None = None
    person: str | None = None  # whom the channel `owner` writes to
    state: State = State.WAITING
    follows: bool = False  # told only where something was told of the alert before
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """A row of the outbox."""

    id: int
    key: str
    kind: str
    channel: str
    person: str | None
    alert: int | None
    message: Message
    created_at: int
    state: State
    due_at: int
    attempts: int
    sent_at: int | None
    error: str | None
