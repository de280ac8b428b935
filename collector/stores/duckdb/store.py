"""Samples in DuckDB: one wide row a sample, one column a metric, added when the catalogue grows.

One thread writes, on one connection. A commit is one transaction over samples, losses and watermarks, and
durable when `append` returns: kill -9 at any instant leaves all of it or nothing. Rows are only ever added;
another thread puts them in order later (`upkeep`), so that a range of time, or one robot, touches few of
them. There is no index to keep in memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from agent.catalogue import Catalogue
from collector.stores import (
    Commit,
    Contents,
    Delivery,
    Imported,
    LossReason,
    Retention,
    Series,
    Spans,
    StoredSample,
    StoreError,
    Watermark,
)
from collector.stores.duckdb import delivery, newest, recordings, schema, spans, upkeep, watermarks
from collector.stores.duckdb.batches import read_batches
from collector.stores.duckdb.columns import Columns, loss_columns, sample_columns, watermark_columns
from collector.stores.duckdb.series import Asked, points, steps
from rules.batch import Batch
from rules.recording import Header
from rules.roster import Roster


class DuckStore:
    """A store in one file. Raises `StoreError`."""

    def __init__(self, path: Path, catalogue: Catalogue) -> None:
        self._path = path
        self._catalogue = catalogue
        self._connection = self._open()
        self._move = watermarks.last_move(self._connection)

    def __repr__(self) -> str:
        return f"<DuckStore {self._path}>"

    def close(self) -> None:
        """Writes the log's content to its place, and closes the file."""
        self._connection.close()

    def append(self, commit: Commit) -> None:
        """Stores all of it or nothing; durable on return."""
        with self._transaction() as connection:
            if len(commit.rows):
                _insert(connection, "fresh", sample_columns(commit.rows, commit.at))
            if commit.losses:
                _insert(connection, "losses", loss_columns(commit.losses))
            if commit.watermarks:
                self._move_watermarks(watermark_columns(commit))

    def first_new(self, recording: Path) -> int | None:
        """When the first of a recording's samples was committed that is not stored yet; None: all are."""
        with self._reading() as connection:
            return recordings.first_new(connection, recording, schema.columns(connection))

    def take(self, recording: Path) -> Imported:
        """Stores a recording's samples with their own commit times: all that are new, or nothing."""
        before = self.watermarks()
        with self._transaction() as connection:
            imported, marks = recordings.take(connection, recording, schema.columns(connection), before)
            if imported.added:
                self._move_watermarks(marks)
            return imported

    def watermarks(self) -> dict[tuple[str, str], Watermark]:
        """What is stored, by (robot, epoch)."""
        with self._reading() as connection:
            return watermarks.read(connection)

    def newest(self) -> list[StoredSample]:
        """The sample with the highest number of every (robot, epoch) in use within the last days."""
        with self._reading() as connection:
            return [self._sample(row) for row in newest.read(connection)]

    def losses(self) -> dict[str, dict[LossReason, int]]:
        """How many samples of each robot were declared lost, by reason."""
        lost: dict[str, dict[LossReason, int]] = {}
        with self._reading() as connection:
            query = "SELECT robot, reason, sum(count)::BIGINT FROM losses GROUP BY robot, reason"
            for robot, reason, count in connection.execute(query).fetchall():
                lost.setdefault(robot, {})[reason] = count
        return lost

    def delivery(self, robot: str, since_ms: int) -> Delivery:
        """How the robot's samples came: what was lost, and of those received since then, what was late."""
        with self._reading() as connection:
            return delivery.read(connection, robot, since_ms)

    def maintain(self, now_ms: int, retention: Retention) -> None:
        """Settles, rolls up, and forgets what is due; `append` goes on meanwhile."""
        with self._cursor() as connection:
            upkeep.maintain(connection, now_ms, retention)

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
            stored = schema.columns(connection)
            if step_ms is None:
                return points(connection, asked, stored)
            return steps(connection, asked, stored, step_ms)

    def spans(self, robots: Sequence[str], counters: Sequence[str], bounds: Sequence[int]) -> Spans:
        """Of each robot, what counters rose in each of the spans, and in which hours it took samples."""
        with self._reading() as connection:
            return spans.read(connection, robots, counters, bounds)

    def batches(self, since_ms: int, roster: Roster, metrics: Sequence[str] | None = None) -> Iterator[Batch]:
        """What was committed at or after `since_ms`, one batch a commit, in order."""
        with self._reading() as connection:
            stored = schema.columns(connection)
            wanted = [name for name in metrics or self._catalogue if name in stored]
            yield from read_batches(connection, since_ms, roster, wanted)

    def export(self, path: Path, header: Header) -> int:
        """Writes everything as a recording; returns the number of samples."""
        with self._reading() as connection:
            return recordings.export(connection, path, header)

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            connection = duckdb.connect(str(self._path), config=schema.SETTINGS)
            try:
                schema.prepare(connection, self._path, self._catalogue)
            except BaseException:
                connection.close()
                raise
        except duckdb.Error as error:
            raise StoreError(
                f"{self._path}: {_one_line(error)}; put it back from a backup, or give another --data"
            ) from None
        return connection

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
        with self._cursor() as connection:
            connection.begin()
            yield connection

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except duckdb.Error as error:
            raise StoreError(f"{self._path}: {_one_line(error)}") from None

    def _move_watermarks(self, columns: Columns) -> None:
        self._move += 1
        watermarks.move(self._connection, columns, self._move)

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


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
