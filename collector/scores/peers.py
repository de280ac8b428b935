"""A robot against those that are used alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.scores.settings import Codes, Floats, Integers
from rules.peers import standing


@dataclass(frozen=True, slots=True)
class Standing:
    """[robot]: robust z, the median of its peers and their number (itself among them), and which grouping
    they are of: 0 for the finest; z and median are NaN, and level -1, where there are too few.
    """

    z: Floats
    median: Floats
    peers: Integers
    level: Integers


def against_peers(values: Floats, groupings: Sequence[Codes], min_peers: int) -> Standing:
    """How each value stands among those of its group, by the first grouping that has enough.

    Robust z = 0.6745 (x - median) / MAD (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993), with
    the floor under the MAD that rules have. A group code of -1 is no group.
    """
    size = len(values)
    found = Standing(
        np.full(size, np.nan), np.full(size, np.nan), np.zeros(size, np.int64), np.full(size, -1, np.int64)
    )
    known = ~np.isnan(values)
    for level, codes in enumerate(groupings):
        here = np.flatnonzero(known & (codes >= 0))
        median, count = _medians(values[here], codes[here])
        fits = (count >= min_peers) & (found.level[here] < 0)
        rows = here[fits]
        found.z[rows] = standing(values[here], [codes[here]], min_peers, "robust_z")[fits]
        found.median[rows], found.peers[rows], found.level[rows] = median[fits], count[fits], level
    return found


def _medians(values: Floats, codes: Codes) -> tuple[Floats, Integers]:
    """Of each one's group, the median and the number of members."""
    order = np.lexsort((values, codes))
    begins = np.flatnonzero(np.diff(codes[order], prepend=-1))
    counts = np.diff(np.append(begins, len(order)))
    low, high = order[begins + (counts - 1) // 2], order[begins + counts // 2]
    group = np.empty(len(values), dtype=np.intp)
    group[order] = np.repeat(np.arange(len(begins)), counts)
    return ((values[low] + values[high]) / 2)[group], counts[group]
