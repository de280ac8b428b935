"""The data folder: what lies where in it, and who uses it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from collector.stores.opening import begun_with


class FolderError(Exception):
    """The data folder cannot be used; the message says why."""


class FolderInUseError(FolderError):
    """Another process uses the data folder."""

    def __init__(self, folder: Path, pid: str) -> None:
        super().__init__(f"{folder} is in use by pid {pid}")


@dataclass(frozen=True, slots=True)
class Folder:
    """One collector's data."""

    path: Path

    @property
    def samples(self) -> Path:
        """The store of samples, where it is a file."""
        return self.path / "samples.duckdb"

    @property
    def database(self) -> str:
        """URL of the relational part, unless another is given."""
        return f"sqlite:///{self.path / 'collector.sqlite'}"

    @property
    def exists(self) -> bool:
        """Whether a collector was ever run here."""
        return begun_with(self.path) is not None

    def create(self) -> None:
        """Makes the folder. Raises `FolderError`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FolderError(f"{self.path}: cannot be made: {error.strerror}; give another --data") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes out. Raises `FolderInUseError` and `FolderError`."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise FolderError(
                f"{self.path}: cannot be written: {error.strerror}; give another --data"
            ) from None
        with os.fdopen(descriptor, "r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderInUseError(self.path, lock.read().strip() or "unknown") from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    @contextmanager
    def announced(self, url: str, token: str) -> Iterator[None]:
        """Says where the running collector serves, and how the commands of its own user may ask there."""
        self._announcement.unlink(missing_ok=True)
        descriptor = os.open(self._announcement, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"pid": os.getpid(), "http": url, "token": token}, file)
        try:
            yield
        finally:
            self._announcement.unlink(missing_ok=True)

    def served_at(self) -> str | None:
        """The address of the collector that runs on this folder, if it said so."""
        announced = self._announced()
        return None if announced is None else announced[0]

    def operator_token(self) -> str | None:
        """What lets a command of the same user ask the running collector; None where there is none."""
        announced = self._announced()
        return None if announced is None else announced[1]

    def _announced(self) -> tuple[str, str] | None:
        try:
            said = json.loads(self._announcement.read_text())
            return str(said["http"]), str(said["token"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def _announcement(self) -> Path:
        return self.path / "collector.json"
