"""The registry in a database: imported whole or not at all, edited once, and every change written down."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert

from collector.registry import (
    Contract,
    Customer,
    Kind,
    Lifecycle,
    Reading,
    RegistryError,
    RobotRecord,
    Site,
    Stage,
    Tier,
    read,
)
from collector.registry.writing import to_yaml
from collector.relational import CursorError, Relational, RobotQuery
from collector.relational.registry import (
    ContractQuery,
    CustomerQuery,
    SiteQuery,
    StaleError,
    UnknownSubjectError,
)
from collector.relational.schema import people

YAML = """
customers:
- {id: ACME, tier: key, stage: growth, csm: csm-en, region: North, industry: retail}
- {id: 江海银行, tier: strategic, csm: csm-zh, industry: bank}
contracts:
- {id: C-1, customer: ACME, begins_on: 2026-01-01, ends_on: 2026-12-31, amount: 100, currency: EUR}
- {id: C-2, customer: 江海银行, begins_on: 2026-01-01, ends_on: 2026-06-30, renewed: yes}
sites:
- {id: Hall, customer: ACME, tz: Europe/Berlin, open_hours: mo-fr 09:00-18:00, region: North}
robots:
- {id: r1, customer: ACME, site: Hall, floor: 2}
"""


def reading(text: str = YAML, source: str = "registry.yaml") -> Reading:
    """What a file says."""
    return read(text, source)


@pytest.fixture
def filled(database: Relational) -> Relational:
    """Two customers with a contract each, a site and a robot."""
    assert database.registry.import_(reading(), "eve", 1_000).done
    return database


def test_everything_is_there_after_an_import(filled: Relational) -> None:
    """Record by record, and as a whole; and the file that is written of it reads back to the same."""
    registry = filled.registry
    assert registry.customer("ACME") == Customer("ACME", Tier.KEY, Stage.GROWTH, "csm-en", "North", "retail")
    assert registry.contract("C-2") == Contract("C-2", "江海银行", "2026-01-01", "2026-06-30", renewed=True)
    assert registry.site("Hall") == Site("Hall", "ACME", "Europe/Berlin", "mo-fr 09:00-18:00", region="North")
    assert registry.one(Kind.ROBOT, "r1") == RobotRecord(
        "r1", customer="ACME", site="Hall", extra={"floor": 2.0}
    )
    assert registry.counts() == {Kind.CUSTOMER: 2, Kind.CONTRACT: 2, Kind.SITE: 1, Kind.ROBOT: 1}
    assert registry.customer("nobody") is None
    again = registry.import_(reading(to_yaml(registry.contents())), "eve", 2_000)
    assert (again.plan.differences, again.plan.unchanged) == ((), 6)


def test_a_dry_run_changes_nothing(database: Relational) -> None:
    """It says what would be done, and raises no revision."""
    revision = database.roster_revision()
    outcome = database.registry.import_(reading(), "eve", 1_000, dry_run=True)
    assert (outcome.done, outcome.plan.counts) == (False, {"added": 6, "changed": 0})
    assert set(database.registry.counts().values()) == {0}
    assert database.registry.history().items == ()
    assert database.roster_revision() == revision


def test_nothing_is_imported_by_halves(database: Relational) -> None:
    """One bad row, by itself or against what is known, and nothing is done; or bad ones are left out."""
    bad = YAML + "- {id: no good}\n"
    outcome = database.registry.import_(reading(bad), "eve", 1_000)
    assert (outcome.done, [problem.line for problem in outcome.plan.problems]) == (False, [12])
    assert set(database.registry.counts().values()) == {0}
    assert database.registry.import_(reading(bad), "eve", 1_000, skip_bad=True).done
    assert database.registry.counts()[Kind.ROBOT] == 1
    against = reading("id,ends_on,amount\nC-1,2020-01-01,\nC-2,,7\n", "contracts.csv")
    outcome = database.registry.import_(against, "eve", 2_000)
    reasons = [str(problem.error) for problem in outcome.plan.problems]
    assert reasons == ["ends_on 2020-01-01 is before begins_on 2026-01-01", "ends_on is missing"]
    assert not database.registry.import_(reading("x: [", "r.yaml"), "eve", 1, skip_bad=True).done


def test_only_the_plan_that_was_seen_is_done(filled: Relational) -> None:
    """If something was changed since, nothing is done, and the new plan is told."""
    change = reading("id,tier\nACME,strategic\n", "customers.csv")
    seen = filled.registry.import_(change, "eve", 2_000, dry_run=True).plan
    filled.registry.edit(Kind.CUSTOMER, "ACME", {"tier": "standard"}, "adam", 3_000)
    late = filled.registry.import_(change, "eve", 4_000, expected=seen.digest)
    assert (late.done, late.plan.differences[0].fields) == (False, {"tier": ("standard", "strategic")})
    assert filled.registry.import_(change, "eve", 5_000, expected=late.plan.digest).done


def test_who_is_named_but_not_known_is_told(database: Relational) -> None:
    """A CSM nobody registered, once there are people; a customer of a contract that stands nowhere."""
    outcome = database.registry.import_(reading(), "eve", 1_000, dry_run=True)
    assert outcome.doubts == ()
    with database._database.writing() as connection:
        row = {"id": "csm-en", "name": "CSM", "role": "csm", "sees": "own", "active": True, "revision": 1}
        connection.execute(insert(people), [row])
    doubts = database.registry.import_(reading(), "eve", 1_000).doubts
    assert [(doubt.id, doubt.field, doubt.value) for doubt in doubts] == [("江海银行", "csm", "csm-zh")]
    contract = "id,customer,begins_on,ends_on\nC-9,Nobody,2026-01-01,2026-12-31\n"
    [doubt] = database.registry.import_(reading(contract, "contracts.csv"), "eve", 1_000).doubts
    assert str(doubt) == "contract 'C-9': customer 'Nobody' is no customer that is known here"
    database.import_robots([RobotRecord("r2", customer="Nobody")])
    assert (
        database.registry.import_(reading("id,customer\nS,Nobody\n", "sites.csv"), "eve", 1_000).doubts == ()
    )


def test_a_page_at_a_time(filled: Relational) -> None:
    """Customers, sites and robots by id, contracts by their end; filters and cursors work together."""
    registry = filled.registry
    first = registry.customers(limit=1)
    assert ([each.id for each in first.items], first.next) == (["ACME"], "ACME")
    second = registry.customers(after=first.next, limit=1)
    assert ([each.id for each in second.items], second.next) == (["江海银行"], None)
    soonest = registry.contracts(limit=1)
    assert [each.id for each in soonest.items] == ["C-2"]
    assert [each.id for each in registry.contracts(after=soonest.next).items] == ["C-1"]
    with pytest.raises(CursorError):
        registry.contracts(after="x")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (CustomerQuery(), ["ACME", "江海银行"]),
        (CustomerQuery(q="acm"), ["ACME"]),
        (CustomerQuery(q="银"), ["江海银行"]),
        (CustomerQuery(q="%"), []),
        (CustomerQuery(tier=Tier.KEY), ["ACME"]),
        (CustomerQuery(stage=Stage.CHURN), []),
        (CustomerQuery(csm="csm-zh", industry="bank"), ["江海银行"]),
        (CustomerQuery(region="North"), ["ACME"]),
    ],
)
def test_customers_are_found(filled: Relational, query: CustomerQuery, found: list[str]) -> None:
    """By each of their fields, and by a part of the name."""
    assert [each.id for each in filled.registry.customers(query).items] == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (ContractQuery(q="acme"), ["C-1"]),
        (ContractQuery(customer="江海银行"), ["C-2"]),
        (ContractQuery(csm="csm-en"), ["C-1"]),
        (ContractQuery(renewed="yes"), ["C-2"]),
        (ContractQuery(renewed="no"), []),
        (ContractQuery(renewed="open"), ["C-1"]),
        (ContractQuery(ends_from="2026-07-01"), ["C-1"]),
        (ContractQuery(ends_until="2026-06-30"), ["C-2"]),
    ],
)
def test_contracts_are_found(filled: Relational, query: ContractQuery, found: list[str]) -> None:
    """By customer, CSM, end and renewal."""
    assert [each.id for each in filled.registry.contracts(query).items] == found


def test_sites_and_robots_are_found(filled: Relational) -> None:
    """By customer, by the customer's CSM, and by a part of the name."""
    registry = filled.registry
    assert [each.id for each in registry.sites(SiteQuery(q="hal", csm="csm-en", region="North")).items] == [
        "Hall"
    ]
    assert registry.sites(SiteQuery(customer="江海银行")).items == ()
    assert [each.id for each in registry.robots(RobotQuery(q="hall", csm="csm-en")).items] == ["r1"]
    assert registry.robots(RobotQuery(csm="csm-zh")).items == ()
    assert [each.id for each in registry.robots_of("site", "Hall")] == ["r1"]
    assert [each.id for each in registry.contracts_of(["ACME", "x"])["ACME"]] == ["C-1"]
    assert registry.choices(Kind.CUSTOMER, "csm") == ["csm-en", "csm-zh"]


