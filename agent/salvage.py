"""What becomes of a spool that does not hold what was written to it.

The promise is that a sample, once taken, is stored exactly once or declared lost with its count. Damage
threatens it in two ways: samples are gone, or, worse, a number is used again. A database set back by one
day numbers its next sample as one that the collector has had for a day, and the collector, which knows
samples by (robot, epoch, number), drops the new one for a duplicate: lost, and nobody told.

So everything turns on one question: is it certain which numbers were handed out?

- Within a running agent it is: memory knows.
- After a restart the ledger answers (`agent.ledger`). The database commits, then both files of the ledger
  are written, and only then a number leaves the robot: whatever was handed out, each of the two knows.

                           │ database is whole and current   database is damaged, gone, or set back
    ───────────────────────┼────────────────────────────────────────────────────────────────────────
    a file of the ledger   │
    is whole               │ go on                           same epoch, behind the last number
    both are damaged       │ go on                           new epoch, the old one delivered first

**Same epoch.** Whatever can be read goes into a new database under the number it had; the others of `first`
… `next - 1` are holes. The outbox passes over a hole, and once the samples before it are stored, `first`
lies behind it: so the collector counts and records the loss by the rule that it has for quotas. Counters
go on from the ledger's state, which is that of the last number handed out: none decreases.

**New epoch.** Two places were damaged at once. Numbers and counters may have gone on beyond what is known, so
that epoch is over. Its samples keep their numbers nevertheless: numbered anew, those which are stored
already, though no receipt has come, would be stored twice. They lie in a spool of their own
(`former-<n>/`), which is delivered before the live one, and its end declares what is missing of it.

Reading trusts nothing but checksums. Every row carries one, over epoch, number and content; the pages of
database and log are read one by one (`agent.carve`), so neither header nor tree needs to be whole. A number
that turns up with two contents is taken for neither. The damaged files are set aside, not deleted.
"""

import errno
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from agent import carve
from agent import folder as folders
from agent.counters import State
from agent.folder import DATABASE, KEPT_WAL, REBUILT, WAL
from agent.ledger import Account, Entry, Ledger, seal, unseal
from agent.spool import (
    LAYOUT,
    PAGE,
    connect,
    create_tables,
    is_whole,
    new_epoch,
    new_row,
    transaction,
    translated,
)

_MAKING: Final = "rebuilt.tmp"
_WAL_HEADER: Final = 32
_FRAME_HEADER: Final = 24

