"""Labels: which faults robots really had and when; and what the alerts of a backtest say to them.

A CSV file with the columns `robot,fault,start,end` (RFC 3339 with a zone, or ms since 1970; an empty `end` is
a fault that lasts), as `vitals-sim record --labels` writes it. A column `rule`, where there is one, names the
rules that should see the fault, with spaces between; without it every alert on the robot counts.

An alert and a fault belong together where the alert is about the robot (or about its site or customer), and
fires at some time between the begin of the fault and its end; or later, as long as samples of the fault are
in the rule's windows.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rules import values
from rules.alerts import Alert, by_rule
from rules.roster import Roster
from rules.rule import Rule, leaves, over_of

LASTS: Final = 2**62
_COLUMNS: Final = ("robot", "fault", "start", "end")


class LabelsError(ValueError):
    """A file of labels cannot be used; the message says which line and why."""


@dataclass(frozen=True, slots=True)
class Label:
    """A robot had a fault; `rules` should see it, or (empty) any may."""

    robot: str
    fault: str
    start: int
    end: int
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delays:
    """From the begin of a fault to its alert, in ms; None where none was seen."""

    p50: float | None
    p95: float | None

    @classmethod
    def of(cls, delays: Sequence[int]) -> "Delays":
        """Of the faults that were seen."""
        if not delays:
            return cls(None, None)
        p50, p95 = np.quantile(delays, (0.5, 0.95)).tolist()
        return cls(p50, p95)


@dataclass(frozen=True, slots=True)
class RuleScore:
    """How a rule did: of its alerts, how many had a fault; of the faults it should see, how many it saw."""

    rule: str
    alerts: int
    true: int
    faults: int | None  # None where the labels do not say which faults it should see
    seen: int | None
    delays: Delays

    @property
    def precision(self) -> float | None:
        """None where there was no alert."""
        return self.true / self.alerts if self.alerts else None

    @property
    def recall(self) -> float | None:
        """None where there was nothing to see."""
        return self.seen / self.faults if self.faults and self.seen is not None else None


@dataclass(frozen=True, slots=True)
class FaultScore:
    """How many faults of a kind were seen, and by which rules how often."""

    fault: str
    faults: int
    seen: int
    delays: Delays
    rules: Mapping[str, int]

    @property
    def recall(self) -> float:
        """Of the faults of this kind."""
        return self.seen / self.faults


@dataclass(frozen=True, slots=True)
class Scores:
    """What came of labels. `matched_by`: "rule" where the labels name rules, else "robot and time"."""

    matched_by: str
    rules: tuple[RuleScore, ...]
    faults: tuple[FaultScore, ...]
    alerts: int
    true: int
    labels: int
    seen: int


def read(path: Path, roster: Roster, rules: Sequence[Rule]) -> tuple[Label, ...]:
    """The labels of a file. Raises `LabelsError`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        ) from None
    reader = csv.DictReader(text.splitlines())
    if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
        raise LabelsError(f"{path}:1: no column {missing[0]!r}; labels have {','.join(_COLUMNS)}")
    names = {rule.name for rule in rules}
    try:
        return tuple(_label(f"{path}:{reader.line_num}", row, roster, names) for row in reader)
    except csv.Error as error:
        raise LabelsError(f"{path}:{reader.line_num}: not CSV: {error}") from None


def score(
    labels: Sequence[Label], alerts: Sequence[Alert], rules: Sequence[Rule], roster: Roster, now: int
) -> Scores:
    """What the alerts say to the labels; an alert that fires still does so until `now`."""
    matching = _Matching(labels, rules, roster, now)
    named = any(label.rules for label in labels)
    seen = {place: [] for place in range(len(labels))}  # type: dict[int, list[Alert]]
    true: dict[str, int] = {}
    robot_alerts = [alert for alert in alerts if alert.entity.kind != "rule"]
    for alert in robot_alerts:
        found = list(matching.of(alert))
        true[alert.rule] = true.get(alert.rule, 0) + bool(found)
        for place in found:
            seen[place].append(alert)
    of_rule = by_rule(robot_alerts)
    return Scores(
        "rule" if named else "robot and time",
        tuple(
            _rule_score(
                rule.name, len(of_rule.get(rule.name, ())), true.get(rule.name, 0), labels, seen, named
            )
            for rule in rules
        ),
        tuple(_fault_score(fault, labels, seen) for fault in sorted({label.fault for label in labels})),
        len(robot_alerts),
        sum(true.values()),
        len(labels),
        sum(bool(found) for found in seen.values()),
    )


