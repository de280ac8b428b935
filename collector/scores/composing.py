"""From components to points, over a fleet at once: whole tenths of points that add up.

A score is 100 less what was lost for each component. What a component of value v, weight w and known share
s loses is w s (1 - v) / Σ w s of all 100 points: the weighted arithmetic mean (OECD and JRC, Handbook on
Constructing Composite Indicators, 2008, step 7), with the weight of what is missing given to the rest in
proportion. Losses are rounded to tenths of points by largest remainders (Hamilton's method), so that they add
up to what the score lacks of 100.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.scores.settings import Floats, Integers

FULL: Final = 1_000  # 100 points, in tenths
NO_SCORE: Final = -1


@dataclass(frozen=True, slots=True)
class Composed:
    """Of entities: tenths of points (`NO_SCORE`: none), what was lost for each component [entity, component]
    and for the cap, and which share of the weights is known.
    """

    points: Integers
    lost: Integers
    capped: Integers
    coverage: Floats


def compose(values: Floats, shares: Floats, weights: Floats, minimum: float, caps: Integers) -> Composed:
    """Scores of entities from `values` and known `shares` [entity, component], `weights` [component].

    `caps` [entity] is what each has at most, in tenths. Below the `minimum` of coverage there is no score.
    """
    known = np.where(np.isnan(values), 0.0, shares)
    effective = known * weights
    total = effective.sum(axis=1)
    coverage = total / weights.sum()
    scored = (total > 0) & (coverage >= minimum - 1e-9)
    missing = effective * (1 - np.nan_to_num(values)) / np.where(total > 0, total, 1.0)[:, None]
    lost = np.where(scored[:, None], apportioned(missing * FULL), 0)
    points = FULL - lost.sum(axis=1)
    capped = np.where(scored, np.maximum(points - caps, 0), 0)
    return Composed(np.where(scored, points - capped, NO_SCORE), lost, capped, coverage)


def apportioned(amounts: Floats) -> Integers:
    """[entity, component]: whole numbers near the amounts, in sum what the sum rounds to (halves up).

    Largest remainders: every amount is rounded down, and what is then lacking goes, one each, to those that
    lost most by it, the first of equals first.
    """
    exact = np.round(amounts, 9)  # 3.9999999999 is meant to be 4
    down = np.floor(exact)
    lacking = np.floor(exact.sum(axis=1) + 0.5 + 1e-9) - down.sum(axis=1)
    order = np.argsort(-(exact - down), axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(amounts.shape[1])[None, :].repeat(len(amounts), 0), axis=1)
    whole: Integers = (down + (place < lacking[:, None])).astype(np.int64)
    return whole