log = logging.getLogger("agent.spool")


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What came of it; of samples: how many were kept and lost."""

    same_epoch: bool
    kept: int
    lost: int
    aside: Path | None
    newborn: Account | None  # how the next spool is to begin, where the epoch does not go on


def salvage(folder: Path, known: Account | None = None, *, closed: bool = False) -> Salvaged:
    """Puts a spool made of what can be read into the place of the folder's damaged one.

    `known` is the account of the agent that was running on it. A `closed` spool takes no more samples: no
    number of it can be used twice. Killed on the way, it begins again. Raises `SpoolFullError`.
    """
    with translated(folder), _scratch(folder) as database:
        entry = Ledger(folder).read()
        found = _collect(folder, database)
        best = known or _newest(entry.account, found) or _guess(database)
        certain = closed or known is not None or entry.account is not None
        if best is None:
            return _begin_anew(folder, 0, 0, None)
        if not certain:
            best = _extended(best, database)
        kept, lost, account = _settle(database, best, entry)
        database.close()
        if not certain:
            return _begin_anew(folder, kept, lost, account)
        (folder / _MAKING).rename(folder / REBUILT)  # from here on, it is decided
        folders.sync(folder)
        aside = folders.set_aside(folder, ledger=False)
        folders.adopt(folder)
        return Salvaged(True, kept, lost, aside, None)


def give_up(folder: Path, account: Account) -> Salvaged:
    """Begins a new epoch though everything can be read: its numbers were used twice.

    The collector has those numbers already, so nothing of it could be delivered.
    """
    with translated(folder):
        aside = folders.set_aside(folder, ledger=True)
    lost = account.next - account.first
    return Salvaged(False, 0, lost, aside, _newborn(_with_lost(account, lost)))


@contextmanager
def _scratch(folder: Path) -> Iterator[sqlite3.Connection]:
    """A new database; its file is gone at the end, unless it was renamed."""
    paths = [folder / f"{_MAKING}{more}" for more in ("", "-journal")]
    for path in paths:
        path.unlink(missing_ok=True)
    try:
        with closing(connect(paths[0])) as database:
            yield database
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def _begin_anew(folder: Path, kept: int, lost: int, account: Account | None) -> Salvaged:
    if account is not None and (kept or lost):
        (folder / _MAKING).rename(folders.new_former(folder) / DATABASE)
    aside = folders.set_aside(folder, ledger=True)
    return Salvaged(False, kept, lost, aside, _newborn(account) if account else None)


def _newborn(account: Account) -> Account:
    """Another epoch; the session, the counters and what was counted as lost go on."""
    return Account(epoch=new_epoch(), session=account.session, dropped=account.dropped, state=account.state)


def _collect(folder: Path, database: sqlite3.Connection) -> Account | None:
    """Every whole row of the folder's files, into a new database. Returns the newest account among them."""
    for pragma in (*LAYOUT, "cache_size = -512"):
        database.execute(f"PRAGMA {pragma}").fetchall()
    newest: Account | None = None
    disputed: set[tuple[int, str]] = set()
    with transaction(database):
        create_tables(database)
        for row in _readable_rows(folder):
            if isinstance(row, Account):
                newest = row if newest is None or row.revision > newest.revision else newest
            elif _contradicts(database, row):
                disputed.add((row[0], row[2]))
        database.executemany("DELETE FROM sample WHERE seq = ? AND epoch = ?", sorted(disputed))
    return newest


def _contradicts(database: sqlite3.Connection, row: tuple[int, int, str, int, bytes]) -> bool:
    """Takes a row in; True if another content has its number."""
    added = database.execute("INSERT OR IGNORE INTO sample VALUES (?, ?, ?, ?, ?)", row).rowcount
    if added:
        return False
    there = database.execute("SELECT crc, epoch FROM sample WHERE seq = ?", row[:1]).fetchone()
    return bool(there[1] == row[2] and there[0] != row[1])


def _newest(*accounts: Account | None) -> Account | None:
    known = (account for account in accounts if account is not None)
    return max(known, key=lambda account: account.revision, default=None)


def _extended(account: Account, database: sqlite3.Connection) -> Account:
    """An account that may be an old one: samples that it does not know of may have been handed out."""
    query = "SELECT max(seq) FROM sample WHERE epoch = ?"
    (last,) = database.execute(query, (account.epoch,)).fetchone()
    return account if last is None else replace(account, next=max(account.next, last + 1))


def _guess(database: sqlite3.Connection) -> Account | None:
    """An account of the samples alone, where none can be read."""
    newest = database.execute("SELECT epoch, seq FROM sample ORDER BY seq DESC LIMIT 1").fetchone()
    if newest is None:
        return None
    epoch, last = newest
    query = "SELECT min(seq) FROM sample WHERE epoch = ? AND lost = 0"
    (first,) = database.execute(query, (epoch,)).fetchone()
    return Account(epoch=epoch, first=first or last + 1, next=last + 1, state=State())


def _settle(database: sqlite3.Connection, best: Account, entry: Entry) -> tuple[int, int, Account]:
    """Keeps the rows that the account says are held; others become holes. Returns kept, lost, account."""
    with transaction(database):
        database.execute(
            "DELETE FROM sample WHERE epoch <> ? OR seq < ? OR seq >= ?", (best.epoch, best.first, best.next)
        )
        held = database.execute("SELECT seq, lost FROM sample ORDER BY seq")
        holes = list(_holes(held, best.first, best.next))
        rows = (new_row(best.epoch, end, count, b"") for end, count in holes)
        database.executemany("INSERT INTO sample VALUES (?, ?, ?, ?, ?)", rows)
        kept, first = database.execute("SELECT count(*), min(seq) FROM sample WHERE lost = 0").fetchone()
        first = best.next if first is None else first
        database.execute("DELETE FROM sample WHERE seq < ?", (first,))
        lost = sum(count for _, count in holes)
        account = replace(_with_lost(best, lost), first=first, revision=_after(best, entry))
        database.execute("INSERT INTO account VALUES (1, ?)", (seal(account),))
    return kept, lost, account


