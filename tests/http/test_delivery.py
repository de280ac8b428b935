"""How a robot's samples came, over HTTP: figures, words, and what stays readable while the store is away."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from msgspec import structs

from collector.conditions import Health
from collector.http.app import create
from collector.stores import Commit, Loss, LossReason, Rows, StoredSample, Watermark
from tests.http.away import AwayStore
from tests.http.conftest import MINUTE, T, World, hello, sample
from tests.signing import sign_in

HTML = {"Accept": "text/html"}
HOUR = 60 * MINUTE


@pytest.fixture
def away(world: World) -> Iterator[TestClient]:
    """The app over a store that is away."""
    services = replace(world.services, store=AwayStore())  # type: ignore[arg-type]
    with TestClient(create(services), base_url="http://vitals") as client:
        yield sign_in(client, services)


def stores(world: World, samples: list[StoredSample], losses: list[Loss] = []) -> None:  # noqa: B006
    """Commits more of r1, as the ingest does."""
    rows = Rows.of(samples, world.services.catalogue)
    world.services.store.append(Commit(T + 1, rows, losses, {("r1", "e1"): Watermark(1_000)}))


def loss(at: int, first: int, last: int, reason: LossReason = "dropped") -> Loss:
    """All of the samples `first` to `last` of r1."""
    return Loss("r1", "e1", first, last, last - first + 1, reason, at)


def test_all_came(client: TestClient) -> None:
    """Ten samples, none late, none lost; and the same in words."""
    found = client.get("/api/v1/robots/r1/delivery").json()
    figures = ("stored", "late", "longest_delay_s", "corrected", "lost", "refused")
    assert [found[name] for name in figures] == [10, 0, 0, 0, 0, 0]
    assert (found["robot"], found["since"], found["losses"]) == ("r1", "2026-11-15T01:00:00.000Z", [])
    assert found["text"] == [
        {"en": "All 10 samples of the last 7 days arrived.", "zh": "最近 7 天的 10 个采样已全部送达。"}
    ]


def test_what_was_lost_late_and_corrected(world: World, client: TestClient) -> None:
    """Each in figures; losses one by one, the newest first; and in words, on the robot's own clock."""
    late = [replace(sample("r1", number, T - 2 * HOUR), received_at=T) for number in (21, 22)]
    corrected = replace(sample("r1", 23, T), corrected=True)
    stores(world, [*late, corrected], [loss(T - HOUR, 11, 18), loss(T, 20, 20, "refused")])
    found = client.get("/api/v1/robots/r1/delivery").json()
    assert (found["stored"], found["late"], found["longest_delay_s"], found["corrected"]) == (13, 2, 7200, 1)
    assert (found["lost"], found["refused"]) == (8, 1)
    assert found["losses"] == [
        {"at": "2026-11-22T01:00:00.000Z", "epoch": "e1", "first": 20, "last": 20, "count": 1,
         "reason": "refused"},
        {"at": "2026-11-22T00:00:00.000Z", "epoch": "e1", "first": 11, "last": 18, "count": 8,
         "reason": "dropped"},
    ]  # fmt: skip
    english = [line["en"] for line in found["text"]]
    assert english[0] == "13 samples arrived in the last 7 days; 9 did not and never will."
    assert english[1].startswith("8 samples were lost (reported 22 Nov 2026, 08:00): the robot had to")
    assert english[3].startswith("2 samples came late, up to 2 h after they were taken")
    assert [line["zh"] for line in found["text"]][3:] == [
        "有 2 个采样迟到，最多晚了 2 小时：断线期间由机器人保存，联网后补发。",
        "有 1 个采样的时间经过校正：机器人的时钟不准。",
    ]


def test_what_the_robot_still_holds(world: World, client: TestClient) -> None:
    """How many, and as of when."""
    world.services.fleet.holding("r1", 380, T - MINUTE)
    found = client.get("/api/v1/robots/r1/delivery").json()
    assert (found["held"], found["held_at"]) == (380, "2026-11-22T00:59:00.000Z")
    assert found["text"][1]["en"].startswith("The robot still holds 380 samples")


