"""What an evaluation says: the records that leave the engine, and those it starts again from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules.lifecycle import State


@dataclass(frozen=True, slots=True)
class Entity:
    """What an alert is about."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One comparison of a condition: a measure, what it was, and what it was held against."""

    measure: str
    metrics: tuple[str, ...]
    value: float | None
    comparison: str
    thresholds: tuple[float, ...]
    over_ms: int | None
    unit: str  # the metric's own; "ratio" for a fraction, "s" for a silence
    holds: bool | None  # None: it cannot be said


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a signal's state at an evaluation; `since`: when the condition began to hold."""

    at: int
    rule: str
    entity: Entity
    before: State
    after: State
    since: int
    value: float | None
    threshold: float | None
    evidence: tuple[Evidence, ...]  # the one that `value` and `threshold` are of comes first


@dataclass(frozen=True, slots=True)
class By:
    """What suppresses an alert: another alert, a storm of its rule, or its own flapping."""

    reason: str  # "inhibited", "storm" or "flapping"
    rule: str
    entity: Entity


@dataclass(frozen=True, slots=True)
class Suppression:
    """From this evaluation on an alert that fires is suppressed, by something else, or (None) no more."""

    at: int
    rule: str
    entity: Entity
    by: By | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a signal that is not at rest looked like at its last evaluation."""

    at: int
    rule: str
    entity: Entity
    state: State
    since: int
    value: float | None
    threshold: float | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One group at one evaluation time."""

    at: int
    group: str
    events: tuple[Event, ...]
    readings: tuple[Reading, ...]  # of every pending, firing or recovering signal of the group
    errors: tuple[tuple[str, str], ...]  # (rule, message): its signals stay as they were
    suppressions: tuple[Suppression, ...] = ()  # come after the events


@dataclass(frozen=True, slots=True)
class Signal:
    """The state of one rule on one entity."""

    state: State
    since: int


SignalKey = tuple[str, str, str]  # rule, kind of entity, id of entity


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What must be kept to go on after a restart; the windows follow from the samples fed again."""

    watermarks: Mapping[str, int] = field(default_factory=dict)  # by group: the last time evaluated
    signals: Mapping[SignalKey, Signal] = field(default_factory=dict)  # those at rest may be left out
    turns: Mapping[SignalKey, tuple[int, ...]] = field(
        default_factory=dict
    )  # when it lately fired or resolved
    suppressed: Mapping[SignalKey, By] = field(default_factory=dict)  # alerts that are, and by what
