"""Whose alerts, customers and robots a person sees that sees its own only."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import ColumnElement, Connection, or_, select

from collector.relational.schema import alerts, customers

_FEW: Final = 500  # parameters of a statement


def seen_by(csm: str, customer: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Rows of customers of this person, and of those that are nobody's; `customer` is the rows' column."""
    of_others = select(customers.c.id).where(customers.c.csm.is_not(None), customers.c.csm != csm)
    return or_(customer.is_(None), customer.not_in(of_others))


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
