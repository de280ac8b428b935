"""Playbooks on pages: all of them, each alone, and as the checklist of an alert."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from collector.http import app
from collector.http.pages import frame
from collector.http.views.playbook import PlaybookView, playbook_view, shelves, step_text
from collector.people import Person, Role
from collector.queue import Check, Close, Reason
from collector.words.i18n import Words
from rules import playbooks
from rules.storm import RULE as STORM
from tests.browser import world
from tests.signing import sign_in

HTML = {"Accept": "text/html"}
SCRIPT = {"HX-Request": "true", **HTML}
CHECKLIST = '{% from "playbook.html" import checklist with context %}{{ checklist(play) }}'


@pytest.fixture
def built(tmp_path: Path) -> Iterator[world.World]:
    """An empty collector and one robot with an alert."""
    opened = world.opened(tmp_path)
    opened.robots = ("rv-1",)
    opened.fires("RelocalizationFailing", 0)
    yield opened
    world.close(opened)


@pytest.fixture
def client(built: world.World) -> Iterator[TestClient]:
    """The app over it."""
    with TestClient(app.create(built.services)) as opened:
        yield sign_in(opened, built.services)


def checklist(play: PlaybookView, t: Words, *, works: bool = True) -> str:
    """The piece for an alert's page, as somebody who may work on alerts sees it, or somebody else."""
    template = frame.templates().from_string(CHECKLIST)
    return template.render(play=play, t=t, asset=frame.asset, now=0, rfc3339=str, may=lambda _: works)


def of_alert(built: world.World, t: Words) -> PlaybookView:
    """The playbook of the one alert there is."""
    alert = built.services.relational.alert(1)
    assert alert is not None
    play = playbook_view(built.services, alert, t)
    assert play is not None
    return play


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_playbook_has_a_page(client: TestClient, language: str) -> None:
    """Its four sections, in the reader's language, and what it is for."""
    t = Words("zh" if language == "zh" else "en")
    sheet = playbooks.shipped()["site-silent"][t.language]
    page = client.get(f"/playbooks/site-silent?lang={language}", headers=HTML).text
    assert f"<h1>{sheet.title}</h1>" in page
    assert page.count('<li class="step') == len(sheet.steps)
    assert "SiteSilent" in page
    assert "<form" not in page[page.index("<h1>") :]  # nothing to tick without an alert
    for heading in ("meaning", "check", "customer", "visit"):
        assert t(f"playbook.{heading}") in page


def test_a_playbook_that_is_not_there(client: TestClient) -> None:
    """Said in words; a name is text and is not obeyed."""
    answer = client.get("/playbooks/%3Cb%3Enix", headers=HTML)
    assert answer.status_code == 404
    assert "&lt;b&gt;nix" in answer.text


def test_all_playbooks_by_subsystem(client: TestClient, built: world.World) -> None:
    """Each on one shelf, in the catalogue's order, the worst trouble of a shelf first."""
    t = Words("en")
    found = shelves(built.services, t)
    assert [shelf.label for shelf in found][:2] == ["Network", "Vision"]
    assert found[-1].label == t.one_of("subsystem", STORM.subsystem)
    listed = [line.url for shelf in found for line in shelf.lines]
    assert len(listed) == len(set(listed)) == len(playbooks.shipped())
    assert found[0].lines[0].severity == "high"
    page = client.get("/playbooks", headers=HTML).text
    assert [url for url in listed if f'href="{url}"' not in page] == []


def test_without_rules_that_name_one(built: world.World) -> None:
    """There is nothing to list, and an alert has no checklist."""
    bare = replace(built.services, playbooks={})
    assert shelves(bare, Words("en")) == []
    with TestClient(app.create(bare)) as client:
        sign_in(client, bare)
        assert Words("en")("playbook.empty_title") in client.get("/playbooks?lang=en", headers=HTML).text
        assert client.get("/playbooks/site-silent", headers=HTML).status_code == 404
    alert = bare.relational.alert(1)
    assert alert is not None
    assert playbook_view(bare, alert, Words("en")) is None


def test_the_checklist_of_an_alert(built: world.World) -> None:
    """Every step is a form of its own, which works without scripts, and says what it would do."""
    play = of_alert(built, Words("en"))
    assert (play.done, play.check_url) == (0, "/alerts/1/check")
    html = checklist(play, Words("en"))
    assert html.count('<form method="post" action="/alerts/1/check"') == len(play.steps)
    assert re.findall(r'name="step" value="(\w+)"', html) == [step.id for step in play.steps]
    assert html.count('name="done" value="true"') == len(play.steps)
    assert f"0 of {len(play.steps)} done" in html


def test_steps_that_are_done(built: world.World) -> None:
    """They are ticked, and a tick can be taken back."""
    first, *_ = playbooks.shipped()["relocalization-failing"].step_ids
    built.services.relational.queue.act(1, Check(first), "li.wei", built.now)
    play = of_alert(built, Words("zh"))
    assert [step.number for step in play.steps if step.done] == [1]
    html = checklist(play, Words("zh"))
    assert html.count('aria-checked="true"') == 1
    assert html.count('name="done" value="false"') == 1
    assert f"已完成 1 / {len(play.steps)}" in html


