"""The outbox: what is to be told, written with the place in the happenings that it was made from.

Every method is one transaction, and may be called from any thread. One process at a time sends.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from collector.notifying.letter import BUNDLE, Happening, Kind, Letter, Notification, State
from collector.notifying.message import Message
from collector.notifying.retrying import GIVE_UP_MS
from collector.queue import Severity
from collector.relational.database import Database
from collector.relational.listing import Page, cursor_id
from collector.relational.schema import alerts, happenings, journal, notifications, people, told
from collector.relational.sight import seen_by

_THE_ROW: Final = 1
_PORTION: Final = 500
_FORGOTTEN_AT_ONCE: Final = 2_000
Together = Callable[[str, str | None, list[Notification]], Letter]  # channel, person, what is due for it
_Rows = Sequence[Any]  # id, channel, severity
_UNSENT: Final = (State.WAITING.value, State.HELD.value)


class UnknownNotificationError(LookupError):
    """There is no notification {id}."""

    def __init__(self, id_: int) -> None:
        super().__init__(f"there is no notification {id_}")


class NotRetriableError(Exception):
    """Notification {id} is {state}; only what was given up or waits can be tried again."""

    def __init__(self, found: Notification) -> None:
        self.found = found
        super().__init__(
            f"notification {found.id} is {found.state}; only what waits or was given up can be tried again"
        )


@dataclass(frozen=True, slots=True)
class NotificationQuery:
    """Which notifications, the newest first; with `csm`, only what concerns what that person sees."""

    state: State | None = None
    channel: str | None = None
    alert: int | None = None
    csm: str | None = None


@dataclass(frozen=True, slots=True)
class Failing:
    """A channel of which something waits after it failed."""

    channel: str
    waiting: int
    error: str


class Notifications:
    """The rows of what is told, and how far the happenings were read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- happenings

    def begin(self) -> None:
        """What happened before notifications were first turned on is not told. Again: nothing."""
        with self._database.writing() as connection:
            if connection.scalar(select(told.c.until)) is None:
                last = connection.scalar(select(func.max(happenings.c.id))) or 0
                connection.execute(insert(told).values(id=_THE_ROW, until=last))

    def unread(self, limit: int = 200) -> list[Happening]:
        """The next happenings that nothing was made of, in the order in which they were committed."""
        until = select(told.c.until).scalar_subquery()
        row = happenings.c
        named = happenings.outerjoin(people, people.c.id == row.who)
        columns = (row.id, row.alert, row.kind, row.at, row.who, people.c.name, row.owner)
        query = select(*columns).select_from(named).where(row.id > func.coalesce(until, 0)).order_by(row.id)
        with self._database.reading() as connection:
            return [Happening(*found) for found in connection.execute(query.limit(limit))]

    def write(self, new: Sequence[Letter], now: int, until: int | None = None) -> int:
        """Puts letters into the outbox, and remembers that happenings up to `until` were read.

        A letter whose key is there already changes nothing. Answers how many were new.
        """
        with self._database.writing() as connection:
            added = _add(connection, new, now)
            if until is not None:
                later = told.c.until < until
                connection.execute(update(told).where(later).values(until=until))
            return added

    def has_key(self, beginning: str) -> bool:
        """Whether a letter whose key begins so was written."""
        query = select(exists().where(notifications.c.key.startswith(beginning, autoescape=True)))
        with self._database.reading() as connection:
            return bool(connection.scalar(query))

    def forget_happenings(self, before: int, most: int = _FORGOTTEN_AT_ONCE) -> bool:
        """Clears away some of what happened before that time, read or not; answers whether there may be more.

        Only the oldest are looked at, since they stand in order but for clocks that were wrong.
        """
        row = happenings.c
        with self._database.reading() as connection:
            oldest = connection.execute(select(row.id, row.at).order_by(row.id).limit(most)).all()
        gone = [each.id for each in oldest if each.at < before]
        if gone:
            with self._database.writing() as connection:
                connection.execute(delete(happenings).where(row.id <= gone[-1], row.at < before))
        return len(gone) == most

    # -- suppressed alerts

    def settle(self, told_at: Callable[[str, Severity], int]) -> int:
        """Holds what waits of suppressed alerts, lets go what is suppressed no more, and takes back what
        closed before anybody was told; answers how many changed. Cheap where nothing waits.

        `told_at` says when something of that channel and severity may be told.
        """
        with self._database.reading() as connection:
            if not any(_changing(connection)):
                return 0
        with self._database.writing() as connection:
            closing, revealing, hiding = _changing(connection)
            _set_state(connection, closing, state=State.WITHDRAWN.value)
            if closing:  # an end whose beginning is taken back here is not let go, not even for a moment
                return len(closing)
            _set_state(connection, hiding, state=State.HELD.value)
            for row in revealing:
                at = told_at(row.channel, Severity(row.severity))
                values = {"state": State.WAITING.value, "due_at": at, "give_up_at": at + GIVE_UP_MS}
                _set_state(connection, [row], **values)
            return len(revealing) + len(hiding)

    def bundle(
        self, now: int, most: int, together: Callable[[str, str | None, list[Notification]], Letter]
    ) -> int:
        """Puts one letter in the place of many: where more than `most` are due for a reader, none tried yet.

        Answers how many were taken together. Digests and the ends of alerts stay as they are.
        """
        row = notifications.c
        crowded = select(row.channel, row.person).where(*_bundling(now)).group_by(row.channel, row.person)
        query = crowded.having(func.count() > most)
        with self._database.reading() as connection:
            readers = connection.execute(query).all()
        return sum(self._bundle(reader.channel, reader.person, now, together) for reader in readers)

    def _bundle(self, channel: str, person: str | None, now: int, together: Together) -> int:
        row = notifications.c
        own = (row.channel == channel, row.person.is_(None) if person is None else row.person == person)
        query = select(notifications).where(*_bundling(now), *own).order_by(row.id).limit(_PORTION)
        with self._database.writing() as connection:
            found = connection.execute(query).all()
            if found:
                _add(connection, [together(channel, person, [_notification(each) for each in found])], now)
                _set_state(connection, found, state=State.BUNDLED.value)
            return len(found)

    # -- sending

    def due_channels(self, now: int) -> list[str]:
        """The channels for which something is to be sent."""
        query = select(notifications.c.channel).where(*_due(now)).distinct().order_by(notifications.c.channel)
        with self._database.reading() as connection:
            return list(connection.scalars(query))

    def claim(
        self, channel: str, now: int, wait: Callable[[int, Severity | None], int]
    ) -> Notification | None:
        """The next to send through the channel, its attempt counted and the next one's time set already.

        So what is never heard of again, since the process dies, is tried again at that time. `wait`
        answers how long after so many attempts at something so severe; of no severity are digests.
        """
        joined = notifications.outerjoin(alerts, alerts.c.id == notifications.c.alert)
        query = select(notifications, alerts.c.severity).select_from(joined)
        query = query.where(*_due(now), notifications.c.channel == channel)
        oldest = query.order_by(notifications.c.due_at, notifications.c.id).limit(1)
        with self._database.writing() as connection:
            row = connection.execute(oldest).one_or_none()
            if row is None:
                return None
            attempts = row.attempts + 1
            _change(connection, row.id, attempts=attempts, due_at=now + wait(attempts, _severity(row)))
            return _notification(row, attempts=attempts)

    def sent(self, id_: int, now: int) -> None:
        """It arrived."""
        with self._database.writing() as connection:
            _change(connection, id_, state=State.SENT.value, sent_at=now, error=None)

    def failed(self, id_: int, reason: str, now: int) -> bool:
        """It did not arrive; answers whether it is given up, after days of trying."""
        with self._database.writing() as connection:
            over = connection.scalar(select(notifications.c.give_up_at).where(notifications.c.id == id_))
            given_up = over is not None and now >= over
            state = State.GIVEN_UP if given_up else State.WAITING
            _change(connection, id_, state=state.value, error=reason)
            return given_up

    def refused(self, id_: int, reason: str) -> None:
        """It cannot be sent, however often it is tried: only a person can change that."""
        with self._database.writing() as connection:
            _change(connection, id_, state=State.GIVEN_UP.value, error=reason)

    def forget(self, told_before: int) -> int:
        """Clears away what was sent or withdrawn before that time, and answers how many went.

        What was given up stays until somebody looks at it.
        """
        row = notifications.c
        over = row.state.in_([State.SENT.value, State.BUNDLED.value, State.WITHDRAWN.value])
        with self._database.writing() as connection:
            gone = connection.execute(delete(notifications).where(over, row.created_at < told_before))
            return int(gone.rowcount)

    # -- people

    def retry(self, id_: int, who: str, now: int, *, csm: str | None = None) -> Notification:
        """Tries it again now; with `csm`, only what concerns what that person sees.

        Raises `UnknownNotificationError` and `NotRetriableError`.
        """
        with self._database.writing() as connection:
            found = _one(connection, id_, csm)
            if found.state not in (State.GIVEN_UP, State.WAITING):
                raise NotRetriableError(found)
            _change(connection, id_, state=State.WAITING.value, due_at=now, give_up_at=now + GIVE_UP_MS)
            entry = {"at": now, "who": who, "what": "retried", "kind": "notification", "subject": str(id_)}
            connection.execute(insert(journal).values(**entry, detail={"key": found.key}))
            return _one(connection, id_)

    def one(self, id_: int) -> Notification:
        """The notification of that id. Raises `UnknownNotificationError`."""
        with self._database.reading() as connection:
            return _one(connection, id_)

    def page(
        self, query: NotificationQuery | None = None, *, after: str | None = None, limit: int = 100
    ) -> Page[Notification]:
        """Notifications, the newest first; the cursor is the last id of the page. Raises `CursorError`."""
        statement = _matching(select(notifications), query or NotificationQuery())
        if after is not None:
            statement = statement.where(notifications.c.id < cursor_id(after))
        with self._database.reading() as connection:
            found = connection.execute(statement.order_by(notifications.c.id.desc()).limit(limit + 1)).all()
        listed = tuple(_notification(row) for row in found[:limit])
        return Page(listed, str(listed[-1].id) if len(found) > limit else None)

    def counts(self, query: NotificationQuery | None = None) -> dict[State, int]:
        """How many there are in each state."""
        counted = select(notifications.c.state, func.count())
        statement = _matching(counted, query or NotificationQuery()).group_by(notifications.c.state)
        with self._database.reading() as connection:
            return {State(row[0]): row[1] for row in connection.execute(statement)}

    def waiting(self) -> int:
        """How many wait to be sent."""
        waiting = notifications.c.state == State.WAITING.value
        with self._database.reading() as connection:
            return int(
                connection.scalars(select(func.count()).select_from(notifications).where(waiting)).one()
            )

    def failing(self) -> list[Failing]:
        """The channels that fail, how much waits for each, and why."""
        row = notifications.c
        query = select(row.channel, func.count(), func.max(row.error)).group_by(row.channel)
        waiting = query.where(row.state == State.WAITING.value).having(func.max(row.error).is_not(None))
        with self._database.reading() as connection:
            return [Failing(*found) for found in connection.execute(waiting.order_by(row.channel))]


