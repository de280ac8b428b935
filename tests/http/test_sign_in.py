"""Signing in and out: who gets in, who is sent to the door, and how one comes back."""

import re
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from collector import credentials
from collector.http.signed import COOKIE, FORM_FIELD, FORM_HEADER
from collector.relational.accounts import IDLE_MS, LONGEST_MS
from tests.http.conftest import MINUTE, Clock, T, World, visitor
from tests.signing import MEI, csm, known, session_of, sign_in, token_of

HTML = {"Accept": "text/html", "Accept-Language": "en"}
PASSWORD = "three red robots"


@pytest.fixture
def mei(world: World) -> None:
    """Mei has a password."""
    world.services.relational.accounts.add(MEI, credentials.hashed(PASSWORD), "test", T)


def enter(client: TestClient, name: str = MEI.id, password: str = PASSWORD, to: str = "/") -> tuple[int, str]:
    """Status of a sign-in, and where it leads."""
    form = {"name": name, "password": password, "to": to}
    answer = client.post("/sign-in", data=form, headers=HTML, follow_redirects=False)
    return answer.status_code, answer.headers.get("location", "")


@pytest.mark.parametrize("path", ["/", "/fleet", "/alerts/1", "/robots/r1?range=7d", "/people", "/nothing"])
@pytest.mark.usefixtures("mei")
def test_a_page_leads_to_the_door_and_back(stranger: TestClient, path: str) -> None:
    """Whoever asks for a page without being signed in comes to it after signing in."""
    sent = stranger.get(path, headers=HTML, follow_redirects=False)
    assert sent.status_code == 303
    page = stranger.get(sent.headers["location"], headers=HTML)
    to = re.search(r'name="to" value="([^"]*)"', page.text)
    assert to is not None
    assert enter(stranger, to=to[1].replace("&amp;", "&")) == (303, path)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/alerts",
        "/api/v1/nothing",
        "/api/v1/export",
        "/api/v1/openapi.json",
        "/metrics",
        "/events",
        "/alerts/1/measure.json",
        "/robots/r1/plot.json",
    ],
)
def test_scripts_are_told_how_to_sign_in(stranger: TestClient, path: str) -> None:
    """401 as problem details, with the challenge of RFC 6750."""
    answer = stranger.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"] == 'Bearer realm="robovitals"'
    assert "Authorization: Bearer rv_" in answer.json()["detail"]


def test_what_answers_everybody(stranger: TestClient) -> None:
    """Health, the door, and what the door is made of; nothing else."""
    assert stranger.get("/api/v1/health").status_code == 200
    assert stranger.get("/sign-in").status_code == 200
    assert stranger.get("/static/app.css").status_code == 200
    for path in ("/api/v1/health/", "/api/v1/healthy", "/static", "/sign-ins", "/api/v1/../v1/alerts"):
        assert stranger.get(path, follow_redirects=False).status_code in (303, 401), path


@pytest.mark.usefixtures("mei")
def test_a_session_from_sign_in_to_sign_out(stranger: TestClient, world: World) -> None:
    """The cookie is out of scripts' reach; after signing out it opens nothing."""
    answer = stranger.post("/sign-in", data={"name": " Mei ", "password": PASSWORD}, follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age="))
    assert "Secure" not in cookie
    secret = stranger.cookies[COOKIE]
    page = stranger.get("/", headers=HTML)
    assert (page.status_code, MEI.name in page.text) == (200, True)
    assert secret not in page.text
    stranger.post("/sign-out", headers={FORM_HEADER: credentials.form_token(secret)}, follow_redirects=False)
    stranger.cookies.set(COOKIE, secret)
    assert stranger.get("/", headers=HTML, follow_redirects=False).status_code == 303
    told = [entry.what for entry in world.services.relational.accounts.journal(MEI.id)]
    assert told == ["signed_out", "signed_in", "added"]


@pytest.mark.parametrize("headers", [{"X-Forwarded-Proto": "https"}])
@pytest.mark.usefixtures("mei")
def test_the_cookie_is_secure_where_the_console_is(stranger: TestClient, headers: dict[str, str]) -> None:
    """Behind a proxy that speaks https, browsers send it over nothing else."""
    form = {"name": MEI.id, "password": PASSWORD}
    answer = stranger.post("/sign-in", data=form, headers=headers, follow_redirects=False)
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("name", "password"), [("mei", "three blue robots"), ("mai", PASSWORD), ("", ""), ("mei", "x" * 60_000)]
)
@pytest.mark.usefixtures("mei")
def test_the_same_answer_for_every_refusal(
    stranger: TestClient, world: World, name: str, password: str
) -> None:
    """Nobody learns which names there are; the journal has the try."""
    answer = stranger.post("/sign-in", data={"name": name, "password": password}, headers=HTML)
    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text
    assert COOKIE not in stranger.cookies
    assert world.services.relational.accounts.journal()[0].what == "sign_in_failed"


