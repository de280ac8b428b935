"""Scores in the database: kept by day, listed from the lowest, thinned with time."""

from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import insert

from collector.relational import CursorError, Lifecycle, Relational, RobotRecord
from collector.relational.portfolio import PortfolioQuery
from collector.relational.schema import customers
from collector.relational.scores import ScoreLine, ScoreQuery
from collector.scores.score import Cap, Component, Score
from collector.scores.settings import Kind
from collector.scores.table import OpenAlert
from rules.evaluation import By, Entity, Suppression
from tests.collector.evaluations import RULES, Signals, evaluation

DAY = "2026-11-19"


def score(
    entity: str, points: float | None, day: str = DAY, kind: Kind = "customer", industry: str | None = None
) -> Score:
    """A score with an explanation."""
    part = Component("availability", 20.0, 1.0, 0.5, 100, {"heard": 4.0, "counted": 8.0})
    return Score(
        kind,
        entity,
        day,
        tenths=None if points is None else round(points * 10),
        coverage=0.9,
        components=(part,),
        cap=Cap("silent", 25, 30, 2),
        reason="coverage" if points is None else None,
        robots=3,
        use={"engagement.visitors": (10.0, 20.0)},
        industry=industry,
    )


def register(database: Relational, *rows: dict[str, object]) -> None:
    """Customers of the registry."""
    usual = dict.fromkeys(("tier", "region", "industry", "csm", "pulse", "pulse_at"))
    with database._database.writing() as connection:
        connection.execute(insert(customers), [{**usual, "revision": 1, **row} for row in rows])


def test_a_score_comes_back_as_it_was(database: Relational) -> None:
    """With its explanation; a second one of the same day takes its place."""
    assert database.scores.one("customer", "A") is None
    database.scores.save([score("A", 40.0), score("A", 60.0, "2026-11-12"), score("B", None)], 1)
    assert database.scores.one("customer", "A") == score("A", 40.0)
    assert database.scores.one("customer", "A", "2026-11-12") == score("A", 60.0, "2026-11-12")
    database.scores.save([score("A", 41.5)], 2)
    assert database.scores.one("customer", "A") == score("A", 41.5)
    assert database.scores.many("customer", ["A", "B", "C"], DAY) == {
        "A": score("A", 41.5),
        "B": score("B", None),
    }
    assert database.scores.history("customer", "A", "2026-11-01") == [("2026-11-12", 60.0), (DAY, 41.5)]
    assert database.scores.histories("customer", ["A", "B"], "2026-11-13") == {
        "A": [(DAY, 41.5)],
        "B": [(DAY, None)],
    }
    assert database.scores.days("customer") == {"2026-11-12", DAY}
    assert (len(database.scores.entities("customer", DAY)), len(database.scores.entities("robot", DAY))) == (
        2,
        0,
    )


def test_many_are_saved_in_portions(database: Relational) -> None:
    """However many, all of them."""
    assert database.scores.save((score(f"r{n}", 50.0, kind="robot") for n in range(1_203)), 1) == 1_203
    assert len(database.scores.entities("robot", DAY)) == 1_203


def test_the_lowest_come_first_and_pages_meet(database: Relational) -> None:
    """Equals by name, those without a score last; each has its score of a week before."""
    given = {"D": 40.0, "A": 70.0, "C": 40.0, "B": None, "Z": None}
    database.scores.save([score(name, points) for name, points in given.items()], 1)
    database.scores.save([score("C", 55.0, "2026-11-12"), score("X", 1.0, "2026-11-12")], 1)
    listed: list[ScoreLine] = []
    after: str | None = None
    for _ in range(5):
        page = database.scores.page(after=after, limit=1)
        listed += page.items
        after = page.next
    assert after is None
    assert [line.entity for line in listed] == ["C", "D", "A", "B", "Z"]
    assert (listed[0].before, listed[0].change, listed[1].change) == (55.0, -15.0, None)


@pytest.mark.parametrize("cursor", ["x", "?", "W10", "WzEsMl0", "bnVsbA"])
def test_a_foreign_cursor_is_refused(database: Relational, cursor: str) -> None:
    """It is said so, and nothing else happens."""
    with pytest.raises(CursorError):
        database.scores.page(after=cursor)


def test_lists_are_filtered_by_the_customer(database: Relational) -> None:
    """By its tier, region, CSM and industry; the industry of its robots, where the registry names none."""
    register(
        database,
        {"id": "A", "tier": "key", "region": "north", "csm": "li", "industry": "bank"},
        {"id": "B", "tier": "key", "region": "south", "csm": "wu"},
    )
    robots = [RobotRecord("r1", customer="A", site="x"), RobotRecord("r2", customer="B", site="y")]
    database.import_robots(robots)
    database.scores.save(
        [score("A", 40.0, industry="hall"), score("B", 60.0, industry="hall"), score("C", 1.0)], 1
    )
    database.scores.save([score("r1", 10.0, kind="robot"), score("r2", 20.0, kind="robot")], 1)
    database.scores.save([score("x", 10.0, kind="site"), score("y", 20.0, kind="site")], 1)

    def found(kind: Kind = "customer", **wanted: str) -> list[str]:
        return [line.entity for line in database.scores.page(ScoreQuery(kind, **wanted)).items]

    assert found(tier="key") == ["A", "B"]
    assert found(industry="hall") == ["B"]
    assert found(industry="bank", region="north") == ["A"]
    assert found("robot", csm="wu") == ["r2"]
    assert found("site", region="north") == ["x"]
    assert database.scores.tier_averages() == {"key": 50.0}


