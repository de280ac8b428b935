"""Customers, contracts and sites over HTTP, and files that are taken in whole or not at all."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from collector.http.guard import MAX_BODY, MAX_FILE
from collector.people import Person, Role, Sees
from collector.registry import Kind, read
from tests.http.conftest import MINUTE, Clock, T, World, visitor
from tests.signing import csm, sign_in

YAML = """
customers:
- {id: A/B 客户, tier: key, stage: growth, csm: eve}
- {id: Other, csm: adam}
- {id: Nobody's}
contracts:
- {id: C-1, customer: A/B 客户, begins_on: 2026-01-01, ends_on: 2026-12-31, amount: 100.5, currency: EUR}
- {id: C-2, customer: Other, begins_on: 2026-01-01, ends_on: 2026-06-30}
sites:
- {id: Hall 2, customer: A/B 客户, tz: Asia/Shanghai}
"""
As = Callable[[Person], TestClient]


@pytest.fixture(autouse=True)
def registered(world: World) -> None:
    """Three customers, of eve, of adam, and of nobody."""
    assert world.services.relational.registry.import_(read(YAML, "registry.yaml"), "command", T).done


@pytest.fixture
def signed(world: World) -> Iterator[As]:
    """Answers a client that acts as a person."""
    opened: list[TestClient] = []

    def enter(person: Person) -> TestClient:
        opened.append(sign_in(visitor(world), world.services, person))
        return opened[-1]

    yield enter
    for client in opened:
        client.close()


def test_customers_are_listed_and_found(client: TestClient) -> None:
    """By page, by filter, and by a name with a slash in it."""
    page = client.get("/api/v1/customers?limit=1").json()
    assert ([item["id"] for item in page["items"]], page["next"]) == (["A/B 客户"], "A/B 客户")
    rest = client.get("/api/v1/customers", params={"after": page["next"], "tier": "", "csm": "adam"}).json()
    assert [item["id"] for item in rest["items"]] == ["Other"]
    assert client.get("/api/v1/customers/A%2FB%20%E5%AE%A2%E6%88%B7").json() == {
        "id": "A/B 客户", "tier": "key", "stage": "growth", "csm": "eve", "region": None, "industry": None,
        "note": None, "pulse": None, "pulse_at": None, "revision": 1,
    }  # fmt: skip


def test_contracts_and_sites_are_listed_and_found(client: TestClient) -> None:
    """Contracts by their end."""
    page = client.get("/api/v1/contracts?limit=1").json()
    assert [item["id"] for item in page["items"]] == ["C-2"]
    rest = client.get("/api/v1/contracts", params={"after": page["next"], "renewed": "open"}).json()
    assert [(item["id"], item["amount"]) for item in rest["items"]] == [("C-1", 100.5)]
    assert client.get("/api/v1/contracts/C-1").json()["renewed"] is None
    assert client.get("/api/v1/sites?customer=A/B 客户").json()["items"][0]["tz"] == "Asia/Shanghai"
    assert client.get("/api/v1/sites/Hall 2").json()["customer"] == "A/B 客户"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("customers?q=&tier=&stage=&csm=&region=&industry=&after=", 200),
        ("contracts?q=&customer=&renewed=&ends_from=&ends_until=&after=", 200),
        ("sites?q=&customer=&region=&after=", 200),
        ("registry/history?kind=&id=&after=", 200),
        ("registry/history?after=x", 422),
        ("contracts?after=x", 422),
        ("contracts?ends_from=soon", 422),
        ("customers?tier=gold", 422),
        ("sites?colour=red", 422),
        ("sites?limit=0", 422),
    ],
)
def test_lists_are_asked_for_what_makes_sense(client: TestClient, path: str, status: int) -> None:
    """An empty wish is none; one that nobody can fulfil is refused."""
    assert client.get(f"/api/v1/{path}").status_code == status


def test_a_customer_is_put_patched_and_deleted(client: TestClient) -> None:
    """Put says all of it, patch a part; every step is in the history."""
    body = {"tier": "strategic", "region": "North"}
    made = client.put("/api/v1/customers/New", json=body).json()
    assert (made["tier"], made["revision"]) == ("strategic", 1)
    patched = client.patch("/api/v1/customers/New", json={"csm": "eve", "region": None}).json()
    assert (patched["tier"], patched["csm"], patched["region"]) == ("strategic", "eve", None)
    put = client.put("/api/v1/customers/New", json={"stage": "launch", "revision": 2}).json()
    assert (put["tier"], put["stage"], put["revision"]) == (None, "launch", 3)
    assert client.delete("/api/v1/customers/New?revision=3").status_code == 204
    history = client.get("/api/v1/registry/history?kind=customer&id=New").json()["items"]
    assert [item["what"] for item in history] == ["removed", "changed", "changed", "added"]
    assert history[2]["fields"] == {
        "csm": {"before": None, "after": "eve"},
        "region": {"before": "North", "after": None},
    }
    assert (history[0]["who"], history[0]["at"]) == ("mei", "2026-11-22T01:00:00.000Z")


def test_a_robot_is_put_and_patched(client: TestClient) -> None:
    """Its own attributes, too."""
    made = client.put("/api/v1/robots/r9", json={"site": "Hall 2", "extra": {"floor": 3}}).json()
    assert (made["lifecycle"], made["extra"], made["revision"]) == ("live", {"floor": 3.0}, 1)
    patched = client.patch("/api/v1/robots/r9", json={"lifecycle": "retired"}).json()
    assert (patched["site"], patched["lifecycle"], patched["extra"]) == ("Hall 2", "retired", {"floor": 3.0})
    assert client.patch("/api/v1/robots/r9", json={"extra": {"floor": None}}).json()["extra"] == {}
    assert client.delete("/api/v1/robots/r9").status_code == 405


def test_the_second_of_two_is_told_of_the_first(client: TestClient, clock: Clock) -> None:
    """409, with who did what, and when, and which revision counts now."""
    client.patch("/api/v1/sites/Hall 2", json={"region": "East", "revision": 1})
    clock.now += MINUTE
    answer = client.patch("/api/v1/sites/Hall 2", json={"region": "West", "revision": 1})
    problem = answer.json()
    assert (answer.status_code, problem["changed_by"], problem["revision"]) == (409, "mei", 2)
    assert problem["changed_at"] == "2026-11-22T01:00:00.000Z"
    assert problem["fields"] == {"region": {"before": None, "after": "East"}}
    assert client.delete("/api/v1/sites/Hall 2?revision=1").status_code == 409
    assert client.put("/api/v1/sites/New", json={"revision": 4}).status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "fields"),
    [
        ("PUT", "contracts/C-9", {}, ["customer"]),
        ("PUT", "contracts/C-9", {"begins_on": "2026", "ends_on": "never"}, ["begins_on", "ends_on"]),
        ("PATCH", "contracts/C-1", {"ends_on": "2025-12-31"}, ["ends_on"]),
        ("PATCH", "contracts/C-1", {"amount": -1}, ["amount"]),
        ("PATCH", "contracts/C-1", {"robots": 2**60}, ["robots"]),
        ("PATCH", "customers/Other", {"tier": "gold"}, ["tier"]),
        ("PATCH", "customers/Other", {"colour": "red"}, ["colour"]),
        ("PATCH", "customers/Other", {"note": "x" * 2_001}, ["note"]),
        ("PUT", "customers/%E2%80%AE%00", {}, ["id"]),
        ("PUT", "sites/x", {"tz": "Mars/Base"}, ["tz"]),
        ("PUT", "robots/no%20good", {}, ["id"]),
        ("PUT", "robots/r9", {"extra": {"Bad Name": 1}}, ["Bad Name"]),
    ],
)  # fmt: skip
def test_values_that_cannot_be_used(
    client: TestClient, method: str, path: str, body: dict[str, Any], fields: list[str]
) -> None:
    """422, each naming its field; nothing is changed."""
    answer = client.request(method, f"/api/v1/{path}", json=body)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, fields)
    assert len(client.get("/api/v1/registry/history").json()["items"]) == 6


@pytest.mark.parametrize("path", ["customers/no", "contracts/no", "sites/no", "customers/"])
def test_what_is_not_there(client: TestClient, path: str) -> None:
    """404, with its name."""
    answer = client.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert client.delete(f"/api/v1/{path}").status_code == 404


def test_a_file_is_looked_at_and_taken_in(client: TestClient) -> None:
    """A dry run tells the differences; the import does just that."""
    body = {"name": "customers.csv", "text": "id,tier\nOther,key\nNew,strategic\nA/B 客户,key\n"}
    seen = client.post("/api/v1/registry/import", json=body).json()
    assert [seen[name] for name in ("done", "added", "changed", "unchanged", "bad")] == [False, 1, 1, 1, 0]
    assert seen["differences"][0] == {
        "what": "changed",
        "kind": "customer",
        "id": "Other",
        "fields": {"tier": {"before": None, "after": "key"}},
    }
    assert client.get("/api/v1/customers/New").status_code == 404
    assert client.post("/api/v1/registry/import", json={**body, "dry_run": False}).json()["done"]
    assert client.get("/api/v1/customers/New").json()["tier"] == "strategic"


def test_a_bad_file_changes_nothing(client: TestClient) -> None:
    """All bad rows with file and line; or they are left out."""
    text = "id,tier\nOther,gold\nNew,strategic\n,key\n"
    body = {"name": "customers.csv", "text": text, "dry_run": False}
    answer = client.post("/api/v1/registry/import", json=body)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (
        422,
        ["customers.csv:2", "customers.csv:4"],
    )
    assert client.get("/api/v1/customers/New").status_code == 404
    assert client.post("/api/v1/registry/import", json={**body, "skip_bad": True}).json()["added"] == 1
    assert client.post("/api/v1/registry/import", json={"name": "x.txt", "text": ""}).json()["bad"] == 1


def test_the_registry_comes_back_from_its_export(client: TestClient) -> None:
    """As YAML with everything, or as CSV of one kind."""
    text = client.get("/api/v1/registry/export").text
    body = {"name": "registry.yaml", "text": text, "dry_run": False}
    again = client.post("/api/v1/registry/import", json=body).json()
    assert (again["done"], again["added"], again["changed"], again["unchanged"]) == (True, 0, 0, 9)
    table = client.get("/api/v1/registry/export?format=csv&kind=site").text
    assert table.splitlines()[0] == "id,customer,tz,open_hours,holidays,region"
    assert client.get("/api/v1/registry/export?format=csv").status_code == 422


def test_only_a_file_may_be_large(client: TestClient) -> None:
    """A table of thousands of rows comes in; another body of its size does not, nor an endless file."""
    text = "id,note\n" + "".join(f"c{number},{'x' * 100}\n" for number in range(2_000))
    body = {"name": "customers.csv", "text": text}
    assert len(text) > 2 * MAX_BODY
    assert client.post("/api/v1/registry/import", json=body).json()["added"] == 2_000
    assert client.put("/api/v1/customers/x", json={"note": text}).status_code == 413
    huge = client.post("/api/v1/registry/import", json={"name": "x.csv", "text": "x" * MAX_FILE})
    assert huge.status_code == 413


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        (Role.CSM, "customers/Nobody's", 200),
        (Role.CSM, "contracts/C-1", 200),
        (Role.CSM, "sites/Hall 2", 403),
        (Role.CSM, "robots/r1", 403),
        (Role.INSTALLER, "sites/Hall 2", 200),
        (Role.INSTALLER, "robots/r1", 200),
        (Role.INSTALLER, "customers/Other", 403),
        (Role.ENGINEER, "contracts/C-1", 403),
        (Role.ADMIN, "customers/Other", 200),
    ],
)
def test_who_may_change_what(signed: As, role: Role, path: str, status: int) -> None:
    """CSMs customers and contracts, installers and engineers sites and robots, admins all."""
    client = signed(Person("somebody", "Somebody", role))
    assert client.patch(f"/api/v1/{path}", json={}).status_code == status
    kind = path.partition("/")[0]
    body = {"name": f"{kind}.csv", "text": f"id\n{path.partition('/')[2]}\n"}
    assert client.post("/api/v1/registry/import", json=body).status_code == status


def test_who_sees_its_own_customers_only(signed: As) -> None:
    """Others' are neither listed nor found, changed, taken in nor written out; nobody's are everybody's."""
    eve = signed(csm("eve", own=True))
    assert [item["id"] for item in eve.get("/api/v1/customers").json()["items"]] == ["A/B 客户", "Nobody's"]
    assert [item["id"] for item in eve.get("/api/v1/contracts").json()["items"]] == ["C-1"]
    assert eve.get("/api/v1/customers/Other").status_code == 404
    assert eve.delete("/api/v1/customers/Other").status_code == 404
    assert eve.patch("/api/v1/customers/Other", json={"tier": "key"}).status_code == 422
    assert eve.patch("/api/v1/contracts/C-1", json={"customer": "Other"}).status_code == 422
    body = {"name": "contracts.csv", "text": "id,renewed\nC-1,yes\nC-2,yes\n"}
    assert eve.post("/api/v1/registry/import", json=body).json()["problems"] == [
        {
            "file": "contracts.csv",
            "line": 3,
            "field": "customer",
            "message": "'C-2' belongs to a customer that somebody else looks after",
        }
    ]
    assert "Other" not in eve.get("/api/v1/registry/export").text
    assert eve.get("/api/v1/registry/history").status_code == 422
    assert eve.get("/api/v1/registry/history?kind=contract&id=C-2").status_code == 404
    assert eve.get("/api/v1/registry/history?kind=contract&id=C-1").status_code == 200
    everything = signed(Person("ann", "Ann", Role.CSM, Sees.ALL))
    assert len(everything.get("/api/v1/customers").json()["items"]) == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("customers/Other", {}),
        ("customers/Other", {"revision": 7}),
        ("customers/Other", {"csm": "eve"}),
        ("contracts/C-2", {}),
        ("contracts/C-2", {"ends_on": "2020-01-01"}),
        ("contracts/C-2", {"customer": "A/B 客户"}),
    ],
)
def test_an_edit_tells_nothing_of_others_customers(signed: As, path: str, body: dict[str, Any]) -> None:
    """Whatever is asked of it, the same refusal: the record is neither shown nor compared."""
    answer = signed(csm("eve", own=True)).patch(f"/api/v1/{path}", json=body)
    told = answer.json().get("errors", [{}])[0]
    assert (answer.status_code, told.get("field")) == (422, "customer")
    assert told["message"].endswith("belongs to a customer that somebody else looks after")
    assert "adam" not in answer.text


