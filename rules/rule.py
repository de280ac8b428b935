"""Rules as frozen records: what to measure, what to hold it against, and what to tell people."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
MissingData = Literal["keep_last_state", "resolve", "fire", "unknown"]
Operator = Literal["above", "below", "at least", "at most", "between"]
Reduce = Literal["last", "min", "max", "mean"]


@dataclass(frozen=True, slots=True)
class Text:
    """What a person reads, in English and Chinese."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class CallToAction:
    """What to do about an alert, and by when."""

    next_step: Text | None = None
    playbook: str | None = None
    ack_within_ms: int | None = None
    resolve_within_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Increase:
    """By how much a counter, or several summed, rose in the window."""

    metrics: tuple[str, ...]
    over_ms: int
    unit: str = ""

    def __str__(self) -> str:
        return f"increase of {' + '.join(self.metrics)} over {duration(self.over_ms)}"


@dataclass(frozen=True, slots=True)
class Ratio:
    """One increase by another, as a fraction; undefined where the lower one is below `min_samples`, or 0."""

    of: tuple[str, ...]
    to: tuple[str, ...]
    over_ms: int
    min_samples: float = 1.0

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every counter the ratio is made of."""
        return tuple(dict.fromkeys(self.of + self.to))

    @property
    def unit(self) -> str:
        """A fraction is shown as a percentage."""
        return "ratio"

    def __str__(self) -> str:
        return f"{' + '.join(self.of)} of {' + '.join(self.to)} over {duration(self.over_ms)}"


@dataclass(frozen=True, slots=True)
class Gauge:
    """A gauge in the window, reduced to one value."""

    metric: str
    reduce: Reduce
    over_ms: int
    unit: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The gauge."""
        return (self.metric,)

    def __str__(self) -> str:
        return f"{self.reduce} of {self.metric} over {duration(self.over_ms)}"


Measure = Increase | Ratio | Gauge


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a value is held against, in the measure's own unit; `upper` belongs to `between` alone."""

    operator: Operator
    threshold: float
    upper: float | None = None

    @property
    def thresholds(self) -> tuple[float, ...]:
        """One bound, or the two of `between`."""
        return (self.threshold,) if self.upper is None else (self.threshold, self.upper)

    def __str__(self) -> str:
        return f"{self.operator} {' and '.join(f'{bound:g}' for bound in self.thresholds)}"


@dataclass(frozen=True, slots=True)
class Compare:
    """Holds where the measure is as the comparison says."""

    measure: Measure
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Silent:
    """Holds where nothing was heard for so long; of the robot, or of one of its subsystems."""

    source: str  # "robot" or a subsystem
    over_ms: int

    @property
    def metrics(self) -> tuple[str, ...]:
        """A subsystem is heard by its gauge `up`."""
        return () if self.source == "robot" else (f"{self.source}.up",)

    def __str__(self) -> str:
        return f"silence of {self.source}"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds where each of them does."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where one of them does."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where the other does not."""

    condition: "Condition"


Leaf = Compare | Silent
Condition = Compare | Silent | AllOf | AnyOf | Not


def leaves(condition: Condition) -> Iterator[Leaf]:
    """The comparisons and silences of a condition, from left to right."""
    match condition:
        case AllOf(conditions) | AnyOf(conditions):
            for inner in conditions:
                yield from leaves(inner)
        case Not(inner):
            yield from leaves(inner)
        case Compare() | Silent():
            yield condition


@dataclass(frozen=True, slots=True)
class OneOf:
    """The attribute is one of these values; an attribute that is a number is compared as one."""

    attribute: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """The attribute is a text that begins so."""

    attribute: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Within:
    """The attribute is a number in the range, both ends included; None is an open end."""

    attribute: str
    start: float | None
    end: float | None


Filter = OneOf | Prefix | Within
DAYS_SINCE_INSTALL = "days_since_install"  # changes as time goes on, so it is reckoned at every evaluation


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert's rule. `place` is where it stands: `file:line`."""

    name: str
    group: str
    interval_ms: int
    about: Text
    summary: Text
    when: Condition
    missing_data: MissingData
    severity: Severity
    subsystem: str
    entity: Literal["robot"] = "robot"
    where: tuple[Filter, ...] = ()
    clear_when: Condition | None = None
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    call_to_action: CallToAction = CallToAction()
    place: str = ""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """`when`, and `clear_when` if there is one."""
        return (self.when,) if self.clear_when is None else (self.when, self.clear_when)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric the rule looks at, those of `when` first."""
        found = (leaf for condition in self.conditions for leaf in leaves(condition))
        return tuple(dict.fromkeys(metric for leaf in found for metric in metrics_of(leaf)))


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, at the multiples of the interval."""

    name: str
    interval_ms: int
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class RuleSet:
    """Groups in the order of the files; no two rules have the same name, nor two groups."""

    groups: tuple[Group, ...] = ()

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, group by group."""
        return tuple(rule for group in self.groups for rule in group.rules)

    @cached_property
    def by_name(self) -> Mapping[str, Rule]:
        """Rules by name."""
        return {rule.name: rule for rule in self.rules}

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that some rule looks at."""
        return tuple(dict.fromkeys(metric for rule in self.rules for metric in rule.metrics))


def metrics_of(leaf: Leaf) -> tuple[str, ...]:
    """The metrics one leaf looks at."""
    return leaf.measure.metrics if isinstance(leaf, Compare) else leaf.metrics


_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def duration(ms: int) -> str:
    """As rules write it: `1h30m`, `7d`."""
    parts = []
    for unit, size in _UNITS:
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
