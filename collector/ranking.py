"""The rank of an alert: points, each with its reason, and age.

What counts, and how much:

| reason          | points                                                                                 |
|-----------------|----------------------------------------------------------------------------------------|
| severity        | critical 100, high 60, medium 30, low 10, info 0                                         |
| contract        | by its amount in CNY: from 1,000,000 20; 300,000 15; 100,000 10; 30,000 5; else 0        |
| renewal         | days to the end of an undecided contract: up to 30 25; 60 15; 90 10; 180 5; else 0      |
| share           | 20 times the share of the customer's robots that have an open alert, rounded            |
| ack_missed      | 10 once nobody had taken it in time, until somebody takes it                            |
| resolve_missed  | 20 once it was not solved in time                                                       |
| age             | 1 a day                                                                                |

A contract that ended up to 30 days ago and is still undecided counts as one about to end. Other currencies
are turned into CNY at a rough rate: only the order of magnitude counts.

All alerts age alike, so their order never changes by age alone: `priority` leaves out what depends on now,
and is points − days from 1970 until the alert opened. The queue is read from the highest on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

DAY_MS: Final = 86_400_000
AGE_PER_DAY: Final = 1.0
SEVERITY: Final[Mapping[str, int]] = {"critical": 100, "high": 60, "medium": 30, "low": 10, "info": 0}
CONTRACT: Final = ((1_000_000, 20), (300_000, 15), (100_000, 10), (30_000, 5))  # CNY from, points
RENEWAL: Final = ((30, 25), (60, 15), (90, 10), (180, 5))  # days up to, points
FORGOTTEN_DAYS: Final = -30  # an undecided contract that ended before is history
SHARE: Final = 20
MISSED: Final[Mapping[str, int]] = {"ack_missed": 10, "resolve_missed": 20}
ROUGH_CNY: Final[Mapping[str, float]] = {
    "CNY": 1,
    "RMB": 1,
    "USD": 7,
    "EUR": 8,
    "GBP": 9,
    "CHF": 8,
    "SGD": 5,
    "AUD": 5,
    "CAD": 5,
    "MYR": 1.6,
    "AED": 2,
    "SAR": 2,
    "HKD": 0.9,
    "TWD": 0.2,
    "THB": 0.2,
    "INR": 0.08,
    "JPY": 0.05,
    "KRW": 0.005,
}
OF_STANDING: Final = ("contract", "renewal", "share")  # the reasons that are the customer's
Missed = Literal["ack_missed", "resolve_missed"]


@dataclass(frozen=True, slots=True)
class Point:
    """One reason for the rank: which, how many points, and what they follow from."""

    key: str
    points: float
    values: Mapping[str, str | int | float | None] = field(default_factory=dict)

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> "Point":
        """A reason as it was stored."""
        values = {name: value for name, value in stored.items() if name not in ("key", "points")}
        return cls(stored["key"], stored["points"], values)

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"key": self.key, "points": self.points, **self.values}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a customer stands with us; what is not known is None."""

    amount: float | None = None  # of the contract that runs, or was the last
    currency: str | None = None
    renewal_in_days: int | None = None  # of the undecided contract that ends first
    affected: int = 0  # robots with an open alert
    robots: int = 0  # of all its robots in use


def points(severity: str, standing: Standing) -> tuple[Point, ...]:
    """The reasons for an alert's rank when it opens; those that give nothing are left out."""
    found = (Point("severity", SEVERITY[severity], {"severity": severity}), *standing_points(standing))
    return tuple(point for point in found if point.points)


def standing_points(standing: Standing) -> tuple[Point, ...]:
    """What the alert's customer adds to its rank."""
    found = (_contract(standing), _renewal(standing), _share(standing))
    return tuple(point for point in found if point.points)


def restood(reasons: Iterable[Point], standing: Standing) -> tuple[Point, ...]:
    """The reasons with the customer's part of them as it is now."""
    before = {point.key: point for point in reasons}
    found = {point.key: point for point in standing_points(standing)}
    kept = {key: point for key, point in before.items() if key not in OF_STANDING}
    return tuple(sorted((kept | found).values(), key=lambda point: _ORDER.index(point.key)))


def missed(reasons: Iterable[Point], key: Missed) -> tuple[Point, ...]:
    """The reasons once a deadline has passed."""
    return (*(point for point in reasons if point.key != key), Point(key, MISSED[key]))


def without(reasons: Iterable[Point], key: Missed) -> tuple[Point, ...]:
    """The reasons once that deadline matters no more."""
    return tuple(point for point in reasons if point.key != key)


def priority(reasons: Iterable[Point], opened_at: int) -> float:
    """What the queue is ordered by: the higher the sooner, whatever the time is."""
    return sum(point.points for point in reasons) - AGE_PER_DAY * opened_at / DAY_MS


def age(opened_at: int, now: int) -> Point:
    """What the time since an alert opened adds to its rank by now."""
    days = max(0, now - opened_at) / DAY_MS
    return Point("age", AGE_PER_DAY * days, {"days": days})


def ranked(reasons: Iterable[Point], opened_at: int, now: int) -> tuple[Point, ...]:
    """All reasons, the age among them, the weightiest first: why the alert stands where it stands."""
    return tuple(sorted((*reasons, age(opened_at, now)), key=lambda point: -point.points))


_ORDER: Final = ("severity", *OF_STANDING, "ack_missed", "resolve_missed")


def _contract(standing: Standing) -> Point:
    amount = standing.amount or 0
    cny = amount * ROUGH_CNY.get((standing.currency or "CNY").upper(), 1)
    found = next((worth for bound, worth in CONTRACT if cny >= bound), 0)
    return Point("contract", found, {"amount": amount, "currency": standing.currency})


def _renewal(standing: Standing) -> Point:
    days = standing.renewal_in_days
    if days is None or days < FORGOTTEN_DAYS:
        return Point("renewal", 0)
    return Point("renewal", next((worth for bound, worth in RENEWAL if days <= bound), 0), {"days": days})


def _share(standing: Standing) -> Point:
    if not standing.robots:
        return Point("share", 0)
    affected = min(standing.affected, standing.robots)
    values = {"affected": affected, "robots": standing.robots}
    return Point("share", round(SHARE * affected / standing.robots), values)
