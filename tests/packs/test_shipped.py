"""The shipped packs: complete, readable in both languages, and without alerts that hide each other."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agent import catalogue
from rules import load
from rules.__main__ import main
from rules.rule import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Fluctuation,
    Gauge,
    Increase,
    Leaf,
    Measure,
    Not,
    OwnPast,
    Peers,
    Ratio,
    Rule,
    RuleSet,
    ShareOfRobots,
    Silent,
    Text,
    leaves,
)

CATALOGUE = catalogue.load()
PAGE = Path(__file__).parents[2] / "docs" / "packs.md"
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
# What practitioners look for in robots and customers, and the rules that tell it.
SIGNS = {
    "a robot falls silent": ["RobotSilent"],
    "a site falls silent": ["SiteSilent"],
    "never set up": ["NeverSetUp"],
    "set up but never accepted": ["NotTakenUp"],
    "the standards of the first week": ["OnboardingConversion", "OnboardingSatisfaction"],
    "low conversion": ["LowConversion", "ConversionBelowPeers"],
    "low satisfaction": ["LowSatisfaction"],
    "not active over 7, 14, 30 days": ["SilentCustomer", "SilentCustomer14d", "SilentCustomer30d"],
    "activity with gaps": ["RarelyActive"],
    "a silent customer": ["CustomerSilent"],
    "used by fewer people": ["UsageDropping", "VisitorsDropping", "CustomerUsageDropping"],
    "used less than peers": ["InteractionsBelowPeers"],
    "low volumes and large fluctuation": ["UnsteadyUse"],
    "used with few functions": ["ConversationsOnly"],
    "not used for what it was bought for": [
        "ToursUnused",
        "CheckInsUnused",
        "EscortsUnused",
        "DeliveriesUnused",
    ],
    "benchmarks": ["BenchmarkRobot", "BenchmarkCustomer"],
}
# Who an alert is about, and what its line in the queue names.
NAMED = {"robot": {"robot", "site"}, "site": {"site", "customer"}, "customer": {"customer"}}
CHINESE = re.compile("[\u4e00-\u9fff]")
each_rule = pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.name)


def affirmed(condition: Condition) -> Iterator[Leaf]:
    """The leaves that speak for trouble when they hold, those of each robot in a share among them."""
    match condition:
        case AllOf(conditions) | AnyOf(conditions):
            for inner in conditions:
                yield from affirmed(inner)
        case ShareOfRobots(condition=inner):
            yield condition
            yield from affirmed(inner)
        case Not():
            pass
        case _:
            yield condition


def measures(rule: Rule) -> Iterator[Measure]:
    """What a rule measures, directly or against peers or the past."""
    for leaf in affirmed(rule.when):
        if isinstance(leaf, Compare | Peers | OwnPast):
            yield leaf.measure


def watched(rules: RuleSet) -> set[str]:
    """The counters whose rise is what some rule about a robot fires at."""
    found: set[str] = set()
    for rule in rules.rules:
        for leaf in affirmed(rule.when) if rule.entity == "robot" else ():
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


@pytest.mark.parametrize("sign", SIGNS)
def test_every_sign_is_noticed(sign: str) -> None:
    """What practitioners look for has its rules."""
    assert [name for name in SIGNS[sign] if name not in RULES.by_name] == []


@each_rule
def test_every_rule_speaks_both_languages(rule: Rule) -> None:
    """What is shown and what to do next is there in English and in Chinese."""
    for text in texts(rule):
        assert CHINESE.search(text.zh), f"no Chinese: {text.zh}"
        assert text.en.strip()
        assert not CHINESE.search(text.en), f"Chinese among the English: {text.en}"


@each_rule
def test_every_summary_says_who_and_where(rule: Rule) -> None:
    """The line in the queue names robot and site, or site and customer; both languages tell the same."""
    placeholders = [set(re.findall(r"\{(\w+)\}", text)) for text in (rule.summary.en, rule.summary.zh)]
    assert NAMED[rule.entity] <= placeholders[0]
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
def test_missing_data_is_no_trouble(rule: Rule) -> None:
    """It keeps what was, or is a state of its own where weeks are compared; never set up is just that."""
    statistical = any(
        isinstance(leaf, Peers | OwnPast)
        or (isinstance(leaf, Compare) and isinstance(leaf.measure, Fluctuation))
        for leaf in affirmed(rule.when)
    )
    assert rule.missing_data == (
        "fire" if rule.name == "NeverSetUp" else "unknown" if statistical else "keep_last_state"
    )


@each_rule
def test_every_ratio_has_enough_samples(rule: Rule) -> None:
    """No rule judges by a handful of events."""
    for measure in measures(rule):
        if isinstance(measure, Ratio):
            assert measure.min_samples >= 20


@each_rule
def test_peers_are_enough(rule: Rule) -> None:
    """A median that one robot does not move."""
    for leaf in affirmed(rule.when):
        if isinstance(leaf, Peers):
            assert leaf.min_peers >= 12
            assert leaf.same[0] == "industry"


@each_rule
def test_no_rule_flickers(rule: Rule) -> None:
    """What could hover around a threshold has a wider one to end by; a silence fires on for a while."""
    if silences(rule):
        assert rule.keep_firing_for_ms > 0 or rule.missing_data == "fire"
    elif any(bound != 0 for leaf in affirmed(rule.when) for bound in bounds(leaf)):
        assert rule.clear_when is not None


def silences(rule: Rule) -> bool:
    """Whether it is about silence, of a robot or of each robot of a site."""
    return any(isinstance(leaf, Silent) for leaf in affirmed(rule.when))


def bounds(leaf: Leaf) -> tuple[float, ...]:
    """What a leaf is held against; that a module was up is no matter of degree."""
    if isinstance(leaf, Silent) or any(metric.endswith(".up") for metric in leaf_metrics(leaf)):
        return ()
    return leaf.comparison.thresholds


def leaf_metrics(leaf: Leaf) -> tuple[str, ...]:
    """The metrics of a comparison."""
    return leaf.measure.metrics if isinstance(leaf, Compare) else ()


@each_rule
def test_gauges_are_judged_by_their_best_value(rule: Rule) -> None:
    """One bad reading fires nothing: the whole window has to be bad."""
    for leaf in affirmed(rule.when):
        if isinstance(leaf, Compare) and isinstance(leaf.measure, Gauge) and bounds(leaf):
            best = {"above": "min", "below": "max"}[leaf.comparison.operator]
            assert leaf.measure.reduce == best


@each_rule
def test_closed_shops_are_not_silent(rule: Rule) -> None:
    """Silence, and a week without use, count in opening hours; what was never set up has none."""
    unused = any(
        isinstance(leaf, Compare)
        and leaf.comparison.operator == "at most"
        and {"engagement.interactions", "engagement.deliveries"} <= set(leaf_metrics(leaf))
        and leaf.measure.over_ms < 30 * 86_400_000
        for leaf in affirmed(rule.when)
    )
    if (silences(rule) or unused) and rule.missing_data != "fire":
        assert rule.active_intervals == ("open_hours",)


def test_a_robot_of_a_silent_site_does_not_follow_it() -> None:
    """The site's alert begins before those of its robots, and outlasts them when all are back."""
    site, robot = RULES.by_name["SiteSilent"], RULES.by_name["RobotSilent"]
    (share,) = leaves(site.when)
    assert isinstance(share, ShareOfRobots)
    assert isinstance(share.condition, Silent)
    assert isinstance(robot.when, Silent)
    assert share.condition.over_ms < robot.when.over_ms
    assert site.keep_firing_for_ms > robot.keep_firing_for_ms >= robot.when.over_ms


