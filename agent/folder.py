"""The folder of a spool: whose it is, which files are in it, and what was set aside there.

spool.db, spool.db-wal      the samples
wal.kept                    the log of a process that was killed, until it has proved whole
ledger-a, ledger-b          what must be there (`agent.ledger`)
lock, status.sock           of the agent that runs
damaged-<n>/                files set aside, the newest few
former-<n>/                 a spool of an epoch that is over, until it is delivered
rebuilt.db                  on its way to become spool.db
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from agent.ledger import FILES as LEDGER
from agent.quota import Disk

DATABASE: Final = "spool.db"
LOCK: Final = "lock"
REBUILT: Final = "rebuilt.db"
MAX_DAMAGED: Final = 3
WAL: Final = f"{DATABASE}-wal"
KEPT_WAL: Final = "wal.kept"
_COPYING: Final = "wal.tmp"
_SAMPLES: Final = (DATABASE, WAL, KEPT_WAL, f"{DATABASE}-shm", f"{DATABASE}-journal")


class SpoolError(Exception):
    """The spool cannot be used; the message says why and what to do."""


class SpoolInUseError(SpoolError):
    """Another process holds the spool."""


class SpoolFullError(SpoolError):
    """The disk takes nothing more: it is full, has no inodes, or cannot be written."""


class SpoolDamagedError(SpoolError):
    """The files do not hold what was written to them."""

    def __init__(self, message: str, folder: Path | None = None) -> None:
        super().__init__(message)
        self.folder = folder


class SpoolSetBackError(SpoolDamagedError):
    """The spool was set back to an earlier day, and has used numbers twice."""


def acquire(folder: Path) -> int:
    """Makes the folder and locks it for this process; closing the descriptor gives it back."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        hint = "give another with --spool FOLDER"
        raise SpoolError(f"spool folder {folder} cannot be used: {error.strerror}; {hint}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise SpoolInUseError(f"spool folder {folder} is in use by the agent with pid {holder}") from None
    _note_pid(descriptor)
    return descriptor


def holder(folder: Path) -> int | None:
    """The pid of the agent that holds the folder; None: nobody does."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        written = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        return int(written) if written.isdecimal() else 0
    finally:
        os.close(descriptor)
    return None


def disk(folder: Path) -> Disk:
    """The file system that the folder lies on."""
    found = os.statvfs(folder)
    inodes_free = found.f_favail if found.f_files else None
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, inodes_free)


def size(paths: Iterable[Path]) -> int:
    """Bytes of files, and of the files right in folders; what is not there has none."""
    total = 0
    for path in paths:
        try:
            total += size(path.iterdir()) if path.is_dir() else path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def sample_files(folder: Path) -> list[Path]:
    """Where the samples of a folder lie, or would."""
    return [folder / name for name in _SAMPLES]


def ledger_files(folder: Path) -> list[Path]:
    """Where the folder's ledger lies, or would."""
    return [folder / name for name in LEDGER]


def set_aside(folder: Path, *, ledger: bool) -> Path | None:
    """Moves the samples' files out of the way, and the ledger's where that is to begin anew as well.

    Nothing is deleted. Returns the folder in which they lie now; None: there was none of them.
    """
    found = [*sample_files(folder), *(ledger_files(folder) if ledger else [])]
    moved = [path for path in found if path.exists()]
    if not moved:
        return None
    aside = folder / f"damaged-{_following(folder, 'damaged')}"
    aside.mkdir()
    for path in moved:
        path.rename(aside / path.name)
    sync(folder)
    return aside


def keep_log(folder: Path) -> None:
    """Copies the log of a process that was killed: SQLite cuts it off at the first damaged frame."""
    if size([folder / WAL]) > 0 and not (folder / KEPT_WAL).exists():
        with contextlib.suppress(OSError):  # without room for it, the log itself must do
            shutil.copyfile(folder / WAL, folder / _COPYING)
            (folder / _COPYING).rename(folder / KEPT_WAL)


def drop_kept_log(folder: Path) -> None:
    """The log has proved whole."""
    for name in (_COPYING, KEPT_WAL):
        (folder / name).unlink(missing_ok=True)


def damaged(folder: Path) -> list[Path]:
    """What was set aside, oldest first."""
    return _numbered(folder, "damaged")


def formers(folder: Path) -> list[Path]:
    """Spools of former epochs that wait for delivery, oldest first."""
    return _numbered(folder, "former")


def new_former(folder: Path) -> Path:
    """Makes a folder for a spool of a former epoch."""
    made = folder / f"former-{_following(folder, 'former')}"
    made.mkdir()
    return made


def remove(folder: Path) -> None:
    """Deletes a folder and what is in it, as far as the disk allows."""
    shutil.rmtree(folder, ignore_errors=True)


def adopt(folder: Path) -> None:
    """Puts a rebuilt database into the place of the one it was made of, if one is there.

    Until then the old one stays; so whoever is killed on the way comes by again.
    """
    rebuilt = folder / REBUILT
    if not rebuilt.exists():
        return
    if any(path.exists() for path in sample_files(folder)):
        set_aside(folder, ledger=False)
    rebuilt.rename(folder / DATABASE)
    sync(folder)


def sync(folder: Path) -> None:
    """Makes renames in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _note_pid(descriptor: int) -> None:
    """For people only: the lock is what counts, and a full disk has no room for a number."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        return


def _numbered(folder: Path, kind: str) -> list[Path]:
    found = [path for path in folder.glob(f"{kind}-*") if path.name.partition("-")[2].isdecimal()]
    return sorted(found, key=_number)


def _number(path: Path) -> int:
    return int(path.name.partition("-")[2])


def _following(folder: Path, kind: str) -> int:
    return max((_number(path) for path in _numbered(folder, kind)), default=0) + 1
