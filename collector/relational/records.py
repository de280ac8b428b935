"""Records of the registry as rows: which are asked for, found, added and changed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, insert, select, update

from collector.registry import Contract, Customer, Kind, Record, RobotRecord, Site, Stage, Tier, values
from collector.relational import roster
from collector.relational.database import portions
from collector.relational.listing import CursorError
from collector.relational.roster import mentions
from collector.relational.schema import contracts, customers, robots, sites
from collector.relational.sight import clients, of_robot, seen_by, sees

TABLES: Final[Mapping[Kind, Table]] = {
    Kind.CUSTOMER: customers,
    Kind.CONTRACT: contracts,
    Kind.SITE: sites,
    Kind.ROBOT: robots,
}
_DAY_LENGTH: Final = len("2026-01-01")


@dataclass(frozen=True, slots=True)
class CustomerQuery:
    """Which customers, by id; None asks for nothing."""

    q: str | None = None  # stands in its name
    tier: Tier | None = None
    stage: Stage | None = None
    csm: str | None = None
    region: str | None = None
    industry: str | None = None
    scope: str | None = None  # of this person's customers, and of those that are nobody's


@dataclass(frozen=True, slots=True)
class ContractQuery:
    """Which contracts, the one that ends first at the beginning; days are YYYY-MM-DD, both included."""

    q: str | None = None  # stands in its id, or in the customer's name
    customer: str | None = None
    csm: str | None = None  # of the customer
    renewed: Literal["yes", "no", "open"] | None = None
    ends_from: str | None = None
    ends_until: str | None = None
    scope: str | None = None  # of this person's customers, and of those that are nobody's


@dataclass(frozen=True, slots=True)
class SiteQuery:
    """Which sites, by id."""

    q: str | None = None  # stands in its name, or in the customer's
    customer: str | None = None
    csm: str | None = None  # of the customer
    region: str | None = None
    scope: str | None = None  # of this person's customers, and of those that are nobody's


def customers_where(query: CustomerQuery) -> Select[Any]:
    statement = select(customers)
    for name, wanted in asdict(query).items():
        if wanted is not None and name not in ("q", "scope"):
            statement = statement.where(customers.c[name] == str(wanted))
    if query.q is not None:
        statement = statement.where(mentions(query.q, customers.c.id))
    return within(statement, query.scope, customers.c.id)


def contracts_where(query: ContractQuery) -> Select[Any]:
    column = contracts.c
    statement = select(contracts).order_by(column.ends_on, column.id)
    if query.q is not None:
        statement = statement.where(mentions(query.q, column.id, column.customer))
    if query.customer is not None:
        statement = statement.where(column.customer == query.customer)
    if query.csm is not None:
        statement = statement.where(column.customer.in_(_customers_of(query.csm)))
    if query.renewed is not None:
        wanted = {"yes": True, "no": False, "open": None}[query.renewed]
        statement = statement.where(column.renewed.is_(wanted))
    if query.ends_from is not None:
        statement = statement.where(column.ends_on >= query.ends_from)
    if query.ends_until is not None:
        statement = statement.where(column.ends_on <= query.ends_until)
    return within(statement, query.scope, column.customer)


def sites_where(query: SiteQuery) -> Select[Any]:
    column, statement = sites.c, select(sites)
    if query.q is not None:
        statement = statement.where(mentions(query.q, column.id, column.customer))
    for name in ("customer", "region"):
        if getattr(query, name) is not None:
            statement = statement.where(column[name] == getattr(query, name))
    if query.csm is not None:
        statement = statement.where(column.customer.in_(_customers_of(query.csm)))
    return within(statement, query.scope, column.customer)


def client_of(kind: Kind) -> ColumnElement[Any]:
    """What says whose a row is."""
    if kind is Kind.ROBOT:
        return of_robot()
    return customers.c.id if kind is Kind.CUSTOMER else TABLES[kind].c.customer


def within(statement: Select[Any], scope: str | None, customer: ColumnElement[Any]) -> Select[Any]:
    return statement if scope is None else statement.where(seen_by(scope, customer))


def _customers_of(csm: str) -> Select[Any]:
    """The ids of the customers that a CSM looks after."""
    return select(customers.c.id).where(customers.c.csm == csm)


def read_cursor(after: str) -> tuple[str, str]:
    day, id_ = after[:_DAY_LENGTH], after[_DAY_LENGTH:]
    if len(day) < _DAY_LENGTH or not id_ or not day.replace("-", "").isdecimal():
        raise CursorError(f"{after[:60]!r} is no cursor of this list")
    return day, id_


def known(connection: Connection, kind: Kind, ids: list[str]) -> dict[str, Any]:
    if kind is Kind.ROBOT:
        return roster.by_id(connection, ids)
    table = TABLES[kind]
    queries = (select(table).where(table.c.id.in_(portion)) for portion in portions(ids))
    return {row["id"]: made(kind, row) for query in queries for row in connection.execute(query).mappings()}


def every(connection: Connection, kind: Kind) -> list[Record]:
    if kind is Kind.ROBOT:
        return [*roster.all_robots(connection)]
    table = TABLES[kind]
    return [made(kind, row) for row in connection.execute(select(table).order_by(table.c.id)).mappings()]


def made(kind: Kind, row: Mapping[Any, Any]) -> Any:
    if kind is Kind.CUSTOMER:
        tier, stage = row["tier"], row["stage"]
        words = {"tier": Tier(tier) if tier else None, "stage": Stage(stage) if stage else None}
        return Customer(**{**row, **words})
    return {Kind.CONTRACT: Contract, Kind.SITE: Site}[kind](**row)


def seen(connection: Connection, kind: Kind, id_: str, scope: str | None) -> Record | None:
    found: Record | None = known(connection, kind, [id_]).get(id_)
    if found is None or scope is None:
        return found
    [whose] = clients(connection, [found])
    return found if sees(connection, scope, whose) else None


def add(connection: Connection, kind: Kind, records: Sequence[Record]) -> None:
    if not records:
        return
    if kind is Kind.ROBOT:
        roster.add(connection, [record for record in records if isinstance(record, RobotRecord)])
        return
    rows = [{"id": record.id, **values(record), "revision": 1} for record in records]
    connection.execute(insert(TABLES[kind]), rows)


def change(connection: Connection, kind: Kind, records: Sequence[Record]) -> None:
    if not records:
        return
    if kind is Kind.ROBOT:
        roster.change(connection, [record for record in records if isinstance(record, RobotRecord)])
        return
    table = TABLES[kind]
    changed = update(table).where(table.c.id == bindparam("known")).values(revision=table.c.revision + 1)
    connection.execute(changed, [{"known": record.id, **values(record)} for record in records])
