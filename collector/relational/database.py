"""Opening the database: pragmas, schema, and the two ways to use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from collector.relational.schema import VERSION, metadata, schema_version

BUSY_TIMEOUT_MS: Final = 10_000


class UnusableDatabaseError(Exception):
    """The database cannot be used; the message says why, and what to do."""


class Database:
    """Short transactions over SQLite (WAL) or whatever else the URL names."""

    def __init__(self, url: str) -> None:
        try:
            self._engine = _connect(url)
            with self.writing() as connection:
                _migrate(connection)
        except ArgumentError as error:
            raise UnusableDatabaseError(f"{url!r} is no database URL: {error}") from None
        except ImportError as error:
            raise UnusableDatabaseError(f"{url}: needs the Python package {error.name!r}") from None
        except (DatabaseError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            passing = isinstance(error, (OperationalError, OSError))
            remedy = "" if passing else "; put it back from a backup, or move it away to begin anew"
            raise UnusableDatabaseError(f"{url}: {cause}{remedy}") from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view; waits for no writer."""
        with self._engine.connect().execution_options(reading=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing, and one at a time on SQLite."""
        with self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Gives the connections back."""
        self._engine.dispose()


def _connect(url: str) -> Engine:
    engine = create_engine(make_url(url), pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """The driver must not begin transactions on its own: it would begin them too late."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "foreign_keys=ON",
        "synchronous=FULL",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its lock at once: a read lock raised to a write lock may fail, whatever the timeout."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _migrate(connection: Connection) -> None:
    metadata.create_all(connection)
    version = connection.scalar(select(schema_version.c.version))
    if version is None:
        connection.execute(insert(schema_version).values(version=VERSION))
    elif version > VERSION:
        raise UnusableDatabaseError(
            f"the database has schema {version}, this version knows {VERSION}; start a newer vitals-collector"
        )
