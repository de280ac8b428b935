"""Robots from a file: YAML or CSV, each row checked by itself; what is wrong is told by line."""

import csv
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import yaml

from agent.wire import is_robot
from collector.relational import Lifecycle, RobotRecord
from rules.intervals import parse_holidays, parse_open_hours
from rules.roster import Robot

FIELDS: Final = ("name", "customer", "site", "industry", "scene", "model", "tz", "installed_on")
MAX_TEXT: Final = 256
MAX_DEPTH: Final = 8
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the quick one, where it was built
MAX_BYTES: Final = 64 * 1024 * 1024
_EXTRA: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "open_hours": parse_open_hours,
    "holidays": parse_holidays,
}
Value = str | float
Row = Mapping[str, Value]


class RosterError(ValueError):
    """A roster file, or a robot in it, cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that cannot be used."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The robots of a file, and the rows that are none."""

    robots: tuple[RobotRecord, ...]
    problems: tuple[Problem, ...]


def read(path: Path) -> Reading:
    """Reads a roster by its suffix. Raises `RosterError` where the file as a whole cannot be read."""
    suffix = path.suffix.lower()
    if suffix not in (".yaml", ".yml", ".csv"):
        raise RosterError(f"{path}: neither YAML nor CSV; name it .yaml or .csv")
    text = _text(path)
    rows = _csv_rows(path, text) if suffix == ".csv" else _yaml_rows(path, text)
    robots: dict[str, RobotRecord] = {}
    problems: list[Problem] = []
    for line, row in rows:
        try:
            if isinstance(row, str):
                raise RosterError(row)
            robot = record(row)
            _check_hours(robot)
            if robot.id in robots:
                raise RosterError(f"robot {robot.id!r} stands in the file twice")
        except RosterError as error:
            problems.append(Problem(line, str(error)))
        else:
            robots[robot.id] = robot
    return Reading(tuple(robots.values()), tuple(problems))


def record(row: Row) -> RobotRecord:
    """A robot from its attributes by name; those of the owner's making are kept too. Raises `RosterError`."""
    id_ = str(row.get("id", ""))
    if not is_robot(id_):
        raise RosterError(f"id {id_!r} is no robot's id; use 1 to 64 letters, digits, _ and -")
    known = {name: _known(name, row[name]) for name in FIELDS if row.get(name, "") != ""}
    given = {name: value for name, value in row.items() if name not in (*FIELDS, "id", "lifecycle")}
    extra = {name: _extra(name, value) for name, value in given.items() if value != ""}
    return RobotRecord(id_, _lifecycle(row), **known, extra=extra)


def record_of(robot: Robot) -> RobotRecord:
    """A robot as a recording's header has it. Raises `RosterError`."""
    return record({**robot.attributes, "id": robot.id})


def _check_hours(robot: RobotRecord) -> None:
    """Rules take hours that cannot be read for always open; nobody means that."""
    for name, parse in _PARSERS.items():
        if name in robot.extra:
            try:
                parse(str(robot.extra[name]))
            except ValueError as error:
                raise RosterError(str(error)) from None


def _lifecycle(row: Row) -> Lifecycle:
    given = row.get("lifecycle") or Lifecycle.LIVE.value
    try:
        return Lifecycle(str(given))
    except ValueError:
        raise RosterError(f"lifecycle {given!r} is none of {', '.join(Lifecycle)}") from None


def _known(name: str, value: Value) -> str:
    text = _short(name, str(value))
    if name == "tz":
        try:
            ZoneInfo(text)
        except (LookupError, ValueError, OSError):
            raise RosterError(f"tz {text!r} is no time zone; write one such as Asia/Shanghai") from None
    if name == "installed_on":
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise RosterError(f"installed_on {text!r} is no date; write YYYY-MM-DD") from None
    return text


def _extra(name: str, value: Value) -> Value:
    if not _EXTRA.fullmatch(name):
        raise RosterError(f"{name!r} is no attribute's name; use lower-case letters, digits and _")
    if isinstance(value, str):
        return _short(name, value)
    if not math.isfinite(value):
        raise RosterError(f"{name} must be a number or text, not {value}")
    return value


def _short(name: str, text: str) -> str:
    if len(text) > MAX_TEXT or "\0" in text:
        raise RosterError(f"{name} {text[:32]!r}… is no text of at most {MAX_TEXT} characters")
    return text


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RosterError(f"{path}: over {MAX_BYTES // 2**20} MiB; split the file")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RosterError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RosterError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, Row | str]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    names: Sequence[str] = ()
    try:
        names = [name.strip() for name in next(reader, [])]
        if "id" not in names:
            raise RosterError(f"{path}:1: no column 'id'; the first line names the columns")
        if twice := [name for name in names if name and names.count(name) > 1]:
            raise RosterError(f"{path}:1: column {twice[0]!r} is there twice; keep one")
        for cells in reader:
            if cells and any(cells):
                yield reader.line_num, _csv_row(names, cells)
    except csv.Error as error:
        raise RosterError(f"{path}:{reader.line_num}: not CSV: {error}") from None


def _csv_row(names: Sequence[str], cells: Sequence[str]) -> Row | str:
    if len(cells) > len(names):
        return f"{len(cells)} cells under {len(names)} columns; put text with commas in quotes"
    row: dict[str, Value] = dict(zip(names, (cell.strip() for cell in cells), strict=False))
    own = [name for name in row if name not in (*FIELDS, "id", "lifecycle")]
    return row | {name: _number_or_text(str(row[name])) for name in own}


def _yaml_rows(path: Path, text: str) -> Iterator[tuple[int, Row | str]]:
    try:
        _check_depth(path, text)
        document = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise RosterError(f"{path}{line}: not YAML: {problem}") from None
    if isinstance(document, yaml.MappingNode):
        document = next((value for key, value in document.value if key.value == "robots"), None)
    if not isinstance(document, yaml.SequenceNode):
        raise RosterError(f"{path}: no list of robots; write '- id: …' for each, as a list or under 'robots'")
    for node in document.value:
        yield node.start_mark.line + 1, _yaml_row(node)


def _check_depth(path: Path, text: str) -> None:
    """The parser gives events without recursion; composing them recurses."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = f":{event.start_mark.line + 1}" if event.start_mark else ""
            raise RosterError(
                f"{path}{line}: nested more than {MAX_DEPTH} deep; a roster is a list of robots"
            )


def _yaml_row(node: yaml.Node) -> Row | str:
    if not isinstance(node, yaml.MappingNode):
        return "no robot; write '- id: …' and its attributes below"
    row: dict[str, Value] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            return f"{getattr(key, 'value', '?')!r} must be a text or a number"
        if key.value in row:
            return f"{key.value!r} is given twice"
        numeric = value.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
        is_own = key.value not in (*FIELDS, "id", "lifecycle")
        empty = value.tag == "tag:yaml.org,2002:null"
        row[key.value] = "" if empty else _number_or_text(value.value) if numeric and is_own else value.value
    return row


def _number_or_text(text: str) -> Value:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
