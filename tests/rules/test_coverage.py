"""Coverage: which states of which rules no test reached; and the JUnit report of the tests."""

from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from rules import coverage, junit
from rules.lifecycle import State
from rules.rule import RuleSet
from rules.scenario import Scenario
from rules.testing import Failure, Result
from tests.rules.conftest import HEAD, Loading

F, P, R, S, U = State.FIRING, State.PENDING, State.RECOVERING, State.RESOLVED, State.UNKNOWN


def result(
    *reached: tuple[str, State], name: str = "a", failures: tuple[Failure, ...] = (), file: str = "a"
) -> Result:
    """What came of a test."""
    scenario = Scenario(name, f"{file}.test.yaml:7", 0, 60_000, (), {}, {}, (), (), (), ())
    return Result(scenario, failures, frozenset(reached))


def rules(loading: Loading, *keys: str) -> RuleSet:
    """Rules A, B, … each with one key more."""
    body = "    when: {silent: robot, over: 1h}\n    labels: {severity: low, subsystem: asr}\n"
    return loading(
        HEAD + "".join(f"  - alert: {chr(65 + number)}\n{body}    {key}\n" for number, key in enumerate(keys))
    )


@pytest.mark.parametrize(
    ("key", "states"),
    [
        ("for: 0s", [F, S]),
        ("for: 5m", [P, F, S]),
        ("keep_firing_for: 5m", [F, R, S]),
        ("missing_data: unknown", [F, S, U]),
        ("missing_data: fire", [F, S]),
    ],
)
def test_states_that_can_be_reached(loading: Loading, key: str, states: list[State]) -> None:
    """Pending only with `for`, recovering only with `keep_firing_for`, unknown only where missing data is."""
    assert list(coverage.states(rules(loading, key).rules[0])) == states


def test_what_no_test_reached(loading: Loading) -> None:
    """Tests count together; what is reached beside the reachable counts for nothing."""
    found = coverage.of(
        rules(loading, "for: 5m", "for: 0s"),
        [result(("A", P), ("A", F)), result(("A", F), ("B", F), ("B", State.INACTIVE), ("X", F))],
    )
    assert (found.reached, found.reachable, found.missing) == (3, 5, (("A", S), ("B", S)))
    assert found.percent == pytest.approx(60)
    assert str(found) == "coverage 60.0 %: 3 of 5 states of 2 rules"


def test_no_rules_are_wholly_covered() -> None:
    """There is nothing to reach."""
    assert str(coverage.of(RuleSet(), [])) == "coverage 100.0 %: 0 of 0 states of 0 rules"


def test_a_report_for_build_servers(tmp_path: Path) -> None:
    """A suite for each file, a case for each test, a failure with all that was not met."""
    failures = (
        Failure("b.test.yaml:9:5", "A on r1 at 5m: firing", "inactive <since> & ever", ("1 of 2",)),
        Failure("b.test.yaml:10:5", "no alert A on r2 at 5m", "firing\x1b since 1m", ()),
    )
    report = tmp_path / "report.xml"
    junit.write(
        report, [result(name="good"), result(name="人脸"), result(name="bad", file="b", failures=failures)]
    )
    root = Xml.parse(report).getroot()
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "3", "1")
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        ("a.test.yaml", "2", "0"),
        ("b.test.yaml", "1", "1"),
    ]
    assert [case.get("name") for case in root.iter("testcase")] == ["good", "人脸", "bad"]
    (failure,) = root.iter("failure")
    assert failure.get("message") == "expected A on r1 at 5m: firing, got inactive <since> & ever"
    assert failure.text == (
        "b.test.yaml:9:5: expected A on r1 at 5m: firing\n    got inactive <since> & ever\n        1 of 2\n"
        "b.test.yaml:10:5: expected no alert A on r2 at 5m\n    got firing� since 1m"
    )


def test_a_report_of_nothing(tmp_path: Path) -> None:
    """No tests are a report, too."""
    junit.write(tmp_path / "report.xml", [])
    assert Xml.parse(tmp_path / "report.xml").getroot().get("tests") == "0"
