"""Reading a file of weights: every mistake with its line and column, all of them at once."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final

from agent.catalogue import Catalogue
from collector.scores.settings import (
    HEARD_SECONDS,
    Caps,
    Function,
    PeerSettings,
    Scale,
    Settings,
    Trend,
)
from rules import document
from rules.document import Entries, Fields, Node, Problem, hint, one_or_more, shown
from rules.values import choice, finite, natural, share, text, whole

SCHEMA: Final = "robovitals-scores/1"
FIXED: Final = ("availability", "conversion", "volume", "trend", "alerts", "pulse")
_SEVERITIES: Final = ("critical", "high", "medium", "low", "info")
_TOP: Final = (
    "schema", "weights", "minimum_coverage", "availability", "peers", "functions", "trend", "alerts", "pulse",
    "caps",
)  # fmt: skip
Reader = Callable[[Node], float]
_NONE: Final = Scale(0.0, 1.0)


class WeightsError(Exception):
    """A file of weights cannot be used; the message says why, a line for each reason."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        ordered = sorted(problems, key=lambda problem: problem.position)
        super().__init__("\n".join(str(problem) for problem in ordered))


def shipped(catalogue: Catalogue) -> Settings:
    """The weights that come with the collector."""
    name = "weights.yaml"
    return read(name, files("collector.scores").joinpath(name).read_bytes(), catalogue)


def load(path: Path, catalogue: Catalogue) -> Settings:
    """The weights of a file. Raises `WeightsError`."""
    problems: list[Problem] = []
    data = document.contents(path, problems)
    if data is None:
        raise WeightsError(problems)
    return read(str(path), data, catalogue)


def read(file: str, data: bytes, catalogue: Catalogue) -> Settings:
    """The weights written in `data`. Raises `WeightsError`."""
    problems: list[Problem] = []
    found = document.read(file, data, problems, lambda node: _settings(node, catalogue))
    if problems or found is None:
        raise WeightsError(problems)
    return found


def _settings(node: Node, catalogue: Catalogue) -> Settings:
    fields = Fields(node, "a file of weights")
    fields.only(_TOP)
    fields.need("schema", choice((SCHEMA,)))
    functions = fields.need("functions", partial(_functions, catalogue=catalogue)) or {}
    names = [*FIXED[:3], *functions, *FIXED[3:]]
    return Settings(
        weights=fields.need("weights", partial(_weights, names=names)) or {},
        minimum_coverage=fields.need("minimum_coverage", share) or 0.0,
        availability=fields.need("availability", partial(_scale, reader=share)) or _NONE,
        peers=fields.need("peers", _peers) or PeerSettings(_NONE, 1, 0),
        functions=functions,
        trend=fields.need("trend", _trend) or Trend(_NONE, 1, 1, 0),
        alerts=fields.need("alerts", _alerts) or {},
        stale_after_days=fields.need("pulse", _pulse) or 1,
        caps=fields.need("caps", _caps) or Caps(0, 0, 1, 1.0),
    )


def _weights(node: Node, names: list[str]) -> dict[str, float]:
    fields = Fields(node, "weights")
    fields.only(names)
    found = {name: fields.need(name, natural, "; 0 leaves it out") or 0.0 for name in names}
    if fields.sound and not any(weight for name, weight in found.items() if name != "pulse"):
        raise node.refused("all weights are 0; give at least one more")
    order = list(node.entries) if isinstance(node, Entries) else names
    return {name: found[name] for name in order if found.get(name)}


def _scale(node: Node, reader: Reader, also: Iterable[str] = ()) -> Scale:
    fields = Fields(node, "a scale")
    fields.only(("worst", "best", *also))
    return _scale_in(fields, node, reader)


def _scale_in(fields: Fields, node: Node, reader: Reader) -> Scale:
    worst, best = fields.need("worst", reader), fields.need("best", reader)
    if worst is None or best is None:
        return _NONE
    if worst == best:
        raise node.refused(f"worst and best are both {worst:g}; the scale must lead from one to the other")
    return Scale(worst, best)


