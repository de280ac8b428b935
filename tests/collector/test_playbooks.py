"""A collector has the playbooks of its rules: those beside its own files, and the shipped ones."""

from pathlib import Path

import pytest

from collector.assembly import opened
from collector.config import Evaluation
from collector.folder import Folder
from rules import playbooks
from rules.load import RuleErrors
from tests.rules.test_playbooks import playbook, rule


def test_playbooks_come_with_the_rules(tmp_path: Path) -> None:
    """Beside rules of one's own, also those that shipped rules name."""
    path = rule(tmp_path, "Drops", "drops")
    playbook(tmp_path, "drops")
    with opened(Folder(tmp_path / "data"), Evaluation((path,))) as parts:
        assert parts.playbooks["drops"].zh.title == "机器人频繁掉线"
        assert set(playbooks.shipped()) < set(parts.playbooks)
    with opened(Folder(tmp_path / "shipped"), Evaluation()) as parts:
        assert parts.playbooks == playbooks.shipped()


def test_a_collector_refuses_playbooks_that_are_wrong(tmp_path: Path) -> None:
    """As it refuses rules that are wrong: before anything is opened, with the line."""
    path = rule(tmp_path, "Drops", "drops")
    playbook(tmp_path, "drops", en="Nix\n")
    with (
        pytest.raises(RuleErrors, match=r"drops\.en\.md:1:1: "),
        opened(Folder(tmp_path / "data"), Evaluation((path,))),
    ):
        pass
    assert not (tmp_path / "data").exists()
