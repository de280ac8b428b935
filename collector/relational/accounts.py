"""Who may sign in: people, their sessions, their tokens, and the journal of all that.

Of secrets only the digest comes here. Every method is one transaction, and may be called from any thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from collector.people import Person, Role, Sees
from collector.relational import moving
from collector.relational.database import Database
from collector.relational.schema import journal, people, sessions, tokens

IDLE_MS: Final = 24 * 3_600_000  # a session that nobody uses for so long is over
LONGEST_MS: Final = 14 * 24 * 3_600_000  # and so is one of that age
TOUCHED_MS: Final = 5 * 60_000  # how exactly the last use is known
KINDS: Final = ("person", "session", "token")  # of the journal's entries that are about people
_COLUMNS: Final = ("name", "email", "language", "tz", "work_hours", "holidays", "active")
TokenKind = Literal["api", "link"]


class UnknownPersonError(LookupError):
    """There is nobody of that name."""

    def __init__(self, id_: str) -> None:
        super().__init__(f"there is nobody named {id_!r}")


class PersonExistsError(ValueError):
    """Somebody has that name already."""

    def __init__(self, id_: str) -> None:
        super().__init__(f"there is a person named {id_!r} already; choose another name")


class LastAdminError(ValueError):
    """Without this person nobody could manage people any more."""

    def __init__(self, id_: str) -> None:
        super().__init__(f"{id_!r} is the last active admin; make somebody else an admin first")


class StalePersonError(ValueError):
    """Somebody else changed the person meanwhile; `last` says who and when."""

    def __init__(self, id_: str, last: "JournalEntry | None") -> None:
        self.last = last
        by = f" by {last.who}" if last else ""
        super().__init__(f"{id_!r} was changed{by} meanwhile; look at it again, and repeat your change")


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in; `id` is its secret's digest."""

    id: str
    person: str
    created_at: int
    used_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Token:
    """Something else that signs in: a token of the API, or a link that does so once."""

    id: int
    kind: TokenKind
    person: str
    name: str
    created_at: int
    used_at: int | None
    expires_at: int | None
    revoked_at: int | None

    def holds(self, now: int) -> bool:
        """Whether it still signs in."""
        used_up = self.kind == "link" and self.used_at is not None
        return self.revoked_at is None and not used_up and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Who did what, to which person."""

    at: int
    who: str
    what: str
    kind: str
    subject: str
    detail: Mapping[str, Any]


class Accounts:
    """People and what signs them in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- people

    def everybody(self) -> list[Person]:
        """All people by name, the active ones first."""
        query = select(people).order_by(people.c.active.desc(), people.c.id)
        with self._database.reading() as connection:
            return [_person(row) for row in connection.execute(query)]

    def names(self) -> dict[str, str]:
        """The names to show, by id."""
        with self._database.reading() as connection:
            return {row.id: row.name for row in connection.execute(select(people.c.id, people.c.name))}

    def is_empty(self) -> bool:
        """Whether nobody could ever sign in."""
        with self._database.reading() as connection:
            return connection.execute(select(people.c.id).limit(1)).first() is None

    def person(self, id_: str) -> Person | None:
        """The person of that id."""
        with self._database.reading() as connection:
            return _one(connection, id_)

    def add(self, person: Person, password: str | None, by: str, now: int) -> None:
        """Adds somebody, perhaps with a password's hash. Raises `PersonExistsError`."""
        with self._database.writing() as connection:
            if _one(connection, person.id) is not None:
                raise PersonExistsError(person.id)
            connection.execute(insert(people).values(id=person.id, password=password, **_values(person)))
            _report(connection, JournalEntry(now, by, "added", "person", person.id, _shown(person)))

    def change(self, person: Person, by: str, now: int) -> Person:
        """Changes what is known of somebody; who is no longer active is signed out everywhere.

        The open alerts of who leaves go to their customers' CSMs, or to nobody; who returns gets those of
        own customers that are nobody's. Raises `UnknownPersonError`, `StalePersonError` (by
        `person.revision`) and `LastAdminError`.
        """
        with self._database.writing() as connection:
            before = _known(connection, person.id)
            if before.revision != person.revision:
                raise StalePersonError(person.id, _last_change(connection, person.id))
            if before == person:
                return before
            _keep_an_admin(connection, before, person)
            after = replace(person, revision=before.revision + 1)
            connection.execute(update(people).where(people.c.id == person.id).values(**_values(after)))
            if not after.active:
                _sign_out(connection, person.id)
                _revoke_all(connection, person.id, now)
            if after.active != before.active:
                hand_over = moving.come_back if after.active else moving.leave
                hand_over(connection, person.id, by, now)
            _report(connection, JournalEntry(now, by, "changed", "person", person.id, _diff(before, after)))
            return after

    # -- passwords

    def password(self, id_: str) -> str | None:
        """The stored hash; None where there is none, or nobody."""
        with self._database.reading() as connection:
            return connection.scalars(select(people.c.password).where(people.c.id == id_)).one_or_none()

    def set_password(
        self, id_: str, password: str | None, by: str, now: int, *, keep: str | None = None
    ) -> None:
        """Stores another hash and ends the person's sessions, but for `keep`, and its links.

        With none, as an admin resets it, the person's API tokens end as well.
        """
        what = "password_changed" if password is not None else "password_removed"
        with self._database.writing() as connection:
            _known(connection, id_)
            connection.execute(update(people).where(people.c.id == id_).values(password=password))
            _sign_out(connection, id_, keep)
            if password is None:
                _revoke_all(connection, id_, now)
            _report(connection, JournalEntry(now, by, what, "person", id_, {}))

    # -- sessions

    def open_session(self, secret: str, person: str, now: int, how: str, address: str) -> Session:
        """Somebody signed in, by password or link; forgets sessions that are over."""
        session = Session(secret, person, now, now, now + LONGEST_MS)
        over = or_(sessions.c.expires_at <= now, sessions.c.used_at <= now - IDLE_MS)
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(over))
            values = {"person": person, "created_at": now, "used_at": now, "expires_at": session.expires_at}
            connection.execute(insert(sessions).values(token=secret, **values))
            detail = {"how": how, "address": address}
            _report(connection, JournalEntry(now, person, "signed_in", "session", person, detail))
        return session

    def signed_in(self, secret: str, now: int) -> tuple[Session, Person] | None:
        """The session and whose it is, while both hold; remembers that it was used."""
        with self._database.reading() as connection:
            query = select(sessions).where(sessions.c.token == secret)
            session = next((Session(*row) for row in connection.execute(query)), None)
            if session is None or now >= min(session.expires_at, session.used_at + IDLE_MS):
                return None
            person = _one(connection, session.person)
        if person is None or not person.active:
            return None
        if now - session.used_at >= TOUCHED_MS:
            with self._database.writing() as connection:
                connection.execute(update(sessions).where(sessions.c.token == secret).values(used_at=now))
        return session, person

    def end_session(self, secret: str, now: int) -> None:
        """Signs a browser out; once more does nothing."""
        with self._database.writing() as connection:
            ended = connection.scalars(
                delete(sessions).where(sessions.c.token == secret).returning(sessions.c.person)
            ).one_or_none()
            if ended is not None:
                _report(connection, JournalEntry(now, ended, "signed_out", "session", ended, {}))

    def end_sessions(self, person: str, by: str, now: int, *, keep: str | None = None) -> None:
        """Signs somebody out everywhere, but for the session `keep`."""
        with self._database.writing() as connection:
            _sign_out(connection, person, keep)
            _report(connection, JournalEntry(now, by, "signed_out_everywhere", "session", person, {}))

    def sessions_of(self, person: str, now: int) -> list[Session]:
        """The browsers in which somebody is signed in, the last used first."""
        held = and_(sessions.c.expires_at > now, sessions.c.used_at > now - IDLE_MS)
        query = select(sessions).where(sessions.c.person == person, held).order_by(sessions.c.used_at.desc())
        with self._database.reading() as connection:
            return [Session(*row) for row in connection.execute(query)]

    def sign_in_failed(self, name: str, address: str, now: int) -> None:
        """Somebody could not prove to be who it says."""
        entry = JournalEntry(now, name[:64], "sign_in_failed", "session", name[:64], {"address": address})
        with self._database.writing() as connection:
            _report(connection, entry)

    # -- tokens

    def add_token(
        self, kind: TokenKind, secret: str, person: str, name: str, by: str, now: int, expires_at: int | None
    ) -> Token:
        """Another way to sign in as a person. Raises `UnknownPersonError`."""
        token = {"kind": kind, "person": person, "name": name, "created_at": now, "expires_at": expires_at}
        with self._database.writing() as connection:
            _known(connection, person)
            statement = insert(tokens).values(token=secret, **token).returning(tokens.c.id)
            id_ = int(connection.scalars(statement).one())
            detail = {"token": id_, "kind": kind, "name": name}
            _report(connection, JournalEntry(now, by, "added", "token", person, detail))
        return Token(id_, kind, person, name, now, None, expires_at, None)

    def tokens_of(self, person: str) -> list[Token]:
        """The tokens of the API that somebody made, the newest first."""
        mine = and_(tokens.c.person == person, tokens.c.kind == "api")
        with self._database.reading() as connection:
            rows = connection.execute(select(tokens).where(mine).order_by(tokens.c.id.desc()))
            return [_token(row) for row in rows]

    def revoke_token(self, id_: int, person: str, by: str, now: int) -> bool:
        """Ends a token of that person; answers whether there was such a one in force."""
        held = and_(tokens.c.id == id_, tokens.c.person == person, tokens.c.revoked_at.is_(None))
        with self._database.writing() as connection:
            revoked = connection.execute(update(tokens).where(held).values(revoked_at=now)).rowcount == 1
            if revoked:
                _report(connection, JournalEntry(now, by, "revoked", "token", person, {"token": id_}))
            return revoked

    def by_token(self, secret: str, now: int) -> Person | None:
        """Whose API token it is, while it holds; remembers that it was used."""
        with self._database.reading() as connection:
            token = _by_secret(connection, "api", secret)
            person = None if token is None or not token.holds(now) else _one(connection, token.person)
        if token is None or person is None or not person.active:
            return None
        if token.used_at is None or now - token.used_at >= TOUCHED_MS:
            with self._database.writing() as connection:
                connection.execute(update(tokens).where(tokens.c.id == token.id).values(used_at=now))
        return person

    def whose_link(self, secret: str, now: int) -> Person | None:
        """Whom a link would sign in; the link stays as it is."""
        with self._database.reading() as connection:
            return _of_link(connection, secret, now)

    def use_link(self, secret: str, now: int) -> Person | None:
        """Whom a link signs in; it does so once."""
        with self._database.writing() as connection:
            person = _of_link(connection, secret, now)
            if person is not None:
                connection.execute(update(tokens).where(tokens.c.token == secret).values(used_at=now))
            return person

    # -- journal

    def journal(self, person: str | None = None, limit: int = 50) -> list[JournalEntry]:
        """What happened to people and their access, the newest first."""
        about = journal.c.kind.in_(KINDS)
        wanted = about if person is None else and_(about, journal.c.subject == person)
        query = select(journal).where(wanted).order_by(journal.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_entry(row) for row in connection.execute(query)]


