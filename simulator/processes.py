"""Processes that never outlive their parent: each in a group of its own, told by the kernel when we die."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Child:
    """A command that runs with its output in a file, and can be started again."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.command = tuple(command)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Child {self.name} {'running' if self.running else 'ended'}>"

    @property
    def pid(self) -> int:
        """Its process id; 0 before it was started."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def last_words(self) -> str:
        """The last line it printed."""
        with contextlib.suppress(OSError):
            lines = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
            return lines[-1].strip() if lines else ""
        return ""

    def start(self) -> None:
        """Starts it."""
        us = os.getpid()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=lambda: _die_with(us),
            )

    def run(self, timeout_s: float) -> int:
        """Starts it and waits for its end; returns its exit code."""
        self.start()
        if self._process is None:
            raise RuntimeError("a started child has a process")
        return self._process.wait(timeout_s)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to its whole group, if any of it is left."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def stop(children: Iterable[Child], patience_s: float = 5.0) -> None:
    """Asks all of them to end, and kills what has not ended in time, with whatever they started."""
    ending = list(children)
    for child in ending:
        if child.running:
            child.send(signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while any(child.running for child in ending) and time.monotonic() < deadline:
        time.sleep(0.02)
    for child in ending:
        child.send(signal.SIGKILL)


def _die_with(parent: int) -> None:
    """Runs in the child, before its command: when the parent dies, however it dies, end."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
