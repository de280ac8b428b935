"""The pages about people: one's own, and an admin's over everybody."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from collector import credentials
from collector.http import app
from collector.http.services import Services
from collector.people import Person, Role, Sees
from collector.relational.accounts import Accounts
from tests.browser import world
from tests.signing import MEI, csm, session_of, sign_in

HTML = {"Accept": "text/html", "Accept-Language": "en"}
PASSWORD = "three red robots"
LI = Person("li", "李", Role.CSM, Sees.OWN, "li@example.com", "zh", "Asia/Shanghai")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """An empty collector with two people."""
    built = world.opened(tmp_path)
    built.services.relational.accounts.add(MEI, credentials.hashed(PASSWORD), "test", world.NOW)
    built.services.relational.accounts.add(LI, None, "test", world.NOW)
    yield built.services
    world.close(built)


@pytest.fixture
def accounts(services: Services) -> Accounts:
    """Its people."""
    return services.relational.accounts


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    """An admin's browser without scripts."""
    with TestClient(app.create(services)) as opened:
        yield sign_in(opened, services)


def text(page: str) -> str:
    """What a page says, without its tags."""
    return html.unescape(re.sub(r"<[^>]+>", " ", page))


# --- one's own page -----------------------------------------------------------------------------------------


def test_a_profile_is_kept(client: TestClient, accounts: Accounts) -> None:
    """Language, address, zone and hours; the page speaks the new language at once."""
    form = {
        "language": "zh",
        "email": "mei@example.com",
        "tz": "Asia/Shanghai",
        "work_hours": "mo-fr 10:00-19:00",
    }
    page = client.post("/me/profile", data=form, headers=HTML)
    assert "个人设置已保存" in page.text
    assert accounts.person(MEI.id) == replace(
        MEI,
        language="zh",
        email="mei@example.com",
        tz="Asia/Shanghai",
        work_hours="mo-fr 10:00-19:00",
        revision=1,
    )


def test_nobody_gives_itself_a_role(services: Services, client: TestClient, accounts: Accounts) -> None:
    """Role, sight and name are not one's own to change, whatever a form says."""
    sign_in(client, services, LI)
    client.post(
        "/me/profile", data={"role": "admin", "sees": "all", "name": "boss", "email": ""}, headers=HTML
    )
    assert accounts.person(LI.id) == replace(LI, email=None, revision=1)


def test_a_profile_that_cannot_be_used(client: TestClient, accounts: Accounts) -> None:
    """Every wrong field says what would do, and shows what was typed; nothing is kept."""
    form = {"email": "no address", "tz": "Mars/Base", "work_hours": "always", "holidays": "soon"}
    page = client.post("/me/profile", data=form, headers=HTML)
    assert page.status_code == 422
    assert page.text.count('class="bad"') == 4
    assert all(f'value="{value}"' in page.text for value in form.values())
    assert accounts.person(MEI.id) == MEI


def change(client: TestClient, old: str, new: str, again: str | None = None) -> tuple[int, str]:
    """Status and words of a change of password."""
    form = {"old": old, "new": new, "again": new if again is None else again}
    page = client.post("/me/password", data=form, headers=HTML)
    return page.status_code, text(page.text)


def test_a_new_password(services: Services, client: TestClient, accounts: Accounts) -> None:
    """It needs the old one, ends other sessions, and keeps this one."""
    session_of(services)
    status, said = change(client, PASSWORD, "four blue robots")
    assert (status, "Your password is changed" in said) == (200, True)
    assert len(accounts.sessions_of(MEI.id, world.NOW)) == 1
    assert credentials.matches(accounts.password(MEI.id), "four blue robots")


@pytest.mark.parametrize(
    ("old", "new", "again", "said"),
    [
        ("wrong", "four blue robots", None, "This is not your current password."),
        (PASSWORD, "four blue robots", "four blue robot", "The two are not the same."),
        (PASSWORD, "short", None, "10 characters at least."),
        (PASSWORD, "x" * 201, None, "200 characters at most."),
        (PASSWORD, "aaaaaaaaaaaa", None, "too easy to guess"),
        (PASSWORD, "mei mei mei mei", None, ""),
    ],
)
def test_a_password_that_is_refused(
    client: TestClient, accounts: Accounts, old: str, new: str, again: str | None, said: str
) -> None:
    """In words beside its field, with nothing changed."""
    if not said:
        assert change(client, old, new)[0] == 200
        return
    status, page = change(client, old, new, again)
    assert (status, said in page) == (422, True)
    assert credentials.matches(accounts.password(MEI.id), PASSWORD)


