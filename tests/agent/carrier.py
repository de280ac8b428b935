"""The real courier, outbox, link and spool over a real broker, in a thread of the test: an agent that only
carries, at whatever pace a test wants."""

import contextlib
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.backoff import Backoff
from agent.counters import State
from agent.courier import Courier, Identity, Remote
from agent.mqtt import parse_url
from agent.outbox import Settings
from agent.procfs import Machine
from agent.spool import Spool, open_spool
from agent.wire import Sample
from tests.agent.spools import fill


class Carrier:
    """An agent on a spool of its own, started by `with`. Every sample says its number as `asr.utterances`."""

    def __init__(
        self,
        folder: Path,
        url: str,
        settings: Settings,
        *,
        robot: str = "r1",
        held: int = 0,
        interval_s: float | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.epoch = ""
        self.taken = self.held = held
        self._folder = folder
        self._remote = Remote(parse_url(url), None)
        self._identity = Identity("test", robot, "0", 1, "UTC", {})
        self._settings = settings
        self._interval_s = interval_s
        self._machine = Machine()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"carrier-{robot}")

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def is_empty(self) -> bool:
        """Whether receipts cover everything; raises what it failed with."""
        if self._error is not None:
            raise self._error
        return self.held == 0

    def stop_sampling(self) -> None:
        """Takes no more samples."""
        self._interval_s = None

    def _run(self) -> None:
        try:
            with contextlib.closing(open_spool(self._folder)) as spool:  # SQLite wants one thread for it all
                fill(spool, self.taken)
                self._carry(spool, self._courier(spool))
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    def _courier(self, spool: Spool) -> Courier:
        return Courier(
            self._identity,
            self._remote,
            spool,
            self._machine.clocks,
            lambda *_: None,
            self._wake.set,
            self._settings,
            backoff=Backoff(first_ms=50, cap_ms=200),
        )

    def _carry(self, spool: Spool, courier: Courier) -> None:
        sample_at = time.monotonic()
        self.epoch = spool.epoch
        while not self._stopping.is_set():
            self._wake.clear()
            if self._interval_s is not None and time.monotonic() >= sample_at:
                sample_at = time.monotonic() + self._interval_s
                self._sample(spool, courier)
            courier.step(_now())
            self.taken, self.held = spool.next - 1, spool.held
            self._ready.set()
            self._wait(courier, sample_at)
        courier.leave(_now(), 2.0)

    def _wait(self, courier: Courier, sample_at: float) -> None:
        times = [] if self._interval_s is None else [sample_at]
        wake_at = courier.wake_at(_now())
        if wake_at is not None:
            times.append(wake_at / 1000)
        self._wake.wait(max(0.0, min(times) - time.monotonic()) if times else None)

    def _sample(self, spool: Spool, courier: Courier) -> None:
        clocks = self._machine.clocks()
        sent = clocks.sent()
        counted = {"asr": {"utterances": spool.next}}
        sample = Sample(t=sent.t, up=sent.up, boot=sent.boot, synced=clocks.trusted, c=counted, g={})
        courier.hold(sample, State())


def _now() -> int:
    return time.monotonic_ns() // 1_000_000
