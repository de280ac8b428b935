"""Robots and their series over HTTP."""

import pytest
from fastapi.testclient import TestClient

from collector.relational import RobotRecord
from tests.http.conftest import MINUTE, Clock, T, World

FAULTS = "navigation.relocalization_faults"


def test_every_robot_is_listed(world: World, client: TestClient) -> None:
    """With who it is, whether it is there, how its subsystems do, and how many alerts it has."""
    world.fires("Relocalization", "r1")
    world.fires("Silent", "r2", at=T + 1)
    answer = client.get("/api/v1/robots").json()
    one, two, three = answer["items"]
    assert answer["next"] is None
    assert (one["id"], one["name"], one["customer"], one["site"]) == ("r1", "小智", "ACME", "Hall 2")
    assert (one["presence"], one["interval_s"], one["model"]) == ("online", 60.0, "X1")
    assert (one["last_sample_at"], one["open_alerts"]) == ("2026-11-22T01:00:00.000Z", 1)
    assert {name: one["subsystems"][name] for name in ("navigation", "touchscreen", "asr")} == {
        "navigation": "alert",
        "touchscreen": "down",
        "asr": "unknown",
    }
    assert (two["presence"], two["subsystems"]["network"], two["subsystems"]["navigation"]) == (
        "lost",
        "alert",
        "unknown",
    )
    assert (three["presence"], three["last_seen_at"], three["open_alerts"]) == ("never", None, 0)
    assert set(three["subsystems"]) == set(world.services.catalogue.modules)
    assert set(three["subsystems"].values()) == {"unknown"}


def test_robots_by_page_and_attribute(world: World, client: TestClient) -> None:
    """Filters and pages work together."""
    page = client.get("/api/v1/robots?customer=ACME&limit=1").json()
    assert ([robot["id"] for robot in page["items"]], page["next"]) == (["r1"], "r1")
    page = client.get("/api/v1/robots?customer=ACME&limit=1&after=r1").json()
    assert ([robot["id"] for robot in page["items"]], page["next"]) == (["r2"], None)
    world.services.relational.claim_unknown(["u1"])
    unclaimed = client.get("/api/v1/robots?lifecycle=unclaimed").json()["items"]
    assert [robot["id"] for robot in unclaimed] == ["u1"]


@pytest.mark.parametrize("query", ["lifecycle=alive", "limit=0", "limit=9999", "colour=red"])
def test_lists_that_make_no_sense(client: TestClient, query: str) -> None:
    """They are refused, naming the field."""
    response = client.get(f"/api/v1/robots?{query}")
    field = query.partition("=")[0]
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)


def test_all_of_one_robot(world: World, client: TestClient) -> None:
    """Its latest values, its labels, and what was lost."""
    world.services.fleet.declared_lost("r1", 3)
    robot = client.get("/api/v1/robots/r1").json()
    assert robot["labels"] == {"model": "X1", "firmware": "7.2"}
    assert (robot["values"][FAULTS], robot["values"]["network.rtt_ms"]) == (20, 100.0)
    assert (robot["samples_lost"], robot["epoch"], robot["agent"]) == (3, "e1", "0.1.0")


@pytest.mark.parametrize("path", ["r9", "r9/series?metric=network.rtt_ms", "%E2%98%83"])
def test_a_robot_that_is_not_there(client: TestClient, path: str) -> None:
    """404, with its id."""
    response = client.get(f"/api/v1/robots/{path}")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert response.json()["detail"].startswith("there is no robot '")


