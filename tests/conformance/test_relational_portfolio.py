"""Customers with what registry, robots, queue and scores say of them, the most urgent first."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from sqlalchemy import insert

from collector.relational import Lifecycle, Relational, RobotRecord
from collector.relational.portfolio import (
    Contract,
    CustomerLine,
    PortfolioQuery,
    Registered,
    next_renewal,
    tiers,
)
from collector.relational.schema import contracts, customers, people, sites
from collector.scores.urgency import urgency
from tests.collector.evaluations import RULES, Signals
from tests.conformance.test_relational_scores import score

NOW = 1_795_154_400_000  # 2026-11-20T14:00+08:00


def put(database: Relational, table: Any, *rows: Mapping[str, object]) -> None:
    """Rows as the registry would write them."""
    names = {name: None for row in rows for name in row}
    with database._database.writing() as connection:
        connection.execute(insert(table), [{**names, "revision": 1, **row} for row in rows])


def contract(id_: str, customer: str, ends_on: str, renewed: bool | None = None) -> dict[str, object]:
    """One of a year."""
    begins = date.fromisoformat(ends_on).replace(year=int(ends_on[:4]) - 1).isoformat()
    return {"id": id_, "customer": customer, "begins_on": begins, "ends_on": ends_on, "renewed": renewed}


@pytest.fixture
def portfolio(database: Relational) -> Relational:
    """Three registered customers, and one that only a robot names."""
    put(
        database, customers,
        {"id": "A", "tier": "key", "csm": "li", "region": "north", "industry": "bank"},
        {"id": "B", "tier": "key", "csm": "wu", "region": "south", "industry": None},
        {"id": "Empty", "tier": None, "csm": None, "region": None, "industry": None},
    )  # fmt: skip
    database.import_robots(
        [
            RobotRecord("a1", customer="A", site="x", tz="Asia/Shanghai", industry="hall"),
            RobotRecord("a2", customer="A", site="y", tz="Asia/Shanghai"),
            RobotRecord("a3", Lifecycle.RETIRED, customer="A", site="z"),
            RobotRecord("b1", customer="B", site="u", tz="America/New_York", industry="hall"),
            RobotRecord("n1", customer="Named"),
            RobotRecord("lost"),
        ]
    )
    database.scores.save([score("A", 90.0), score("B", 60.0), score("B", 70.0, "2026-11-12")], 1)
    return database


def lines(database: Relational, **query: Any) -> dict[str, CustomerLine]:
    """The lines by customer."""
    return {line.id: line for line in database.portfolio.customers(PortfolioQuery(**query), NOW)}


def test_all_customers_are_listed_the_most_urgent_first(portfolio: Relational) -> None:
    """One that fell before one that is merely not perfect; one without a robot last."""
    found = lines(portfolio)
    assert list(found) == ["B", "Named", "A", "Empty"]
    a = found["A"]
    assert (a.robots, a.sites, a.industry, a.tz) == (2, 2, "bank", "Asia/Shanghai")
    assert (found["B"].industry, found["B"].change, found["B"].average, found["B"].is_below) == (
        "hall", -10.0, 75.0, True,
    )  # fmt: skip
    assert (a.is_below, found["Named"].points, found["Empty"].robots) == (False, None, 0)
    assert tiers(list(found.values())) == {"key": (75.0, 2, 1)}


def test_filters_and_whose_customers(portfolio: Relational) -> None:
    """By attributes, by name, by who may see them, and by their tier's average."""
    assert list(lines(portfolio, industry="hall")) == ["B"]
    assert list(lines(portfolio, region="north", tier="key", csm="li")) == ["A"]
    assert set(lines(portfolio, q="nAm")) == {"Named"}
    assert list(lines(portfolio, below=True)) == ["B"]
    assert set(lines(portfolio, seen_by="li")) == {"A", "Named", "Empty"}
    assert lines(portfolio, seen_by="li")["A"].average == 75.0
    assert portfolio.portfolio.sees("li", "Named")
    assert not portfolio.portfolio.sees("li", "B")
    assert portfolio.portfolio.choices() == {
        "industry": ["bank", "hall"], "region": ["north", "south"], "tier": ["key"], "csm": ["li", "wu"],
    }  # fmt: skip


