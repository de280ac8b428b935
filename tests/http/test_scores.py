"""Health scores over the API: what was lost for what, adding up, and nobody sees what is not theirs."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from collector.relational import RobotRecord
from collector.relational.schema import customers
from collector.scores.reckoning import scores
from tests.collector.scores.examples import DAYS, SETTINGS, day, robot
from tests.http.conftest import World, visitor
from tests.signing import csm, sign_in


@pytest.fixture
def scored(world: World) -> World:
    """Two weeks of scores of a museum that fell, and of a bank/annex; the bank is Wu's."""
    relational = world.services.relational
    with relational._database.writing() as connection:
        usual = dict.fromkeys(("tier", "region", "csm"))
        rows = [{"id": "Museum", "tier": "key"}, {"id": "Bank/annex", "tier": "key", "csm": "wu"}]
        connection.execute(insert(customers), [{**usual, **row, "revision": 1} for row in rows])
    robots = [robot("r1"), robot("r2"), robot("b1", customer="Bank/annex", site="Lobby", industry="bank")]
    relational.import_robots(
        [RobotRecord(own.id, customer=str(own.attributes["customer"]), site="x") for own in robots]
    )
    for when, heard in (("2026-11-12", 8.0), ("2026-11-19", 5.6)):
        whole = day(robots, [{"heard": [8.0] * (DAYS - 7) + [heard] * 7}, {}, {}])
        relational.scores.save(scores(type(whole)(when, whole.at, robots, whole.figures), SETTINGS), 1)
    return world


@pytest.mark.usefixtures("scored")
def test_a_score_says_what_was_lost_and_it_adds_up(client: TestClient) -> None:
    """To what it lacks of 100; and so does what changed since last week."""
    found = client.get("/api/v1/scores/customer/Museum").json()
    assert (found["day"], found["first_day"], found["robots"], found["tier"]) == (
        "2026-11-19", "2026-11-13", 2, "key",
    )  # fmt: skip
    assert found["score"] < 100
    assert round(sum(part["lost"] for part in found["components"]), 1) == round(100 - found["score"], 1)
    changes = sum(part["change"] for part in found["components"]) + found["cap_change"]
    assert round(changes, 1) == found["change"] == round(found["score"] - 100, 1)
    [part] = [part for part in found["components"] if part["key"] == "availability"]
    assert part["seen"]["heard"] < part["seen"]["counted"]
    assert [point["day"] for point in found["trend"]] == ["2026-11-12", "2026-11-19"]


@pytest.mark.usefixtures("scored")
def test_ids_may_have_slashes(client: TestClient) -> None:
    """A customer's id is its name."""
    assert client.get("/api/v1/scores/customer/Bank%2Fannex").json()["id"] == "Bank/annex"


@pytest.mark.usefixtures("scored")
def test_lists_are_paged_and_filtered(client: TestClient) -> None:
    """The lowest first; by default of customers."""
    first = client.get("/api/v1/scores?limit=1").json()
    assert [item["id"] for item in first["items"]] == ["Museum"]
    second = client.get("/api/v1/scores", params={"limit": 1, "after": first["next"]}).json()
    assert ([item["id"] for item in second["items"]], second["next"]) == (["Bank/annex"], None)
    robots = client.get("/api/v1/scores?kind=robot&csm=wu").json()["items"]
    assert [item["id"] for item in robots] == ["b1"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/scores/customer/nobody", 404),
        ("/api/v1/scores/planet/Museum", 422),
        ("/api/v1/scores?kind=planet", 422),
        ("/api/v1/scores?after=x", 422),
        ("/api/v1/scores?limit=0", 422),
        ("/api/v1/scores?colour=red", 422),
    ],
)
def test_what_cannot_be_answered_is_refused(client: TestClient, path: str, status: int) -> None:
    """As problem details."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_nobody_sees_the_customers_of_others(scored: World) -> None:
    """A CSM that sees its own: what is its own or nobody's."""
    with visitor(scored) as client:
        sign_in(client, scored.services, csm("li", own=True))
        assert [item["id"] for item in client.get("/api/v1/scores").json()["items"]] == ["Museum"]
        assert client.get("/api/v1/scores/customer/Bank%2Fannex").status_code == 404
        assert client.get("/api/v1/scores/robot/b1").status_code == 404
        assert client.get("/api/v1/scores/customer/Museum").status_code == 200
