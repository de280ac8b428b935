"""Silences on pages: in words, filled in from an alert, previewed, kept, recurring, ended."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from collector.http import app
from collector.http.i18n import Words, zone
from collector.http.views.silences import prefilled, words
from collector.http.views.times import local, moment, recurring, weekly
from collector.people import Person, Role
from collector.relational import Lifecycle, RobotRecord
from collector.silences import Matcher, Recurrence
from tests.browser import world
from tests.signing import csm, sign_in

HTML = {"Accept": "text/html"}
LI = Person("li", "李薇", Role.CSM, tz="Asia/Shanghai")
SHANGHAI = zone("Asia/Shanghai")
FORM = {
    "kind": "silence",
    "name_0": "site",
    "op_0": "=",
    "values_0": "Hall A",
    "zone": "Asia/Shanghai",
    "length": "4h",
    "comment": "rebuilt until Friday",
}


@pytest.fixture
def built(tmp_path: Path) -> Iterator[world.World]:
    """Two robots in one hall, one in another."""
    built = world.opened(tmp_path)
    built.services.relational.import_robots(
        [
            RobotRecord(f"r{at}", Lifecycle.LIVE, f"Robot {at}", "Museum", hall, tz="Asia/Shanghai")
            for at, hall in enumerate(("Hall A", "Hall A", "Hall B"))
        ]
    )
    built.robots = ("r0", "r1", "r2")
    yield built
    world.close(built)


@pytest.fixture
def client(built: world.World) -> Iterator[TestClient]:
    """李薇, signed in."""
    with TestClient(app.create(built.services)) as opened:
        yield sign_in(opened, built.services, LI)


@pytest.mark.parametrize(
    ("matchers", "en", "zh"),
    [
        (
            [Matcher("site", "=", ("Hall A",))],
            "Hides every alert whose site is Hall A.",
            "隐藏点位为Hall A的所有告警。",
        ),
        (
            [Matcher("customer", "in", ("X", "Y")), Matcher("severity", "!=", ("critical",))],
            "Hides every alert whose customer is X or Y and whose severity is not Critical.",
            "隐藏客户为X或Y、级别不为紧急的所有告警。",
        ),
        (
            [Matcher("robot", "prefix", ("RV-",)), Matcher("rule", "=", ("LidarFailing",))],
            "Hides every alert whose robot begins with RV- and whose rule is “The lidar has faults”.",
            "隐藏机器人以RV-开头、规则为“雷达异常”的所有告警。",
        ),
        ([], "Nothing yet; say which alerts.", "尚未指定，请填写哪些告警。"),
    ],
)
def test_what_is_hidden_is_said(built: world.World, matchers: list[Matcher], en: str, zh: str) -> None:
    """In one sentence of either language."""
    assert words(built.services, matchers, Words("en")) == en
    assert words(built.services, matchers, Words("zh")) == zh


def test_times_are_those_of_the_zone() -> None:
    """A form's moment is one on the clock of the zone that it names."""
    at = moment("2026-11-20T15:00", SHANGHAI)
    assert at == moment("2026-11-20T07:00", zone("UTC"))
    assert local(at, SHANGHAI) == "2026-11-20T15:00"


def test_hours_of_a_week_are_said() -> None:
    """The days that are ticked, their hours, and on which clock."""
    assert weekly([], "02:00", "04:00", "Asia/Shanghai") is None
    found = weekly(["su", "sa"], "02:00", "04:00", "Asia/Shanghai")
    assert found == Recurrence("sa,su 02:00-04:00", "Asia/Shanghai")
    assert recurring(found, Words("en")) == "Sat, Sun 02:00–04:00 (Asia/Shanghai)"
    assert recurring(found, Words("zh")) == "周六、周日 02:00–04:00（Asia/Shanghai）"
    assert recurring(Recurrence("mo-fr 22:00-24:00", "UTC"), Words("en")) == "Mon–Fri 22:00–24:00 (UTC)"


def test_an_alert_fills_in_the_form(built: world.World, client: TestClient) -> None:
    """Its site, customer, robot, or its rule at that robot."""
    id_ = built.fires("LidarFailing", 0)
    alert = built.services.relational.alert(id_)
    assert alert is not None
    assert prefilled([alert], "site") == (Matcher("site", "=", ("Hall A",)),)
    assert prefilled([alert], "rule") == (
        Matcher("rule", "=", ("LidarFailing",)),
        Matcher("robot", "=", ("r0",)),
    )
    page = client.get(f"/silences/new?lang=en&by=site&alert={id_}", headers=HTML).text
    assert 'value="Hall A"' in page
    assert "One open alert would disappear" in page
    assert client.get("/silences/new?alert=x&alert=99&by=site", headers=HTML).status_code == 200


