"""An entity among its peers."""

from collections.abc import Mapping, Sequence

from rules.rule import Peers
from tests.rules.oracle.records import Attributes


def standing(
    peers: Peers, me: str, values: Mapping[str, float], attributes: Mapping[str, Attributes]
) -> float | None:
    """Where `me` stands among those whose value is known; None where it cannot be said."""
    if me not in values:
        return None
    for length in range(len(peers.same), 0, -1) if peers.same else (0,):
        same = peers.same[:length]
        group = [
            value
            for entity, value in values.items()
            if all(attributes[entity].get(name) == attributes[me].get(name) for name in same)
        ]
        if len(group) >= peers.min_peers:
            return _statistic(peers, values[me], group)
    return None


def _statistic(peers: Peers, mine: float, group: Sequence[float]) -> float | None:
    if peers.statistic == "percentile":
        below = len([value for value in group if value < mine])
        equal = len([value for value in group if value == mine]) - 1
        return (below + equal / 2) / (len(group) - 1) if len(group) > 1 else None
    middle = _median(group)
    spread = _median([abs(value - middle) for value in group])
    return 0.6745 * (mine - middle) / max(spread, 1e-9, 0.05 * abs(middle))


def _median(values: Sequence[float]) -> float:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2