def _after(best: Account, entry: Entry) -> int:
    """A revision that no account has had: neither may be taken for older than the ledger."""
    return max(best.revision, entry.account.revision if entry.account else 0) + 1


def _holes(held: Iterable[tuple[int, int]], first: int, following: int) -> Iterator[tuple[int, int]]:
    """The last number and the length of each hole."""
    expected = first
    for seq, lost in held:
        begin = seq - max(lost, 1) + 1
        if begin > expected:
            yield begin - 1, begin - expected
        expected = seq + 1
    if following > expected:
        yield following - 1, following - expected


def _with_lost(account: Account, lost: int) -> Account:
    if not lost:
        return account
    dropped = {**account.dropped, "damaged": account.dropped.get("damaged", 0) + lost}
    name = "agent.samples_dropped"
    totals = {**account.state.totals, name: account.state.totals.get(name, 0) + lost}
    return replace(account, dropped=dropped, state=replace(account.state, totals=totals))


def _readable_rows(folder: Path) -> Iterator[Account | tuple[int, int, str, int, bytes]]:
    """Accounts and rows of samples whose checksum is right, out of database and log."""
    with closing(_Pages(folder)) as pages:
        for page in pages:
            for look in (pages.newest, pages.in_database):
                read = [_checked(row) for row in carve.rows(page, look)]
                yield from (row for row in read if row is not None)
                if None not in read:
                    break


def _checked(row: carve.Row) -> Account | tuple[int, int, str, int, bytes] | None:
    match row:
        case [int(), bytes(sealed)]:
            return unseal(sealed)
        case [int(seq), int(crc), str(epoch), int(lost), bytes(body)] if is_whole(row):
            return seq, crc, epoch, lost, body
    return None


class _Pages:
    """Every page of the folder's files, as far as the disk gives it: of the log, each version."""

    def __init__(self, folder: Path) -> None:
        self._database = _File(folder / DATABASE)
        self._logs = [_File(folder / name) for name in (KEPT_WAL, WAL)]
        self._versions = {
            int.from_bytes(log.read(at, 4)): (log, at + _FRAME_HEADER)
            for log in self._logs
            for at in _frames(log)
        }

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, self._database.size, PAGE):
            yield self._database.read(at, PAGE)
        for log in self._logs:
            for at in _frames(log):
                yield log.read(at + _FRAME_HEADER, PAGE)

    def newest(self, number: int) -> bytes | None:
        """A page as it was written last."""
        log, at = self._versions.get(number, (None, 0))
        return self.in_database(number) if log is None else log.read(at, PAGE)

    def in_database(self, number: int) -> bytes | None:
        """A page as it stands in the database."""
        at = (number - 1) * PAGE
        return self._database.read(at, PAGE) if 0 <= at < self._database.size else None

    def close(self) -> None:
        """Closes the files."""
        for file in (self._database, *self._logs):
            file.close()


def _frames(log: "_File") -> range:
    return range(_WAL_HEADER, log.size, _FRAME_HEADER + PAGE)


class _File:
    """A file that may be missing or short, on a disk that may not give all of it: then it reads as zeros."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0) if path.exists() else None
        self.size = path.stat().st_size if self._file else 0
        self._told = False

    def read(self, at: int, count: int) -> bytes:
        if self._file is None:
            return bytes(count)
        try:
            self._file.seek(at)
            found = self._file.read(count)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._tell(at, error)
            found = b""
        return found.ljust(count, b"\0")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _tell(self, at: int, error: OSError) -> None:
        if not self._told and self._file is not None:
            log.error("%s cannot be read at %d: %s", self._file.name, at, error.strerror)
        self._told = True
