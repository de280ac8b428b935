"""A spool's life on a disk that fails at every single write, one after the other.

Run by `test_spool_writes.py` in a process of its own, with `faulty_disk.c` preloaded:

    python -m tests.agent.faulty_disk HOW FOLDER

HOW is `kill`, `torn`, or an error of the disk like `ENOSPC`. Prints how many writes there were.
"""

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent import folder as folders
from agent.folder import DATABASE, SpoolDamagedError, SpoolFullError
from agent.holdings import Holdings
from agent.quota import Quota
from agent.wire import Sample
from tests.agent.spools import contents, sample, state, zero_pages

COUNT, KILL, TORN, FAIL = range(4)
EVER = 1_000_000


@dataclass
class Promise:
    """What was said to be kept; in a file, since whoever said so is killed."""

    diary: Path
    forgotten: int = 0
    taken: dict[int, Sample] = field(default_factory=dict)

    def take(self, number: int, taken: Sample) -> None:
        """The spool says that it has the sample."""
        self.taken[number] = taken
        self._note(f"taken {number} {taken.t}")

    def forget(self, until: int) -> None:
        """The spool was told that it need not keep these."""
        self.forgotten = until
        self._note(f"forgotten {until}")

    def reread(self) -> None:
        """All that was said, by whomever."""
        for line in self.diary.read_text().splitlines() if self.diary.exists() else []:
            match line.split():
                case ["taken", number, name]:
                    self.taken[int(number)] = sample(int(name), metrics=300)
                case ["forgotten", until]:
                    self.forgotten = int(until)

    def _note(self, line: str) -> None:
        with self.diary.open("a") as diary:
            diary.write(line + "\n")


def live(folder: Path, promise: Promise, again: bool = False) -> None:
    """Takes samples, forgets some; on a disk that refuses, takes others under numbers not yet used."""
    holdings = Holdings(folder, Quota())
    for name in range(1, 9):
        _trying(holdings, lambda name=name: take(holdings, promise, 1_000 * again + name))  # type: ignore[misc]
        if name == 4:
            _trying(holdings, lambda: holdings.live.new_session())
            _trying(holdings, lambda: forget(holdings, promise))
    holdings.close()


def take(holdings: Holdings, promise: Promise, name: int) -> None:
    """One sample, of several pages; it may be handed out afterwards."""
    number, taken = holdings.live.next, sample(name, metrics=300)
    holdings.live.append(taken, state(number))
    promise.take(number, taken)
    holdings.live.runs(number, 1)


def forget(holdings: Holdings, promise: Promise) -> None:
    """A receipt for all but the newest."""
    promise.forget(holdings.live.next - 2)
    holdings.live.forget(holdings.live.next - 2, 0)


def salvage(folder: Path, promise: Promise) -> None:
    """Opens a damaged spool."""
    del promise
    Holdings(folder, Quota()).close()


def _trying(holdings: Holdings, step: Callable[[], object]) -> None:
    """A step that the disk may refuse; what seems damaged is recovered from, as the agent does."""
    with suppress(SpoolFullError):
        try:
            step()
        except SpoolDamagedError as damage:
            holdings.recover(damage)


def verify(folder: Path, promise: Promise, lost: int = 0) -> None:
    """With the disk whole again: all that was promised is there, as it was, and the spool goes on."""
    holdings = Holdings(folder, Quota())
    found = contents(holdings.live)
    missing = [n for n in promise.taken if n > promise.forgotten and promise.taken[n] != found.get(n)]
    declared = holdings.live.account.dropped.get("damaged", 0)
    assert len(missing) <= lost, f"missing or different: {missing}"
    assert declared <= lost, f"declared lost: {declared}"
    number = holdings.live.next
    assert number > max(promise.taken, default=0), f"number {number} is used again"
    take(holdings, promise, 5_000)
    holdings.close()


def strike(disk: ctypes.CDLL, folder: Path, how: str, at: int, act: Callable[[], None]) -> bool:
    """Lets the disk fail at one write of the action. Returns whether it came that far."""
    path = str(folder).encode()
    if how not in ("kill", "torn"):
        disk.faults_arm(path, at, at + 3, FAIL, getattr(errno, how))
        with suppress(SpoolFullError):
            act()
        reached = bool(disk.faults_count() >= at)
        disk.faults_arm(path, EVER, EVER, COUNT, 0)
        return reached
    child = os.fork()
    if child == 0:
        disk.faults_arm(path, at, EVER, KILL if how == "kill" else TORN, 0)
        act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def every_write(disk: ctypes.CDLL, folder: Path, how: str) -> int:
    """The life of a spool, once for each of its writes, and then on. Returns how many there were."""
    for at in range(1, EVER):
        shutil.rmtree(folder, ignore_errors=True)
        spool, promise = folder / "spool", Promise(folder / "diary")
        spool.mkdir(parents=True)
        reached = strike(disk, spool, how, at, lambda: live(spool, promise))  # noqa: B023 - called at once
        promise.reread()
        try:
            verify(spool, promise)
        except Exception as error:
            raise AssertionError(f"{how} at write {at}: {error!r}") from error
        if not reached:
            return at - 1
    return EVER


def every_write_of_salvage(disk: ctypes.CDLL, folder: Path, how: str) -> int:
    """The same while a damaged spool is read."""
    whole, promise = folder / "whole", Promise(folder / "diary")
    shutil.rmtree(folder, ignore_errors=True)
    whole.mkdir(parents=True)
    live(whole, promise)
    zero_pages(whole, 0)
    size = (whole / DATABASE).stat().st_size
    for at in range(1, EVER):
        spool = folder / "spool"
        shutil.rmtree(spool, ignore_errors=True)
        shutil.copytree(whole, spool)
        reached = strike(disk, spool, how, at, lambda: salvage(spool, promise))  # noqa: B023 - called at once
        again = Promise(folder / "other", promise.forgotten, dict(promise.taken))
        try:
            verify(spool, again)
            assert folders.size(folders.damaged(spool)) >= size, "the damaged file was not kept"
        except Exception as error:
            raise AssertionError(f"{how} at write {at} of salvage: {error!r}") from error
        if not reached:
            return at - 1
    return EVER


def main(how: str, folder: Path) -> None:
    """Runs both."""
    disk = ctypes.CDLL(None)
    counts = every_write(disk, folder / "life", how), every_write_of_salvage(disk, folder / "salvage", how)
    sys.stdout.write(f"{counts[0]} {counts[1]}\n")


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    main(sys.argv[1], Path(sys.argv[2]))
