"""The queue over HTTP: owners, notes, steps, many at once, groups, silences, views, precision."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from collector.http.app import create
from collector.people import Person, Role
from collector.relational.database import Database
from collector.relational.schema import customers
from tests.http.conftest import MINUTE, T, World
from tests.signing import csm as person
from tests.signing import sign_in

HOUR = 60 * MINUTE
AT = "2026-11-22T01:00:00.000Z"
MATCHERS = [{"name": "customer", "op": "=", "values": ["ACME"]}]
SILENCE = {"matchers": MATCHERS, "ends_at": "2026-11-22T05:00:00Z", "comment": "moving"}


@pytest.fixture
def csm(tmp_path: Path, client: TestClient) -> None:
    """ACME is mei's, who is signed in."""
    assert client.get("/api/v1/me").json()["id"] == "mei"
    with closing(Database(f"sqlite:///{tmp_path / 'collector.sqlite'}")) as raw, raw.writing() as connection:
        connection.execute(insert(customers).values(id="ACME", csm="mei", revision=1))


@pytest.fixture
def ana(world: World) -> Iterator[TestClient]:
    """A second person, signed in beside the first."""
    with TestClient(create(world.services), base_url="http://vitals") as other:
        yield sign_in(other, world.services, person("ana"))


def ask(client: TestClient, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and answer of a request."""
    response = client.request(method, f"/api/v1/{path}", json=body)
    return response.status_code, response.json()


def listed(client: TestClient, query: str) -> list[int]:
    """The ids of a list of alerts."""
    return [item["id"] for item in client.get(f"/api/v1/alerts?{query}").json()["items"]]


@pytest.mark.usefixtures("csm")
def test_an_alert_says_whose_it_is_and_why_it_ranks(world: World, client: TestClient) -> None:
    """Owner, deadlines, and the reasons for its place, the age among them."""
    [id_] = world.fires("Relocalization", "r1", at=T - 24 * HOUR)
    item = client.get(f"/api/v1/alerts/{id_}").json()
    assert (item["owner"], item["customer"], item["revision"], item["checked"]) == ("mei", "ACME", 0, [])
    assert item["ack_due_at"] == "2026-11-23T03:00:00.000Z"
    assert (item["overdue"], item["escalated"], item["relapse_of"]) == (False, 0, None)
    assert [(r["key"], r["points"]) for r in item["rank"]["reasons"]] == [
        ("severity", 30),
        ("share", 10),
        ("age", 1),
    ]
    assert item["rank"]["points"] == 41
    assert item["rank"]["reasons"][1]["values"] == {"affected": 1, "robots": 2}


@pytest.mark.usefixtures("csm")
def test_what_people_write_down(world: World, client: TestClient, ana: TestClient) -> None:
    """Owner, notes and steps of the playbook, each with who it was."""
    [id_] = world.fires("Relocalization", "r1")
    assert ask(client, "POST", f"alerts/{id_}/assign", {"owner": None})[1]["owner"] is None
    status, item = ask(client, "POST", f"alerts/{id_}/assign", {"owner": "mei"})
    assert (status, item["owner"]) == (200, "mei")
    ask(ana, "POST", f"alerts/{id_}/note", {"text": "called"})
    item = ask(ana, "POST", f"alerts/{id_}/check", {"step": "reboot"})[1]
    assert (item["checked"], item["revision"]) == (["reboot"], 4)
    assert [(e["kind"], e["who"]) for e in item["history"]][3:] == [("noted", "ana"), ("checked", "ana")]
    assert ask(client, "POST", f"alerts/{id_}/check", {"step": "reboot", "done": False})[1]["checked"] == []
    status, problem = ask(client, "POST", f"alerts/{id_}/assign", {"owner": "nobody"})
    assert (status, problem["errors"][0]["field"]) == (422, "owner")
    status, problem = ask(client, "POST", f"alerts/{id_}/note", {"text": ""})
    assert (status, problem["errors"][0]["field"]) == (422, "text")


def test_the_second_is_told_who_was_quicker(world: World, client: TestClient, ana: TestClient) -> None:
    """A revision that is not the alert's any more is a conflict that says who did what when."""
    [id_] = world.fires("Relocalization", "r1")
    body = {"revision": 0}
    assert ask(ana, "POST", f"alerts/{id_}/acknowledge", body)[0] == 200
    status, problem = ask(client, "POST", f"alerts/{id_}/snooze", {**body, "for": "2h", "reason": "later"})
    assert (status, problem["work"], problem["revision"]) == (409, "acknowledged", 1)
    assert problem["last"] == {"who": "ana", "kind": "acknowledged", "at": AT}
    assert problem["detail"].endswith(f"it is acknowledged now: acknowledged by ana at {AT}")


def test_who_only_reads_changes_nothing(world: World, stranger: TestClient) -> None:
    """An installer may read the queue, and neither act on it nor silence it."""
    [id_] = world.fires("Relocalization", "r1")
    reader = sign_in(stranger, world.services, Person("li", "Li", Role.INSTALLER))
    assert listed(reader, "") == [id_]
    for path, body in (
        (f"alerts/{id_}/note", {"text": "x"}),
        ("alerts/bulk", {"alerts": [{"id": id_}], "action": "acknowledge"}),
        ("silences/preview", {"matchers": MATCHERS}),
        ("silences", SILENCE),
    ):
        assert ask(reader, "POST", path, body)[0] == 403


def test_many_at_once(world: World, client: TestClient, ana: TestClient) -> None:
    """Each is done or refused by itself, and the refused say why."""
    first, second = world.fires("Relocalization", "r1", "r2")
    ask(ana, "POST", f"alerts/{second}/close", {"reason": "expected"})
    meant = [{"id": first, "revision": 0}, {"id": second}, {"id": 999}]
    status, answer = ask(client, "POST", "alerts/bulk", {"alerts": meant, "action": "acknowledge"})
    assert (status, answer["done"], answer["refused"]) == (200, 1, 2)
    done, late, unknown = answer["outcomes"]
    assert (done["id"], done["done"], done["work"], done["revision"]) == (first, True, "acknowledged", 1)
    assert late["last"] == {"who": "ana", "kind": "closed", "at": AT}
    assert (unknown["work"], unknown["refusal"]) == (None, "there is no alert 999")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"action": "snooze", "reason": "later"}, "until"),
        ({"action": "close", "reason": "resolved"}, None),
        ({"action": "close"}, "reason"),
        ({"action": "dance"}, "action"),
        ({"action": "note", "alerts": []}, "alerts"),
        ({"action": "note", "alerts": [{"id": 1}] * 501}, "alerts"),
    ],
)
def test_many_at_once_with_what_makes_no_sense(
    world: World, client: TestClient, more: dict[str, Any], field: str | None
) -> None:
    """What no alert could take is refused at all of them; a missing field of the request is an error."""
    [id_] = world.fires("Relocalization", "r1")
    status, answer = ask(client, "POST", "alerts/bulk", {"alerts": [{"id": id_}], **more})
    if field is None:
        assert answer["outcomes"][0]["refusal"].startswith("reason: 'resolved' is the system's own")
    else:
        assert (status, answer["errors"][0]["field"]) == (422, field)


