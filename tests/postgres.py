"""Real PostgreSQL servers on free loopback ports, each with a temporary data folder of its own.

Fixtures: `postgres` (one server for the whole session; a test makes itself a database in it) and
`own_postgres` (a server for one test, which may stop, kill and start it). Tests that ask for one are skipped
where PostgreSQL is not installed.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil
import psycopg
import pytest

from tests.brokers import DEADLINE_S, free_port

OLDEST: Final = 15
PASSWORD: Final = "open sesame/@:"  # as awkward as a person's
_QUOTED: Final = "open%20sesame%2F%40%3A"


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`, of the newest version installed; None: there is none."""
    found = {int(path.parent.parent.name): path.parent for path in _installed()}
    newest = max(found, default=0)
    return found[newest] if newest >= OLDEST else None


def _installed() -> Iterator[Path]:
    for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"):
        if path.parent.parent.name.isdecimal():
            yield path


class Postgres:
    """A server; `stop`, `kill` and `start` work on the same port and the same data."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._binaries = binaries
        self._user = "postgres" if os.geteuid() == 0 else None  # which refuses to run as root
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        if self._user is not None:
            shutil.chown(folder, self._user)
        self._init()

    def __repr__(self) -> str:
        return f"<PostgreSQL on port {self.port}{'' if self._process else ', stopped'}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(signal.SIGQUIT)  # at once; nobody needs its data any more

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """Where a database of it is, for the owner of all of them; `port` is that of a proxy."""
        return f"postgresql://vitals:{_QUOTED}@127.0.0.1:{port or self.port}/{database}"

    def new_database(self, more: str = "") -> str:
        """The name of a new, empty database."""
        name = f"db{next(self._numbers)}"
        self.query(f"CREATE DATABASE {name} {more}")
        return name

    def query(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What the owner of all databases is answered."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Starts it, and returns once it accepts clients."""
        flags = ["-p", str(self.port), "-h", "127.0.0.1", "-k", str(self._folder)]
        frugal = ["-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "max_connections=60"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, *flags, *frugal],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self._user,
                group=self._user,
            )
        deadline = time.monotonic() + DEADLINE_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"PostgreSQL does not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends it as an operator would: clients are turned out, everything is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """kill -9 of the server and of all it started."""
        started = []
        if self._process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                started = psutil.Process(self._process.pid).children(recursive=True)
        self._end(signal.SIGKILL)
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        deadline = time.monotonic() + DEADLINE_S
        while not all(map(_is_dead, started)) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(DEADLINE_S)
            self._process = None

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "server.log"

    def _init(self) -> None:
        """Ordered as people read, not by code point: a database that is nobody's own."""
        secret = self._folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
        login = ["--username=vitals", "--auth=scram-sha-256", f"--pwfile={secret}"]
        subprocess.run(
            [self._binaries / "initdb", "--no-sync", "-D", self._data, *locale, *login],
            cwd=self._folder,
            check=True,
            capture_output=True,
            user=self._user,
            group=self._user,
        )

    def _accepts(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def _is_dead(process: psutil.Process) -> bool:
    """Gone, or its parent has yet to hear of it."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def _running() -> Iterator[Postgres]:
    binaries = programs()
    if binaries is None:
        pytest.skip(f"PostgreSQL {OLDEST} or newer is not installed")
    # Not under pytest's own folder: nobody but its user may enter that.
    with (
        tempfile.TemporaryDirectory(prefix="vitals-pg-") as folder,
        Postgres(Path(folder), binaries) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server that nobody may end."""
    with _running() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A running server of the test's own."""
    with _running() as server:
        yield server
