"""A file of weights is taken whole, or every mistake in it is told with its place."""

from pathlib import Path

import pytest

from collector.scores.loading import WeightsError, load, read, shipped
from collector.scores.settings import Scale
from tests.collector.scores.examples import CATALOGUE

TEXT = (Path(__file__).parents[3] / "collector/scores/weights.yaml").read_text(encoding="utf-8")


def test_the_shipped_weights_are_whole() -> None:
    """They are 100 points, and name counters that the catalogue has."""
    settings = shipped(CATALOGUE)
    assert sum(settings.weights.values()) == 100
    assert "pulse" not in settings.weights_of("robot")
    assert settings.metrics[0] == "engagement.visitors"
    assert "heard_seconds" not in settings.metrics


def test_a_weight_of_zero_leaves_a_component_out() -> None:
    """Nobody measures what counts for nothing."""
    settings = read("w.yaml", TEXT.replace("  trend: 10", "  trend: 0").encode(), CATALOGUE)
    assert "trend" not in settings.weights


def test_a_change_may_be_worst_when_it_rises() -> None:
    """Scales go either way, and percentages may be below zero."""
    settings = read(
        "w.yaml", TEXT.replace("worst: -50%, best: -5%", "worst: 20%, best: -0.5").encode(), CATALOGUE
    )
    assert settings.trend.scale == Scale(0.2, -0.5)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("robovitals-scores/1", "robovitals-scores/2", "w.yaml:3:9: must be one of robovitals-scores/1, not"),
        ("  asr: 4", "  asl: 4", 'w.yaml:14:3: unknown key "asl"; did you mean "asr"?'),
        ("  asr: 4", "  asl: 4", 'w.yaml:7:3: weights needs "asr"; 0 leaves it out'),
        ("  asr: 4", "  asr: -4", 'w.yaml:14:8: must not be negative, and is "-4"'),
        ("asr.misrecognized", "asr.misrecognised", 'did you mean "asr.misrecognized"?'),
        ("minimum_coverage: 50%", "minimum_coverage: 500%", "w.yaml:21:19: must be a percentage"),
        ("worst: 80%, best: 99.5%", "worst: 99%, best: 99%", "w.yaml:24:15: worst and best are both 0.99"),
        ("min_weeks: 2", "min_weeks: 5", "must be a whole number from 1 to 4"),
        ("share_of_robots: 50%", "share_of_robots: 0%", "must be more than 0%"),
        ("critical_alert: 40", "critical_alert: 400", "must be a whole number from 0 to 100"),
        ("min_attempts: 3600", "min_attempts: 0", "must be more than 0"),
        ("caps:", "cups:", 'needs "caps"'),
    ],
)
def test_mistakes_are_told_with_line_and_column(before: str, after: str, said: str) -> None:
    """What is wrong, where, and what was probably meant."""
    assert before in TEXT
    with pytest.raises(WeightsError) as refused:
        read("w.yaml", TEXT.replace(before, after).encode(), CATALOGUE)
    assert said in str(refused.value)


def test_all_mistakes_are_told_at_once() -> None:
    """A line each, in the order of the file."""
    wrong = TEXT.replace("asr: 4", "asr: x").replace("stale_after_days: 30", "stale_after_days: 0")
    with pytest.raises(WeightsError) as refused:
        read("w.yaml", wrong.encode(), CATALOGUE)
    assert [line.split(":")[1] for line in str(refused.value).splitlines()] == ["14", "58"]


def test_a_file_of_hundreds_of_mistakes_is_refused() -> None:
    """Reading ends at so many, as it does for rules, and those are told."""
    data = "".join(f"unknown{number}: 1\n" for number in range(300)).encode()
    with pytest.raises(WeightsError, match="unknown0"):
        read("weights.yaml", data, CATALOGUE)


@pytest.mark.parametrize("data", [b"", b"\xff", b"- 1", b"weights: {a: &x 1}", b"[" * 50])
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    """Nothing else is raised."""
    with pytest.raises(WeightsError):
        read("w.yaml", data, CATALOGUE)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One line."""
    with pytest.raises(WeightsError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml", CATALOGUE)
