"""The ledger: what must be kept in one transaction beside a server of time series that has none.

A small SQLite file in the data folder. A commit's samples go to the server first; then its entry is written
here, durably, and only then do they count. Where the server keeps the newest data in memory, the entry
holds the samples themselves until the server has had time to write them: if it restarts before, they are
sent again, from here. So what is in the ledger is stored, whoever dies when.
"""

import sqlite3
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

from agent.catalogue import Catalogue
from collector.stores import Contents, Loss, LossReason, StoreError, Watermark
from collector.stores.entries import MINUTE_MS, Entry, Key, Minute, Newest, Stray
from collector.stores.numbers import format_numbers, parse_numbers

VERSION: Final = 1
RECENT_MS: Final = 30 * 86_400_000
MAX_LOSSES: Final = 50
BUSY_S = 5.0  # so long another process may hold the file
_MOVE_WATERMARK: Final = """
INSERT INTO watermarks VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (robot, epoch) DO UPDATE SET
    until = excluded.until, above = excluded.above,
    newest_at = CASE WHEN excluded.newest > newest THEN excluded.newest_at ELSE newest_at END,
    newest_place = CASE WHEN excluded.newest > newest THEN excluded.newest_place ELSE newest_place END,
    newest = max(newest, excluded.newest)
"""
_ADD_MINUTE: Final = """
INSERT INTO minutes VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (minute) DO UPDATE SET
    samples = samples + excluded.samples,
    first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at),
    first_place = min(first_place, excluded.first_place), last_place = max(last_place, excluded.last_place)
"""
_ADD_STRAY: Final = """
INSERT INTO strays VALUES (?, ?, ?, ?) ON CONFLICT (minute, robot) DO UPDATE SET
    first_place = min(first_place, excluded.first_place), last_place = max(last_place, excluded.last_place)
"""
_ADD_RUN: Final = "INSERT INTO runs VALUES (?, ?, ?) ON CONFLICT (run) DO UPDATE SET last = excluded.last"
_NEWEST: Final = """
SELECT robot, epoch, newest, newest_at, newest_place FROM watermarks
WHERE newest > 0 AND newest_at >= (SELECT max(newest_at) FROM watermarks) - ? ORDER BY newest_place
"""