def test_a_tiers_average_leaves_out_who_has_no_score(database: Relational) -> None:
    """And customers that nobody put into a tier."""
    register(database, {"id": "A", "tier": "key"}, {"id": "B", "tier": "key"}, {"id": "C"})
    database.scores.save([score("A", 40.0), score("B", None), score("C", 90.0)], 1)
    assert database.scores.tier_averages() == {"key": 40.0}


def test_old_scores_grow_thin(database: Relational) -> None:
    """After a week robots lose the explanation, after two only Sundays stay, and those not for ever."""
    days = ["2026-11-18", "2026-11-10", "2026-11-08", "2026-11-03", "2026-11-01", "2026-08-30"]
    for kind in ("robot", "customer"):
        database.scores.save([score("A", 40.0, day, kind) for day in [*days, DAY]], 1)
    database.scores.thin(DAY)
    kept = sorted({*days, DAY} - {"2026-11-03"})
    assert [day for day, _ in database.scores.history("customer", "A", "2026-01-01")] == kept
    assert [day for day, _ in database.scores.history("robot", "A", "2026-01-01")] == kept[1:]
    explained = {day: database.scores.one("robot", "A", day) for day in kept[1:]}
    assert [day for day, found in explained.items() if found and found.components] == ["2026-11-18", DAY]
    assert database.scores.one("customer", "A", "2026-08-30") == score("A", 40.0, "2026-08-30")


def test_alerts_that_were_open_at_a_time(database: Relational) -> None:
    """Opened by then and not closed yet; of those open still, none that something suppresses."""
    database.import_robots([RobotRecord(name) for name in ("r1", "r2")])
    signals = Signals()
    database.commit(signals.fires(1_000_000, "Silent", "r1", "r2"), RULES)
    database.commit(signals.fires(2_000_000, "Burning", "r1"), RULES)
    assert database.scores.open_at(999_999) == []
    both = {OpenAlert("robot", "r1", "high"), OpenAlert("robot", "r2", "high")}
    assert set(database.scores.open_at(1_000_000)) == both
    _suppress(database, "r2")
    assert set(database.scores.open_at(2_000_000)) == {
        OpenAlert("robot", "r1", "high"), OpenAlert("robot", "r1", "critical"),
    }  # fmt: skip


def _suppress(database: Relational, robot: str) -> None:
    by = By("inhibition", "Silent", Entity("robot", "r1"))
    change = Suppression(1_500_000, "Silent", Entity("robot", robot), by)
    database.commit(replace(evaluation(3_000_000), suppressions=(change,)), RULES)


def test_pulses_and_registered_customers(database: Relational) -> None:
    """What the registry says, for the reckoning."""
    register(database, {"id": "B", "pulse": 3, "pulse_at": 77}, {"id": "A"})
    assert database.scores.pulses() == {"B": (3, 77)}
    assert database.scores.registered() == ["A", "B"]


def test_scores_survive(url: str) -> None:
    """Another process reads what one wrote."""
    with closing(Relational(url)) as first:
        first.scores.save([score("A", 40.0)], 1)
    with closing(Relational(url)) as again:
        assert again.scores.one("customer", "A") == score("A", 40.0)


def test_the_latest_score_may_be_of_the_day_before(database: Relational) -> None:
    """Where the newest day is not over everywhere; a week before it is a week before that one."""
    given = [
        score("A", 40.0), score("A", 45.0, "2026-11-18"), score("A", 50.0, "2026-11-12"),
        score("B", 60.0, "2026-11-18"), score("B", 30.0, "2026-11-11"), score("C", 1.0, "2026-11-17"),
    ]  # fmt: skip
    register(database, {"id": "A", "tier": "key"}, {"id": "B", "tier": "key"}, {"id": "C", "tier": "key"})
    database.scores.save(given, 1)
    lines = [(line.entity, line.day, line.points, line.change) for line in database.scores.page().items]
    assert lines == [("A", DAY, 40.0, -10.0), ("B", "2026-11-18", 60.0, 30.0)]
    assert database.scores.tier_averages() == {"key": 50.0}
    found = {line.id: line for line in database.portfolio.customers(PortfolioQuery(), 0)}
    assert [(found[id_].points, found[id_].change) for id_ in "ABC"] == [
        (40.0, -10.0),
        (60.0, 30.0),
        (None, None),
    ]


def test_a_site_is_of_whom_its_robots_in_use_are(database: Relational) -> None:
    """Not of whom a retired one was; a retired robot itself stays its customer's."""
    retired = RobotRecord("r1", Lifecycle.RETIRED, customer="Before", site="Hall")
    database.import_robots([retired, RobotRecord("r2", customer="Now", site="Hall")])
    assert database.scores.customer_of("site", "Hall") == "Now"
    assert database.scores.customer_of("robot", "r1") == "Before"
