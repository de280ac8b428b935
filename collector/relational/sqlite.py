"""SQLite: the embedded database, in a file of its own (WAL)."""

from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

BUSY_TIMEOUT_MS: Final = 10_000


def engines(url: URL) -> tuple[Engine, Engine]:
    """For transactions that read, and for those that write."""
    return _engine(url, "BEGIN"), _engine(url, "BEGIN IMMEDIATE")


def cause(error: Exception) -> str:
    """Why the file cannot be used, and what to do where it will not pass."""
    why = str(getattr(error, "orig", None) or error)
    passing = isinstance(error, (OperationalError, OSError))
    return why if passing else f"{why}; put it back from a backup, or move it away to begin anew"


def _engine(url: URL, begin: str) -> Engine:
    """A writer takes its lock at once: a read lock raised to a write lock may fail, whatever the timeout."""

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    engine = create_engine(url)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", start)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    """The driver must not begin transactions on its own: it would begin them too late."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "foreign_keys=ON",
        "synchronous=FULL",
    ):
        connection.execute(f"PRAGMA {pragma}").close()
