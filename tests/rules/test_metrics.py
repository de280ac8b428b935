"""Catalogues as the rules read them: the same metrics as the agent's, and every mistake with its place."""

from pathlib import Path

import pytest

from agent import catalogue
from rules import metrics
from rules.metrics import Entry, MetricsError

HEAD = "schema: robovitals-catalogue/1\nsubsystems:\n"


def test_rules_and_agent_read_the_same() -> None:
    """The shipped catalogue means the same to both."""
    agents = {
        metric.name: Entry(metric.name, metric.kind, metric.unit, metric.subsystem)
        for metric in catalogue.load().values()
    }
    assert metrics.read(metrics.shipped()) == agents


def test_a_vendors_file_adds_to_it(tmp_path: Path) -> None:
    """Subsystems of its own, with or without a module, and metrics of known ones."""
    path = tmp_path / "vendor.yaml"
    path.write_text(
        f"{HEAD}  arm: {{module: true, counters: {{grips: {{unit: grips}}}}}}\n"
        "  vision: {gauges: {fps: {}}}\n",
        encoding="utf-8",
    )
    found = metrics.read(metrics.shipped(), path)
    assert [found[name] for name in ("arm.up", "arm.grips", "vision.fps")] == [
        Entry("arm.up", "gauge", "", "arm"),
        Entry("arm.grips", "counter", "grips", "arm"),
        Entry("vision.fps", "gauge", "", "vision"),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("schema: other/1\nsubsystems: {}\n", '1:9: must be one of robovitals-catalogue/1, not "other/1"'),
        ("schema: robovitals-catalogue/1\n", '1:1: a catalogue needs "subsystems"'),
        (
            f"{HEAD}  vision: {{counters: {{face_errors: {{}}}}}}\n",
            "3:23: vision.face_errors is already in the",
        ),
        (f"{HEAD}  Arm: {{counters: {{grips: {{}}}}}}\n", '3:3: "Arm" is no name; use lower-case letters'),
        (
            f"{HEAD}  arm: {{counters: {{grips: 5}}}}\n",
            '3:27: "grips" must be a mapping (key: value), not "5"',
        ),
        (f"{HEAD}  arm: {{counters: [grips]}}\n", "3:19: names must be a mapping (key: value), not a list"),
        (f"{HEAD}  arm: {{module: maybe}}\n", '3:17: must be one of true, false, not "maybe"'),
    ],
)
def test_mistakes_have_a_place(text: str, complaint: str, tmp_path: Path) -> None:
    """As in rule files; all mistakes of a file come at once."""
    path = tmp_path / "vendor.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MetricsError) as caught:
        metrics.read(metrics.shipped(), path)
    assert str(caught.value).startswith(f"{path}:{complaint}")
    assert "\n" not in str(caught.value)
