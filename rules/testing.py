"""Runs rule tests: the engine over a scenario's samples, and what came of it against what was expected."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rules.batch import Batch
from rules.engine import Engine
from rules.evaluation import Evidence, Reading
from rules.lifecycle import State
from rules.roster import Roster
from rules.rule import RuleSet, duration
from rules.scenario import Expectation, ExpectedAlerts, ExpectedSignal, Scenario, TestFile

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
        self._engine = self._started()

    def result(self) -> Result:
        failures: list[Failure] = []
        for at, expectation in self._timeline():
            self._go_on(self._scenario.start_at + at)
            if expectation is None:
                self._crash()
            else:
                failures.extend(self._failures(expectation))
        return Result(self._scenario, tuple(failures), frozenset(self._reached))

    def _timeline(self) -> list[tuple[int, Expectation | None]]:
        """Expectations and crashes (None); at the same time, the crash comes last."""
        crashes: list[tuple[int, Expectation | None]] = [(at, None) for at in self._scenario.crashes]
        expected = [(expectation.at_ms, expectation) for expectation in self._scenario.expectations]
        return sorted([*expected, *crashes], key=lambda item: item[0])

    def _started(self) -> Engine:
        engine = Engine(self._rules, self._roster, eval_delay_ms=0)
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
        if isinstance(expectation, ExpectedAlerts):
            yield from self._alert_failures(expectation)
            return
        reading = self._engine.reading(expectation.alert, expectation.robot)
        if reading is None or not self._fits(expectation, reading):
            what = f"{expectation.alert} on {expectation.robot} at {duration(expectation.at_ms)}"
            got = "nothing: it was not evaluated yet" if reading is None else self._shown(reading)
            yield Failure(expectation.place, f"{what}: {_wanted(expectation)}", got, _behind(reading))

    def _fits(self, expected: ExpectedSignal, reading: Reading) -> bool:
        since = None if expected.since_ms is None else self._scenario.start_at + expected.since_ms
        return (
            (expected.signal is None or reading.state is expected.signal)
            and (expected.value is None or expected.value.fits(reading.value))
            and (since is None or reading.since == since)
        )

    def _alert_failures(self, expected: ExpectedAlerts) -> Iterator[Failure]:
        signals = self._engine.snapshot().signals.items()
        found = {(rule, id_) for (rule, _, id_), signal in signals if signal.state in _OPEN}
        at = duration(expected.at_ms)
        for rule, robot in sorted(found ^ expected.alerts):
            reading = self._engine.reading(rule, robot)
            wanted = "an alert" if (rule, robot) in expected.alerts else "no alert"
            got = "nothing: it was not evaluated yet" if reading is None else self._shown(reading)
            yield Failure(expected.place, f"{wanted} {rule} on {robot} at {at}", got, _behind(reading))

    def _shown(self, reading: Reading) -> str:
        since = duration(reading.since - self._scenario.start_at) if reading.since else "the start"
        return f"{reading.state} since {since}, value {_number(reading.value)}"


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
    return ", ".join(parts)


def _behind(reading: Reading | None) -> tuple[str, ...]:
    return tuple(_line(evidence) for evidence in reading.evidence) if reading else ()


def _line(evidence: Evidence) -> str:
    verdict = {True: "holds", False: "does not hold", None: "is not known"}[evidence.holds]
    bounds = " and ".join(_number(bound) for bound in evidence.thresholds)
    value = _number(evidence.value)
    return f"{evidence.measure} = {value}; {evidence.comparison} {bounds} {verdict}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"
