"""The samples on disk: SQLite with a synchronous write-ahead log, so that what was taken stays taken.

A folder belongs to one process, by `agent.folder.acquire`. Opening reads a handful of pages, however much
is held: what lies in between is checked, row by row, when it is read. Whatever does not hold what was
written raises `SpoolDamagedError`; `agent.salvage` goes on from there.
"""

import contextlib
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from agent import folder as folders
from agent.counters import State
from agent.folder import DATABASE, SpoolDamagedError, SpoolError, SpoolFullError, SpoolSetBackError
from agent.ledger import Account, Entry, Ledger, seal, unseal
from agent.quota import Reason, Taken
from agent.wire import Sample

__all__ = ["Run", "Spool", "SpoolDamagedError", "SpoolFullError", "SpoolSetBackError", "Stored", "open_spool"]

PAGE: Final = 4096
WAL_PAGES: Final = 256
WAL_BYTES: Final = WAL_PAGES * (PAGE + 24) + 64 * 1024  # what it may come to
SPARE_PAGES: Final = 256  # free pages that are kept for the next samples
SLICE: Final = 1_000  # rows deleted in one transaction
_MAGIC: Final = b"SQLite format 3\0"
_ROW: Final = "SELECT seq, crc, epoch, lost, body FROM sample"
_HINT: Final = "see whether its disk is full, out of inodes, or read-only"
_REFUSED: Final = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
)
_UNREADABLE: Final = (
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_DATA,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
)
LAYOUT: Final = (f"page_size = {PAGE}", "auto_vacuum = INCREMENTAL")  # before anything is written
_WAYS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = OFF",
    "cell_size_check = ON",
    "cache_size = -512",
    f"wal_autocheckpoint = {WAL_PAGES}",
    f"journal_size_limit = {WAL_BYTES}",
)
_SAMPLE = msgspec.json.Decoder(Sample)
_TAKEN = msgspec.json.Decoder(Taken)
_ENCODER = msgspec.json.Encoder()
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Stored:
    """A spooled sample and how many bytes of JSON it is."""

    sample: Sample
    size: int


@dataclass(frozen=True, slots=True)
class Run:
    """Samples without a hole between them, from number `seq` on."""

    seq: int
    samples: list[Stored]


