"""The rank: points by the table, and an order that does not depend on when one looks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import ranking
from collector.ranking import DAY_MS, Point, Standing

T = 1_800_000_000_000


def keys(points: tuple[Point, ...]) -> dict[str, float]:
    """Points by key."""
    return {point.key: point.points for point in points}


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (Standing(), {}),
        (Standing(amount=1_200_000, currency="CNY"), {"contract": 20}),
        (Standing(amount=50_000, currency="USD"), {"contract": 15}),
        (Standing(amount=2_000_000, currency="JPY"), {"contract": 10}),
        (Standing(amount=29_999), {}),
        (Standing(amount=30_000, currency="QQQ"), {"contract": 5}),
        (Standing(renewal_in_days=30), {"renewal": 25}),
        (Standing(renewal_in_days=31), {"renewal": 15}),
        (Standing(renewal_in_days=181), {}),
        (Standing(renewal_in_days=-30), {"renewal": 25}),
        (Standing(renewal_in_days=-31), {}),
        (Standing(affected=1, robots=8), {"share": 2}),
        (Standing(affected=8, robots=8), {"share": 20}),
        (Standing(affected=9, robots=8), {"share": 20}),
        (Standing(affected=1, robots=0), {}),
    ],
)
def test_what_a_customer_adds(standing: Standing, expected: dict[str, float]) -> None:
    """Every band of the table, at its edges."""
    assert keys(ranking.standing_points(standing)) == expected
    assert keys(ranking.points("high", standing)) == {"severity": 60} | expected


def test_reasons_say_what_they_follow_from() -> None:
    """A person can check each of them."""
    [_, contract, renewal, share] = ranking.points("low", Standing(300_000, "CNY", 21, 2, 8))
    assert contract.values == {"amount": 300_000, "currency": "CNY"}
    assert renewal.values == {"days": 21}
    assert share.values == {"affected": 2, "robots": 8}
    assert Point.of_json(share.as_json()) == share


def test_a_customer_stands_differently() -> None:
    """Its part of the reasons is replaced; severity and missed deadlines stay, in their order."""
    before = ranking.missed(ranking.points("high", Standing(renewal_in_days=10)), "ack_missed")
    after = ranking.restood(before, Standing(affected=4, robots=4))
    assert keys(after) == {"severity": 60, "share": 20, "ack_missed": 10}
    assert ranking.restood(after, Standing(affected=4, robots=4)) == after
    assert keys(ranking.without(after, "ack_missed")) == {"severity": 60, "share": 20}
    assert ranking.missed(after, "ack_missed") == after


@given(
    points=st.lists(st.integers(0, 100), min_size=2, max_size=2),
    opened=st.lists(st.integers(0, 400 * DAY_MS), min_size=2, max_size=2),
    later=st.integers(0, 1_000 * DAY_MS),
)
def test_the_order_does_not_depend_on_now(points: list[int], opened: list[int], later: int) -> None:
    """Whoever has more points with age, today or in years, has the higher priority."""
    reasons = [(Point("severity", each),) for each in points]
    times = [T + each for each in opened]
    now = max(times) + later
    totals = [sum(p.points for p in ranking.ranked(r, at, now)) for r, at in zip(reasons, times, strict=True)]
    first, second = (ranking.priority(r, at) for r, at in zip(reasons, times, strict=True))
    if abs(first - second) > 1e-6:
        assert (first > second) == (totals[0] > totals[1])


def test_age_is_a_reason_like_others() -> None:
    """The reasons by now come with the age, the weightiest first."""
    shown = ranking.ranked(ranking.points("low", Standing(renewal_in_days=5)), T, T + 12 * DAY_MS)
    assert [(point.key, point.points) for point in shown] == [("renewal", 25), ("age", 12), ("severity", 10)]