def _add(connection: Connection, new: Sequence[Letter], now: int) -> int:
    """Writers take turns, so what is looked up here stays so until the end of the transaction."""
    known = _known_keys(connection, [letter.key for letter in new])
    fresh = {letter.key: letter for letter in new if letter.key not in known}
    if fresh:
        connection.execute(insert(notifications), [_row(letter, now) for letter in fresh.values()])
    return len(fresh)


def _known_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(keys), _PORTION):
        portion = notifications.c.key.in_(keys[start : start + _PORTION])
        found.update(connection.scalars(select(notifications.c.key).where(portion)))
    return found


def _row(letter: Letter, now: int) -> dict[str, Any]:
    return {
        "key": letter.key,
        "kind": letter.kind,
        "channel": letter.channel,
        "person": letter.person,
        "alert": letter.alert,
        "payload": letter.message.as_json(),
        "created_at": now,
        "state": letter.state.value,
        "due_at": letter.due_at,
        "give_up_at": letter.give_up_at,
        "follows": letter.follows,
        "attempts": 0,
        "error": letter.error,
    }


def _changing(connection: Connection) -> tuple[_Rows, _Rows, _Rows]:
    """What is to be withdrawn, revealed and held: of alerts that closed, are shown again, or are hidden.

    Withdrawn is also what tells somebody of an alert that was given to somebody else meanwhile.
    What was tried once may have arrived, so it is neither withdrawn nor held.
    """
    row = notifications.c
    joined = notifications.join(alerts, alerts.c.id == row.alert)
    query = (
        select(row.id, row.channel, alerts.c.severity).select_from(joined).order_by(row.id).limit(_PORTION)
    )
    unsent = row.state.in_(_UNSENT)
    untried = and_(unsent, row.attempts == 0)
    closed = alerts.c.work == "closed"
    hidden = and_(~closed, or_(alerts.c.suppressed_reason.is_not(None), alerts.c.silence.is_not(None)))
    resolved = row.kind == Kind.RESOLVED.value
    passed_on = and_(
        row.kind == Kind.ASSIGNED.value, row.person.is_not(None), row.person.is_distinct_from(alerts.c.owner)
    )
    over = and_(untried, or_(and_(closed, ~resolved), passed_on, and_(row.follows, ~_told_before())))
    revealed = and_(row.state == State.HELD.value, ~hidden, ~over)
    held = and_(row.state == State.WAITING.value, row.attempts == 0, hidden)
    withdrawn, shown, hiding = (
        connection.execute(query.where(each)).all() for each in (over, revealed, held)
    )
    return withdrawn, shown, hiding


