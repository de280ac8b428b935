"""Points lost add up, exactly, whatever is known and whatever failed."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.scores.composing import FULL, NO_SCORE, apportioned, compose
from collector.scores.reckoning import scores
from collector.scores.score import Score, as_json, change, from_json
from collector.scores.table import OpenAlert, Pulse
from tests.collector.scores import oracle
from tests.collector.scores.examples import DAYS, SETTINGS, day, robot

VALUES = st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]))
WEIGHTS = st.lists(st.sampled_from([1.0, 3.0, 10.0, 12.5]), min_size=1, max_size=14)


@given(st.data(), WEIGHTS)
def test_losses_are_those_of_exact_fractions(data: st.DataObject, weights: list[float]) -> None:
    """Rounded by largest remainders; what is left of 100 is the score."""
    values = data.draw(st.lists(VALUES, min_size=len(weights), max_size=len(weights)))
    shares = data.draw(
        st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=len(weights), max_size=len(weights))
    )
    if all(value is None for value in values):
        values[0] = 1.0
    values = [None if value is None else round(value, 6) for value in values]
    array = np.array([[np.nan if value is None else value for value in values]], dtype=np.float64)
    found = compose(array, np.array([shares]), np.array(weights), 0.0, np.array([FULL]))
    slow = oracle.losses(values, shares, weights)
    assert abs(int(found.points[0]) - (FULL - sum(slow))) <= 1  # a sum of floats may miss a half
    assert found.points[0] + found.lost[0].sum() == FULL
    assert all(abs(int(mine) - own) <= 1 for mine, own in zip(found.lost[0], slow, strict=True))
    assert found.lost[0].min() >= 0


@given(st.lists(st.integers(0, 400), min_size=1, max_size=14))
def test_shares_are_the_oracles_where_floats_are_exact(eighths: list[int]) -> None:
    """Halves up, and of equal remainders the first."""
    found = apportioned(np.array([eighths]) / 8)[0]
    down = [eighth // 8 for eighth in eighths]
    lacking = (sum(eighths) + 4) // 8 - sum(down)
    order = sorted(range(len(eighths)), key=lambda at: (-(eighths[at] % 8), at))
    assert found.tolist() == [whole + (at in order[:lacking]) for at, whole in enumerate(down)]


def _fleet(seed: int) -> list[Score]:
    rnd = np.random.default_rng(seed)
    count = int(rnd.integers(1, 25))
    robots = [
        robot(f"r{row}", customer=str(rnd.choice(["A", "B", ""])), site=str(rnd.choice(["x", "y"])))
        for row in range(count)
    ]
    rows = [
        {
            "heard": float(rnd.integers(0, 9)),
            "visitors": float(rnd.choice([np.nan, 5, 100])),
            "interactions": [float(value) for value in rnd.integers(0, 60, DAYS)],
            "asr": float(rnd.integers(0, 60)),
        }
        for _ in robots
    ]
    alerts = [
        OpenAlert(kind, entity, str(rnd.choice(["critical", "high", "low"])))
        for kind, entity in (("robot", "r0"), ("site", "x"), ("customer", "B"))
        if rnd.random() < 0.5
    ]
    pulses = {"A": Pulse(int(rnd.integers(1, 6)), float(rnd.integers(0, 60)))}
    return list(scores(day(robots, rows, alerts=alerts, pulses=pulses, customers=["A", "Z"]), SETTINGS))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_every_score_lacks_what_was_lost(seed: int) -> None:
    """For robots, sites and customers, with caps."""
    for score in _fleet(seed):
        if score.tenths is not None:
            assert score.tenths + sum(score.lost().values()) == FULL
            assert 0 <= score.tenths <= (FULL if score.cap is None else score.cap.at * 10)
        else:
            assert score.reason is not None
            assert sum(score.lost().values()) == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_changes_add_up_to_the_change(seed: int, other: int) -> None:
    """Component by component, though one was missing then, or a cap has come."""
    before = {(score.kind, score.entity): score for score in _fleet(other)}
    for score in _fleet(seed):
        earlier = before.get((score.kind, score.entity))
        if earlier is not None and (gained := change(score, earlier)) is not None:
            assert sum(gained.values()) == score.tenths - earlier.tenths  # type: ignore[operator]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_score_comes_back_as_it_was_kept(seed: int) -> None:
    """Its explanation goes through JSON; digits beyond the sixth do not matter."""
    for score in _fleet(seed):
        kept = json.loads(json.dumps(as_json(score)))
        key = (score.kind, score.entity, score.day)
        back = from_json(key, score.points, score.coverage, score.industry, kept)
        assert (back.tenths, back.lost(), back.cap, back.reason) == (
            score.tenths, score.lost(), score.cap, score.reason,
        )  # fmt: skip
        assert as_json(back) == kept
        assert back == score


def test_no_score_below_the_minimum_of_coverage() -> None:
    """It is said so, and nothing is lost."""
    values = np.array([[0.5, np.nan], [np.nan, np.nan]])
    found = compose(values, np.ones((2, 2)), np.array([1.0, 3.0]), 0.3, np.array([FULL, FULL]))
    assert found.points.tolist() == [NO_SCORE, NO_SCORE]
    assert found.coverage.tolist() == [0.25, 0.0]
    assert found.lost.sum() == 0
