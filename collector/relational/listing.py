"""The queue as it is read: pages of it, what is counted, and alerts by customer or site."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Final, Generic, Literal, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    or_,
    select,
    tuple_,
)

from collector.queue import Alert, Severity, Work
from collector.relational.alerts import read
from collector.relational.cases import IS_OPEN
from collector.relational.schema import alerts, robots
from collector.relational.sight import alerts_seen_by
from rules.evaluation import Entity, SignalKey

State = Literal["open", "closed", "all"]
By = Literal["customer", "site"]
Item = TypeVar("Item")
MAX_GROUPS: Final = 500
_SEARCHED: Final = ("entity", "customer", "site", "rule", "owner")
_ID_DIGITS: Final = 19  # as many as the largest number of a database has


class CursorError(ValueError):
    """The cursor is not one that this queue gave out."""


def cursor_id(cursor: str) -> int:
    """The id that a cursor is, in a list by id. Raises `CursorError`."""
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < _ID_DIGITS):
        raise CursorError("is not a cursor of this list; take it from 'next' of the page before")
    return int(cursor)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, and the cursor of those after them, if there are any."""

    items: tuple[Item, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts: the open ones as a queue (the highest priority first), others the newest first."""

    state: State = "open"
    rule: str | None = None
    robot: str | None = None
    entity: Entity | None = None  # of any kind
    severity: Severity | None = None
    subsystem: str | None = None
    work: Work | None = None
    works: tuple[Work, ...] = ()  # any of these; none: any
    suppressed: bool | None = None  # None: either
    hidden_by: SignalKey | None = None  # suppressed by this rule, kind and entity
    silence: int | None = None  # hidden by this silence
    owner: str | None = None
    unassigned: bool = False
    customer: str | None = None
    of_no_customer: bool = False
    customers: tuple[str, ...] | None = None  # of any of these
    site: str | None = None
    overdue_at: int | None = None  # past a deadline by then
    text: str | None = None  # somewhere in entity, its name, customer, site, rule or owner
    rules: tuple[str, ...] = ()  # beside `text`: rules whose words have it in them
    csm: str | None = None  # given to this person, of its customers, and of those that are nobody's


@dataclass(frozen=True, slots=True)
class Cell:
    """Alerts of one work and severity, and how many of them are late or nobody's."""

    work: Work
    severity: Severity
    count: int
    overdue: int
    unassigned: int


@dataclass(frozen=True, slots=True)
class Counts:
    """The open alerts that are shown, counted; `hidden` counts the others."""

    cells: tuple[Cell, ...]
    hidden: int

    def of(self, *works: Work, severity: Severity | None = None) -> int:
        """How many of any of these works (none: of all), and of that severity."""
        return sum(cell.count for cell in self._of(works, severity))

    def overdue(self, *works: Work, severity: Severity | None = None) -> int:
        """How many of these are past a deadline."""
        return sum(cell.overdue for cell in self._of(works, severity))

    def unassigned(self, *works: Work, severity: Severity | None = None) -> int:
        """How many of these have no owner."""
        return sum(cell.unassigned for cell in self._of(works, severity))

    def _of(self, works: tuple[Work, ...], severity: Severity | None) -> list[Cell]:
        return [
            cell
            for cell in self.cells
            if (not works or cell.work in works) and severity in (None, cell.severity)
        ]


@dataclass(frozen=True, slots=True)
class Group:
    """The alerts of a customer or site (None: of none that is known)."""

    name: str | None
    count: int
    new: int
    overdue: int
    worst: Severity
    oldest_at: int


def page(connection: Connection, query: AlertQuery, after: str | None, limit: int) -> Page[Alert]:
    """At most `limit` alerts after the cursor `after`. Raises `CursorError`."""
    wanted = _matching(query)
    if after is not None:
        wanted.append(_beyond(query.state, _read_cursor(query.state, after)))
    first = _ordered(_ids(wanted), query.state).limit(limit + 1)
    statement = _ordered(select(alerts).where(alerts.c.id.in_(first)), query.state)
    found = [read(row) for row in connection.execute(statement)]
    more = len(found) > limit
    return Page(tuple(found[:limit]), _cursor(query.state, found[limit - 1]) if more else None)


def ids(connection: Connection, query: AlertQuery, limit: int) -> list[int]:
    """The ids of the first alerts."""
    return list(connection.scalars(_ordered(_ids(_matching(query)), query.state).limit(limit)))


def _found(query: AlertQuery) -> list[ColumnElement[bool]]:
    """The query's condition; a text is looked for in an index, before any row is read."""
    wanted = _matching(query)
    return [alerts.c.id.in_(_ids(wanted))] if query.text else wanted


def _ids(wanted: Sequence[ColumnElement[bool]]) -> Select[tuple[int]]:
    """The ids alone: an index has them, where rows are wide."""
    return select(alerts.c.id).where(*wanted).correlate(None)


def counts(connection: Connection, query: AlertQuery, now: int) -> Counts:
    """The open alerts by work and severity, whatever the query says of these two."""
    query = replace(query, state="open", work=None, works=(), severity=None, overdue_at=None)
    shown = _found(replace(query, suppressed=False))
    late = func.sum(case((alerts.c.due_at < now, 1), else_=0))
    nobodys = func.sum(case((alerts.c.owner.is_(None), 1), else_=0))
    by = (alerts.c.work, alerts.c.severity)
    statement = select(*by, func.count(), late, nobodys).where(*shown)
    cells = connection.execute(statement.group_by(alerts.c.rank, alerts.c.severity, alerts.c.work))
    hidden = select(func.count()).select_from(alerts).where(*_matching(replace(query, suppressed=True)))
    return Counts(tuple(_cell(*row) for row in cells), int(connection.scalars(hidden).one()))


def _cell(work: str, severity: str, count: int, late: int, nobodys: int) -> Cell:
    return Cell(Work(work), Severity(severity), count, int(late), int(nobodys))


def groups(
    connection: Connection, by: By, query: AlertQuery, now: int, after: str | None, limit: int
) -> Page[Group]:
    """The alerts of the query by customer or site, first the group with the most pressing alert.

    At most `limit` groups after the cursor `after`. Raises `CursorError`.
    """
    name, top, first = alerts.c[by], func.max(alerts.c.priority), func.min(alerts.c.id)
    statement = select(
        top,
        first,
        name,
        func.count(),
        func.sum(case((alerts.c.work == Work.NEW.value, 1), else_=0)),
        func.sum(case((alerts.c.due_at < now, 1), else_=0)),
        func.min(alerts.c.rank),
        func.min(alerts.c.opened_at),
    ).where(*_found(query))
    if after is not None:
        last, id_ = _read_cursor("open", after)
        statement = statement.having(or_(top < last, and_(top == last, first > int(id_))))
    ordered = statement.group_by(name).order_by(top.desc(), first)
    found = connection.execute(ordered.limit(limit + 1)).all()
    more = len(found) > limit
    return Page(
        tuple(_group(*row[2:]) for row in found[:limit]),
        _cursor_at("open", *found[limit - 1][:2]) if more else None,
    )


def _group(name: str | None, count: int, new: int, overdue: int, rank: int, oldest_at: int) -> Group:
    return Group(name, count, int(new), int(overdue), tuple(Severity)[rank], oldest_at)


def count_open(
    connection: Connection, column: Literal["severity", "entity", "subsystem"], csm: str | None = None
) -> dict[str, int]:
    """Open alerts counted by severity, robot or subsystem; with `csm`, those that this person sees."""
    by = alerts.c[column]
    query = select(by, func.count()).where(IS_OPEN).group_by(by)
    if csm is not None:
        query = query.where(alerts_seen_by(csm))
    if column == "entity":
        query = query.where(alerts.c.kind == "robot")
    return {row[0]: row[1] for row in connection.execute(query)}


def open_subsystems(connection: Connection) -> set[tuple[str, str]]:
    """Every robot and subsystem with an open alert."""
    query = select(alerts.c.entity, alerts.c.subsystem).where(IS_OPEN, alerts.c.kind == "robot").distinct()
    return {(entity, subsystem) for entity, subsystem in connection.execute(query)}


def count_matching(connection: Connection, query: AlertQuery) -> int:
    """How many alerts the query finds."""
    return int(connection.scalars(select(func.count()).select_from(alerts).where(*_matching(query))).one())


def _matching(query: AlertQuery) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [*_of_state(query), *_of_work(query), *_of_whom(query)]
    entity = query.entity if query.robot is None else Entity("robot", query.robot)
    if entity is not None:
        wanted.append(and_(alerts.c.kind == entity.kind, alerts.c.entity == entity.id))
    if query.hidden_by is not None:
        wanted += _hidden_by(query.hidden_by)
    if query.silence is not None:
        wanted.append(alerts.c.silence == query.silence)
    if query.text:
        wanted.append(_mentions(query.text, query.rules))
    named = {"rule": query.rule, "severity": query.severity, "subsystem": query.subsystem}
    return [*wanted, *(alerts.c[name] == str(value) for name, value in named.items() if value is not None)]


def _of_state(query: AlertQuery) -> list[ColumnElement[bool]]:
    """Written as the indexes of the open, shown and hidden ones have it."""
    found: list[ColumnElement[bool]] = []
    if query.state != "all":
        found.append(alerts.c.work == Work.CLOSED.value if query.state == "closed" else _as_column(IS_OPEN))
    engine, silence = alerts.c.suppressed_reason, alerts.c.silence
    if query.suppressed is True:
        found.append(or_(engine.is_not(None), silence.is_not(None)))
    elif query.suppressed is False:
        found += [engine.is_(None), silence.is_(None)]
    return found


def _as_column(clause: Any) -> ColumnElement[bool]:
    return clause  # type: ignore[no-any-return]  # a text clause is one to `where`


def _of_work(query: AlertQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.work is not None:
        found.append(alerts.c.work == query.work.value)
    if query.works:
        found.append(alerts.c.work.in_([work.value for work in query.works]))
    if query.overdue_at is not None:
        found.append(alerts.c.due_at < query.overdue_at)
    return found


def _of_whom(query: AlertQuery) -> list[ColumnElement[bool]]:
    named = {"owner": query.owner, "customer": query.customer, "site": query.site}
    found = [alerts.c[name] == value for name, value in named.items() if value is not None]
    if query.unassigned:
        found.append(alerts.c.owner.is_(None))
    if query.of_no_customer:
        found.append(alerts.c.customer.is_(None))
    if query.customers is not None:
        found.append(alerts.c.customer.in_(query.customers))
    if query.csm is not None:
        found.append(alerts_seen_by(query.csm))
    return found


def _mentions(text: str, rules: tuple[str, ...]) -> ColumnElement[bool]:
    """Looked for once, in all of them together, a line each."""
    columns: list[ColumnElement[str]] = [func.coalesce(alerts.c[name], "") for name in _SEARCHED]
    together = reduce(lambda before, column: before + "\n" + column, columns)
    named = select(robots.c.id).where(robots.c.name.icontains(text, autoescape=True))
    is_robot = and_(alerts.c.kind == "robot", alerts.c.entity.in_(named))
    found = together.icontains(text, autoescape=True)
    return or_(found, is_robot, *([alerts.c.rule.in_(rules)] if rules else []))


def _hidden_by(by: SignalKey) -> list[ColumnElement[bool]]:
    """What flaps suppresses itself; that is no other alert's doing."""
    columns = (alerts.c.suppressed_rule, alerts.c.suppressed_kind, alerts.c.suppressed_entity)
    equal = [column == part for column, part in zip(columns, by, strict=True)]
    return [*equal, alerts.c.suppressed_reason != "flapping"]


def _ordered(statement: Select[Any], state: State) -> Select[Any]:
    if state == "open":
        return statement.order_by(alerts.c.priority.desc(), alerts.c.id)
    return statement.order_by(alerts.c.opened_at.desc(), alerts.c.id.desc())


def _cursor(state: State, last: Alert) -> str:
    return _cursor_at(state, last.priority if state == "open" else last.opened_at, last.id)


def _cursor_at(state: State, first: float, id_: int) -> str:
    key = ["p" if state == "open" else "t", first, id_]
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _read_cursor(state: State, cursor: str) -> list[float]:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise CursorError("is not a cursor of this list; take it from 'next' of the page before") from None
    expected = "p" if state == "open" else "t"
    match key:
        case [kind, float() | int() as first, int() as id_] if kind == expected and _fits(first, id_):
            return [first, id_]
    raise CursorError(f"is not a cursor of the list of state '{state}'; take it from 'next' of that list")


def _fits(first: float, id_: int) -> bool:
    return abs(first) < 2**63 and 0 <= id_ < 2**63 and bool not in (type(first), type(id_))


def _beyond(state: State, key: list[float]) -> ColumnElement[bool]:
    first, id_ = key
    if state != "open":
        return tuple_(alerts.c.opened_at, alerts.c.id) < tuple_(int(first), int(id_))
    at = alerts.c.priority
    return and_(at <= first, or_(at < first, alerts.c.id > int(id_)))