class Ledger:
    """One ledger's file. Any thread may use it. Raises `StoreError`."""

    def __init__(self, path: Path, catalogue: Catalogue, new_name: str) -> None:
        """Opens it, or begins one named `new_name`."""
        self._path = path
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}; give another --data") from None
        try:
            self.name = self._prepare(catalogue, new_name)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def next_run(self, now_ms: int) -> tuple[int, int]:
        """Begins a run: its number, and a number that no commit has, neither a finished nor a failed one.

        Those that failed before a crash stand nowhere; so numbers go on from the time of the start, in ms,
        which is faster than commits can be.
        """
        with self._writing() as write:
            write.execute("UPDATE ledger SET runs = runs + 1")
            run = write.execute("SELECT runs FROM ledger").fetchone()[0]
            last = write.execute("SELECT max(last) FROM runs").fetchone()[0]
        return run, max((last or 0) + 2, now_ms)

    def runs(self) -> list[tuple[int, int]]:
        """The numbers of the commits that count, as ranges (first, last), in order."""
        with self._reading() as ask:
            return ask.execute("SELECT first, last FROM runs ORDER BY first").fetchall()

    def add(self, entry: Entry, body: bytes | None = None) -> None:
        """Writes an entry, with the samples as they went to a server that may still forget them."""
        with self._writing() as write:
            write.execute(_ADD_RUN, (entry.run, entry.number, entry.number))
            write.executemany(_ADD_MINUTE, [_values(minute) for minute in entry.minutes])
            write.executemany(_ADD_STRAY, [_values(stray) for stray in entry.strays])
            write.executemany("INSERT INTO losses VALUES (?, ?, ?, ?, ?, ?, ?)", map(_values, entry.losses))
            write.executemany(_MOVE_WATERMARK, _watermark_rows(entry))
            if body is not None:
                packed = zlib.compress(body, 1)
                write.execute("INSERT INTO unsettled VALUES (?, ?)", (entry.number, packed))

    def unsettled(self) -> list[int]:
        """The numbers of commits that the server may still forget."""
        with self._reading() as ask:
            return [row[0] for row in ask.execute("SELECT number FROM unsettled ORDER BY number")]

    def body(self, number: int) -> bytes:
        """An unsettled commit as it went to the server; empty, if it has settled meanwhile."""
        with self._reading() as ask:
            row = ask.execute("SELECT body FROM unsettled WHERE number = ?", (number,)).fetchone()
        return zlib.decompress(row[0]) if row else b""

    def settled(self, numbers: Sequence[int]) -> None:
        """The server has these commits on disk."""
        with self._writing() as write:
            write.executemany("DELETE FROM unsettled WHERE number = ?", [(number,) for number in numbers])

    def watermarks(self) -> dict[Key, Watermark]:
        """Every epoch's watermark."""
        with self._reading() as ask:
            rows = ask.execute("SELECT robot, epoch, until, above FROM watermarks").fetchall()
        return {(robot, epoch): Watermark(until, parse_numbers(above)) for robot, epoch, until, above in rows}

    def watermarks_of(self, keys: Sequence[Key]) -> dict[Key, Watermark]:
        """The watermarks of these epochs, as far as there are any."""
        found: dict[Key, Watermark] = {}
        query = "SELECT until, above FROM watermarks WHERE robot = ? AND epoch = ?"
        with self._reading() as ask:
            for key in keys:
                if row := ask.execute(query, key).fetchone():
                    found[key] = Watermark(row[0], parse_numbers(row[1]))
        return found

    def newest(self) -> dict[Key, Newest]:
        """The newest sample of every epoch in use within the last days, in the order of their places."""
        with self._reading() as ask:
            rows = ask.execute(_NEWEST, (RECENT_MS,)).fetchall()
        return {(robot, epoch): Newest(*rest) for robot, epoch, *rest in rows}

    def losses(self) -> dict[str, dict[LossReason, int]]:
        """How many samples of each robot were declared lost, by reason."""
        lost: dict[str, dict[LossReason, int]] = {}
        query = "SELECT robot, reason, sum(count) FROM losses GROUP BY robot, reason"
        with self._reading() as ask:
            for robot, reason, count in ask.execute(query):
                lost.setdefault(robot, {})[reason] = count
        return lost

    def losses_of(self, robot: str) -> tuple[Loss, ...]:
        """One robot's, the newest first, `MAX_LOSSES` at most."""
        query = "SELECT * FROM losses WHERE robot = ? ORDER BY declared_at DESC, first DESC LIMIT ?"
        with self._reading() as ask:
            return tuple(Loss(*row) for row in ask.execute(query, (robot, MAX_LOSSES)))

    def contents(self) -> Contents:
        """How much is stored."""
        query = "SELECT coalesce(sum(samples), 0), min(first_at), max(last_at) FROM minutes"
        with self._reading() as ask:
            return Contents(*ask.execute(query).fetchone())

    def minutes(self, since_ms: int) -> list[Minute]:
        """The minutes with commits at or after that time, in order."""
        query = "SELECT * FROM minutes WHERE minute >= ? AND last_at >= ? ORDER BY minute"
        with self._reading() as ask:
            return [Minute(*row) for row in ask.execute(query, (since_ms // MINUTE_MS, since_ms))]

    def strays(self, first_minute: int, last_minute: int) -> list[Stray]:
        """The strays committed in these minutes."""
        query = "SELECT * FROM strays WHERE minute BETWEEN ? AND ? ORDER BY first_place"
        with self._reading() as ask:
            return [Stray(*row) for row in ask.execute(query, (first_minute, last_minute))]

    def strays_of(self, robot: str, since_minute: int) -> list[Stray]:
        """One robot's, committed since then."""
        query = "SELECT * FROM strays WHERE robot = ? AND minute >= ?"
        with self._reading() as ask:
            return [Stray(*row) for row in ask.execute(query, (robot, since_minute))]

    def metrics(self) -> dict[str, str]:
        """The metrics that samples may have, with their kinds."""
        with self._reading() as ask:
            return dict(ask.execute("SELECT name, kind FROM metrics ORDER BY rowid").fetchall())

    def forget(self, before_minute: int) -> None:
        """Minutes before this one are no longer told of."""
        with self._writing() as write:
            write.execute("DELETE FROM minutes WHERE minute < ?", (before_minute,))
            write.execute("DELETE FROM strays WHERE minute < ?", (before_minute,))

    def _prepare(self, catalogue: Catalogue, new_name: str) -> str:
        schema = resources.files("collector.stores").joinpath("ledger.sql").read_text(encoding="utf-8")
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(schema)
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}; put it back from a backup") from None
        with self._writing() as write:
            row = write.execute("SELECT version, name FROM ledger").fetchone()
            if row is None:
                row = (VERSION, new_name)
                write.execute("INSERT INTO ledger VALUES (?, ?, 0)", row)
            if row[0] > VERSION:
                raise StoreError(
                    f"{self._path} has version {row[0]}, this version knows {VERSION}; "
                    "start a newer vitals-collector"
                )
            self._add_metrics(write, catalogue)
        return str(row[1])

    def _add_metrics(self, write: sqlite3.Connection, catalogue: Catalogue) -> None:
        known = dict(write.execute("SELECT name, kind FROM metrics").fetchall())
        for metric in catalogue.values():
            if (kind := known.get(metric.name, metric.kind)) != metric.kind:
                raise StoreError(
                    f"{self._path}: {metric.name} is a {metric.kind} in the catalogue, but was stored as "
                    f"a {kind}; give it another name in the catalogue"
                )
        rows = [(metric.name, metric.kind) for metric in catalogue.values()]
        write.executemany("INSERT INTO metrics VALUES (?, ?) ON CONFLICT DO NOTHING", rows)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                yield self._connection
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing; durable once left."""
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise


def _values(record: Minute | Stray | Loss) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in record.__dataclass_fields__)


def _watermark_rows(entry: Entry) -> Iterator[tuple[object, ...]]:
    nothing = Newest(0, 0, 0)
    for key, mark in entry.watermarks.items():
        newest = entry.newest.get(key, nothing)
        place = (newest.seq, newest.committed_at, newest.place)
        yield (*key, mark.until, format_numbers(mark.above), *place)
