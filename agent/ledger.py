"""What a spool knows of itself, and the second place where that is written.

An account stands in the spool's database, changed in the transaction that changes the samples, and after
each of those in the ledger: two small files written one after the other, so that one is whole at any instant.
The database says what is there; the ledger says what must be there. A database that was set back (a page,
a log or the whole file of an earlier day) reads well and knows fewer changes than the ledger.

No number is handed out before the ledger knows that it is taken: see `agent.salvage`.
"""

import errno
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from agent.counters import State

FILES: Final = ("ledger-a", "ledger-b")
_HEADER: Final = 8  # checksum and length, four bytes each


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Samples `first` … `next - 1` of `epoch` are held; `revision` counts the changes of all this."""

    epoch: str
    revision: int = 0
    first: int = 1
    next: int = 1
    session: int = 0
    stored_until: int = 0
    receipt_at: int | None = None
    dropped: dict[str, int] = {}  # samples given up since the spool began, by reason
    state: State  # counters and their bases, as of the last sample


_DECODER = msgspec.json.Decoder(Account)
_ENCODER = msgspec.json.Encoder()


def seal(account: Account) -> bytes:
    """The account as bytes that show any damage."""
    body = zlib.compress(_ENCODER.encode(account), 1)
    return zlib.crc32(body).to_bytes(4) + len(body).to_bytes(4) + body


def unseal(sealed: bytes) -> Account | None:
    """The account, if every byte of it is as it was written; what follows it is passed over."""
    body = sealed[_HEADER : _HEADER + int.from_bytes(sealed[4:_HEADER])]
    told = sealed[:_HEADER]
    if not body or told != zlib.crc32(body).to_bytes(4) + len(body).to_bytes(4):
        return None
    try:
        return _DECODER.decode(zlib.decompress(body))
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError):
        return None


@dataclass(frozen=True, slots=True)
class Entry:
    """What a ledger says; `blank`: there never was one. Without an account and not blank: it is damaged."""

    account: Account | None
    blank: bool

    @property
    def holds_nothing(self) -> bool:
        """Whether a database that is not there is none that was lost."""
        if self.account is None:
            return self.blank
        return self.account.first == self.account.next

    def is_ahead_of(self, account: Account) -> bool:
        """Whether the account is that of an earlier day."""
        return self.account is not None and self.account.revision > account.revision


class Ledger:
    """The two files in a spool's folder. `write` raises OSError where the disk does not take it.

    Both are written before any number is handed out. So of what was handed out, either of them knows all.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / name for name in FILES]

    def read(self) -> Entry:
        """What stands in it, as far as one of the files is whole."""
        found = [account for path in self._paths if (account := _read(path)) is not None]
        newest = max(found, key=lambda account: account.revision, default=None)
        return Entry(newest, not any(path.exists() for path in self._paths))

    def write(self, account: Account) -> None:
        """Writes the account into both files, one after the other. Durable on return."""
        sealed = seal(account)
        for path in self._paths:
            _write(path, sealed)


def _read(path: Path) -> Account | None:
    try:
        return unseal(path.read_bytes())
    except OSError:
        return None


def _write(path: Path, sealed: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if os.pwrite(descriptor, sealed, 0) < len(sealed):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