def _peers(node: Node) -> PeerSettings:
    fields = Fields(node, "peers")
    fields.only(("worst", "best", "min_peers", "min_visitors"))
    scale = _scale_in(fields, node, _signed)
    return PeerSettings(
        scale,
        fields.need("min_peers", whole(2, 10_000)) or 2,
        fields.need("min_visitors", natural) or 0.0,
    )


def _functions(node: Node, catalogue: Catalogue) -> dict[str, Function]:
    fields = Fields(node, "functions")
    fields.only(catalogue.subsystems)
    found: dict[str, Function] = {}
    for name in catalogue.subsystems:
        if name in FIXED and name in fields:
            fields.entry(name).note(f'"{name}" is a component of another kind; call the subsystem otherwise')
        elif function := fields.read(name, partial(_function, catalogue=catalogue), None):
            found[name] = function
    return found


def _function(node: Node, catalogue: Catalogue) -> Function:
    fields = Fields(node, "a function")
    fields.only(("failures", "attempts", "only_if", "min_attempts", "worst", "best"))
    counter = partial(_counter, known=list(catalogue.counters))
    return Function(
        failures=fields.need("failures", lambda given: one_or_more(given, counter, "counter")) or (),
        attempts=fields.need("attempts", partial(_counter, known=[*catalogue.counters, HEARD_SECONDS])) or "",
        only_if=fields.read("only_if", counter, None),
        min_attempts=fields.need("min_attempts", _positive) or 1.0,
        scale=_scale_in(fields, node, share),
    )


def _counter(node: Node, known: list[str]) -> str:
    name = text(node)
    if name not in known:
        near = hint(name, known)
        raise node.refused(f"unknown counter {shown(node)}{near if 'mean' in near else ''}")
    return name


def _trend(node: Node) -> Trend:
    fields = Fields(node, "trend")
    fields.only(("weeks", "min_weeks", "min_interactions", "worst", "best"))
    weeks = fields.need("weeks", whole(1, 12)) or 1
    return Trend(
        _scale_in(fields, node, _change),
        weeks,
        fields.need("min_weeks", whole(1, weeks)) or 1,
        fields.need("min_interactions", _positive) or 1.0,
    )


def _alerts(node: Node) -> Mapping[str, float]:
    fields = Fields(node, "alerts")
    fields.only(_SEVERITIES)
    return {name: fields.need(name, share) or 0.0 for name in _SEVERITIES}


def _pulse(node: Node) -> int:
    fields = Fields(node, "pulse")
    fields.only(("stale_after_days",))
    return fields.need("stale_after_days", whole(1, 3650)) or 1


def _caps(node: Node) -> Caps:
    fields = Fields(node, "caps")
    fields.only(("critical_alert", "silent", "silent_days", "share_of_robots"))
    points = whole(0, 100)
    critical, silent = fields.need("critical_alert", points), fields.need("silent", points)
    return Caps(
        critical_alert=100 if critical is None else critical,
        silent=100 if silent is None else silent,
        silent_days=fields.need("silent_days", whole(1, 28)) or 1,
        share_of_robots=fields.need("share_of_robots", _some) or 1.0,
    )


def _signed(node: Node) -> float:
    """A finite number, or a percentage, which may be negative."""
    words = text(node).strip()
    found = finite(words.removesuffix("%"))
    if found is None:
        raise node.refused(f"must be a number, not {shown(node)}")
    return found / 100 if words.endswith("%") else found


def _change(node: Node) -> float:
    found = _signed(node)
    if not -1 <= found <= 10:
        raise node.refused(f"must be a change of -100% or more, not {shown(node)}")
    return found


def _positive(node: Node) -> float:
    found = natural(node)
    if found == 0:
        raise node.refused("must be more than 0")
    return found


def _some(node: Node) -> float:
    found = share(node)
    if found == 0:
        raise node.refused("must be more than 0%")
    return found
