"""Real agents whose clocks a test sets: the whole service in a thread, over a machine that lies.

`Clocks` are a robot's: the wall clock can be set and claimed right, the robot can sleep, and reboot. They
remember when each boot really began, by our own clock, which is the truth that event times are held against.
"""

import contextlib
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from agent import folder as folders
from agent import report
from agent.catalogue import load
from agent.clock import Reading
from agent.config import Given, Settings, check
from agent.procfs import Machine
from agent.report import Report
from agent.service import Service, listen
from tests.processes import until

IN_1970 = None


class Clocks:
    """A robot's clocks. `began` says when its boots really began, ms UTC."""

    def __init__(self) -> None:
        self.began: dict[str, int] = {}
        self._wall: tuple[int | None, bool] = (0, True)
        self.reboot("boot-1")

    def set(self, offset: int | None, *, synced: bool) -> None:
        """The wall clock is off by so many ms from now on; `IN_1970`: that was when the boot began."""
        self._wall = (offset, synced)

    def reboot(self, boot: str) -> None:
        """Another boot begins now."""
        self.began[boot] = _now()
        self.boot = boot

    def sleep(self, ms: int) -> None:
        """The robot was suspended for so long, and wakes: all that was before lies further back."""
        self.began = {boot: began - ms for boot, began in self.began.items()}

    def reading(self) -> Reading:
        """All clocks, as the robot shows them."""
        (offset, synced), up = self._wall, _now() - self.began[self.boot]
        wall = up if offset is None else _now() + offset
        return Reading(wall=wall, up=up, boot=self.boot, synced=synced)


class LyingMachine(Machine):
    """This machine, with other clocks."""

    def __init__(self, clocks: Clocks) -> None:
        super().__init__()
        self._clocks = clocks
        self.boot = clocks.boot

    def clocks(self) -> Reading:
        """What the robot's clocks show."""
        return self._clocks.reading()


class Robot:
    """One run of an agent, from `with` to its end; the next one on the same folder goes on with its spool."""

    def __init__(self, folder: Path, mqtt: str, name: str, clocks: Clocks, interval_s: float = 0.1) -> None:
        self.name = name
        spool = folder / name
        given = {
            "fleet": "test",
            "robot": name,
            "mqtt": mqtt,
            "interval_s": str(interval_s),
            "spool": str(spool),
            "socket": "off",
            "udp": "off",
            "reconnect_within_s": "0.2",
        }
        self._config = check(Settings(simple={key: Given(text, key) for key, text in given.items()}))
        self._clocks = clocks
        self._service: Service | None = None
        self._error: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"agent-{name}")

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._service is not None:
            self._service.stop()
        self._thread.join()
        if self._error is not None:
            raise self._error

    @property
    def report(self) -> Report:
        """What `vitals-agent status` says of it."""
        found = report.read(self._config.spool)
        assert found is not None
        return found

    def takes(self, count: int) -> None:
        """Waits until it has taken so many more samples."""
        enough = self.report.next + count
        until(f"{count} samples", lambda: self.report.next >= enough)

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(os.close, folders.acquire(self._config.spool))
                listeners = stack.enter_context(contextlib.closing(listen(self._config)))
                machine = LyingMachine(self._clocks)
                self._service = Service(self._config, "test", load(), None, listeners, machine)
                stack.enter_context(contextlib.closing(self._service))
                self._ready.set()
                self._service.run()
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()


def _now() -> int:
    return time.time_ns() // 1_000_000