@pytest.mark.usefixtures("csm")
def test_filters(world: World, client: TestClient) -> None:
    """By whose they are, where, how late, and by words."""
    [acme] = world.fires("Relocalization", "r1", at=T - 72 * HOUR)
    [nobodys] = world.fires("Relocalization", "r3")
    assert (
        listed(client, "owner=me") == listed(client, "owner=mei") == listed(client, "customer=ACME") == [acme]
    )
    assert listed(client, "unassigned=true") == [nobodys]
    assert listed(client, "site=Hall%202") == listed(client, "text=小智") == [acme]
    assert listed(client, "text=重定位") == [acme, nobodys]
    assert listed(client, "overdue=true") == [acme]
    assert listed(client, "owner=&customer=&overdue=&unassigned=&silence=&text=") == [acme, nobodys]


@pytest.mark.usefixtures("csm")
def test_counts_and_groups(world: World, client: TestClient) -> None:
    """What tabs, tiles and the reading by customer need."""
    world.fires("Relocalization", "r1", "r2")
    world.fires("Silent", "r1", "r3", at=T + MINUTE)
    counts = client.get("/api/v1/queue/counts").json()
    assert [(c["severity"], c["count"], c["unassigned"]) for c in counts["items"]] == [
        ("high", 2, 1),
        ("medium", 2, 0),
    ]
    groups = client.get("/api/v1/queue/groups?by=customer").json()["items"]
    assert [(g["name"], g["count"], g["worst"]) for g in groups] == [("ACME", 3, "high"), (None, 1, "high")]
    sites = client.get("/api/v1/queue/groups?by=site&customer=ACME").json()["items"]
    assert [(g["name"], g["count"]) for g in sites] == [("Hall 2", 2), ("Hall 3", 1)]
    first = client.get("/api/v1/queue/groups?limit=1").json()
    second = client.get(f"/api/v1/queue/groups?limit=1&after={first['next']}").json()
    assert ([*first["items"], *second["items"]], second["next"]) == (groups, None)
    status, problem = ask(client, "GET", "queue/groups?after=x")
    assert (status, problem["errors"][0]["field"]) == (422, "after")


