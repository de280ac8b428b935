"""The catalogue: every metric's name, kind, unit, subsystem and label, read from YAML."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml

SCHEMA = "robovitals-catalogue/1"
Kind = Literal["counter", "gauge"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class CatalogueError(ValueError):
    """A catalogue file cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a person reads, in English and Chinese."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `name` is `<subsystem>.<metric>` on the wire, in the store, in rules and on pages."""

    name: str
    kind: Kind
    unit: str
    subsystem: str
    label: Label

    @property
    def short(self) -> str:
        """The name within its subsystem, as messages carry it."""
        return self.name.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Subsystem:
    """A group of metrics; a `module` is a firmware module, watched by its gauge `up`."""

    name: str
    label: Label
    module: bool


class Catalogue(Mapping[str, Metric]):
    """Metrics by full name, in the order of the files."""

    def __init__(self, subsystems: Mapping[str, Subsystem], metrics: Mapping[str, Metric]) -> None:
        self.subsystems = dict(subsystems)
        self._metrics = dict(metrics)

    def __getitem__(self, name: str) -> Metric:
        return self._metrics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)

    @property
    def modules(self) -> tuple[str, ...]:
        """The subsystems that are firmware modules and so have a gauge `up`."""
        return tuple(s.name for s in self.subsystems.values() if s.module)

    @property
    def counters(self) -> tuple[str, ...]:
        """Full names of all counters."""
        return tuple(m.name for m in self._metrics.values() if m.kind == "counter")

    @property
    def gauges(self) -> tuple[str, ...]:
        """Full names of all gauges."""
        return tuple(m.name for m in self._metrics.values() if m.kind == "gauge")


def load(*extra: Path) -> Catalogue:
    """The shipped catalogue, with vendors' files after it. Raises `CatalogueError`."""
    subsystems: dict[str, Subsystem] = {}
    metrics: dict[str, Metric] = {}
    shipped = files(__package__).joinpath("catalogue.yaml").read_text(encoding="utf-8")
    for place, text in [("catalogue.yaml", shipped), *((str(path), _read(path)) for path in extra)]:
        _merge(place, _document(place, text), subsystems, metrics)
    return Catalogue(subsystems, metrics)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: cannot be read: {error}") from None


def _document(place: str, text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CatalogueError(f"{place}: no valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise CatalogueError(f"{place}: must begin with 'schema: {SCHEMA}'")
    return document


def _merge(
    place: str, document: dict[str, Any], subsystems: dict[str, Subsystem], metrics: dict[str, Metric]
) -> None:
    for name, body in _entries(place, "subsystems", document.get("subsystems")):
        where = f"{place}: {name}"
        if name not in subsystems:
            subsystems[name] = Subsystem(name, _label(where, body.get("label")), body.get("module") is True)
            if subsystems[name].module:
                label = subsystems[name].label
                up = Label(f"{label.en} running", f"{label.zh}在线")
                metrics[f"{name}.up"] = Metric(f"{name}.up", "gauge", "", name, up)
        kinds: tuple[tuple[str, Kind], ...] = (("counters", "counter"), ("gauges", "gauge"))
        for section, kind in kinds:
            for short, entry in _entries(where, section, body.get(section, {})):
                full = f"{name}.{short}"
                if full in metrics:
                    raise CatalogueError(f"{place}: {full} is already in the catalogue")
                unit = str(entry.get("unit", ""))
                metrics[full] = Metric(full, kind, unit, name, _label(f"{place}: {full}", entry))


def _entries(place: str, section: str, value: object) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(value, dict):
        raise CatalogueError(f"{place}: '{section}' must be a mapping of names")
    for name, body in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise CatalogueError(f"{place}: {name!r} is no name; use lower-case letters, digits and _")
        if not isinstance(body, dict):
            raise CatalogueError(f"{place}: '{name}' must be a mapping, not {body!r}")
        yield name, body


def _label(place: str, value: object) -> Label:
    match value:
        case {"en": str(en), "zh": str(zh)}:
            return Label(en, zh)
    raise CatalogueError(f"{place}: needs a label with 'en' and 'zh'")