def test_a_tick_goes_with_its_step(built: world.World) -> None:
    """When others are put in above it, and the Chinese words are mended; not when it is another step."""
    name = "relocalization-failing"
    playbook = playbooks.shipped()[name]
    built.services.relational.queue.act(1, Check(playbook.step_ids[1]), "li.wei", built.now)
    en, zh = playbook.en, playbook.zh
    longer = replace(
        playbook,
        en=replace(en, steps=("Wait.", en.steps[1], *en.steps[2:], en.steps[0])),
        zh=replace(zh, steps=("等。", "改过的话", *zh.steps[2:], zh.steps[0])),
    )
    built.services = replace(built.services, playbooks={name: longer})
    assert [step.text for step in of_alert(built, Words("zh")).steps if step.done] == ["改过的话"]
    reworded = replace(longer, en=replace(longer.en, steps=tuple(f"Not: {step}" for step in longer.en.steps)))
    built.services = replace(built.services, playbooks={name: reworded})
    assert of_alert(built, Words("zh")).done == 0


def test_ticks_of_older_versions_go_by_number(client: TestClient, built: world.World) -> None:
    """They are shown, and can be taken back."""
    built.services.relational.queue.act(1, Check("2"), "li.wei", built.now)
    play = of_alert(built, Words("en"))
    assert [(step.number, step.id) for step in play.steps if step.done] == [(2, "2")]
    client.post("/alerts/1/check", data={"step": "2", "done": "false"})
    assert of_alert(built, Words("en")).done == 0


def test_ticking_without_scripts(client: TestClient, built: world.World) -> None:
    """A plain form ticks a step, or takes the tick back, and leads to the alert's checklist."""
    step = of_alert(built, Words("en")).steps[1].id
    for done, count in (("true", 1), ("true", 1), ("false", 0)):
        answer = client.post("/alerts/1/check", data={"step": step, "done": done}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/alerts/1#playbook")
        assert of_alert(built, Words("en")).done == count


def test_ticking_with_scripts(client: TestClient, built: world.World) -> None:
    """The checklist comes back as it is now, for its own place on the page."""
    step = of_alert(built, Words("en")).steps[1].id
    answer = client.post("/alerts/1/check", data={"step": step, "done": "true"}, headers=SCRIPT)
    assert answer.status_code == 200
    assert answer.text.strip().startswith('<section class="card playbook" id="playbook">')
    assert answer.text.count('aria-checked="true"') == 1


@pytest.mark.parametrize("step", ["", "0", "99", "x"])
def test_a_step_that_is_none(client: TestClient, built: world.World, step: str) -> None:
    """Refused in words, with nothing done; with scripts beside the checklist, else as a page."""
    for headers in (SCRIPT, HTML):
        answer = client.post("/alerts/1/check", data={"step": step}, headers=headers)
        assert answer.status_code == 422
        assert Words("en")("playbook.step_unknown") in answer.text
        assert ('id="playbook"' in answer.text) == (headers is SCRIPT)
    assert of_alert(built, Words("en")).done == 0


def test_a_closed_alert_takes_no_step(client: TestClient, built: world.World) -> None:
    """Somebody closed it while the page stood open: said, and the checklist is shown as it ended."""
    built.services.relational.queue.act(1, Close(Reason.EXPECTED), "li.wei", built.now)
    step = of_alert(built, Words("zh")).steps[0].id
    answer = client.post("/alerts/1/check?lang=zh", data={"step": step}, headers=SCRIPT)
    assert answer.status_code == 409
    assert "这条告警已关闭，不能再勾选步骤。" in answer.text
    assert "<form" not in answer.text


def test_an_alert_that_is_not_there(client: TestClient) -> None:
    """Nothing to tick."""
    for id_ in ("99", "x", "9" * 20):
        assert client.post(f"/alerts/{id_}/check", data={"step": "1"}, headers=HTML).status_code == 404


def test_a_step_in_the_history(built: world.World) -> None:
    """In plain words, older ticks too; and that it is gone where the playbook has changed since."""
    alert = built.services.relational.alert(1)
    assert alert is not None
    playbook = playbooks.shipped()["relocalization-failing"]
    for step in (playbook.step_ids[0], "1"):
        assert step_text(built.services, alert, step, Words("zh")) == playbook.zh.steps[0]
    assert step_text(built.services, alert, "19", Words("zh")) == "第 19 步"
    assert step_text(built.services, alert, "0123456789ab", Words("zh")) == "手册中已不存在的一步"


def test_what_is_closed_is_not_ticked(built: world.World) -> None:
    """The checklist of a closed alert shows what was done, and takes nothing."""
    html = checklist(replace(of_alert(built, Words("en")), check_url=""), Words("en"))
    assert "<form" not in html


def test_who_may_not_work_on_alerts_ticks_nothing(client: TestClient, built: world.World) -> None:
    """An installer reads the steps, and is refused where it sends the form all the same."""
    assert "<form" not in checklist(of_alert(built, Words("en")), Words("en"), works=False)
    sign_in(client, built.services, Person("ines", "Ines", Role.INSTALLER))
    assert client.post("/alerts/1/check", data={"step": "1"}, headers=HTML).status_code == 403
    assert of_alert(built, Words("en")).done == 0


def test_pages_hold_no_inline_code_and_fetch_nothing_from_outside(client: TestClient) -> None:
    """The content security policy allows only our own files, and the pages keep to it."""
    for path in ("/playbooks", *(f"/playbooks/{name}" for name in playbooks.shipped())):
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 200
        assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon[a-z]+=", answer.text)
        assert not re.search(r"(src|href|action)=\"(https?:)?//", answer.text)
