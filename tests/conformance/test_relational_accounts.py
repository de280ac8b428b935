"""People, sessions, tokens and their journal, on every database."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from collector.people import Person, Role, Sees
from collector.queue import Acknowledge
from collector.relational import AlertQuery, Relational, RobotRecord, UnknownAlertError
from collector.relational.accounts import (
    IDLE_MS,
    LONGEST_MS,
    TOUCHED_MS,
    LastAdminError,
    PersonExistsError,
    StalePersonError,
    UnknownPersonError,
)
from collector.relational.schema import alerts, customers
from collector.relational.seen import SeenRelational
from tests.collector.evaluations import RULES, Signals

ADMIN = Person("admin", "Admin", Role.ADMIN)
MEI = Person(
    "mei",
    "李梅",
    Role.CSM,
    Sees.OWN,
    "mei@example.com",
    "zh",
    "Asia/Shanghai",
    "mo-fr 09:00-18:00",
    "2026-10-01",
)
T = 1_795_309_200_000


def test_people_come_back_as_they_were(url: str) -> None:
    """With everything known of them, after a restart, too; the active ones first."""
    with closing(Relational(url)) as first:
        assert first.accounts.is_empty()
        first.accounts.add(replace(ADMIN, active=False), None, "system", T)
        first.accounts.add(MEI, "hash", "system", T)
    with closing(Relational(url)) as second:
        assert second.accounts.everybody() == [MEI, replace(ADMIN, active=False)]
        assert second.accounts.person("mei") == MEI
        assert second.accounts.person("nobody") is None
        assert (second.accounts.password("mei"), second.accounts.password("admin")) == ("hash", None)
        assert second.accounts.names() == {"admin": "Admin", "mei": "李梅"}
        assert not second.accounts.is_empty()


def test_a_name_is_one_persons(database: Relational) -> None:
    """A second person of the same name is refused, and the first stays as it was."""
    database.accounts.add(MEI, "hash", "system", T)
    with pytest.raises(PersonExistsError, match="'mei'"):
        database.accounts.add(replace(ADMIN, id="mei"), None, "system", T)
    assert database.accounts.person("mei") == MEI


def test_a_stale_change_is_told_who_was_faster(database: Relational) -> None:
    """Two admins edit one person: the second learns of the first, and nothing of its own is kept."""
    database.accounts.add(MEI, None, "system", T)
    changed = database.accounts.change(replace(MEI, name="李"), "ana", T + 1)
    assert changed.revision == 1
    with pytest.raises(StalePersonError, match="changed by ana") as stale:
        database.accounts.change(replace(MEI, role=Role.ENGINEER), "bo", T + 2)
    assert stale.value.last is not None
    assert stale.value.last.detail == {"name": ["李梅", "李"]}
    assert database.accounts.person("mei") == changed
    assert database.accounts.change(changed, "bo", T + 3) == changed
    with pytest.raises(UnknownPersonError):
        database.accounts.change(replace(MEI, id="who"), "bo", T)


@pytest.mark.parametrize("after", [replace(ADMIN, active=False), replace(ADMIN, role=Role.CSM)])
def test_there_is_always_an_admin(database: Relational, after: Person) -> None:
    """The last active one can neither be disabled nor become something else."""
    database.accounts.add(ADMIN, None, "system", T)
    database.accounts.add(Person("old", "Old", Role.ADMIN, active=False), None, "system", T)
    with pytest.raises(LastAdminError):
        database.accounts.change(after, "admin", T)
    database.accounts.add(Person("new", "New", Role.ADMIN), None, "system", T)
    assert database.accounts.change(after, "admin", T).revision == 1


def test_a_session_lasts_while_it_is_used(database: Relational) -> None:
    """It ends when nobody used it for long, and when it is old; its last use is known to some minutes."""
    database.accounts.add(MEI, None, "system", T)
    database.accounts.open_session("s", "mei", T, "password", "127.0.0.1")
    assert database.accounts.signed_in("other", T) is None
    now = T
    while now < T + LONGEST_MS:
        found = database.accounts.signed_in("s", now)
        assert found is not None
        assert found[1] == MEI
        assert now - found[0].used_at < IDLE_MS
        now += IDLE_MS - 1
    assert database.accounts.signed_in("s", T + LONGEST_MS) is None
    database.accounts.open_session("t", "mei", now, "link", "127.0.0.1")
    assert [session.id for session in database.accounts.sessions_of("mei", now)] == ["t"]
    assert database.accounts.signed_in("t", now + TOUCHED_MS - 1) is not None
    assert database.accounts.signed_in("t", now + IDLE_MS) is None


@pytest.mark.parametrize("what", ["password", "disabled", "everywhere", "one"])
def test_what_ends_sessions(database: Relational, what: str) -> None:
    """A new password and being disabled end all, but the one in which the password was changed."""
    accounts = database.accounts
    accounts.add(MEI, "old", "system", T)
    for secret in ("here", "there"):
        accounts.open_session(secret, "mei", T, "password", "127.0.0.1")
    match what:
        case "password":
            accounts.set_password("mei", "new", "mei", T, keep="here")
        case "disabled":
            accounts.change(replace(MEI, active=False), "admin", T)
        case "everywhere":
            accounts.end_sessions("mei", "mei", T, keep="here")
        case "one":
            accounts.end_session("there", T)
            accounts.end_session("there", T)
    left = [session.id for session in accounts.sessions_of("mei", T)]
    assert left == ([] if what == "disabled" else ["here"])
    assert accounts.signed_in("there", T) is None
    assert (accounts.signed_in("here", T) is None) == (what == "disabled")


def test_a_disabled_persons_tokens_stay_revoked(database: Relational) -> None:
    """Letting somebody in again does not bring them back."""
    accounts = database.accounts
    accounts.add(MEI, None, "system", T)
    accounts.add_token("api", "t", "mei", "script", "mei", T, None)
    assert accounts.by_token("t", T) == MEI
    disabled = accounts.change(replace(MEI, active=False), "admin", T)
    assert accounts.by_token("t", T) is None
    accounts.change(replace(disabled, active=True), "admin", T)
    assert accounts.by_token("t", T) is None


def test_tokens_by_time_and_by_owner(database: Relational) -> None:
    """One that expires does so at its time; nobody revokes another's; the last use is remembered."""
    accounts = database.accounts
    accounts.add(ADMIN, None, "system", T)
    accounts.add(MEI, None, "system", T)
    with pytest.raises(UnknownPersonError):
        accounts.add_token("api", "x", "who", "x", "who", T, None)
    token = accounts.add_token("api", "t", "mei", "script", "mei", T, T + 10)
    assert accounts.tokens_of("mei") == [token]
    assert accounts.by_token("t", T + 9) == MEI
    assert accounts.by_token("t", T + 10) is None
    assert accounts.tokens_of("mei")[0].used_at == T + 9
    assert not accounts.revoke_token(token.id, "admin", "admin", T)
    assert accounts.revoke_token(token.id, "mei", "mei", T)
    assert not accounts.revoke_token(token.id, "mei", "mei", T)
    assert accounts.by_token("t", T + 1) is None
    assert accounts.use_link("t", T) is None


