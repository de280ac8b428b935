"""Rule tests as they are read: what a test file means, and what is said about one that means nothing."""

from pathlib import Path

import pytest

from rules import scenario
from rules.evaluation import Entity
from rules.expectations import ExpectedAlerts, ExpectedSignal, Silence
from rules.lifecycle import State
from rules.load import RuleErrors
from rules.metrics import Entry
from rules.scenario import Scenario
from tests.rules.conftest import HEAD

MINUTE = 60_000
RULES = f"""{HEAD}\
  - alert: RobotSilent
    when: {{silent: robot, over: 15m}}
    labels: {{severity: low, subsystem: network}}
  - alert: SiteSilent
    for_each: site
    when: {{silent: robot, over: 15m}}
    labels: {{severity: high, subsystem: network}}
  - alert: Unhappy
    for_each: customer
    when: {{increase: engagement.tours, over: 1d, is: below 3}}
    labels: {{severity: high, subsystem: engagement}}
"""
TEST = """\
schema: robovitals-rules-test/1
rules: [rules.yaml]
tests:
- name: a name
  interval: 5m
  start: 2026-03-01T08:00:00+08:00
  robots:
    r1: {site: 7, customer: acme, floor: 2, lifecycle: live}
    r2: {site: hall, customer: acme}
  series:
    r1: {engagement.tours: 5 5x2 0+2x3 _x2 1, system.battery_percent: 40-1.5x2}
    r2: {engagement.tours: 5 4 3, engagement.escorts: 1 _ 0}
  listening: [[0s, 30m], [90m, 3h]]
  crash_at: [2h, 1h]
  silences:
  - SILENCE
  expect:
  - EXPECT
"""
EXPECT = "{at: 5m, alerts: {}}"
SILENCE = "{from: 1h, to: 2h, alert: RobotSilent}"


def read(folder: Path, catalogue: dict[str, Entry], text: str) -> Scenario:
    """The one test of a file."""
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    (folder / "a.test.yaml").write_text(text, encoding="utf-8")
    return scenario.read(folder / "a.test.yaml", catalogue).scenarios[0]


def filled(expect: str = EXPECT, silence: str = SILENCE) -> str:
    """A file with this expectation and this silence."""
    return TEST.replace("EXPECT", expect).replace("SILENCE", silence)


