"""The queue over HTTP: what comes first, whose it is, filters, pages, groups, views, several at once."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from collector.http import app
from collector.http.views.groups import CUSTOMERS
from collector.people import Person, Role, Sees
from collector.queue import Acknowledge, Assign, Close, Note, Reason
from collector.relational import Lifecycle, RobotRecord, schema
from tests.browser import world
from tests.signing import sign_in

HTML = {"Accept": "text/html"}
LI = Person("li", "李薇", Role.CSM)
COSTA = Person("costa", "Ana Costa", Role.CSM)
OWN = Person("own", "Own Only", Role.CSM, Sees.OWN)
INSTALLER = Person("fix", "Fixer", Role.INSTALLER)
RULES = ("RobotSilent", "LidarFailing", "RelocalizationFailing", "FacesNotRecognized")


@pytest.fixture
def built(tmp_path: Path) -> Iterator[world.World]:
    """Three customers: of 李薇, of Ana Costa, and nobody's; two robots each."""
    built = world.opened(tmp_path)
    relational = built.services.relational
    for person in (LI, COSTA, OWN, INSTALLER):
        relational.accounts.add(person, None, "test", built.now)
    owners = {"Bank": "li", "Museum": "costa", "Hotel": None}
    with relational._database.writing() as connection:
        rows = [{"id": name, "csm": csm, "revision": 0} for name, csm in owners.items()]
        connection.execute(schema.customers.insert(), rows)
    records = [
        RobotRecord(f"r{at}", Lifecycle.LIVE, f"Robot {at}", name, f"{name} site", tz="Asia/Shanghai")
        for at, name in enumerate([name for name in owners for _ in range(2)])
    ]
    relational.import_robots(records)
    built.robots = tuple(record.id for record in records)
    yield built
    world.close(built)


@pytest.fixture
def client(built: world.World) -> Iterator[TestClient]:
    """李薇, signed in."""
    with TestClient(app.create(built.services)) as opened:
        yield sign_in(opened, built.services, LI)


def shown(client: TestClient, path: str) -> list[int]:
    """The alerts on a page, in their order."""
    text = client.get(path, headers=HTML).text
    return [int(id_) for id_ in re.findall(r'id="alert-(\d+)"', text)]


def test_the_first_alert_says_why_and_by_when(built: world.World, client: TestClient) -> None:
    """Large, with the reasons for its rank, the deadline and the owner, before all others."""
    built.fires("RelocalizationFailing", 1)
    urgent = built.fires("RobotSilent", 0)
    page = client.get("/?lang=en", headers=HTML).text
    assert shown(client, "/")[0] == urgent
    [first] = re.findall(r'<section class="card first-alert.*?</section>', page, re.DOTALL)
    for text in ("Do this first", "High", "2 of 2 robots", "answer within", "李薇"):
        assert text in first


def test_each_sees_what_is_theirs_first(built: world.World, client: TestClient) -> None:
    """A CSM's queue begins with their own; all, nobody's and late ones are a step away."""
    own, other, nobodys = (built.fires("LidarFailing", robot) for robot in (0, 2, 4))
    assert shown(client, "/") == [own]
    assert set(shown(client, "/?whose=all")) == {own, other, nobodys}
    assert shown(client, "/?whose=unassigned") == [nobodys]
    assert shown(client, "/?whose=overdue") == []
    assert shown(client, "/?whose=all&owner=costa") == [other]
    assert shown(client, "/?whose=all&owner=-") == [nobodys]


def test_who_sees_their_own_only_is_shown_no_others(built: world.World, client: TestClient) -> None:
    """Neither in the list nor by its address; what is nobody's is everybody's."""
    other, nobodys = built.fires("LidarFailing", 2), built.fires("LidarFailing", 4)
    sign_in(client, built.services, OWN)
    assert shown(client, "/?whose=all") == [nobodys]
    assert client.get(f"/alerts/{other}", headers=HTML).status_code == 404
    refused = client.post(f"/alerts/{other}/acknowledge", headers=HTML)
    assert refused.status_code == 404
    assert client.get(f"/alerts/{nobodys}", headers=HTML).status_code == 200


