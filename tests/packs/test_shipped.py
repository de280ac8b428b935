"""The shipped packs: complete, readable in both languages, and passing their own tests."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from agent import catalogue
from rules import load, scenario, testing
from rules.__main__ import main
from rules.lifecycle import State
from rules.rule import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Gauge,
    Increase,
    Not,
    Ratio,
    Rule,
    RuleSet,
    Silent,
    Text,
)
from rules.scenario import ExpectedAlerts, ExpectedSignal, Scenario

CATALOGUE = catalogue.load()
RULES = load.load(load.shipped(), CATALOGUE)
SUBSYSTEMS = ("network", "vision", "touchscreen", "navigation", "asr", "nlp", "tts")
# What the seven subsystems count beside failures; a counter that is neither here nor in a rule fails a test.
ACTIVITY = {
    "network.connect_attempts",
    "network.rx_bytes",
    "network.tx_bytes",
    "vision.face_attempts",
    "touchscreen.touches",
    "navigation.goals",
    "navigation.distance_m",
    "asr.utterances",
    "nlp.queries",
    "tts.utterances",
}
FAILURES = [name for name in CATALOGUE.counters if name.split(".")[0] in SUBSYSTEMS and name not in ACTIVITY]
TESTS = [scenario.read(path, CATALOGUE) for path in scenario.find([load.shipped()[0].parent])]
CHINESE = re.compile("[\u4e00-\u9fff]")
each_rule = pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.name)


def affirmed(condition: Condition) -> Iterator[Compare | Silent]:
    """The comparisons and silences that speak for trouble when they hold."""
    match condition:
        case AllOf(conditions) | AnyOf(conditions):
            for inner in conditions:
                yield from affirmed(inner)
        case Compare() | Silent():
            yield condition
        case Not():
            pass


def watched(rules: RuleSet) -> set[str]:
    """The counters whose rise is what some rule fires at."""
    found: set[str] = set()
    for rule in rules.rules:
        for leaf in affirmed(rule.when):
            if isinstance(leaf, Compare) and leaf.comparison.operator in ("above", "at least"):
                match leaf.measure:
                    case Increase(metrics):
                        found.update(metrics)
                    case Ratio(of=of):
                        found.update(of)
    return found


def texts(rule: Rule) -> list[Text]:
    """Everything of a rule that a person reads."""
    assert rule.call_to_action.next_step is not None
    return [rule.about, rule.summary, rule.call_to_action.next_step]


@pytest.mark.parametrize("counter", FAILURES)
def test_every_failure_is_watched(counter: str) -> None:
    """A failure that the field counts makes some rule fire when it rises."""
    assert counter in watched(RULES)


@pytest.mark.parametrize("subsystem", CATALOGUE.modules)
def test_every_module_is_missed(subsystem: str) -> None:
    """A firmware module that falls silent has a rule, under its own subsystem."""
    rules = [
        rule
        for rule in RULES.rules
        if any(isinstance(leaf, Silent) and leaf.source == subsystem for leaf in affirmed(rule.when))
    ]
    assert [rule.subsystem for rule in rules] == [subsystem]


@pytest.mark.parametrize("name", ["RobotSilent", "LowConversion", "LowSatisfaction", "SilentCustomer"])
def test_robots_that_slip_away_are_noticed(name: str) -> None:
    """The silent robot, low conversion, low satisfaction and the silent customer have a rule."""
    assert name in RULES.by_name


@each_rule
def test_every_rule_speaks_both_languages(rule: Rule) -> None:
    """What is shown and what to do next is there in English and in Chinese."""
    for text in texts(rule):
        assert CHINESE.search(text.zh), f"no Chinese: {text.zh}"
        assert text.en.strip()
        assert not CHINESE.search(text.en), f"Chinese among the English: {text.en}"


@each_rule
def test_every_summary_says_who_and_where(rule: Rule) -> None:
    """The line in the queue names robot and site, and both languages tell the same things."""
    placeholders = [set(re.findall(r"\{(\w+)\}", text)) for text in (rule.summary.en, rule.summary.zh)]
    assert {"robot", "site"} <= placeholders[0]
    assert placeholders[0] == placeholders[1]


@each_rule
def test_every_rule_says_by_when(rule: Rule) -> None:
    """A playbook, and the time to acknowledge within the time to resolve."""
    call = rule.call_to_action
    assert call.playbook
    assert call.ack_within_ms is not None
    assert call.resolve_within_ms is not None
    assert call.ack_within_ms < call.resolve_within_ms


@each_rule
def test_no_rule_takes_missing_data_for_trouble(rule: Rule) -> None:
    """Closed shops, holidays and silence leave every signal as it was."""
    assert rule.missing_data == "keep_last_state"


@each_rule
def test_every_ratio_has_enough_samples(rule: Rule) -> None:
    """No rule judges by a handful of events."""
    for leaf in affirmed(rule.when):
        if isinstance(leaf, Compare) and isinstance(leaf.measure, Ratio):
            assert leaf.measure.min_samples >= 20


@each_rule
def test_no_rule_flickers(rule: Rule) -> None:
    """What could hover around a threshold has a wider one to end by; a silence fires on for a while."""
    if any(isinstance(leaf, Compare) and leaf.comparison.threshold > 0 for leaf in affirmed(rule.when)):
        assert rule.clear_when is not None
    elif isinstance(rule.when, Silent):
        assert rule.keep_firing_for_ms > 0


@each_rule
def test_gauges_are_judged_by_their_best_value(rule: Rule) -> None:
    """One bad reading fires nothing: the whole window has to be bad."""
    for leaf in affirmed(rule.when):
        if isinstance(leaf, Compare) and isinstance(leaf.measure, Gauge):
            best = {"above": "min", "below": "max"}[leaf.comparison.operator]
            assert leaf.measure.reduce == best


def test_every_threshold_is_explained() -> None:
    """Above each rule, or each section of like rules, stands a comment that says why."""
    for path in load.shipped():
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            name = line.partition("- alert: ")[2]
            if name and not name.endswith("ModuleDown"):
                assert lines[number - 1].startswith("  # "), f"{path.name}: {name}"


def test_every_pack_has_its_test_beside_it() -> None:
    """`health.yaml` stands beside `health.test.yaml`."""
    for path in load.shipped():
        assert path.with_name(f"{path.stem}.test.yaml").is_file()


@pytest.mark.parametrize(
    ("file", "case"),
    [(file, case) for file in TESTS for case in file.scenarios],
    ids=lambda item: item.name if isinstance(item, Scenario) else item.path.name.partition(".")[0],
)
def test_every_pack_passes_its_tests(file: scenario.TestFile, case: Scenario) -> None:
    """What the packs promise in their `*.test.yaml`, they keep."""
    results = testing.run(replace(file, scenarios=(case,)))
    assert [str(failure) for result in results for failure in result.failures] == []


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.path.name)
def test_every_rule_is_expected_to_fire_and_not_to(file: scenario.TestFile) -> None:
    """Each rule has a test in which it fires, and each pack some in which nothing does."""
    fires: set[str] = set()
    quiet = 0
    for expected in (expected for case in file.scenarios for expected in case.expectations):
        match expected:
            case ExpectedAlerts(alerts=alerts):
                fires.update(alert for alert, _ in alerts)
                quiet += not alerts
            case ExpectedSignal(alert=alert, signal=State.FIRING):
                fires.add(alert)
    assert fires == set(file.rules.by_name)
    assert quiet > 0


def test_packs_are_tested_over_crashes() -> None:
    """Each pack has tests in which the engine is thrown away and started again."""
    for file in TESTS:
        assert any(case.crashes for case in file.scenarios), file.path.name


def test_the_command_finds_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """`vitals-rules check rules/packs`, as people run it."""
    assert main(["check", str(load.shipped()[0].parent)]) == 0
    assert "nothing wrong" in capsys.readouterr().out
