"""Runs rule tests: the engine over a scenario's samples, and what came of it against what was expected."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rules.batch import Batch
from rules.engine import Engine
from rules.evaluation import Entity, Event, Evidence, Reading, Snapshot
from rules.expectations import Alert, Expectation, ExpectedAlerts, ExpectedSignal
from rules.grammar.suppression import RULE_STORM
from rules.lifecycle import State
from rules.roster import Roster
from rules.rule import RuleSet, duration
from rules.scenario import Scenario, TestFile

_OPEN = (State.FIRING, State.RECOVERING)


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met, and the values behind it."""

    place: str
    expected: str
    got: str
    behind: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.place}: expected {self.expected}", f"    got {self.got}"]
        return "\n".join([*lines, *(f"        {line}" for line in self.behind)])


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test; `reached` are the (rule, state) that some signal was in."""

    scenario: Scenario
    failures: tuple[Failure, ...]
    reached: frozenset[tuple[str, State]]


def run(file: TestFile) -> Iterator[Result]:
    """One test after another."""
    for scenario in file.scenarios:
        yield _Run(file.rules, scenario).result()


def unreached(rules: RuleSet, results: Sequence[Result]) -> list[str]:
    """The rules that fired in none of the tests, as often as they may have been looked at."""
    fired = {rule for result in results for rule, state in result.reached if state is State.FIRING}
    return [rule.name for rule in rules.rules if rule.name not in fired]


class _Run:
    """A test being run. Samples are committed at the time they were taken, and evaluated without delay."""

    def __init__(self, rules: RuleSet, scenario: Scenario) -> None:
        self._rules = rules
        self._scenario = scenario
        self._roster = Roster(scenario.robots)
        self._batches = list(_batches(scenario, self._roster))
        self._fed = 0
        self._reached: set[tuple[str, State]] = set()
        self._errors: dict[str, str] = {}  # by rule, the first one
        self._storms: dict[str, Reading] = {}  # by rule, as they last changed
        self._engine = self._started()

    def result(self) -> Result:
        failures: list[Failure] = []
        for at, expectation in self._timeline():
            self._go_on(self._scenario.start_at + at)
            if expectation is None:
                self._crash()
            else:
                failures.extend(self._failures(expectation))
        place = self._scenario.place
        errors = (Failure(place, f"{rule} evaluated", error, ()) for rule, error in self._errors.items())
        return Result(self._scenario, (*failures, *errors), frozenset(self._reached))

    def _timeline(self) -> list[tuple[int, Expectation | None]]:
        """Expectations and crashes (None); at the same time, the crash comes last."""
        crashes: list[tuple[int, Expectation | None]] = [(at, None) for at in self._scenario.crashes]
        expected = [(expectation.at_ms, expectation) for expectation in self._scenario.expectations]
        return sorted([*expected, *crashes], key=lambda item: item[0])

    def _started(self) -> Engine:
        engine = Engine(self._rules, self._roster, eval_delay_ms=0, attentive=True)
        start = self._scenario.start_at
        last = max((at for at, _ in self._timeline()), default=0)
        for since, until in self._scenario.listening or ((0, last),):
            engine.listened(start + since, start + until)
        return engine

    def _go_on(self, now: int) -> None:
        while self._fed < len(self._batches) and self._batches[self._fed].committed_at <= now:
            self._engine.feed(self._batches[self._fed])
            self._fed += 1
        for evaluation in self._engine.tick(now):
            self._reached.update((event.rule, event.after) for event in evaluation.events)
            self._errors = dict(evaluation.errors) | self._errors
            storms = (event for event in evaluation.events if event.rule == RULE_STORM)
            self._storms.update((event.entity.id, _reading(event)) for event in storms)

    def _crash(self) -> None:
        """What was in memory is lost; what is stored (signals, and the samples so far) is there again."""
        snapshot = self._engine.snapshot()
        self._engine = self._started()
        self._engine.restore(snapshot)
        now = max(snapshot.watermarks.values(), default=self._scenario.start_at)
        for batch in self._batches[: self._fed]:
            if batch.committed_at > now - self._engine.lookback_ms:
                self._engine.feed(batch)

    def _failures(self, expectation: Expectation) -> Iterator[Failure]:
        seen = _Seen(self._scenario, expectation.at_ms, self._engine, self._engine.snapshot(), self._storms)
        if isinstance(expectation, ExpectedAlerts):
            yield from _alert_failures(expectation, seen)
        elif not _fits(expectation, seen):
            alert = (expectation.alert, expectation.entity)
            what = f"{_name(alert)} at {duration(expectation.at_ms)}: {_wanted(expectation)}"
            yield seen.failure(expectation.place, what, alert)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What can be seen of the signals at one time."""

    scenario: Scenario
    at_ms: int
    engine: Engine
    snapshot: Snapshot
    storms: Mapping[str, Reading]

    def firing(self) -> Iterator[Alert]:
        """The alerts that fire, suppressed or not."""
        for (rule, kind, id_), signal in self.snapshot.signals.items():
            if signal.state in _OPEN:
                yield rule, Entity(kind, id_)

    def signal(self, alert: Alert) -> Reading | None:
        """The signal at its last evaluation; that of a storm, as it last changed."""
        rule, entity = alert
        if rule == RULE_STORM:
            calm = Reading(0, rule, entity, State.INACTIVE, 0, None, None, ())
            return self.storms.get(entity.id, calm)
        return self.engine.reading(rule, entity.id)

    def suppressed_by(self, alert: Alert) -> tuple[str, ...]:
        """Everything that suppresses an alert which fires: a rule, `storm`, `flapping`, `silence`."""
        rule, entity = alert
        by = self.snapshot.suppressed.get((rule, entity.kind, entity.id))
        found = [] if by is None else [by.rule if by.reason == "inhibited" else by.reason]
        attributes = _attributes(self.scenario, entity)
        silenced = any(silence.fits(self.at_ms, alert, attributes) for silence in self.scenario.silences)
        return tuple([*found, "silence"] if silenced else found)

    def failure(self, place: str, expected: str, alert: Alert) -> Failure:
        """An expectation about an alert that was not met."""
        signal = self.signal(alert)
        evidence = signal.evidence if signal else ()
        return Failure(place, expected, self._shown(alert, signal), tuple(map(_line, evidence)))

    def _shown(self, alert: Alert, signal: Reading | None) -> str:
        if signal is None:
            return "nothing: it was not evaluated yet"
        since = duration(signal.since - self.scenario.start_at) if signal.since else "the start"
        by = " and ".join(self.suppressed_by(alert))
        suppressed = f", suppressed by {by}" if by else ""
        return f"{signal.state} since {since}, value {_number(signal.value)}{suppressed}"