def test_the_second_of_two_edits_is_told_of_the_first(filled: Relational) -> None:
    """Who changed what, and when; nothing of the second is done."""
    registry = filled.registry
    seen = registry.customer("ACME")
    assert seen is not None
    registry.edit(Kind.CUSTOMER, "ACME", {"stage": "decline"}, "adam", 5_000, revision=seen.revision)
    with pytest.raises(StaleError, match="customer 'ACME' was changed by adam meanwhile: stage") as raised:
        registry.edit(Kind.CUSTOMER, "ACME", {"tier": "standard"}, "eve", 6_000, revision=seen.revision)
    assert raised.value.change is not None
    assert raised.value.change.at == 5_000
    assert raised.value.change.fields == {"stage": ("growth", "decline")}
    now = registry.customer("ACME")
    assert now is not None
    assert (now.tier, now.stage, now.revision) == (Tier.KEY, Stage.DECLINE, 2)
    registry.remove(Kind.CUSTOMER, "ACME", "adam", 7_000)
    with pytest.raises(StaleError, match="was removed by adam") as raised:
        registry.edit(Kind.CUSTOMER, "ACME", {"tier": "standard"}, "eve", 8_000, revision=2)
    assert raised.value.current is None
    with pytest.raises(StaleError, match="was added by eve"):
        registry.edit(Kind.CUSTOMER, "江海银行", {"tier": "key"}, "eve", 8_000, revision=0)


