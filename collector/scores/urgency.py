"""Which customer to look at first."""

from typing import Final

UNKNOWN: Final = 50.0  # points held to be lost where there are robots, but no score
FALL: Final = 2.0  # what a point lost in the last week counts more than one lost before
NEAR_DAYS: Final = 90  # so near its renewal, a customer grows more urgent, up to twice as much


def urgency(points: float | None, change: float | None, days_to_renewal: int | None, robots: int) -> float:
    """Points lost, those of the last week once more and twice; doubled as an undecided renewal comes near.

    A falling score matters the more, the nearer the renewal.
    """
    unknown = UNKNOWN if robots else 0.0
    lost = unknown if points is None else 100.0 - points
    fallen = max(-(change or 0.0), 0.0)
    return (lost + FALL * fallen) * (1 + nearness(days_to_renewal))


def nearness(days_to_renewal: int | None) -> float:
    """0 for a renewal that is far or decided, 1 for one that is due or past."""
    if days_to_renewal is None:
        return 0.0
    return min(max(1 - days_to_renewal / NEAR_DAYS, 0.0), 1.0)
