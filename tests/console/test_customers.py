"""Customers and scores on pages, without a browser: what is told, in both languages, and what is refused."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from collector.http import app
from collector.http.views.score import formula, label, view
from collector.relational import RobotRecord
from collector.relational.schema import contracts, customers
from collector.scores.reckoning import scores
from collector.scores.score import Score
from collector.scores.table import Day, OpenAlert, Pulse
from collector.words.i18n import Words
from tests.browser import world
from tests.collector.scores.examples import DAYS, SETTINGS, day, robot
from tests.signing import csm, sign_in

HTML = {"Accept": "text/html"}
NAMES = ("Museum", "江城 <b>银行</b>/总行")
BANK = f"/customers/{quote(NAMES[1], safe='')}"
USED = ("visitors", "recruits", "wakeups", "interactions", "tours", "ratings", "satisfied_ratings")


@pytest.fixture
def built(tmp_path: Path) -> Iterator[world.World]:
    """Ten robots of a museum that fell, two of a bank, and a customer without robots; the bank is Wu's."""
    opened = world.opened(tmp_path)
    opened.services = replace(opened.services, scoring=SETTINGS)
    relational = opened.services.relational
    robots = [robot(f"r{row}") for row in range(10)]
    robots += [robot(f"b{row}", customer=NAMES[1], site="大厅", industry="bank") for row in range(2)]
    given = [dict(own.attributes) for own in robots]
    relational.import_robots(
        [
            RobotRecord(own.id, customer=str(of["customer"]), site=str(of["site"]), tz="Asia/Shanghai")
            for own, of in zip(robots, given, strict=True)
        ]
    )
    with relational._database.writing() as connection:
        rows = [("Museum", "key", None), (NAMES[1], "key", "wu"), ("Empty", None, None)]
        listed = [{"id": id_, "tier": tier, "csm": csm_, "revision": 1} for id_, tier, csm_ in rows]
        connection.execute(insert(customers), listed)
        contract = {"id": "C1", "customer": "Museum", "begins_on": "2025-12-01", "ends_on": "2026-12-01"}
        connection.execute(insert(contracts).values(**contract, amount=1e5, currency="CNY", revision=1))
    for when, heard in (("2026-11-12", 8.0), ("2026-11-19", 6.0)):
        whole = day(robots, [{"heard": [8.0] * (DAYS - 7) + [heard] * 7}] * 10 + [{}, {}])
        relational.scores.save(scores(_with(whole, when), SETTINGS), 1)
    yield opened
    world.close(opened)


def _with(whole: Day, when: str) -> Day:
    """With its date, alerts, a pulse, and use."""
    count = len(whole.robots)
    sums = whole.figures.visitors.sum(axis=1)
    use = {f"engagement.{name}": (sums / (at + 1), sums) for at, name in enumerate(USED)}
    assert len(sums) == count
    return replace(
        whole,
        day=when,
        alerts=[OpenAlert("robot", "b0", "critical"), OpenAlert("robot", "r1", "high")],
        pulses={"Museum": Pulse(2, 3.0), NAMES[1]: Pulse(5, 99.0)},
        use=use,
        customers=["Empty", *NAMES],
    )


@pytest.fixture
def client(built: world.World) -> Iterator[TestClient]:
    """An admin's browser, without scripts."""
    with TestClient(app.create(built.services)) as opened:
        yield sign_in(opened, built.services)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    "path",
    [
        "/customers",
        "/customers?tier=key&below=1&page=9&q=mus",
        "/customers?csm=nobody",
        "/customers/Museum",
        "/customers/Empty",
        BANK,
        f"{BANK}/behind/functions",
        "/customers/Museum/behind/funnel",
        "/customers/Museum/behind/satisfaction",
        "/scores/customer/Museum?component=availability",
        "/scores/site/East%20wing?component=asr",
        "/scores/robot/r1",
        "/scores/robot/b0?component=trend",
        "/robots/r1",
    ],
)
def test_every_page_can_be_read(client: TestClient, path: str, lang: str) -> None:
    """In both languages, without a text that is missing, and with names as text."""
    answer = client.get(f"{path}{'&' if '?' in path else '?'}lang={lang}", headers=HTML)
    assert answer.status_code == 200
    assert "<b>银行" not in answer.text
    assert not re.search(r"\{\w+\}", answer.text.partition("<main")[2])


