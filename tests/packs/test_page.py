"""docs/rules.md: every example on the page does what the page says."""

import re
from pathlib import Path

import pytest

from agent import catalogue
from rules import load, scenario, testing
from rules.__main__ import main
from rules.rule import Rule

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
CATALOGUE = catalogue.load()
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
EXAMPLES = [(match[1], match[2]) for match in FENCE.finditer(PAGE.read_text(encoding="utf-8"))]
KINDS = {"yaml file", "yaml when", "yaml where", "yaml test", "yaml refused", "text errors", "sh", ""}
AROUND = """\
schema: robovitals-rules/1
groups:
- name: example
  interval: 1m
  rules:
  - alert: Example
    missing_data: unknown
    labels: {severity: low, subsystem: system}
"""


def examples(kind: str) -> list[str]:
    """The examples marked so, in the order of the page."""
    return [text for found, text in EXAMPLES if found == kind]


def rule(folder: Path, body: str) -> Rule:
    """The rule that has these keys beside the needful ones."""
    path = folder / "example.yaml"
    path.write_text(AROUND + body, encoding="utf-8")
    return load.load([path], CATALOGUE).rules[0]


def indented(text: str, by: int) -> str:
    """The text, moved to the right."""
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


def test_every_example_is_marked() -> None:
    """No YAML stands on the page that these tests do not know what to do with."""
    assert {kind for kind, _ in EXAMPLES} <= KINDS
    assert all(examples(kind) for kind in KINDS)


@pytest.mark.parametrize("text", examples("yaml file"))
def test_whole_files_load(text: str, tmp_path: Path) -> None:
    """A whole file is a file."""
    path = tmp_path / "example.yaml"
    path.write_text(text, encoding="utf-8")
    assert load.load([path], CATALOGUE).rules


@pytest.mark.parametrize("text", examples("yaml when"))
def test_conditions_load(text: str, tmp_path: Path) -> None:
    """A condition may stand under `when`."""
    assert rule(tmp_path, f"    when:\n{indented(text, 6)}").when


@pytest.mark.parametrize("text", examples("yaml where"))
def test_filters_load(text: str, tmp_path: Path) -> None:
    """Filters may stand under `where`."""
    body = f"    when: {{silent: robot, over: 15m}}\n    where:\n{indented(text, 6)}"
    assert len(rule(tmp_path, body).where) == len(text.splitlines())


@pytest.mark.parametrize("text", examples("yaml test"))
def test_tests_pass(text: str, tmp_path: Path) -> None:
    """The test on the page passes over the file on the page, and makes its rule fire."""
    (tmp_path / "hall.yaml").write_text(examples("yaml file")[0], encoding="utf-8")
    path = tmp_path / "hall.test.yaml"
    path.write_text(text, encoding="utf-8")
    file = scenario.read(path, CATALOGUE)
    results = list(testing.run(file))
    assert [str(failure) for result in results for failure in result.failures] == []
    assert testing.unreached(file.rules, results) == []


@pytest.mark.parametrize(
    ("text", "errors"), list(zip(examples("yaml refused"), examples("text errors"), strict=True))
)
def test_wrong_files_are_refused_as_shown(
    text: str,
    errors: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`vitals-rules check` says, word for word, what the page says it does."""
    monkeypatch.chdir(tmp_path)
    Path("example.yaml").write_text(text, encoding="utf-8")
    assert main(["check", "example.yaml"]) == 1
    assert capsys.readouterr().err == errors


def test_the_commands_on_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` and `test` of the page's file and test find nothing wrong."""
    monkeypatch.chdir(tmp_path)
    Path("hall.yaml").write_text(examples("yaml file")[0], encoding="utf-8")
    Path("hall.test.yaml").write_text(examples("yaml test")[0], encoding="utf-8")
    for line in "".join(examples("sh")).splitlines():
        command, *arguments = line.split()
        assert command == "vitals-rules"
        assert main(arguments) == 0


def test_the_page_names_every_key() -> None:
    """No key of the language is missing on the page."""
    page = PAGE.read_text(encoding="utf-8")
    keys = {*load._RULE_KEYS, *load._CALL_KEYS, *scenario._TEST_KEYS, *load.MISSING_DATA}
    assert [key for key in sorted(keys) if f"`{key}`" not in page and f"{key}:" not in page] == []
