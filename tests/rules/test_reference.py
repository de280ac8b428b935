"""docs/rules.md: every example on the page does what the page says.

What an example is, its fence says: `file NAME` and `test NAME` are whole files, which stand side by side;
`rule` are keys of a rule, `condition` stands under `when` (of a `site` where it says so), `where` under
`where`; `refused` is a file refused with the `text errors` after it; `sh` are commands run beside the files.
"""

import re
from pathlib import Path

import pytest

from agent import catalogue
from rules import load, scenario, testing
from rules.__main__ import main
from rules.expectations import EXPECT_KEYS, SILENCE_KEYS
from rules.grammar.conditions import STATISTICS
from rules.grammar.measures import MEASURES
from rules.lifecycle import State
from rules.rule import Rule

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
CATALOGUE = catalogue.load()
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
EXAMPLES = [(match[1], match[2]) for match in FENCE.finditer(PAGE.read_text(encoding="utf-8"))]
KINDS = ("file", "test", "rule", "condition", "where", "refused")
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


def examples(kind: str) -> list[tuple[str, str]]:
    """The examples of a kind, in the order of the page, each with what its fence says beside the kind."""
    found = [(marks.removeprefix(kind).strip(), text) for marks, text in EXAMPLES if marks.startswith(kind)]
    assert found, f"no example of {kind}"
    return found


def rule(folder: Path, body: str) -> Rule:
    """The rule that has these keys beside the needful ones."""
    path = folder / "example.yaml"
    path.write_text(AROUND + body, encoding="utf-8")
    return load.load([path], CATALOGUE).rules[0]


def indented(text: str, by: int) -> str:
    """The text, moved to the right."""
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where one stands: beside all the files of the page."""
    for kind in ("yaml file", "yaml test"):
        for name, text in examples(kind):
            (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_example_is_marked() -> None:
    """No example stands on the page that these tests do not know what to do with."""
    kinds = {" ".join(marks.split()[:2]) for marks, _ in EXAMPLES}
    assert kinds == {*(f"yaml {kind}" for kind in KINDS), "text errors", "sh", ""}


@pytest.mark.parametrize("name", [name for name, _ in examples("yaml file")])
def test_whole_files_load(name: str, folder: Path) -> None:
    """A whole file is a file."""
    assert load.load([folder / name], CATALOGUE).rules


@pytest.mark.parametrize("text", [text for _, text in examples("yaml rule")])
def test_rules_load(text: str, tmp_path: Path) -> None:
    """Keys of a rule are just that."""
    assert rule(tmp_path, indented(text, 4)).when


@pytest.mark.parametrize(("entity", "text"), examples("yaml condition"))
def test_conditions_load(entity: str, text: str, tmp_path: Path) -> None:
    """A condition may stand under `when`."""
    for_each = f"    for_each: {entity or 'robot'}\n"
    assert rule(tmp_path, f"{for_each}    when:\n{indented(text, 6)}").when


@pytest.mark.parametrize("text", [text for _, text in examples("yaml where")])
def test_filters_load(text: str, tmp_path: Path) -> None:
    """Filters may stand under `where`."""
    body = f"    when: {{silent: robot, over: 15m}}\n    where:\n{indented(text, 6)}"
    assert len(rule(tmp_path, body).where) == len(text.splitlines())


@pytest.mark.parametrize("name", [name for name, _ in examples("yaml test")])
def test_tests_pass(name: str, folder: Path) -> None:
    """A test on the page passes over the files on the page, and makes every rule of them fire."""
    file = scenario.read(folder / name, CATALOGUE)
    results = list(testing.run(file))
    assert [str(failure) for result in results for failure in result.failures] == []
    fired = {rule for result in results for rule, state in result.reached if state is State.FIRING}
    assert fired == set(file.rules.by_name)


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (text, errors)
        for (_, text), (_, errors) in zip(examples("yaml refused"), examples("text errors"), strict=True)
    ],
)
def test_wrong_files_are_refused_as_shown(
    text: str, errors: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`vitals-rules check` says, word for word, what the page says it does."""
    (folder / "example.yaml").write_text(text, encoding="utf-8")
    assert main(["check", "example.yaml"]) == 1
    assert capsys.readouterr().err == errors


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("line", [line for _, text in examples("sh") for line in text.splitlines()])
def test_the_commands_on_the_page_run(line: str) -> None:
    """Each of them finds nothing wrong."""
    command, *arguments = line.split()
    assert command == "vitals-rules"
    assert main(arguments) == 0


def test_the_page_names_every_key() -> None:
    """No key of the language is missing on the page."""
    page = PAGE.read_text(encoding="utf-8")
    keys = {
        *load.FILE_KEYS,
        *load.GROUP_KEYS,
        *load.RULE_KEYS,
        *load.CALL_KEYS,
        *load.MISSING_DATA,
        *MEASURES,
        *STATISTICS,
        *scenario.TEST_KEYS,
        *EXPECT_KEYS,
        *SILENCE_KEYS,
    }
    assert [key for key in sorted(keys) if f"`{key}`" not in page and f"{key}:" not in page] == []
