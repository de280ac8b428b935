"""What each role may do and see, by API and by page."""

from collections.abc import Mapping

import pytest
from fastapi.testclient import TestClient

from collector.people import ALLOWED, May, Person, Role, Sees
from collector.queue import Assign
from collector.registry import read
from collector.relational.schema import customers
from tests.http.conftest import World
from tests.signing import csm, known, sign_in

HTML = {"Accept": "text/html", "Accept-Language": "en"}
ASKED: Mapping[May, tuple[tuple[str, str], ...]] = {
    May.READ: (
        ("GET", "/api/v1/alerts"),
        ("GET", "/api/v1/robots/r1"),
        ("GET", "/api/v1/me"),
        ("GET", "/api/v1/people"),
        ("GET", "/metrics"),
        ("GET", "/"),
        ("GET", "/alerts/1"),
        ("GET", "/fleet"),
        ("GET", "/me"),
    ),
    May.WORK: (
        ("GET", "/api/v1/notifications"),
        ("GET", "/notifications"),
        ("POST", "/api/v1/alerts/1/acknowledge"),
        ("POST", "/alerts/2/acknowledge"),
        ("GET", "/alerts/1/snooze"),
    ),
    May.EXPORT: (("GET", "/api/v1/export"), ("GET", "/api/v1/alert-log")),
    May.MANAGE_PEOPLE: (("GET", "/people"), ("GET", "/people/new")),
}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_what_the_table_says(world: World, client: TestClient, role: Role) -> None:
    """Nothing more and nothing less; a refusal is 403, and says to ask an admin."""
    world.fires("Silent", "r1", "r2")
    sign_in(client, world.services, Person("somebody", "Somebody", role))
    for what, requests in ASKED.items():
        for method, path in requests:
            if path.startswith("/api/"):
                answer = client.request(method, path, json={} if method == "POST" else None)
            else:
                answer = client.request(method, path, headers=HTML)
            assert (answer.status_code == 403) == (what not in ALLOWED[role]), (role, path)
            assert answer.status_code in (200, 403), (role, path, answer.text)
            if answer.status_code == 403 and path.startswith("/api/"):
                assert answer.json()["detail"] == f"somebody ({role}) may not {what}; ask an admin"


def test_who_may_not_work_is_shown_no_buttons(world: World, client: TestClient) -> None:
    """An installer reads the queue, and presses nothing in it."""
    world.fires("Silent", "r1")
    assert "data-action=" in client.get("/", headers=HTML).text
    sign_in(client, world.services, Person("bo", "Bo", Role.INSTALLER))
    page = client.get("/", headers=HTML)
    assert 'id="alert-1"' in page.text
    assert "data-action=" not in page.text


@pytest.fixture
def others(world: World) -> int:
    """ACME is Ana's; the id of an alert there."""
    with world.services.relational._database.writing() as connection:
        connection.execute(customers.insert().values(id="ACME", csm="ana", revision=0))
    [id_, _] = world.fires("Silent", "r1", "r3")
    return id_


def test_what_is_of_others_is_not_there(world: World, client: TestClient, others: int) -> None:
    """Of a customer of another CSM neither alerts nor robots, by whatever address."""
    sign_in(client, world.services, csm("mei2", own=True))
    assert [item["entity"]["id"] for item in client.get("/api/v1/alerts").json()["items"]] == ["r3"]
    assert [item["id"] for item in client.get("/api/v1/robots").json()["items"]] == ["r3"]
    for path in (
        f"/api/v1/alerts/{others}",
        "/api/v1/robots/r1",
        "/api/v1/robots/r1/series?metric=network.rtt_ms",
        "/api/v1/robots/r1/delivery",
        f"/alerts/{others}",
        f"/alerts/{others}/close",
        f"/alerts/{others}/counters.json",
        "/robots/r1",
        "/robots/r1/plot.json?subsystem=network",
    ):
        assert client.get(path, headers=HTML).status_code == 404, path
    assert client.post(f"/api/v1/alerts/{others}/acknowledge", json={}).status_code == 404
    assert client.post(f"/alerts/{others}/acknowledge", headers=HTML).status_code == 404
    for path in ("/", "/fleet", "/?q=r1"):
        page = client.get(path, headers=HTML).text
        assert "小智" not in page
        assert "ACME" not in page