@pytest.mark.parametrize("row", ["2026-01-01,2026-06-30", "2027-01-01,", ","])
def test_a_dry_run_tells_nothing_of_others_customers(signed: As, row: str) -> None:
    """A row says the same whether it has the values of another's record, others, or none."""
    body = {"name": "contracts.csv", "text": f"id,begins_on,ends_on\nC-2,{row}\nC-1,2026-01-01,2026-12-31\n"}
    seen = signed(csm("eve", own=True)).post("/api/v1/registry/import", json=body).json()
    assert [problem["field"] for problem in seen["problems"]] == ["customer"]
    assert (seen["differences"], seen["unchanged"]) == ([], 1)


def test_a_robot_without_a_customer_is_of_its_site(signed: As, world: World) -> None:
    """Where the site is another's, it is neither listed nor found, counted, written out nor changed."""
    there = "sites:\n- {id: Theirs, customer: Other}\n"
    text = f"{there}robots:\n- {{id: rx, site: Theirs}}\n- {{id: ry, site: Hall 2}}\n"
    registry = world.services.relational.registry
    assert registry.import_(read(text, "registry.yaml"), "command", T).done
    eve = signed(Person("eve", "Eve", Role.INSTALLER, Sees.OWN))
    listed = [item["id"] for item in eve.get("/api/v1/robots").json()["items"]]
    assert ("rx" in listed, "ry" in listed) == (False, True)
    assert eve.get("/api/v1/robots/rx").status_code == 404
    assert eve.get("/api/v1/robots/ry").status_code == 200
    assert eve.patch("/api/v1/robots/rx", json={}).status_code == 422
    body = {"name": "robots.csv", "text": "id,site\nrx,Theirs\n"}
    assert eve.post("/api/v1/registry/import", json=body).json()["bad"] == 1
    assert "rx" not in eve.get("/api/v1/registry/export").text
    assert registry.counts("eve")[Kind.ROBOT] == registry.counts()[Kind.ROBOT] - 1
    assert world.services.relational.scores.customer_of("robot", "rx") == "Other"
