"""Silences as people make and end them.

Every method is one transaction: what a silence hides or shows again changes with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from collector.queue import Alert
from collector.relational import silences as rows
from collector.relational.database import Database
from collector.relational.listing import Page, cursor_id
from collector.silences import Draft, Matcher, Silence, check, scope_of


class UnknownSilenceError(LookupError):
    """There is no silence {id}."""

    def __init__(self, id_: int) -> None:
        super().__init__(f"there is no silence {id_}")


class EndedSilenceError(Exception):
    """Silence {id} has ended; it cannot be changed."""

    def __init__(self, silence: Silence) -> None:
        self.silence = silence
        super().__init__(f"silence {silence.id} has ended; make a new one")


class StaleSilenceError(Exception):
    """Somebody was quicker: the silence is no longer the one that was read; `silence` is as it is now."""

    def __init__(self, silence: Silence) -> None:
        self.silence = silence
        super().__init__(f"silence {silence.id} was changed meanwhile; read it again")


@dataclass(frozen=True, slots=True)
class Preview:
    """What a silence would hide now: how many open alerts, and the first of them."""

    count: int
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """A silence as it is now, and the ids of the alerts that it hides or shows again."""

    silence: Silence
    alerts: tuple[int, ...]


class Silences:
    """The silences and maintenance windows."""

    def __init__(self, database: Database, csm: str | None = None) -> None:
        self._database = database
        self._csm = csm  # who sees, silences and ends only its own

    def page(
        self, now: int, *, ended: bool | None = False, after: str | None = None, limit: int = 100
    ) -> Page[Silence]:
        """Silences, the newest first; the cursor is the last id. Those that go on, that ended, or all.

        Raises `CursorError`.
        """
        before = None if after is None else cursor_id(after)
        with self._database.reading() as connection:
            found = rows.listed(connection, now, ended=ended, before=before, limit=limit + 1, csm=self._csm)
        return Page(tuple(found[:limit]), str(found[limit - 1].id) if len(found) > limit else None)

    def one(self, id_: int) -> Silence | None:
        """The silence of that id."""
        with self._database.reading() as connection:
            return rows.one(connection, id_, self._csm)

    def may_change(self, silence: Silence) -> bool:
        """Whether this person may change and end it: one that sees its own only, what it made itself."""
        return self._csm in (None, silence.creator)

    def narrowed(self, matchers: Sequence[Matcher]) -> tuple[Matcher, ...]:
        """These matchers, if any, of a person's own customers where it sees no others."""
        own = () if self._csm is None or not matchers else (scope_of(self._csm),)
        return (*matchers, *(matcher for matcher in own if matcher not in matchers))

    def preview(self, matchers: Sequence[Matcher], most: int = 20) -> Preview:
        """What these matchers would hide now."""
        with self._database.reading() as connection:
            count, some = rows.hidden(connection, self.narrowed(matchers), most, self._csm)
        return Preview(count, tuple(some))

    def add(self, draft: Draft, who: str, now: int) -> Changed:
        """Makes a silence, which may begin at once. Raises `InvalidSilenceError`."""
        own = self._checked(draft, now)
        with self._database.writing() as connection:
            id_ = rows.add(connection, own, who, now)
            touched = rows.follow(connection, now, who)
            return _changed(rows.one(connection, id_), id_, touched)

    def change(self, id_: int, draft: Draft, who: str, now: int, *, revision: int | None = None) -> Changed:
        """Makes a silence another one, if it still has that revision, where one is given.

        Raises `StaleSilenceError`, and what `end` and `add` raise.
        """
        own = self._checked(draft, now)
        with self._database.writing() as connection:
            before = self._changeable(connection, id_, now)
            if revision not in (None, before.revision):
                raise StaleSilenceError(before)
            rows.rewrite(connection, id_, own, who, now)
            touched = rows.follow(connection, now, who)
            after = rows.one(connection, id_)
            if after is not None and after.active:
                touched += rows.rejudge(connection, [before, after], now, who)
            return _changed(after, id_, touched)

    def end(self, id_: int, who: str, now: int) -> Changed:
        """Ends a silence before its time. Raises `UnknownSilenceError`, `EndedSilenceError`."""
        with self._database.writing() as connection:
            self._changeable(connection, id_, now)
            rows.change(connection, id_, ended_at=now, ended_by=who)
            touched = rows.follow(connection, now, who)
            return _changed(rows.one(connection, id_), id_, touched)

    def _checked(self, draft: Draft, now: int) -> Draft:
        """The draft as it will be kept: what is kept, and read again, can be kept again."""
        own = replace(draft, matchers=self.narrowed(draft.matchers))
        check(own, now)
        return own

    def _changeable(self, connection: Connection, id_: int, now: int) -> Silence:
        """Raises `UnknownSilenceError` and `EndedSilenceError`."""
        found = rows.one(connection, id_)
        if found is None or not self.may_change(found):
            raise UnknownSilenceError(id_)
        if found.state(now) == "ended":
            raise EndedSilenceError(found)
        return found


def _changed(silence: Silence | None, id_: int, touched: Sequence[int]) -> Changed:
    if silence is None:
        raise UnknownSilenceError(id_)
    return Changed(silence, tuple(dict.fromkeys(touched)))