def test_ones_own_are_there(world: World, client: TestClient, others: int) -> None:
    """The owner sees her customer, and what is nobody's."""
    sign_in(client, world.services, csm("ana", own=True))
    assert {item["entity"]["id"] for item in client.get("/api/v1/alerts").json()["items"]} == {"r1", "r3"}
    assert client.get(f"/alerts/{others}", headers=HTML).status_code == 200
    assert client.post(f"/api/v1/alerts/{others}/acknowledge", json={}).status_code == 200


def test_an_export_holds_all(world: World, client: TestClient) -> None:
    """So it is refused to whom sees its own only, whatever its role."""
    engineer = Person("wang", "王工", Role.ENGINEER, Sees.OWN)
    sign_in(client, world.services, engineer)
    for path in ("/api/v1/export", "/api/v1/alert-log"):
        answer = client.get(path)
        assert (answer.status_code, "own customers only" in answer.json()["detail"]) == (403, True)


def test_who_gives_an_alert_out_of_its_sight_is_answered(world: World, client: TestClient) -> None:
    """The alert as it is now; a page goes back to the queue, for there is nothing more to see."""
    with world.services.relational._database.writing() as connection:
        connection.execute(customers.insert().values(id="ACME", csm="ana", revision=0))
    given = world.fires("Silent", "r1", "r2")
    known(world.services, csm("ana"))
    sign_in(client, world.services, csm("mei2", own=True))
    for id_ in given:
        world.services.relational.queue.act(id_, Assign("mei2"), "admin", world.services.clock())
    answer = client.post(f"/api/v1/alerts/{given[0]}/assign", json={"owner": "ana"})
    assert (answer.status_code, answer.json()["owner"]) == (200, "ana")
    page = client.post(
        f"/alerts/{given[1]}/assign", data={"owner": "ana"}, headers=HTML, follow_redirects=False
    )
    assert (page.status_code, page.headers["location"]) == (303, "/")
    assert client.get(f"/alerts/{given[1]}", headers=HTML).status_code == 404


def test_alerts_go_with_their_robot_to_another_customer(world: World, client: TestClient) -> None:
    """The new customer's CSM sees and owns what is open, the old one's no longer; others keep theirs."""
    text = "customers:\n- {id: ACME, csm: ana}\n- {id: New, csm: mei2}\n"
    registry, relational = world.services.relational.registry, world.services.relational
    assert registry.import_(read(text, "registry.yaml"), "command", world.services.clock()).done
    for person in (csm("ana", own=True), csm("mei2", own=True), csm("bo")):
        known(world.services, person)
    first, second = world.fires("Silent", "r1", "r2")
    relational.queue.act(second, Assign("bo"), "bo", world.services.clock())
    for robot in ("r1", "r2"):
        assert client.patch(f"/api/v1/robots/{robot}", json={"customer": "New"}).status_code == 200
    moved = relational.queue.by_ids([first, second])
    assert [(each.customer, each.owner) for each in moved.values()] == [("New", "mei2"), ("New", "bo")]
    assert relational.history(first)[-1].detail["before"] == "ana"
    sign_in(client, world.services, csm("ana", own=True))
    assert client.get(f"/api/v1/alerts/{first}").status_code == 404


def test_a_new_csms_queue_has_what_is_open(world: World, client: TestClient) -> None:
    """And the former one's no longer; until the new one is disabled, whose alerts then wait for anybody."""
    for person in (csm("ana", own=True), csm("mei2", own=True)):
        known(world.services, person)
    assert client.put("/api/v1/customers/ACME", json={"csm": "ana"}).status_code in (200, 201)
    world.fires("Silent", "r1", "r2")
    assert client.patch("/api/v1/customers/ACME", json={"csm": "mei2"}).status_code == 200
    found = {whose: client.get("/api/v1/alerts", params={"owner": whose}).json() for whose in ("ana", "mei2")}
    assert {whose: len(page["items"]) for whose, page in found.items()} == {"ana": 0, "mei2": 2}
    before = world.services.changes.revision
    assert client.post("/people/mei2/disable", headers=HTML).status_code == 200
    assert len(client.get("/api/v1/alerts", params={"unassigned": True}).json()["items"]) == 2
    assert world.services.changes.revision > before
