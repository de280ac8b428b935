"""Rule tests as people write them (`*.test.yaml`): robots, series, and what is expected when.

    schema: robovitals-rules-test/1
    rules: [health.yaml]                     # beside this file; without it, the file this one is named after
    tests:
    - name: five faults within six hours fire
      interval: 1m                           # between the values of a series
      robots: {r1: {lifecycle: live, site: hall}}
      series:
        r1: {navigation.relocalization_faults: 0x60 1+1x4 5x400}
      expect:
      - {at: 65m, alert: RelocalizationFailing, robot: r1, signal: firing, value: 5, since: 65m}
      - {at: 64m, alerts: {}}                # exactly these alerts, of all rules; here, none
      crash_at: [30m]                        # the engine is snapshotted, thrown away and restored

A series (see `rules.series`) has its first value at time 0. A robot has a sample wherever one of its series
has a value. A counter that falls begins a new epoch. For `expect` and `silences` see `rules.expectations`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rules import document, series, values
from rules.document import (
    Entries,
    Fields,
    Items,
    Node,
    Problem,
    Refused,
    Scalar,
    each,
    hint,
    shown,
)
from rules.expectations import Expectation, ExpectedAlerts, ExpectedSignal, Expecting, Silence
from rules.load import TEST_SUFFIX, RuleErrors, load
from rules.metrics import Metric
from rules.roster import Attribute, Robot
from rules.rule import RuleSet
from rules.series import Series, Values

__all__ = ["Expectation", "ExpectedAlerts", "ExpectedSignal", "Scenario", "TestFile", "find", "read"]

SCHEMA = "robovitals-rules-test/1"
START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
TEST_KEYS = (
    "name",
    "interval",
    "start",
    "robots",
    "series",
    "listening",
    "silences",
    "expect",
    "crash_at",
)
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_TEXTS = ("name", "site", "customer")  # attributes that are no numbers, whatever they look like


@dataclass(frozen=True, slots=True)
class Scenario:
    """One test; times are ms since its start, `start_at` is that in ms UTC."""

    name: str
    place: str
    start_at: int
    interval_ms: int
    robots: tuple[Robot, ...]
    series: Mapping[str, Mapping[str, Values]]  # robot → metric → values
    epochs: Mapping[str, tuple[int, ...]]  # robot → by value, as often as a counter fell by then
    listening: tuple[tuple[int, int], ...]
    silences: tuple[Silence, ...]
    expectations: tuple[Expectation, ...]
    crashes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TestFile:
    """The tests of a file, and the rules they are about."""

    path: Path
    rules: RuleSet
    scenarios: tuple[Scenario, ...]


def find(paths: Sequence[Path]) -> list[Path]:
    """The test files among these files and folders."""
    found = [sorted(path.rglob(f"*{TEST_SUFFIX}")) if path.is_dir() else [path] for path in paths]
    return list(dict.fromkeys(path for group in found for path in group))


def read(path: Path, metrics: Mapping[str, Metric]) -> TestFile:
    """A test file with its rules. Raises `RuleErrors` with every problem of both."""
    problems: list[Problem] = []
    of_rules: Sequence[Problem] = ()
    found = None
    try:
        found = document.load(path, problems, lambda node: _file(path, node, metrics))
    except RuleErrors as errors:
        of_rules = errors.problems
    if found is None or problems:
        raise RuleErrors([*sorted(problems, key=lambda problem: problem.position), *of_rules])
    return found


def _file(path: Path, node: Node, metrics: Mapping[str, Metric]) -> TestFile:
    fields = Fields(node, "a test file")
    fields.only(("schema", "rules", "tests"))
    fields.need("schema", values.choice((SCHEMA,)), f": schema: {SCHEMA}")
    if not path.name.endswith(TEST_SUFFIX) and "rules" not in fields:
        raise node.refused(f'a test file needs a name that ends in {TEST_SUFFIX}, or "rules": [FILE]')
    named = Path(path.name.removesuffix(TEST_SUFFIX) + ".yaml")
    files = fields.read(
        "rules", lambda node: [Path(name) for name in each(node, values.text, '"rules"')], [named]
    )
    rules = load([path.parent / file for file in files], metrics)
    reader = _Reader(rules, metrics)
    tests = fields.need("tests", lambda node: each(node, reader.scenario, '"tests"'))
    return TestFile(path, rules, tuple(tests or ()))


class _Reader:
    """Reads tests about these rules."""

    def __init__(self, rules: RuleSet, metrics: Mapping[str, Metric]) -> None:
        self._rules = rules
        self._metrics = metrics
        self._counters = {name for name, metric in metrics.items() if metric.kind == "counter"}
        self._values = Series()

    def scenario(self, node: Node) -> Scenario:
        """One test. Raises `Refused`."""
        fields = Fields(node, "a test")
        fields.only(TEST_KEYS)
        name = fields.need("name", values.text)
        interval = fields.need("interval", values.span, ", such as interval: 1m")
        robots = fields.need("robots", _robots, ": {r1: {lifecycle: live}}") or ()
        expecting = Expecting(self._rules, robots)
        series = fields.read("series", lambda node: self._series(node, robots), {})
        expect = fields.need("expect", lambda node: each(node, expecting.expectation, '"expect"'))
        silences = fields.read("silences", lambda node: each(node, expecting.silence, '"silences"'), [])
        crashes = fields.read("crash_at", lambda node: each(node, values.delay, '"crash_at"'), [])
        listening = fields.read("listening", lambda node: each(node, _interval, '"listening"'), [])
        start_at = fields.read("start", _instant, START)
        if not fields.sound or name is None or interval is None or expect is None:
            raise Refused
        return Scenario(
            name=name,
            place=f"{node.source.file}:{node.line}",
            start_at=round(start_at.timestamp() * 1_000),
            interval_ms=interval,
            robots=robots,
            series=series,
            epochs={robot: self._epochs(of_robot) for robot, of_robot in series.items()},
            listening=tuple(listening),
            silences=tuple(silences),
            expectations=tuple(sorted(expect, key=lambda expected: expected.at_ms)),
            crashes=tuple(sorted(crashes)),
        )

    def _series(self, node: Node, robots: Sequence[Robot]) -> dict[str, dict[str, Values]]:
        fields = Fields(node, '"series"')
        fields.only(robot.id for robot in robots)
        return {robot: fields.read(robot, self._of_robot, {}) for robot in fields.node.entries}

    def _of_robot(self, node: Node) -> dict[str, Values]:
        fields = Fields(node, "the series of a robot")
        for name, (key, _) in fields.node.entries.items():
            if name not in self._metrics:
                key.note(f"unknown metric {shown(key)}{hint(name, self._metrics)}")
        return {metric: fields.read(metric, self._values.read, ()) for metric in fields.node.entries}

    def _epochs(self, of_robot: Mapping[str, Values]) -> tuple[int, ...]:
        counters = [found for name, found in of_robot.items() if name in self._counters]
        return series.epochs(counters, series.length(of_robot))


def _robots(node: Node) -> tuple[Robot, ...]:
    if not isinstance(node, Entries):
        raise node.refused(f"must be a mapping of robots to attributes, not {shown(node)}")
    return tuple(Robot(id_, _attributes(value)) for id_, (_, value) in node.entries.items())


def _attributes(node: Node) -> dict[str, Attribute]:
    fields = Fields(node, "a robot's attributes")
    found = {name: fields.read(name, _attribute, None) for name in fields.node.entries if name not in _TEXTS}
    texts = {name: fields.read(name, values.text, None) for name in _TEXTS if name in fields}
    return {name: value for name, value in (found | texts).items() if value is not None}


def _attribute(node: Node) -> Attribute:
    text = values.text(node)
    plain = isinstance(node, Scalar) and node.plain
    return float(text) if plain and _NUMBER.fullmatch(text) else text


def _interval(node: Node) -> tuple[int, int]:
    if not isinstance(node, Items) or len(node.items) != 2:
        raise node.refused(f"must be a pair such as [0s, 30m], not {shown(node)}")
    since, until = (values.delay(item) for item in node.items)
    if until < since:
        raise node.refused("ends before it begins")
    return since, until


def _instant(node: Node) -> datetime:
    text = values.text(node)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise node.refused(f"{shown(node)} is no time; write such as 2026-01-05T08:00:00+08:00") from None
    if not 2000 <= instant.year < 2100:
        raise node.refused(f"must be a year from 2000 to 2099, not {instant.year}")
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