@pytest.mark.parametrize("kind", list(Kind))
def test_of_many_edits_at_once_one_is_done(filled: Relational, kind: Kind) -> None:
    """The others are stale."""
    registry = filled.registry
    id_ = {Kind.CUSTOMER: "ACME", Kind.CONTRACT: "C-1", Kind.SITE: "Hall", Kind.ROBOT: "r1"}[kind]
    field = "industry" if kind in (Kind.CUSTOMER, Kind.ROBOT) else "customer"
    record = registry.one(kind, id_)
    assert record is not None

    def edit(number: int) -> str:
        try:
            registry.edit(kind, id_, {field: f"x{number}"}, "eve", number, revision=record.revision)
        except StaleError:
            return "stale"
        return "done"

    with ThreadPoolExecutor(4) as threads:
        ends = list(threads.map(edit, range(8)))
    assert sorted(ends) == ["done", *["stale"] * 7]
    assert len(registry.history(kind, id_).items) == 2


def test_an_edit_is_whole_or_in_part(filled: Relational) -> None:
    """Fields that are not given stay, or with `whole` go; what changes nothing is not written down."""
    registry = filled.registry
    registry.edit(Kind.CUSTOMER, "ACME", {"tier": "key"}, "eve", 2_000)
    assert len(registry.history(Kind.CUSTOMER, "ACME").items) == 1
    registry.edit(Kind.CUSTOMER, "ACME", {"tier": "key"}, "eve", 2_000, whole=True)
    assert registry.customer("ACME") == Customer("ACME", Tier.KEY)
    robot = registry.edit(Kind.ROBOT, "r1", {"name": "Uno"}, "eve", 2_000)
    assert robot == RobotRecord("r1", name="Uno", customer="ACME", site="Hall", extra={"floor": 2.0})
    assert robot.revision == 2
    new = registry.edit(Kind.SITE, "New", {"tz": "UTC"}, "eve", 2_000, revision=0)
    assert (new, new.revision) == (Site("New", tz="UTC"), 1)
    with pytest.raises(RegistryError, match="customer is missing"):
        registry.edit(Kind.CONTRACT, "C-1", {"customer": None}, "eve", 2_000)


def test_every_change_is_written_down(filled: Relational) -> None:
    """Who, when, and each field before and after; the newest first, a page at a time."""
    registry = filled.registry
    registry.edit(Kind.CONTRACT, "C-1", {"renewed": True, "amount": 250.0}, "adam", 2_000)
    registry.remove(Kind.CONTRACT, "C-1", "eve", 3_000)
    gone, changed, added = registry.history(Kind.CONTRACT, "C-1").items
    assert (gone.what, gone.who, gone.at, gone.fields["renewed"]) == ("removed", "eve", 3_000, (True, None))
    assert (changed.what, changed.who) == ("changed", "adam")
    assert changed.fields == {"amount": (100.0, 250.0), "renewed": (None, True)}
    assert (added.what, added.who, added.at) == ("added", "eve", 1_000)
    first = registry.history(limit=3)
    rest = registry.history(after=first.next)
    assert len(first.items) + len(rest.items) == 8
    with pytest.raises(CursorError):
        registry.history(after="x")
    with pytest.raises(UnknownSubjectError):
        registry.remove(Kind.CONTRACT, "C-1", "eve", 4_000)
    with pytest.raises(ValueError, match="robots are never removed"):
        registry.remove(Kind.ROBOT, "r1", "eve", 4_000)