def _person(row: Row[Any]) -> Person:
    values = row._mapping
    copied = {name: values[name] for name in (*_COLUMNS, "revision")}
    return Person(values["id"], role=Role(values["role"]), sees=Sees(values["sees"]), **copied)


def _values(person: Person) -> dict[str, Any]:
    copied = {name: getattr(person, name) for name in (*_COLUMNS, "revision")}
    return {**copied, "role": person.role.value, "sees": person.sees.value}


def _shown(person: Person) -> dict[str, Any]:
    """What the journal says of a person: what is known of it."""
    return {
        name: value for name, value in _values(person).items() if value is not None and name != "revision"
    }


def _diff(before: Person, after: Person) -> dict[str, Any]:
    old, new = _values(before), _values(after)
    changed = [name for name in new if old[name] != new[name] and name != "revision"]
    return {name: [old[name], new[name]] for name in changed}


def _one(connection: Connection, id_: str) -> Person | None:
    row = connection.execute(select(people).where(people.c.id == id_)).one_or_none()
    return None if row is None else _person(row)


def _known(connection: Connection, id_: str) -> Person:
    person = _one(connection, id_)
    if person is None:
        raise UnknownPersonError(id_)
    return person


def _keep_an_admin(connection: Connection, before: Person, after: Person) -> None:
    was, is_ = (person.role is Role.ADMIN and person.active for person in (before, after))
    if was and not is_:
        others = (people.c.role == Role.ADMIN.value, people.c.active.is_(True), people.c.id != after.id)
        if not connection.scalars(select(func.count()).select_from(people).where(*others)).one():
            raise LastAdminError(after.id)


