"""What is allowed, but perhaps not meant: records that name somebody or something nobody knows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection, select

from collector.registry import Difference, Kind
from collector.relational.database import portions
from collector.relational.schema import customers, people, robots

_NAMING: Final[Mapping[Kind, tuple[Literal["csm", "customer"], ...]]] = {
    Kind.CUSTOMER: ("csm",),
    Kind.CONTRACT: ("customer",),
    Kind.SITE: ("customer",),
    Kind.ROBOT: (),
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A record that names somebody, or a customer, whom nobody registered."""

    kind: Kind
    id: str
    field: Literal["csm", "customer"]
    value: str

    def __str__(self) -> str:
        what = "person" if self.field == "csm" else "customer"
        return f"{self.kind.value} {self.id!r}: {self.field} {self.value!r} is no {what} that is known here"


def doubts(connection: Connection, differences: Iterable[Difference]) -> tuple[Doubt, ...]:
    """Who and what the differences name without anybody knowing it; people count only once there are any."""
    named = [
        Doubt(each.kind, each.id, field, str(each.fields[field][1]))
        for each in differences
        for field in _NAMING[each.kind]
        if field in each.fields and each.fields[field][1] is not None
    ]
    csms = {each.value for each in named if each.field == "csm"}
    clients = {each.value for each in named if each.field == "customer"}
    fresh = {each.id for each in differences if each.kind is Kind.CUSTOMER}
    known = {"csm": _people(connection, csms), "customer": fresh | _clients(connection, clients - fresh)}
    return tuple(each for each in named if each.value not in known[each.field])


def _people(connection: Connection, ids: Collection[str]) -> set[str]:
    if not ids or connection.execute(select(people.c.id).limit(1)).first() is None:
        return set(ids)
    return {
        id_
        for portion in portions(sorted(ids))
        for id_ in connection.scalars(select(people.c.id).where(people.c.id.in_(portion)))
    }


def _clients(connection: Connection, ids: Collection[str]) -> set[str]:
    """Customers that are registered, or that a robot names."""
    found: set[str] = set()
    for portion in portions(sorted(ids)):
        found.update(connection.scalars(select(customers.c.id).where(customers.c.id.in_(portion))))
        found.update(connection.scalars(select(robots.c.customer).where(robots.c.customer.in_(portion))))
    return found
