"""The engine against the oracle, on random rules, rosters and streams.

The cases are the same in every run. `ROBOVITALS_CASES=50000` asks for so many others; the seed that is
printed with a failure, as `ROBOVITALS_SEED`, asks for the same ones again. A case that fails is made as
simple as can be first. (Not by hypothesis: of six worlds that it draws, five are copies of the sixth.)
"""

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice, zip_longest

import numpy as np
import pytest

from rules.batch import Batch
from rules.engine import Engine, Evaluation, Event, Snapshot, Suppression
from rules.roster import Roster
from rules.storm import NAME
from tests.rules.dice import Dice
from tests.rules.oracle import Key, Oracle, Said, Sample
from tests.rules.worlds import ALWAYS, Drawn, World

PARTS = 8  # for the workers of a run
CASES = int(os.environ.get("ROBOVITALS_CASES", "2000"))
CHOSEN = "ROBOVITALS_CASES" in os.environ
ACTIVE = ("pending", "firing", "recovering")
SEED = int(
    os.environ.get("ROBOVITALS_SEED", random.SystemRandom().randrange(10**9) if CHOSEN else 20_260_329)
)

parts = pytest.mark.parametrize("part", range(PARTS))


Check = Callable[[World, Dice], None]


def explore(part: int, share: int, check: Check) -> None:
    """Runs one part of a check that gets one in `share` of all cases; a case that fails is made simpler."""
    for case in range(max(1, CASES // PARTS // share)):
        drawn = Drawn.at_random(random.Random(f"{SEED} {part} {case}"))
        if fails(check, drawn):
            drawn = simplest(check, drawn)
            print(f"ROBOVITALS_SEED={SEED}, part {part}, case {case}, made simpler: {drawn}")  # noqa: T201
            check(drawn.world(), Dice(drawn.deed))
            pytest.fail("it fails, but not always")


def fails(check: Check, drawn: Drawn) -> bool:
    """Whether the check does not hold."""
    try:
        check(drawn.world(), Dice(drawn.deed))
    except Exception:
        return True
    return False


def simplest(check: Check, drawn: Drawn, tries: int = 2_000) -> Drawn:
    """The simplest case that is found to fail as well."""
    place, progress = 0, False
    for _ in range(tries):
        simpler = next(islice(drawn.simpler(), place, None), None)
        if simpler is None and not progress:
            break
        if simpler is None:
            place, progress = 0, False
        elif fails(check, simpler):
            drawn, progress = simpler, True
        else:
            place += 1
    return drawn


def batches(world: World, cut: int = 0) -> list[Batch]:
    """The samples by commit time; with a cut, in batches of at most so many."""
    roster, made = world.roster(-1), []
    come = [sample for sample in world.samples if sample.committed_at <= world.end]
    for committed_at, group in groupby(come, key=lambda sample: sample.committed_at):
        samples = list(group)
        size = cut or len(samples)
        made += [
            batch(roster, committed_at, samples[start : start + size])
            for start in range(0, len(samples), size)
        ]
    return made


def batch(roster: Roster, committed_at: int, samples: Sequence[Sample]) -> Batch:
    """Samples that were committed together."""
    metrics = {metric for sample in samples for metric in sample.values}
    return Batch(
        committed_at=committed_at,
        robot=np.array([roster.index(sample.robot) for sample in samples], dtype=np.int32),
        epoch=[sample.epoch for sample in samples],
        seq=np.array([sample.seq for sample in samples], dtype=np.int64),
        t=np.array([sample.t for sample in samples], dtype=np.int64),
        values={m: np.array([sample.values.get(m, np.nan) for sample in samples]) for m in metrics},
    )


@dataclass
class Running:
    """An engine in a world, and what it has said so far."""

    world: World
    fed: Sequence[Batch]
    ticking: bool = True
    reading: bool = False
    done: list[Evaluation] = field(default_factory=list)
    changes: int = 0  # of the roster
    read: dict[tuple[int, str, Key], list[tuple[float | None, bool | None]]] = field(default_factory=dict)
    forgotten: int = ALWAYS  # what was committed by then

    def __post_init__(self) -> None:
        watermarks = {group.name: self.world.start for group in self.world.rules.groups}
        self.engine = self.fresh(Snapshot(watermarks if self.world.restored else {}))
        self.now = self.crashed_at = self.world.start

    def fresh(self, snapshot: Snapshot) -> Engine:
        """A new engine that goes on from there."""
        made = Engine(
            self.world.rules,
            self.world.roster(self.changes),
            eval_delay_ms=self.world.delay,
            attentive=self.reading,
        )
        made.restore(snapshot)
        for since, until in self.world.listening:
            made.listened(since, until)
        return made

    def run(self, crash: int | None = None, lookback: int | None = None) -> "Running":
        """Until the end; with a crash before the batch of that number."""
        for number, fed in enumerate(self.fed):
            if number == crash:
                self.crash(self.fed[:number], lookback)
            self.pass_by(fed.committed_at - 1, ticking=self.ticking)
            if self.reading and number % 4 == 0:
                self.read_all()
            self.engine.feed(fed)
        self.pass_by(self.world.end, ticking=True)
        if self.reading:
            self.read_all()
        return self

    def pass_by(self, now: int, *, ticking: bool) -> None:
        """Time passes, and the roster may change meanwhile."""
        for at, _ in self.world.rosters[self.changes + 1 :]:
            if at <= now:
                self.tick(at)
                self.changes += 1
                self.engine.enrol(self.world.roster(self.changes))
        if ticking:
            self.tick(now)

    def tick(self, now: int) -> None:
        """Evaluates what is due."""
        self.done += self.engine.tick(now)
        self.now = max(now, self.now)

    def read_all(self) -> None:
        """Asks for every signal there is; not of evaluations with another roster: it had others."""
        changed_at, robots = self.world.rosters[self.changes]
        for rule in self.world.rules.rules:
            ids = (
                robots
                if rule.entity == "robot"
                else {str(r[rule.entity]) for r in robots.values() if rule.entity in r}
            )
            for id_ in ids:
                reading = self.engine.reading(rule.name, id_)
                if reading is not None and reading.at > changed_at:
                    key = rule.name, rule.entity, id_
                    self.read[reading.at, rule.group, key] = [(e.value, e.holds) for e in reading.evidence]

    def crash(self, before: Sequence[Batch], lookback: int | None) -> None:
        """All is lost but a snapshot; batches that were committed before are fed again."""
        snapshot, self.crashed_at = self.engine.snapshot(), self.now
        self.engine = self.fresh(snapshot)
        reach = self.engine.lookback_ms if lookback is None else lookback
        if before:
            since = min(snapshot.watermarks.values(), default=ALWAYS) - reach
            self.forgotten = min(since, before[-1].committed_at)
        for fed in before:
            if fed.committed_at > self.forgotten:
                self.engine.feed(fed)

    @property
    def said(self) -> list[Said]:
        """The events, but for those of storms: these come after the signals."""
        return [
            Said(e.at, one.group, e.rule, e.entity.kind, e.entity.id, e.before, e.after, e.since, e.value)
            for one in self.done
            for e in one.events
            if e.rule != NAME
        ]

    @property
    def told(self) -> list[tuple[int, str, tuple[Event, ...], tuple[Suppression, ...]]]:
        """Everything, with storms and suppressions, but for the evaluations that say nothing."""
        return [
            (one.at, one.group, one.events, one.suppressions)
            for one in self.done
            if one.events or one.suppressions
        ]

    @property
    def signals(self) -> dict[tuple[str, str, str], tuple[str, int]]:
        """Every signal but the inactive ones, and storms."""
        found = self.engine.snapshot().signals.items()
        return {
            key: (signal.state, signal.since)
            for key, signal in found
            if signal.state != "inactive" and key[0] != NAME
        }


def oracle(world: World, lookback: int) -> Oracle:
    """The oracle of a world."""
    return Oracle(world.rules, world.rosters, world.samples, world.listening, lookback, world.delay)


def lookback_of(world: World) -> int:
    """How far back the engine knows when somebody was heard."""
    return Engine(world.rules, world.roster(0), eval_delay_ms=world.delay).lookback_ms - world.delay


def assert_same(found: Sequence[object], expected: Sequence[object]) -> None:
    """The same events; the first that differs is told with what came before it."""
    for number, (one, other) in enumerate(zip_longest(found, expected)):
        assert one == other, (number, expected[:number])


def assert_same_evidence(running: Running, judge: Oracle) -> None:
    """At times of the run, every leaf of every condition has the same value and truth."""
    for at, group in sorted({(at, group) for at, group, _ in running.read}):
        expected = judge.evidence(at, group)
        found = {key: running.read.get((at, group, key)) for key in expected}
        assert found == expected, (at, group)


def assert_same_readings(running: Running, judge: Oracle) -> None:
    """At the end, every signal that is not at rest is read, with the value that its condition rests on."""
    last = {one.group: one for one in running.done}
    found = {
        (r.rule, r.entity.kind, r.entity.id): (r.state, r.since, r.value, r.at)
        for one in last.values()
        for r in one.readings
    }
    evidence = {
        key: (found_[0][0], one.at)
        for one in last.values()
        for key, found_ in judge.evidence(one.at, one.group).items()
    }
    active = {key: signal for key, signal in judge.signals.items() if signal[0] in ACTIVE}
    assert found == {key: (*signal, *evidence[key]) for key, signal in active.items()}


@parts
def test_engine_says_what_the_oracle_says(part: int) -> None:
    """Events with their times and values, evidence, and the signals at the end: as the oracle has them."""

    def check(world: World, dice: Dice) -> None:
        reading, ticking = dice.pick(((False, False), (False, True), (True, True)))
        judge = oracle(world, lookback_of(world))
        expected = judge.run(world.start, world.end)
        running = Running(world, batches(world), reading=reading, ticking=ticking).run()
        assert not [error for one in running.done for error in one.errors]
        assert_same(running.said, expected)
        assert running.signals == {k: s for k, s in judge.signals.items() if s[0] != "inactive"}
        assert_same_readings(running, judge)
        assert_same_evidence(running, judge)

    explore(part, 1, check)


@parts
def test_batch_sizes_do_not_matter(part: int) -> None:
    """Any cutting of commits into batches, with or without ticks in between, gives the same events."""

    def check(world: World, dice: Dice) -> None:
        cut = dice.pick((1, 2, 3, 4))
        whole = Running(world, batches(world)).run()
        cut_up = Running(world, batches(world, cut)).run()
        at_the_end = Running(world, batches(world, cut), ticking=False).run()
        for other in (cut_up, at_the_end):
            assert_same(other.told, whole.told)
            assert other.engine.snapshot() == whole.engine.snapshot()
            assert [(one.at, one.group) for one in other.done] == [(one.at, one.group) for one in whole.done]

    explore(part, 16, check)


@parts
def test_a_crash_changes_nothing(part: int) -> None:
    """Snapshot, restore, everything that was committed before again: then on as if nothing had happened."""

    def check(world: World, dice: Dice) -> None:
        fed = batches(world)
        crash = len(fed) * dice.pick(range(21)) // 20
        crashed = Running(world, fed).run(crash=crash, lookback=2**60)
        assert_same(crashed.told, Running(world, fed).run().told)

    explore(part, 16, check)


@parts
def test_what_a_crash_forgets(part: int) -> None:
    """With the batches of the lookback alone, an engine says what the oracle says that knows no others."""

    def check(world: World, dice: Dice) -> None:
        fed = batches(world)
        crash = len(fed) * dice.pick(range(21)) // 20
        running = Running(world, fed).run(crash=crash)
        judge = oracle(world, lookback_of(world))
        before = judge.run(world.start, running.crashed_at)
        judge.samples = [s for s in world.samples if s.committed_at > running.forgotten]
        since = max(world.start, running.crashed_at - world.delay)
        assert_same(running.said, before + judge.run(since, world.end))

    explore(part, 16, check)
