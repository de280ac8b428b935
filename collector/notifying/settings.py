"""Whom to tell what, and when: the settings, as they were understood."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from collector.notifying.letter import Kind
from collector.queue import Severity
from collector.words.wording import Language

OWNER: Final = "owner"  # as a channel: the e-mail of the alert's owner
MAIL: Final = "mail"  # the channel through which owners are written to
EVERY_DAY: Final = frozenset(range(7))

URGING: Final = frozenset(Kind) - {Kind.RESOLVED, Kind.ASSIGNED}  # what everybody is told unasked
TO_OWNERS: Final = URGING | {Kind.ASSIGNED}  # what owners are: a chat knows of the alert already


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach people; `url` is apprise's, and may hold secrets."""

    name: str
    url: str = field(repr=False)
    language: Language


@dataclass(frozen=True, slots=True)
class Route:
    """What goes to which channels. What is empty or None matches everything, but for the kinds."""

    channels: tuple[str, ...]
    severity: Severity | None = None  # or worse
    customer: frozenset[str] = frozenset()
    tier: frozenset[str] = frozenset()
    owner: frozenset[str] = frozenset()
    rule: frozenset[str] = frozenset()
    subsystem: frozenset[str] = frozenset()
    kinds: frozenset[Kind] = frozenset()  # none named: those that the channel is told unasked

    def tells(self, kind: Kind, channel: str) -> bool:
        """Whether such news go to that channel."""
        return kind in (self.kinds or (TO_OWNERS if channel == OWNER else URGING))


@dataclass(frozen=True, slots=True)
class Quiet:
    """Local times at which nobody is told; a span that ends before it begins goes over midnight."""

    begin: int  # minutes of the day
    end: int
    zone: str
    days: frozenset[int] = EVERY_DAY  # on which it begins, Monday is 0
    passes: Severity | None = None  # what is so severe is told all the same
    channels: frozenset[str] = frozenset()  # none named: all of them


@dataclass(frozen=True, slots=True)
class DigestTime:
    """When the daily summary goes out, and to whom."""

    minute: int
    zone: str
    channels: tuple[str, ...]
    days: frozenset[int] = frozenset(range(5))


@dataclass(frozen=True, slots=True)
class Settings:
    """All of the settings; `console` is the address that links begin with."""

    channels: Mapping[str, Channel] = field(default_factory=lambda: MappingProxyType({}))
    routes: tuple[Route, ...] = ()
    quiet: tuple[Quiet, ...] = ()
    digest: DigestTime | None = None
    console: str | None = None

    def through(self, channel: str) -> Channel:
        """The channel that messages for this one go through."""
        return self.channels[carrier(channel)]

    def has(self, channel: str) -> bool:
        """Whether there is one: a letter may have been written under other settings."""
        return carrier(channel) in self.channels


def carrier(channel: str) -> str:
    """The name of the channel that messages for this one go through."""
    return MAIL if channel == OWNER else channel
