"""Real servers of time series on free loopback ports, for tests.

Fixtures: `victoriametrics` (one of its own, to stop and kill) and `shared_victoriametrics` (one for the
whole session: every ledger has samples of its own there). `stop`, `kill` and `start` work on the same port
and the same stored data.
"""

import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError

import pytest

from tests.brokers import DEADLINE_S, free_port


class VictoriaMetricsServer:
    """VictoriaMetrics from the distribution's packages; it keeps samples for a hundred years."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<VictoriaMetrics at {self.url}{'' if self.running else ', stopped'}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @staticmethod
    def program() -> str | None:
        """Where it is installed; None: it is not."""
        return shutil.which("victoria-metrics")

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> str:
        """What to give as `--store`."""
        return f"victoriametrics://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def get(self, path: str) -> str:
        """A page of it."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def start(self, *flags: str) -> None:
        """Starts it, and returns once it answers."""
        program = self.program()
        if program is None:
            raise RuntimeError("victoria-metrics is not installed")
        data = f"-storageDataPath={self.folder / 'data'}"
        listen = f"-httpListenAddr=127.0.0.1:{self.port}"
        command = [program, data, listen, "-retentionPeriod=100y", "-memory.allowedBytes=128MiB", *flags]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + DEADLINE_S
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                self.stop()
                log_text = (self.folder / "log").read_text(errors="replace")
                raise RuntimeError(f"victoria-metrics does not start: {log_text[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends it as an operator would; nothing happens if it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            return self.get("/health") == "OK"
        except (URLError, ConnectionError, TimeoutError):
            return False


def _server(folder: Path) -> VictoriaMetricsServer:
    if VictoriaMetricsServer.program() is None:
        pytest.skip("victoria-metrics is not installed")
    return VictoriaMetricsServer(folder)


@pytest.fixture(scope="session")
def shared_victoriametrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaMetricsServer]:
    """A running VictoriaMetrics for every test of the session that does not stop it."""
    with _server(tmp_path_factory.mktemp("victoriametrics")) as server:
        yield server


@pytest.fixture
def victoriametrics(tmp_path: Path) -> Iterator[VictoriaMetricsServer]:
    """A running VictoriaMetrics of the test's own."""
    with _server(tmp_path / "victoriametrics") as server:
        yield server