def test_rules_see_what_sites_and_customers_say(filled: Relational) -> None:
    """Where the robot lacks it itself."""
    change = "id,site,customer,tz,industry\nr2,Hall,江海银行,UTC,hotel\nr3,Nowhere,Nobody,,\n"
    assert filled.registry.import_(reading(change, "robots.csv"), "eve", 2_000).done
    first, second, third = filled.roster().robots
    assert first.attributes == {
        "lifecycle": "live", "customer": "ACME", "site": "Hall", "floor": 2.0, "tz": "Europe/Berlin",
        "open_hours": "mo-fr 09:00-18:00", "region": "North", "tier": "key", "stage": "growth",
        "csm": "csm-en", "industry": "retail",
    }  # fmt: skip
    assert (second.attributes["tz"], second.attributes["industry"]) == ("UTC", "hotel")
    assert (second.attributes["tier"], "stage" in second.attributes) == ("strategic", False)
    assert third.attributes == {"lifecycle": "live", "site": "Nowhere", "customer": "Nobody"}


@pytest.mark.parametrize(
    ("change", "is_seen"),
    [
        (lambda registry: registry.edit(Kind.SITE, "Hall", {"tz": "UTC"}, "eve", 1), True),
        (lambda registry: registry.edit(Kind.CUSTOMER, "ACME", {"tier": "standard"}, "eve", 1), True),
        (lambda registry: registry.edit(Kind.ROBOT, "r1", {"name": "x"}, "eve", 1), True),
        (lambda registry: registry.remove(Kind.SITE, "Hall", "eve", 1), True),
        (lambda registry: registry.edit(Kind.CONTRACT, "C-1", {"renewed": True}, "eve", 1), False),
        (lambda registry: registry.edit(Kind.SITE, "Hall", {"tz": "Europe/Berlin"}, "eve", 1), False),
        (lambda registry: registry.import_(reading(), "eve", 1), False),
    ],
)
def test_the_roster_is_told_of_what_rules_can_see(
    filled: Relational, change: Callable[[object], object], is_seen: bool
) -> None:
    """A running evaluator enrols again for a site, a customer or a robot; not for a contract."""
    before = filled.roster_revision()
    change(filled.registry)
    assert (filled.roster_revision() > before) is is_seen


def test_a_robot_that_was_only_heard_is_claimed(database: Relational) -> None:
    """Its row in the engine stays what it was."""
    database.claim_unknown(["r1", "r2"])
    assert database.registry.import_(reading("id,site\nr2,HQ\n", "robots.csv"), "eve", 1_000).done
    assert [(robot.id, robot.lifecycle) for robot in database.robots()] == [
        ("r1", Lifecycle.UNCLAIMED),
        ("r2", Lifecycle.LIVE),
    ]


def test_a_pulse_is_no_revision(filled: Relational) -> None:
    """Who edits the customer meanwhile is not late; who is, is told of the edit, and not of the pulse."""
    registry = filled.registry
    registry.set_pulse("ACME", 2, None, "eve", 9_000)
    kept = registry.customer("ACME")
    assert kept is not None
    assert (kept.pulse, kept.pulse_at, kept.tier, kept.revision) == (2, 9_000, Tier.KEY, 1)
    assert registry.history(Kind.CUSTOMER, "ACME").items[0].fields == {"pulse": (None, 2)}
    registry.edit(Kind.CUSTOMER, "ACME", {"stage": "decline"}, "adam", 9_001, revision=1)
    registry.set_pulse("ACME", 1, None, "eve", 9_002)
    with pytest.raises(StaleError, match="changed by adam meanwhile: stage"):
        registry.edit(Kind.CUSTOMER, "ACME", {"tier": "standard"}, "bo", 9_003, revision=1)


def test_ten_thousand_customers(database: Relational) -> None:
    """They are imported in one go, and every page has its rows and no other."""
    rows = "\n".join(f"c{number:05},key,csm-{number % 3},Region {number % 7}" for number in range(10_000))
    text = f"id,tier,csm,region\n{rows}\n"
    assert database.registry.import_(reading(text, "customers.csv"), "eve", 1_000).done
    seen: list[str] = []
    after = None
    while after is not None or not seen:
        page = database.registry.customers(CustomerQuery(csm="csm-1"), after=after, limit=500)
        seen += [each.id for each in page.items]
        after = page.next
    assert seen == [f"c{number:05}" for number in range(1, 10_000, 3)]