def test_two_robots_under_one_name(world: World, client: TestClient) -> None:
    """Who takes turns, since when, and what to do; the fleet's page marks the name."""
    for turn in range(8):
        epoch, boot = ("e2", "b2") if turn % 2 else ("e1", "b1")
        other = structs.replace(hello(), epoch=epoch, boot=boot, session=turn)
        world.services.fleet.hello("r1", other, T + turn * 1_000)
    found = client.get("/api/v1/robots/r1/delivery").json()
    assert found["clash"]["since"] == "2026-11-22T01:00:02.000Z"
    assert {agent["epoch"] for agent in found["clash"]["agents"]} == {"e1", "e2"}
    assert found["text"][0]["en"].startswith("Two robots report under this name (since 22 Nov 2026, 09:00).")
    assert "Two robots under one name" in client.get("/fleet", headers=HTML).text
    assert 'id="robot-r2"' not in client.get("/fleet?delivery=clash", headers=HTML).text


def test_the_summary_is_part_of_the_robot(world: World, client: TestClient) -> None:
    """The same figures and words, without the list of losses."""
    stores(world, [], [loss(T, 11, 18)])
    summary = client.get("/api/v1/robots/r1").json()["delivery"]
    whole = client.get("/api/v1/robots/r1/delivery").json()
    assert summary == {name: value for name, value in whole.items() if name not in ("robot", "losses")}


def test_delivery_of_nobody(client: TestClient) -> None:
    """404, with its id."""
    response = client.get("/api/v1/robots/r9/delivery")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert response.json()["detail"] == "there is no robot 'r9'"


def test_a_store_that_is_away(away: TestClient) -> None:
    """What needs it is 503 with the cause in one line; the rest of a robot is told without it."""
    response = away.get("/api/v1/robots/r1/delivery")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert "influxdb at http://vault:8086: connection refused" in response.json()["detail"]
    robot = away.get("/api/v1/robots/r1").json()
    assert (robot["delivery"], robot["presence"], robot["values"]["network.rtt_ms"]) == (None, "online", 100)


@pytest.mark.parametrize(
    ("language", "delivery", "cards"),
    [
        ("en", "cannot be read now", "Cannot be read now"),
        ("zh", "目前无法查看采样的送达情况", "暂时无法读取"),
    ],
)
def test_a_robots_page_while_the_store_is_away(
    away: TestClient, language: str, delivery: str, cards: str
) -> None:
    """It shows what it knows, and says what cannot be read."""
    page = away.get(f"/robots/r1?lang={language}", headers=HTML)
    assert page.status_code == 200
    assert delivery in page.text
    assert page.text.count(cards) >= 8
    assert "小智" in page.text


@pytest.mark.parametrize("path", ["/", "/fleet", "/robots/r1", "/nothing", "/notices"])
def test_every_page_says_that_the_store_is_away(client: TestClient, health: list[Health], path: str) -> None:
    """In both languages, error pages too, with the part's own line, which is text and nothing else."""
    health.append(Health(False, {"store": "cannot be written: <b>"}, frozenset({"store"})))
    for language, words in (("en", "Data cannot be stored at the moment"), ("zh", "数据暂时无法存储")):
        page = client.get(f"{path}?lang={language}", headers=HTML).text
        assert words in page
        assert "store: cannot be written: &lt;b&gt;" in page


def test_health_names_the_parts_that_are_ill(client: TestClient, health: list[Health]) -> None:
    """Beside what each part says."""
    parts = {"store": "away", "broker": "connected"}
    health.append(Health(False, parts, frozenset({"store"})))
    answer = client.get("/api/v1/health")
    assert (answer.status_code, answer.json()) == (503, {"ok": False, "parts": parts, "ill": ["store"]})


def test_the_fleet_marks_robots_with_losses(world: World, client: TestClient) -> None:
    """In words, and as a filter, which is offered only where there is something to find."""
    assert 'name="delivery"' not in client.get("/fleet", headers=HTML).text
    world.services.fleet.declared_lost("r1", 18)
    world.services.fleet.holding("r2", 5, T)
    page = client.get("/fleet", headers=HTML).text
    assert "18 samples lost" in page
    assert "5 held back" in page
    assert "Two robots under one name" not in page
    lost = client.get("/fleet?delivery=lost&lang=zh", headers=HTML).text
    assert "丢失 18 个采样" in lost
    assert ('id="robot-r1"' in lost, 'id="robot-r2"' in lost) == (True, False)
