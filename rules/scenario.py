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

Series are in promtool's notation: `5` is a value, `5x3` the same and three more, `0+4x60` begins at 0 and
adds 4 sixty times, `_` is no value, `_x40` forty of these. The first value is at time 0. A robot has a sample
wherever one of its series has a value. A counter that falls begins a new epoch.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from pathlib import Path

from rules import values
from rules.document import (
    MAX_BYTES,
    Entries,
    Fields,
    GivingUp,
    Items,
    Node,
    Problem,
    Refused,
    Scalar,
    each,
    hint,
    parse,
    shown,
)
from rules.lifecycle import State
from rules.load import TEST_SUFFIX, RuleErrors, load
from rules.metrics import Metric
from rules.roster import Attribute, Robot
from rules.rule import RuleSet

SCHEMA = "robovitals-rules-test/1"
START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
MAX_VALUES = 200_000
_NUMBER = r"-?\d+(?:\.\d+)?"
_STEPS = re.compile(rf"(_|{_NUMBER})(?:([+-]\d+(?:\.\d+)?))?(?:x(\d{{1,6}}))?")
_TEST_KEYS = ("name", "interval", "start", "robots", "series", "listening", "expect", "crash_at")
_EXPECT_KEYS = ("at", "alert", "robot", "signal", "value", "since")


@dataclass(frozen=True, slots=True)
class Approximately:
    """A number as exact as it was written: 33% is anything from 32.5 % to 33.5 %."""

    number: float
    slack: float
    text: str

    def fits(self, value: float | None) -> bool:
        """Whether a value would be written so."""
        return value is not None and abs(value - self.number) <= self.slack


@dataclass(frozen=True, slots=True)
class ExpectedSignal:
    """One signal, as it shall be at a time; None: that does not matter."""

    at_ms: int
    alert: str
    robot: str
    signal: State | None
    value: Approximately | None
    since_ms: int | None
    place: str


@dataclass(frozen=True, slots=True)
class ExpectedAlerts:
    """Exactly these (alert, robot) shall be firing or recovering at a time."""

    at_ms: int
    alerts: frozenset[tuple[str, str]]
    place: str


Expectation = ExpectedSignal | ExpectedAlerts


