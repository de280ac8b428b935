"""What messages say of alerts, their customers and the people who own them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from collector.people import Person, Role, Sees
from collector.queue import SYSTEM, Alert, Severity
from collector.relational import alerts as rows
from collector.relational.database import Database
from collector.relational.schema import alerts, contracts, customers, people

_OF_A_PERSON: Final = (
    "id", "name", "email", "language", "tz", "work_hours", "holidays", "active", "revision",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Briefing:
    """An alert with what the registry says of it; what nobody knows is None."""

    alert: Alert
    customer: str | None = None
    tier: str | None = None
    owner: Person | None = None
    ack_due_at: int | None = None
    resolve_due_at: int | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """A contract of which nobody has said whether it is renewed; `ends_on` is YYYY-MM-DD."""

    customer: str
    ends_on: str
    amount: float | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Numbers of alerts, and the ids of the first few of each list; ranked as the queue is."""

    open: dict[Severity, int]
    top: list[int]
    new: int
    overdue: int
    late: list[int]
    ended: int
    ended_shown: list[int]


class Briefings:
    """Questions to alerts and registry together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, ids: Collection[int]) -> dict[int, Briefing]:
        """The alerts of these ids; those that are gone are left out."""
        with self._database.reading() as connection:
            found = {id_: _briefing(connection, id_) for id_ in dict.fromkeys(ids)}
        return {id_: briefing for id_, briefing in found.items() if briefing is not None}

    def person(self, id_: str) -> Person | None:
        """The person of that id."""
        with self._database.reading() as connection:
            return _person(connection, id_)

    def owners(self) -> list[Person]:
        """Everybody who owns a customer or an open alert, and may still sign in."""
        owning = select(customers.c.csm).where(customers.c.csm.is_not(None))
        working = select(alerts.c.owner).where(_is_open(), alerts.c.owner.is_not(None))
        named = people.c.id.in_(owning.union(working))
        query = select(people).where(people.c.active, named).order_by(people.c.id)
        with self._database.reading() as connection:
            return [_as_person(row) for row in connection.execute(query)]

    def overview(self, owner: str | None, since: int, now: int, shown: int) -> Overview:
        """Alerts of one person, or of all, as they are now and as they changed since then."""
        mine = [] if owner is None else [alerts.c.owner == owner]
        shown_ = (alerts.c.suppressed_reason.is_(None), alerts.c.silence.is_(None))
        visible = and_(_is_open(), *shown_, *mine)
        late = and_(visible, _overdue(now))
        ended = and_(
            alerts.c.work == "closed", alerts.c.closed_by == SYSTEM, alerts.c.closed_at > since, *mine
        )
        new = and_(visible, alerts.c.opened_at > since)
        with self._database.reading() as connection:
            severities = select(alerts.c.severity, func.count()).where(visible).group_by(alerts.c.severity)
            return Overview(
                open={Severity(row[0]): row[1] for row in connection.execute(severities)},
                top=_first(connection, visible, shown),
                new=_count(connection, new),
                overdue=_count(connection, late),
                late=_first(connection, late, shown),
                ended=_count(connection, ended),
                ended_shown=_first(connection, ended, shown),
            )

    def endings(self, owner: str | None, first: str, last: str) -> list[Ending]:
        """Undecided contracts that end on these days, of one person's customers or of all; the next first."""
        query = (
            select(contracts)
            .where(contracts.c.renewed.is_(None), contracts.c.ends_on >= first, contracts.c.ends_on <= last)
            .order_by(contracts.c.ends_on, contracts.c.id)
        )
        if owner is not None:
            query = query.where(
                contracts.c.customer.in_(select(customers.c.id).where(customers.c.csm == owner))
            )
        with self._database.reading() as connection:
            return [
                Ending(row.customer, row.ends_on, row.amount, row.currency)
                for row in connection.execute(query)
            ]


def _is_open() -> ColumnElement[bool]:
    return alerts.c.work != "closed"


def _overdue(now: int) -> ColumnElement[bool]:
    """A deadline does not run while the alert is snoozed."""
    unacknowledged = and_(alerts.c.acknowledged_at.is_(None), alerts.c.ack_due_at < now)
    return and_(alerts.c.work != "snoozed", or_(unacknowledged, alerts.c.resolve_due_at < now))


def _first(connection: Connection, wanted: ColumnElement[bool], limit: int) -> list[int]:
    order = (alerts.c.priority.desc(), alerts.c.rank, alerts.c.opened_at, alerts.c.id)
    return list(connection.scalars(select(alerts.c.id).where(wanted).order_by(*order).limit(limit)))


def _count(connection: Connection, wanted: ColumnElement[bool]) -> int:
    return int(connection.scalars(select(func.count()).select_from(alerts).where(wanted)).one())


def _briefing(connection: Connection, id_: int) -> Briefing | None:
    alert = rows.one(connection, id_)
    if alert is None:
        return None
    row = alerts.c
    columns = (row.customer, row.owner, row.ack_due_at, row.resolve_due_at, customers.c.tier, customers.c.csm)
    joined = alerts.outerjoin(customers, customers.c.id == row.customer)
    found = connection.execute(select(*columns).select_from(joined).where(row.id == id_)).one()
    owner = found.owner or found.csm
    return Briefing(
        alert=alert,
        customer=found.customer,
        tier=found.tier,
        owner=None if owner is None else _person(connection, owner),
        ack_due_at=found.ack_due_at,
        resolve_due_at=found.resolve_due_at,
    )


def _person(connection: Connection, id_: str) -> Person | None:
    row = connection.execute(select(people).where(people.c.id == id_)).one_or_none()
    return None if row is None else _as_person(row)


def _as_person(row: Row[Any]) -> Person:
    values = row._mapping
    known = {name: values[name] for name in _OF_A_PERSON}
    return Person(role=Role(row.role), sees=Sees(row.sees), **known)