def _severity(row: Row[Any]) -> Severity | None:
    """A bundle is as severe as the worst of what it tells, a digest not at all."""
    found = row.payload.get("tone") if row.kind == BUNDLE else row.severity
    return Severity(found) if found in set(Severity) else None


def _told_before() -> ColumnElement[bool]:
    """Something was told of the same alert to the same reader, or will be."""
    before = notifications.alias()
    told_ = or_(before.c.state.in_([*_UNSENT, State.SENT.value, State.BUNDLED.value]), before.c.attempts > 0)
    return exists().where(*_before(before), told_)


def _telling_before() -> ColumnElement[bool]:
    """What is to be told first of the same alert to the same reader is still on its way."""
    before = notifications.alias()
    return exists().where(*_before(before), before.c.state.in_(_UNSENT))


def _before(before: FromClause) -> list[ColumnElement[bool]]:
    row = notifications.c
    return [
        before.c.alert == row.alert,
        before.c.id < row.id,
        before.c.channel == row.channel,
        func.coalesce(before.c.person, "") == func.coalesce(row.person, ""),
    ]


def _set_state(connection: Connection, rows: Iterable[Any], **values: object) -> None:
    ids = [row.id for row in rows]
    if ids:
        connection.execute(update(notifications).where(notifications.c.id.in_(ids)).values(**values))


