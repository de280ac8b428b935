"""Real brokers on free loopback ports, for tests and benchmarks.

Fixtures: `nats` and `mosquitto` (one broker each), `broker` (the test runs once over either). All start
running; `stop`, `kill` and `start` work on the same port and the same stored data.

    def test_something(broker: Broker) -> None:
        connect(broker.url)
        broker.kill()
        broker.start()
"""

import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

DEADLINE_S = 30.0
_CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x05\x00\x05probe"
_CONNACK = b"\x20\x02\x00\x00"
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """A broker process; `kind` names it, `url` is where MQTT clients connect."""

    kind = "broker"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} at {self.url}{'' if self.running else ', stopped'}>"

    def __enter__(self) -> Self:
        if not self.running:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """`mqtt://127.0.0.1:PORT`."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id; 0 before it was started."""
        return 0 if self._process is None else self._process.pid

    @property
    def log(self) -> str:
        """What the broker printed so far."""
        path = self.folder / f"{self.kind}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Starts it, and returns once it accepts MQTT clients."""
        command = self._command()
        with (self.folder / f"{self.kind}.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + DEADLINE_S
        while not self._accepts():
            if not self.running or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.kind} does not start: {self.log[-2000:]}")
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

    def _accepts(self) -> bool:
        try:
            with self._connect() as probe:
                probe.settimeout(5)
                probe.sendall(_CONNECT)
                return probe.recv(4) == _CONNACK
        except OSError:
            return False

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=1)

    def _command(self) -> Sequence[str]:
        raise NotImplementedError


class Nats(Broker):
    """The NATS server of the wheel, with JetStream and its MQTT listener."""

    kind = "nats"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._client_port = free_port()

    def _command(self) -> Sequence[str]:
        config = self.folder / "nats.conf"
        config.write_text(
            f'server_name: "test-{self.port}"\n'
            f'listen: "127.0.0.1:{self._client_port}"\n'
            f'jetstream: {{store_dir: "{self.folder / "jetstream"}"}}\n'
            f'mqtt: {{listen: "127.0.0.1:{self.port}"}}\n'
        )
        return [str(Path(sys.executable).with_name("nats-server")), "-c", str(config)]


class Mosquitto(Broker):
    """Mosquitto from the distribution's packages, keeping its queues on disk."""

    kind = "mosquitto"

    @staticmethod
    def program() -> str | None:
        """Where it is installed; None: it is not."""
        return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")

    def _command(self) -> Sequence[str]:
        program = self.program()
        if program is None:
            raise RuntimeError("mosquitto is not installed")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(self._settings()) + "\n")
        return [program, "-c", str(config)]

    def _settings(self) -> list[str]:
        return [
            "user root",  # else mosquitto, started by root, cannot write to the test's folder
            "persistence true",
            f"persistence_location {self.folder}/",
            "autosave_interval 1",
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
        ]


class SecureMosquitto(Mosquitto):
    """Mosquitto behind TLS, with an authority of its own; clients need certificate `cert` and its `key`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ca, self.cert, self.key = (folder / name for name in ("ca.pem", "cert.pem", "cert.key"))
        subject = ["-subj", "/CN=test authority", "-addext", "basicConstraints=critical,CA:TRUE"]
        self._openssl("req", "-x509", *_KEY, *subject, "-keyout", "ca.key", "-out", "ca.pem")
        request = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "cert.key", "-out", "cert.pem"]
        self._openssl("req", "-x509", *_KEY, *request, *signed)

    @property
    def url(self) -> str:
        """`mqtts://127.0.0.1:PORT`."""
        return f"mqtts://127.0.0.1:{self.port}"

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def _connect(self) -> socket.socket:
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(self.cert, self.key)
        return context.wrap_socket(super()._connect(), server_hostname="127.0.0.1")

    def _settings(self) -> list[str]:
        files = [f"cafile {self.ca}", f"certfile {self.cert}", f"keyfile {self.key}"]
        return [*super()._settings(), *files, "require_certificate true"]


def _of_kind(kind: str, folder: Path) -> Broker:
    if kind == "mosquitto" and Mosquitto.program() is None:
        pytest.skip("mosquitto is not installed")
    return Nats(folder) if kind == "nats" else Mosquitto(folder)


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Broker]:
    """A running NATS server."""
    with _of_kind("nats", tmp_path / "nats") as broker:
        yield broker


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    """A running Mosquitto; the test is skipped where it is not installed."""
    with _of_kind("mosquitto", tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture(params=["nats", "mosquitto"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A running broker; the test runs once over each kind."""
    with _of_kind(request.param, tmp_path / request.param) as broker:
        yield broker
