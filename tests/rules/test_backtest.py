"""Backtests: what comes of rules over a recording, and of its comparison with labels and other rules."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rules import alert_log, labels, load
from rules.__main__ import main
from rules.alerts import Alert, Alerts, Hidden
from rules.backtest import Plan, ahead, blocks, run
from rules.difference import between
from rules.engine import Engine
from rules.evaluation import By, Entity, Evaluation, Event, Suppression
from rules.labels import Label, LabelsError
from rules.lifecycle import State
from rules.metrics import Entry
from rules.recording import Recording, read_batches
from rules.roster import Robot, Roster
from tests.rules.fleets import BEGIN, MINUTE, record, rising, rules

HOUR = 60
DAY = 24 * HOUR
STORM = By("storm", "RuleStorm", Entity("rule", "Drops"))
Q, P, F, C, R = State.INACTIVE, State.PENDING, State.FIRING, State.RECOVERING, State.RESOLVED


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Three days: r1 drops at hour 2 and 30, r2 at hour 10, r3 never."""
    length = 3 * DAY
    return record(
        tmp_path / "fleet.parquet",
        {
            "r1": {"network.disconnects": rising((2 * HOUR, 5), (30 * HOUR, 4), length=length)},
            "r2": {"network.disconnects": rising((10 * HOUR, 3), length=length)},
            "r3": {"network.disconnects": rising(length=length)},
        },
    )


def alert(begin: int, end: int | None, rule: str = "Drops", robot: str = "r1", *hidden: Hidden) -> Alert:
    """An alert on a robot."""
    return Alert(rule, Entity("robot", robot), begin, begin, 1.0, 1.0, end, list(hidden))


def event(at: int, before: State, after: State) -> Event:
    """A change of `Drops` on r1."""
    return Event(at, "Drops", Entity("robot", "r1"), before, after, at - 1, 5.0, 3.0, ())


def evaluation(at: int, *events: Event, by: tuple[By | None, ...] = ()) -> Evaluation:
    """An evaluation with events, and with suppressions of r1."""
    changes = tuple(Suppression(at, "Drops", Entity("robot", "r1"), one) for one in by)
    return Evaluation(at, "g", events, (), (), changes)


def test_backtest_is_the_engine_fed_batch_by_batch(
    fleet: Path, tmp_path: Path, catalogue: dict[str, Entry]
) -> None:
    """In blocks of hours the same alerts come, to the byte, as commit by commit."""
    rule_set = load.load(load.find([rules(tmp_path / "rules")]), catalogue)
    recording = Recording(fleet)
    roster = Roster(recording.header.robots)
    engine = Engine(rule_set, roster)
    slowly: list[str] = []
    for since, until in recording.header.listening:
        engine.listened(since, until)
    for batch in read_batches(fleet, roster):
        slowly += [line for one in engine.tick(batch.committed_at - 1) for line in alert_log.lines(one)]
        engine.feed(batch)
    slowly += [line for one in engine.tick(until) for line in alert_log.lines(one)]
    quickly: list[str] = []
    span = run(
        Plan(recording, roster),
        [rule_set],
        lambda _, done: quickly.extend(line for one in done for line in alert_log.lines(one)),
        lambda *_: None,
    )
    assert quickly == slowly
    assert len(quickly) == 6
    assert (span.begin, span.end, span.samples) == (BEGIN + 1_000, until, 3 * 3 * DAY)


