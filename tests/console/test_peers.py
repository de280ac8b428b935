"""An alert's robot among its peers: who they are, what they measure, and where the limit lies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from collector.http import app
from collector.http.views import peers
from collector.queue import Alert
from collector.relational import Lifecycle, RobotRecord
from collector.stores import Commit, Rows, StoredSample, Watermark
from collector.words.i18n import Words
from rules.evaluation import Entity, Evaluation, Event, Evidence
from rules.lifecycle import State
from rules.rule import Peers
from tests.browser import world
from tests.signing import sign_in

NOW = world.NOW
RULE = "InteractionsBelowPeers"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[world.World]:
    """Fourteen robots of banks that are talked to 70, 80, … 190 times, one 5 times; and one of a hotel."""
    built = world.opened(tmp_path)
    for number in range(15):
        industry = "hotel" if number == 14 else "bank"
        record = RobotRecord(
            f"rv-{number:02d}", Lifecycle.LIVE, f"Robot {number}", "c", "s", industry, "reception"
        )
        built.services.relational.import_robots([record])
        _talked_to(built, record.id, 5 if number == 0 else 60 + number * 10)
    yield built
    world.close(built)


def _talked_to(built: world.World, robot: str, times: int) -> None:
    samples = [
        StoredSample(
            robot, "e", seq, at, at, at, seq, "b", True, False, {"engagement.interactions": count}, {}
        )
        for seq, (at, count) in enumerate([(NOW - 50 * world.HOUR, 0), (NOW - 3 * world.HOUR, times)], 1)
    ]
    at = NOW - 60_000 + int(robot[-2:])
    marks = {(robot, "e"): Watermark(2)}
    built.services.store.append(Commit(at, Rows.of(samples, built.services.catalogue), (), marks))


def _fires(built: world.World, robot: str) -> Alert:
    rule = built.services.rules.by_name[RULE]
    leaf = rule.when
    assert isinstance(leaf, Peers)
    held = Evidence(str(leaf), leaf.metrics, -3.1, "below", (-2.5,), 7 * world.DAY, "", True)
    event = Event(NOW, RULE, Entity("robot", robot), State.INACTIVE, State.FIRING, NOW, -3.1, -2.5, (held,))
    [id_] = built.services.relational.commit(
        Evaluation(NOW, rule.group, (event,), (), ()), built.services.rules
    )
    found = built.services.relational.alert(id_)
    assert found is not None
    return found


def test_peers_are_those_of_the_same_industry_and_scene(fleet: world.World) -> None:
    """Each with its own value; the median of all; the limit is where the robust z would be -2.5."""
    found = peers.distribution(fleet.services, _fires(fleet, "rv-00"), Words("en"), NOW)
    assert found is not None
    assert found.own == peers.Peer("rv-00", "Robot 0", 5)
    assert [peer.value for peer in found.peers] == [60 + number * 10 for number in range(1, 14)]
    assert (found.count, found.shared) == (13, (("industry", "bank"), ("scene", "reception")))
    assert found.median == 125
    assert found.limit == pytest.approx(125 - 2.5 * 35 / 0.6745)


def test_a_picture_holds_everything_that_is_marked(fleet: world.World) -> None:
    """Every peer is in a bar; robot, limit and median lie inside; words say the same."""
    found = peers.distribution(fleet.services, _fires(fleet, "rv-00"), Words("en"), NOW)
    assert found is not None
    shown = peers.picture(found, Words("en"))
    assert shown is not None
    assert {mark.kind for mark in shown.marks} == {"own", "limit", "median"}
    assert all(0 <= mark.x <= 100 for mark in shown.marks)
    assert sum(column.own for column in shown.columns) == 1
    assert "No peer is lower." in shown.words


def test_too_few_alike_are_joined_by_others_of_the_industry(fleet: world.World) -> None:
    """As in the engine: attributes are dropped from the end, the first one stays."""
    found = peers.distribution(fleet.services, _fires(fleet, "rv-14"), Words("zh"), NOW)
    assert found is not None
    assert (found.count, found.peers, found.shared) == (0, (), (("industry", "hotel"),))
    assert peers.picture(found, Words("zh")) is None


def test_the_page_draws_them_and_json_lists_them(fleet: world.World) -> None:
    """The alert's page fetches the picture; a rule without peers has none."""
    alert = _fires(fleet, "rv-00")
    fleet.robots = ("rv-00",)
    other = fleet.fires("RelocalizationFailing", 0)
    with TestClient(app.create(fleet.services)) as client:
        sign_in(client, fleet.services)
        assert f'hx-get="/alerts/{alert.id}/peers"' in client.get(f"/alerts/{alert.id}").text
        assert 'class="histogram"' in client.get(f"/alerts/{alert.id}/peers").text
        told = client.get(f"/alerts/{alert.id}/peers.json").json()
        assert (told["own"], len(told["peers"]), told["same"]) == (
            5,
            13,
            {"industry": "bank", "scene": "reception"},
        )
        assert set().union(*told["peers"]) == {"value"}  # whose robots they are is nobody else's business
        assert client.get(f"/alerts/{other}/peers").status_code == 404
        assert "/peers" not in client.get(f"/alerts/{other}").text
