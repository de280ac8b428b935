"""Folders of playbooks beside rule files, and what `vitals-rules check` says of them."""

import json
from pathlib import Path

import pytest

from rules import playbooks
from rules.__main__ import main
from rules.load import RuleErrors
from tests.rules.test_playbook import EN, ZH

RULE = """\
schema: robovitals-rules/1
defaults: {missing_data: keep_last_state}
groups:
- name: NAME
  interval: 1m
  rules:
  - alert: NAME
    when: {increase: network.disconnects, over: 1h, is: at least 3}
    labels: {severity: low, subsystem: network}
"""


def rule(folder: Path, name: str, playbook: str | None = None) -> Path:
    """Writes a rule file."""
    call = f"    call_to_action: {{playbook: {playbook}}}\n" if playbook else ""
    path = folder / f"{name.lower()}.yaml"
    path.write_text(RULE.replace("NAME", name) + call, encoding="utf-8")
    return path


def playbook(folder: Path, name: str, en: str = EN, zh: str = ZH) -> None:
    """Writes a playbook beside the rule files of a folder."""
    beside = folder / "playbooks"
    beside.mkdir(exist_ok=True)
    (beside / f"{name}.en.md").write_text(en, encoding="utf-8")
    (beside / f"{name}.zh.md").write_text(zh, encoding="utf-8")


def check(capsys: pytest.CaptureFixture[str], *paths: Path) -> tuple[int, list[str]]:
    """Runs `vitals-rules check`; its status, and the lines of what it complains about."""
    status = main(["check", *map(str, paths)])
    return status, capsys.readouterr().err.splitlines()


def test_a_pack_with_its_playbooks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is wrong, and the playbooks are there for whoever shows them, beside the shipped ones."""
    path = rule(tmp_path, "Drops", "drops")
    playbook(tmp_path, "drops")
    assert check(capsys, tmp_path) == (0, [])
    known = playbooks.known([path])
    assert known["drops"].en.title == "The robot drops off"
    assert known["drops"]["zh"].title == "机器人频繁掉线"
    assert set(playbooks.shipped()) < set(known)


def test_a_playbook_of_ones_own_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    """Who has other words for a silent site writes them under the same name."""
    path = rule(tmp_path, "Mine", "site-silent")
    playbook(tmp_path, "site-silent")
    assert playbooks.known([path])["site-silent"].en.title == "The robot drops off"
    assert playbooks.shipped()["site-silent"].en.title != "The robot drops off"


def test_rules_of_ones_own_may_name_shipped_playbooks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stricter rule about the same trouble needs no playbook of its own."""
    rule(tmp_path, "Mine", "site-silent")
    assert check(capsys, tmp_path) == (0, [])


def test_without_playbooks_there_are_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pack of one's own is fit for use without them; what is missing is said, with its place."""
    one, other = rule(tmp_path, "One"), rule(tmp_path, "Other", "site-silnt")
    assert check(capsys, tmp_path) == (
        0,
        [
            f"warning: {one}:7:1: One names no playbook",
            f'warning: {other}:7:1: Other: there is no playbook "site-silnt"; did you mean "site-silent"?',
        ],
    )
    main(["check", str(tmp_path), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], [warning["line"] for warning in report["warnings"]]) == (True, [7, 7])


def test_a_name_that_is_not_in_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who has playbooks and names another has mistyped it."""
    rule(tmp_path, "Drops", "drops")
    path = rule(tmp_path, "Mine", "dops")
    playbook(tmp_path, "drops")
    assert check(capsys, tmp_path) == (
        1,
        [f'{path}:7:1: Mine: there is no playbook "dops"; did you mean "drops"?'],
    )


def test_a_playbook_that_no_rule_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would never be read; only a folder whose rules were all read tells that."""
    path = rule(tmp_path, "Drops", "drops")
    rule(tmp_path, "Other", "other")
    playbook(tmp_path, "drops")
    playbook(tmp_path, "other")
    playbook(tmp_path, "forgotten")
    left = tmp_path / "playbooks" / "forgotten.en.md"
    assert check(capsys, tmp_path) == (1, [f'{left}:1:1: no rule names the playbook "forgotten"'])
    assert check(capsys, path) == (0, [])


def test_files_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A language that is missing, a name that is none, what the parser says, unequal lists: all at once."""
    for name in ("a", "b", "c"):
        rule(tmp_path, name, name)
        playbook(tmp_path, name)
    beside = tmp_path / "playbooks"
    (beside / "a.zh.md").unlink()
    (beside / "b.en.md").write_text("Nix\n", encoding="utf-8")
    (beside / "c.zh.md").write_text(ZH.replace("- [ ] 问现场。\n", ""), encoding="utf-8")
    (beside / "Read_me.md").write_text("Nix\n", encoding="utf-8")
    status, lines = check(capsys, tmp_path)
    assert status == 1
    assert lines[:2] == [
        f"{beside}/Read_me.md: no name of a playbook; write <name>.en.md or <name>.zh.md, in lower case",
        f"{beside}/a.zh.md: is missing; write it beside a.en.md",
    ]
    assert lines[2].startswith(f"{beside}/b.en.md:1:1: a playbook begins with its title")
    assert lines[-1] == (
        f"{beside}/c.zh.md:7:1: 1 step, but {beside}/c.en.md has 2; both languages need the same steps"
    )
    with pytest.raises(RuleErrors) as caught:
        playbooks.read([tmp_path / "a.yaml"])
    assert str(caught.value).splitlines() == lines


def test_two_folders_with_the_same_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule's playbook is one; as with alerts, a name stands once."""
    for folder, name in (("one", "Drops"), ("two", "Other")):
        (tmp_path / folder).mkdir()
        rule(tmp_path / folder, name, "drops")
        playbook(tmp_path / folder, "drops")
    second = tmp_path / "two" / "playbooks" / "drops.en.md"
    message = f'"drops" is also in {tmp_path}/one/playbooks; every playbook needs its own name'
    assert check(capsys, tmp_path / "one", tmp_path / "two") == (1, [f"{second}:1:1: {message}"])


def test_rules_and_playbooks_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it is told at once."""
    path = rule(tmp_path, "Drops", "drops")
    path.write_text(path.read_text(encoding="utf-8").replace("low", "urgent"), encoding="utf-8")
    playbook(tmp_path, "drops", zh=ZH.replace("您好。", ""))
    status, lines = check(capsys, tmp_path)
    assert status == 1
    assert "urgent" in lines[0]
    assert lines[1] == f"{tmp_path}/playbooks/drops.zh.md:13:1: the section is empty"