def test_a_silence_from_its_preview_to_its_end(world: World, client: TestClient, ana: TestClient) -> None:
    """What it would hide, what it hides, who made it, and what is shown again."""
    [id_] = world.fires("Relocalization", "r1")
    world.fires("Silent", "r3", at=T + MINUTE)
    preview = ask(client, "POST", "silences/preview", {"matchers": MATCHERS})[1]
    assert (preview["count"], [item["id"] for item in preview["items"]]) == (1, [id_])
    status, made = ask(client, "POST", "silences", SILENCE)
    silence = made["silence"]
    assert (status, made["alerts_changed"], silence["state"], silence["creator"]) == (200, 1, "active", "mei")
    assert listed(client, "suppressed=yes") == listed(client, f"silence={silence['id']}") == [id_]
    item = client.get(f"/api/v1/alerts/{id_}").json()
    entity = {"kind": "silence", "id": str(silence["id"])}
    assert item["suppressed_by"] == {"reason": "silenced", "rule": "", "entity": entity}
    assert client.get("/api/v1/silences").json()["items"] == [silence]
    status, changed = ask(client, "PUT", f"silences/{silence['id']}", {**SILENCE, "kind": "maintenance"})
    assert (status, changed["silence"]["kind"]) == (200, "maintenance")
    status, ended = ask(ana, "POST", f"silences/{silence['id']}/end", {})
    assert (status, ended["alerts_changed"], ended["silence"]["ended_by"]) == (200, 1, "ana")
    assert listed(client, "suppressed=yes") == []
    status, problem = ask(client, "POST", f"silences/{silence['id']}/end", {})
    assert (status, problem["last"]) == (409, {"who": "ana", "kind": "ended", "at": AT})
    assert ask(client, "GET", "silences")[1]["items"] == []
    assert len(ask(client, "GET", "silences?state=ended")[1]["items"]) == 1


def test_a_silence_goes_back_as_it_was_answered(world: World, stranger: TestClient) -> None:
    """Whoever sees its own only gets its scope as one matcher more, and may send all of them back."""
    own = sign_in(stranger, world.services, person("ana", own=True))
    matchers = [{"name": "robot", "op": "!=", "values": [f"x{number}"]} for number in range(20)]
    status, made = ask(own, "POST", "silences", {**SILENCE, "matchers": matchers})
    scope = {"name": "csm", "op": "=", "values": ["ana"]}
    assert (status, made["silence"]["matchers"]) == (200, [*matchers, scope])
    sent = {
        name: made["silence"][name] for name in ("kind", "matchers", "begins_at", "ends_at", "recurrence")
    }
    status, changed = ask(own, "PUT", f"silences/{made['silence']['id']}", {**sent, "comment": "longer"})
    assert (status, changed["silence"]["matchers"]) == (200, [*matchers, scope])
    status, problem = ask(own, "POST", "silences", {**SILENCE, "matchers": [*matchers, matchers[0]]})
    assert (status, problem["errors"][0]["field"]) == (422, "matchers")


