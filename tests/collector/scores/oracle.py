"""Scores reckoned slowly, one entity and one component at a time, points by exact fractions."""

import math
import statistics
from collections.abc import Mapping, Sequence
from fractions import Fraction

from collector.scores.figures import Figures
from collector.scores.settings import Scale, Settings

Known = Mapping[str, float]  # by component; what is not in it is not known


def components(
    found: Figures, at: int, row: int, keys: Sequence[tuple[str, str]], burden: float, settings: Settings
) -> Known:
    """The components of one robot; `keys` are (industry, scene) of all."""
    conversions = [_conversion(found, at, other, settings) for other in range(len(keys))]
    volumes = [_log(_per_day(found, other, at)) for other in range(len(keys))]
    values = {
        "availability": _scaled(settings.availability, _availability(found, at, row)),
        "conversion": _scaled(settings.peers.scale, _z(conversions, row, keys, settings.peers.min_peers)),
        "volume": _scaled(settings.peers.scale, _z(volumes, row, keys, settings.peers.min_peers)),
        "trend": _scaled(settings.trend.scale, _trend(found, at, row, settings)),
        "alerts": min(max(1 - burden, 0.0), 1.0),
        **{
            name: _scaled(wanted.scale, _function(found, at, row, name, settings))
            for name, wanted in settings.functions.items()
        },
    }
    return {name: value for name, value in values.items() if value is not None}


def losses(values: Sequence[float | None], shares: Sequence[float], weights: Sequence[float]) -> list[int]:
    """Tenths of points lost for each component, by largest remainders over fractions."""
    known = [
        Fraction(0) if value is None else Fraction(share) * Fraction(weight)
        for value, share, weight in zip(values, shares, weights, strict=True)
    ]
    exact = [
        1000 * weight * (1 - Fraction(value or 0)) / sum(known)
        for value, weight in zip(values, known, strict=True)
    ]
    down = [math.floor(amount) for amount in exact]
    lacking = math.floor(sum(exact) + Fraction(1, 2)) - sum(down)
    order = sorted(range(len(exact)), key=lambda at: (down[at] - exact[at], at))
    return [whole + (at in order[:lacking]) for at, whole in enumerate(down)]


def _scaled(scale: Scale, value: float | None) -> float | None:
    if value is None:
        return None
    return min(max((value - scale.worst) / (scale.best - scale.worst), 0.0), 1.0)


def _week(values: Sequence[float], at: int) -> float | None:
    known = [value for value in values[max(at - 6, 0) : at + 1] if not math.isnan(value)] if at >= 0 else []
    return sum(known) if known else None


def _availability(found: Figures, at: int, row: int) -> float | None:
    counted, heard = _week(found.counted[row], at), _week(found.heard[row], at)
    return heard / counted if counted and heard is not None else None


def _conversion(found: Figures, at: int, row: int, settings: Settings) -> float | None:
    visitors, interactions = _week(found.visitors[row], at), _week(found.interactions[row], at)
    if visitors is None or interactions is None or visitors < settings.peers.min_visitors:
        return None
    return interactions / visitors


def _per_day(found: Figures, row: int, at: int) -> float | None:
    days = sum(found.heard[row][day] > 0 for day in range(max(at - 6, 0), at + 1))
    interactions = _week(found.interactions[row], at)
    return interactions / days if days >= 2 and interactions is not None else None


def _log(value: float | None) -> float | None:
    return None if value is None else math.log1p(value)


def _z(values: Sequence[float | None], row: int, keys: Sequence[tuple[str, str]], least: int) -> float | None:
    own = values[row]
    industry, _ = keys[row]
    if own is None or not industry:
        return None
    for width in (2, 1):
        alike = [key[:width] == keys[row][:width] for key in keys]
        peers = [value for value, fits in zip(values, alike, strict=True) if value is not None and fits]
        if len(peers) >= least:
            median = statistics.median(peers)
            mad = statistics.median(abs(peer - median) for peer in peers)
            return 0.6745 * (own - median) / max(mad, 0.05 * abs(median), 1e-9)
    return None


def _function(found: Figures, at: int, row: int, name: str, settings: Settings) -> float | None:
    own = found.functions[name]
    failures, attempts = _week(own.failures[row], at), _week(own.attempts[row], at)
    if own.needed is not None and not (_week(own.needed[row], at) or 0) > 0:
        return None
    if failures is None or attempts is None or attempts < settings.functions[name].min_attempts:
        return None
    return failures / attempts


def _trend(found: Figures, at: int, row: int, settings: Settings) -> float | None:
    now = _per_day(found, row, at)
    weeks = [_per_day(found, row, at - 7 * week) for week in range(1, settings.trend.weeks + 1)]
    known = [week for week in weeks if week is not None]
    if now is None or len(known) < settings.trend.min_weeks:
        return None
    before = sum(known) / len(known)
    return now / before - 1 if before >= settings.trend.min_interactions else None
