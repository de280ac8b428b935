"""Who passes which filters."""

from datetime import UTC, datetime

import pytest

from rules.roster import Robot, Roster
from rules.rule import Filter, OneOf, Prefix, Within

ROSTER = Roster(
    [
        Robot("a", {"lifecycle": "live", "model": "x-1", "floors": 3.0, "tz": "Asia/Shanghai"}),
        Robot("b", {"lifecycle": "retired", "model": "x-2", "floors": 12.0}),
        Robot("c", {"lifecycle": "unclaimed", "floors": "3"}),
    ]
)


@pytest.mark.parametrize(
    ("where", "passing"),
    [
        ((), "ac"),
        ((OneOf("lifecycle", ("retired", "live")),), "ab"),
        ((Prefix("model", "x-"),), "a"),
        ((Prefix("model", "x-"), OneOf("lifecycle", ("retired",))), "b"),
        ((OneOf("floors", ("3",)),), "ac"),
        ((Within("floors", 2, 3),), "a"),
        ((Within("floors", None, 2),), ""),
        ((OneOf("owner", ("me",)),), ""),
    ],
)
def test_filters(where: tuple[Filter, ...], passing: str) -> None:
    """All must pass; retired robots pass only where a lifecycle is asked for."""
    mask = ROSTER.mask(where)
    assert "".join(robot for robot, passes in zip(ROSTER.ids, mask, strict=True) if passes) == passing


def test_days_since_install_are_days_at_the_site() -> None:
    """They begin at local midnight; unknown is no number of days."""
    roster = Roster(
        [
            Robot("a", {"installed_on": "2026-03-01", "tz": "Asia/Shanghai"}),
            Robot("b", {"installed_on": "2026-03-01"}),
            Robot("c", {"installed_on": "soon"}),
            Robot("d", {"installed_on": "2026-03-01", "tz": "Mars/Base"}),
        ]
    )
    seventh = (Within("days_since_install", 7, 7),)
    at = datetime(2026, 3, 7, 17, tzinfo=UTC)  # the 8th in Shanghai, the 7th in UTC
    assert roster.days_mask(seventh, round(at.timestamp() * 1_000)).tolist() == [True, False, False, False]


def test_rows_stay() -> None:
    """A robot keeps its row when others join, or when it changes."""
    grown = ROSTER.joined([Robot("b", {"lifecycle": "live"}), Robot("d")])
    assert grown.ids == ("a", "b", "c", "d")
    assert grown.robots[1].attributes == {"lifecycle": "live"}
    with pytest.raises(ValueError, match="twice"):
        Roster([Robot("a"), Robot("a")])
