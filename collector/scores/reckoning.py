"""The scores of one day: robots first, then sites and customers out of their robots.

A component of a site or customer is the mean over those of its robots of which it is known; it weighs as much
as the share of robots that is. The CSM's pulse is the customer's own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from collector.scores import groups
from collector.scores.components import measures, silent_days
from collector.scores.composing import FULL, NO_SCORE, Composed, compose
from collector.scores.score import Cap, CapReason, Component, Score
from collector.scores.settings import Codes, Floats, Integers, Kind, Settings
from collector.scores.table import Day, OpenAlert, Table, attribute, codes
from rules.roster import Robot

_GROUPS: Final[tuple[Kind, ...]] = ("site", "customer")


def scores(day: Day, settings: Settings) -> Iterator[Score]:
    """The scores of all robots, then of all sites and customers."""
    robots = _robots(day, settings)
    tables = [robots, *(groups.table(kind, day, robots, settings) for kind in _GROUPS)]
    for table in tables:
        for score in _scored(table, day.day, settings):
            if (score.kind, score.entity) not in day.waiting:
                yield score


def _robots(day: Day, settings: Settings) -> Table:
    costs = _costs(day.alerts, settings)
    burden = np.array([_burden(robot, costs) for robot in day.robots], dtype=np.float64)
    critical = {alert.entity for alert in day.alerts if (alert.kind, alert.severity) == ("robot", "critical")}
    silent = silent_days(day.figures, day.at)
    found = measures(day.figures, day.at, groupings(day.robots), burden, settings)
    known = np.stack([~np.isnan(measure.value) for measure in found.values()], axis=1)
    return Table(
        kind="robot",
        entities=[robot.id for robot in day.robots],
        measures=found,
        shares=known.astype(np.float64),
        failing={
            "critical_alert": np.array([robot.id in critical for robot in day.robots], dtype=np.int64),
            "silent": (silent >= settings.caps.silent_days).astype(np.int64),
        },
        robots=np.ones(len(day.robots), dtype=np.int64),
        use=day.use,
        industries=[attribute(robot, "industry") or None for robot in day.robots],
        silent=silent,
    )


def groupings(robots: Sequence[Robot]) -> list[Codes]:
    """Codes of peers: same industry and scene, then same industry; -1 without an industry."""
    industries = [attribute(robot, "industry") for robot in robots]
    scenes = [attribute(robot, "scene") for robot in robots]
    pairs = [pair if pair[0] else None for pair in zip(industries, scenes, strict=True)]
    return [codes(pairs)[0], codes(industries)[0]]


def _costs(alerts: Sequence[OpenAlert], settings: Settings) -> dict[tuple[str, str], float]:
    costs: dict[tuple[str, str], float] = {}
    for alert in alerts:
        key = (alert.kind, alert.entity)
        costs[key] = costs.get(key, 0.0) + settings.alerts.get(alert.severity, 0.0)
    return costs


def _burden(robot: Robot, costs: Mapping[tuple[str, str], float]) -> float:
    """What the open alerts of a robot, its site and its customer cost it."""
    own = (("robot", robot.id), *((kind, attribute(robot, kind)) for kind in _GROUPS))
    return sum(costs.get(key, 0.0) for key in own)


# --- points -----------------------------------------------------------------------------------------------


def _scored(table: Table, day: str, settings: Settings) -> Iterator[Score]:
    """Points of everything in a table, with their explanation."""
    weights = settings.weights_of(table.kind)
    if not table.entities:
        return
    values = np.stack([table.measures[key].value for key in weights], axis=1)
    reasons, caps = _caps(table, settings)
    explained = _explained(table, weights)
    found = compose(values, table.shares, np.array(list(weights.values())), settings.minimum_coverage, caps)
    for row, entity in enumerate(table.entities):
        scored = found.points[row] != NO_SCORE
        reason = reasons[row] if scored else None
        yield Score(
            kind=table.kind,
            entity=entity,
            day=day,
            tenths=int(found.points[row]) if scored else None,
            coverage=float(found.coverage[row]),
            components=_components(weights, explained, found, row),
            cap=_cap(table, reason, found, caps, row) if reason else None,
            reason=None if scored else "coverage" if table.robots[row] else "no_robots",
            robots=int(table.robots[row]),
            use={name: (float(now[row]), _known(before[row])) for name, (now, before) in table.use.items()},
            industry=table.industries[row],
            silent_days=int(table.silent[row]),
            peers=table.usual.get(table.industries[row] or "", {}),
        )


def _known(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)


_Explained = Sequence[tuple[float, float, Mapping[str, float]]]  # of an entity, by component


def _explained(table: Table, weights: Mapping[str, float]) -> list[_Explained]:
    """[entity]: of each component share, value (NaN if not known), and what it was reckoned from."""
    columns = []
    for at, key in enumerate(weights):
        measure = table.measures[key]
        names = list(measure.seen)
        rows = zip(*(_short(column) for column in measure.seen.values()), strict=True)
        seen = [
            {name: value for name, value in zip(names, row, strict=True) if value == value} for row in rows
        ]
        columns.append(list(zip(_short(table.shares[:, at]), _short(measure.value), seen, strict=True)))
    return list(zip(*columns, strict=True))


def _short(column: Floats) -> list[float]:
    """Six significant digits, as a measured value deserves."""
    with np.errstate(divide="ignore", invalid="ignore"):
        places = np.clip(5 - np.floor(np.log10(np.abs(column))), 0, 12)
        scale = 10.0 ** np.where(np.isfinite(places), places, 0)
    short: list[float] = (np.round(column * scale) / scale).tolist()
    return short


def _components(
    weights: Mapping[str, float], explained: list[_Explained], found: Composed, row: int
) -> tuple[Component, ...]:
    lost = found.lost[row].tolist()
    return tuple(
        Component(key, weight, share, value if value == value else None, own, seen)
        for (key, weight), own, (share, value, seen) in zip(
            weights.items(), lost, explained[row], strict=True
        )
    )


def _caps(table: Table, settings: Settings) -> tuple[list[CapReason | None], Integers]:
    """Of each entity the hard failure that caps it lowest, and what it has at most, in tenths.

    Of a group, a failure counts that enough of its robots have.
    """
    caps = np.full(len(table.entities), FULL, dtype=np.int64)
    reasons: list[CapReason | None] = [None] * len(table.entities)
    limits: dict[CapReason, int] = {
        "critical_alert": settings.caps.critical_alert,
        "silent": settings.caps.silent,
    }
    for reason, at in limits.items():
        share = table.failing[reason] / np.maximum(table.robots, 1)
        for row in np.flatnonzero((share >= settings.caps.share_of_robots) & (caps > at * 10)).tolist():
            caps[row], reasons[row] = at * 10, reason
    return reasons, caps


def _cap(table: Table, reason: CapReason, found: Composed, caps: Integers, row: int) -> Cap:
    return Cap(reason, int(caps[row]) // 10, int(found.capped[row]), int(table.failing[reason][row]))