class _Matching:
    """Which labels an alert belongs to."""

    def __init__(self, labels: Sequence[Label], rules: Sequence[Rule], roster: Roster, now: int) -> None:
        self._labels, self._roster, self._now = labels, roster, now
        self._slack = {rule.name: slack(rule) for rule in rules}
        self._of: dict[tuple[str, str], list[int]] = {}
        for place, label in enumerate(labels):
            for entity in self._entities(label.robot):
                self._of.setdefault(entity, []).append(place)

    def of(self, alert: Alert) -> Iterator[int]:
        """Places of labels."""
        end = alert.until(self._now)
        late = self._slack.get(alert.rule, 0)
        for place in self._of.get((alert.entity.kind, alert.entity.id), ()):
            label = self._labels[place]
            meant = not label.rules or alert.rule in label.rules
            if meant and end >= label.start and alert.begin <= label.end + late:
                yield place

    def _entities(self, robot: str) -> Iterator[tuple[str, str]]:
        yield "robot", robot
        attributes = self._roster.robots[self._roster.index(robot)].attributes
        for kind in ("site", "customer"):
            if kind in attributes:
                yield kind, str(attributes[kind])


def slack(rule: Rule) -> int:
    """For how long after a fault its samples may still make the rule fire: its longest window, and `for`."""
    return max((over_of(leaf) for leaf in leaves(rule.when)), default=0) + rule.for_ms


def _rule_score(
    rule: str,
    alerts: int,
    true: int,
    labels: Sequence[Label],
    seen: Mapping[int, Sequence[Alert]],
    named: bool,
) -> RuleScore:
    mine = [place for place, label in enumerate(labels) if not named or rule in label.rules]
    by_me = {place: [alert for alert in seen[place] if alert.rule == rule] for place in mine}
    delays = Delays.of([_delay(labels[place], found) for place, found in by_me.items() if found])
    if not named:
        return RuleScore(rule, alerts, true, None, None, delays)
    return RuleScore(rule, alerts, true, len(mine), sum(bool(found) for found in by_me.values()), delays)


def _fault_score(fault: str, labels: Sequence[Label], seen: Mapping[int, Sequence[Alert]]) -> FaultScore:
    mine = [place for place, label in enumerate(labels) if label.fault == fault]
    found = [place for place in mine if seen[place]]
    rules: dict[str, int] = {}
    for place in found:
        for rule in sorted({alert.rule for alert in seen[place]}):
            rules[rule] = rules.get(rule, 0) + 1
    delays = Delays.of([_delay(labels[place], seen[place]) for place in found])
    return FaultScore(fault, len(mine), len(found), delays, rules)


def _delay(label: Label, found: Sequence[Alert]) -> int:
    """To the first alert; none where one fired already."""
    return max(0, min(alert.begin for alert in found) - label.start)


def _label(place: str, row: Mapping[str | None, str | None], roster: Roster, rules: set[str]) -> Label:
    robot, fault = row["robot"] or "", row["fault"] or ""
    if robot not in roster:
        raise LabelsError(f"{place}: robot {robot!r} is not in the roster")
    meant = tuple((row.get("rule") or "").split())
    if unknown := [rule for rule in meant if rule not in rules]:
        raise LabelsError(f"{place}: there is no rule {unknown[0]!r}")
    start = _time(place, "start", row["start"] or "")
    end = _time(place, "end", row["end"]) if row["end"] else LASTS
    if end < start:
        raise LabelsError(f"{place}: the end is before the start")
    return Label(robot, fault, start, end, meant)


def _time(place: str, column: str, text: str) -> int:
    at = values.moment(text)
    if at is None:
        raise LabelsError(f"{place}: {column} {text[:40]!r} is no time; write 2026-11-22T08:00:00Z")
    return at
