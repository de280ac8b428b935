"""The catalogue: every metric's name, kind, unit, subsystem and label, read from YAML."""

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

SCHEMA = "robovitals-catalogue/1"
Kind = Literal["counter", "gauge"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MAX_FILE = 256 * 1024


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
    shipped = Path(__file__).with_name("catalogue.yaml").read_text(encoding="utf-8")
    for place, text in [("catalogue.yaml", shipped), *((str(path), _read(path)) for path in extra)]:
        _merge(place, _document(place, text), subsystems, metrics)
    return Catalogue(subsystems, metrics)


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise CatalogueError(f"{path}: cannot be read: {why}") from None
    if len(text) > _MAX_FILE:
        raise CatalogueError(f"{path}: {len(text)} characters; {_MAX_FILE} are allowed")
    return text


class _Loader(yaml.BaseLoader):
    """Every scalar is text, and no key comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep)
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{_shown(key.value)} comes twice", key.start_mark
                )
            seen.add(key.value)
        return mapping


def _document(place: str, text: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, _Loader)  # noqa: S506, it makes nothing but text, lists and mappings
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{place}:{mark.line + 1}:{mark.column + 1}" if mark else place
        raise CatalogueError(f"{where}: no valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise CatalogueError(f"{place}: no valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise CatalogueError(f"{place}: nested too deeply") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise CatalogueError(f"{place}: must begin with 'schema: {SCHEMA}'")
    return document


def _merge(
    place: str, document: dict[str, Any], subsystems: dict[str, Subsystem], metrics: dict[str, Metric]
) -> None:
    _refuse_others(place, document, ("schema", "subsystems"))
    for name, body in _entries(place, "subsystems", document.get("subsystems")):
        where = f"{place}: {name}"
        _refuse_others(where, body, ("label", "module", "counters", "gauges"))
        if name not in subsystems:
            subsystems[name] = _subsystem(where, name, body)
            _add(place, metrics, _up(subsystems[name]))
        elif "label" in body or "module" in body:
            raise CatalogueError(
                f"{where}: is already in the catalogue; give only 'counters' and 'gauges' of it"
            )
        for metric in _metrics(place, name, body):
            _add(place, metrics, [metric])


def _subsystem(where: str, name: str, body: dict[str, Any]) -> Subsystem:
    module = body.get("module", "false")
    if module not in ("true", "false"):
        raise CatalogueError(f"{where}: 'module' must be true or false, not {_shown(module)}")
    label = body.get("label")
    if isinstance(label, dict):
        _refuse_others(f"{where}: label", label, ("en", "zh"))
    return Subsystem(name, _label(where, label), module == "true")


def _up(subsystem: Subsystem) -> list[Metric]:
    label = Label(f"{subsystem.label.en} running", f"{subsystem.label.zh}在线")
    return [Metric(f"{subsystem.name}.up", "gauge", "", subsystem.name, label)] if subsystem.module else []


def _metrics(place: str, subsystem: str, body: dict[str, Any]) -> Iterator[Metric]:
    kinds: tuple[tuple[str, Kind], ...] = (("counters", "counter"), ("gauges", "gauge"))
    for section, kind in kinds:
        for short, entry in _entries(f"{place}: {subsystem}", section, body.get(section, {})):
            where = f"{place}: {subsystem}.{short}"
            _refuse_others(where, entry, ("unit", "en", "zh"))
            unit = entry.get("unit", "")
            if not isinstance(unit, str):
                raise CatalogueError(f"{where}: 'unit' must be a word, not {_shown(unit)}")
            yield Metric(f"{subsystem}.{short}", kind, unit, subsystem, _label(where, entry))


def _add(place: str, metrics: dict[str, Metric], more: Iterable[Metric]) -> None:
    for metric in more:
        if metric.name in metrics:
            raise CatalogueError(f"{place}: {metric.name} is already in the catalogue")
        metrics[metric.name] = metric


def _entries(place: str, section: str, value: object) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(value, dict):
        raise CatalogueError(f"{place}: '{section}' must be a mapping of names")
    for name, body in value.items():
        if not _NAME.fullmatch(name):
            raise CatalogueError(f"{place}: {_shown(name)} is no name; use lower-case letters, digits and _")
        if not isinstance(body, dict):
            raise CatalogueError(f"{place}: '{name}' must be a mapping, not {_shown(body)}")
        yield name, body


def _refuse_others(where: str, body: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in body:
        if key not in known:
            raise CatalogueError(f"{where}: unknown key {_shown(key)}; there are {', '.join(known)}")


def _label(where: str, value: object) -> Label:
    match value:
        case {"en": str(en), "zh": str(zh)} if en and zh:
            return Label(en, zh)
    raise CatalogueError(f"{where}: needs a label with 'en' and 'zh'")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
