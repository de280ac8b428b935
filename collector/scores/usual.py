"""What is usual in an industry: medians over its robots of the rates that a customer is held against."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from collector.scores.peers import against_peers
from collector.scores.settings import Floats
from collector.scores.table import Use, codes

RATES: Final[Mapping[str, tuple[str, str]]] = {  # one counter in relation to another
    "recruits": ("engagement.recruits", "engagement.visitors"),
    "wakeups": ("engagement.wakeups", "engagement.recruits"),
    "interactions": ("engagement.interactions", "engagement.wakeups"),
    "conversion": ("engagement.interactions", "engagement.visitors"),
    "satisfaction": ("engagement.satisfied_ratings", "engagement.ratings"),
}
ROBOTS: Final = "robots"


def usual(use: Use, industries: Sequence[str | None], min_peers: int) -> dict[str, dict[str, float]]:
    """By industry, the median rate of its robots in a week, where enough have one, and how many at most."""
    group, names = codes(industries)
    found: dict[str, dict[str, float]] = {str(name): {} for name in names}
    for rate, (of, to) in RATES.items():
        if of in use and to in use:
            standing = against_peers(_rate(use[of][0], use[to][0]), [group], min_peers)
            for row in np.flatnonzero(standing.level == 0).tolist():
                own = found[str(industries[row])]
                own[rate] = round(float(standing.median[row]), 6)
                own[ROBOTS] = max(own.get(ROBOTS, 0), int(standing.peers[row]))
    return found


def _rate(of: Floats, to: Floats) -> Floats:
    rate: Floats = np.where(to > 0, of / np.where(to > 0, to, 1.0), np.nan)
    return rate
