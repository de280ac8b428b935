"""Whose alerts, customers and robots a person sees that sees its own only."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, or_, select

from collector.registry import Record, RobotRecord
from collector.registry.records import client
from collector.relational.schema import alerts, customers, robots, sites

_FEW: Final = 500  # parameters of a statement


def seen_by(csm: str, customer: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Rows of customers of this person, and of those that are nobody's; `customer` is the rows' column."""
    of_others = select(customers.c.id).where(customers.c.csm.is_not(None), customers.c.csm != csm)
    return or_(customer.is_(None), customer.not_in(of_others))


def of_robot() -> ColumnElement[Any]:
    """Whose a row of robots is: the customer that it names, else its site's."""
    of_site = select(sites.c.customer).where(sites.c.id == robots.c.site).scalar_subquery()
    return func.coalesce(robots.c.customer, of_site)


def clients(connection: Connection, found: Collection[Record]) -> list[str | None]:
    """The same of records, in their order."""
    at = {each.site for each in found if isinstance(each, RobotRecord) and each.customer is None}
    at.discard(None)
    query = select(sites.c.id, sites.c.customer)
    asked = query.where(sites.c.id.in_(at)) if len(at) < _FEW else query
    of_site = {row.id: row.customer for row in connection.execute(asked)} if at else {}
    return [
        client(each) or (of_site.get(each.site or "") if isinstance(each, RobotRecord) else None)
        for each in found
    ]


def alerts_seen_by(csm: str) -> ColumnElement[bool]:
    """Alerts of these customers, and those that were given to the person."""
    return or_(seen_by(csm, alerts.c.customer), alerts.c.owner == csm)


def of_others(connection: Connection, csm: str, names: Collection[str | None]) -> set[str | None]:
    """Those of the customers that are another person's."""
    owned = select(customers.c.id, customers.c.csm).where(customers.c.csm.is_not(None))
    asked = owned.where(customers.c.id.in_(names)) if len(names) < _FEW else owned
    return {id_ for id_, owner in connection.execute(asked) if owner != csm and id_ in names}


def sees(connection: Connection, csm: str, customer: str | None) -> bool:
    """Whether this person sees what is of that customer."""
    return not of_others(connection, csm, [customer])
