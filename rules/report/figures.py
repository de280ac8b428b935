"""The figures of a report: how much is asked of people by the alerts of a recording."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from rules.alerts import Alert, by_rule
from rules.rule import DAY_MS, SEVERITIES, WEEK_MS, RuleSet

TOP = 5


@dataclass(frozen=True, slots=True)
class Time:
    """From the first commit to the last evaluation."""

    begin: int
    end: int

    @property
    def days(self) -> float:
        """How long that is."""
        return (self.end - self.begin) / DAY_MS


@dataclass(frozen=True, slots=True)
class Load:
    """Alerts of a robot in a week, over all robots and whole weeks (or what there is, if it is no week)."""

    weeks: int
    p50: float
    p95: float
    max: int
    histogram: tuple[int, ...]  # [n]: in how many robot-weeks there were n alerts; the last: n or more


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """What a rule did; `flapping`: began within a day after it ended on the same entity."""

    rule: str
    severity: str
    subsystem: str
    alerts: int
    entities: int
    open: int
    standing: int  # over 24 h
    flapping: int
    suppressed: int  # at some time
    never_shown: int
    hours_p50: float | None  # how long alerts that ended had lasted


@dataclass(frozen=True, slots=True)
class Figures:
    """Of all alerts."""

    alerts: int
    open: int
    standing: int
    flapping: int
    never_shown: int
    suppressed: Mapping[str, int]  # by reason: alerts that were, at some time
    top_share: float | None  # of the alerts about robots, those of the five robots with most
    top: tuple[tuple[str, int], ...]
    all: Load
    shown: Load  # without the alerts that were never shown
    rules: tuple[RuleFigures, ...]
    per_day: tuple[tuple[str, Mapping[str, int]], ...]  # UTC day: alerts that began, by severity


def of(alerts: Sequence[Alert], rules: RuleSet, robots: Sequence[str], time: Time) -> Figures:
    """The figures of the alerts that a recording of these robots gave."""
    reopened = flaps(alerts)
    by_robot = Counter(alert.entity.id for alert in alerts if alert.entity.kind == "robot")
    top = tuple(sorted(by_robot.items(), key=lambda item: (-item[1], item[0]))[:TOP])
    reasons = Counter(reason for alert in alerts for reason in {hidden.by.reason for hidden in alert.hidden})
    return Figures(
        alerts=len(alerts),
        open=sum(alert.end is None for alert in alerts),
        standing=sum(_stands(alert, time) for alert in alerts),
        flapping=len(reopened),
        never_shown=sum(alert.never_shown for alert in alerts),
        suppressed=dict(sorted(reasons.items())),
        top_share=sum(count for _, count in top) / by_robot.total() if by_robot else None,
        top=top,
        all=_load(alerts, robots, time),
        shown=_load([alert for alert in alerts if not alert.never_shown], robots, time),
        rules=tuple(_rules(alerts, rules, reopened, time)),
        per_day=tuple(_per_day(alerts, rules, time)),
    )


def flaps(alerts: Sequence[Alert]) -> set[int]:
    """Which alerts, by `id()`, began within a day after the one before of the same rule and entity ended."""
    ended: dict[tuple[str, str, str], int] = {}
    found = set()
    for alert in alerts:
        if alert.key in ended and alert.begin - ended[alert.key] <= DAY_MS:
            found.add(id(alert))
        if alert.end is not None:
            ended[alert.key] = alert.end
    return found


def _stands(alert: Alert, time: Time) -> bool:
    return alert.until(time.end) - alert.begin > DAY_MS


def _load(alerts: Sequence[Alert], robots: Sequence[str], time: Time) -> Load:
    rows = {robot: row for row, robot in enumerate(robots)}
    weeks = max(1, (time.end - time.begin) // WEEK_MS)
    counts = np.zeros((len(robots), weeks), dtype=np.int64)
    for alert in alerts:
        week = (alert.begin - time.begin) // WEEK_MS
        if alert.entity.kind == "robot" and week < weeks:
            counts[rows[alert.entity.id], week] += 1
    if not counts.size:
        return Load(weeks, 0.0, 0.0, 0, ())
    p50, p95 = np.quantile(counts, (0.5, 0.95)).tolist()
    histogram = np.bincount(np.minimum(counts.ravel(), 10))
    return Load(weeks, p50, p95, int(counts.max()), tuple(histogram.tolist()))


def _rules(alerts: Sequence[Alert], rules: RuleSet, reopened: set[int], time: Time) -> Iterator[RuleFigures]:
    """The rules in the order of their alerts' number; rules without alerts are there, too."""
    of_rule = by_rule(alerts)
    names = dict.fromkeys([*(rule.name for rule in rules.rules), *of_rule])
    for name in sorted(names, key=lambda name: -len(of_rule.get(name, ()))):
        mine, rule = of_rule.get(name, []), rules.by_name.get(name)
        hours = [(alert.end - alert.begin) / 3_600_000 for alert in mine if alert.end is not None]
        yield RuleFigures(
            rule=name,
            severity=rule.severity if rule else "high",
            subsystem=rule.subsystem if rule else "",
            alerts=len(mine),
            entities=len({alert.entity for alert in mine}),
            open=sum(alert.end is None for alert in mine),
            standing=sum(_stands(alert, time) for alert in mine),
            flapping=sum(id(alert) in reopened for alert in mine),
            suppressed=sum(bool(alert.hidden) for alert in mine),
            never_shown=sum(alert.never_shown for alert in mine),
            hours_p50=float(np.median(hours)) if hours else None,
        )


def _per_day(alerts: Sequence[Alert], rules: RuleSet, time: Time) -> Iterator[tuple[str, Mapping[str, int]]]:
    counts: dict[int, Counter[str]] = {
        day: Counter() for day in range(time.begin // DAY_MS, time.end // DAY_MS + 1)
    }
    for alert in alerts:
        rule = rules.by_name.get(alert.rule)
        counts[alert.begin // DAY_MS][rule.severity if rule else "high"] += 1
    for day, count in counts.items():
        name = datetime.fromtimestamp(day * DAY_MS / 1_000, UTC).date().isoformat()
        yield name, {severity: count[severity] for severity in SEVERITIES if count[severity]}
