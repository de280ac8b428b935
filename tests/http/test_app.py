"""What every request meets: problem details, protection, health, metrics, export, OpenAPI."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from collector.conditions import Health
from collector.http.app import create
from collector.http.guard import MAX_BODY
from collector.relational import Relational
from rules.recording import read_batches, read_header
from rules.roster import Roster
from tests.http.conftest import World


def test_nothing_there(client: TestClient) -> None:
    """A path that does not exist is a problem with its path, not a page of the framework."""
    response = client.get("/api/v1/nothing")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert response.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is nothing at '/api/v1/nothing'; /api/v1/openapi.json lists what there is",
    }


def test_the_wrong_method(client: TestClient) -> None:
    """The problem says which method would do, and so does the header."""
    response = client.post("/api/v1/robots", json={})
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    assert response.json()["detail"] == "POST does not work on '/api/v1/robots'; use GET"


def test_our_own_fault(client: TestClient, health: list[Health]) -> None:
    """Whatever breaks inside, the client learns no more than that it broke."""
    health.clear()
    response = client.get("/api/v1/health")
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert response.json()["detail"] == "the collector failed at this request; its log says why"


def test_a_store_that_cannot_answer(world: World, client: TestClient) -> None:
    """It is a problem of ours that may pass: 503, when to try again, and why, in one line."""
    world.services.store.close()
    response = client.get("/api/v1/robots/r1/series?metric=network.rtt_ms")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["detail"].startswith("the store cannot answer now: ")
    assert "\n" not in response.json()["detail"]


def test_a_database_that_cannot_answer(client: TestClient, tmp_path: Path) -> None:
    """The same goes for the relational part."""
    with sqlite3.connect(tmp_path / "collector.sqlite") as raw:
        raw.execute("DROP TABLE audit")
        raw.execute("DROP TABLE alerts")
    raw.close()
    response = client.get("/api/v1/alerts")
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
    assert "no such table: alerts" in response.json()["detail"]


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("select", {}, Exception("the server closed the connection")),
        InterfaceError("select", {}, Exception("the connection is closed")),
        PoolTimeoutError("the pool has no connection left"),
    ],
)
def test_a_database_server_that_is_away(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """However its driver says so, it is 503 for scripts, and a page in words for people."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Relational, "robot", fail)
    assert client.get("/api/v1/robots/r1").status_code == 503
    page = client.get("/robots/r1", headers={"Accept": "text/html", "Accept-Language": "zh"})
    assert (page.status_code, "暂时无法读取" in page.text) == (503, True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://vitals"}, 200),
        ({"Origin": "http://vitals", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://vitals:8080"}, 403),
        ({"Origin": "http://vitals.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://[broken"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://vitals", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_what_other_sites_may_not_do(
    world: World, client: TestClient, headers: dict[str, str], status: int
) -> None:
    """A browser on another site's page cannot change anything here; scripts and own pages can."""
    [id_] = world.fires("Silent", "r1")
    response = client.post(f"/api/v1/alerts/{id_}/acknowledge", json={}, headers=headers)
    assert response.status_code == status
    work = client.get(f"/api/v1/alerts/{id_}").json()["work"]
    assert work == ("acknowledged" if status == 200 else "new")


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_only_json_changes_anything(world: World, client: TestClient, media_type: str) -> None:
    """What a form could send is refused by its media type."""
    [id_] = world.fires("Silent", "r1")
    headers = {"Content-Type": media_type}
    response = client.post(f"/api/v1/alerts/{id_}/acknowledge", content=b"{}", headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (415, "application/problem+json")


def test_a_body_that_is_too_large(world: World, client: TestClient) -> None:
    """It is refused, announced or not."""
    [id_] = world.fires("Silent", "r1")
    url, headers = f"/api/v1/alerts/{id_}/acknowledge", {"Content-Type": "application/json"}
    announced = client.post(url, content=b" " * (MAX_BODY + 1), headers=headers)
    streamed = client.post(url, content=iter([b" " * 1_000] * 70), headers=headers)
    assert [(r.status_code, r.json()["title"]) for r in (announced, streamed)] == [
        (413, announced.json()["title"])
    ] * 2


@pytest.mark.parametrize("body", [b'{"note":"\xff"}', b"[" * 60_000, b'{"note":' + b"9" * 60_000 + b"}"])
def test_a_body_that_no_parser_takes(client: TestClient, body: bytes) -> None:
    """Not UTF-8, nested without end, a number without end: refused, and told what to send."""
    url, headers = "/api/v1/alerts/1/acknowledge", {"Content-Type": "application/json"}
    answer = client.post(url, content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("the body cannot be read; send JSON in UTF-8")


@pytest.mark.parametrize("length", ["-1", "many", "1e3"])
def test_a_length_that_is_none(client: TestClient, length: str) -> None:
    """A length nobody can read is refused."""
    headers = {"Content-Type": "application/json", "Content-Length": length}
    response = client.post("/api/v1/alerts/1/acknowledge", content=b"{}", headers=headers)
    assert response.status_code == 400


@pytest.mark.parametrize("path", ["/api/v1/alerts", "/api/v1/nothing", "/metrics", "/api/v1/alerts?limit=0"])
def test_headers_that_protect(client: TestClient, path: str) -> None:
    """Every answer, refusals too, forbids foreign scripts, frames and guessed types."""
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


def test_health(client: TestClient, health: list[Health]) -> None:
    """200 while all is well, else 503, with the parts in either case."""
    well = client.get("/api/v1/health")
    assert (well.status_code, well.json()) == (200, {"ok": True, "parts": {"broker": "connected"}, "ill": []})
    health.append(Health(False, {"broker": "cannot be reached since 01:00"}))
    ill = client.get("/api/v1/health")
    assert (ill.status_code, ill.json()["parts"]) == (503, {"broker": "cannot be reached since 01:00"})


def test_metrics(world: World, client: TestClient) -> None:
    """What was counted stands in Prometheus' form, open alerts by severity with their zeros."""
    world.fires("Silent", "r1", "r2")
    telemetry = world.services.telemetry
    telemetry.samples_stored.inc(20)
    telemetry.samples_rejected.labels("schema").inc()
    telemetry.evaluation_seconds.observe(0.02)
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }
    assert found["robovitals_samples_stored_total",] == 20
    assert found["robovitals_samples_rejected_total", "schema"] == 1
    assert found["robovitals_evaluation_seconds_count",] == 1
    assert found["robovitals_alerts_open", "high"] == 2
    assert found["robovitals_alerts_open", "critical"] == 0


def test_export(world: World, client: TestClient, tmp_path: Path) -> None:
    """The download is a recording of everything stored, and leaves no file behind."""
    before = set(tmp_path.iterdir())
    response = client.get("/api/v1/export")
    assert response.headers["content-length"] == str(len(response.content))
    assert set(tmp_path.iterdir()) == before
    path = tmp_path / "recording.parquet"
    path.write_bytes(response.content)
    header = read_header(path)
    assert header.listening == tuple(world.services.relational.listening())
    assert [robot.id for robot in header.robots] == ["r1", "r2", "r3"]
    assert sum(len(batch) for batch in read_batches(path, Roster(header.robots))) == 20


def test_openapi(client: TestClient) -> None:
    """The description names every path, its parameters with their allowed values, and problem details."""
    described: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    assert {path.removeprefix("/api/v1") for path in described["paths"] if path.startswith("/api/")} == {
        "/alerts",
        "/alerts/{alert}",
        "/alerts/{alert}/acknowledge",
        "/alerts/{alert}/snooze",
        "/alerts/{alert}/close",
        "/alerts/bulk",
        "/alerts/{alert}/assign",
        "/alerts/{alert}/check",
        "/alerts/{alert}/note",
        "/queue/counts",
        "/queue/groups",
        "/rules/precision",
        "/silences",
        "/silences/preview",
        "/silences/{silence}",
        "/silences/{silence}/end",
        "/views",
        "/views/choose",
        "/views/remove",
        "/playbooks/{name}",
        "/robots",
        "/robots/{robot}",
        "/robots/{robot}/series",
        "/robots/{robot}/delivery",
        "/export",
        "/alert-log",
        "/health",
        "/me",
        "/notifications",
        "/notifications/{notification}/retry",
        "/people",
        "/scores",
        "/scores/{kind}/{id}",
        "/customers",
        "/customers/{customer}",
        "/contracts",
        "/contracts/{contract}",
        "/sites",
        "/sites/{site}",
        "/registry/history",
        "/registry/export",
        "/registry/import",
    }
    listing = described["paths"]["/api/v1/alerts"]["get"]
    assert {"state", "rule", "robot", "severity"} <= {
        parameter["name"] for parameter in listing["parameters"]
    }
    assert "application/problem+json" in listing["responses"]["422"]["content"]
    delivery = described["paths"]["/api/v1/robots/{robot}/delivery"]["get"]
    for status in ("404", "503"):
        assert "application/problem+json" in delivery["responses"][status]["content"]
    series = described["paths"]["/api/v1/robots/{robot}/series"]["get"]
    assert [parameter["name"] for parameter in series["parameters"]] == [
        "robot",
        "metric",
        "from",
        "to",
        "step",
    ]


def _names(described: dict[str, Any]) -> set[str]:
    return {parameter["name"] for parameter in described["parameters"]}


def test_the_app_starts_nothing(world: World) -> None:
    """Two apps over the same services do not disturb each other."""
    with TestClient(create(world.services)) as one, TestClient(create(world.services)) as two:
        assert one.get("/api/v1/health").json() == two.get("/api/v1/health").json()
