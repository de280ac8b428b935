"""Silences and maintenance windows, as rows, and what they hide."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, update

from collector import queue
from collector.queue import SYSTEM, Alert, Step
from collector.relational import alerts as rows
from collector.relational.cases import IS_OPEN, places
from collector.relational.database import portions
from collector.relational.schema import alerts, silences
from collector.relational.sight import alerts_seen_by
from collector.silences import Draft, Matcher, Recurrence, Silence, SilenceKind, facts, first

_PORTION: Final = 1_000
_SILENCES_AT_ONCE: Final = 50  # of a statement: databases limit how deep conditions are, and their values
_COLUMNS: Final = ("rule", "severity", "subsystem", "kind", "entity", "site", "customer")


def active(connection: Connection) -> list[Silence]:
    """Those that hide alerts, the oldest first."""
    query = select(silences).where(silences.c.active).order_by(silences.c.id)
    return [read(row) for row in connection.execute(query)]


def turning(connection: Connection, now: int) -> list[Silence]:
    """Those that begin or end to hide alerts by now."""
    alive = and_(silences.c.ended_at.is_(None), silences.c.ends_at > now, silences.c.begins_at <= now)
    query = select(silences).where(or_(silences.c.active, alive)).order_by(silences.c.id)
    found = (read(row) for row in connection.execute(query))
    return [silence for silence in found if silence.is_active(now) != silence.active]


def follow(connection: Connection, now: int, who: str = SYSTEM) -> list[int]:
    """Lets silences begin and end that do so by now; answers the ids of the alerts that changed."""
    turned = turning(connection, now)
    for silence in turned:
        statement = update(silences).where(silences.c.id == silence.id)
        connection.execute(statement.values(active=silence.is_active(now)))
    return rejudge(connection, turned, now, who) if turned else []


def rejudge(connection: Connection, changed: Sequence[Silence], now: int, who: str) -> list[int]:
    """Judges alerts again that these silences hide, or may hide now."""
    now_active = active(connection)
    touched: list[int] = []
    for listed in _touched(connection, changed):
        touched += _judge(connection, listed, now_active, now, who)
    return touched


def rejudge_alerts(connection: Connection, ids: Collection[int], now: int, who: str) -> list[int]:
    """Judges these alerts again, which are another customer's now, or elsewhere."""
    return _judge(connection, list(rows.by_ids(connection, ids).values()), active(connection), now, who)


def _judge(
    connection: Connection, listed: Sequence[Alert], now_active: Sequence[Silence], now: int, who: str
) -> list[int]:
    known = places(connection, {alert.entity for alert in listed})
    steps = [_judged(alert, known[alert.entity].attributes, now_active, now, who) for alert in listed]
    return [alert.id for alert in rows.save(connection, [step for step in steps if step.entries])]


def _judged(alert: Alert, attributes: Any, now_active: Sequence[Silence], now: int, who: str) -> Step:
    """What already hides an alert goes on to do so."""
    found, own = facts(alert, attributes), alert.silenced_by
    if own is not None and any(each.by == own and each.matches(found) for each in now_active):
        return Step(alert, ())
    return queue.silence(alert, first(now_active, found), now, who)


def _touched(connection: Connection, changed: Sequence[Silence]) -> Iterator[list[Alert]]:
    """An alert that several touch may come more than once, each time as it is by then."""
    for some in portions(changed, _SILENCES_AT_ONCE):
        yield from _touched_by(connection, some)


def _touched_by(connection: Connection, changed: Sequence[Silence]) -> Iterator[list[Alert]]:
    ids = [silence.id for silence in changed]
    wide = or_(alerts.c.silence.in_(ids), *(narrowed(silence.matchers) for silence in changed))
    last = 0
    while True:
        query = select(alerts).where(IS_OPEN, alerts.c.id > last, wide).order_by(alerts.c.id)
        listed = [rows.read(row) for row in connection.execute(query.limit(_PORTION))]
        if not listed:
            return
        last = listed[-1].id
        yield listed


def narrowed(matchers: Collection[Matcher]) -> ColumnElement[bool]:
    """What the database itself can tell of matchers: all alerts of which they hold, and some others."""
    told = [_told(matcher) for matcher in matchers if matcher.name in (*_COLUMNS, "robot")]
    return and_(IS_OPEN, *told)


