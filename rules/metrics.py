"""The metrics that rules may name, as a catalogue file lists them.

The engine imports none of our other packages, so a catalogue is read here as data: the same files and the
same form as the agent's, and only what a rule needs of it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import yaml

SCHEMA = "robovitals-catalogue/1"
Kind = Literal["counter", "gauge"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Metric(Protocol):
    """What a rule needs to know of a metric; the agent's catalogue has it too."""

    @property
    def name(self) -> str:
        """`<subsystem>.<metric>`."""

    @property
    def kind(self) -> Kind:
        """Cumulative counter, or gauge."""

    @property
    def unit(self) -> str:
        """As the catalogue writes it; empty where there is none."""

    @property
    def subsystem(self) -> str:
        """The part of the name before the dot."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A metric as read from a catalogue file."""

    name: str
    kind: Kind
    unit: str
    subsystem: str


class MetricsError(ValueError):
    """A catalogue file cannot be used; the message says where and why."""


def shipped() -> Path:
    """The catalogue that comes with the agent."""
    spec = find_spec("agent")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder, "catalogue.yaml")).is_file():
            return path
    raise MetricsError("the shipped catalogue.yaml is not installed; give one with --catalogue FILE")


def read(*paths: Path) -> dict[str, Entry]:
    """All metrics of the files together. Raises `MetricsError`."""
    metrics: dict[str, Entry] = {}
    for path in paths:
        for metric in _metrics(path, _document(path)):
            if metric.name in metrics:
                raise MetricsError(f"{path}: {metric.name} is already in the catalogue")
            metrics[metric.name] = metric
    return metrics


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise MetricsError(f"{path}: cannot be read: {why}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise MetricsError(f"{path}: no valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise MetricsError(f"{path}: must begin with 'schema: {SCHEMA}'")
    return document


def _metrics(path: Path, document: Mapping[str, Any]) -> Iterator[Entry]:
    kinds: tuple[tuple[str, Kind], ...] = (("counters", "counter"), ("gauges", "gauge"))
    for subsystem, body in _entries(path, "subsystems", document.get("subsystems")):
        if body.get("module") is True:
            yield Entry(f"{subsystem}.up", "gauge", "", subsystem)
        for section, kind in kinds:
            for short, entry in _entries(path, section, body.get(section, {})):
                yield Entry(f"{subsystem}.{short}", kind, str(entry.get("unit", "")), subsystem)


def _entries(path: Path, section: str, value: object) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(value, dict):
        raise MetricsError(f"{path}: '{section}' must be a mapping of names")
    for name, body in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise MetricsError(f"{path}: {name!r} is no name; use lower-case letters, digits and _")
        if not isinstance(body, dict):
            raise MetricsError(f"{path}: '{name}' must be a mapping, not {body!r}")
        yield name, body