def test_an_open_browser_is_no_place_to_guess_passwords(client: TestClient) -> None:
    """After five wrong ones it takes a wait, as at the door."""
    tried = [change(client, "wrong", "four blue robots")[0] for _ in range(6)]
    assert tried == [422] * 5 + [429]
    assert change(client, PASSWORD, "four blue robots")[0] == 429


def test_whoever_came_by_link_sets_a_first_password(services: Services, client: TestClient) -> None:
    """There is no old one to know."""
    sign_in(client, services, LI)
    assert "还没有密码" in client.get("/me", headers=HTML).text
    status, _ = change(client, "", "four blue robots")
    assert status == 200


def test_a_token_is_shown_once_and_revoked(client: TestClient, accounts: Accounts) -> None:
    """The page shows it after making it and never again; revoked, it opens nothing."""
    made = client.post("/me/tokens", data={"name": "nightly  export", "age": "30d"}, headers=HTML)
    [token] = re.findall(r"rv_[\w-]{40,}", made.text)
    assert (made.status_code, token in client.get("/me", headers=HTML).text) == (201, False)
    [listed] = accounts.tokens_of(MEI.id)
    assert (listed.name, listed.expires_at) == ("nightly export", world.NOW + 30 * world.DAY)
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/me", headers=bearer).json()["id"] == MEI.id
    client.post(f"/me/tokens/{listed.id}/revoke", headers=HTML)
    assert client.get("/api/v1/me", headers=bearer).status_code == 401
    assert client.post(f"/me/tokens/{listed.id}/revoke", headers=HTML).status_code == 404


@pytest.mark.parametrize("form", [{"name": " ", "age": "30d"}, {"name": "x", "age": "1d"}, {"name": "x"}, {}])
def test_a_token_without_a_purpose(client: TestClient, accounts: Accounts, form: dict[str, str]) -> None:
    """It is not made."""
    assert client.post("/me/tokens", data=form, headers=HTML).status_code == 422
    assert accounts.tokens_of(MEI.id) == []


def test_a_token_makes_no_token(client: TestClient) -> None:
    """A leaked token cannot outlive itself: one's own page is for browsers."""
    made = client.post("/me/tokens", data={"name": "x", "age": "forever"}, headers=HTML)
    [token] = re.findall(r"rv_[\w-]{40,}", made.text)
    bearer = HTML | {"Authorization": f"Bearer {token}"}
    assert client.get("/me", headers=bearer).status_code == 404
    assert client.post("/me/tokens", data={"name": "y", "age": "forever"}, headers=bearer).status_code == 404


def test_signing_out_elsewhere(services: Services, client: TestClient, accounts: Accounts) -> None:
    """Other browsers are out, this one stays."""
    session_of(services)
    page = client.post("/me/sign-out-elsewhere", headers=HTML)
    assert "Every other browser is signed out." in page.text
    assert len(accounts.sessions_of(MEI.id, world.NOW)) == 1


# --- people -------------------------------------------------------------------------------------------------


def test_everybody_is_listed(client: TestClient) -> None:
    """With name, role and what each role may do."""
    said = text(client.get("/people", headers=HTML).text)
    assert all(
        word in said for word in ("李梅", "李", "Admin", "CSM", "li@example.com", "sees own customers only")
    )


@pytest.mark.parametrize("role", [Role.CSM, Role.ENGINEER, Role.INSTALLER])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/people"),
        ("GET", "/people/new"),
        ("GET", "/people/mei"),
        ("POST", "/people/new"),
        ("POST", "/people/mei"),
        ("POST", "/people/mei/disable"),
        ("POST", "/people/mei/link"),
        ("POST", "/people/mei/reset"),
    ],
)
def test_only_admins_manage_people(
    services: Services, client: TestClient, accounts: Accounts, role: Role, method: str, path: str
) -> None:
    """Everybody else is refused, and nothing happens."""
    sign_in(client, services, Person("other", "Other", role))
    before = accounts.everybody()
    answer = client.request(method, path, headers=HTML)
    assert (answer.status_code, accounts.everybody()) == (403, before)


