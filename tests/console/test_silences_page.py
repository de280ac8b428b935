"""Silences on pages: in words, filled in from an alert, previewed, kept, recurring, ended."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from collector.http import app
from collector.http.views.silences import prefilled, words
from collector.http.views.times import local, moment, recurring, weekly
from collector.people import Person, Role
from collector.relational import Lifecycle, RobotRecord, schema
from collector.silences import Draft, Matcher, Recurrence, SilenceKind, scope_of
from collector.words.i18n import Words, zone
from tests.browser import world
from tests.signing import csm, known, sign_in

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
    """Cannot be ended, and not changed."""
    assert client.post(f"/silences/{id_}/end", headers=HTML).status_code == 404
    assert client.get(f"/silences/{id_}/edit", headers=HTML).status_code == 404
    assert client.post(f"/silences/{id_}/edit", data=FORM, headers=HTML).status_code == 404


def _given(client: TestClient, path: str) -> dict[str, str]:
    """What a browser would send of the form of that page."""
    page = client.get(path, headers=HTML)
    assert page.status_code == 200
    return sent(page.text)


def sent(page: str) -> dict[str, str]:
    """What a browser would send of the form of silences on this page, untouched."""
    form = page.partition('id="silence"')[2].partition("</form>")[0]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input\b[^>]*>", form):
        of = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if of.get("type") not in ("radio", "checkbox") or re.search(r"\schecked\b", tag):
            found[of["name"]] = unescape(of.get("value", ""))
    for name, inside in re.findall(r'<select\b[^>]*name="([a-z_0-9]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        [found[name]] = re.findall(r'value="([^"]*)" selected', inside)
    for name, inside in re.findall(
        r'<textarea\b[^>]*name="([a-z_0-9]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL
    ):
        found[name] = unescape(inside).replace("\n", "\r\n")
    found.pop("form_token", None)
    return found


ODD = Draft(
    SilenceKind.MAINTENANCE,
    (
        Matcher("site", "in", ("Hall A", "A; B")),
        Matcher("floor", "!=", (" 3",)),
        Matcher("entity", "in", ("one; alone",)),
        *(Matcher("robot", "!=", (f"x{number}",)) for number in range(17)),
    ),
    world.NOW - 90_123,
    world.NOW + 86_400_042,
    "rebuilt",
)


@pytest.mark.parametrize(
    "recurrence",
    [
        None,
        Recurrence("mo-fr 22:00-06:00", "Europe/Berlin"),
        Recurrence("sa,su 00:00-24:00", "Asia/Shanghai"),
        Recurrence("mo,we 09:30-24:00", "Asia/Shanghai"),
        Recurrence("mo-fr 09:00-12:00,13:00-18:00; sa 10:00-14:00", "Asia/Shanghai"),
        Recurrence("24/7", "UTC"),
    ],
)
def test_what_is_not_touched_stays_as_it_was(
    built: world.World, client: TestClient, recurrence: Recurrence | None
) -> None:
    """To the millisecond, and whatever a script wrote that a form says less exactly; the rest is changed."""
    silences = built.services.relational.silences
    made = silences.add(replace(ODD, recurrence=recurrence), "li", built.now).silence
    form = _given(client, f"/silences/{made.id}/edit")
    answer = client.post(f"/silences/{made.id}/edit", data=form | {"comment": "why"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/silences#silence-{made.id}")
    kept = silences.one(made.id)
    expected = replace(made, comment="why", revision=1, changed_at=built.now, changed_by="li")
    assert kept is not None
    assert replace(kept, active=made.active) == expected


def test_a_silence_is_made_another(built: world.World, client: TestClient) -> None:
    """With the form, the preview and the words of making one; what it no longer hides is shown again."""
    hidden, other = built.fires("LidarFailing", 0), built.fires("LidarFailing", 2)
    client.post("/silences/new", data=FORM)
    assert _shown(client, "/?whose=all") == [other]
    assert 'href="/silences/1/edit"' in client.get("/silences", headers=HTML).text
    form = _given(client, "/silences/1/edit?lang=en") | {"values_0": "Hall B", "kind": "maintenance"}
    asked = client.post("/silences/preview?lang=en", data=form, headers=HTML).text
    assert "whose site is Hall B" in asked
    assert "Edit maintenance window" in asked
    assert sent(asked) == form
    client.post("/silences/1/edit", data=form)
    assert _shown(client, "/?whose=all") == [hidden]
    listed = client.get("/silences?lang=en", headers=HTML).text
    for text in ("whose site is Hall B", "Maintenance · until", "changed by 李薇 just now"):
        assert text in listed
    wrong = client.post(
        "/silences/1/edit?lang=en", data=form | {"revision": "1", "comment": ""}, headers=HTML
    )
    assert (wrong.status_code, "say why" in wrong.text) == (422, True)
    assert sent(wrong.text) == form | {"revision": "1", "comment": ""}


def test_times_and_zone_of_a_silence_are_changed(built: world.World, client: TestClient) -> None:
    """On the clock that the form names; hours of the week go with it, and go when they are emptied."""
    silences = built.services.relational.silences
    made = silences.add(replace(ODD, recurrence=Recurrence("24/7", "UTC")), "li", built.now).silence
    path, until = f"/silences/{made.id}/edit", "2027-01-01T00:00"
    client.post(path, data=_given(client, path) | {"zone": "Asia/Shanghai", "ends": until})
    changed = silences.one(made.id)
    assert changed is not None
    assert changed.recurrence == Recurrence("24/7", "Asia/Shanghai")
    assert changed.ends_at == moment(until, SHANGHAI)
    client.post(path, data=_given(client, path) | {"times": ""})
    assert silences.one(made.id) == replace(
        changed, recurrence=None, revision=2, active=True, changed_at=built.now
    )


def test_who_was_quicker_with_a_silence_is_told(built: world.World, client: TestClient) -> None:
    """Over the form as it was sent, beside the silence as it is now; saved again, the second's counts."""
    silences = built.services.relational.silences
    client.post("/silences/new", data=FORM)
    form = _given(client, "/silences/1/edit?lang=en") | {"comment": "mine"}
    known(built.services, Person("costa", "Ana Costa", Role.CSM))
    silences.change(1, replace(ODD, comment="hers"), "costa", built.now)
    late = client.post("/silences/1/edit?lang=en", data=form, headers=HTML)
    assert late.status_code == 409
    assert "Ana Costa changed this just now. What you wrote stands below" in late.text
    assert "“hers”" in late.text
    assert sent(late.text) == form | {"revision": "1"}
    assert client.post("/silences/1/edit", data=sent(late.text), follow_redirects=False).status_code == 303
    kept = silences.one(1)
    assert kept is not None
    assert (kept.comment, kept.matchers) == ("mine", (Matcher("site", "=", ("Hall A",)),))


