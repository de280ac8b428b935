"""What the rule tests share: the shipped catalogue, and a rule file in one go."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rules import metrics
from rules.load import RuleErrors, load
from rules.rule import RuleSet

HEAD = """\
schema: robovitals-rules/1
defaults: {missing_data: keep_last_state}
groups:
- name: g
  interval: 1m
  rules:
"""

Loading = Callable[[str], RuleSet]
Problems = Callable[[str], list[str]]


@pytest.fixture(scope="session")
def catalogue() -> dict[str, metrics.Entry]:
    """The metrics of the shipped catalogue."""
    return metrics.read(metrics.shipped())


@pytest.fixture
def loading(tmp_path: Path, catalogue: dict[str, metrics.Entry]) -> Loading:
    """Loads a text as a rule file."""

    def read(text: str) -> RuleSet:
        path = tmp_path / "rules.yaml"
        path.write_text(text, encoding="utf-8")
        return load([path], catalogue)

    return read


@pytest.fixture
def problems(loading: Loading, tmp_path: Path) -> Problems:
    """What is wrong with a text, as `line:column: message`."""

    def read(text: str) -> list[str]:
        with pytest.raises(RuleErrors) as caught:
            loading(text)
        return [str(problem).removeprefix(f"{tmp_path}/rules.yaml:") for problem in caught.value.problems]

    return read
