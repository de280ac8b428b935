"""Pages over HTTP, without a browser: what is refused, remembered and kept."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from collector.http import app
from collector.http.pages.frame import asset
from collector.relational import RobotRecord
from tests.browser import world
from tests.signing import sign_in

HTML = {"Accept": "text/html"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """The app over an empty collector, and one robot with an alert."""
    built = world.opened(tmp_path)
    built.services.relational.import_robots([RobotRecord("rv-1", name="<b>小莫</b>", tz="Asia/Shanghai")])
    built.robots = ("rv-1",)
    built.fires("RelocalizationFailing", 0)
    with TestClient(app.create(built.services)) as opened:
        yield sign_in(opened, built.services)
    world.close(built)


def test_actions_work_without_scripts(client: TestClient) -> None:
    """A plain form does what the scripts do, and leads to the alert."""
    asked = client.get("/alerts/1/close?lang=en", headers=HTML)
    assert 'name="reason"' in asked.text
    answer = client.post("/alerts/1/close", data={"reason": "expected"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts/1")
    assert "李梅" in client.get("/alerts/1", headers=HTML).text
    again = client.post("/alerts/1/close", data={"reason": "expected"}, headers=HTML)
    assert again.status_code == 409
    assert "Already closed by 李梅" in again.text


@pytest.mark.parametrize(
    ("action", "form", "status"),
    [
        ("snooze", {"for": "1h"}, 422),
        ("snooze", {"for": "soon", "reason": "x"}, 422),
        ("snooze", {"for": "999d", "reason": "x"}, 422),
        ("snooze", {"for": "1h", "reason": "x" * 2_001}, 422),
        ("close", {}, 422),
        ("close", {"reason": "resolved"}, 422),
        ("close", {"reason": "other"}, 422),
        ("acknowledge", {"note": "x" * 2_001}, 422),
        ("explode", {}, 404),
    ],
)
def test_a_form_that_cannot_be_acted_on_is_refused(
    client: TestClient, action: str, form: dict[str, str], status: int
) -> None:
    """In words, in the reader's language, with nothing done."""
    answer = client.post(
        f"/alerts/1/{action}?lang=zh",
        data=form,
        headers=HTML | {"HX-Request": "true"},
        follow_redirects=False,
    )
    assert answer.status_code == status
    assert re.search("[一-龥]", answer.text)
    assert 'data-work="new"' in client.get("/alerts/1", headers=HTML).text


def test_another_site_cannot_act(client: TestClient) -> None:
    """What another site's page makes a browser send is refused."""
    foreign = {"Origin": "https://elsewhere.example"}
    assert client.post("/alerts/1/acknowledge", headers=foreign).status_code == 403
    assert client.post("/sign-in", data={"name": "x"}, headers=foreign).status_code == 403


def test_names_of_robots_are_text(client: TestClient) -> None:
    """Whatever a robot is called, it is shown and not obeyed."""
    for path in ("/", "/fleet", "/robots/rv-1", "/alerts/1", "/alerts/1/snooze"):
        page = client.get(path, headers=HTML).text
        assert "&lt;b&gt;小莫&lt;/b&gt;" in page
        assert "<b>小莫" not in page


def test_pages_hold_no_inline_code_and_fetch_nothing_from_outside(client: TestClient) -> None:
    """The content security policy allows only our own files, and the pages keep to it."""
    for path in ("/", "/fleet", "/robots/rv-1", "/alerts/1"):
        answer = client.get(path, headers=HTML)
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon[a-z]+=", answer.text)
        assert not re.search(r"(src|href|action)=\"(https?:)?//", answer.text)


def test_static_files_stay_in_their_folder(client: TestClient) -> None:
    """A file is found by its name and cached for good; nothing beside the folder is."""
    answer = client.get(asset("app.css"))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    for path in ("/static/../pages.py", "/static/%2e%2e/pages.py", "/static/", "/static/vendor"):
        assert client.get(path).status_code == 404


def test_scripts_get_problem_details(client: TestClient) -> None:
    """What is not asked for as a page is refused as the API does."""
    for path in ("/alerts/99", "/robots/nobody/plot.json", "/alerts/1/measure.json?item=9"):
        answer = client.get(path, headers={"Accept": "application/json"})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_language_once_asked_for_is_kept(client: TestClient) -> None:
    """`?lang=` is remembered for the addresses after it."""
    assert 'lang="zh-CN"' in client.get("/?lang=zh", headers=HTML).text
    assert 'lang="zh-CN"' in client.get("/fleet", headers=HTML | {"Accept-Language": "en"}).text


def test_plots_are_numbers(client: TestClient) -> None:
    """Times in seconds, the measure's values beside its limit, and the span of the alert."""
    plot = client.get("/alerts/1/measure.json").json()
    assert plot["limits"] == [5.0]
    assert plot["span"][0] <= plot["span"][1]
    assert [len(line["values"]) for line in plot["series"]] == [len(plot["times"])]
    assert client.get("/robots/rv-1/plot.json?subsystem=navigation&range=7d").status_code == 200
    assert client.get("/robots/rv-1/plot.json?subsystem=nothing").status_code == 404