def test_the_most_urgent_customer_is_named_with_its_reasons(client: TestClient) -> None:
    """It fell, and its renewal is near."""
    text = client.get("/customers?lang=en", headers=HTML).text
    assert re.search(
        r"Start with Museum: health score [\d.]+, [\d.]+ points down in a week, renewal in 11 days", text
    )


def test_a_customer_without_a_score_says_why_it_comes_first(built: world.World, client: TestClient) -> None:
    """Too little is known of its robots."""
    built.services.relational.import_robots([RobotRecord("u1", customer="Unheard", tz="Asia/Shanghai")])
    text = client.get("/customers?lang=en&q=unheard", headers=HTML).text
    assert "Start with Unheard: no score, since too little is known." in text


def test_figures_lead_to_the_robots_behind_them(client: TestClient) -> None:
    """Each robot with its figures, the counters by name, and the days."""
    text = client.get("/scores/customer/Museum?component=conversion&lang=en", headers=HTML).text
    assert text.count('href="/scores/robot/r') == 10
    assert "engagement.interactions" in text
    assert "13 Nov 2026 to 19 Nov 2026" in text
    assert "Iglewicz" in text
    funnel = client.get("/customers/Museum/behind/funnel?lang=en", headers=HTML).text
    assert funnel.count("?range=7d") == 10
    assert "engagement.visitors" in funnel


def test_a_pulse_is_kept_and_told(client: TestClient, built: world.World) -> None:
    """Who gave it, when and why; what makes no sense is refused in words."""
    answer = client.post(
        "/customers/Museum/pulse", data={"pulse": "4", "note": "calmer"}, follow_redirects=False
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/customers/Museum#pulse")
    text = client.get("/customers/Museum?lang=en", headers=HTML).text
    assert "李梅 gave a pulse of 4" in text
    assert "calmer" in text
    for form in ({}, {"pulse": "6"}, {"pulse": "x"}, {"pulse": "1", "note": "x" * 501}):
        refused = client.post("/customers/Museum/pulse", data=form, headers=HTML)
        assert refused.status_code == 422
        assert "1" in refused.text
    assert built.services.relational.scores.pulses()["Museum"] == (4, world.NOW)
    edited = client.get("/registry/customers/edit?id=Museum&lang=en", headers=HTML).text
    assert "李梅 gave a pulse" in edited
    assert "<s>–</s> → 4" in edited


def test_nobody_sees_the_customers_of_others(client: TestClient, built: world.World) -> None:
    """A CSM that sees its own: what is its own or nobody's, on every page."""
    sign_in(client, built.services, csm("li", own=True))
    listed = client.get("/customers", headers=HTML).text
    assert "Museum" in listed
    assert "江城" not in listed
    for path in (BANK, f"{BANK}/behind/funnel", "/scores/robot/b0", "/scores/site/%E5%A4%A7%E5%8E%85"):
        assert client.get(path, headers=HTML).status_code == 404
    assert client.post(f"{BANK}/pulse", data={"pulse": "1"}, headers=HTML).status_code == 404


@pytest.mark.parametrize(
    "path", ["/customers/nobody", "/customers/Museum/behind/money", "/scores/planet/x", "/scores/robot/none"]
)
def test_what_is_not_there_is_said_so(client: TestClient, path: str) -> None:
    """In the console's own look."""
    assert client.get(path, headers=HTML).status_code == 404


@pytest.mark.parametrize("language", ["en", "zh"])
def test_everything_a_score_can_be_has_its_words(built: world.World, language: str) -> None:
    """Missing components, caps, none at all: each with a label, a sentence and a formula."""
    t = Words(language)  # type: ignore[arg-type]
    relational = built.services.relational
    shown: list[Score] = []
    for kind, entity in (
        ("robot", "r0"),
        ("robot", "b0"),
        ("site", "大厅"),
        ("customer", NAMES[1]),
        ("customer", "Empty"),
    ):
        found = relational.scores.one(kind, entity)  # type: ignore[arg-type]
        assert found is not None
        shown.append(found)
        told = view(built.services, found, t, 99.0)
        assert len(told.lost) >= len(found.components)
        assert all(row.label and row.told for row in told.lost)
    assert {score.cap.reason for score in shown if score.cap} == {"critical_alert"}
    for key in SETTINGS.weights:
        assert label(built.services, key, t)
        assert formula(built.services, key, t)
