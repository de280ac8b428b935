"""Samples in DuckDB: one wide row a sample, one column a metric, added when the catalogue grows.

One thread writes, on one connection. A commit is one transaction over samples, losses and watermarks, and
durable when `append` returns: kill -9 at any instant leaves all of it or nothing. Rows lie in the order of
their commits, so that a range of time touches few of them; there is no index to keep in memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb

from agent.catalogue import Catalogue
from collector.stores import (
    Commit,
    Contents,
    Imported,
    LossReason,
    Series,
    StoredSample,
    StoreError,
    Watermark,
)
from collector.stores.duckdb import recordings
from collector.stores.duckdb.batches import read_batches
from collector.stores.duckdb.columns import (
    Columns,
    loss_columns,
    sample_columns,
    watermark_columns,
)
from collector.stores.duckdb.series import Asked, points, steps
from collector.stores.numbers import parse_numbers
from rules.batch import Batch
from rules.recording import Header
from rules.roster import Roster

VERSION: Final = 1
RECENT_MS: Final = 30 * 86_400_000
_SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS store (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS samples (
    robot VARCHAR NOT NULL, epoch VARCHAR NOT NULL, seq BIGINT NOT NULL,
    t BIGINT NOT NULL, robot_t BIGINT NOT NULL, received_at BIGINT NOT NULL, committed_at BIGINT NOT NULL,
    up BIGINT NOT NULL, boot VARCHAR NOT NULL, synced BOOLEAN NOT NULL, corrected BOOLEAN NOT NULL
);
CREATE TABLE IF NOT EXISTS watermarks (
    robot VARCHAR NOT NULL, epoch VARCHAR NOT NULL, until BIGINT NOT NULL, above VARCHAR NOT NULL,
    newest BIGINT NOT NULL,    -- the highest number stored
    newest_at BIGINT NOT NULL  -- and when it was committed
);
CREATE TABLE IF NOT EXISTS losses (
    robot VARCHAR NOT NULL, epoch VARCHAR NOT NULL, "first" BIGINT NOT NULL, "last" BIGINT NOT NULL,
    count BIGINT NOT NULL, reason VARCHAR NOT NULL, declared_at BIGINT NOT NULL
);
"""
_MOVE_WATERMARKS: Final = """
UPDATE watermarks SET until = i.until, above = i.above,
    newest_at = CASE WHEN i.newest > watermarks.newest THEN i.newest_at ELSE watermarks.newest_at END,
    newest = greatest(i.newest, watermarks.newest)
FROM incoming_watermarks i WHERE watermarks.robot = i.robot AND watermarks.epoch = i.epoch
"""
_ADD_WATERMARKS: Final = """
INSERT INTO watermarks BY NAME SELECT * FROM incoming_watermarks i
WHERE NOT EXISTS (SELECT 1 FROM watermarks w WHERE w.robot = i.robot AND w.epoch = i.epoch)
"""
_NEWEST: Final = """
SELECT s.* FROM samples s JOIN watermarks w
ON s.committed_at = w.newest_at AND s.seq = w.newest AND s.robot = w.robot AND s.epoch = w.epoch
WHERE w.newest_at >= (SELECT max(newest_at) FROM watermarks) - ?
"""


