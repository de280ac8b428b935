"""The shipped rules, by the real engine, on simulated pasts: faults are seen, and nothing else."""

from collections.abc import Sequence
from pathlib import Path

from agent.catalogue import load as load_catalogue
from rules.engine import Engine
from rules.lifecycle import State
from rules.load import load, shipped
from rules.recording import read_batches, read_header
from rules.roster import Roster
from simulator.behavior import DAY, HOUR
from simulator.faults import KINDS, Fault
from simulator.fleet import robot_id, robots
from simulator.record import Past, write

MONDAY = 1_789_948_800_000  # 2026-09-21 00:00 UTC
FIVE_MINUTES = 300_000
SLOW = ("low_conversion", "low_satisfaction", "silent_customer")  # their rules look at days
Fired = set[tuple[str, str]]


def fired(path: Path, packs: Sequence[Path]) -> Fired:
    """Which rule fired on which robot of a recording."""
    header = read_header(path)
    roster = Roster(header.robots)
    engine = Engine(load(packs, load_catalogue()), roster)
    for since, until in header.listening:
        engine.listened(since, until)
    evaluations = []
    for batch in read_batches(path, roster):
        evaluations += engine.tick(batch.committed_at - 1)
        engine.feed(batch)
    evaluations += engine.tick(header.listening[-1][1])
    assert not [evaluation.errors for evaluation in evaluations if evaluation.errors]
    events = [event for evaluation in evaluations for event in evaluation.events]
    return {(event.rule, event.entity.id) for event in events if event.after is State.FIRING}


def recorded(folder: Path, count: int, days: float, faults: Sequence[Fault]) -> Path:
    """A recording of some robots from a Monday on."""
    path = folder / "past.parquet"
    write(Past(robots(count), faults, 5, MONDAY, MONDAY + round(days * DAY), FIVE_MINUTES), path)
    return path


def expected(faults: Sequence[Fault]) -> Fired:
    """What the kinds of the faults say."""
    return {(KINDS[fault.kind].rule, robot_id(fault.robot)) for fault in faults}


def test_every_fault_triggers_its_rule_and_no_other(tmp_path: Path) -> None:
    """A robot for each kind of fault, and as many healthy ones: the rules fire just where they should."""
    kinds = [kind for kind in KINDS if kind not in SLOW]
    faults = [Fault(kind, number, MONDAY + 12 * HOUR) for number, kind in enumerate(kinds, 1)]
    assert fired(recorded(tmp_path, 2 * len(kinds), 2.5, faults), shipped()) == expected(faults)


def test_slow_faults_trigger_their_rules(tmp_path: Path) -> None:
    """Low conversion, low satisfaction and silent customers, in several industries, among healthy robots."""
    faults = [Fault(SLOW[number % 3], number, MONDAY + DAY) for number in range(1, 25)]
    packs = [path for path in shipped() if path.name == "engagement.yaml"]
    assert fired(recorded(tmp_path, 60, 9, faults), packs) == expected(faults)


def test_every_shipped_rule_has_a_fault() -> None:
    """There is a way to see each rule of the packs at work, and no fault names a rule that is not there."""
    rules = load(shipped(), load_catalogue()).rules
    assert {rule.name for rule in rules} == {kind.rule for kind in KINDS.values()}