def test_somebody_new_gets_a_link(services: Services, client: TestClient, accounts: Accounts) -> None:
    """Added, and able to come in by the link on the page, once."""
    form = {"id": " Ana ", "name": "Ana Costa", "role": "csm", "sees": "own", "language": "en"}
    page = client.post("/people/new", data=form, headers=HTML)
    assert accounts.person("ana") == Person("ana", "Ana Costa", Role.CSM, Sees.OWN, language="en")
    [link] = re.findall(r"http://testserver(/sign-in/link/[\w-]+)", page.text)
    with TestClient(app.create(services)) as other:
        assert "Ana Costa" in other.post(link, headers=HTML).text
        assert other.post(link, headers=HTML).status_code == 410


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"id": "a b", "role": "csm"}, 422, "lower-case letters"),
        ({"id": "system", "role": "csm"}, 422, "lower-case letters"),
        ({"id": "ana"}, 422, "Choose a role."),
        ({"id": "ana", "role": "boss", "tz": "x"}, 422, "Write a time zone"),
        ({"id": "li", "role": "csm"}, 409, "a person of that name already"),
    ],
)
def test_somebody_new_who_cannot_be(
    client: TestClient, accounts: Accounts, form: dict[str, str], status: int, said: str
) -> None:
    """The form comes back with words beside the field, and nobody is added."""
    page = client.post("/people/new", data=form, headers=HTML)
    assert (page.status_code, said in text(page.text)) == (status, True)
    assert len(accounts.everybody()) == 2


def test_a_person_is_changed(client: TestClient, accounts: Accounts) -> None:
    """Role and sight, with the revision that the page showed."""
    form = {"revision": "0", "name": "李立", "role": "engineer", "sees": "all", "email": ""}
    assert client.post("/people/li", data=form, headers=HTML).status_code == 200
    assert accounts.person("li") == replace(
        LI, name="李立", role=Role.ENGINEER, sees=Sees.ALL, email=None, revision=1
    )


@pytest.mark.parametrize("revision", ["0", "", "-1", "x"])
def test_a_stale_change_is_told_who_was_faster(client: TestClient, accounts: Accounts, revision: str) -> None:
    """Two admins on one person: the second sees by whom and how it is now."""
    accounts.add(Person("ana", "Ana Costa", Role.ADMIN), None, "test", world.NOW)
    accounts.change(replace(LI, name="李丽"), "ana", world.NOW - world.MINUTE * 3)
    form = {"revision": revision, "name": "李立", "role": "engineer"}
    page = client.post("/people/li", data=form, headers=HTML)
    assert page.status_code == 409
    assert "Ana Costa changed this person 3 min ago" in text(page.text)
    assert 'value="李丽"' in page.text


def test_the_last_admin_stays(client: TestClient, accounts: Accounts) -> None:
    """Neither disabled nor made something else."""
    for path, form in (("/people/mei/disable", {}), ("/people/mei", {"revision": "0", "role": "csm"})):
        page = client.post(path, data=form, headers=HTML)
        assert (page.status_code, "the last active admin" in page.text) == (409, True)
    assert accounts.person(MEI.id) == MEI


def test_disabled_and_enabled(services: Services, client: TestClient, accounts: Accounts) -> None:
    """Out everywhere at once; in again by a new sign-in only."""
    session_of(services, LI)
    client.post("/people/li/disable", headers=HTML)
    assert accounts.sessions_of("li", world.NOW) == []
    assert "Disabled" in client.get("/people", headers=HTML).text
    client.post("/people/li/enable", headers=HTML)
    assert accounts.person("li") == replace(LI, revision=2)


def test_a_reset_takes_the_password_and_gives_a_link(client: TestClient, accounts: Accounts) -> None:
    """For a person that forgot it."""
    accounts.set_password("li", credentials.hashed(PASSWORD), "li", world.NOW)
    page = client.post("/people/li/reset", headers=HTML)
    assert "/sign-in/link/" in page.text
    assert accounts.password("li") is None
    assert "Password removed" in page.text


def test_there_is_nobody(client: TestClient) -> None:
    """A page of nobody says so; so does doing something unknown."""
    assert client.get("/people/who", headers=HTML).status_code == 404
    assert client.post("/people/who/disable", headers=HTML).status_code == 404
    assert client.post("/people/li/explode", headers=HTML).status_code == 404


def test_names_are_text(client: TestClient, accounts: Accounts) -> None:
    """Whatever somebody is called, it is shown and not obeyed."""
    accounts.add(replace(csm("eve"), name="<b>Eve</b>"), None, "test", world.NOW)
    for path in ("/people", "/people/eve"):
        assert "<b>Eve" not in client.get(path, headers=HTML).text