def test_a_series_has_increases_and_means(client: TestClient) -> None:
    """A counter's points are its increases in the step, a gauge's its means; null where nothing is known."""
    url = f"/api/v1/robots/r1/series?metric={FAULTS}&metric=network.rtt_ms"
    answer = client.get(f"{url}&from={T - 10 * MINUTE}&to={T + 2 * MINUTE}&step=2m").json()
    assert (answer["robot"], answer["step_s"]) == ("r1", 120)
    faults, rtt = answer["metrics"][FAULTS], answer["metrics"]["network.rtt_ms"]
    assert (faults["kind"], faults["unit"], faults["latest"]) == ("counter", "faults", 20)
    assert (rtt["kind"], rtt["unit"], rtt["latest"]) == ("gauge", "ms", 100)
    assert faults["points"] == [
        ["2026-11-22T00:50:00.000Z", None],  # the first sample: nothing to count from
        ["2026-11-22T00:52:00.000Z", 4],
        ["2026-11-22T00:54:00.000Z", 4],
        ["2026-11-22T00:56:00.000Z", 4],
        ["2026-11-22T00:58:00.000Z", 4],
        ["2026-11-22T01:00:00.000Z", 2],
    ]
    assert [value for _, value in rtt["points"]] == [10, 25, 45, 65, 85, 100]


def test_a_series_of_the_last_day(client: TestClient, clock: Clock) -> None:
    """Without a range it is the last day, up to now, in steps a plot can show."""
    clock.now = T + MINUTE
    answer = client.get(f"/api/v1/robots/r1/series?metric={FAULTS}").json()
    points = answer["metrics"][FAULTS]["points"]
    assert answer["step_s"] == 300
    assert sum(value or 0 for _, value in points) == 18
    assert len(points) == 289


def test_times_may_be_written_either_way(client: TestClient) -> None:
    """RFC 3339 and ms mean the same."""
    url = f"/api/v1/robots/r1/series?metric={FAULTS}&step=60"
    by_ms = client.get(f"{url}&from={T - 5 * MINUTE}&to={T}").json()
    written = client.get(f"{url}&from=2026-11-22T08:55:00%2B08:00&to=2026-11-22T01:00:00Z").json()
    assert by_ms == written


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("", "metric", "is required"),
        ("metric=network.rtt", "metric", "there is no metric 'network.rtt'; did you mean 'network.rtt_ms'?"),
        ("metric=zzz", "metric", "there is no metric 'zzz'"),
        ("&".join(f"metric=m{n}" for n in range(21)), "metric", "at most 20"),
        (f"metric={FAULTS}&from={T}&to={T}", "from", "is not before 2026-11-22T01:00:00.000Z"),
        (f"metric={FAULTS}&from=yesterday", "from", "'yesterday' is no time"),
        (f"metric={FAULTS}&from=2026-11-22T01:00:00", "from", "has no time zone"),
        (f"metric={FAULTS}&to=2026-11-22T08:55:00+08:00", "to", "+ is %2B"),
        (f"metric={FAULTS}&step=often", "step", "'often' is no length of time"),
        (f"metric={FAULTS}&step=1", "step", "use step=30 or more"),
        (f"metric={FAULTS}&from=0&step=1d", "step", "use step=604800 or more"),
        (f"metric={FAULTS}&from=0&to=253402300799999&step=1w", "step", "ask for a shorter range"),
        (f"metric={FAULTS}&since=0", "since", "is not known here"),
    ],
)
def test_series_that_make_no_sense(client: TestClient, query: str, field: str, message: str) -> None:
    """They are refused, naming the field, the value and what would do."""
    response = client.get(f"/api/v1/robots/r1/series?{query}")
    problem = response.json()
    assert (response.status_code, [error["field"] for error in problem["errors"]]) == (422, [field])
    assert message in problem["detail"]


def test_a_metric_that_was_never_stored(client: TestClient) -> None:
    """A metric of the catalogue without data has points without values."""
    answer = client.get("/api/v1/robots/r3/series?metric=tts.unplayed").json()
    points = answer["metrics"]["tts.unplayed"]["points"]
    assert {value for _, value in points} == {None}


def test_a_robot_with_attributes_of_its_own(world: World, client: TestClient) -> None:
    """What the owner added to the roster is shown."""
    world.services.relational.import_robots([RobotRecord("r3", extra={"floor": 3.0, "wing": "east"})])
    assert client.get("/api/v1/robots/r3").json()["extra"] == {"floor": 3.0, "wing": "east"}
