"""The packs' own tests (`*.test.yaml`) pass and reach every state, and the packs work together."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from agent import catalogue
from rules import coverage, load, scenario, testing
from rules.expectations import ExpectedAlerts
from rules.testing import Result

PACKS = scenario.find([load.shipped()[0].parent])
TOGETHER = scenario.find([Path(__file__).parent])
FILES = {path: scenario.read(path, catalogue.load()) for path in (*PACKS, *TOGETHER)}
CASES = [
    pytest.param(path, number, id=f"{path.name.partition('.')[0]}: {case.name}")
    for path, file in FILES.items()
    for number, case in enumerate(file.scenarios)
]
each_pack = pytest.mark.parametrize("path", PACKS, ids=lambda path: path.name)


@cache
def result(path: Path, number: int) -> Result:
    """What came of one scenario of a file."""
    file = FILES[path]
    (found,) = testing.run(replace(file, scenarios=(file.scenarios[number],)))
    return found


@pytest.mark.parametrize(("path", "number"), CASES)
def test_every_promise_is_kept(path: Path, number: int) -> None:
    """What the packs promise, each for itself and all together."""
    assert [str(failure) for failure in result(path, number).failures] == []


@each_pack
def test_every_rule_and_state_is_reached(path: Path) -> None:
    """No rule, and no state that its signals can be in, is left out by the tests of its pack."""
    file = FILES[path]
    results = [result(path, number) for number in range(len(file.scenarios))]
    assert coverage.of(file.rules, results).missing == ()


@each_pack
def test_every_pack_is_tested_for_quiet(path: Path) -> None:
    """Each pack has expectations of no alert at all."""
    expected = [one for case in FILES[path].scenarios for one in case.expectations]
    assert any(isinstance(one, ExpectedAlerts) and not one.alerts for one in expected)


@each_pack
def test_packs_are_tested_over_crashes(path: Path) -> None:
    """Each pack has tests in which the engine is thrown away and started again."""
    assert any(case.crashes for case in FILES[path].scenarios)
