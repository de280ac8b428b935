"""The engine, case by case; that it computes what it should is for the oracle to say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rules.batch import Batch
from rules.engine import Engine, Event, Signal, Snapshot, State
from rules.roster import Robot, Roster
from rules.rule import (
    AnyOf,
    Compare,
    Comparison,
    Condition,
    Gauge,
    Group,
    Increase,
    Ratio,
    Rule,
    RuleSet,
    Silent,
    Text,
    Within,
)

MINUTE = 60_000
NAN = float("nan")
FAULTS = Compare(Increase(("a.faults",), 10 * MINUTE, "faults"), Comparison("at least", 3))
ROSTER = Roster([Robot("r0", {"lifecycle": "live"}), Robot("r1", {"lifecycle": "live"})])


def rule(name: str, when: Condition, **changes: Any) -> Rule:
    """A rule in group g, each minute."""
    made = Rule(name, "g", MINUTE, Text(name, name), Text(name, name), when, "keep_last_state", "low", "a")
    return replace(made, **changes)


def engine(*rules: Rule, roster: Roster = ROSTER, attentive: bool = False) -> Engine:
    """An engine without delay that listens from time 0 on."""
    made = Engine(RuleSet((Group("g", MINUTE, rules),)), roster, eval_delay_ms=0, attentive=attentive)
    made.listened(0, 10_000 * MINUTE)
    return made


def batch(minute: float, faults: dict[int, float], *, epoch: str = "e", taken: float | None = None) -> Batch:
    """Samples of some robots (by row), committed at a minute, taken then or before."""
    rows, count = list(faults), len(faults)
    t = minute if taken is None else taken
    return Batch(
        committed_at=round(minute * MINUTE),
        robot=np.array(rows, dtype=np.int32),
        epoch=[epoch] * count,
        seq=np.full(count, round(minute * 60), dtype=np.int64),
        t=np.full(count, round(t * MINUTE), dtype=np.int64),
        values={"a.faults": np.array(list(faults.values()), dtype=np.float64)},
    )


def events(running: Engine, minute: float) -> list[tuple[int, str, str, str, float | None]]:
    """What was said until then: minute, rule, robot, state, value."""
    evaluations = running.tick(round(minute * MINUTE))
    said = [event for evaluation in evaluations for event in evaluation.events]
    return [(e.at // MINUTE, e.rule, e.entity.id, e.after.value, e.value) for e in said]


def test_faults_that_come_and_go() -> None:
    """It fires at the evaluation that sees the third fault, and ends when the first has left the window."""
    running = engine(rule("Faults", FAULTS))
    for minute in range(1, 30):
        running.feed(batch(minute, {0: min(minute, 4), 1: 0}))
    assert events(running, 30) == [(4, "Faults", "r0", "firing", 3.0), (12, "Faults", "r0", "resolved", 2.0)]


def test_no_increase_across_epochs() -> None:
    """A robot that is set up anew counts from where it begins."""
    running = engine(rule("Faults", FAULTS))
    for minute, (value, epoch) in enumerate([(0, "a"), (1, "a"), (900, "b"), (901, "b"), (902, "b")], 1):
        running.feed(batch(minute, {0: value}, epoch=epoch))
    assert events(running, 6) == [(5, "Faults", "r0", "firing", 3.0)]


def test_a_late_sample_goes_where_it_belongs() -> None:
    """Faults that happened before the window are not in it, though they are told within it."""
    running = engine(rule("Faults", FAULTS))
    running.feed(batch(2, {0: 0}))
    running.feed(batch(20, {0: 5}))
    running.feed(batch(20.5, {0: 5}, taken=9))
    assert events(running, 22) == [(20, "Faults", "r0", "firing", 5.0), (21, "Faults", "r0", "resolved", 0.0)]


def test_a_late_sample_of_an_epoch_that_is_over() -> None:
    """It may tell more of a counter that later samples of its epoch lack: three faults, at minute 5."""
    running = engine(rule("Faults", FAULTS))
    running.feed(batch(1, {0: 0}))
    running.feed(batch(6, {0: NAN}))
    running.feed(batch(7, {0: 0}, epoch="f"))
    running.feed(batch(8, {0: 3}, taken=5))
    running.feed(batch(20, {0: 0}, epoch="f"))
    assert events(running, 20) == [(8, "Faults", "r0", "firing", 3.0), (15, "Faults", "r0", "resolved", 0.0)]


def test_a_late_sample_from_before_all_others() -> None:
    """Nothing rose where the later samples lack the counter, nor in the next epoch by more than it did."""
    running = engine(rule("Faults", FAULTS))
    running.feed(batch(2, {0: NAN}))
    running.feed(batch(3, {0: 0}, epoch="f"))
    running.feed(batch(4, {0: 2}, taken=1))
    running.feed(batch(14, {0: 3}, epoch="f"))
    assert events(running, 14) == [(14, "Faults", "r0", "firing", 3.0)]


def test_hysteresis_within_one_pass() -> None:
    """Also of sites whose robots change with time: it fires until `clear_when` holds, whenever one ticks."""
    clear = Compare(FAULTS.measure, Comparison("below", 1))
    young = (Within("days_since_install", 0, 9),)
    roster = Roster([Robot("r0", {"site": "s", "installed_on": "1970-01-01"})])
    running = engine(rule("Faults", FAULTS, entity="site", where=young, clear_when=clear), roster=roster)
    for minute in range(1, 30):
        running.feed(batch(minute, {0: min(minute, 4)}))
    assert events(running, 30) == [(4, "Faults", "s", "firing", 3.0), (14, "Faults", "s", "resolved", 0.0)]


def test_an_evaluation_sees_what_was_committed_by_then() -> None:
    """With a delay, T sees what came until T + delay, and of that what was taken until T."""
    running = Engine(RuleSet((Group("g", MINUTE, (rule("Faults", FAULTS),)),)), ROSTER, eval_delay_ms=30_000)
    running.feed(batch(0.5, {0: 0}))
    running.feed(batch(2.4, {0: 3}, taken=2))
    running.feed(batch(2.6, {1: 0}, taken=1))
    running.feed(batch(2.7, {1: 3}, taken=2))
    assert events(running, 3.4) == [(2, "Faults", "r0", "firing", 3.0)]
    assert events(running, 3.5) == [(3, "Faults", "r1", "firing", 3.0)]


def test_an_error_in_one_rule_touches_no_other() -> None:
    """Its signals stay as they were, and the error is told; other rules go on."""
    broken = rule("Broken", FAULTS, active_intervals=("an interval that nobody knows",))
    running = engine(broken, rule("Faults", FAULTS))
    running.restore(Snapshot({"g": 0}, {("Broken", "robot", "r0"): Signal(State.FIRING, 0)}))
    for minute in range(1, 5):
        running.feed(batch(minute, {0: minute}))
    (*_, last) = running.tick(4 * MINUTE)
    assert [(e.rule, e.after) for e in last.events] == [("Faults", State.FIRING)]
    assert [name for name, _ in last.errors] == ["Broken"]
    assert running.snapshot().signals["Broken", "robot", "r0"] == Signal(State.FIRING, 0)
    assert running.reading("Broken", "r0") is None


def test_signals_of_what_is_gone_end() -> None:
    """Of rules and robots that are no more, told once, at the next evaluation."""
    running = engine(rule("Faults", FAULTS))
    gone = {
        ("Old", "robot", "r0"): Signal(State.FIRING, 5),
        ("Faults", "robot", "r9"): Signal(State.RECOVERING, 5),
        ("Old", "robot", "r1"): Signal(State.PENDING, 5),
    }
    running.restore(Snapshot({"g": 0}, gone))
    assert events(running, 3) == [
        (1, "Old", "r0", "resolved", None),
        (1, "Faults", "r9", "resolved", None),
        (1, "Old", "r1", "inactive", None),
    ]
    assert not running.snapshot().signals


def test_the_roster_grows_and_changes() -> None:
    """A robot that joins is evaluated from then on; one that no longer passes `where` ends."""
    running = engine(rule("Faults", FAULTS))
    for minute in range(1, 5):
        running.feed(batch(minute, {0: minute, 1: minute}))
    assert len(events(running, 4)) == 2
    many = [Robot(f"r{number}", {"lifecycle": "live"}) for number in range(2, 40)]
    running.enrol(ROSTER.joined([Robot("r0", {"lifecycle": "retired"}), *many]))
    for minute in range(5, 10):
        running.feed(batch(minute, {39: minute}))
    assert events(running, 9) == [
        (5, "Faults", "r0", "resolved", None),
        (8, "Faults", "r39", "firing", 3.0),
    ]


def test_what_must_not_happen_is_refused() -> None:
    """Rows that move, and robots outside the roster."""
    running = engine(rule("Faults", FAULTS))
    with pytest.raises(ValueError, match="keep their rows"):
        running.enrol(Roster([Robot("r1"), Robot("r0")]))
    with pytest.raises(ValueError, match="not in the roster"):
        running.feed(batch(1, {2: 0}))


def test_a_new_group_begins_where_the_others_are() -> None:
    """It does not judge the past again."""
    groups = (Group("g", MINUTE, (rule("Faults", FAULTS),)), Group("new", MINUTE, (rule("More", FAULTS),)))
    running = Engine(RuleSet(groups), ROSTER, eval_delay_ms=0)
    running.restore(Snapshot({"g": 7 * MINUTE}, {}))
    assert [(e.at // MINUTE, e.group) for e in running.tick(8 * MINUTE)] == [(8, "g"), (8, "new")]
    assert running.snapshot().watermarks == {"g": 8 * MINUTE, "new": 8 * MINUTE}


def test_evidence_begins_with_what_holds() -> None:
    """Value and threshold of an `any` are those of the part that speaks for it."""
    share = Compare(Ratio(("a.faults",), ("a.faults",), 10 * MINUTE, 5), Comparison("above", 2))
    running = engine(rule("Either", AnyOf((Silent("robot", 60 * MINUTE), share, FAULTS))))
    for minute in range(1, 5):
        running.feed(batch(minute, {0: minute}))
    event: Event = running.tick(4 * MINUTE)[-1].events[0]
    assert (event.value, event.threshold) == (3.0, 3.0)
    assert [(e.measure, e.value, e.unit, e.holds) for e in event.evidence] == [
        ("increase of a.faults over 10m", 3.0, "faults", True),
        ("a.faults of a.faults over 10m", None, "ratio", None),
        ("silence of robot", 0.0, "s", False),
    ]
    assert (event.evidence[2].comparison, event.evidence[2].thresholds) == ("at least", (3600.0,))


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_number_too_large_to_be_one_is_none() -> None:
    """The mean of what is nearly the largest float is infinite, which no database takes: shown as unknown."""
    heat = Compare(Gauge("a.heat", "mean", 10 * MINUTE), Comparison("above", 3))
    running = engine(rule("Hot", heat, for_ms=3 * MINUTE))
    for minute in range(1, 8):
        sampled = batch(minute, {0: 0})
        running.feed(replace(sampled, values={"a.heat": np.array([1.7e308])}))
    said = running.tick(7 * MINUTE)
    events = [event for evaluation in said for event in evaluation.events]
    assert [(e.after, e.value, e.evidence[0].value) for e in events] == [
        (State.PENDING, 1.7e308, 1.7e308),
        (State.FIRING, None, None),
    ]
    assert [(reading.value, reading.evidence[0].value) for reading in said[-1].readings] == [(None, None)]


def test_readings_show_what_is_going_on() -> None:
    """The last evaluation reads every signal not at rest; an attentive engine can be asked for any signal."""
    running = engine(rule("Faults", FAULTS, for_ms=5 * MINUTE), attentive=True)
    for minute in range(1, 7):
        running.feed(batch(minute, {0: minute, 1: 0}))
    (*_, last) = running.tick(6 * MINUTE)
    assert [(r.entity.id, r.state, r.since, r.value) for r in last.readings] == [
        ("r0", State.PENDING, 4 * MINUTE, 5.0)
    ]
    calm = running.reading("Faults", "r1")
    assert calm is not None
    assert (calm.state, calm.value) == (State.INACTIVE, 0.0)
    assert running.reading("Faults", "r7") is None
    assert running.reading("Other", "r1") is None


def test_silence_counts_only_listening() -> None:
    """After the collector's own outage, nobody is silent yet."""
    silent = rule("Silent", Silent("robot", 5 * MINUTE))
    running = Engine(RuleSet((Group("g", MINUTE, (silent,)),)), ROSTER, eval_delay_ms=0)
    running.listened(0, 3 * MINUTE)
    running.feed(batch(1, {0: 0}))
    assert events(running, 60) == []
    running.listened(60 * MINUTE, 100 * MINUTE)
    assert events(running, 100) == [(63, "Silent", "r0", "firing", 300.0)]


def test_robots_that_never_were_are_missing_data() -> None:
    """Nothing fires of them, unless missing data shall."""
    running = engine(rule("Keep", FAULTS), rule("Fire", FAULTS, missing_data="fire"))
    assert events(running, 1) == [(1, "Fire", "r0", "firing", None), (1, "Fire", "r1", "firing", None)]