def test_a_link_is_used_by_one(database: Relational) -> None:
    """Of many that use it at once, one gets in; it opens no API."""
    accounts = database.accounts
    accounts.add(MEI, None, "system", T)
    accounts.add_token("link", "l", "mei", "link", "system", T, T + 10)
    assert accounts.by_token("l", T) is None
    assert accounts.whose_link("l", T + 10) is None
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: accounts.use_link("l", T), range(8)))
    assert [person for person in got if person is not None] == [MEI]
    assert accounts.whose_link("l", T) is None


def test_a_new_password_ends_links(database: Relational) -> None:
    """A link that still lies in somebody's mail opens nothing afterwards."""
    database.accounts.add(MEI, None, "system", T)
    database.accounts.add_token("link", "l", "mei", "link", "system", T, T + 10)
    database.accounts.set_password("mei", "new", "mei", T)
    assert database.accounts.use_link("l", T) is None


def test_a_reset_ends_tokens_of_the_api(database: Relational) -> None:
    """An admin's reset shuts every door; a password that one changes oneself leaves the scripts alone."""
    accounts = database.accounts
    accounts.add(MEI, "hash", "system", T)
    accounts.add_token("api", "secret", "mei", "script", "mei", T, None)
    accounts.set_password("mei", "new", "mei", T + 1)
    assert accounts.by_token("secret", T + 2) == MEI
    accounts.set_password("mei", None, "admin", T + 3)
    assert accounts.by_token("secret", T + 4) is None
    assert [token.revoked_at for token in accounts.tokens_of("mei")] == [T + 3]


