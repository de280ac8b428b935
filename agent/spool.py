"""The samples on disk: SQLite with a synchronous write-ahead log, so that what was taken stays taken.

A folder belongs to one process, by a lock on `lock`. A damaged spool is set aside (`damaged-<time>/`),
never deleted, and a new one begins a new epoch.
"""

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from agent.counters import State
from agent.wire import Sample

DATABASE = "spool.db"
LOCK = "lock"
_STATE = msgspec.json.Decoder(State)
_SAMPLE = msgspec.json.Decoder(Sample)
_ENCODER = msgspec.json.Encoder()
_T = TypeVar("_T")


class SpoolError(Exception):
    """The spool cannot be used; the message says why and what to do."""


class SpoolInUseError(SpoolError):
    """Another process holds the spool."""


class SpoolFullError(SpoolError):
    """The disk takes no more."""


class SpoolDamagedError(SpoolError):
    """The file does not hold what was written to it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A spooled sample and how many bytes of JSON it is."""

    sample: Sample
    size: int


class Spool:
    """An open spool. `epoch` was born with it; `first` … `next - 1` are the samples in it."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, *, writable: bool = True) -> None:
        self.folder = folder
        self._db = connection
        if writable:
            self._prepare()
        query = "SELECT epoch, next, session, stored_until, receipt_at, state FROM spool"
        epoch, following, session, stored_until, receipt_at, state = self._ask(_one, query)
        oldest, newest = self._ask(_one, "SELECT min(seq), max(seq) FROM sample")
        self.epoch = str(epoch)
        self.next = int(following)
        self.first = self.next if oldest is None else int(oldest)
        self.session = int(session)
        self.stored_until = int(stored_until)
        self.receipt_at: int | None = receipt_at
        self.state = _decode(_STATE, state)
        if newest is not None and newest != self.next - 1:
            raise SpoolDamagedError(f"its last sample is {newest}, and its next is {self.next}")

    def append(self, sample: Sample, state: State) -> None:
        """Stores the sample under the number `next`, with the counters' state. Durable on return."""
        with self._transaction() as db:
            db.execute("INSERT INTO sample VALUES (?, ?)", (self.next, _ENCODER.encode(sample)))
            db.execute("UPDATE spool SET next = ?, state = ?", (self.next + 1, _ENCODER.encode(state)))
        self.next += 1

    def read(self, seq: int, count: int) -> list[Stored]:
        """Samples `seq` … `seq + count - 1`, all of which must be in it."""
        query = "SELECT seq, body FROM sample WHERE seq >= ? AND seq < ? ORDER BY seq"
        rows = self._ask(sqlite3.Cursor.fetchall, query, (seq, seq + count))
        if [row[0] for row in rows] != list(range(seq, seq + count)):
            raise SpoolDamagedError(f"samples {seq} … {seq + count - 1} are not all in the spool")
        return [Stored(_decode(_SAMPLE, body), len(body)) for _, body in rows]

    def forget(self, stored_until: int, receipt_at: int) -> None:
        """Deletes all samples that a receipt covers, and notes the receipt."""
        with self._transaction() as db:
            db.execute("DELETE FROM sample WHERE seq <= ?", (stored_until,))
            db.execute("UPDATE spool SET stored_until = ?, receipt_at = ?", (stored_until, receipt_at))
        self.first = max(self.first, min(stored_until + 1, self.next))
        self.stored_until, self.receipt_at = stored_until, receipt_at

    def drop(self, below: int) -> None:
        """Deletes samples that no receipt covers, for want of room."""
        with self._transaction() as db:
            db.execute("DELETE FROM sample WHERE seq < ?", (below,))
        self.first = max(self.first, min(below, self.next))

    def new_session(self) -> int:
        """A number higher than any before, also across restarts."""
        with self._transaction() as db:
            db.execute("UPDATE spool SET session = ?", (self.session + 1,))
        self.session += 1
        return self.session

    def close(self) -> None:
        """Closes the file; the folder's lock is the caller's."""
        self._db.close()

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -512"):
            self._ask(sqlite3.Cursor.fetchall, f"PRAGMA {pragma}")
        (verdict,) = self._ask(_one, "PRAGMA quick_check(1)")
        if verdict != "ok":
            raise SpoolDamagedError(str(verdict))
        with self._transaction() as db:
            for statement in Path(__file__).with_name("spool.sql").read_text(encoding="utf-8").split(";\n"):
                db.execute(statement)
            empty = "NOT EXISTS (SELECT 1 FROM spool) AND NOT EXISTS (SELECT 1 FROM sample)"
            newborn = (secrets.token_hex(8), _ENCODER.encode(State()))
            db.execute(f"INSERT INTO spool SELECT 1, ?, 1, 0, 0, NULL, ? WHERE {empty}", newborn)

    def _ask(
        self, take: Callable[[sqlite3.Cursor], _T], query: str, values: tuple[int | str, ...] = ()
    ) -> _T:
        with _translated(self.folder):
            return take(self._db.execute(query, values))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _translated(self.folder):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def acquire(folder: Path) -> int:
    """Makes the folder and locks it for this process; closing the descriptor gives it back."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        hint = "give another with --spool FOLDER"
        raise SpoolError(f"spool folder {folder} cannot be used: {error.strerror}; {hint}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise SpoolInUseError(f"spool folder {folder} is in use by the agent with pid {holder}") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def holder(folder: Path) -> int | None:
    """The pid of the agent that holds the folder; None: nobody does."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        written = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        return int(written) if written.isdecimal() else 0
    finally:
        os.close(descriptor)
    return None


def open_spool(folder: Path) -> Spool:
    """Opens the folder's spool, or begins one. The folder must be locked. Raises `SpoolError`s."""
    with _translated(folder):
        connection = sqlite3.connect(folder / DATABASE, isolation_level=None, timeout=5)
    try:
        return Spool(folder, connection)
    except BaseException:
        connection.close()
        raise


def view(folder: Path) -> Spool | None:
    """The spool as it stands, only to read; None: there is none."""
    path = folder / DATABASE
    if not path.is_file():
        return None
    with _translated(folder):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        return Spool(folder, connection, writable=False)
    except BaseException:
        connection.close()
        raise


def set_aside(folder: Path, at_ms: int) -> Path:
    """Moves a damaged spool's files out of the way, into a folder of their own. Returns that folder."""
    aside = folder / f"damaged-{at_ms}"
    try:
        aside.mkdir()
        for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
            if (folder / name).exists():
                (folder / name).rename(aside / name)
    except OSError as error:
        raise SpoolError(f"damaged spool {folder} cannot be set aside: {error.strerror}") from None
    return aside


def _one(cursor: sqlite3.Cursor) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    if row is None:
        raise SpoolDamagedError("a row that every spool has is missing")
    return row


def _decode(decoder: msgspec.json.Decoder[_T], body: object) -> _T:
    try:
        return decoder.decode(body if isinstance(body, bytes) else str(body))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SpoolDamagedError(f"a record cannot be read: {error}") from None


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """SQLite's errors, named by cause."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
            raise SpoolFullError(f"the disk of {folder} is full: {error}") from None
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_IOERR):
            raise SpoolDamagedError(f"{folder / DATABASE}: {error}") from None
        raise SpoolError(f"{folder / DATABASE}: {error}") from None
    except sqlite3.DatabaseError as error:
        raise SpoolDamagedError(f"{folder / DATABASE}: {error}") from None
