"""The figures in docs/scores.md are those of the shipped weights, and of the example in it."""

import re
from pathlib import Path

from collector.scores.reckoning import scores
from collector.scores.settings import Scale
from collector.scores.table import OpenAlert
from tests.collector.scores.examples import DAYS, SETTINGS, day, robot

TEXT = (Path(__file__).parents[3] / "docs/scores.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (\d+) \| .* \| (\S+) \| (\S+) \| [^|]* \|$", re.MULTILINE)


def _number(text: str) -> float:
    plain = text.replace("−", "-")
    return float(plain.removesuffix("%")) / 100 if plain.endswith("%") else float(plain)


def test_weights_and_scales_are_the_shipped_ones() -> None:
    """Every component, in order."""
    rows = {
        key: (float(weight), _number(worst), _number(best)) for key, weight, worst, best in ROW.findall(TEXT)
    }
    scales: dict[str, Scale] = {
        "availability": SETTINGS.availability,
        "conversion": SETTINGS.peers.scale,
        "volume": SETTINGS.peers.scale,
        "trend": SETTINGS.trend.scale,
        "alerts": Scale(0, 1),
        "pulse": Scale(1, 5),
        **{name: function.scale for name, function in SETTINGS.functions.items()},
    }
    assert list(rows) == list(SETTINGS.weights)
    assert rows == {
        key: (weight, scales[key].worst, scales[key].best) for key, weight in SETTINGS.weights.items()
    }


def test_the_example_is_reckoned() -> None:
    """What the robot loses for what."""
    heard = [8.0] * (DAYS - 7) + [8, 8, 8, 8, 6, 6, 6]
    peers = [{"interactions": 40 + offset} for offset in (-6, -4, -2, 0, 0, 2, 4, 6)]
    robots = [robot(f"r{row}") for row in range(9)]
    whole = day(
        robots, [{"heard": heard, "interactions": 36}, *peers], alerts=[OpenAlert("robot", "r0", "medium")]
    )
    found = next(iter(scores(whole, SETTINGS)))
    rows = [
        (part.key, f"{part.value:.3f}", f"{part.lost / 10:.1f}") for part in found.components if part.lost
    ]
    written = re.findall(
        r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \|$", TEXT.partition("<!-- example -->")[2], re.MULTILINE
    )
    assert written == rows
    assert f"**{found.points:.1f}**" in TEXT
    assert found.points == 100 - sum(float(lost) for _, _, lost in rows)
