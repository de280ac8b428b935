"""`vitals-rules` as a user has it: exit status, output, and errors of one line."""

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from rules.__main__ import main
from rules.rosters import RosterFileError
from rules.rosters import read as read_roster
from tests.rules.fleets import record, rising, rules

TEST = """\
schema: robovitals-rules-test/1
rules: [rules.yaml]
tests:
- name: three drops are an alert
  start: 2026-09-21T00:00:00Z
  interval: 1m
  robots: {r1: {}}
  series: {r1: {network.disconnects: 0 3x90}}
  expect:
  - {at: 5m, alert: Drops, robot: r1, signal: firing}
  - {at: 80m, alert: Drops, robot: r1, signal: resolved}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """One robot for an hour."""
    return record(tmp_path / "fleet.parquet", {"r1": {"network.disconnects": rising((5, 3), length=60)}})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("check {tmp}/none", "{tmp}/none: there is no such file or folder"),
        ("check {tmp}/empty", "no rules: {tmp}/empty has no *.yaml"),
        ("check {tmp}/rules --catalogue {tmp}/none.yaml", "{tmp}/none.yaml: cannot be read: No such file"),
        ("test {tmp}/rules", "no tests: {tmp}/rules has no *.test.yaml"),
        ("test {tmp}/none", "{tmp}/none: there is no such file or folder"),
        ("backtest --recording {tmp}/none --out {tmp}/o", "{tmp}/none: is not there; name a recording"),
        ("backtest --recording {tmp} --out {tmp}/o", "{tmp}: is a folder; name a recording"),
        ("backtest {fleet} --rules {tmp}/none --out {tmp}/o", "{tmp}/none: there is no such"),
        ("backtest {fleet} --out {tmp}/a-file/o", "--out {tmp}/a-file/o: cannot be made: Not a directory"),
        ("backtest {fleet} --labels {tmp}/x --out {tmp}/o", "{tmp}/x: cannot be read: No such file"),
        ("backtest {fleet} --roster {tmp}/x.csv --out {tmp}/o", "{tmp}/x.csv: cannot be read"),
        ("explain {fleet} --rule Nix --robot r1 --at 0", "--rule 'Nix': there is no such rule"),
        (
            "explain {fleet} --rule RobotSilnt --robot r1 --at 0",
            "--rule 'RobotSilnt': there is no such rule; did",
        ),
        ("explain {fleet} --rule RobotSilent --robot r2 --at 0", "--robot 'r2' is not in the roster"),
        ("explain {fleet} --rule RobotSilent --site a --at 0", "RobotSilent is about robots: give --robot"),
    ],
)
def test_used_wrongly(
    words: str, message: str, fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and one line that names the value."""
    rules(tmp_path / "rules")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a-file").touch()
    assert main(words.format(tmp=tmp_path, fleet=f"--recording {fleet}").split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(message.format(tmp=tmp_path))
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("backtest --recording x --out o --eval-delay 2d", "'2d': write 0s to 1h, such as 30s"),
        ("backtest --recording x --out o --eval-delay soon", "'soon': write 0s to 1h"),
        ("explain --recording x --rule R --robot r --at 2026-01-01T00:00:00", "write a time with its zone"),
        (
            "explain --recording x --rule R --at 0",
            "one of the arguments --robot --site --customer is required",
        ),
        ("explain --recording x --rule R --robot a --site b --at 0", "not allowed with argument --robot"),
        ("test x --min-coverage 101", "'101': write 0 to 100"),
        ("nix", "invalid choice: 'nix'"),
    ],
)
def test_arguments_that_cannot_be_read(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The parser says which argument, and what to write."""
    with pytest.raises(SystemExit) as caught:
        main(words.split())
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "test", "backtest", "explain"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command shows how it is called."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f"example:\n  vitals-rules {command} " in capsys.readouterr().out


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 for rules that are right, 1 for others, with the place; as JSON, too."""
    folder = rules(tmp_path / "rules")
    assert main(["check", str(folder)]) == 0
    assert capsys.readouterr().out == "2 rules in 1 files: nothing wrong\n"
    (folder / "more.yaml").write_text("schema: nix\n", encoding="utf-8")
    assert main(["check", str(folder), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["problems"][0]["line"]) == (False, 1)


def test_a_backtest_with_rules_that_are_wrong(
    fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not begin; every error is told with its place."""
    folder = rules(tmp_path / "rules")
    (folder / "more.yaml").write_text("schema: nix\n", encoding="utf-8")
    out = tmp_path / "out"
    asked = ["backtest", "--recording", str(fleet), "--rules", str(folder), "--out", str(out)]
    assert main(asked) == 2
    assert f"{folder}/more.yaml:1:" in capsys.readouterr().err
    assert not out.exists()


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """A folder with rules and a test that reaches some of them."""
    folder = rules(tmp_path / "rules")
    (folder / "a.test.yaml").write_text(TEST, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("least", "status"), [("0", 0), ("50", 0), ("50%", 0), ("51", 1), ("100", 1)])
def test_least_coverage(tests: Path, least: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Two of four states are reached: firing and resolved of one rule."""
    assert main(["test", str(tests), "--min-coverage", least]) == status
    printed = capsys.readouterr()
    assert "coverage 50.0 %: 2 of 4 states of 2 rules" in printed.out
    assert "no test reaches Faces firing" in printed.out
    assert ("were asked for" in printed.err) is bool(status)


def test_coverage_as_json(tests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --coverage the list of files stands beside it; without, it is all there is."""
    assert main(["test", str(tests), "--json", "--coverage"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["coverage"]["percent"] == 50
    assert {"rule": "Faces", "state": "resolved"} in report["coverage"]["missing"]
    assert main(["test", str(tests), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == report["files"]


def test_junit(tests: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file for build servers; where it cannot be written, that is told."""
    path = tmp_path / "tests.xml"
    assert main(["test", str(tests), "--junit", str(path)]) == 0
    assert Xml.parse(path).getroot().get("tests") == "1"
    assert main(["test", str(tests), "--junit", str(tmp_path / "none" / "x.xml")]) == 2
    assert "x.xml: cannot be written: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,site,floors,holidays\nr1,hall,3,2026-10-01\nr2,,,\n"),
        ("a.yaml", "- {id: r1, site: hall, floors: 3, holidays: 2026-10-01}\n- {id: r2, site: null}\n"),
        ("a.yml", "robots:\n- id: r1\n  site: hall\n  floors: 3.0\n  holidays: 2026-10-01\n- id: r2\n"),
    ],
)
def test_roster_files(name: str, text: str, tmp_path: Path) -> None:
    """Attributes that are empty are none; the owner's own numbers are numbers."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    one, other = read_roster(tmp_path / name)
    assert (one.id, dict(one.attributes)) == ("r1", {"site": "hall", "floors": 3.0, "holidays": "2026-10-01"})
    assert (other.id, dict(other.attributes)) == ("r2", {})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", ": neither YAML nor CSV"),
        ("a.csv", "name\nx\n", ":1: no column 'id'"),
        ("a.csv", "id,site\nr1,a,b\n", ":2: more cells than columns"),
        ("a.csv", "id\nr1\nr1\n", ":3: robot 'r1' stands in the file twice"),
        ("a.yaml", "robots: 3\n", ": no list of robots"),
        ("a.yaml", "- {id: r1, site: [a]}\n", ": robot 1: site must be a text or a number"),
        ("a.yaml", "- 7\n", ": robot 1: no robot"),
        ("a.yaml", "- {site: a}\n", ": robot 1: a robot without an id"),
        ("a.yaml", "- {id: [\n", ":2: not YAML"),
    ],
)
def test_roster_files_that_cannot_be_read(name: str, text: str, message: str, tmp_path: Path) -> None:
    """Told with the place."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(RosterFileError) as caught:
        read_roster(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}{message}")
