"""The metrics that rules may name, as a catalogue file lists them.

The engine imports none of our other packages, so a catalogue is read here as data: the same files and the
same form as the agent's, and only what a rule needs of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol

from rules import document, values
from rules.document import Fields, Node, Problem, Scalar, shown

SCHEMA = "robovitals-catalogue/1"
Kind = Literal["counter", "gauge"]
_SECTIONS: tuple[tuple[str, Kind], ...] = (("counters", "counter"), ("gauges", "gauge"))
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
    """A catalogue file cannot be used; the message says where and why, a line a problem."""


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
        problems: list[Problem] = []
        document.load(path, problems, lambda node: _take_in(node, metrics))
        if problems:
            raise MetricsError("\n".join(map(str, problems)))
    return metrics


def _take_in(node: Node, metrics: dict[str, Entry]) -> None:
    for place, metric in _metrics(node):
        if metric.name in metrics:
            place.note(f"{metric.name} is already in the catalogue")
        metrics[metric.name] = metric


def _metrics(node: Node) -> Iterator[tuple[Node, Entry]]:
    fields = Fields(node, "a catalogue")
    fields.need("schema", values.choice((SCHEMA,)), f": schema: {SCHEMA}")
    if "subsystems" not in fields:
        raise node.refused('a catalogue needs "subsystems"')
    for key, body in _named(fields.entry("subsystems")):
        if "module" in body and body.read("module", values.choice(("true", "false")), "false") == "true":
            yield key, Entry(f"{key.text}.up", "gauge", "", key.text)
        for section, kind in _SECTIONS:
            for short, entry in _named(body.entry(section)) if section in body else ():
                unit = entry.read("unit", _unit, "")
                yield short, Entry(f"{key.text}.{short.text}", kind, unit, key.text)


def _named(node: Node) -> Iterator[tuple[Scalar, Fields]]:
    """Names, and the mappings under them."""
    for key, body in Fields(node, "names").node.entries.values():
        if not _NAME.fullmatch(key.text):
            key.note(f"{shown(key)} is no name; use lower-case letters, digits and _")
        yield key, Fields(body, shown(key))


def _unit(node: Node) -> str:
    """A word; or nothing, of a plain number."""
    return node.text if isinstance(node, Scalar) and not node.text else values.text(node)
