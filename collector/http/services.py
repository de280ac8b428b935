"""What pages and API work with. They get all of it from here, and nothing from anywhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.catalogue import Catalogue
from collector.changes import Changes
from collector.conditions import Health
from collector.http.attempts import BY_ADDRESS, BY_NAME, Attempts
from collector.presence import Fleet
from collector.relational import Relational
from collector.scores.settings import Settings
from collector.stores import Store
from collector.telemetry import Telemetry
from rules import playbooks
from rules.playbook import Playbook
from rules.rule import RuleSet


@dataclass(frozen=True, slots=True)
class Tries:
    """How often somebody tried to sign in."""

    by_name: Attempts = field(default_factory=lambda: Attempts(BY_NAME))
    by_address: Attempts = field(default_factory=lambda: Attempts(BY_ADDRESS))


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running collector, as pages and API see them; `clock` answers ms UTC."""

    relational: Relational
    store: Store
    rules: RuleSet
    catalogue: Catalogue
    fleet: Fleet
    changes: Changes
    telemetry: Telemetry
    health: Callable[[], Health]
    clock: Callable[[], int]
    scoring: Settings | None = None  # what health scores are made of; None: there are none
    playbooks: Mapping[str, Playbook] = field(default_factory=playbooks.shipped)
    scratch: Path | None = None  # where an export is written before it is sent; None: the system's folder
    tries: Tries = field(default_factory=Tries)
    operator: str | None = None  # digest of the token with which commands on this machine ask
