"""Opening the database, and the two ways to use it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from collector.relational import postgresql, sqlite, versions

_PORTION: Final = 500  # a statement takes only so many parameters
Name = TypeVar("Name")


def portions(names: Iterable[Name], most: int = _PORTION) -> Iterator[list[Name]]:
    """So many at a time as one statement takes, or fewer."""
    listed = list(names)
    return (listed[at : at + most] for at in range(0, len(listed), most))


class UnusableDatabaseError(Exception):
    """The database cannot be used; the message says why, and what to do."""


class Database:
    """Short transactions over SQLite or PostgreSQL; with `alone`, no other may write as a collector."""

    def __init__(self, url: str, *, alone: bool = False) -> None:
        address = _address(url)
        is_file = address.get_backend_name() == "sqlite"
        engines = sqlite.engines(address) if is_file else postgresql.engines(address, alone=alone)
        self._readers, self._writers = engines
        try:
            with self.writing() as connection:
                versions.upgrade(connection)
        except (DatabaseError, OSError) as error:
            self.close()
            cause = sqlite.cause(error) if is_file else postgresql.cause(error)
            raise UnusableDatabaseError(f"{_shown(address)}: {cause}") from None
        except versions.NewerSchemaError as error:
            self.close()
            raise UnusableDatabaseError(f"{_shown(address)}: {error}") from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view; waits for no writer."""
        with self._readers.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing, and one at a time."""
        with self._writers.begin() as connection:
            yield connection

    def close(self) -> None:
        """Gives the connections back."""
        self._readers.dispose()
        self._writers.dispose()


def _address(url: str) -> URL:
    """What cannot be read is not shown either: a password may stand anywhere in it."""
    try:
        address = make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, ValueError):
        raise UnusableDatabaseError(
            "this is no database URL; write postgresql://user@host/database"
        ) from None
    if backend not in ("sqlite", "postgresql"):
        raise UnusableDatabaseError(f"{backend}://…: is neither SQLite nor PostgreSQL")
    return address


def _shown(address: URL) -> str:
    """Without a password, which may also stand in the query."""
    return address.set(query={}).render_as_string(hide_password=True)
