"""The figures of a report, and its page."""

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from rules import load
from rules.alerts import Alert, Hidden
from rules.difference import between
from rules.evaluation import By, Entity
from rules.labels import Label, score
from rules.metrics import Entry
from rules.report import Report, Subject, as_json, figures, page, plots
from rules.report.figures import Time
from rules.roster import Robot, Roster
from rules.rule import RuleSet
from tests.rules.fleets import rules

HOUR = 3_600_000
DAY = 24 * HOUR
WEEK = 7 * DAY
ROBOTS = tuple(f"r{number}" for number in range(10))
BY = By("inhibited", "Faces", Entity("robot", "r1"))


@pytest.fixture
def rule_set(tmp_path: Path, catalogue: dict[str, Entry]) -> RuleSet:
    """`Drops` and `Faces`."""
    return load.load(load.find([rules(tmp_path / "rules")]), catalogue)


def alert(
    begin: int, end: int | None, robot: str = "r1", rule: str = "Drops", hidden: tuple[Hidden, ...] = ()
) -> Alert:
    """An alert on a robot."""
    return Alert(rule, Entity("robot", robot), begin, begin, 1.0, 1.0, end, list(hidden))


@pytest.mark.parametrize(
    ("alerts", "open_", "standing", "flapping"),
    [
        ([], 0, 0, 0),
        ([alert(0, DAY)], 0, 0, 0),
        ([alert(0, DAY + 1)], 0, 1, 0),
        ([alert(0, None)], 1, 1, 0),
        ([alert(2 * WEEK - HOUR, None)], 1, 0, 0),
        ([alert(0, HOUR), alert(HOUR + DAY, None)], 1, 1, 1),
        ([alert(0, HOUR), alert(HOUR + DAY + 1, HOUR + DAY + 2)], 0, 0, 0),
        ([alert(0, HOUR), alert(2 * HOUR, 3 * HOUR, "r2")], 0, 0, 0),
        ([alert(0, HOUR), alert(2 * HOUR, 3 * HOUR, rule="Faces")], 0, 0, 0),
        ([alert(0, 1), alert(2, 3), alert(4, 5)], 0, 0, 2),
    ],
)
def test_open_standing_and_flapping(
    alerts: list[Alert], open_: int, standing: int, flapping: int, rule_set: RuleSet
) -> None:
    """Open: fires at the end. Standing: over 24 h. Flapping: of the same rule and robot, within a day."""
    found = figures.of(alerts, rule_set, ROBOTS, Time(0, 2 * WEEK))
    assert (found.alerts, found.open, found.standing, found.flapping) == (
        len(alerts),
        open_,
        standing,
        flapping,
    )


@pytest.mark.parametrize(
    ("alerts", "end", "weeks", "p50", "p95", "most"),
    [
        ([], WEEK, 1, 0.0, 0.0, 0),
        ([alert(0, 1)], WEEK, 1, 0.0, 0.55, 1),
        ([alert(0, 1)], 3 * DAY, 1, 0.0, 0.55, 1),
        ([alert(at, at + 1) for at in range(0, 60, 2)], 2 * WEEK, 2, 0.0, 1.5, 30),
        ([alert(0, 1, robot) for robot in ROBOTS], WEEK, 1, 1.0, 1.0, 1),
        ([alert(WEEK + 1, WEEK + 2)], WEEK + DAY, 1, 0.0, 0.0, 0),
    ],
)
def test_alerts_a_robot_and_week(
    alerts: list[Alert], end: int, weeks: int, p50: float, p95: float, most: int, rule_set: RuleSet
) -> None:
    """Over all robots and whole weeks; what is left over after the last whole week is not counted."""
    load_ = figures.of(alerts, rule_set, ROBOTS, Time(0, end)).all
    assert (load_.weeks, load_.p50, load_.max) == (weeks, p50, most)
    assert load_.p95 == pytest.approx(p95)
    assert sum(load_.histogram) == weeks * len(ROBOTS)


def test_robots_with_most_alerts(rule_set: RuleSet) -> None:
    """The five with most, and their share of the alerts about robots; a storm is about none."""
    alerts = [alert(0, 1, robot) for robot in ROBOTS] + [alert(2, 3, "r7")] * 10
    storm = Alert("RuleStorm", Entity("rule", "Drops"), 5, 5, None, None, 6)
    found = figures.of([*alerts, storm], rule_set, ROBOTS, Time(0, WEEK))
    assert found.top[:2] == (("r7", 11), ("r0", 1))
    assert found.top_share == 15 / 20


