"""Whose alerts, customers and robots a person sees that sees its own only."""

from sqlalchemy import ColumnElement, Connection, or_, select

from collector.relational.schema import customers


def seen_by(csm: str, customer: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Rows of customers of this person, and of those that are nobody's; `customer` is the rows' column."""
    of_others = select(customers.c.id).where(customers.c.csm.is_not(None), customers.c.csm != csm)
    return or_(customer.is_(None), customer.not_in(of_others))


def sees(connection: Connection, csm: str, customer: str | None) -> bool:
    """Whether this person sees what is of that customer."""
    owner = connection.scalars(select(customers.c.csm).where(customers.c.id == customer)).one_or_none()
    return owner is None or owner == csm