class Spool:
    """An open spool: of `first` … `next - 1`, every number is a sample or known to be lost."""

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, account: Account, ledger: Ledger
    ) -> None:
        self.folder = folder
        self.account = account
        self._db = connection
        self._ledger = ledger
        self._ledger_is_behind = True
        self._log_has_leftovers = False

    @property
    def epoch(self) -> str:
        """Born with the spool."""
        return self.account.epoch

    @property
    def first(self) -> int:
        """The oldest sample; equals `next` when there is none."""
        return self.account.first

    @property
    def next(self) -> int:
        """The number of the next sample."""
        return self.account.next

    @property
    def held(self) -> int:
        """How many numbers that is."""
        return self.account.next - self.account.first

    @property
    def session(self) -> int:
        """The last attempt to connect."""
        return self.account.session

    @property
    def stored_until(self) -> int:
        """What the last receipt covered."""
        return self.account.stored_until

    @property
    def receipt_at(self) -> int | None:
        """When that came, wall-clock ms."""
        return self.account.receipt_at

    @property
    def state(self) -> State:
        """The counters as of the last sample."""
        return self.account.state

    def append(self, sample: Sample, state: State) -> None:
        """Stores the sample under the number `next`, with the counters' state. Durable on return."""
        row = new_row(self.epoch, self.next, 0, _ENCODER.encode(sample))
        with self._change() as db:
            db.execute("INSERT INTO sample VALUES (?, ?, ?, ?, ?)", row)
            self._record(db, next=self.next + 1, state=state)

    def runs(self, seq: int, count: int) -> list[Run]:
        """What is left of the numbers `seq` … `seq + count - 1`, to be handed out."""
        self._settle()
        runs: list[Run] = []
        expected, end = seq, seq + count
        for number, lost, body in self._rows(seq, count):
            if number - max(lost, 1) >= expected:
                raise SpoolDamagedError(f"sample {expected} is not in the spool", self.folder)
            if not lost and number < end:
                if not runs or number > runs[-1].seq + len(runs[-1].samples):
                    runs.append(Run(number, []))
                runs[-1].samples.append(Stored(self._decode(_SAMPLE, body), len(body)))
            expected = number + 1
        if expected < end:
            raise SpoolDamagedError(f"samples {expected} … {end - 1} are not in the spool", self.folder)
        return runs

    def probes(self) -> Iterator[tuple[int, Taken]]:
        """When some samples were taken: the oldest, and others ever further apart."""
        seq, step = self.first, 1
        while seq < self.next:
            for number, lost, body in self._rows(seq, 1):
                if not lost:
                    yield number, self._decode(_TAKEN, body)
            seq, step = seq + step, step * 2

    def forget(self, stored_until: int, receipt_at: int) -> None:
        """Deletes all samples that a receipt covers, and notes the receipt."""
        noted = {"stored_until": stored_until, "receipt_at": receipt_at}
        if stored_until < self.first:
            with self._change() as db:
                self._record(db, **noted)
        self._delete_below(min(stored_until + 1, self.next), lambda _: noted)
        self.release()

    def drop(self, below: int, reason: Reason) -> int:
        """Gives up samples that no receipt covers. Returns how many."""
        before = sum(self.account.dropped.values())
        self._delete_below(min(below, self.next), lambda count: {"dropped": self._dropped(reason, count)})
        self.release()
        return sum(self.account.dropped.values()) - before

    def note_dropped(self, count: int, reason: Reason) -> None:
        """Counts samples that never came into the spool; written with the next change."""
        self.account = replace(self.account, dropped=self._dropped(reason, count))

    def new_session(self) -> int:
        """A number higher than any before, also across restarts."""
        with self._change() as db:
            self._record(db, session=self.session + 1)
        return self.session

    def release(self, spare: int = SPARE_PAGES) -> None:
        """Gives free pages back to the file system, some of them at a time, save for so many."""
        if self._pragma("freelist_count") > spare:
            with contextlib.suppress(SpoolFullError), translated(self.folder):  # is tried again
                # not execute: that takes one step of a statement without columns, and so frees one page
                self._db.executescript(f"PRAGMA incremental_vacuum({SPARE_PAGES})")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def reusable(self) -> int:
        """Bytes of the file that hold nothing."""
        return self._pragma("freelist_count") * PAGE

    def size(self) -> int:
        """Bytes on disk, with as much for the log as it may come to."""
        log = folders.size([self.folder / folders.WAL])
        ledger = folders.size(folders.ledger_files(self.folder))
        return self._pragma("page_count") * PAGE + max(log, WAL_BYTES) + ledger

    def close(self) -> None:
        """Closes the file; the folder's lock is the caller's."""
        with translated(self.folder):
            self._db.close()

    def _delete_below(self, below: int, changes: Callable[[int], dict[str, Any]]) -> None:
        """In slices; each moves `first`, and `changes` says what else, by the number of samples deleted."""
        while self.first < below:
            until = min(below, self.first + SLICE)
            with self._change() as db:
                samples = db.execute("DELETE FROM sample WHERE seq < ? AND lost = 0", (until,)).rowcount
                oldest = db.execute("SELECT seq FROM sample WHERE lost = 0 ORDER BY seq LIMIT 1").fetchone()
                first = self.next if oldest is None else int(oldest[0])
                db.execute("DELETE FROM sample WHERE seq < ?", (first,))
                self._record(db, first=first, **changes(samples))

    def _dropped(self, reason: Reason, count: int) -> dict[str, int]:
        dropped = self.account.dropped
        return {**dropped, reason: dropped.get(reason, 0) + count} if count else dropped

    def _rows(self, seq: int, count: int) -> list[tuple[int, int, bytes]]:
        """Number, how many are lost, and body of at most `count` rows from `seq` on, as they were written."""
        query = f"{_ROW} WHERE seq >= ? ORDER BY seq LIMIT ?"
        rows = self._ask(sqlite3.Cursor.fetchall, query, (seq, count))
        for row in rows:
            if row[2] != self.epoch or not is_whole(row):
                raise SpoolDamagedError(f"sample {row[0]} is not what was written", self.folder)
        return [(row[0], row[3], row[4]) for row in rows]

    def _decode(self, decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
        try:
            return decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SpoolDamagedError(f"a sample cannot be read: {error}", self.folder) from None

    def _pragma(self, name: str) -> int:
        row: tuple[int] = self._ask(sqlite3.Cursor.fetchone, f"PRAGMA {name}")
        return row[0]

    def _ask(
        self, take: Callable[[sqlite3.Cursor], _T], query: str, values: tuple[int | str, ...] = ()
    ) -> _T:
        with translated(self.folder):
            return take(self._db.execute(query, values))

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction; once it is durable, the ledger hears of it."""
        self._drop_leftovers()
        before = self.account
        try:
            with translated(self.folder), transaction(self._db):
                yield self._db
        except BaseException:
            self.account = before
            self._log_has_leftovers = True
            raise
        self._ledger_is_behind = True
        with contextlib.suppress(SpoolFullError):  # tried again, at the latest before anything is handed out
            self._settle()

    def _record(self, db: sqlite3.Connection, **changes: Any) -> None:
        self.account = replace(self.account, revision=self.account.revision + 1, **changes)
        db.execute("INSERT OR REPLACE INTO account VALUES (1, ?)", (seal(self.account),))

    def _settle(self) -> None:
        """Nothing leaves this spool that the ledger does not know of."""
        if self._ledger_is_behind:
            with translated(self.folder):
                self._ledger.write(self.account)
            self._ledger_is_behind = False

    def _drop_leftovers(self) -> None:
        """What a failed transaction left in the log must never be taken for a sample of the same number."""
        if self._log_has_leftovers:
            with contextlib.suppress(SpoolFullError):
                self._ask(sqlite3.Cursor.fetchall, "PRAGMA wal_checkpoint(TRUNCATE)")
                self._log_has_leftovers = False


def open_spool(folder: Path, newborn: Account | None = None) -> Spool:
    """Opens the folder's spool, or begins one as `newborn` says. The folder must be locked.

    Raises `SpoolDamagedError`, `SpoolFullError` and other `SpoolError`s.
    """
    ledger = Ledger(folder)
    with translated(folder):
        folders.adopt(folder)
        entry = ledger.read()
        if entry.blank and not _is_any(folder):
            ledger.write(newborn or Account(epoch=new_epoch(), state=State()))
            entry = ledger.read()
        _check_header(folder, entry)
        folders.keep_log(folder)
        connection = connect(folder / DATABASE)
    try:
        return Spool(folder, connection, _checked(connection, folder, entry), ledger)
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.close()
        raise


def new_epoch() -> str:
    """A name that no other epoch of any robot has."""
    return secrets.token_hex(8)


def view(folder: Path) -> Account | None:
    """The account of a spool that nobody runs on, without touching it; None: there is none."""
    entry = Ledger(folder).read()
    if entry.account is None and not entry.blank:
        raise SpoolDamagedError(f"the ledger in {folder} is damaged; vitals-agent run sees to it", folder)
    return entry.account


def connect(path: Path) -> sqlite3.Connection:
    """Opens a database of this module's kind, made where there is none."""
    return sqlite3.connect(path, isolation_level=None, timeout=5)


def create_tables(connection: sqlite3.Connection) -> None:
    """What a new database needs, within a transaction."""
    for statement in Path(__file__).with_name("spool.sql").read_text(encoding="utf-8").split(";\n"):
        connection.execute(statement)


def prepare(connection: sqlite3.Connection, folder: Path) -> None:
    """Makes a connection ours alone (so SQLite needs no shared memory file)."""
    layout = () if folders.size([folder / DATABASE]) else LAYOUT  # setting it writes, even to what it is
    with translated(folder):
        for pragma in ("locking_mode = EXCLUSIVE", *layout, *_WAYS):  # in this order
            connection.execute(f"PRAGMA {pragma}").fetchall()


def new_row(epoch: str, seq: int, lost: int, body: bytes) -> tuple[int, int, str, int, bytes]:
    """A row of the table `sample`."""
    return seq, _crc(epoch, seq, lost, body), epoch, lost, body


def _crc(epoch: str, seq: int, lost: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(f"{epoch} {seq} {lost} ".encode()))


def is_whole(row: Sequence[object]) -> bool:
    """Whether a row of the table `sample` holds what was written to it."""
    match row:
        case [int(seq), int(crc), str(epoch), int(lost), bytes(body)]:
            return crc == _crc(epoch, seq, lost, body)
    return False


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """The errors of SQLite and of the disk, named by cause."""
    path = folder / DATABASE
    try:
        yield
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode
        if code & 0xFF in _REFUSED and code not in _UNREADABLE:
            raise SpoolFullError(f"{folder} cannot be written: {error}; {_HINT}") from None
        if code & 0xFF == sqlite3.SQLITE_ERROR or code in _UNREADABLE:
            raise SpoolDamagedError(f"{path}: {error}", folder) from None
        raise SpoolError(f"{path}: {error}") from None
    except sqlite3.DatabaseError as error:
        raise SpoolDamagedError(f"{path}: {error}", folder) from None
    except OSError as error:
        raise SpoolFullError(f"{folder} cannot be written: {error.strerror}; {_HINT}") from None


def _is_any(folder: Path) -> bool:
    return folders.size(folders.sample_files(folder)) > 0


def _create(connection: sqlite3.Connection, folder: Path, entry: Entry) -> Account:
    """The tables of a new spool, or of one in which nothing was held."""
    if entry.account is None or not entry.holds_nothing:
        raise SpoolDamagedError(f"{folder / DATABASE} is empty", folder)
    with translated(folder), transaction(connection):
        create_tables(connection)
        connection.execute("INSERT INTO account VALUES (1, ?)", (seal(entry.account),))
    return entry.account


def _check_header(folder: Path, entry: Entry) -> None:
    """SQLite deletes the log of a database that it takes for none."""
    path = folder / DATABASE
    if not _is_any(folder) and not entry.holds_nothing:
        raise SpoolDamagedError(f"{path} is gone", folder)
    if _is_any(folder) and not _begins_with_magic(path):
        raise SpoolDamagedError(f"{path} is no database", folder)


def _begins_with_magic(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except FileNotFoundError:
        return False


def _checked(connection: sqlite3.Connection, folder: Path, entry: Entry) -> Account:
    """The account of a database that may go on; only then is its log emptied."""
    prepare(connection, folder)
    account = _read_account(connection, folder) or _create(connection, folder, entry)
    if entry.is_ahead_of(account):
        raise SpoolDamagedError(f"{folder / DATABASE} was set back to an earlier state", folder)
    _check_ends(connection, folder, account)
    with contextlib.suppress(SpoolFullError), translated(folder):  # the next one to open it may have room
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with translated(folder):
        folders.drop_kept_log(folder)
    return account


def _read_account(connection: sqlite3.Connection, folder: Path) -> Account | None:
    """The account; None: the database is empty."""
    with translated(folder):
        if connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
            return None
        row = connection.execute("SELECT sealed FROM account").fetchone()
    account = unseal(row[0]) if row is not None and isinstance(row[0], bytes) else None
    if account is None:
        raise SpoolDamagedError(f"{folder / DATABASE}: its account cannot be read", folder)
    return account


def _check_ends(connection: sqlite3.Connection, folder: Path, account: Account) -> None:
    """The oldest and the newest row are those that the account says."""
    with translated(folder):
        # not in one query: that reads every row
        (oldest,) = connection.execute("SELECT min(seq) FROM sample").fetchone()
        (newest,) = connection.execute("SELECT max(seq) FROM sample").fetchone()
    wanted = (account.first, account.next - 1) if account.first < account.next else (None, None)
    if (oldest, newest) != wanted:
        held = f"samples {account.first} … {account.next - 1}"
        raise SpoolDamagedError(f"{folder / DATABASE} has {oldest} … {newest} where {held} should be", folder)
