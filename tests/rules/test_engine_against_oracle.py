"""The engine against the oracle, on random rules, rosters and streams."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.batch import Batch
from rules.engine import Engine, Evaluation
from rules.roster import Robot, Roster
from rules.rule import (
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    Gauge,
    Group,
    Increase,
    Leaf,
    Not,
    OneOf,
    Operator,
    Ratio,
    Reduce,
    Rule,
    RuleSet,
    Silent,
    Text,
)
from tests.rules.oracle import Oracle, Said, Sample

COUNTERS = ("a.x", "a.y", "b.z")
GAUGES = ("a.g", "a.up")
OPERATORS: tuple[Operator, ...] = ("above", "below", "at least", "at most")
SPAN = 450  # units of time in a stream
START = 1_000_000  # a multiple of no interval, on purpose


@dataclass(frozen=True)
class World:
    """Everything an engine is given."""

    unit: int  # ms
    groups: tuple[Group, ...]
    robots: dict[str, dict[str, str | float]]
    samples: tuple[Sample, ...]
    listening: tuple[tuple[int, int], ...]
    delay: int

    @property
    def rules(self) -> RuleSet:
        return RuleSet(self.groups)

    @property
    def roster(self) -> Roster:
        return Roster(Robot(id_, attributes) for id_, attributes in self.robots.items())

    @property
    def end(self) -> int:
        return START + (SPAN + 100) * self.unit


@st.composite
def measured(draw: st.DrawFn, unit: int) -> Leaf:
    """A comparison of some measure, or a silence."""
    over = draw(st.sampled_from([3, 20, 61, 200, 400])) * unit
    counters = st.lists(st.sampled_from(COUNTERS), min_size=1, max_size=3, unique=True).map(tuple)
    kind = draw(st.sampled_from(["increase", "increase", "ratio", "gauge", "silent"]))
    operator = draw(st.sampled_from(OPERATORS))
    if kind == "silent":
        return Silent(draw(st.sampled_from(["robot", "a"])), over)
    if kind == "ratio":
        ratio = Ratio(draw(counters), draw(counters), over, draw(st.sampled_from([1.0, 4.0])))
        return Compare(ratio, Comparison(operator, draw(st.sampled_from([0.25, 0.5, 1.0]))))
    if kind == "gauge":
        reduce = draw(st.sampled_from(get_args(Reduce)))
        return Compare(Gauge("a.g", reduce, over), Comparison(operator, draw(st.integers(0, 4))))
    increase = Increase(draw(counters), over)
    if draw(st.booleans()):
        return Compare(increase, Comparison("between", draw(st.integers(0, 3)), draw(st.integers(3, 6))))
    return Compare(increase, Comparison(operator, draw(st.integers(0, 6))))


def conditions(unit: int) -> st.SearchStrategy[Condition]:
    """Leaves, and what can be made of them."""

    def joined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        several = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.one_of(several.map(AllOf), several.map(AnyOf), inner.map(Not))

    return st.recursive(measured(unit), joined, max_leaves=4)


@st.composite
def rules(draw: st.DrawFn, name: str, group: str, interval: int, unit: int) -> Rule:
    """A rule over the metrics of these tests."""
    when = draw(conditions(unit))
    durations = st.sampled_from([0, 0, 5, 40]).map(lambda count: count * unit)
    return Rule(
        name=name,
        group=group,
        interval_ms=interval,
        about=Text(name, name),
        summary=Text(name, name),
        when=when,
        missing_data=draw(st.sampled_from(["keep_last_state", "resolve", "fire", "unknown"])),
        severity="low",
        subsystem="a",
        where=draw(st.sampled_from([(), (OneOf("site", ("hall",)),)])),
        clear_when=draw(st.one_of(st.none(), st.just(_easier(when)), conditions(unit))),
        for_ms=draw(durations),
        keep_firing_for_ms=draw(durations),
    )


def _easier(when: Condition) -> Condition | None:
    """Hysteresis, where the condition is one increase."""
    if isinstance(when, Compare) and isinstance(when.measure, Increase):
        return Compare(when.measure, Comparison("at most", 1))
    return None


@st.composite
def streams(draw: st.DrawFn, robot: str, unit: int) -> list[Sample]:
    """A robot's samples: counters that rise within an epoch; late, missing, partial and repeated ones."""
    times = draw(st.lists(st.integers(0, SPAN * 10), max_size=30, unique=True).map(sorted))
    counts = dict.fromkeys(COUNTERS, 0.0)
    samples, epoch = [], 0
    known = draw(st.sets(st.sampled_from(COUNTERS)))
    for tenth in times:
        t = START + tenth * unit // 10
        if draw(st.integers(0, 9)) == 0:
            epoch, counts, known = epoch + 1, dict.fromkeys(COUNTERS, 0.0), set(COUNTERS)
        known |= draw(st.sets(st.sampled_from(COUNTERS), max_size=1))
        for metric in COUNTERS:
            counts[metric] += draw(st.sampled_from([0, 0, 0, 1, 3]))
        lateness = draw(st.sampled_from([0, 0, 1, 1, 2, 30, 90, -1]))
        values = {metric: counts[metric] for metric in COUNTERS if metric in known}
        values |= draw(st.dictionaries(st.sampled_from(GAUGES), st.integers(0, 4).map(float)))
        samples.append(Sample(robot, f"{epoch}", t, max(t + lateness * unit, START), values))
    repeated = draw(st.lists(st.sampled_from(samples), max_size=3)) if samples else []
    again = [replace(sample, committed_at=sample.committed_at + 7 * unit) for sample in repeated]
    return samples + again


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Rules, robots, samples and listening times."""
    unit = draw(st.sampled_from([1_000, 1_000_000]))
    groups = []
    for number in range(draw(st.integers(1, 2))):
        interval = draw(st.sampled_from([1, 7, 20])) * unit
        made = [
            draw(rules(f"R{number}{rule}", f"g{number}", interval, unit))
            for rule in range(draw(st.integers(1, 3)))
        ]
        groups.append(Group(f"g{number}", interval, tuple(made)))
    sites = draw(st.lists(st.sampled_from(["hall", "bank"]), min_size=1, max_size=3))
    robots: dict[str, dict[str, str | float]] = {
        f"r{number}": {"site": site} for number, site in enumerate(sites)
    }
    samples = [sample for robot in robots for sample in draw(streams(robot, unit))]
    samples.sort(key=lambda sample: sample.committed_at)
    pause = sorted(draw(st.lists(st.integers(0, SPAN), min_size=2, max_size=2)))
    end = START + (SPAN + 100) * unit
    listening = ((START, START + pause[0] * unit), (START + pause[1] * unit, end))
    return World(
        unit, tuple(groups), robots, tuple(samples), listening, draw(st.sampled_from([0, 30])) * unit
    )


def batches(world: World, cut: int = 0) -> list[Batch]:
    """The samples by commit time; with a cut, in batches of at most so many."""
    roster, made = world.roster, []
    for committed_at, group in groupby(world.samples, key=lambda sample: sample.committed_at):
        samples = list(group)
        size = cut or len(samples)
        made += [
            _batch(roster, committed_at, samples[start : start + size])
            for start in range(0, len(samples), size)
        ]
    return made


def _batch(roster: Roster, committed_at: int, samples: Sequence[Sample]) -> Batch:
    metrics = {metric for sample in samples for metric in sample.values}
    return Batch(
        committed_at=committed_at,
        robot=np.array([roster.index(sample.robot) for sample in samples], dtype=np.int32),
        epoch=[sample.epoch for sample in samples],
        seq=np.arange(len(samples), dtype=np.int64),
        t=np.array([sample.t for sample in samples], dtype=np.int64),
        values={m: np.array([sample.values.get(m, np.nan) for sample in samples]) for m in metrics},
    )


def engine(world: World) -> Engine:
    """A new engine that knows when the collector listens."""
    made = Engine(world.rules, world.roster, eval_delay_ms=world.delay)
    for since, until in world.listening:
        made.listened(since, until)
    return made


def run(world: World, fed: Sequence[Batch], *, ticking: bool = True) -> list[Evaluation]:
    """All evaluations of a world."""
    running, done = engine(world), []
    for batch in fed:
        done += running.tick(batch.committed_at - 1) if ticking else []
        running.feed(batch)
    return done + running.tick(world.end)


def said(evaluations: Sequence[Evaluation]) -> list[Said]:
    """Their events."""
    return [
        Said(e.at, done.group, e.rule, e.entity.id, e.before, e.after, e.since, e.value)
        for done in evaluations
        for e in done.events
    ]


def assert_same(found: Sequence[Said], expected: Sequence[Said]) -> None:
    """The same events; values but for rounding."""
    assert [replace(event, value=None) for event in found] == [
        replace(event, value=None) for event in expected
    ]
    for event, other in zip(found, expected, strict=True):
        assert event.value == pytest.approx(other.value), (event, other)


checked = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(checked, max_examples=40)
@given(worlds())
def test_engine_says_what_the_oracle_says(world: World) -> None:
    """Events, times, values: all as the scalar evaluation has them."""
    lookback = engine(world).lookback_ms - world.delay
    robots = world.robots
    oracle = Oracle(world.groups, robots, world.samples, world.listening, lookback, world.delay)
    done = run(world, batches(world))
    assert not [error for evaluation in done for error in evaluation.errors]
    assert_same(said(done), oracle.run(START, world.end))


@settings(checked, max_examples=25)
@given(worlds(), st.integers(1, 4))
def test_batch_sizes_do_not_matter(world: World, cut: int) -> None:
    """Any cutting of commits into batches, with or without ticks in between, gives the same evaluations."""
    whole = run(world, batches(world))
    assert run(world, batches(world, cut)) == whole
    assert run(world, batches(world, cut), ticking=False) == whole


@settings(checked, max_examples=25)
@given(worlds(), st.floats(0, 1))
def test_a_crash_changes_nothing(world: World, part: float) -> None:
    """Snapshot, restore, the batches of the lookback again: then on as if nothing had happened."""
    fed = batches(world)
    at = int(len(fed) * part)
    first, done = engine(world), []
    for batch in fed[:at]:
        done += first.tick(batch.committed_at - 1)
        first.feed(batch)
    snapshot = first.snapshot()
    second = engine(world)
    second.restore(snapshot)
    since = min(snapshot.watermarks.values()) - second.lookback_ms
    for batch in fed[:at]:
        if batch.committed_at > since:
            second.feed(batch)
    for batch in fed[at:]:
        done += second.tick(batch.committed_at - 1)
        second.feed(batch)
    assert done + second.tick(world.end) == run(world, fed)
