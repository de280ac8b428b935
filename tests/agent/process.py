"""A real agent in a process of its own, for tests."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from agent import report
from agent.folder import SpoolError

AGENT = [sys.executable, "-m", "agent"]
TIMEOUT_S = 60.0


class Agent:
    """`vitals-agent run` on a folder, started by `with` or `start`; its log collects in the folder."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *flags: str,
        robot: str = "r1",
        interval_s: float = 0.2,
        spool: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.robot = robot
        self.spool = spool or folder / "spool"
        self.socket = folder / "v.sock"
        self._log = folder / "agent.log"
        known = {
            "fleet": "test",
            "robot": "r1",
            "mqtt": url,
            "interval-s": str(interval_s),
            "spool": str(self.spool),
            "socket": str(self.socket),
            "udp": "127.0.0.1:0",
        }
        self._flags = [part for name, value in known.items() for part in (f"--{name}", value)]
        self._flags += flags
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def log(self) -> str:
        """What it printed so far."""
        return self._log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it."""
        with self._log.open("ab") as log:
            command = [*AGENT, "run", *self._flags]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ends it as systemd would; returns its exit code."""
        return self._end(signal.SIGTERM)

    def status(self) -> dict[str, Any]:
        """What `vitals-agent status --json` says; nothing while it cannot say anything yet."""
        try:
            found = report.read(self.spool)
        except SpoolError:
            return {}
        return {} if found is None else dict(msgspec.to_builtins(found))

    def printed_status(self, *flags: str) -> str:
        """What `vitals-agent status` prints."""
        command = [*AGENT, "status", "--spool", str(self.spool), *flags]
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=True, text=True).stdout

    def push(self, data: bytes) -> None:
        """Sends a datagram to its Unix socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as firmware:
            firmware.sendto(data, str(self.socket))

    def push_udp(self, data: bytes) -> None:
        """Sends a datagram to its UDP port."""
        host, _, port = str(self.status()["udp"]).rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as firmware:
            firmware.sendto(data, (host, int(port)))

    def wait(self) -> int:
        """Waits until it ends by itself; returns its exit code."""
        assert self._process is not None
        return self._process.wait(TIMEOUT_S)

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self.wait()
