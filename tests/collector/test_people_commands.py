"""`vitals-collector people`: who may sign in, from the machine on which the collector runs."""

import io
import json
import sys
from contextlib import closing
from pathlib import Path

import pytest

from collector import credentials
from collector.__main__ import main
from collector.people import Person, Role, Sees
from collector.relational import Relational
from collector.relational.accounts import Accounts
from tests.conformance.databases import Fresh

GOOD = "three red robots"


@pytest.fixture
def where(fresh: Fresh, tmp_path: Path) -> list[str]:
    """Arguments that name a database: in the folder, or on a server."""
    url = fresh()
    data = ["--data", str(tmp_path / "data")]
    return data if url.startswith("sqlite") else [*data, "--database", url]


def people(*arguments: str, stdin: str = "") -> int:
    """Runs the command with this standard input, which is no terminal."""
    before, sys.stdin = sys.stdin, io.StringIO(stdin)
    try:
        return main(["people", *arguments])
    finally:
        sys.stdin = before


def opened(where: list[str]) -> Relational:
    """The database that the arguments name."""
    url = where[3] if "--database" in where else f"sqlite:///{where[1]}/collector.sqlite"
    return Relational(url)


def test_the_first_admin(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Made in an empty folder, with a password from standard input; the journal has it."""
    assert people("add", "admin", "--role", "admin", "--password-stdin", *where, stdin=f"{GOOD}\n") == 0
    assert capsys.readouterr().out == "added admin (admin), admin; signs in with the password\n"
    with closing(opened(where)) as relational:
        assert relational.accounts.person("admin") == Person("admin", "admin", Role.ADMIN)
        assert credentials.matches(relational.accounts.password("admin"), GOOD)
        assert [entry.who for entry in relational.accounts.journal()] == ["system"]


def test_everything_of_a_person(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each option is kept, and listed as JSON."""
    given = ["--name", "李梅", "--sees", "own", "--email", "li.mei@example.com", "--language", "zh"]
    hours = ["--tz", "Asia/Shanghai", "--work-hours", "mo-fr 09:00-18:00", "--holidays", "2026-10-01"]
    assert people("add", "mei", "--role", "csm", *given, *hours, *where) == 0
    capsys.readouterr()
    assert people("list", "--json", *where) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert listed == {
        "id": "mei",
        "name": "李梅",
        "role": "csm",
        "sees": "own",
        "email": "li.mei@example.com",
        "language": "zh",
        "tz": "Asia/Shanghai",
        "work_hours": "mo-fr 09:00-18:00",
        "holidays": "2026-10-01",
        "active": True,
    }
    assert people("list", *where) == 0
    assert "csm        sees own  李梅" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["add", "Mei", "--role", "csm"], "", "'Mei' is no name to sign in with"),
        (["add", "mei", "--role", "csm", "--email", "x", "--tz", "Mars"], "", "tz 'Mars'"),
        (["add", "admin", "--role", "csm"], "", "there is a person named 'admin' already"),
        (["add", "mei", "--role", "csm", "--password-stdin"], "short\n", "10 characters at least"),
        (["add", "mei", "--role", "csm", "--password-stdin"], "", "10 characters at least"),
        (["password", "admin", "--password-stdin"], "aaaaaaaaaaaaa\n", "too easy to guess"),
        (["password", "who", "--password-stdin"], f"{GOOD}\n", "there is nobody named 'who'"),
        (["disable", "admin"], "", "'admin' is the last active admin"),
        (["link", "who"], "", "there is nobody named 'who'"),
        (["token", "who"], "", "there is nobody named 'who'"),
    ],
)
def test_what_is_refused(
    where: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], stdin: str, said: str
) -> None:
    """One line says what and why, and nothing is done."""
    assert people("add", "admin", "--role", "admin", *where) == 0
    capsys.readouterr()
    assert people(*arguments, *where, stdin=stdin) == 1
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    with closing(opened(where)) as relational:
        assert relational.accounts.everybody() == [Person("admin", "admin", Role.ADMIN)]


def test_no_password_and_nobody_to_ask(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A password is not read from what is no terminal unless told so; the status says used wrongly."""
    assert people("add", "admin", "--role", "admin", *where) == 0
    assert people("password", "admin", *where, stdin=f"{GOOD}\n") == 2
    assert "--password-stdin" in capsys.readouterr().err
    assert people("token", "admin", "--expires", "soon", *where) == 2


def accounts_after(where: list[str], *steps: list[str]) -> Accounts:
    """The people of the database after these commands; it stays open for reading."""
    for step in steps:
        assert people(*step, *where, stdin=f"{GOOD}\n") == 0
    return opened(where).accounts


def test_disabled_and_enabled(where: list[str]) -> None:
    """Keeps somebody out, and lets it in again."""
    people("add", "admin", "--role", "admin", *where)
    people("add", "mei", "--role", "csm", *where)
    disabled = accounts_after(where, ["disable", "mei"]).person("mei")
    enabled = accounts_after(where, ["enable", "mei"]).person("mei")
    assert disabled == Person("mei", "mei", Role.CSM, Sees.ALL, active=False, revision=1)
    assert enabled == Person("mei", "mei", Role.CSM, Sees.ALL, revision=2)


def test_links_and_tokens_sign_in(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What the command prints is what the database knows by its digest; the link is over after 15 minutes."""
    people("add", "mei", "--role", "csm", *where)
    capsys.readouterr()
    assert people("link", "mei", "--url", "https://vitals.example/", *where) == 0
    link = capsys.readouterr().out.strip()
    assert link.startswith("https://vitals.example/sign-in/link/")
    assert people("token", "mei", "--name", "nightly", "--expires", "30d", *where) == 0
    token = capsys.readouterr().out.strip()
    with closing(opened(where)) as relational:
        accounts = relational.accounts
        [made] = accounts.tokens_of("mei")
        assert made.expires_at is not None
        assert made.expires_at - made.created_at == 30 * 86_400_000
        secret = credentials.digest(link.rpartition("/")[2])
        assert accounts.by_token(credentials.digest(token), made.created_at) is not None
        assert accounts.whose_link(secret, made.created_at + 15 * 60_000) is None
        assert accounts.use_link(secret, made.created_at + 14 * 60_000) is not None


def test_links_of_several(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A line of JSON each, in the order asked for; if one is unknown, none is made."""
    for name in ("mei", "ana"):
        people("add", name, "--role", "csm", *where)
    capsys.readouterr()
    assert people("link", "ana", "mei", "--json", "--url", "http://x", *where) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["person"] for each in told] == ["ana", "mei"]
    assert all(each["link"].startswith("http://x/sign-in/link/") for each in told)
    assert people("link", "ana", "who", *where) == 1
    assert capsys.readouterr().out == ""


def test_a_link_of_a_collector_that_does_not_run(
    where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what is missing before it."""
    people("add", "mei", "--role", "csm", *where)
    capsys.readouterr()
    assert people("link", "mei", *where) == 0
    said = capsys.readouterr()
    assert said.out.startswith("/sign-in/link/")
    assert "does not run" in said.err
