"""The shipped rules, by the real engine, on simulated pasts: faults are seen, and nothing else."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.catalogue import load as load_catalogue
from rules.engine import Engine
from rules.evaluation import Evaluation
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
# What else a robot shows that sinks: less than its peers on the way down.
SOFTER = {"ConversionBelowPeers", "InteractionsBelowPeers"}
Fired = set[tuple[str, str]]


def evaluations(path: Path, packs: Sequence[Path]) -> Iterator[Evaluation]:
    """What the rules say over a recording, evaluated as it was received."""
    header = read_header(path)
    roster = Roster(header.robots)
    engine = Engine(load(packs, load_catalogue()), roster)
    for since, until in header.listening:
        engine.listened(since, until)
    for batch in read_batches(path, roster):
        yield from engine.tick(batch.committed_at - 1)
        engine.feed(batch)
    yield from engine.tick(header.listening[-1][1])


def shown(path: Path, packs: Sequence[Path]) -> Fired:
    """Which alert, not suppressed when it began, was about which robot, site or customer."""
    found: Fired = set()
    for evaluation in evaluations(path, packs):
        assert not evaluation.errors
        hidden = {(one.rule, one.entity.id) for one in evaluation.suppressions if one.by is not None}
        began = {(one.rule, one.entity.id) for one in evaluation.events if one.after is State.FIRING}
        found |= began - hidden
    return found


def recorded(folder: Path, count: int, days: float, faults: Sequence[Fault]) -> Path:
    """A recording of some robots from a Monday on."""
    path = folder / "past.parquet"
    write(Past(robots(count), faults, 5, MONDAY, MONDAY + round(days * DAY), FIVE_MINUTES), path)
    return path


def expected(faults: Sequence[Fault]) -> Fired:
    """What the kinds of the faults say."""
    return {(KINDS[fault.kind].rule, robot_id(fault.robot)) for fault in faults}


def test_every_fault_triggers_its_rule_and_no_other(tmp_path: Path) -> None:
    """A robot for each kind of fault, each beside a healthy one: the rules fire just where they should."""
    kinds = [kind for kind in KINDS if kind not in SLOW]
    faults = [Fault(kind, 2 * number + 1, MONDAY + 12 * HOUR) for number, kind in enumerate(kinds)]
    assert shown(recorded(tmp_path, 2 * len(kinds), 2.5, faults), shipped()) == expected(faults)


def test_slow_faults_trigger_their_rules(tmp_path: Path) -> None:
    """Low conversion, low satisfaction and silent customers, in several industries, among healthy robots."""
    faults = [Fault(SLOW[number % 3], number, MONDAY + DAY) for number in range(1, 25)]
    packs = [path for path in shipped() if path.name == "engagement.yaml"]
    found = shown(recorded(tmp_path, 60, 10, faults), packs)
    assert expected(faults) <= found
    sick = {robot for _, robot in expected(faults)}
    assert {rule for rule, _ in found - expected(faults)} <= SOFTER
    assert {robot for rule, robot in found if rule in SOFTER} <= sick


def test_a_site_that_falls_silent_is_one_alert(tmp_path: Path) -> None:
    """All robots of a site off the network at once, and healthy ones elsewhere."""
    fleet = robots(30)
    site = fleet[0].site
    off = [robot.number for robot in fleet if robot.site == site]
    faults = [Fault("robot_silent", number, MONDAY + 12 * HOUR, MONDAY + 15 * HOUR) for number in off]
    assert len(off) > 1
    assert shown(recorded(tmp_path, len(fleet), 1, faults), shipped()) == {("SiteSilent", site)}


def test_every_fault_has_its_rule() -> None:
    """No fault names a rule that is not there, and each rule about a faulty robot can be seen at work."""
    rules = load(shipped(), load_catalogue()).rules
    seen = {kind.rule for kind in KINDS.values()}
    assert seen <= {rule.name for rule in rules}
    assert {rule.name for rule in rules if rule.entity == "robot" and rule.subsystem != "engagement"} <= seen