def test_a_whole_test(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """Every key arrives in the record; times count from the start, crashes are in order."""
    found = read(tmp_path, catalogue, filled())
    assert (found.name, found.interval_ms, found.start_at) == ("a name", 5 * MINUTE, 1_772_323_200_000)
    assert found.listening == ((0, 30 * MINUTE), (90 * MINUTE, 180 * MINUTE))
    assert found.crashes == (60 * MINUTE, 120 * MINUTE)
    assert {robot.id: dict(robot.attributes) for robot in found.robots} == {
        "r1": {"site": "7", "customer": "acme", "floor": 2.0, "lifecycle": "live"},
        "r2": {"site": "hall", "customer": "acme"},
    }
    assert found.series["r1"] == {
        "engagement.tours": (5, 5, 5, 5, 0, 2, 4, 6, None, None, 1),
        "system.battery_percent": (40, 38.5, 37),
    }
    assert found.epochs == {"r1": (0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2), "r2": (0, 1, 2)}
    assert found.place.endswith("a.test.yaml:4")


@pytest.mark.parametrize(
    ("expect", "meaning"),
    [
        (
            "{at: 20m, alert: RobotSilent, robot: r1, signal: firing, since: 15m}",
            ("RobotSilent", Entity("robot", "r1"), State.FIRING, 15 * MINUTE, None),
        ),
        (
            '{at: 20m, alert: SiteSilent, site: "7", suppressed_by: RobotSilent}',
            ("SiteSilent", Entity("site", "7"), None, None, "RobotSilent"),
        ),
        (
            "{at: 20m, alert: Unhappy, customer: acme, suppressed_by: nothing}",
            ("Unhappy", Entity("customer", "acme"), None, None, "nothing"),
        ),
        (
            "{at: 20m, alert: RuleStorm, rule: RobotSilent, signal: resolved}",
            ("RuleStorm", Entity("rule", "RobotSilent"), State.RESOLVED, None, None),
        ),
    ],
)
def test_one_signal(tmp_path: Path, catalogue: dict[str, Entry], expect: str, meaning: object) -> None:
    """What an alert is about is named by its kind."""
    (found,) = read(tmp_path, catalogue, filled(expect)).expectations
    assert isinstance(found, ExpectedSignal)
    assert (found.at_ms, found.place.rpartition("a.test.yaml:")[2]) == (20 * MINUTE, "18:5")
    assert (found.alert, found.entity, found.signal, found.since_ms, found.suppressed_by) == meaning


@pytest.mark.parametrize(("key", "suppressed_too"), [("alerts", False), ("firing", True)])
def test_exactly_these_alerts(
    tmp_path: Path, catalogue: dict[str, Entry], key: str, suppressed_too: bool
) -> None:
    """Of rules of any kind; `firing` means those that are suppressed, too."""
    expect = (
        f"{{at: 1h, {key}: {{RobotSilent: [r1, r2], SiteSilent: [hall], Unhappy: [], RuleStorm: [Unhappy]}}}}"
    )
    (found,) = read(tmp_path, catalogue, filled(expect)).expectations
    assert isinstance(found, ExpectedAlerts)
    assert found.suppressed_too is suppressed_too
    assert found.alerts == {
        ("RobotSilent", Entity("robot", "r1")),
        ("RobotSilent", Entity("robot", "r2")),
        ("SiteSilent", Entity("site", "hall")),
        ("RuleStorm", Entity("rule", "Unhappy")),
    }


R1: dict[str, object] = {"site": "hall", "customer": "acme"}


@pytest.mark.parametrize(
    ("silence", "at", "rule", "entity", "attributes", "silenced"),
    [
        ("alert: RobotSilent", 60, "RobotSilent", Entity("robot", "r1"), R1, True),
        ("alert: RobotSilent", 119, "RobotSilent", Entity("robot", "r1"), R1, True),
        ("alert: RobotSilent", 59, "RobotSilent", Entity("robot", "r1"), R1, False),
        ("alert: RobotSilent", 120, "RobotSilent", Entity("robot", "r1"), R1, False),
        ("alert: [SiteSilent, Unhappy]", 60, "RobotSilent", Entity("robot", "r1"), R1, False),
        ("robot: r1", 60, "RobotSilent", Entity("robot", "r1"), R1, True),
        ("robot: r1", 60, "SiteSilent", Entity("site", "hall"), {"customer": "acme"}, False),
        ("site: hall", 60, "RobotSilent", Entity("robot", "r1"), R1, True),
        ("site: hall", 60, "SiteSilent", Entity("site", "hall"), {"customer": "acme"}, True),
        ("site: hall", 60, "Unhappy", Entity("customer", "acme"), {}, False),
        ("customer: acme", 60, "SiteSilent", Entity("site", "hall"), {"customer": "acme"}, True),
        ("alert: RobotSilent, site: hall", 60, "SiteSilent", Entity("site", "hall"), {}, False),
    ],
)
def test_silences(
    tmp_path: Path,
    catalogue: dict[str, Entry],
    silence: str,
    at: int,
    rule: str,
    entity: Entity,
    attributes: dict[str, object],
    silenced: bool,
) -> None:
    """From its beginning until just before its end, where all that is given fits."""
    text = filled(silence=f"{{from: 1h, to: 2h, {silence}}}")
    (found,) = read(tmp_path, catalogue, text).silences
    assert isinstance(found, Silence)
    assert found.fits(at * MINUTE, (rule, entity), attributes) is silenced


@pytest.mark.parametrize(
    ("expect", "complaint"),
    [
        (
            "{at: 1h, alert: SiteSilent, robot: r1, signal: firing}",
            "18:40: SiteSilent is about a site; give site",
        ),
        (
            "{at: 1h, alert: SiteSilent, signal: firing}",
            '18:5: an expectation needs "site", which SiteSilent is',
        ),
        (
            "{at: 1h, alert: SiteSilent, site: hal, signal: firing}",
            '18:39: unknown site "hal"; did you mean "hall"',
        ),
        ("{at: 1h, alerts: {Unhappy: [acne]}}", '18:33: unknown customer "acne"; did you mean "acme"?'),
        ("{at: 1h, alerts: {Unhapy: [acme]}}", '18:23: unknown key "Unhapy"; did you mean "Unhappy"?'),
        ("{at: 1h, alerts: {}, firing: {}}", '18:26: unknown key "firing"; one of: alerts, at'),
        (
            "{at: 1h, alert: Unhappy, customer: acme, suppressed_by: RobotSilentt}",
            '18:61: unknown reason or alert "RobotSilentt"; did you mean "RobotSilent"?',
        ),
        (
            "{at: 1h, alert: RuleStorm, rule: SiteSilnt, signal: firing}",
            '18:38: unknown rule "SiteSilnt"; did you',
        ),
    ],
)
def test_wrong_expectations(tmp_path: Path, catalogue: dict[str, Entry], expect: str, complaint: str) -> None:
    """Each mistake is told with its place."""
    with pytest.raises(RuleErrors) as caught:
        read(tmp_path, catalogue, filled(expect))
    assert str(caught.value).partition("a.test.yaml:")[2].startswith(complaint)


@pytest.mark.parametrize(
    ("silence", "complaint"),
    [
        ("{from: 1h, alert: RobotSilent}", '16:5: a silence needs "to", such as to: 2h'),
        ("{from: 1h, to: 1h, alert: RobotSilent}", "16:5: ends before it begins"),
        ("{from: 1h, to: 2h}", "16:5: a silence needs one of alert, robot, site, customer"),
        ("{from: 1h, to: 2h, robot: r3}", '16:31: unknown robot "r3"; one of: r1, r2'),
        ("{from: 1h, to: 2h, severity: low}", '16:24: unknown key "severity"; one of:'),
    ],
)
def test_wrong_silences(tmp_path: Path, catalogue: dict[str, Entry], silence: str, complaint: str) -> None:
    """Each mistake is told with its place."""
    with pytest.raises(RuleErrors) as caught:
        read(tmp_path, catalogue, filled(silence=silence))
    assert str(caught.value).partition("a.test.yaml:")[2].startswith(complaint)


def test_mistakes_of_rules_and_tests_come_together(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """A test of rules that do not load says what is wrong with the rules."""
    text = (
        filled().replace("rules.yaml", "other.yaml").replace("schema: robovitals-rules-test/1", "schema: x")
    )
    with pytest.raises(RuleErrors) as caught:
        read(tmp_path, catalogue, text)
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        'a.test.yaml:1:9: must be one of robovitals-rules-test/1, not "x"',
        "other.yaml: cannot be read: No such file or directory",
    ]