def test_a_preview_says_what_would_be_hidden(built: world.World, client: TestClient) -> None:
    """In words and by name, while the form is filled in, and without scripts."""
    built.fires("LidarFailing", 0)
    built.fires("LidarFailing", 2)
    asked = client.post("/silences/preview?lang=en", data=FORM, headers={"HX-Request": "true"}).text
    assert "whose site is Hall A" in asked
    assert "One open alert would disappear" in asked
    assert "Robot 0" in asked
    assert "<html" not in asked
    page = client.post("/silences/preview?lang=en", data=FORM, headers=HTML).text
    assert "rebuilt until Friday" in page
    assert "One open alert would disappear" in page


def test_a_silence_hides_until_it_is_ended(built: world.World, client: TestClient) -> None:
    """Its alerts leave the queue and come back; the list and the alert's page say who wants so, and why."""
    hidden, other = built.fires("LidarFailing", 0), built.fires("LidarFailing", 2)
    kept = client.post("/silences/new", data=FORM, follow_redirects=False)
    assert (kept.status_code, kept.headers["location"]) == (303, "/silences")
    assert _shown(client, "/?whose=all") == [other]
    later = built.fires("RelocalizationFailing", 1)
    assert set(_shown(client, "/?whose=all&view=suppressed&silence=1")) == {hidden, later}
    listed = client.get("/silences?lang=en", headers=HTML).text
    for text in ("whose site is Hall A", "rebuilt until Friday", "李薇", "Hides 2 alerts"):
        assert text in listed
    page = client.get(f"/alerts/{hidden}?lang=en", headers=HTML).text
    assert "Not in the queue: silenced until" in page
    assert "李薇: “rebuilt until Friday”" in page
    client.post("/silences/1/end")
    client.post("/silences/1/end")
    assert set(_shown(client, "/?whose=all")) == {hidden, other, later}
    assert "ended by 李薇" in client.get("/silences?lang=en", headers=HTML).text


def test_a_maintenance_window_comes_every_week(built: world.World, client: TestClient) -> None:
    """At its hours on the clock of its zone; outside of them it waits."""
    id_ = built.fires("LidarFailing", 0)
    form = FORM | {"kind": "maintenance", "length": "30d", "day_sa": "1", "from": "02:00", "to": "04:00"}
    client.post("/silences/new", data=form)
    assert _shown(client, "/?whose=all") == [id_]
    listed = client.get("/silences?lang=en", headers=HTML).text
    assert "Sat 02:00–04:00 (Asia/Shanghai)" in listed
    assert "Call off" in listed
    [silence] = built.services.relational.silences.page(built.now).items
    assert silence.is_active(moment("2026-11-21T03:00", SHANGHAI))


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({"comment": " "}, ["say why"]),
        ({"values_0": ""}, ["which alerts"]),
        ({"length": "until", "ends": "2026-11-01T00:00"}, ["an end that is still to come"]),
        ({"length": "until", "ends": "soon"}, ["an end that is still to come"]),
        ({"length": ""}, ["an end that is still to come"]),
        ({"op_0": "like"}, ["which alerts"]),
        ({"day_mo": "1", "from": "9", "to": "8"}, ["days and hours"]),
        ({"day_mo": "1", "zone": "Mars/Base"}, ["days and hours"]),
        (
            {"comment": "", "values_0": "", "length": "9w", "begins": "2020-01-01T00:00"},
            ["say why", "which alerts", "an end"],
        ),
    ],
)
def test_what_is_wrong_with_a_silence_is_told_at_once(
    built: world.World, client: TestClient, changes: dict[str, str], texts: list[str]
) -> None:
    """All of it, in words, with the form as it was filled in and nothing kept."""
    answer = client.post("/silences/new?lang=en", data=FORM | changes, headers=HTML)
    assert answer.status_code == 422
    for text in texts:
        assert text in answer.text
    assert 'name="kind"' in answer.text
    assert not built.services.relational.silences.page(built.now, ended=None).items


@pytest.mark.parametrize("before", ["9" * 20, "x"])
def test_a_page_of_silences_that_does_not_exist(client: TestClient, before: str) -> None:
    """A page says so."""
    answer = client.get(f"/silences?before={before}", headers=HTML)
    assert answer.status_code == 404


@pytest.mark.parametrize("id_", ["99", "x", "9" * 30])
def test_a_silence_that_does_not_exist(client: TestClient, id_: str) -> None:
    """Cannot be ended."""
    assert client.post(f"/silences/{id_}/end", headers=HTML).status_code == 404


def _shown(client: TestClient, path: str) -> list[int]:
    return [int(id_) for id_ in re.findall(r'id="alert-(\d+)"', client.get(path, headers=HTML).text)]


def test_an_end_is_offered_to_who_may_end_it(built: world.World, client: TestClient) -> None:
    """Who sees its own customers only is shown another's silence that hides an alert there, and no button."""
    built.fires("RelocalizationFailing", 0)
    client.post("/silences/new", data=FORM)
    button = 'action="/silences/1/end"'
    assert button in client.get("/silences").text
    sign_in(client, built.services, csm("ana", own=True))
    shown = client.get("/silences").text
    assert ("rebuilt until Friday" in shown, button in shown) == (True, False)
    assert client.post("/silences/1/end").status_code == 404
