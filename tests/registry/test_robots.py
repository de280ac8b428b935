"""Roster files: good rows become robots, bad ones a line each."""

from pathlib import Path

import pytest

from collector.registry import Kind, Lifecycle, Plan, RobotRecord, plan
from collector.registry.checks import record_of
from collector.registry_files import read_files
from rules.roster import Robot

CSV = """id,name,customer,site,tz,lifecycle,installed_on,contract_value
lobby-1,"Lobby, left",Acme,HQ,Asia/Shanghai,,2026-05-01,1200
lobby-2,,,,,onboarding,,
"""
YAML = """
robots:
- {id: lobby-1, name: "Lobby, left", customer: Acme, site: HQ, tz: Asia/Shanghai, installed_on: 2026-05-01,
   contract_value: 1200}
- id: lobby-2
  lifecycle: onboarding
  name: ~
"""


def read(path: Path) -> Plan:
    """What a file of robots would do to an empty roster."""
    return plan(read_files([path], Kind.ROBOT), {})


ROBOTS = (
    RobotRecord(
        "lobby-1",
        name="Lobby, left",
        customer="Acme",
        site="HQ",
        tz="Asia/Shanghai",
        installed_on="2026-05-01",
        extra={"contract_value": 1200.0},
    ),
    RobotRecord("lobby-2", Lifecycle.ONBOARDING),
)


@pytest.mark.parametrize(
    ("name", "text"), [("r.csv", CSV), ("r.yaml", YAML), ("r.yml", YAML), ("r.csv", "\ufeff" + CSV)]
)
def test_same_robots_from_either_form(tmp_path: Path, name: str, text: str) -> None:
    """YAML and CSV say the same; what is empty is not known; a spreadsheet's byte order mark is no letter."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    planned = read(tmp_path / name)
    assert tuple(each.record for each in planned.differences) == ROBOTS
    assert planned.problems == ()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("no spaces,x,UTC,live,", "'no spaces' is no robot's id"),
        (",x,UTC,live,", "'' is no robot's id"),
        ("collector,x,UTC,live,", "'collector' is no robot's id"),
        ("r1,x,Mars/Base,live,", "tz 'Mars/Base' is no time zone"),
        ("r1,x,../../etc/passwd,live,", "is no time zone"),
        ("r1,x,UTC,asleep,", "lifecycle 'asleep' is none of live"),
        ("r1,x,UTC,live,31.12.2026", "installed_on '31.12.2026' is no date"),
        ("r1,x,UTC,live,,more", "6 cells under 5 columns"),
        (f"r1,{'x' * 300},UTC,live,", "at most 256"),
        ("good,x,UTC,live,", "stands in the file twice"),
    ],
)
def test_bad_row_is_named_by_line_and_the_others_are_read(tmp_path: Path, row: str, reason: str) -> None:
    """One problem, with its line and value; good rows before and after it stay good."""
    path = tmp_path / "r.csv"
    path.write_text(f"id,name,tz,lifecycle,installed_on\ngood,x,UTC,live,\n{row}\nlast,x,UTC,live,\n")
    planned = read(path)
    [problem] = planned.problems
    assert problem.line == 3
    assert reason in str(problem.error)
    assert [each.id for each in planned.differences] == ["good", "last"]


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("open_hours", "mo-fr 09:00-18:00; sa,su 10:00-16:00", ""),
        ("open_hours", "24/7", ""),
        ("open_hours", "9 to 5", "'9 to 5' is no time; write such as 09:00-18:00"),
        ("open_hours", "mo-fr 9-18", "'9-18' is no time"),
        ("open_hours", "9", "'9' is no time"),
        ("holidays", "2026-10-01 2026-10-02", ""),
        ("holidays", "20261001", "holidays: '20261001' is no day; write such as 2026-10-01"),
        ("holidays", "Christmas", "holidays: 'Christmas' is no day"),
    ],
)
def test_hours_and_holidays_can_be_read(tmp_path: Path, attribute: str, value: str, reason: str) -> None:
    """In a roster; a robot of a recording keeps what it had, which rules take for always open."""
    path = tmp_path / "r.csv"
    path.write_text(f'id,{attribute}\nr1,"{value}"\n')
    problems = read(path).problems
    assert [problem.line for problem in problems] == ([2] if reason else [])
    assert all(reason in str(problem.error) for problem in problems)
    assert record_of(Robot("r1", {attribute: value})).extra == {attribute: value}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- id: r1\n- just text\n", "no robot"),
        ("- id: r1\n- id: r2\n  name: [a]\n", "'name' must be a text or a number"),
        ("- id: r1\n- {id: r2, id: r3}\n", "'id' is given twice"),
        ("- id: r1\n- {id: r2, Bad Name: 1}\n", "is no attribute's name"),
    ],
)
def test_bad_yaml_robot_is_named_by_line(tmp_path: Path, text: str, reason: str) -> None:
    """The line is where the robot begins."""
    (tmp_path / "r.yaml").write_text(text)
    [problem] = read(tmp_path / "r.yaml").problems
    assert problem.line == 2
    assert reason in str(problem.error)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("r.txt", b"", "neither YAML nor CSV"),
        ("r.csv", b"name\nx\n", "no column 'id'"),
        ("r.csv", b"", "no column 'id'"),
        ("r.csv", b"id,site,site\nr1,a,b\n", "column 'site' is there twice"),
        ("r.csv", b'id\n"open', "not CSV"),
        ("r.csv", b"id\n\xff\xfe", "not UTF-8"),
        ("r.yaml", b"a: [", "not YAML"),
        ("r.yaml", b"", "no list of robots"),
        ("r.yaml", b"x: 1", "no list of robots"),
        ("r.yaml", b"{[a]: 1}", "no list of robots"),
        ("r.yaml", b"[" * 100_000, "nested more than 8 deep"),
    ],
)
def test_file_that_is_no_roster_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    """The message names the file and what is wrong with it."""
    (tmp_path / name).write_bytes(content)
    [problem] = read(tmp_path / name).problems
    assert problem.fatal
    assert reason in str(problem.error)
    assert name in problem.place
    assert "\n" not in str(problem.error)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """As is one that is not there."""
    [problem] = read(tmp_path / "none.csv").problems
    assert "cannot be read" in str(problem.error)
