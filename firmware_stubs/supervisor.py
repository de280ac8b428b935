"""Keeps one process a module running, as an init system would: starts, restarts, tells of faults, stops."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_stubs.behavior import Faults
from firmware_stubs.faults import FaultError, down, parse_file

LOOK_S = 0.25
RESTART_AFTER_S = 1.0
RESTART_AT_MOST_S = 30.0
STOP_WITHIN_S = 3.0
Say = Callable[[str], None]


class FaultFile:
    """Reads a file of faults again whenever it changed; a mistake in it leaves things as they were."""

    def __init__(self, path: Path, say: Say) -> None:
        self.path = path
        self.faults: Faults = frozenset()
        self._say = say
        self._seen: object = ()

    def look(self) -> Faults:
        """The faults it names now. Says in one line what is wrong with it, once a change."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            self._read(state is not None)
        return self.faults

    def _state(self) -> tuple[int, int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return (stat.st_ino, stat.st_mtime_ns, stat.st_size)

    def _read(self, present: bool) -> None:
        if not present:
            self.faults = frozenset()
            self._say(f"{self.path}: not there; no faults of it until it is")
            return
        try:
            self.faults = parse_file(str(self.path), self.path.read_text(encoding="utf-8"))
        except (FaultError, OSError, UnicodeDecodeError) as error:
            place = "" if isinstance(error, FaultError) else f"{self.path}: cannot be read: "
            self._say(f"{place}{error}; the faults stay as they were")


@dataclass(slots=True)
class Child:
    """A module's process, or the time to start it again."""

    module: str
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    started_at: float = 0.0
    start_at: float = 0.0
    patience_s: float = RESTART_AFTER_S


class Supervisor:
    """Runs modules until told to stop."""

    def __init__(self, modules: Sequence[str], arguments: Sequence[str], seed: int, say: Say) -> None:
        self._children = [Child(name) for name in modules]
        self._arguments = list(arguments)
        self._seed = seed
        self._say = say
        self._faults: Faults = frozenset()

    def run(self, faults: Callable[[], Faults], stop: threading.Event) -> None:
        """Looks after the modules until `stop` is set; none is left behind, whatever happens here."""
        try:
            while not stop.is_set():
                self._obey(faults())
                for child in self._children:
                    self._look_after(child, time.monotonic())
                stop.wait(LOOK_S)
        finally:
            self._stop(self._children)

    def _obey(self, faults: Faults) -> None:
        if faults == self._faults:
            return
        self._say(f"faults: {' '.join(sorted(faults)) or 'none'}")
        self._faults = faults
        for child in self._children:
            self._tell(child)
        self._stop([child for child in self._children if child.module in down(faults)])

    def _tell(self, child: Child) -> None:
        if child.process is None or child.process.stdin is None:
            return
        with contextlib.suppress(OSError):  # it just ended, and is told when it is started again
            child.process.stdin.write(self._order())
            child.process.stdin.flush()

    def _order(self) -> bytes:
        return f"faults {' '.join(sorted(self._faults))}\n".encode()

    def _look_after(self, child: Child, now: float) -> None:
        if child.process is not None and (code := child.process.poll()) is not None:
            self._ended(child, code, now)
        if child.process is None and now >= child.start_at and child.module not in down(self._faults):
            self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        seed = f"{self._seed}/{child.module}/{child.starts}"
        command = [sys.executable, "-m", f"firmware_stubs.{child.module}", *self._arguments, "--seed", seed]
        child.process = subprocess.Popen(  # noqa: S603, it is a module of this package
            command, stdin=subprocess.PIPE, process_group=0
        )  # a group of its own: Ctrl-C reaches this process alone, which then stops the modules
        child.starts, child.started_at = child.starts + 1, now
        self._say(f"{child.module}: started, process {child.process.pid}")
        self._tell(child)

    def _ended(self, child: Child, code: int, now: float) -> None:
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        steady = now - child.started_at > RESTART_AT_MOST_S
        wait = RESTART_AFTER_S if steady else child.patience_s
        child.patience_s = min(wait * 2, RESTART_AT_MOST_S)
        child.start_at = now + wait
        _close(child)
        self._say(f"{child.module}: {how}; starts again in {wait:g} s")

    def _stop(self, children: Sequence[Child]) -> None:
        running = [child for child in children if child.process is not None]
        for child in running:
            _close(child, signal.SIGTERM)
        for child in running:
            self._say(f"{child.module}: stopped")


def _close(child: Child, ask: signal.Signals | None = None) -> None:
    process, child.process = child.process, None
    if process is None:
        return
    if ask is not None:
        process.send_signal(ask)
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
