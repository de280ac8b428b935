"""Robots from a file, YAML or CSV: what is known of them now, beside what a recording says."""

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from rules.roster import Attribute, Robot

MAX_BYTES: Final = 64 * 1024 * 1024
_TEXTS: Final = (
    "name",
    "customer",
    "site",
    "industry",
    "scene",
    "model",
    "lifecycle",
    "tz",
    "installed_on",
    "open_hours",
    "holidays",
)


class RosterFileError(ValueError):
    """A roster file cannot be used; the message says which line and why."""


def read(path: Path) -> tuple[Robot, ...]:
    """The robots of a file, in its order. Raises `RosterFileError`."""
    suffix = path.suffix.lower()
    if suffix not in (".yaml", ".yml", ".csv"):
        raise RosterFileError(f"{path}: neither YAML nor CSV; name it .yaml or .csv")
    text = _text(path)
    robots: dict[str, Robot] = {}
    for place, row in _csv(path, text) if suffix == ".csv" else _yaml(path, text):
        robot = _robot(place, row)
        if robot.id in robots:
            raise RosterFileError(f"{place}: robot {robot.id!r} stands in the file twice")
        robots[robot.id] = robot
    return tuple(robots.values())


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RosterFileError(f"{path}: over {MAX_BYTES // 2**20} MiB; split the file")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RosterFileError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RosterFileError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None


def _csv(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    if "id" not in (reader.fieldnames or ()):
        raise RosterFileError(f"{path}:1: no column 'id'; the first line names the columns")
    for row in reader:
        place = f"{path}:{reader.line_num}"
        if None in row:
            raise RosterFileError(f"{place}: more cells than columns; put text with commas in quotes")
        yield place, {name: _number_or_text(cell or "") for name, cell in row.items()}


def _yaml(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise RosterFileError(f"{path}{line}: not YAML: {problem}") from None
    rows = document.get("robots") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise RosterFileError(f"{path}: no list of robots; write '- id: …' for each, or so under 'robots'")
    for number, row in enumerate(rows, 1):
        place = f"{path}: robot {number}"
        if not isinstance(row, dict):
            raise RosterFileError(f"{place}: no robot; write '- id: …' and its attributes below")
        yield place, row


def _robot(place: str, row: Mapping[str, Any]) -> Robot:
    id_ = str(row.get("id") or "").strip()
    if not id_:
        raise RosterFileError(f"{place}: a robot without an id")
    given = {str(name): value for name, value in row.items() if name != "id" and value not in (None, "")}
    return Robot(id_, {name: _attribute(place, name, value) for name, value in given.items()})


def _attribute(place: str, name: str, value: object) -> Attribute:
    if isinstance(value, list | dict):
        raise RosterFileError(f"{place}: {name} must be a text or a number")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(str(value)) if is_number and name not in _TEXTS else str(value)


def _number_or_text(cell: str) -> Attribute:
    cell = cell.strip()
    try:
        number = float(cell)
    except ValueError:
        return cell
    return number if math.isfinite(number) and not cell.startswith("0x") else cell