@dataclass(frozen=True, slots=True)
class Scenario:
    """One test; times are ms since its start, `start_at` is that in ms UTC."""

    name: str
    place: str
    start_at: int
    interval_ms: int
    robots: tuple[Robot, ...]
    series: Mapping[str, Mapping[str, tuple[float | None, ...]]]  # robot → metric → values
    epochs: Mapping[str, tuple[int, ...]]  # robot → by value, as often as a counter fell by then
    listening: tuple[tuple[int, int], ...]
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
    try:
        with path.open("rb") as file:
            node = parse(str(path), file.read(MAX_BYTES + 1), problems)
    except OSError as error:
        raise RuleErrors([Problem(str(path), 0, 0, f"cannot be read: {error.strerror or error}")]) from None
    found = None
    try:
        found = _file(path, node, metrics) if node else None
    except GivingUp:
        pass
    except Refused as refused:
        problems += [refused.problem] if refused.problem else []
    except RuleErrors as errors:
        own = sorted(problems, key=lambda problem: problem.position)
        raise RuleErrors([*own, *errors.problems]) from None
    if problems or found is None:
        raise RuleErrors(sorted(problems, key=lambda problem: problem.position))
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


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads tests about these rules."""

    rules: RuleSet
    metrics: Mapping[str, Metric]

    def scenario(self, node: Node) -> Scenario:
        fields = Fields(node, "a test")
        fields.only(_TEST_KEYS)
        name = fields.need("name", values.text)
        interval = fields.need("interval", values.span, ", such as interval: 1m")
        robots = fields.need("robots", _robots, ": {r1: {lifecycle: live}}") or ()
        known = {robot.id for robot in robots}
        series = fields.read("series", lambda node: self._series(node, known), None) or {}
        expect = fields.need(
            "expect", lambda node: each(node, lambda item: self._expected(item, known), '"expect"')
        )
        crashes = fields.read("crash_at", lambda node: each(node, values.delay, '"crash_at"'), None)
        listening = fields.read("listening", lambda node: each(node, _interval, '"listening"'), None)
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
            epochs={robot: self._epochs(metrics) for robot, metrics in series.items()},
            listening=tuple(listening or ()),
            expectations=tuple(sorted(expect, key=lambda expected: expected.at_ms)),
            crashes=tuple(sorted(crashes or ())),
        )

    def _series(self, node: Node, robots: set[str]) -> dict[str, dict[str, tuple[float | None, ...]]]:
        fields = Fields(node, '"series"')
        fields.only(robots)
        return {robot: fields.read(robot, self._metrics, {}) for robot in fields.node.entries}

    def _metrics(self, node: Node) -> dict[str, tuple[float | None, ...]]:
        fields = Fields(node, "the series of a robot")
        for name, (key, _) in fields.node.entries.items():
            if name not in self.metrics:
                key.note(f'unknown metric "{name}"{hint(name, self.metrics)}')
        return {metric: fields.read(metric, _values, ()) for metric in fields.node.entries}

    def _epochs(self, series: Mapping[str, tuple[float | None, ...]]) -> tuple[int, ...]:
        counters = [values for name, values in series.items() if self._is_counter(name)]
        falls = [0] * max(map(len, series.values()), default=0)
        for column in counters:
            known = [(step, value) for step, value in enumerate(column) if value is not None]
            for (_, before), (step, value) in pairwise(known):
                falls[step] |= value < before
        return tuple(accumulate(falls))

    def _is_counter(self, name: str) -> bool:
        return name in self.metrics and self.metrics[name].kind == "counter"

    def _expected(self, node: Node, robots: set[str]) -> Expectation:
        fields = Fields(node, "an expectation")
        at = fields.need("at", values.delay, ", such as at: 65m")
        place = f"{node.source.file}:{node.line}:{node.column}"
        if "alerts" in fields:
            fields.only(("at", "alerts"))
            alerts = fields.read("alerts", lambda node: self._alerts(node, robots), None)
            if at is None or alerts is None:
                raise Refused
            return ExpectedAlerts(at, alerts, place)
        fields.only(_EXPECT_KEYS)
        alert = fields.need("alert", _one_of(self.rules.by_name, "alert"))
        robot = fields.need("robot", _one_of(robots, "robot"))
        signal = fields.read("signal", lambda node: State(values.choice(tuple(map(str, State)))(node)), None)
        value = fields.read("value", _approximately, None)
        since = fields.read("since", values.delay, None)
        if not fields.sound or at is None or alert is None or robot is None:
            raise Refused
        if signal is None and value is None and since is None:
            raise node.refused("expects nothing; give signal, value or since")
        return ExpectedSignal(at, alert, robot, signal, value, since, place)

    def _alerts(self, node: Node, robots: set[str]) -> frozenset[tuple[str, str]]:
        fields = Fields(node, '"alerts"')
        fields.only(self.rules.by_name)
        named = _one_of(robots, "robot")
        found: set[tuple[str, str]] = set()
        for alert in fields.node.entries:
            who = fields.read(alert, lambda node: each(node, named, "robots"), None)
            found.update((alert, robot) for robot in who or ())
        return frozenset(found)


def _robots(node: Node) -> tuple[Robot, ...]:
    if not isinstance(node, Entries):
        raise node.refused(f"must be a mapping of robots to attributes, not {shown(node)}")
    return tuple(Robot(id_, _attributes(value)) for id_, (_, value) in node.entries.items())


def _attributes(node: Node) -> dict[str, Attribute]:
    fields = Fields(node, "a robot's attributes")
    found = ((name, fields.read(name, _attribute, None)) for name in fields.node.entries)
    return {name: value for name, value in found if value is not None}


def _attribute(node: Node) -> Attribute:
    text = values.text(node)
    plain = isinstance(node, Scalar) and node.plain
    return float(text) if plain and re.fullmatch(_NUMBER, text) else text


def _values(node: Node) -> tuple[float | None, ...]:
    found: list[float | None] = []
    for word in values.text(node).split():
        step = _STEPS.fullmatch(word)
        if not step or (step[1] == "_" and step[2]):
            raise node.refused(f'"{word}" is no series; write such as 0+4x60, 5x3, _x40 or 7')
        found += _expanded(step[1], step[2], step[3])
        if len(found) > MAX_VALUES:
            raise node.refused(f"more than {MAX_VALUES} values")
    return tuple(found)


def _expanded(first: str, step: str | None, times: str | None) -> Sequence[float | None]:
    if first == "_":
        return [None] * int(times or 1)
    return [float(first) + float(step or 0) * number for number in range(int(times or 0) + 1)]


def _approximately(node: Node) -> Approximately:
    text = values.text(node)
    number = re.fullmatch(rf"({_NUMBER})(%?)", text.strip())
    if number:
        scale = 100 if number[2] else 1
        decimals = len(number[1].partition(".")[2])
        return Approximately(float(number[1]) / scale, 0.5000001 * 10**-decimals / scale, text)
    return Approximately(values.delay(node) / 1_000, 0.5, text)


def _one_of(known: Collection[str], what: str) -> Callable[[Node], str]:
    def read(node: Node) -> str:
        name = values.text(node)
        if name not in known:
            raise node.refused(f'unknown {what} "{name}"{hint(name, known)}')
        return name

    return read


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
        raise node.refused(f'"{text}" is no time; write such as 2026-01-05T08:00:00+08:00') from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
