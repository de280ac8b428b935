"""How each subsystem of a robot does: as a cell of the fleet's table, and in words."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from collector.http.api.robots import subsystem_states
from collector.http.services import Services
from collector.presence import Presence
from collector.queue import RANK, Alert, Severity
from collector.words.i18n import Words

Worst = Mapping[tuple[str, str], Severity]


@dataclass(frozen=True, slots=True)
class Cell:
    """The state of one subsystem; with an alert, how bad the worst one is."""

    state: str
    severity: str | None
    word: str
    label: str


def worst(alerts: Iterable[Alert]) -> Worst:
    """The worst severity of open alerts, by (robot, subsystem)."""
    found: dict[tuple[str, str], list[Severity]] = defaultdict(list)
    for alert in alerts:
        found[alert.entity.id, alert.subsystem].append(alert.severity)
    return {key: min(severities, key=RANK.__getitem__) for key, severities in found.items()}


def cells(services: Services, robot: str, presence: Presence, severities: Worst, t: Words) -> dict[str, Cell]:
    """The state of every module of a robot, by its name."""
    modules = services.catalogue.modules
    alerted = {name for name in modules if (robot, name) in severities}
    states = subsystem_states(modules, services.fleet.state(robot), presence, alerted)
    return {
        name: cell(name, state, severities.get((robot, name)), services, t) for name, state in states.items()
    }


def cell(name: str, state: str, severity: Severity | None, services: Services, t: Words) -> Cell:
    """One subsystem's state, with the word for it."""
    level = severity.value if severity is not None and state == "alert" else None
    word = t.one_of("state", state)
    shown = t.one_of("severity", level) if level else word
    full = f"{subsystem(services, name, t)}: {word}"
    return Cell(state, level, shown, f"{full}, {shown}" if level else full)


def subsystem(services: Services, name: str, t: Words) -> str:
    """What people call a subsystem."""
    known = services.catalogue.subsystems.get(name)
    return t.both(known.label) if known is not None else t.one_of("subsystem", name)
