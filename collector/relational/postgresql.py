"""PostgreSQL, through psycopg.

Writers take turns, as they do on SQLite: a transaction that writes begins with an advisory lock. So none of
them can deadlock or has to be repeated, and rows get their numbers in the order in which they become visible:
a robot's row in the engine never moves.

Whoever wants the database alone holds a second advisory lock, on the one connection through which it writes.
If that connection breaks, its transaction and the lock are gone together: what a collector writes is always
written under its lock, whoever came meanwhile.
"""

import os
import socket
from typing import Any, Final

import psycopg
from psycopg import errors
from sqlalchemy import URL, Connection, Engine, create_engine, event

WAIT_S: Final = 10  # for another's write
TAKE_OVER_S: Final = 5  # for a collector that is just ending, or whose end the server has yet to notice
_DRIVER: Final = "postgresql+psycopg"
# Locks are the database's; of several schemas in it, each is a database to us.
_WRITE: Final = "hashtextextended('robovitals write ' || current_schema(), 0)"
_ALONE: Final = "hashtextextended('robovitals collector ' || current_schema(), 0)"
_HOLDER: Final = f"""
SELECT application_name, coalesce(host(client_addr), 'this machine')
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid::bigint << 32 | objid::bigint) = {_ALONE}
"""  # noqa: S608 - made of constants
# A machine that vanished must not keep a lock for the two hours that TCP would wait for it.
_SESSION: Final = {
    "lock_timeout": f"{WAIT_S}s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_CONNECTION: Final = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_Psycopg = psycopg.Connection[tuple[Any, ...]]


def engines(url: URL, *, alone: bool) -> tuple[Engine, Engine]:
    """For transactions that read, and for those that write."""
    readers = _engine(url, isolation_level="REPEATABLE READ").execution_options(postgresql_readonly=True)
    writers = _engine(url, isolation_level="READ COMMITTED", pool_size=1, max_overflow=0, pool_timeout=WAIT_S)
    event.listen(writers, "begin", _take_turn)
    if alone:
        event.listen(writers, "connect", _be_alone)
    return readers, writers


def cause(error: Exception) -> str:
    """Why the database cannot be used, and what to do."""
    origin = getattr(error, "orig", None) or error
    why = str(origin).partition("\n")[0].removeprefix("connection failed: ")
    known = isinstance(origin, (InUseError, EncodingError))
    return why if known else f'{why}; how to set it up: docs/operating.md, "PostgreSQL"'


class InUseError(errors.LockNotAvailable):
    """Another collector has the database."""


class EncodingError(psycopg.NotSupportedError):
    """The database cannot hold every text."""


def _engine(url: URL, **options: Any) -> Engine:
    host = socket.gethostname()
    known = {**_CONNECTION, "application_name": f"vitals-collector on {host[:32]}, pid {os.getpid()}"}
    given = {name: value for name, value in known.items() if name not in url.query}
    address = url.set(drivername=_DRIVER)
    engine = create_engine(address, pool_pre_ping=True, connect_args=given, **options)
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: _Psycopg, _record: object) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        connection.close()
        raise EncodingError(
            f"its encoding is {encoding}; make it with: createdb --encoding=UTF8 --template=template0"
        )
    for name, value in _SESSION.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.commit()


def _be_alone(connection: _Psycopg, _record: object) -> None:
    connection.execute(f"SET LOCAL lock_timeout = '{TAKE_OVER_S}s'")
    try:
        connection.execute(f"SELECT pg_advisory_lock({_ALONE})")
    except errors.LockNotAvailable:
        connection.rollback()
        name, place = connection.execute(_HOLDER).fetchone() or ("a collector", "somewhere")
        connection.close()
        raise InUseError(
            f"is in use by {name} (from {place}); stop that one, or give each fleet a database of its own"
        ) from None
    connection.commit()


def _take_turn(connection: Connection) -> None:
    """The transaction sees whatever was committed before its turn came."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE})")