def test_no_two_alerts_hide_each_other() -> None:
    """What suppresses an alert is never suppressed by it, directly or through others: one always stays."""
    hides: dict[str, set[str]] = {rule.name: set() for rule in RULES.rules}
    for inhibit in RULES.inhibit_rules:
        targets = {rule.name for rule in RULES.rules if inhibit.target.fits(rule)}
        for source in (rule.name for rule in RULES.rules if inhibit.source.fits(rule)):
            hides[source] |= targets - {source}
    assert [name for name in hides if name in _reached(name, hides)] == []


def _reached(start: str, hides: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    ahead = [*hides[start]]
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead.extend(hides[name])
    return seen


def test_every_threshold_is_explained() -> None:
    """Above each rule, or each section of like rules, stands a comment that says why."""
    for path in load.shipped():
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            name = line.partition("- alert: ")[2]
            if name and not name.endswith("ModuleDown"):
                assert lines[number - 1].startswith("  # "), f"{path.name}: {name}"


def test_the_page_names_every_rule() -> None:
    """docs/packs.md leaves no rule out, and names none that is not there."""
    page = PAGE.read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    assert {name for row in rows for name in re.findall(r"\w+", row)} - {"rule"} == set(RULES.by_name)


def test_every_pack_has_its_test_beside_it() -> None:
    """`health.yaml` stands beside `health.test.yaml`."""
    for path in load.shipped():
        assert path.with_name(f"{path.stem}.test.yaml").is_file()


@pytest.mark.parametrize("path", load.shipped(), ids=lambda path: path.stem)
def test_every_pack_loads_alone(path: Path) -> None:
    """Who wants one pack need not take the others."""
    assert main(["check", str(path)]) == 0


def test_the_command_finds_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """`vitals-rules check rules/packs`, as people run it."""
    assert main(["check", str(load.shipped()[0].parent)]) == 0
    assert "nothing wrong" in capsys.readouterr().out