def _told(matcher: Matcher) -> ColumnElement[bool]:
    column = alerts.c["entity" if matcher.name == "robot" else matcher.name]
    match matcher.op:
        case "=" | "in":
            holds: ColumnElement[bool] = column.in_(matcher.values)
        case "!=":
            return or_(column.not_in(matcher.values), column.is_(None), alerts.c.kind != "robot")
        case "prefix":
            holds = or_(*(column.startswith(value, autoescape=True) for value in matcher.values))
    return and_(holds, alerts.c.kind == "robot") if matcher.name == "robot" else holds


def hidden(
    connection: Connection, matchers: tuple[Matcher, ...], most: int, csm: str | None = None
) -> tuple[int, list[Alert]]:
    """How many open alerts (that this person sees) these matchers hold of, and the first of them."""
    some: list[Alert] = []
    total, last = 0, None
    by = (alerts.c.priority, alerts.c.id)
    while True:
        seen = () if csm is None else (alerts_seen_by(csm),)
        query = select(alerts).where(narrowed(matchers), *seen).order_by(by[0].desc(), by[1])
        if last is not None:
            later = and_(by[0] == last.priority, by[1] > last.id)
            query = query.where(or_(by[0] < last.priority, later))
        listed = [rows.read(row) for row in connection.execute(query.limit(_PORTION))]
        known = places(connection, {alert.entity for alert in listed})
        held = [
            alert
            for alert in listed
            if all(matcher.holds(facts(alert, known[alert.entity].attributes)) for matcher in matchers)
        ]
        total, some = total + len(held), [*some, *held[: most - len(some)]]
        if len(listed) < _PORTION:
            return total, some
        last = listed[-1]


def add(connection: Connection, draft: Draft, creator: str, now: int) -> int:
    """Writes a new silence, not active yet; answers its id."""
    values = {**_written(draft), "creator": creator, "created_at": now, "active": False}
    return int(connection.scalars(insert(silences).values(values).returning(silences.c.id)).one())


def change(connection: Connection, id_: int, **values: Any) -> None:
    """Writes some values of a silence."""
    connection.execute(update(silences).where(silences.c.id == id_).values(values))


def rewrite(connection: Connection, id_: int, draft: Draft, who: str, now: int) -> None:
    """Writes a silence as it is to be, and who wants it so."""
    revision = silences.c.revision + 1
    change(connection, id_, **_written(draft), revision=revision, changed_at=now, changed_by=who)


def one(connection: Connection, id_: int, csm: str | None = None) -> Silence | None:
    """The silence of that id, if this person sees it."""
    query = select(silences).where(silences.c.id == id_, *_seen_by(csm))
    row = connection.execute(query).one_or_none()
    return None if row is None else read(row)


def listed(
    connection: Connection,
    now: int,
    *,
    ended: bool | None,
    before: int | None,
    limit: int,
    csm: str | None = None,
) -> list[Silence]:
    """Silences (that this person sees), the newest first; ended ones, others, or (None) both."""
    over = or_(silences.c.ended_at.is_not(None), silences.c.ends_at <= now)
    query = select(silences).where(*_seen_by(csm)).order_by(silences.c.id.desc()).limit(limit)
    if ended is not None:
        query = query.where(over if ended else ~over)
    if before is not None:
        query = query.where(silences.c.id < before)
    return [read(row) for row in connection.execute(query)]


def _seen_by(csm: str | None) -> tuple[ColumnElement[bool], ...]:
    """That a silence is this person's own, or hides an alert that it may see; None sees all."""
    if csm is None:
        return ()
    hiding = select(alerts.c.silence).where(IS_OPEN, alerts.c.silence.is_not(None), alerts_seen_by(csm))
    return (or_(silences.c.creator == csm, silences.c.id.in_(hiding)),)


def read(row: Row[Any]) -> Silence:
    """A row as a silence."""
    recurrence = row.recurrence
    return Silence(
        id=row.id,
        kind=SilenceKind(row.kind),
        matchers=tuple(Matcher(m["name"], m["op"], tuple(m["values"])) for m in row.matchers),
        begins_at=row.begins_at,
        ends_at=row.ends_at,
        comment=row.comment,
        creator=row.creator,
        created_at=row.created_at,
        recurrence=None if recurrence is None else Recurrence(recurrence["times"], recurrence["tz"]),
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        active=bool(row.active),
        revision=row.revision,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
    )


def _written(draft: Draft) -> dict[str, Any]:
    recurrence = draft.recurrence
    return {
        "kind": draft.kind.value,
        "matchers": [{"name": m.name, "op": m.op, "values": list(m.values)} for m in draft.matchers],
        "begins_at": draft.begins_at,
        "ends_at": draft.ends_at,
        "comment": draft.comment.strip(),
        "recurrence": None if recurrence is None else {"times": recurrence.times, "tz": recurrence.tz},
    }