def test_a_change_that_names_no_revision(built: world.World, client: TestClient) -> None:
    """Nothing is done: nobody knows on what it was decided."""
    client.post("/silences/new", data=FORM)
    for more, status in (({"comment": ""}, 422), ({"comment": "mine"}, 409)):
        answer = client.post("/silences/1/edit?lang=en", data=FORM | more, headers=HTML)
        assert answer.status_code == status
    assert "Somebody else changed this meanwhile" in answer.text
    kept = built.services.relational.silences.one(1)
    assert kept is not None
    assert (kept.comment, kept.revision) == (FORM["comment"], 0)


@pytest.mark.parametrize(("by", "said"), [("costa", "Ana Costa ended this just now"), (None, "This ended ")])
def test_a_silence_that_ended_meanwhile(
    built: world.World, client: TestClient, by: str | None, said: str
) -> None:
    """By whom is told, and what was written becomes a new one, if it is kept."""
    silences = built.services.relational.silences
    known(built.services, Person("costa", "Ana Costa", Role.CSM))
    silences.add(replace(ODD, ends_at=built.now + 1), "li", built.now - 60_000)
    form = _given(client, "/silences/1/edit?lang=en") if by else FORM
    if by is not None:
        silences.end(1, by, built.now)
    else:
        with built.services.relational._database.writing() as connection:
            connection.execute(schema.silences.update().values(ends_at=built.now - 60_000))
    late = client.post("/silences/1/edit?lang=en", data=form | {"length": "4h", "begins": ""}, headers=HTML)
    assert (late.status_code, said in late.text) == (409, True)
    assert 'action="/silences/new"' in late.text
    assert "id" not in sent(late.text)
    gone = client.get("/silences/1/edit", headers=HTML, follow_redirects=False)
    assert (gone.status_code, gone.headers["location"]) == (303, "/silences#silence-1")


def _shown(client: TestClient, path: str) -> list[int]:
    return [int(id_) for id_ in re.findall(r'id="alert-(\d+)"', client.get(path, headers=HTML).text)]


def test_change_and_end_are_offered_to_who_may(built: world.World, client: TestClient) -> None:
    """Who sees its own only is shown another's silence that hides an alert there, and no buttons."""
    built.fires("RelocalizationFailing", 0)
    client.post("/silences/new", data=FORM)
    buttons = ('action="/silences/1/end"', 'href="/silences/1/edit"')
    listed = client.get("/silences").text
    assert [button in listed for button in buttons] == [True, True]
    sign_in(client, built.services, csm("ana", own=True))
    shown = client.get("/silences").text
    assert ("rebuilt until Friday" in shown, [button in shown for button in buttons]) == (True, [False] * 2)
    assert client.post("/silences/1/end").status_code == 404
    assert client.get("/silences/1/edit").status_code == 404
    assert client.post("/silences/1/edit", data=FORM | {"revision": "0"}).status_code == 404
    sign_in(client, built.services, Person("fix", "Fixer", Role.INSTALLER))
    assert client.get("/silences/1/edit").status_code == 403
    assert client.post("/silences/1/edit", data=FORM | {"revision": "0"}).status_code == 403


def test_who_sees_its_own_changes_its_own(built: world.World, client: TestClient) -> None:
    """With as many matchers as there may be, beside which its scope is no trouble; whoever sees all, too."""
    rows = {f"name_{n}": "robot" for n in range(20)} | {f"values_{n}": f"x{n}" for n in range(20)}
    rows |= {f"op_{n}": "!=" for n in range(20)}
    for person in (csm("ana", own=True), LI):
        sign_in(client, built.services, person)
        if person.id == "ana":
            client.post("/silences/new", data=FORM | rows)
        form = _given(client, "/silences/1/edit") | {"comment": person.id}
        assert client.post("/silences/1/edit", data=form, follow_redirects=False).status_code == 303
        kept = built.services.relational.silences.one(1)
        assert kept is not None
        assert (kept.comment, len(kept.matchers), kept.matchers[-1]) == (person.id, 21, scope_of("ana"))