def test_the_journal_tells_who_did_what(database: Relational) -> None:
    """Every change of people and their access stands there, by whom, the newest first; no secret does."""
    accounts = database.accounts
    accounts.add(MEI, "hash", "admin", T)
    accounts.open_session("s", "mei", T + 1, "password", "127.0.0.1")
    accounts.sign_in_failed("mei", "10.0.0.9", T + 2)
    made = accounts.add_token("api", "secret", "mei", "script", "mei", T + 3, None)
    accounts.revoke_token(made.id, "mei", "admin", T + 4)
    accounts.set_password("mei", "hash-2", "mei", T + 5)
    told = [(entry.at - T, entry.who, entry.what, entry.kind) for entry in accounts.journal("mei")]
    assert told == [
        (5, "mei", "password_changed", "person"),
        (4, "admin", "revoked", "token"),
        (3, "mei", "added", "token"),
        (2, "mei", "sign_in_failed", "session"),
        (1, "mei", "signed_in", "session"),
        (0, "admin", "added", "person"),
    ]
    shown = str(accounts.journal())
    assert "hash" not in shown
    assert "secret" not in shown
    assert len(accounts.journal(limit=2)) == 2


def test_whose_customers_a_person_sees(database: Relational) -> None:
    """One that sees its own only: its customers' alerts and robots, what is nobody's, what it was given."""
    robots = {"r1": "mine", "r2": "hers", "r3": "free", "r4": "unregistered", "r5": None}
    database.import_robots([RobotRecord(id_, customer=customer) for id_, customer in robots.items()])
    ids = database.commit(Signals().fires(T, "Silent", *robots), RULES)
    with database._database.writing() as connection:
        for id_, customer in zip(ids, robots.values(), strict=True):
            connection.execute(alerts.update().where(alerts.c.id == id_).values(customer=customer))
        for name, csm in (("mine", "mei"), ("hers", "ana"), ("free", None)):
            connection.execute(customers.insert().values(id=name, csm=csm, revision=0))
        connection.execute(alerts.update().where(alerts.c.id == ids[-1]).values(customer="hers", owner="mei"))
    seen = SeenRelational(database, "mei")
    own = {"r1", "r3", "r4", "r5"}
    assert {alert.entity.id for alert in seen.alerts().items} == own
    assert {alert.entity.id for alert in seen.queue.by_ids(ids).values()} == own
    assert [robot.id for robot in seen.robots()] == ["r1", "r3", "r4", "r5"]
    assert [robot.id for robot in seen.robots_page(limit=2).items] == ["r1", "r3"]
    assert seen.robots_where("customer", ["mine", "hers"]) == database.robots_where("customer", ["mine"])
    assert (seen.robot("r2"), seen.robot("r9")) == (None, None)
    assert seen.robot("r1") == database.robot("r1")
    assert seen.open_by_severity() == {"high": 4}
    assert (seen.queue.count(AlertQuery()), database.queue.count(AlertQuery())) == (4, 5)
    assert sum(cell.count for cell in seen.queue.counts(T).cells) == 4
    assert {group.name for group in seen.queue.groups("customer", T).items} == {
        "mine",
        "free",
        "unregistered",
        "hers",
    }
    hidden = ids[1]
    assert (seen.alert(hidden), seen.history(hidden), seen.alerts_of("r2")) == (None, [], [])
    assert seen.open_alert(("Silent", "robot", "r2")) is None
    assert [database.sees("mei", customer) for customer in robots.values()] == [True, False, True, True, True]
    outcomes = seen.queue.act_many(dict.fromkeys(ids), Acknowledge(), "mei", T)
    assert [outcome.refusal is None for outcome in outcomes] == [True, False, True, True, True]
    with pytest.raises(UnknownAlertError):
        seen.queue.act(hidden, Acknowledge(), "mei", T)
    assert database.history(hidden)[-1].kind == "opened"
    assert [robot.id for robot in SeenRelational(database, "ana").robots()] == ["r2", "r3", "r4", "r5"]