class DuckStore:
    """A store in one file. Raises `StoreError`."""

    def __init__(self, path: Path, catalogue: Catalogue) -> None:
        self._path = path
        self._catalogue = catalogue
        self._connection = self._open()

    def __repr__(self) -> str:
        return f"<DuckStore {self._path}>"

    def close(self) -> None:
        """Writes the log's content to its place, and closes the file."""
        self._connection.close()

    def append(self, commit: Commit) -> None:
        """Stores all of it or nothing; durable on return."""
        with self._transaction() as connection:
            if commit.samples:
                columns = sample_columns(commit.samples, commit.at, self._catalogue)
                _insert(connection, "samples", columns)
            if commit.losses:
                _insert(connection, "losses", loss_columns(commit.losses))
            if commit.watermarks:
                _move_watermarks(connection, watermark_columns(commit))

    def first_new(self, recording: Path) -> int | None:
        """When the first of a recording's samples was committed that is not stored yet; None: all are."""
        with self._reading() as connection:
            return recordings.first_new(connection, recording, self._columns(connection))

    def take(self, recording: Path) -> Imported:
        """Stores a recording's samples with their own commit times: all that are new, or nothing."""
        before = self.watermarks()
        with self._transaction() as connection:
            imported, marks = recordings.take(connection, recording, self._columns(connection), before)
            if imported.added:
                _move_watermarks(connection, marks)
            return imported

    def watermarks(self) -> dict[tuple[str, str], Watermark]:
        """What is stored, by (robot, epoch)."""
        with self._reading() as connection:
            rows = connection.execute("SELECT robot, epoch, until, above FROM watermarks").fetchall()
        return {(robot, epoch): Watermark(until, parse_numbers(above)) for robot, epoch, until, above in rows}

    def newest(self) -> list[StoredSample]:
        """The sample with the highest number of every (robot, epoch) in use within the last days."""
        with self._reading() as connection:
            result = connection.execute(_NEWEST, [RECENT_MS])
            names = [column[0] for column in result.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        return [self._sample(row) for row in rows]

    def losses(self) -> dict[str, dict[LossReason, int]]:
        """How many samples of each robot were declared lost, by reason."""
        lost: dict[str, dict[LossReason, int]] = {}
        with self._reading() as connection:
            query = "SELECT robot, reason, sum(count)::BIGINT FROM losses GROUP BY robot, reason"
            for robot, reason, count in connection.execute(query).fetchall():
                lost.setdefault(robot, {})[reason] = count
        return lost

    def contents(self) -> Contents:
        """How much is stored."""
        with self._reading() as connection:
            query = "SELECT count(*), min(committed_at), max(committed_at) FROM samples"
            row = connection.execute(query).fetchone()
        return Contents(*row) if row else Contents(0, None, None)

    def series(
        self, robot: str, metrics: Sequence[str], from_ms: int, to_ms: int, step_ms: int | None
    ) -> Series:
        """One robot's metrics in [from_ms, to_ms)."""
        asked = Asked(robot, tuple(dict.fromkeys(metrics)), from_ms, to_ms)
        with self._reading() as connection:
            stored = self._columns(connection)
            if step_ms is None:
                return points(connection, asked, stored)
            return steps(connection, asked, stored, step_ms)

    def batches(self, since_ms: int, roster: Roster, metrics: Sequence[str] | None = None) -> Iterator[Batch]:
        """What was committed at or after `since_ms`, one batch a commit, in order."""
        with self._reading() as connection:
            stored = self._columns(connection)
            wanted = [name for name in metrics or self._catalogue if name in stored]
            yield from read_batches(connection, since_ms, roster, wanted)

    def export(self, path: Path, header: Header) -> int:
        """Writes everything as a recording; returns the number of samples."""
        with self._reading() as connection:
            return recordings.export(connection, path, header)

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            connection = duckdb.connect(str(self._path), config=_SETTINGS)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        except duckdb.Error as error:
            raise StoreError(
                f"{self._path}: {_one_line(error)}; put it back from a backup, or give another --data"
            ) from None
        return connection

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(_SCHEMA)
        version = connection.execute("SELECT version FROM store").fetchone()
        if version is None:
            connection.execute("INSERT INTO store VALUES (?)", [VERSION])
        elif version[0] > VERSION:
            raise StoreError(
                f"{self._path} has version {version[0]}, this version knows {VERSION}; "
                "start a newer vitals-collector"
            )
        self._add_columns(connection)

    def _add_columns(self, connection: duckdb.DuckDBPyConnection) -> None:
        stored = self._columns(connection)
        for metric in self._catalogue.values():
            kind = "BIGINT" if metric.kind == "counter" else "DOUBLE"
            if metric.name not in stored:
                connection.execute(f'ALTER TABLE samples ADD COLUMN "{metric.name}" {kind}')
            elif stored[metric.name] != kind:
                raise StoreError(
                    f"{self._path}: {metric.name} is a {metric.kind} in the catalogue, but was stored as "
                    f"{stored[metric.name]}; give it another name in the catalogue"
                )

    @staticmethod
    def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        """The columns of the samples, with their types."""
        rows = connection.execute("SELECT column_name, column_type FROM (DESCRIBE samples)").fetchall()
        return dict(rows)

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All of it or nothing; where a failure broke the connection, the file is opened anew."""
        try:
            self._connection.begin()
            yield self._connection
            self._connection.commit()
        except duckdb.Error as error:
            self._recover()
            raise StoreError(f"{self._path}: {_one_line(error)}") from None
        except BaseException:
            self._recover()
            raise

    def _recover(self) -> None:
        try:
            self._connection.rollback()
        except duckdb.Error:
            self._connection.close()
            self._connection = self._open()

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one reader; it sees what was committed when it began."""
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except duckdb.Error as error:
            raise StoreError(f"{self._path}: {_one_line(error)}") from None

    def _sample(self, row: dict[str, Any]) -> StoredSample:
        known = {name: row[name] for name in self._catalogue if row.get(name) is not None}
        own = {name: row[name] for name in StoredSample.__dataclass_fields__ if name in row}
        return StoredSample(
            **own,
            counters={name: known[name] for name in self._catalogue.counters if name in known},
            gauges={name: known[name] for name in self._catalogue.gauges if name in known},
        )


def _insert(connection: duckdb.DuckDBPyConnection, table: str, columns: Columns) -> None:
    connection.register("incoming", columns)
    connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")  # noqa: S608 - our own tables
    connection.unregister("incoming")


def _move_watermarks(connection: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    connection.register("incoming_watermarks", columns)
    connection.execute(_MOVE_WATERMARKS)
    connection.execute(_ADD_WATERMARKS)
    connection.unregister("incoming_watermarks")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