def test_suppressed_alerts(rule_set: RuleSet) -> None:
    """By reason those that were at some time; the load is also told without those never shown."""
    alerts = [
        alert(0, 9, "r1", hidden=(Hidden(0, None, BY),)),
        alert(0, 9, "r2", hidden=(Hidden(3, 5, BY),)),
        alert(0, 9, "r3"),
    ]
    found = figures.of(alerts, rule_set, ROBOTS, Time(0, WEEK))
    assert (found.suppressed, found.never_shown) == ({"inhibited": 2}, 1)
    assert (sum(found.all.histogram[1:]), sum(found.shown.histogram[1:])) == (3, 2)
    assert [(rule.rule, rule.suppressed, rule.never_shown) for rule in found.rules] == [
        ("Drops", 2, 1),
        ("Faces", 0, 0),
    ]


def reported(rule_set: RuleSet, alerts: list[Alert], old: list[Alert]) -> Report:
    """A report with all there can be in it."""
    roster = Roster(map(Robot, ROBOTS))
    time = Time(0, 2 * WEEK)
    labels = [Label("r1", "drops<b>", 0, DAY, ("Drops",)), Label("r2", "faces", 0, DAY, ("Faces",))]
    return Report(
        Subject("<fleet>.parquet", "new", "old", time, 10, 1_000, {"a.b": ("Faces",)}),
        figures.of(alerts, rule_set, ROBOTS, time),
        {"Faces": ("ZeroDivisionError: & so on", 3)},
        score(labels, alerts, rule_set.rules, roster, time.end),
        between(alerts, old),
    )


def test_the_page_stands_alone(rule_set: RuleSet) -> None:
    """Nothing is loaded from elsewhere, nothing runs, and what comes from files is text."""
    alerts = [alert(0, HOUR), alert(3 * HOUR, None, "r2", hidden=(Hidden(3 * HOUR, None, BY),))]
    html = page.render(reported(rule_set, alerts, [alert(HOUR, 3 * HOUR), alert(0, 1, "r5")]))
    assert not re.search(r"<script|<link|<img|\bsrc=|url\(|href=|@import", html)
    assert "<fleet>" not in html
    assert "drops<b>" not in html
    assert "&lt;fleet&gt;.parquet" in html
    assert "ZeroDivisionError: &amp; so on" in html
    assert html.count("<svg") == 3
    for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        Xml.fromstring(svg)


def test_an_empty_page(rule_set: RuleSet) -> None:
    """Without a single alert there is a page, too."""
    time = Time(0, 0)
    subject = Subject("f", "r", None, time, 0, 0, {})
    report = Report(subject, figures.of([], rule_set, (), time), {})
    assert "No alert was suppressed" in page.render(report)
    assert as_json(report)["top_robots"]["share"] is None


def test_json_of_a_report(rule_set: RuleSet) -> None:
    """Labels and difference with their figures."""
    alerts = [alert(0, HOUR), alert(3 * HOUR, None, "r2")]
    found = as_json(reported(rule_set, alerts, [alert(HOUR, 3 * HOUR)]))
    assert found["labels"]["by_fault"][0] == {
        "fault": "drops<b>",
        "faults": 1,
        "seen": 1,
        "recall": 1.0,
        "seen_by": {"Drops": 1},
        "delay_p50_ms": 0.0,
        "delay_p95_ms": 0.0,
    }
    assert found["labels"]["by_rule"][1]["recall"] == 0.0
    assert found["labels"]["precision"] == 0.5
    assert found["diff"]["moved"][0]["old"] == {"begin": HOUR, "end": 3 * HOUR}
    assert [one["entity"] for one in found["diff"]["only_new"]] == ["r2"]


@pytest.mark.parametrize(("most", "top"), [(0, 4), (3, 4), (5, 8), (13, 16), (100, 120), (4_321, 4_400)])
def test_plots_have_round_numbers(most: int, top: int) -> None:
    """The scale of a plot ends at a round number that is not less than the greatest."""
    svg = plots.days([("2026-09-21", {"high": most} if most else {})])
    assert f">{top}</text>" in svg
    Xml.fromstring(svg)
