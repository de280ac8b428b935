"""An entity among its peers: robust z-scores and percentiles of groups with the same attributes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.columns import Floats
from rules.rule import Statistic

NORMAL: Final = 0.6745  # makes the MAD of a normal distribution its standard deviation
FLOOR: Final = 0.05  # of the median: among peers that are all alike, a small difference is none
_LEAST: Final = 1e-9

Codes = NDArray[np.intp]


def standing(numbers: Floats, groupings: Sequence[Codes], min_peers: int, statistic: Statistic) -> Floats:
    """[entity]: how each number stands among those of its group, by the first grouping that has enough.

    `groupings` are group codes [entity], the finest first; NaN where the number is not known, or no group
    has `min_peers` known ones. Robust z: 0.6745 (x - median) / MAD (Iglewicz and Hoaglin, 1993), with a
    floor under the MAD. Percentile: the share of the others that are below, equal ones counting half.
    """
    found = np.full(len(numbers), np.nan)
    left = np.flatnonzero(~np.isnan(numbers))
    everyone = left
    for codes in groupings:
        if not left.size:
            break
        here = _by_group(numbers[everyone], codes[everyone], min_peers, statistic)
        found[left] = here[np.searchsorted(everyone, left)]
        left = left[np.isnan(found[left])]
    return found


def _by_group(numbers: Floats, codes: Codes, min_peers: int, statistic: Statistic) -> Floats:
    order = np.lexsort((numbers, codes))
    sorted_codes, ordered = codes[order], numbers[order]
    begins = np.flatnonzero(np.diff(sorted_codes, prepend=-1))
    sizes = np.diff(np.append(begins, len(order)))
    group = np.repeat(np.arange(len(begins)), sizes)
    if statistic == "robust_z":
        ranked = _robust_z(ordered, begins, sizes, group)
    else:
        ranked = _percentile(ordered, begins, sizes, group)
    ranked[sizes[group] < max(min_peers, 2 if statistic == "percentile" else 1)] = np.nan
    found = np.empty(len(numbers))
    found[order] = ranked
    return found


def _robust_z(ordered: Floats, begins: Codes, sizes: Codes, group: Codes) -> Floats:
    median = _median(ordered, begins, sizes)[group]
    away = np.abs(ordered - median)
    spread = _median(away[np.lexsort((away, group))], begins, sizes)[group]
    z: Floats = NORMAL * (ordered - median) / np.maximum(spread, np.maximum(_LEAST, FLOOR * np.abs(median)))
    return z


def _median(ordered: Floats, begins: Codes, sizes: Codes) -> Floats:
    """Of every group of numbers in order."""
    low, high = ordered[begins + (sizes - 1) // 2], ordered[begins + sizes // 2]
    median: Floats = np.where(low == high, low, (low + high) / 2)
    return median


def _percentile(ordered: Floats, begins: Codes, sizes: Codes, group: Codes) -> Floats:
    new = np.diff(ordered, prepend=np.nan) != 0
    new[begins] = True
    firsts = np.flatnonzero(new)
    counts = np.diff(np.append(firsts, len(ordered)))
    run = np.cumsum(new) - 1
    below = firsts[run] - begins[group]
    equal = counts[run] - 1
    ranked: Floats = (below + equal / 2) / np.maximum(sizes[group] - 1, 1)
    return ranked