def _due(now: int) -> list[ColumnElement[bool]]:
    row = notifications.c
    return [row.state == State.WAITING.value, row.due_at <= now, or_(~row.follows, ~_telling_before())]


def _bundling(now: int) -> list[ColumnElement[bool]]:
    row = notifications.c
    urging = row.kind.in_([kind.value for kind in Kind if kind is not Kind.RESOLVED])
    return [row.state == State.WAITING.value, row.due_at <= now, row.attempts == 0, urging]


def _change(connection: Connection, id_: int, **values: object) -> None:
    connection.execute(update(notifications).where(notifications.c.id == id_).values(**values))


def _one(connection: Connection, id_: int, csm: str | None = None) -> Notification:
    query = _matching(select(notifications), NotificationQuery(csm=csm))
    row = connection.execute(query.where(notifications.c.id == id_)).one_or_none()
    if row is None:
        raise UnknownNotificationError(id_)
    return _notification(row)


def _matching(statement: Select[Any], query: NotificationQuery) -> Select[Any]:
    row = notifications.c
    if query.state is not None:
        statement = statement.where(row.state == query.state.value)
    if query.channel is not None:
        statement = statement.where(row.channel == query.channel)
    if query.alert is not None:
        statement = statement.where(row.alert == query.alert)
    if query.csm is not None:
        seen = select(alerts.c.id).where(seen_by(query.csm, alerts.c.customer))
        statement = statement.where(or_(row.person == query.csm, row.alert.in_(seen)))
    return statement


def _notification(row: Row[Any], *, attempts: int | None = None) -> Notification:
    values = row._mapping
    copied = ("id", "key", "kind", "channel", "person", "alert", "created_at", "due_at", "sent_at", "error")
    return Notification(
        **{name: values[name] for name in copied},
        message=Message.of_json(values["payload"]),
        state=State(values["state"]),
        attempts=values["attempts"] if attempts is None else attempts,
    )
