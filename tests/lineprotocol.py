"""Line protocol, read by its specification, character by character: slow, and independent of our writer."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One line."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, float]
    stamp: int


def parse(text: str) -> Iterator[Point]:
    """The points of a body. Raises `ValueError` on what the specification does not allow."""
    for line in text.split("\n"):
        if line:
            yield _point(line)


def _point(line: str) -> Point:
    head, fields, stamp = _split(line, " ")
    measurement, *tags = _split(head, ",")
    return Point(
        _plain(measurement), dict(map(_tag, tags)), dict(map(_field, _split(fields, ","))), int(stamp)
    )


def _tag(text: str) -> tuple[str, str]:
    key, value = _split(text, "=")
    if not key or not value or text.endswith("\\"):
        raise ValueError(f"tag {text!r}")
    return _plain(key), _plain(value)


def _field(text: str) -> tuple[str, float]:
    key, value = _split(text, "=")
    if value in ("t", "true", "f", "false"):
        raise ValueError("no booleans here")
    return _plain(key), int(value[:-1]) if value.endswith("i") else float(value)


def _split(text: str, mark: str) -> list[str]:
    """Parts between marks that no backslash escapes."""
    parts, escaped = [""], False
    for character in text:
        if character == mark and not escaped:
            parts.append("")
        else:
            parts[-1] += character
        escaped = character == "\\" and not escaped
    return parts


def _plain(text: str) -> str:
    for mark in ",= ":
        text = text.replace(f"\\{mark}", mark)
    return text
