"""Notifications over HTTP: listed, tried again, and shown to people."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from collector.conditions import Health
from collector.http.views.notifications import told
from collector.notifying.letter import Letter, State
from collector.notifying.message import Message, Part
from collector.notifying.routing import NO_OWNER
from collector.people import Person, Role
from collector.relational.schema import customers
from collector.words.i18n import Words
from tests.http.conftest import T, World
from tests.signing import csm, sign_in

HTML = {"Accept": "text/html"}
MINUTE = 60_000
SAID = Message(
    "[High] <Silent> · R1", (Part("text", "since 10:00"),), "high", "https://v.example.com/alerts/1"
)


@pytest.fixture(autouse=True)
def letters(world: World) -> list[int]:
    """Four letters: one that waits, one sent, one given up without an owner, one held; their ids."""
    outbox, now = world.services.relational.notifications, world.services.clock()
    waiting = Letter("k1", "opened", "ops", SAID, now, now + 1_000 * MINUTE, alert=1)
    orphan = replace(waiting, key="k3", channel="owner", state=State.GIVEN_UP, error=NO_OWNER, alert=2)
    digest = replace(waiting, key="k2", kind="digest", alert=None, channel="owner", person="li")
    outbox.write([waiting, digest, orphan, replace(waiting, key="k4", state=State.HELD)], now)
    outbox.sent(2, now)
    return [1, 2, 3, 4]


def test_notifications_are_listed_newest_first(client: TestClient) -> None:
    """With what was said, to whom, and how it went; page by page."""
    first = client.get("/api/v1/notifications", params={"limit": 3}).json()
    assert [(item["key"], item["state"]) for item in first["items"]] == [
        ("k4", "held"),
        ("k3", "given_up"),
        ("k2", "sent"),
    ]
    assert (first["items"][1]["error"], first["items"][2]["person"]) == (NO_OWNER, "li")
    second = client.get("/api/v1/notifications", params={"after": first["next"]}).json()
    assert [item["text"] for item in second["items"]] == ["since 10:00\n\nhttps://v.example.com/alerts/1"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({"state": "waiting"}, ["k1"]),
        ({"channel": "owner"}, ["k3", "k2"]),
        ({"alert": 1}, ["k4", "k1"]),
        ({"state": "", "alert": ""}, ["k4", "k3", "k2", "k1"]),
    ],
)
def test_notifications_are_found(client: TestClient, query: dict[str, str], keys: list[str]) -> None:
    """By state, channel and alert."""
    items = client.get("/api/v1/notifications", params=query).json()["items"]
    assert [item["key"] for item in items] == keys


@pytest.mark.parametrize(
    ("query", "status"),
    [({"state": "lost"}, 422), ({"after": "x"}, 422), ({"alert": "0"}, 422), ({"colour": "red"}, 422)],
)
def test_a_wrong_question_is_refused(client: TestClient, query: dict[str, str], status: int) -> None:
    """As problem details that name the field."""
    answer = client.get("/api/v1/notifications", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_one_can_be_tried_again(client: TestClient, world: World) -> None:
    """It waits again, due now, and the journal says who asked for it."""
    answer = client.post("/api/v1/notifications/3/retry", json={})
    assert (answer.status_code, answer.json()["state"]) == (200, "waiting")
    assert world.services.relational.notifications.due_channels(world.services.clock()) == ["ops", "owner"]


@pytest.mark.parametrize(("id_", "status"), [("2", 409), ("4", 409), ("99", 404), ("x", 422)])
def test_what_cannot_be_tried_again_is_refused(client: TestClient, id_: str, status: int) -> None:
    """What was sent, what is held, what does not exist."""
    assert client.post(f"/api/v1/notifications/{id_}/retry", json={}).status_code == status


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("en", ["1 message did not arrive", "Nobody owns the alert", "Try again", "Nobody is notified"]),
        ("zh", ["1 条消息未送达", "此告警没有负责人", "重试", "目前没有通知任何人"]),
    ],
)
def test_the_page_shows_first_what_failed(client: TestClient, language: str, texts: list[str]) -> None:
    """With the reason, what to do, and that nobody is notified where that is so."""
    text = client.get("/notifications", params={"lang": language}, headers=HTML).text
    assert all(wanted in text for wanted in texts)
    assert "&lt;Silent&gt;" in text


@pytest.mark.parametrize("show", ["failed", "waiting", "held", "sent", "all", "nonsense"])
def test_every_tab_is_a_page(client: TestClient, show: str) -> None:
    """Whatever the address says."""
    assert client.get("/notifications", params={"show": show}, headers=HTML).status_code == 200
    assert client.get("/notifications", params={"show": show, "after": "x"}, headers=HTML).status_code == 404


def test_a_channel_that_fails_is_named(client: TestClient, world: World, health: list[Health]) -> None:
    """With its reason, and how much waits."""
    health.append(Health(False, {"notifications": "ops: 1 wait, refused"}, frozenset({"notifications"})))
    outbox = world.services.relational.notifications
    claimed = outbox.claim("ops", world.services.clock(), lambda *_: 5 * MINUTE)
    assert claimed is not None
    outbox.failed(claimed.id, "refused", world.services.clock())
    text = client.get("/notifications?show=waiting&lang=en", headers=HTML).text
    assert "ops does not work: refused. 1 message waits" in text
    assert "failed once, tried again in 5 min" in text
    assert "do not reach people outside" in text
    assert "Nobody is notified" not in text


def test_a_button_tries_again(client: TestClient) -> None:
    """A plain form, which leads back to the page it is on; what was sent meanwhile stays so."""
    for id_, given, leads in (("3", "/alerts/2", "/alerts/2"), ("2", "//elsewhere.example.com", "/")):
        answer = client.post(f"/notifications/{id_}/retry", data={"to": given}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, leads)
    assert client.post("/notifications/99/retry").status_code == 404


def test_an_alert_tells_who_was_told(world: World) -> None:
    """The newest first, each in the reader's words."""
    found = told(world.services, 2, Words("zh"), world.services.clock())
    assert [(item.to, item.kind, item.said, item.error) for item in found] == [
        ("负责人", "新告警", "未送达", "此告警没有负责人。请先指定负责人，再重试。")
    ]


