"""Small fleets of which all is known, and what they are scored by."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agent.catalogue import load as load_catalogue
from collector.scores.figures import Figures, Function
from collector.scores.loading import shipped
from collector.scores.settings import Settings
from collector.scores.table import Day
from rules.roster import Robot

CATALOGUE = load_catalogue()
SETTINGS: Settings = shipped(CATALOGUE)
DAYS = 35
DAY = "2026-11-19"


def robot(id_: str, **attributes: str) -> Robot:
    """A robot of a museum."""
    usual = {"customer": "Museum", "site": "East wing", "industry": "exhibition_hall", "scene": "tour"}
    return Robot(id_, {**usual, **attributes})


def figures(rows: Sequence[Mapping[str, Any]]) -> Figures:
    """The same every day: `counted` and `heard` hours, `visitors`, `interactions`, `<subsystem>` failures of
    100 attempts; a list is day by day.
    """

    def column(name: str, default: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        filled = [np.broadcast_to(np.asarray(row.get(name, default), dtype=np.float64), DAYS) for row in rows]
        return np.stack(filled).copy()

    return Figures(
        counted=column("counted", 8).astype(np.int64),
        heard=column("heard", 8).astype(np.int64),
        visitors=column("visitors", 100),
        interactions=column("interactions", 40),
        functions={
            name: Function(column(name, 0), np.full((len(rows), DAYS), 100.0) if name != "network" else
                           np.full((len(rows), DAYS), 28_800.0), None)
            for name in SETTINGS.functions
        },
    )  # fmt: skip


def day(robots: Sequence[Robot], rows: Sequence[Mapping[str, Any]], **given: object) -> Day:
    """The last of these days."""
    return Day(DAY, DAYS - 1, robots, figures(rows), **given)  # type: ignore[arg-type]
