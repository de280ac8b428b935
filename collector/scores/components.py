"""The components of robots' scores, over a fleet at once: each from 0 (worst) to 1 (best), NaN if not known.

A week is the seven local days that end with the day looked at.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from collector.scores.figures import Figures
from collector.scores.peers import against_peers
from collector.scores.settings import Codes, Floats, Integers, Settings

WEEK: Final = 7
MIN_DAYS: Final = 2  # of a week, on which a robot must have been heard for its volume to mean something


@dataclass(frozen=True, slots=True)
class Measure:
    """A component of every robot: its value, and what it was reckoned from, by name; all [robot]."""

    value: Floats
    seen: Mapping[str, Floats] = field(default_factory=dict)


def measures(
    found: Figures, at: int, groupings: Sequence[Codes], burden: Floats, settings: Settings
) -> dict[str, Measure]:
    """All components at the end of the day `at`, which is a column of the figures.

    `groupings` are codes of peers, the finest first; `burden` [robot] is what open alerts cost.
    """
    known: dict[str, Callable[[], Measure]] = {
        "availability": lambda: availability(found, at, settings),
        "conversion": lambda: conversion(found, at, groupings, settings),
        "volume": lambda: volume(found, at, groupings, settings),
        "trend": lambda: trend(found, at, settings),
        "alerts": lambda: Measure(np.clip(1 - burden, 0, 1), {"burden": burden}),
    }
    return {
        name: known[name]() if name in known else function(found, at, name, settings)
        for name in settings.weights_of("robot")
    }


def availability(found: Figures, at: int, settings: Settings) -> Measure:
    """Hours heard / opening hours: time-based availability (Beyer et al., Site Reliability Engineering, 2016,
    chapter 3), of the hours that count.
    """
    heard, counted = _week(found.heard, at), _week(found.counted, at)
    share = _quotient(heard, counted, 1)
    return Measure(settings.availability.of(share), {"share": share, "heard": heard, "counted": counted})


def conversion(found: Figures, at: int, groupings: Sequence[Codes], settings: Settings) -> Measure:
    """Interactions / visitors, as a robust z among peers."""
    interactions, visitors = _week(found.interactions, at), _week(found.visitors, at)
    rate = _quotient(interactions, visitors, settings.peers.min_visitors)
    standing = against_peers(rate, groupings, settings.peers.min_peers)
    seen = {"rate": rate, "interactions": interactions, "visitors": visitors, "median": standing.median}
    return Measure(
        settings.peers.scale.of(standing.z), {**seen, **_peers(standing.z, standing.peers, standing.level)}
    )


def volume(found: Figures, at: int, groupings: Sequence[Codes], settings: Settings) -> Measure:
    """Interactions a day on which the robot was heard, as a robust z of log(1 + x) among peers.

    Volumes are skewed to the right; the z-score supposes symmetry, which the logarithm brings nearer.
    """
    per_day = _per_day(found, at)
    standing = against_peers(np.log1p(per_day), groupings, settings.peers.min_peers)
    seen = {
        "per_day": per_day,
        "interactions": _week(found.interactions, at),
        "days": _heard_days(found, at),
        "median": np.expm1(standing.median),
    }
    return Measure(
        settings.peers.scale.of(standing.z), {**seen, **_peers(standing.z, standing.peers, standing.level)}
    )


def function(found: Figures, at: int, name: str, settings: Settings) -> Measure:
    """A subsystem's failures / attempts, where there were enough attempts."""
    own, wanted = found.functions[name], settings.functions[name]
    failures, attempts = _week(own.failures, at), _week(own.attempts, at)
    if own.needed is not None:
        attempts = np.where(_week(own.needed, at) > 0, attempts, np.nan)
    rate = _quotient(failures, attempts, wanted.min_attempts)
    return Measure(wanted.scale.of(rate), {"rate": rate, "failures": failures, "attempts": attempts})


def trend(found: Figures, at: int, settings: Settings) -> Measure:
    """Interactions a day of this week / their mean over the weeks before - 1."""
    wanted, now = settings.trend, _per_day(found, at)
    weeks = np.stack([_per_day(found, at - WEEK * (week + 1)) for week in range(wanted.weeks)])
    known = (~np.isnan(weeks)).sum(axis=0)
    before = np.where(known >= wanted.min_weeks, np.nansum(weeks, axis=0) / np.maximum(known, 1), np.nan)
    change = _quotient(now, before, wanted.min_interactions) - 1
    return Measure(wanted.scale.of(change), {"change": change, "now": now, "before": before})


def silent_days(found: Figures, at: int) -> Integers:
    """[robot]: how many of the last opening days, one after another, went by without a sound."""
    days = np.zeros(len(found.heard), dtype=np.int64)
    ended = np.zeros(len(found.heard), dtype=np.bool_)
    for day in range(at, -1, -1):
        ended |= found.heard[:, day] > 0
        days += (found.counted[:, day] > 0) & ~ended
    return days


def _peers(z: Floats, peers: Integers, level: Integers) -> dict[str, Floats]:
    few = level < 0
    return {
        "z": z,
        "peers": np.where(few, np.nan, peers.astype(np.float64)),
        "level": np.where(few, np.nan, level.astype(np.float64)),
    }


def _per_day(found: Figures, at: int) -> Floats:
    """Interactions a heard day, where there were enough of these."""
    days = _heard_days(found, at)
    return _quotient(_week(found.interactions, at), days, MIN_DAYS)


def _heard_days(found: Figures, at: int) -> Floats:
    return _week((found.heard > 0).astype(np.float64), at)


def _week(values: Floats | Integers, at: int) -> Floats:
    """Sums of the week that ends with the day; NaN where nothing of it is known."""
    days = np.asarray(values[:, max(at - WEEK + 1, 0) : max(at + 1, 0)], dtype=np.float64)
    unknown = np.isnan(days)
    found: Floats = np.where(unknown.all(axis=1), np.nan, np.where(unknown, 0.0, days).sum(axis=1))
    return found


def _quotient(part: Floats, whole: Floats, least: float) -> Floats:
    """`part / whole`, where `whole` is known and not below `least`."""
    enough = np.nan_to_num(whole, nan=-1.0) >= max(least, 1e-9)
    found: Floats = np.where(enough, part / np.where(enough, whole, 1.0), np.nan)
    return found
