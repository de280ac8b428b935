"""The alert queue over HTTP: what scripts read, and what they may do."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from collector.relational import RobotRecord
from rules.evaluation import By, Entity
from rules.storm import NAME
from tests.http.conftest import MINUTE, Clock, T, World
from tests.signing import csm, sign_in

PROMISED = [
    "id",
    "rule",
    "entity",
    "severity",
    "subsystem",
    "signal",
    "work",
    "value",
    "threshold",
    "opened_at",
    "summary",
]


def post(client: TestClient, path: str, body: Any) -> tuple[int, Any]:
    """Status and answer of a POST of JSON."""
    response = client.post(f"/api/v1/alerts/{path}", json=body)
    return response.status_code, response.json()


def test_an_open_alert_is_in_the_list(world: World, client: TestClient) -> None:
    """It has every key that was promised, and its summary in both languages."""
    [id_] = world.fires("Relocalization", "r1")
    listed = client.get("/api/v1/alerts?state=open&rule=&robot=&severity=").json()
    assert listed["next"] is None
    [item] = listed["items"]
    assert {key: item[key] for key in PROMISED} == {
        "id": id_,
        "rule": "Relocalization",
        "entity": {"kind": "robot", "id": "r1"},
        "severity": "medium",
        "subsystem": "navigation",
        "signal": "firing",
        "work": "new",
        "value": 6.0,
        "threshold": 5.0,
        "opened_at": "2026-11-22T01:00:00.000Z",
        "summary": {
            "en": "小智 at Hall 2: 6 faults in 6 h, 5 allowed, since 22 Nov 08:59",
            "zh": "Hall 2 的 小智 在 6 小时 内重定位异常 6 次",
        },
    }
    assert (item["customer"], item["site"], item["robot_name"]) == ("ACME", "Hall 2", "小智")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Silent r1", "Silent r2", "Relocalization r1"]),
        ("?state=open", ["Silent r1", "Silent r2", "Relocalization r1"]),
        ("?state=closed", ["Burning r2"]),
        ("?state=all&severity=critical", ["Burning r2"]),
        ("?robot=r1", ["Silent r1", "Relocalization r1"]),
        ("?rule=Silent&robot=r2", ["Silent r2"]),
        ("?subsystem=navigation", ["Relocalization r1"]),
        ("?work=acknowledged", ["Silent r2"]),
        ("?work=closed", ["Burning r2"]),
        ("?robot=nobody", []),
    ],
)
def test_filters(world: World, client: TestClient, query: str, expected: list[str]) -> None:
    """Each filter narrows the list, in the order of the queue."""
    world.fires("Relocalization", "r1")
    _, second = world.fires("Silent", "r1", "r2", at=T + 1)
    [burning] = world.fires("Burning", "r2", at=T + 2)
    post(client, f"{second}/acknowledge", {})
    post(client, f"{burning}/close", {"reason": "expected"})
    items = client.get(f"/api/v1/alerts{query}").json()["items"]
    assert [f"{item['rule']} {item['entity']['id']}" for item in items] == expected


def test_pages(world: World, client: TestClient) -> None:
    """`next` leads to the following page, until it is null."""
    ids = world.fires("Silent", "r1", "r2", "r3")
    first = client.get("/api/v1/alerts?limit=2").json()
    second = client.get("/api/v1/alerts", params={"limit": 2, "after": first["next"]}).json()
    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert second["next"] is None


def test_what_suppresses_an_alert(world: World, client: TestClient) -> None:
    """It is not in the queue unless asked for, says by what, and that says how many it hides."""
    [fault] = world.fires("Relocalization", "r1")
    [silent] = world.fires("Silent", "r1", at=T + 1)
    world.suppressed(By("inhibited", "Silent", Entity("robot", "r1")), "Relocalization", "r1", at=T + 2)

    def listed(query: str) -> list[int]:
        return [item["id"] for item in client.get(f"/api/v1/alerts{query}").json()["items"]]

    assert listed("") == [silent]
    assert listed("?suppressed=yes") == [fault]
    assert listed("?suppressed=all") == [silent, fault]
    assert listed("?state=all") == [silent, fault]
    found = client.get(f"/api/v1/alerts/{fault}").json()
    assert found["suppressed_by"] == {
        "reason": "inhibited",
        "rule": "Silent",
        "entity": {"kind": "robot", "id": "r1"},
    }
    assert found["history"][-1]["kind"] == "suppressed"
    assert (found["hides"], client.get(f"/api/v1/alerts/{silent}").json()["hides"]) == (0, 1)


def test_alerts_of_sites_customers_and_rules(world: World, client: TestClient) -> None:
    """Each says where it is; a storm is of a rule that no file has."""
    world.fires_on("Silent", Entity("site", "Hall 2"), at=T)
    world.fires_on("Silent", Entity("customer", "ACME"), at=T + 1)
    world.fires_on(NAME, Entity("rule", "Silent"), at=T + 2)
    items = client.get("/api/v1/alerts").json()["items"]
    assert [(item["entity"]["kind"], item["site"], item["customer"]) for item in items] == [
        ("site", "Hall 2", "ACME"),
        ("customer", None, "ACME"),
        ("rule", None, None),
    ]
    assert items[0]["summary"]["en"].startswith("Hall 2 at Hall 2: 6 faults")
    assert items[2]["summary"]["zh"].startswith("Silent 自 ")
    assert client.get(f"/api/v1/alerts/{items[2]['id']}").json()["about"]["en"].startswith("One rule fires")
    assert client.get("/api/v1/alerts?subsystem=fleet").json()["items"] == items[2:]


def test_the_alert_log(world: World, client: TestClient) -> None:
    """A line of JSON for each event, as it was committed."""
    assert client.get("/api/v1/alert-log").text == ""
    world.fires("Silent", "r1", "r2")
    answer = client.get("/api/v1/alert-log")
    assert answer.headers["content-type"] == "application/jsonl"
    assert [json.loads(line)["entity"] for line in answer.text.splitlines()] == ["r1", "r2"]


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("state=opn", "state", "'opn' is not known; use 'open', 'closed' or 'all'"),
        ("severity=severe", "severity", "'critical', 'high', 'medium', 'low' or 'info'"),
        ("work=done", "work", "'new', 'acknowledged', 'snoozed' or 'closed'"),
        ("subsystem=vison", "subsystem", "did you mean 'vision'?"),
        ("limit=0", "limit", "greater than or equal to 1, not '0'"),
        ("limit=501", "limit", "less than or equal to 500, not '501'"),
        ("limit=many", "limit", "not 'many'"),
        ("after=nonsense", "after", "take it from 'next'"),
        ("colour=red", "colour", "is not known here, with value 'red'"),
    ],
)
def test_queries_that_make_no_sense(client: TestClient, query: str, field: str, message: str) -> None:
    """They are refused, naming the field, the value and what would do."""
    response = client.get(f"/api/v1/alerts?{query}")
    problem = response.json()
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert message in problem["detail"]


def test_all_of_one_alert(world: World, client: TestClient) -> None:
    """Evidence, history and what to do next come with the alert itself."""
    [id_] = world.fires("Relocalization", "r1")
    alert = client.get(f"/api/v1/alerts/{id_}").json()
    [evidence] = alert["evidence"]
    assert evidence["text"] == {"en": "at least 5", "zh": "不少于 5"}
    assert (evidence["metrics"], evidence["over_s"]) == (["navigation.relocalization_faults"], 21_600)
    assert alert["call_to_action"]["next_step"] == {"en": "Map again", "zh": "重新建图"}
    assert alert["call_to_action"]["ack_within_s"] == 7_200
    assert [(entry["kind"], entry["who"]) for entry in alert["history"]] == [("opened", "system")]


def test_an_alert_through_all_hands(world: World, client: TestClient, clock: Clock) -> None:
    """Acknowledged, snoozed for two hours, woken and closed: every answer shows the alert as it became."""
    [id_] = world.fires("Silent", "r1")
    status, alert = post(client, f"{id_}/acknowledge", {"note": "calling"})
    assert (status, alert["work"], alert["acknowledged_by"]) == (200, "acknowledged", "mei")
    status, alert = post(client, f"{id_}/snooze", {"for": "2h", "reason": "closed today"})
    assert (status, alert["work"], alert["snoozed_until"]) == (200, "snoozed", "2026-11-22T03:00:00.000Z")
    clock.now += 121 * MINUTE
    world.services.relational.queue.advance(clock.now)
    sign_in(client, world.services, csm("li"))
    status, alert = post(client, f"{id_}/close", {"reason": "other", "note": "moved"})
    assert (status, alert["work"], alert["close_reason"], alert["close_note"]) == (
        200,
        "closed",
        "other",
        "moved",
    )
    history = client.get(f"/api/v1/alerts/{id_}").json()["history"]
    assert [(entry["kind"], entry["who"]) for entry in history] == [
        ("opened", "system"),
        ("acknowledged", "mei"),
        ("snoozed", "mei"),
        ("woke", "system"),
        ("closed", "li"),
    ]


@pytest.mark.parametrize("until", ["2026-11-22T10:00:00+08:00", "2026-11-22T02:00:00Z", T + 60 * MINUTE])
def test_snoozed_until_a_time(world: World, client: TestClient, until: object) -> None:
    """A time is RFC 3339 with whatever offset, or ms."""
    [id_] = world.fires("Silent", "r1")
    _, alert = post(client, f"{id_}/snooze", {"until": until, "reason": "lunch"})
    assert alert["snoozed_until"] == "2026-11-22T02:00:00.000Z"


@pytest.mark.parametrize(
    ("action", "body", "field", "message"),
    [
        ("acknowledge", {"who": "mei"}, "who", "is not known here"),
        ("acknowledge", {"by": "li"}, "by", "is not known here"),
        ("acknowledge", [], "body", "not []"),
        ("acknowledge", {"note": "x" * 2_001}, "note", "2000 are allowed"),
        ("snooze", {"until": "2026-11-22T02:00:00Z"}, "reason", "is required"),
        ("snooze", {"reason": "later"}, "body", "either 'until', a time, or 'for'"),
        ("snooze", {"reason": "later", "for": "2h", "until": T + 1}, "body", "either"),
        ("snooze", {"reason": "later", "for": "soon"}, "for", "'soon' is no length of time"),
        ("snooze", {"reason": "later", "for": "0m"}, "for", "'0m' is no length of time"),
        ("snooze", {"reason": "later", "for": "100d"}, "until", "more than 90 days"),
        ("snooze", {"reason": "later", "until": "tomorrow"}, "until", "'tomorrow' is no time"),
        ("snooze", {"reason": "later", "until": "2026-11-22T02:00:00"}, "until", "has no time zone"),
        ("snooze", {"reason": "later", "until": "2020-01-01T00:00:00Z"}, "until", "not in the future"),
        ("snooze", {"reason": "later", "until": 10**17}, "until", "out of range"),
        ("snooze", {"reason": " ", "for": "2h"}, "reason", "say why"),
        ("close", {}, "reason", "is required"),
        ("close", {"reason": "because"}, "reason", "'because' is not known; use 'fixed_remotely'"),
        ("close", {"reason": "resolved"}, "reason", "'resolved' is not known"),
        ("close", {"reason": "other"}, "note", "needs a note"),
    ],
)
def test_bodies_that_make_no_sense(
    world: World, client: TestClient, action: str, body: object, field: str, message: str
) -> None:
    """They are refused, naming the field and the value, and change nothing."""
    [id_] = world.fires("Silent", "r1")
    status, problem = post(client, f"{id_}/{action}", body)
    assert (status, [error["field"] for error in problem["errors"]]) == (422, [field])
    assert message in problem["detail"]
    alert = client.get(f"/api/v1/alerts/{id_}").json()
    assert (alert["work"], len(alert["history"])) == ("new", 1)


def test_a_body_that_is_no_json(world: World, client: TestClient) -> None:
    """It is refused with 400, saying where it goes wrong."""
    [id_] = world.fires("Silent", "r1")
    response = client.post(
        f"/api/v1/alerts/{id_}/close", content=b'{"reason": ', headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["title"]) == (400, "Bad Request")
    assert "the body is no JSON" in response.json()["detail"]


def test_an_illegal_transition(world: World, client: TestClient) -> None:
    """Closing what is closed is a conflict, and the problem names the state."""
    [id_] = world.fires("Silent", "r1")
    post(client, f"{id_}/close", {"reason": "expected"})
    status, problem = post(client, f"{id_}/close", {"reason": "expected"})
    assert (status, problem["work"]) == (409, "closed")
    at = "2026-11-22T01:00:00.000Z"
    assert problem["detail"] == f"alert {id_} is closed; it cannot be closed: closed by mei at {at}"
    assert problem["last"] == {"who": "mei", "kind": "closed", "at": at}


def test_an_alert_that_is_not_there(client: TestClient) -> None:
    """Looking for it and acting on it answer 404."""
    looked = client.get("/api/v1/alerts/999")
    assert (looked.status_code, looked.json()["detail"]) == (404, "there is no alert 999")
    status, problem = post(client, "999/close", {"reason": "expected"})
    assert (status, problem["detail"]) == (404, "there is no alert 999")


@pytest.mark.parametrize("id_", ["0", "-1", "x", str(2**70), "1.5"])
def test_what_is_no_number_of_an_alert(client: TestClient, id_: str) -> None:
    """It is refused as a value, whatever the database would make of it."""
    response = client.get(f"/api/v1/alerts/{id_}")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "alert")


def test_people_hear_of_what_others_do(world: World, client: TestClient) -> None:
    """An action is published to the open pages."""
    heard: list[tuple[str, list[object]]] = []
    world.services.changes.publish = lambda topic, ids: heard.append((topic, list(ids)))  # type: ignore[method-assign]
    [id_] = world.fires("Silent", "r1")
    post(client, f"{id_}/acknowledge", {})
    assert heard == [("alerts", [id_])]


def test_names_that_look_like_code(world: World, client: TestClient) -> None:
    """Whatever a robot is called comes back as text."""
    world.services.relational.import_robots([RobotRecord("r1", name='<script>"{value}</script>')])
    world.fires("Relocalization", "r1")
    [item] = client.get("/api/v1/alerts").json()["items"]
    assert item["summary"]["en"].startswith('<script>"{value}</script> at an unregistered site')
