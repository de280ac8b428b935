"""A score with its explanation: what was lost for what, and what changed since another one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from collector.scores.settings import CAP, Kind

CapReason = Literal["critical_alert", "silent"]
NoScore = Literal["no_robots", "coverage"]
FULL: Final = 1_000


@dataclass(frozen=True, slots=True)
class Component:
    """One component: its weight, of which share of robots it is known, its value from 0 to 1, the tenths of
    points lost for it, and what it was reckoned from.
    """

    key: str
    weight: float
    share: float
    value: float | None
    lost: int
    seen: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_missing(self) -> bool:
        """Whether nothing is known of it, so that its points count for the others."""
        return self.value is None


@dataclass(frozen=True, slots=True)
class Cap:
    """A hard failure: the score is at most `at` points; what that took away is in tenths of points.

    `robots` of them have it.
    """

    reason: CapReason
    at: int
    lost: int
    robots: int = 1


@dataclass(frozen=True, slots=True)
class Score:
    """How well a robot, site or customer did in the week that ends with `day` (YYYY-MM-DD).

    `tenths` is the score in tenths of points; None: there is none, and `reason` says why. `use` has sums of
    counters over the same week, and over the week before (None: too little is known of it).
    """

    kind: Kind
    entity: str
    day: str
    tenths: int | None
    coverage: float
    components: Sequence[Component] = ()
    cap: Cap | None = None
    reason: NoScore | None = None
    robots: int = 1
    use: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)
    industry: str | None = None
    silent_days: int = 0
    peers: Mapping[str, float] = field(default_factory=dict)  # what is usual in its industry, by `RATES`

    @property
    def points(self) -> float | None:
        """The score from 0 to 100."""
        return None if self.tenths is None else self.tenths / 10

    def lost(self) -> dict[str, int]:
        """Tenths of points lost by component, and by `cap`; with the score they make 1000."""
        found = {component.key: component.lost for component in self.components}
        return found | ({CAP: self.cap.lost} if self.cap else {})


def change(now: Score, before: Score) -> dict[str, int] | None:
    """What each component gave (or took, below zero) since then, in tenths of points; those that changed.

    They add up to the change of the score. None where one of both is none.
    """
    if now.tenths is None or before.tenths is None:
        return None
    lost, lost_before = now.lost(), before.lost()
    gained = {key: lost_before.get(key, 0) - lost.get(key, 0) for key in dict.fromkeys([*lost, *lost_before])}
    return {key: tenths for key, tenths in gained.items() if tenths}


def as_json(score: Score) -> dict[str, Any]:
    """What of a score is kept beside its number."""
    kept: dict[str, Any] = {
        "parts": [
            [part.key, part.weight, part.share, part.value, part.lost, dict(part.seen)]
            for part in score.components
        ],
        "robots": score.robots,
    }
    if score.cap is not None:
        kept["cap"] = [score.cap.reason, score.cap.at, score.cap.lost, score.cap.robots]
    if score.reason is not None:
        kept["reason"] = score.reason
    if score.use:
        kept["use"] = {name: [now, before] for name, (now, before) in score.use.items()}
    if score.peers:
        kept["peers"] = dict(score.peers)
    if score.silent_days:
        kept["silent_days"] = score.silent_days
    return kept


def from_json(
    key: tuple[Kind, str, str],
    points: float | None,
    coverage: float,
    industry: str | None,
    kept: Mapping[str, Any],
) -> Score:
    """A score as it was kept; one of long ago has lost its explanation."""
    kind, entity, day = key
    return Score(
        kind,
        entity,
        day,
        tenths=None if points is None else round(points * 10),
        coverage=coverage,
        components=tuple(Component(*part) for part in kept.get("parts", ())),
        cap=Cap(*kept["cap"]) if "cap" in kept else None,
        reason=kept.get("reason"),
        robots=kept.get("robots", 1),
        use={name: (now, before) for name, (now, before) in kept.get("use", {}).items()},
        industry=industry,
        silent_days=kept.get("silent_days", 0),
        peers=kept.get("peers", {}),
    )