def test_an_installer_has_no_business_here(client: TestClient, world: World) -> None:
    """Neither to read nor to try again."""
    sign_in(client, world.services, Person("ina", "Ina", Role.INSTALLER))
    assert client.get("/api/v1/notifications").status_code == 403
    assert client.post("/api/v1/notifications/3/retry", json={}).status_code == 403
    assert client.get("/notifications", headers=HTML).status_code == 403
    assert client.post("/notifications/3/retry").status_code == 403


def test_a_csm_sees_what_concerns_its_own_customers(client: TestClient, world: World) -> None:
    """Its own mails, and what was told of alerts of its customers and of nobody's; it can do no more."""
    relational, now = world.services.relational, world.services.clock()
    with relational._database.writing() as connection:
        connection.execute(insert(customers).values(id="ACME", csm="other", revision=1))
    assert world.fires("Silent", "r1") + world.fires("Silent", "r3", at=T + MINUTE) == [1, 2]
    team = Letter("team", "digest", "ops", SAID, now, now + MINUTE)
    relational.notifications.write([team], now)
    sign_in(client, world.services, csm("li", own=True))
    keys = [item["key"] for item in client.get("/api/v1/notifications").json()["items"]]
    assert keys == ["k3", "k2"]
    assert client.get("/notifications?show=all", headers=HTML).text.count('id="told-') == 2
    assert client.post("/api/v1/notifications/3/retry", json={}).status_code == 200
    assert client.post("/api/v1/notifications/1/retry", json={}).status_code == 404