def _sign_out(connection: Connection, person: str, keep: str | None = None) -> None:
    """Ends sessions and links."""
    of_person = sessions.c.person == person
    connection.execute(delete(sessions).where(of_person, sessions.c.token != (keep or "")))
    connection.execute(delete(tokens).where(tokens.c.person == person, tokens.c.kind == "link"))


def _revoke_all(connection: Connection, person: str, now: int) -> None:
    held = and_(tokens.c.person == person, tokens.c.revoked_at.is_(None))
    connection.execute(update(tokens).where(held).values(revoked_at=now))


def _by_secret(connection: Connection, kind: TokenKind, secret: str) -> Token | None:
    query = select(tokens).where(tokens.c.token == secret, tokens.c.kind == kind)
    return next((_token(row) for row in connection.execute(query)), None)


def _of_link(connection: Connection, secret: str, now: int) -> Person | None:
    link = _by_secret(connection, "link", secret)
    person = None if link is None or not link.holds(now) else _one(connection, link.person)
    return person if person is not None and person.active else None


def _token(row: Row[Any]) -> Token:
    values = {name: value for name, value in row._mapping.items() if name != "token"}
    return Token(**values)


def _last_change(connection: Connection, person: str) -> JournalEntry | None:
    about = and_(journal.c.kind == "person", journal.c.subject == person)
    query = select(journal).where(about).order_by(journal.c.id.desc()).limit(1)
    return next((_entry(row) for row in connection.execute(query)), None)


def _report(connection: Connection, entry: JournalEntry) -> None:
    values = {name: getattr(entry, name) for name in ("at", "who", "what", "kind", "subject")}
    connection.execute(insert(journal).values(detail=dict(entry.detail), **values))


def _entry(row: Row[Any]) -> JournalEntry:
    return JournalEntry(row.at, row.who, row.what, row.kind, row.subject, row.detail)
