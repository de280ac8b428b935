"""The form of a recording: its columns, and the header that stands beside the rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rules.roster import Attribute, Robot

VERSION = 1
KEY = "robovitals"
FIXED: Mapping[str, str] = {
    "robot": "VARCHAR",
    "epoch": "VARCHAR",
    "seq": "BIGINT",
    "t": "BIGINT",  # event time
    "robot_t": "BIGINT",  # what the robot's wall clock said
    "received_at": "BIGINT",
    "committed_at": "BIGINT",
    "up": "BIGINT",  # since the robot's boot
    "boot": "VARCHAR",
    "synced": "BOOLEAN",
    "corrected": "BOOLEAN",
}
ORDER = "committed_at, robot, seq"


class RecordingError(Exception):
    """A recording cannot be read or written; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands beside the rows: when the collector was listening (since, until), and the robots."""

    listening: tuple[tuple[int, int], ...]
    robots: tuple[Robot, ...]


def to_json(header: Header) -> str:
    """The header as the metadata hold it."""
    robots = [{**robot.attributes, "id": robot.id} for robot in header.robots]
    listening = [list(interval) for interval in header.listening]
    return json.dumps({"recording": VERSION, "listening": listening, "robots": robots}, ensure_ascii=False)


def parsed(path: Path, value: bytes) -> Header:
    """Reads the metadata. Raises `RecordingError`."""
    try:
        document = json.loads(value)
        if document["recording"] != VERSION:
            raise RecordingError(
                f"{path}: a recording of version {document['recording']!r}; {VERSION} is known"
            )
        listening = tuple((int(since), int(until)) for since, until in document["listening"])
        robots = tuple(_robot(robot) for robot in document["robots"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordingError(f"{path}: the metadata {KEY!r} is damaged: {line(error)}") from None
    if len({robot.id for robot in robots}) < len(robots):
        raise RecordingError(f"{path}: the metadata {KEY!r} is damaged: a robot stands in it twice")
    return Header(listening, robots)


def _robot(document: Mapping[str, Attribute]) -> Robot:
    return Robot(str(document["id"]), {name: value for name, value in document.items() if name != "id"})


def quoted_name(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def line(error: Exception) -> str:
    """What DuckDB says, in one line."""
    return " ".join(str(error).split("LINE 1:")[0].split())[:300]