def test_blocks_end_where_the_hours_do(fleet: Path) -> None:
    """A portion is cut every six hours of commits; nothing is lost."""
    portions = list(Recording(fleet).portions(Roster(map(Robot, ("r1", "r2", "r3")))))
    cut = [block for portion in portions for block in blocks(portion)]
    assert len(cut) == 3 * 4
    assert sum(map(len, cut)) == 3 * 3 * DAY
    assert all(len(set((block.committed_at // (6 * HOUR * MINUTE)).tolist())) == 1 for block in cut)


def test_reading_ahead_keeps_order_and_errors() -> None:
    """Items come as they are; what goes wrong in the other thread is raised where the item was due."""

    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        raise RuntimeError("torn")

    taken = ahead(items(), 2)
    assert list(itertools.islice(taken, 3)) == [1, 2, 3]
    with pytest.raises(RuntimeError, match="torn"):
        next(taken)
    assert list(ahead(iter(range(1, 100)), 2)) == list(range(1, 100))
    assert list(ahead(iter([]), 2)) == []


def test_alerts_of_evaluations() -> None:
    """An alert begins into firing and ends into resolved; recovering is still the same alert."""
    alerts = Alerts()
    alerts.take(evaluation(1, event(1, Q, P)))
    alerts.take(evaluation(2, event(2, P, F)))
    alerts.take(evaluation(3, event(3, F, C)))
    alerts.take(evaluation(4, event(4, C, F)))
    alerts.take(evaluation(5, event(5, F, R)))
    alerts.take(evaluation(9, event(9, R, F)))
    assert [(one.begin, one.end, one.since) for one in alerts] == [(2, 5, 1), (9, None, 8)]


@pytest.mark.parametrize(
    ("evaluations", "hidden", "never_shown"),
    [
        ([evaluation(2, event(2, Q, F)), evaluation(5, event(5, F, R))], [[]], False),
        (
            [evaluation(2, event(2, Q, F), by=(STORM,)), evaluation(5, event(5, F, R))],
            [[Hidden(2, None, STORM)]],
            True,
        ),
        (
            [
                evaluation(2, event(2, Q, F), by=(STORM,)),
                evaluation(3, by=(None,)),
                evaluation(5, event(5, F, R)),
            ],
            [[Hidden(2, 3, STORM)]],
            False,
        ),
        (
            [evaluation(2, event(2, Q, F)), evaluation(4, by=(STORM,)), evaluation(5, event(5, F, R))],
            [[Hidden(4, None, STORM)]],
            False,
        ),
        (
            [
                evaluation(2, event(2, Q, F), by=(STORM,)),
                evaluation(5, event(5, F, R)),
                evaluation(7, event(7, R, F)),
                evaluation(8, by=(None,)),
            ],
            [[Hidden(2, None, STORM)], [Hidden(7, 8, STORM)]],
            True,
        ),
    ],
)
def test_suppression_of_alerts(
    evaluations: list[Evaluation], hidden: list[list[Hidden]], never_shown: bool
) -> None:
    """When an alert was suppressed, also by what lasts from the alert before; `never_shown`: of the first."""
    alerts = Alerts()
    for one in evaluations:
        alerts.take(one)
    assert [one.hidden for one in alerts] == hidden
    assert next(iter(alerts)).never_shown is never_shown


@pytest.mark.parametrize(
    ("new", "old", "only_new", "only_old", "moved", "same"),
    [
        ([], [], 0, 0, 0, 0),
        ([alert(1, 5)], [alert(1, 5)], 0, 0, 0, 1),
        ([alert(1, 5)], [], 1, 0, 0, 0),
        ([], [alert(1, 5)], 0, 1, 0, 0),
        ([alert(2, 5)], [alert(1, 5)], 0, 0, 1, 0),
        ([alert(1, 5)], [alert(1, None)], 0, 0, 1, 0),
        ([alert(1, 5)], [alert(6, 9)], 1, 1, 0, 0),
        ([alert(1, 5)], [alert(1, 5, "Drops", "r2")], 1, 1, 0, 0),
        ([alert(1, 5)], [alert(1, 5, "Drops", "r1", Hidden(1, None, STORM))], 0, 0, 1, 0),
        ([alert(1, 2), alert(4, 9)], [alert(1, 9)], 1, 0, 1, 0),
        ([alert(1, 2), alert(4, 9)], [alert(4, 9)], 1, 0, 0, 1),
    ],
)
def test_difference(
    new: list[Alert], old: list[Alert], only_new: int, only_old: int, moved: int, same: int
) -> None:
    """Alerts of a rule about an entity are one where they fire at the same time."""
    found = between(new, old)
    assert (len(found.only_new), len(found.only_old), len(found.moved), found.same) == (
        only_new,
        only_old,
        moved,
        same,
    )
    assert bool(found) is bool(only_new or only_old or moved)


@pytest.mark.parametrize(
    ("label", "alerts", "seen", "true", "delay"),
    [
        (Label("r1", "x", 100, 200), [alert(150, 160)], 1, 1, 50.0),
        (Label("r1", "x", 100, 200), [alert(50, 160)], 1, 1, 0.0),
        (Label("r1", "x", 100, 200), [alert(50, 99)], 0, 0, None),
        (Label("r1", "x", 100, 200), [alert(200 + 60 * MINUTE, None)], 1, 1, 100.0 + 60 * MINUTE),
        (Label("r1", "x", 100, 200), [alert(201 + 60 * MINUTE, None)], 0, 0, None),
        (Label("r1", "x", 100, 200), [alert(150, 160, "Drops", "r2")], 0, 0, None),
        (Label("r1", "x", 100, 200, ("Faces",)), [alert(150, 160)], 0, 0, None),
        (
            Label("r1", "x", 100, 200, ("Faces", "Drops")),
            [alert(150, 160), alert(140, 160, "Faces")],
            1,
            2,
            40.0,
        ),
    ],
)
def test_labels_and_alerts(
    label: Label,
    alerts: list[Alert],
    seen: int,
    true: int,
    delay: float | None,
    tmp_path: Path,
    catalogue: dict[str, Entry],
) -> None:
    """They belong together by robot, rule and time; a window of an hour sees a fault for an hour longer."""
    rule_set = load.load(load.find([rules(tmp_path / "rules")]), catalogue)
    roster = Roster([Robot("r1"), Robot("r2")])
    scores = labels.score([label], alerts, rule_set.rules, roster, 10**9)
    assert (scores.seen, scores.true, scores.faults[0].delays.p50) == (seen, true, delay)
    assert scores.matched_by == ("rule" if label.rules else "robot and time")


def test_alerts_of_a_site_see_the_faults_of_its_robots(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """A site's alert is true where one of its robots has a fault."""
    rule_set = load.load(load.find([rules(tmp_path / "rules")]), catalogue)
    roster = Roster([Robot("r1", {"site": "hall"}), Robot("r2", {"site": "hall"}), Robot("r3")])
    of_site = Alert("Drops", Entity("site", "hall"), 150, 150, None, None, 160)
    scores = labels.score([Label("r2", "x", 100, 200)], [of_site], rule_set.rules, roster, 10**9)
    assert (scores.seen, scores.true) == (1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("robot,fault,start\n", ":1: no column 'end'"),
        ("robot,fault,start,end\nr9,x,1,2\n", ":2: robot 'r9' is not in the roster"),
        ("robot,fault,start,end\nr1,x,soon,2\n", ":2: start 'soon' is no time"),
        ("robot,fault,start,end\nr1,x,2026-01-01T00:00:00,\n", ":2: start '2026-01-01T00:00:00' is no time"),
        (f"robot,fault,start,end\nr1,x,{'9' * 5_000},\n", f":2: start '{'9' * 40}' is no time"),
        ("robot,fault,start,end\nr1,x,1,2\nr1,x,3,2\n", ":3: the end is before the start"),
        ("robot,fault,start,end,rule\nr1,x,1,2,Nix\n", ":2: there is no rule 'Nix'"),
    ],
)
def test_labels_that_cannot_be_read(
    text: str, message: str, tmp_path: Path, catalogue: dict[str, Entry]
) -> None:
    """Told by line."""
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    rule_set = load.load(load.find([rules(tmp_path / "rules")]), catalogue)
    with pytest.raises(LabelsError) as caught:
        labels.read(path, Roster([Robot("r1")]), rule_set.rules)
    assert str(caught.value).startswith(f"{path}{message}")


def test_labels_are_read(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """Times with a zone or in ms, lasting faults, and the rules meant."""
    path = tmp_path / "labels.csv"
    path.write_text(
        "robot,fault,start,end,rule\nr1,x,1970-01-01T00:00:01Z,2000,Drops Faces\nr1,y,5,,\n", encoding="utf-8"
    )
    rule_set = load.load(load.find([rules(tmp_path / "rules")]), catalogue)
    assert labels.read(path, Roster([Robot("r1")]), rule_set.rules) == (
        Label("r1", "x", 1_000, 2_000, ("Drops", "Faces")),
        Label("r1", "y", 5, labels.LASTS),
    )


def test_the_command(fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Alerts, JSON and page are written; the same again is the same bytes."""
    told = tmp_path / "faults.csv"
    told.write_text(f"robot,fault,start,end\nr1,x,{BEGIN + 119 * MINUTE},{BEGIN + 130 * MINUTE}\n", "utf-8")
    outs = [tmp_path / "one", tmp_path / "two"]
    for out in outs:
        asked = ["--recording", str(fleet), "--rules", str(rules(tmp_path / "rules"))]
        assert main(["backtest", *asked, "--labels", str(told), "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out.partition("\n}\n")[0] + "}")["schema"] == "robovitals-backtest/1"
    report = json.loads((outs[0] / "report.json").read_text("utf-8"))
    assert report["alerts"] == 3
    assert (report["labels"]["seen"], report["labels"]["true_alerts"]) == (1, 1)
    assert report["per_robot_week"]["all"]["max"] == 2
    assert report["metrics_not_recorded"] == {}
    assert "12960 samples in" in printed.err
    for name in ("alerts.jsonl", "report.json", "report.html"):
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()
    lines = [json.loads(line) for line in (outs[0] / "alerts.jsonl").read_text("utf-8").splitlines()]
    assert [(line["event"], line["entity"]) for line in lines] == [
        ("firing", "r1"),
        ("resolved", "r1"),
        ("firing", "r2"),
        ("resolved", "r2"),
        ("firing", "r1"),
        ("resolved", "r1"),
    ]


def test_the_command_with_other_rules(
    fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 where the older rules give other alerts, 0 where they give the same."""
    new, old, out = rules(tmp_path / "new", 4), rules(tmp_path / "old", 3), tmp_path / "out"
    asked = ["backtest", "--recording", str(fleet), "--rules", str(new), "--out", str(out)]
    assert main([*asked, "--diff", str(old)]) == 1
    diff = json.loads((out / "report.json").read_text("utf-8"))["diff"]
    assert (diff["same"], len(diff["only_old"]), diff["only_new"], diff["moved"]) == (2, 1, [], [])
    assert diff["only_old"][0]["entity"] == "r2"
    assert "2 the same, 0 only now, 1 only before, 0 at another time" in capsys.readouterr().out
    assert main([*asked, "--diff", str(new)]) == 0


def test_a_roster_file_changes_what_is_known_of_robots(
    fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A robot that is retired by now gives no alert."""
    roster = tmp_path / "robots.csv"
    roster.write_text("id,lifecycle\nr1,retired\n", encoding="utf-8")
    asked = ["--recording", str(fleet), "--rules", str(rules(tmp_path / "rules")), "--roster", str(roster)]
    assert main(["backtest", *asked, "--out", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["alerts"] == 1


def test_metrics_that_were_not_recorded_are_named(fleet: Path, tmp_path: Path) -> None:
    """The shipped rules look at more than this recording has: that is in the report."""
    assert main(["backtest", "--recording", str(fleet), "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert "RebootingRepeatedly" in report["metrics_not_recorded"]["system.reboots"]


def test_arrays_of_a_portion_may_be_read_only(fleet: Path) -> None:
    """They lie in memory that DuckDB gave."""
    portion = next(Recording(fleet).portions(Roster(map(Robot, ("r1", "r2", "r3")))))
    assert np.isnan(portion.values["nlp.queries"]).all()
    assert portion.values["network.disconnects"].dtype == np.float64
