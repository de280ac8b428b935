"""What a server of time series must do for us, whichever it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from collector.stores.lineprotocol import Dialect
from collector.stores.strands import Strand


@dataclass(frozen=True, slots=True)
class Wanted:
    """Fields of some robots (None: of all), at points from `first_ms` to `last_ms`, both included."""

    fields: Sequence[str]
    first_ms: int
    last_ms: int
    robots: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """How a server is doing.

    It drops points older than `past_ms` and further ahead than `ahead_ms` (None: takes any). What it took
    is on disk after `settles_after_s`, unless it dies before.
    """

    started_at: float  # by our monotonic clock, in seconds; never later than it really was
    past_ms: int | None = None
    ahead_ms: int | None = None
    settles_after_s: float = 0.0


class Server(Protocol):
    """A server of time series. Any thread may use it. Everything raises `StoreError` where it is away."""

    @property
    def dialect(self) -> Dialect:
        """How it keeps time and numbers."""

    def status(self) -> Status:
        """How it is doing; asks it."""

    def write(self, body: bytes) -> None:
        """Takes lines. They may be there in part after an error."""

    def show(self) -> None:
        """What was written before is found by those who read after."""

    def strands(self, ledger: str, wanted: Wanted) -> Iterator[Strand]:
        """Series of a ledger, in any order; one series may come in several parts."""

    def close(self) -> None:
        """Lets go of connections."""
