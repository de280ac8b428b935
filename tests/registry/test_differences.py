"""What an import would change: field by field, and nothing that a file does not name."""

from collector.registry import (
    Contract,
    Customer,
    Kind,
    Lifecycle,
    Plan,
    Record,
    RobotRecord,
    Tier,
    plan,
    read,
)
from collector.registry.records import kind_of


def planned(text: str, source: str, *known: Record) -> Plan:
    """What a file would change of these records."""
    return plan(read(text, source), {(kind_of(record), record.id): record for record in known})


def test_added_changed_and_as_it_was() -> None:
    """Of what is changed, only the fields that are; numbers and words are compared as what they mean."""
    known = (Customer("a", Tier.KEY, csm="eve"), Customer("b", region="North"))
    found = planned("id,tier,csm,region\na,strategic,eve,\nb,,,North\nc,key,,\n", "customers.csv", *known)
    assert [(each.what, each.id) for each in found.differences] == [("changed", "a"), ("added", "c")]
    assert found.differences[0].fields == {"tier": ("key", "strategic")}
    assert (found.differences[0].source, found.differences[0].line) == ("customers.csv", 2)
    assert found.differences[1].fields == {"tier": (None, "key")}
    assert (found.counts, found.unchanged) == ({"added": 1, "changed": 1}, 1)


def test_a_column_that_is_not_there_changes_nothing() -> None:
    """Who was renewed, and nothing else; an empty cell empties the field."""
    known = Contract("C-1", "ACME", "2026-01-01", "2026-12-31", 5.0, "CNY", 3)
    found = planned("id,renewed\nC-1,yes\n", "contracts.csv", known)
    assert found.differences[0].fields == {"renewed": (None, True)}
    assert found.differences[0].record == Contract(
        "C-1", "ACME", "2026-01-01", "2026-12-31", 5.0, "CNY", 3, True
    )
    emptied = planned("id,robots\nC-1,\n", "contracts.csv", known)
    assert emptied.differences[0].fields == {"robots": (3, None)}


def test_fields_are_checked_against_those_that_stay() -> None:
    """A new end before the old beginning is a problem of its row; a required field cannot be emptied."""
    known = Contract("C-1", "ACME", "2026-01-01", "2026-12-31")
    [problem] = planned("id,ends_on\nC-1,2025-12-31\n", "contracts.csv", known).problems
    assert (problem.line, str(problem.error)) == (2, "ends_on 2025-12-31 is before begins_on 2026-01-01")
    [problem] = planned("id,customer\nC-1,\n", "contracts.csv", known).problems
    assert str(problem.error) == "customer is missing"


def test_writing_a_robot_down_claims_it() -> None:
    """One that was heard before it was registered is in use, unless the row says otherwise."""
    known = RobotRecord("r1", Lifecycle.UNCLAIMED)
    found = planned("id,site\nr1,HQ\n", "robots.csv", known)
    assert found.differences[0].fields == {"lifecycle": ("unclaimed", "live"), "site": (None, "HQ")}
    kept = planned("id,site\nr1,HQ\n", "robots.csv", RobotRecord("r1", Lifecycle.ONBOARDING))
    assert kept.differences[0].fields == {"site": (None, "HQ")}


def test_an_attribute_of_the_owners_making_comes_and_goes() -> None:
    """It is a field like the others."""
    known = RobotRecord("r1", extra={"floor": 3.0, "wing": "east"})
    found = planned("id,floor,wing\nr1,4,\n", "robots.csv", known)
    assert found.differences[0].fields == {"floor": (3.0, 4.0), "wing": ("east", None)}
    assert found.differences[0].record == RobotRecord("r1", extra={"floor": 4.0})


def test_a_digest_stands_for_the_differences() -> None:
    """It is the same for the same ones, and another as soon as anything else would be changed."""
    text = "id,tier\na,strategic\n"
    first = planned(text, "customers.csv", Customer("a", Tier.KEY))
    assert first.digest == planned(f"{text}\n", "customers.csv", Customer("a", Tier.KEY)).digest
    assert first.digest != planned(text, "customers.csv", Customer("a", Tier.STANDARD)).digest
    assert first.digest != planned(text, "customers.csv").digest
    assert Kind.CUSTOMER.plural == "customers"
