"""Rule tests, and the command that runs them."""

import json
from pathlib import Path

import pytest

from rules.__main__ import main

RULES = """\
schema: robovitals-rules/1
defaults: {missing_data: keep_last_state}
groups:
- name: g
  interval: 1m
  rules:
  - alert: Faults
    when: {increase: navigation.lidar_faults, over: 1h, is: at least 3}
    for: 5m
    labels: {severity: high, subsystem: navigation}
  - alert: FacesLost
    when: {ratio: {of: vision.face_errors, to: vision.face_attempts, over: 1h}, is: above 25%}
    labels: {severity: high, subsystem: vision}
"""
TESTS = """\
schema: robovitals-rules-test/1
tests:
- name: faults
  interval: 1m
  robots: {r1: {site: hall}, r2: {}}
  series:
    r1: {navigation.lidar_faults: 0x9 1+1x3 4x20 _x3 0x40}
    r2: {vision.face_errors: 0+1x80, vision.face_attempts: 0+3x80}
  crash_at: [14m, 60m]
  expect:
  - {at: 16m, alert: Faults, robot: r1, signal: pending, since: 12m, value: 4}
  - {at: 17m, alert: Faults, robot: r1, signal: firing, since: 12m}
  - {at: 17m, alerts: {Faults: [r1], FacesLost: [r2]}}
  - {at: 30m, alert: FacesLost, robot: r2, value: 33%}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Rules and their test, side by side."""
    (tmp_path / "pack.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "pack.test.yaml").write_text(TESTS, encoding="utf-8")
    return tmp_path


def test_what_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each test is told, and what no test reached."""
    assert main(["test", str(folder)]) == 0
    assert capsys.readouterr().out == f"ok   {folder}/pack.test.yaml: faults\n"


def test_a_failure_shows_the_values_behind_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Expected, got, and every comparison of the condition."""
    tests = folder / "pack.test.yaml"
    tests.write_text(
        TESTS.replace("signal: firing", "signal: resolved").replace(", FacesLost: [r2]", ""), encoding="utf-8"
    )
    assert main(["test", str(tests)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"FAIL {tests}: faults",
        f"{tests}:12:5: expected Faults on r1 at 17m: resolved, since 12m",
        "    got firing since 12m, value 4",
        "        increase of navigation.lidar_faults over 1h = 4; at least 3 holds",
        f"{tests}:13:5: expected no alert FacesLost on r2 at 17m",
        "    got firing since 1m, value 0.333333",
        "        vision.face_errors of vision.face_attempts over 1h = 0.333333; above 0.25 holds",
    ]


def test_json_tells_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts: by file and test, with failures and the rules that never fired."""
    tests = folder / "pack.test.yaml"
    tests.write_text(
        TESTS.replace("value: 33%", "value: 34%").replace("r2: {vision.face", "r1: {vision.face"),
        encoding="utf-8",
    )
    assert main(["test", "--json", str(tests)]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert [problem["message"] for problem in report["problems"]] == [
        'key "r1" stands twice; the first is in line 7'
    ]
    tests.write_text(
        TESTS.replace("value: 33%", "value: 34%").replace("of: vision", "of: vision"), encoding="utf-8"
    )
    main(["test", "--json", str(tests)])
    (report,) = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["never_fired"]) == (False, [])
    assert report["tests"][0]["failures"][0]["expected"] == "FacesLost on r2 at 30m: value 34%"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "alert: Faults, robot",
            "alert: Fault, robot",
            '11:22: unknown alert "Fault"; did you mean "Faults"?',
        ),
        ("0x9 1+1x3", "0y9", '7:35: "0y9" is no series; write such as 0+4x60, 5x3, _x40 or 7'),
        ("navigation.lidar_faults: 0", "navigation.lidar: 0", '7:10: unknown metric "navigation.lidar"'),
        ("signal: pending", "signal: waiting", "11:49: must be one of inactive, pending, firing, "),
        ("at: 16m", "at: later", '11:10: must be a duration such as 90s, 15m, 6h or 7d, not "later"'),
        (", value: 33%", "", "14:5: expects nothing; give signal, value, since or suppressed_by"),
        ("crash_at", "crush_at", '9:3: unknown key "crush_at"; did you mean "crash_at"?'),
    ],
)
def test_mistakes_in_tests_have_a_place(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, complaint: str
) -> None:
    """A test file is read as strictly as a rule file."""
    tests = folder / "pack.test.yaml"
    tests.write_text(TESTS.replace(old, new), encoding="utf-8")
    assert main(["test", str(tests)]) == 1
    assert capsys.readouterr().out.startswith(f"{tests}:{complaint}")


def test_rules_are_no_tests(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule file given to `test` is told what it lacks, not that some other file is missing."""
    assert main(["test", str(folder / "pack.yaml")]) == 1
    output = capsys.readouterr().out
    assert 'a test file needs a name that ends in .test.yaml, or "rules": [FILE]' in output
    assert "cannot be read" not in output


def test_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts what is right; lists what is wrong, on stderr or as JSON."""
    assert main(["check", str(folder)]) == 0
    assert capsys.readouterr().out == "2 rules in 1 files: nothing wrong\n"
    (folder / "pack.yaml").write_text(RULES.replace("for: 5m", "fro: 5m"), encoding="utf-8")
    assert main(["check", str(folder)]) == 1
    assert capsys.readouterr().err == f'{folder}/pack.yaml:9:5: unknown key "fro"; did you mean "for"?\n'
    assert main(["check", "--json", str(folder)]) == 1
    assert json.loads(capsys.readouterr().out)["problems"][0]["line"] == 9


def test_used_wrongly(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No such path, a folder without rules or tests, a catalogue that is none: status 2, one line."""
    empty = folder / "empty"
    empty.mkdir()
    for arguments in (
        ["test", "nowhere"],
        ["test", str(empty)],
        ["check", str(empty)],
        ["check", "--catalogue", "none", str(folder)],
    ):
        assert main(arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_vendors_catalogue_adds_metrics(folder: Path) -> None:
    """What it lists may be named in rules."""
    catalogue = folder / "vendor-catalogue"
    catalogue.write_text(
        "schema: robovitals-catalogue/1\nsubsystems: {arm: {counters: {grips: {unit: x}}}}\n",
        encoding="utf-8",
    )
    rules = RULES.replace("navigation.lidar_faults", "arm.grips")
    (folder / "pack.yaml").write_text(rules, encoding="utf-8")
    assert main(["check", str(folder)]) == 1
    assert main(["check", str(folder), "--catalogue", str(catalogue)]) == 0