def test_who_is_disabled_is_out_at_once(world: World) -> None:
    """Sessions and tokens end, the password opens nothing, and the answer is that of a wrong one."""
    accounts = world.services.relational.accounts
    accounts.add(csm(), credentials.hashed(PASSWORD), "test", T)
    visiting, token = sign_in(visitor(world), world.services, csm()), token_of(world.services, csm())
    bearer = {"Authorization": f"Bearer {token}"}
    assert visiting.get("/", headers=HTML, follow_redirects=False).status_code == 200
    assert visitor(world).get("/api/v1/robots", headers=bearer).status_code == 200
    accounts.change(replace(csm(), active=False), "test", T)
    assert visiting.get("/", headers=HTML, follow_redirects=False).status_code == 303
    assert visitor(world).get("/api/v1/robots", headers=bearer).status_code == 401
    assert enter(visitor(world), "csm") == (401, "")


@pytest.mark.parametrize(
    ("steps", "holds"),
    [
        ([IDLE_MS - 1], True),
        ([IDLE_MS], False),
        ([IDLE_MS // 2] * 10, True),
        ([IDLE_MS // 2] * (2 * LONGEST_MS // IDLE_MS), False),
    ],
)
def test_sessions_end(client: TestClient, clock: Clock, steps: list[int], holds: bool) -> None:
    """One that nobody uses, and one that is old however much it is used."""
    status = 200
    for step in steps:
        clock.now += step
        status = client.get("/fleet", headers=HTML, follow_redirects=False).status_code
    assert status == (200 if holds else 303)


def test_a_form_of_an_expired_session_comes_back_to_its_page(client: TestClient, clock: Clock) -> None:
    """The page on which it stood, not the address to which it was sent."""
    clock.now += IDLE_MS
    referer = {"Referer": "http://vitals/alerts/1?lang=zh"}
    answer = client.post("/alerts/1/acknowledge", headers=HTML | referer, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?to=/alerts/1%3Flang%3Dzh")
    foreign = {"Referer": "http://elsewhere/alerts/1"}
    answer = client.post("/alerts/1/acknowledge", headers=HTML | foreign, follow_redirects=False)
    assert answer.headers["location"] == "/sign-in"


def test_a_script_of_an_expired_page_sends_the_page_to_the_door(client: TestClient, clock: Clock) -> None:
    """htmx is told where to go, with the page's own address to come back to."""
    clock.now += IDLE_MS
    here = {"HX-Request": "true", "HX-Current-URL": "http://vitals/?view=snoozed"}
    for answer in (
        client.get("/notices", headers=here),
        client.post("/alerts/1/acknowledge", headers=here),
    ):
        assert answer.status_code == 401
        assert answer.headers["hx-redirect"] == "/sign-in?to=/%3Fview%3Dsnoozed"


@pytest.mark.parametrize(
    "to",
    [
        "//elsewhere.example",
        "/\\elsewhere.example",
        "\\\\elsewhere.example",
        "javascript:alert(1)",
        "/\n/elsewhere.example",
        "/sign-in?to=/",
        "",
        "https://[",
    ],
)
@pytest.mark.usefixtures("mei")
def test_signing_in_never_leads_elsewhere(stranger: TestClient, to: str) -> None:
    """Whatever a link to the door says, one stays here."""
    assert enter(stranger, to=to) == (303, "/")


@pytest.mark.usefixtures("mei")
def test_another_sites_page_comes_back_as_a_path_here(stranger: TestClient) -> None:
    """Of a whole address only the path counts."""
    assert enter(stranger, to="https://elsewhere.example/fleet?site=x") == (303, "/fleet?site=x")


@pytest.mark.usefixtures("mei")
def test_many_tries_wait(stranger: TestClient, clock: Clock) -> None:
    """After five wrong passwords each try costs a longer wait, the right one too; others get in."""
    assert [enter(stranger, password="wrong password")[0] for _ in range(6)] == [401] * 5 + [429]
    assert enter(stranger)[0] == 429
    clock.now += 1_000
    assert enter(stranger, password="wrong password")[0] == 401
    clock.now += 1_999
    answer = stranger.post("/sign-in", data={"name": MEI.id, "password": PASSWORD}, headers=HTML)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert "Please wait 1 s" in answer.text
    clock.now += 1
    assert enter(stranger) == (303, "/")


@pytest.mark.usefixtures("mei")
def test_many_names_from_one_place_wait(stranger: TestClient) -> None:
    """Who tries one password on many names is slowed down by its address."""
    tried = [enter(stranger, f"name{number}")[0] for number in range(21)]
    assert tried == [401] * 20 + [429]


def test_an_empty_database_says_what_to_do(stranger: TestClient) -> None:
    """The door names the command that makes the first admin."""
    assert "vitals-collector people add admin --role admin" in stranger.get("/sign-in", headers=HTML).text


@pytest.mark.usefixtures("mei")
def test_a_link_signs_in_once(stranger: TestClient, world: World) -> None:
    """Looking does not use it up; signing in does."""
    accounts, secret = world.services.relational.accounts, credentials.secret()
    accounts.add_token("link", credentials.digest(secret), MEI.id, "test", "system", T, T + 15 * MINUTE)
    path = f"/sign-in/link/{secret}"
    assert MEI.name in stranger.get(path, headers=HTML).text
    assert stranger.get("/", headers=HTML, follow_redirects=False).status_code == 303
    assert stranger.post(path, follow_redirects=False).headers["location"] == "/"
    assert stranger.get("/", headers=HTML, follow_redirects=False).status_code == 200
    other = visitor(world)
    assert (other.get(path).status_code, other.post(path).status_code) == (410, 410)


@pytest.mark.usefixtures("mei")
def test_a_link_that_is_over(stranger: TestClient, world: World, clock: Clock) -> None:
    """Too late, of somebody who was disabled, or made up: one answer."""
    accounts = world.services.relational.accounts
    accounts.add_token("link", credentials.digest("late"), MEI.id, "test", "system", T, T + MINUTE)
    clock.now += MINUTE
    for secret in ("late", "made-up"):
        assert stranger.post(f"/sign-in/link/{secret}").status_code == 410


def test_the_language_of_a_person(stranger: TestClient, world: World) -> None:
    """Whoever has one reads the console in it from the sign-in on; the switch still works."""
    person = replace(csm(), language="zh")
    world.services.relational.accounts.add(person, credentials.hashed(PASSWORD), "test", T)
    enter(stranger, "csm")
    assert 'lang="zh-CN"' in stranger.get("/", headers=HTML).text
    assert 'lang="en"' in stranger.get("/?lang=en", headers=HTML).text
    assert 'lang="en"' in stranger.get("/fleet", headers=HTML).text


# --- forms ------------------------------------------------------------------------------------------------


def test_every_form_of_a_page_carries_the_sessions_token(world: World, client: TestClient) -> None:
    """Forms that change something have it; so have requests of scripts."""
    [id_] = world.fires("Silent", "r1")
    page = client.get(f"/alerts/{id_}/close", headers=HTML).text
    token = client.headers[FORM_HEADER]
    posting = re.findall(r'<form[^>]*method="post"[^>]*>(<input[^>]*>)?', page)
    assert len(posting) == 2
    assert all(f'name="{FORM_FIELD}" value="{token}"' in field for field in posting)
    assert token in re.findall(r"<body[^>]*>", page)[0]


@pytest.mark.parametrize("given", [None, "", "0" * 64, "of another session"])
def test_a_forged_form_changes_nothing(world: World, client: TestClient, given: str | None) -> None:
    """Without the token of this very session, a form is refused, whoever's cookie comes with it."""
    [id_] = world.fires("Silent", "r1")
    del client.headers[FORM_HEADER]
    if given == "of another session":
        given = credentials.form_token(session_of(world.services))
    form = {"reason": "expected"} | ({} if given is None else {FORM_FIELD: given})
    for answer in (
        client.post(f"/alerts/{id_}/close", data=form, headers=HTML),
        client.post(f"/alerts/{id_}/close", data=form, files={"file": b"x"}),
        client.post(f"/api/v1/alerts/{id_}/close", json=form),
    ):
        assert answer.status_code == 403
    assert client.get(f"/api/v1/alerts/{id_}").json()["work"] == "new"


def test_a_form_with_its_token_works(world: World, client: TestClient) -> None:
    """By field, without scripts; the body reaches the page whole."""
    [id_] = world.fires("Silent", "r1")
    form = {FORM_FIELD: client.headers.pop(FORM_HEADER), "reason": "expected", "note": "备注 & more"}
    client.post(f"/alerts/{id_}/close", data=form)
    alert = client.get(f"/api/v1/alerts/{id_}").json()
    assert (alert["work"], alert["close_note"], alert["closed_by"]) == ("closed", "备注 & more", "mei")


# --- tokens -----------------------------------------------------------------------------------------------


def test_a_token_acts_as_its_person(stranger: TestClient, world: World) -> None:
    """What it does is that person's doing, and no form's token is asked for."""
    [id_] = world.fires("Silent", "r1")
    bearer = {"Authorization": f"Bearer {token_of(world.services, csm('li'))}"}
    answer = stranger.post(f"/api/v1/alerts/{id_}/acknowledge", json={}, headers=bearer)
    assert (answer.status_code, answer.json()["acknowledged_by"]) == (200, "li")
    assert stranger.get("/metrics", headers=bearer).status_code == 200


@pytest.mark.parametrize("given", ["", "rv_unknown", "expired", "revoked", "\x00", "中"])
def test_a_token_that_does_not_hold(stranger: TestClient, world: World, clock: Clock, given: str) -> None:
    """It is refused, even beside a good cookie."""
    accounts, token = world.services.relational.accounts, credentials.api_token()
    known(world.services, MEI)
    made = accounts.add_token("api", credentials.digest(token), MEI.id, "x", MEI.id, T, T + MINUTE)
    if given == "expired":
        clock.now += MINUTE
    if given == "revoked":
        assert accounts.revoke_token(made.id, MEI.id, MEI.id, T)
    sent = token if given in ("expired", "revoked") else given
    sign_in(stranger, world.services)
    headers = {"Authorization": f"Bearer {sent}".encode()}
    answer = stranger.get("/api/v1/alerts", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="robovitals", error="invalid_token"'


def test_the_operator_on_the_machine(world: World) -> None:
    """The token in the data folder lets commands export; it may not manage people."""
    services = replace(world.services, operator=credentials.digest("secret"))
    bearer = {"Authorization": "Bearer secret"}
    answer = visitor(replace(world, services=services)).get("/api/v1/alert-log", headers=bearer)
    assert answer.status_code == 200
    assert visitor(world).get("/api/v1/alert-log", headers=bearer).status_code == 401


def test_a_broken_referer_leads_to_the_start_page(client: TestClient, clock: Clock) -> None:
    """What is no address is none to come back to."""
    clock.now += IDLE_MS
    broken = {"Referer": "http://["}
    answer = client.post("/alerts/1/acknowledge", headers=HTML | broken, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_a_host_that_looks_like_the_door_opens_nothing(stranger: TestClient) -> None:
    """The path alone says whether somebody asks for the sign-in."""
    for host in ("vitals/sign-in?", "vitals/sign-in#"):
        answer = stranger.get("/fleet", headers=HTML | {"Host": host}, follow_redirects=False)
        assert (answer.status_code, answer.headers.get("location", "").split("?")[0]) == (303, "/sign-in")


def test_too_many_fields_of_a_form_are_refused(client: TestClient) -> None:
    """400 where a page takes 50, and where it takes 600."""
    for path, fields in (("/me/tokens", 110), ("/bulk/acknowledge", 700)):
        body = "&".join(f"f{number}=1" for number in range(fields))
        headers = HTML | {"Content-Type": "application/x-www-form-urlencoded"}
        assert client.post(path, content=body, headers=headers).status_code == 400, path


def test_numbers_of_many_digits_are_refused(client: TestClient) -> None:
    """A token that cannot be, and a revision: neither is a fault of the collector."""
    assert client.post(f"/me/tokens/{10**30}/revoke", headers=HTML).status_code in (404, 422)
    for digits in (30, 5_000):
        ticked = {"alert": f"1.{'9' * digits}"}
        assert client.post("/bulk/acknowledge", data=ticked, headers=HTML).status_code < 500
