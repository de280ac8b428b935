"""Recordings in and out, and the alert log out: `import` and `export`."""

import shutil
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

from agent import catalogue as catalogues
from collector.assembly import Opened, opened
from collector.config import Evaluation
from collector.evaluation import Progress, settled_until
from collector.folder import Folder, FolderError, FolderInUseError
from collector.pipeline import clock
from collector.registry import RegistryError
from collector.registry.checks import record_of
from collector.relational import Relational, RobotRecord
from collector.stores import Imported
from collector.stores.address import EMBEDDED, StoreAddress
from collector.stores.opening import open_store
from rules.recording import Header, read_header


class TransferError(Exception):
    """A recording cannot be taken in or written; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import did."""

    imported: Imported
    robots: int
    evaluated_until: int
    open_alerts: int


def import_recording(
    path: Path,
    folder: Folder,
    evaluation: Evaluation,
    progress: Progress,
    database: str | None = None,
    store: StoreAddress = EMBEDDED,
) -> Outcome:
    """Takes a recording through store, engine and queue, in its own time.

    Robots that the roster does not know are registered as the recording has them. After an interruption,
    the same command goes on where it was.
    """
    header = read_header(path)
    with opened(folder, evaluation, database, store) as parts:
        _check_order(path, parts)
        new = _new_robots(path, header, parts.relational)
        imported = parts.store.take(path)
        _remember_listening(header, parts.relational)
        added = parts.relational.import_robots(new).added
        evaluator = parts.evaluator()
        evaluator.resume(parts.store, progress)
        evaluator.advance(max((until for _, until in header.listening), default=0))
        parts.scoring.bring_up_to_date(min(clock(), settled_until(parts.relational, parts.eval_delay_ms)))
        alerts = sum(parts.relational.open_by_severity().values())
        return Outcome(imported, added, settled_until(parts.relational, parts.eval_delay_ms), alerts)


def export(
    folder: Folder,
    recording: Path | None,
    alerts: Path | None,
    database: str | None = None,
    store: StoreAddress = EMBEDDED,
) -> None:
    """Writes everything stored as a recording, the alert log, or both; through the running collector or
    from its files.
    """
    if not folder.exists:
        raise FolderError(f"{folder.path}: no collector's data; give the --data of vitals-collector run")
    _check_folders({"--out": recording, "--alerts": alerts})
    try:
        with folder.locked():
            _export_files(folder, recording, alerts, database, store)
    except FolderInUseError as error:
        url = folder.served_at()
        if url is None:
            raise TransferError(f"{error}, which serves nothing yet; try again when it does") from None
        for path, place in ((recording, "export"), (alerts, "alert-log")):
            if path is not None:
                _download(f"{url}/api/v1/{place}", folder.operator_token() or "", path)


def _check_folders(paths: Mapping[str, Path | None]) -> None:
    for option, path in paths.items():
        if path is not None and not path.parent.is_dir():
            raise TransferError(
                f"{path}: there is no folder {path.parent}; make it, or give another {option}"
            )


def _check_order(path: Path, parts: Opened) -> None:
    first = parts.store.first_new(path)
    settled = settled_until(parts.relational, parts.eval_delay_ms)
    if first is not None and first <= settled:
        raise TransferError(
            f"{path}: begins at {_time(first)}, but {parts.folder.path} is evaluated until {_time(settled)}; "
            "import it into a folder of its own"
        )


def _new_robots(path: Path, header: Header, relational: Relational) -> list[RobotRecord]:
    known = {robot.id for robot in relational.robots()}
    try:
        return [record_of(robot) for robot in header.robots if robot.id not in known]
    except RegistryError as error:
        raise TransferError(f"{path}: {error}") from None


def _remember_listening(header: Header, relational: Relational) -> None:
    listened = set(relational.listening())
    for since, until in header.listening:
        if (since, until) not in listened:
            relational.start_listening(since, until)


def _export_files(
    folder: Folder, recording: Path | None, alerts: Path | None, database: str | None, address: StoreAddress
) -> None:
    with closing(Relational(database or folder.database)) as relational:
        if recording is not None:
            header = Header(tuple(relational.listening()), relational.roster().robots)
            with closing(open_store(address, folder.path, catalogues.load())) as store:
                store.export(recording, header)
        if alerts is not None:
            _write(relational.alert_log(), alerts)


def _write(lines: Iterable[str], path: Path) -> None:
    """The file is there whole, or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
        part.replace(path)
    except OSError as error:
        raise TransferError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


def _download(url: str, token: str, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - http
    try:
        with urllib.request.urlopen(request, timeout=600) as response, part.open("wb") as file:  # noqa: S310 - http
            shutil.copyfileobj(response, file, 1024 * 1024)
        part.replace(path)
    except (URLError, HTTPException) as error:
        raise TransferError(f"{url} → {path}: {getattr(error, 'reason', None) or error!r}") from None
    except OSError as error:
        place = path if error.filename else f"{url} → {path}"
        raise TransferError(f"{place}: cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