def test_days_to_renewal_are_counted_on_the_customers_calendar(portfolio: Relational) -> None:
    """The undecided contract that ends next, else the last that ended; decided ones do not count."""
    put(
        portfolio, contracts,
        contract("1", "A", "2026-11-21"), contract("2", "A", "2027-11-21"),
        contract("3", "A", "2026-11-20", True),
        contract("4", "B", "2026-11-18"), contract("5", "B", "2026-11-19"),
    )  # fmt: skip
    found = lines(portfolio)
    assert (found["A"].days_to_renewal, found["B"].days_to_renewal, found["Named"].days_to_renewal) == (
        1,
        -1,
        None,
    )
    assert [one.id for one in portfolio.portfolio.contracts("A")] == ["2", "1", "3"]
    late = portfolio.portfolio.customers(PortfolioQuery(), NOW + 2 * 3_600_000 + 8 * 3_600_000)
    assert {line.id: line.days_to_renewal for line in late}["A"] == 0


def test_open_alerts_are_counted_by_customer(portfolio: Relational) -> None:
    """With the severest of them."""
    signals = Signals()
    portfolio.commit(signals.fires(NOW, "Relocalization", "a1", "a2"), RULES)
    portfolio.commit(signals.fires(NOW + 1, "Burning", "a1"), RULES)
    listed = portfolio.portfolio.with_alerts(list(lines(portfolio).values()))
    found = {line.id: line for line in listed}
    assert (found["A"].open_alerts, found["A"].worst) == (3, 0)
    assert (found["B"].open_alerts, found["B"].worst) == (0, None)
    assert list(found) == list(lines(portfolio))


def test_a_customer_is_registered_or_named(portfolio: Relational) -> None:
    """What the registry says of it; a retired robot names nobody."""
    portfolio.import_robots([RobotRecord("old", Lifecycle.RETIRED, customer="Gone")])
    known = portfolio.portfolio.customer("A")
    assert known is not None
    assert (known.tier, known.csm) == ("key", "li")
    assert portfolio.portfolio.customer("Named") == Registered("Named")
    assert portfolio.portfolio.customer("Gone") is None
    assert portfolio.portfolio.customer("nobody") is None


def test_a_pulse_is_kept_with_its_history(portfolio: Relational) -> None:
    """Of a customer that is registered, and of one that becomes so by it."""
    for customer in ("A", "Named"):
        portfolio.registry.set_pulse(customer, 2, "angry", "li", NOW)
        portfolio.registry.set_pulse(customer, 5, None, "wu", NOW + 1)
        known = portfolio.portfolio.customer(customer)
        assert known is not None
        assert (known.pulse, known.pulse_at) == (5, NOW + 1)
        assert [
            (change.who, change.what, change.fields, change.note)
            for change in portfolio.portfolio.journal(customer)
        ] == [("wu", "pulse", {"pulse": (2, 5)}, None), ("li", "pulse", {"pulse": (None, 2)}, "angry")]
    with pytest.raises(ValueError, match="from 1 to 5, not 6"):
        portfolio.registry.set_pulse("A", 6, None, "li", NOW)


def test_the_registrys_sites_and_people(portfolio: Relational) -> None:
    """By customer, and by id."""
    put(
        portfolio,
        sites,
        {"id": "y", "customer": "A"},
        {"id": "x", "customer": "A"},
        {"id": "u", "customer": "B"},
    )
    person = {"id": "li", "name": "李薇", "role": "csm", "sees": "own", "active": True}
    put(portfolio, people, person)
    assert portfolio.portfolio.sites("A") == ["x", "y"]
    assert portfolio.accounts.names() == {"li": "李薇"}


def test_who_is_urgent() -> None:
    """What was lost last week counts thrice, and all of it twice once the renewal is due."""
    assert urgency(90.0, None, None, 1) == 10
    assert urgency(90.0, -10.0, None, 1) == 30
    assert urgency(90.0, -10.0, 45, 1) == 45
    assert urgency(90.0, 5.0, -3, 1) == 20
    assert (urgency(None, None, None, 2), urgency(None, None, 0, 0)) == (50, 0)


def test_the_next_renewal() -> None:
    """None where all is decided."""

    def one(id_: str, day: int, renewed: bool | None = None) -> Contract:
        return Contract(id_, date(2025, 1, day), date(2026, 1, day), None, None, None, renewed)

    assert next_renewal([one("a", 9), one("b", 5), one("c", 6)], date(2026, 1, 6)) == one("c", 6)
    assert next_renewal([one("a", 9), one("b", 5)], date(2026, 1, 10)) == one("a", 9)
    assert next_renewal([one("a", 9, True), one("b", 8, False)], date(2026, 1, 1)) is None