def test_filters_narrow_the_queue(built: world.World, client: TestClient) -> None:
    """By customer, severity, subsystem, and text in robots, places and problems."""
    ids = [built.fires(rule, robot) for rule, robot in zip(RULES, (0, 1, 2, 4), strict=True)]
    every = "/?whose=all"
    assert set(shown(client, f"{every}&customer=Bank")) == set(ids[:2])
    assert set(shown(client, f"{every}&severity=high")) == {ids[0], ids[1]}
    assert shown(client, f"{every}&subsystem=vision") == [ids[3]]
    assert shown(client, f"{every}&q=museum") == [ids[2]]
    assert shown(client, f"{every}&q=lidar") == [ids[1]]
    assert shown(client, f"{every}&q=Robot 4") == [ids[3]]
    assert "Nothing matches" in client.get(f"{every}&q=nowhere&lang=en", headers=HTML).text


def test_a_long_queue_comes_in_pages(
    built: world.World, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page leads to the next by a cursor, and every alert is on one of them."""
    monkeypatch.setattr("collector.http.views.queue.PAGE", 3)
    ids = {built.fires(rule, robot) for rule in RULES[1:] for robot in range(3)}
    path, seen = "/?whose=all", []
    while path:
        seen += shown(client, path)
        page = client.get(path, headers=HTML).text
        following = re.search(r'href="([^"]+)" rel="next"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == len(ids)
    assert set(seen) == ids
    lost = client.get("/?whose=all&after=nonsense", headers=HTML, follow_redirects=False)
    assert (lost.status_code, lost.headers["location"]) == (303, "/?whose=all")


def test_groups_are_folded_and_lead_to_their_sites(built: world.World, client: TestClient) -> None:
    """A customer with how many and how bad; under the fold its alerts by site; also those of no customer."""
    built.services.relational.import_robots([RobotRecord("stray")])
    built.robots = (*built.robots, "stray")
    silent, lidar = built.fires("RobotSilent", 0), built.fires("LidarFailing", 1)
    stray = built.fires("LidarFailing", 6)
    page = client.get("/?whose=all&group=1&lang=en", headers=HTML).text
    assert shown(client, "/?whose=all&group=1") == []
    assert re.search(r"Bank</span>.*?2 new.*?2 alerts", page, re.DOTALL)
    assert "No customer" in page
    under = client.get("/queue/group?whose=all&customer=Bank", headers=HTML).text
    assert under.index("Bank site") < under.index(f'id="alert-{silent}"') < under.index(f'id="alert-{lidar}"')
    assert shown(client, "/queue/group?whose=all&customer=-") == [stray]


def test_every_customer_is_reached_page_by_page(built: world.World, client: TestClient) -> None:
    """By the links at the end of each page, each of them once, and back to the first page from any."""
    names = [f"Shop {number}" for number in range(2 * CUSTOMERS + 1)]
    records = [RobotRecord(f"s{number}", customer=name) for number, name in enumerate(names)]
    built.services.relational.import_robots(records)
    built.robots = tuple(record.id for record in records)
    for robot in range(len(names)):
        built.fires("LidarFailing", robot)
    path, found = "/?whose=all&group=1", []
    for first in (True, False, False):
        page = client.get(path, headers=HTML).text
        assert ('href="/?whose=all&amp;group=1">' in page.partition('class="more"')[2]) is not first
        found.append(re.findall(r'class="name">(Shop \d+)<', page))
        path = html.unescape("".join(re.findall(r'href="([^"]*)" rel="next"', page)))
    assert [len(names) for names in found] == [CUSTOMERS, CUSTOMERS, 1]
    assert sorted(name for names in found for name in names) == sorted(names)
    assert path == ""
    lost = client.get("/?whose=all&group=1&after=x", headers=HTML, follow_redirects=False)
    assert (lost.status_code, lost.headers["location"]) == (303, "/?whose=all&group=1")


def test_a_view_is_kept_chosen_and_removed(built: world.World, client: TestClient) -> None:
    """Filters under a name; the chosen one opens first; another person does not see them."""
    other = built.fires("LidarFailing", 2)
    kept = client.post(
        "/views/keep", data={"name": "Museums", "query": "whose=all&customer=Museum"}, follow_redirects=False
    )
    assert (kept.status_code, kept.headers["location"]) == (303, "/?whose=all&customer=Museum")
    assert "Museums" in client.get("/", headers=HTML).text
    client.post("/views/choose", data={"name": "Museums"})
    assert shown(client, "/") == [other]
    client.post("/views/unchoose", data={"name": "Museums"})
    assert shown(client, "/") == []
    sign_in(client, built.services, COSTA)
    assert "Museums" not in client.get("/", headers=HTML).text
    sign_in(client, built.services, LI)
    client.post("/views/remove", data={"name": "Museums"})
    client.post("/views/remove", data={"name": "Museums"})
    assert "Museums" not in client.get("/", headers=HTML).text


@pytest.mark.parametrize(("name", "text"), [("", "give the view a name"), ("x" * 61, "at most 60")])
def test_a_view_without_a_good_name_is_refused(client: TestClient, name: str, text: str) -> None:
    """In words, with nothing kept."""
    answer = client.post("/views/keep?lang=en", data={"name": name, "query": "whose=all"}, headers=HTML)
    assert answer.status_code == 422
    assert text in answer.text


def test_views_lead_nowhere_else(client: TestClient) -> None:
    """After a change the reader stays here."""
    answer = client.post("/views/unchoose", data={"back": "//elsewhere.example"}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_several_are_acknowledged_and_what_was_taken_is_told(built: world.World, client: TestClient) -> None:
    """As a plain form: which were done, which not, and who was faster."""
    ids = [built.fires("LidarFailing", robot) for robot in range(3)]
    built.services.relational.queue.act(ids[1], Acknowledge(), "costa", built.now)
    given = {"alert": [f"{id_}.0" for id_ in ids], "back": "/?whose=all"}
    answer = client.post("/bulk/acknowledge?lang=en", data=given, headers=HTML)
    assert answer.status_code == 200
    for text in (
        "2 alerts acknowledged",
        "One was refused",
        "Ana Costa took it just now.",
        'href="/?whose=all"',
    ):
        assert text in answer.text
    works = [built.services.relational.alert(id_).acknowledged_by for id_ in ids]  # type: ignore[union-attr]
    assert works == ["li", "costa", "li"]


def test_several_are_snoozed_closed_and_assigned(built: world.World, client: TestClient) -> None:
    """Each asks for what it needs first; a script whose alerts are all done hears it in a line."""
    ids = [built.fires("LidarFailing", robot) for robot in range(2)]
    chosen = {"alert": [str(id_) for id_ in ids]}
    asked = client.post("/bulk/ask/snooze?lang=en", data=chosen, headers=HTML).text
    assert "Snooze 2 alerts" in asked
    assert asked.count('name="alert"') == 2
    missing = client.post("/bulk/snooze?lang=en", data=chosen | {"for": "1h"}, headers=HTML)
    assert (missing.status_code, "why it can wait" in missing.text) == (422, True)
    client.post("/bulk/snooze", data=chosen | {"for": "1h", "reason": "mopping"})
    assert set(shown(client, "/?view=snoozed&whose=all")) == set(ids)
    client.post("/bulk/assign", data=chosen | {"owner": "costa"})
    assert set(shown(client, "/?view=snoozed&whose=all&owner=costa")) == set(ids)
    done = client.post("/bulk/close", data=chosen | {"reason": "expected"}, headers={"HX-Request": "true"})
    assert (done.status_code, "done" in done.headers["hx-trigger"]) == (204, True)
    assert shown(client, "/?view=snoozed&whose=all") == []


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/bulk/acknowledge", {}, 422),
        ("/bulk/acknowledge", {"alert": [str(id_) for id_ in range(201)]}, 422),
        ("/bulk/ask/close", {"alert": ["x", "1e3", "9" * 40]}, 422),
        ("/bulk/explode", {"alert": ["1"]}, 404),
        ("/bulk/ask/explode", {"alert": ["1"]}, 404),
        ("/bulk/acknowledge", {"alert": ["4711"]}, 200),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(
    client: TestClient, path: str, form: dict[str, list[str]], status: int
) -> None:
    """In words, as a page."""
    assert client.post(path, data=form, headers=HTML).status_code == status


def test_a_selection_becomes_a_silence(built: world.World, client: TestClient) -> None:
    """The form of a new silence, filled in with the robots."""
    ids = [built.fires("LidarFailing", robot) for robot in range(2)]
    answer = client.post("/bulk/ask/silence", data={"alert": [str(id_) for id_ in ids]}, headers=HTML)
    assert "r0\nr1" in answer.text
    assert 'name="comment"' in answer.text


def test_a_stale_edit_is_told_who_did_what(built: world.World, client: TestClient) -> None:
    """What was decided on an alert as it was before is not done on what it became."""
    id_ = built.fires("LidarFailing", 0)
    relational = built.services.relational
    relational.queue.act(id_, Note("router restarted"), "costa", built.now)
    stale = {"reason": "expected", "revision": "0"}
    answer = client.post(f"/alerts/{id_}/close?lang=en", data=stale, headers=HTML)
    assert answer.status_code == 409
    assert "Ana Costa wrote a note just now. Nothing was changed." in answer.text
    relational.queue.act(id_, Assign("costa"), "costa", built.now)
    answer = client.post(f"/alerts/{id_}/close?lang=zh", data=stale, headers=HTML)
    assert "Ana Costa 刚刚把它指派给了 Ana Costa。" in answer.text
    relational.queue.act(id_, Close(Reason.FALSE_ALARM), "costa", built.now)
    answer = client.post(f"/alerts/{id_}/close?lang=en", data=stale, headers=HTML)
    assert "Ana Costa closed it just now · False alarm." in answer.text


def test_notes_and_owners_stand_in_the_history(built: world.World, client: TestClient) -> None:
    """Who wrote what, and who gave it to whom, by name."""
    id_ = built.fires("LidarFailing", 0)
    client.post(f"/alerts/{id_}/note", data={"note": "called the branch"})
    client.post(f"/alerts/{id_}/assign", data={"owner": "costa"})
    page = client.get(f"/alerts/{id_}?lang=en", headers=HTML).text
    for text in ("called the branch", "Given to Ana Costa", "李薇"):
        assert text in page
    for form, text in (({"note": " "}, "write something"), ({"note": "x" * 2_001}, "fewer than 2,000")):
        refused = client.post(f"/alerts/{id_}/note?lang=en", data=form, headers={"HX-Request": "true"})
        assert (refused.status_code, text in refused.text) == (422, True)
    nobody = client.post(f"/alerts/{id_}/assign?lang=en", data={"owner": "nobody"}, headers=HTML)
    assert (nobody.status_code, "There is nobody of that name" in nobody.text) == (422, True)


def test_a_relapse_leads_to_what_was_closed(built: world.World, client: TestClient) -> None:
    """It says that it came back, in the list and on its page, and shows the earlier one."""
    closed = built.fires("LidarFailing", 0, ago=world.HOUR)
    built.services.relational.queue.act(
        closed, Close(Reason.FIXED_REMOTELY), "li", built.now - 30 * world.MINUTE
    )
    built.resolves("LidarFailing", 0, ago=20 * world.MINUTE)
    again = built.fires("LidarFailing", 0)
    assert "came back after it was closed" in client.get("/?lang=en", headers=HTML).text
    page = client.get(f"/alerts/{again}?lang=en", headers=HTML).text
    assert "It is back after it was closed." in page
    assert page.count(f'href="/alerts/{closed}"') >= 2
    robot = client.get("/robots/r0?lang=en", headers=HTML).text
    assert re.search(rf'href="/alerts/{again}".*?came back after it was closed', robot, re.DOTALL)


def test_who_may_not_work_only_reads(built: world.World, client: TestClient) -> None:
    """No buttons, no boxes, and a refusal of what is sent all the same."""
    id_ = built.fires("LidarFailing", 0)
    sign_in(client, built.services, INSTALLER)
    page = client.get("/?whose=all", headers=HTML).text
    assert f'id="alert-{id_}"' in page
    assert "data-action" not in page
    assert 'form="bulk"' not in page
    for path in (f"/alerts/{id_}/acknowledge", "/bulk/acknowledge", "/silences/new", "/silences/preview"):
        assert client.post(path, data={"alert": str(id_)}, headers=HTML).status_code == 403