def test_the_second_to_change_a_silence_is_told(client: TestClient, ana: TestClient) -> None:
    """A revision that is not the silence's any more is a conflict that says who changed it when."""
    made = ask(client, "POST", "silences", SILENCE)[1]["silence"]
    assert (made["revision"], made["changed_at"], made["changed_by"]) == (0, None, None)
    path = f"silences/{made['id']}"
    status, answer = ask(ana, "PUT", path, {**SILENCE, "comment": "longer", "revision": 0})
    changed = answer["silence"]
    assert (status, changed["revision"], changed["changed_at"], changed["changed_by"]) == (200, 1, AT, "ana")
    status, problem = ask(client, "PUT", path, {**SILENCE, "revision": 0})
    assert (status, problem["revision"]) == (409, 1)
    assert problem["last"] == {"who": "ana", "kind": "changed", "at": AT}
    assert problem["detail"].endswith(f"read it again: changed by ana at {AT}")
    assert ask(client, "GET", path)[1] == changed
    assert ask(client, "PUT", path, SILENCE)[1]["silence"]["comment"] == "moving"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"matchers": []}, "matchers"),
        ({"matchers": [{"name": "site", "op": "~", "values": ["x"]}]}, "matchers.0.op"),
        ({"matchers": [{"name": "site", "values": ["x", "y"]}]}, "matchers.0.values"),
        ({"ends_at": "2026-11-21T00:00:00Z"}, "ends_at"),
        ({"comment": ""}, "comment"),
        ({"recurrence": {"times": "sometimes", "tz": "UTC"}}, "recurrence.times"),
        ({"recurrence": {"times": "sa 00:00-24:00", "tz": "../etc"}}, "recurrence.tz"),
    ],
)
def test_a_wrong_silence(client: TestClient, change: dict[str, Any], field: str) -> None:
    """Refused, naming the field."""
    status, problem = ask(client, "POST", "silences", {**SILENCE, **change})
    assert (status, problem["errors"][0]["field"]) == (422, field)
    assert ask(client, "GET", "silences?state=all")[1]["items"] == []


def test_silences_that_are_not_there(client: TestClient) -> None:
    """404, whatever is asked of them."""
    for method, path, body in (("GET", "", None), ("PUT", "", SILENCE), ("POST", "/end", {})):
        assert ask(client, method, f"silences/7{path}", body)[0] == 404


@pytest.mark.parametrize("cursor", ["9" * 20, "9" * 5_000, "x"])
def test_a_cursor_of_silences_that_is_none(client: TestClient, cursor: str) -> None:
    """Refused, naming the field."""
    status, problem = ask(client, "GET", f"silences?after={cursor}")
    assert (status, problem["errors"][0]["field"]) == (422, "after")


def test_views_of_who_asks(client: TestClient, ana: TestClient) -> None:
    """Kept, chosen, removed; each person has its own."""
    assert ask(client, "PUT", "views", {"name": "mine", "query": "?owner=me"})[0] == 200
    status, views = ask(client, "POST", "views/choose", {"name": "mine"})
    assert (status, views["items"]) == (200, [{"name": "mine", "query": "owner=me", "chosen": True}])
    assert ask(client, "POST", "views/choose", {"name": "other"})[0] == 404
    assert ask(client, "PUT", "views", {"name": "", "query": ""})[1]["errors"][0]["field"] == "name"
    assert ask(ana, "GET", "views")[1] == {"items": []}
    assert ask(ana, "POST", "views/remove", {"name": "mine"})[0] == 404
    assert ask(client, "POST", "views/remove", {"name": "mine"})[1] == {"items": []}


def test_the_precision_of_rules(world: World, client: TestClient) -> None:
    """From the reasons with which people closed."""
    first, second = world.fires("Relocalization", "r1", "r2")
    ask(client, "POST", f"alerts/{first}/close", {"reason": "fixed_remotely"})
    ask(client, "POST", f"alerts/{second}/close", {"reason": "false_alarm"})
    answer = client.get("/api/v1/rules/precision").json()
    assert answer["items"] == [
        {
            "rule": "Relocalization",
            "precision": 0.5,
            "right": 1,
            "wrong": 1,
            "reasons": {"fixed_remotely": 1, "false_alarm": 1},
        }
    ]
    assert client.get("/api/v1/rules/precision?since=2026-11-23T00:00:00Z").json()["items"] == []