def _reading(event: Event) -> Reading:
    return Reading(
        event.at,
        event.rule,
        event.entity,
        event.after,
        event.since,
        event.value,
        event.threshold,
        event.evidence,
    )


def _attributes(scenario: Scenario, entity: Entity) -> dict[str, object]:
    """Attributes of a robot; of a site or customer, those that all its robots share."""
    key = "id" if entity.kind == "robot" else entity.kind
    own = [
        {**robot.attributes, "id": robot.id}
        for robot in scenario.robots
        if (robot.id if key == "id" else robot.attributes.get(key)) == entity.id
    ]
    first = own[0] if own else {}
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in own)}


def _fits(expected: ExpectedSignal, seen: _Seen) -> bool:
    alert = (expected.alert, expected.entity)
    signal = seen.signal(alert)
    if signal is None:
        return False
    since = None if expected.since_ms is None else seen.scenario.start_at + expected.since_ms
    return (
        (expected.signal is None or signal.state is expected.signal)
        and (expected.value is None or expected.value.fits(signal.value))
        and (since is None or signal.since == since)
        and (expected.suppressed_by is None or _suppressed(expected.suppressed_by, seen, alert, signal.state))
    )


def _suppressed(expected: str, seen: _Seen, alert: Alert, state: State) -> bool:
    """One that flaps may be at rest just now; what else suppresses, suppresses an alert that fires."""
    by = seen.suppressed_by(alert) or ("nothing",)
    return expected in by and (state in _OPEN or expected == "flapping")


def _alert_failures(expected: ExpectedAlerts, seen: _Seen) -> Iterator[Failure]:
    found = {alert for alert in seen.firing() if expected.suppressed_too or not seen.suppressed_by(alert)}
    also = ", suppressed or not" if expected.suppressed_too else ""
    for alert in sorted(found ^ expected.alerts, key=lambda alert: (alert[0], alert[1].id)):
        wanted = "an alert" if alert in expected.alerts else "no alert"
        what = f"{wanted} {_name(alert)} at {duration(seen.at_ms)}{also}"
        yield seen.failure(expected.place, what, alert)


def _name(alert: Alert) -> str:
    rule, entity = alert
    return f"{rule} on {entity.id}" if entity.kind == "robot" else f"{rule} on {entity.kind} {entity.id}"


def _batches(scenario: Scenario, roster: Roster) -> Iterator[Batch]:
    steps = max((len(values) for series in scenario.series.values() for values in series.values()), default=0)
    for step in range(steps):
        samples = {
            robot: {name: values[step] for name, values in series.items() if step < len(values)}
            for robot, series in scenario.series.items()
        }
        present = [
            robot for robot, sample in samples.items() if any(value is not None for value in sample.values())
        ]
        if present:
            at = scenario.start_at + step * scenario.interval_ms
            metrics = {name for robot in present for name in samples[robot]}
            columns = {name: [samples[robot].get(name) for robot in present] for name in metrics}
            yield Batch(
                committed_at=at,
                robot=np.array([roster.index(robot) for robot in present], dtype=np.int32),
                epoch=[f"epoch-{scenario.epochs[robot][step]}" for robot in present],
                seq=np.full(len(present), step + 1, dtype=np.int64),
                t=np.full(len(present), at, dtype=np.int64),
                values={name: np.array(column, dtype=np.float64) for name, column in columns.items()},
            )


def _wanted(expected: ExpectedSignal) -> str:
    parts = [str(expected.signal)] if expected.signal else []
    parts += [f"since {duration(expected.since_ms)}"] if expected.since_ms is not None else []
    parts += [f"value {expected.value.text}"] if expected.value else []
    parts += [f"suppressed by {expected.suppressed_by}"] if expected.suppressed_by else []
    return ", ".join(parts)


def _line(evidence: Evidence) -> str:
    verdict = {True: "holds", False: "does not hold", None: "is not known"}[evidence.holds]
    bounds = " and ".join(_number(bound) for bound in evidence.thresholds)
    value = _number(evidence.value)
    return f"{evidence.measure} = {value}; {evidence.comparison} {bounds} {verdict}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"
