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
EntityKind = Literal["robot", "site", "customer"]
ENTITIES: tuple[EntityKind, ...] = ("robot", "site", "customer")
Statistic = Literal["robust_z", "percentile"]
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS


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


@dataclass(frozen=True, slots=True)
class ActiveDays:
    """On how many of the last whole local days the counters, summed, rose by at least so much."""

    of: tuple[str, ...]
    at_least: float
    days: int

    @property
    def metrics(self) -> tuple[str, ...]:
        """The counters."""
        return self.of

    @property
    def over_ms(self) -> int:
        """The days as a duration."""
        return self.days * DAY_MS

    @property
    def unit(self) -> str:
        """Days."""
        return "d"

    def __str__(self) -> str:
        return f"days of the last {self.days} with {' + '.join(self.of)} of at least {self.at_least:g}"


@dataclass(frozen=True, slots=True)
class Fluctuation:
    """The coefficient of variation (standard deviation by mean) of the daily increases of whole local days.

    Of days on which the robot was heard; undefined where these are fewer than half of `days`, or rose by
    nothing at all. Source: https://en.wikipedia.org/wiki/Coefficient_of_variation (of a population).
    """

    of: tuple[str, ...]
    days: int

    @property
    def metrics(self) -> tuple[str, ...]:
        """The counters."""
        return self.of

    @property
    def over_ms(self) -> int:
        """The days as a duration."""
        return self.days * DAY_MS

    @property
    def unit(self) -> str:
        """A fraction is shown as a percentage."""
        return "ratio"

    def __str__(self) -> str:
        return f"fluctuation of daily {' + '.join(self.of)} over {self.days}d"


Measure = Increase | Ratio | Gauge | ActiveDays | Fluctuation


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
class Peers:
    """Holds where the measure, against that of entities with the same attributes, is as the comparison says.

    With too few peers of known measure, attributes are dropped from the end of `same` until there are
    enough; the first one stays, since who shares nothing is no peer. Still too few: unknown.
    """

    measure: Measure
    same: tuple[str, ...]
    min_peers: int  # with itself
    statistic: Statistic
    comparison: Comparison

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those of the measure."""
        return self.measure.metrics

    @property
    def over_ms(self) -> int:
        """The window of the measure."""
        return self.measure.over_ms

    @property
    def unit(self) -> str:
        """A robust z is a plain number, a percentile is shown as a percentage."""
        return "ratio" if self.statistic == "percentile" else ""

    def __str__(self) -> str:
        return f"{self.statistic.replace('_', ' ')} among peers of {self.measure}"


@dataclass(frozen=True, slots=True)
class OwnPast:
    """Holds where the measure changed, against the mean of the same window in past weeks, as compared."""

    measure: Measure
    weeks: int
    comparison: Comparison  # of the relative change: -0.2 is a fifth less

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those of the measure."""
        return self.measure.metrics

    @property
    def over_ms(self) -> int:
        """The window of the measure."""
        return self.measure.over_ms

    @property
    def unit(self) -> str:
        """A fraction is shown as a percentage."""
        return "ratio"

    def __str__(self) -> str:
        return f"change against {self.weeks} past weeks of {self.measure}"


@dataclass(frozen=True, slots=True)
class ShareOfRobots:
    """Holds where the share of a site's or customer's robots of which the inner condition holds is as said.

    Of robots that pass `where` and of which it is known; unknown where these are fewer than `min_robots`.
    """

    condition: "Condition"
    min_robots: int
    comparison: Comparison

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those of the inner condition."""
        found = (metric for leaf in leaves(self.condition) for metric in metrics_of(leaf))
        return tuple(dict.fromkeys(found))

    @property
    def over_ms(self) -> int:
        """The longest window of the inner condition."""
        return max(over_of(leaf) for leaf in leaves(self.condition))

    @property
    def unit(self) -> str:
        """A fraction is shown as a percentage."""
        return "ratio"

    def __str__(self) -> str:
        inner = ", ".join(
            str(leaf.measure if isinstance(leaf, Compare) else leaf) for leaf in leaves(self.condition)
        )
        return f"share of robots by {inner}"


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


Leaf = Compare | Silent | Peers | OwnPast | ShareOfRobots
Condition = Leaf | AllOf | AnyOf | Not


def leaves(condition: Condition) -> Iterator[Leaf]:
    """The comparisons and silences of a condition, from left to right; a share of robots is one of them."""
    match condition:
        case AllOf(conditions) | AnyOf(conditions):
            for inner in conditions:
                yield from leaves(inner)
        case Not(inner):
            yield from leaves(inner)
        case _:
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


Minutes = tuple[int, int]  # from, until: minutes since local midnight, until not included


@dataclass(frozen=True, slots=True)
class TimeSpans:
    """Times of day on some days of the week (0 is Monday); empty `times` are the whole day."""

    weekdays: tuple[int, ...]
    times: tuple[Minutes, ...]
    dates: tuple[tuple[str, str], ...] = ()  # first and last (YYYY-MM-DD); empty: every date


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """A named set of times, in the zone of each robot's site."""

    name: str
    spans: tuple[TimeSpans, ...]


OPEN_HOURS = "open_hours"  # the built-in interval: the attribute `open_hours` of each robot, less `holidays`


@dataclass(frozen=True, slots=True)
class Flapping:
    """A signal that fires and resolves again and again: changes within the last evaluations, as shares.

    Source: https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/flapping.html
    """

    history: int
    enter: float
    leave: float


@dataclass(frozen=True, slots=True)
class Storm:
    """Where so large a share of a rule's entities begins to fire within an hour, the rule is one alert."""

    share: float = 0.3
    min_entities: int = 20


@dataclass(frozen=True, slots=True)
class Matcher:
    """Which alerts are meant: all that is given must fit; `subsystem_not` is any other subsystem."""

    alerts: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    subsystems: tuple[str, ...] = ()
    subsystem_not: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    def fits(self, rule: "Rule") -> bool:
        """Whether alerts of the rule are meant."""
        return (
            (not self.alerts or rule.name in self.alerts)
            and (not self.severities or rule.severity in self.severities)
            and (not self.subsystems or rule.subsystem in self.subsystems)
            and rule.subsystem not in self.subsystem_not
            and all(rule.labels.get(name) == value for name, value in self.labels)
        )


@dataclass(frozen=True, slots=True)
class InhibitRule:
    """While a source alert fires, target alerts with the same attributes (robot, site, …) are suppressed."""

    source: Matcher
    target: Matcher
    equal: tuple[str, ...]
    place: str = ""


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
    entity: EntityKind = "robot"
    where: tuple[Filter, ...] = ()
    clear_when: Condition | None = None
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    call_to_action: CallToAction = CallToAction()
    active_intervals: tuple[str, ...] = ()  # names; outside all of them nothing is judged
    mute_intervals: tuple[str, ...] = ()  # nor inside any of these
    flapping: Flapping | None = None
    storm: Storm | None = Storm()
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
    intervals: tuple[TimeInterval, ...] = ()
    inhibit_rules: tuple[InhibitRule, ...] = ()

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


def over_of(leaf: Leaf) -> int:
    """The window of a leaf."""
    return leaf.measure.over_ms if isinstance(leaf, Compare) else leaf.over_ms


_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def duration(ms: int) -> str:
    """As rules write it: `1h30m`, `7d`."""
    parts = []
    for unit, size in _UNITS:
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
