"""The robots we know: who they are, where they stand, and for whom they work."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from collector.registry.records import Lifecycle, RobotRecord
from collector.relational.database import portions
from collector.relational.schema import customers, revisions, robots, sites
from collector.relational.sight import of_robot, seen_by
from collector.relational.versions import ROSTER

_FIELDS: Final = ("name", "customer", "site", "industry", "scene", "model", "tz", "installed_on")
OF_SITE: Final = ("tz", "open_hours", "holidays", "region")
OF_CUSTOMER: Final = ("tier", "stage", "csm", "industry")
_SEARCHED: Final = ("id", "name", "customer", "site")


@dataclass(frozen=True, slots=True)
class RobotQuery:
    """Which robots: those with all of these attributes; None asks for nothing."""

    customer: str | None = None
    site: str | None = None
    industry: str | None = None
    lifecycle: Lifecycle | None = None
    q: str | None = None  # stands in id, name, customer or site
    csm: str | None = None  # of this person's customers, and of those that are nobody's


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many robots of an import were new, changed, or as they already were."""

    added: int
    changed: int
    unchanged: int


def all_robots(connection: Connection) -> list[RobotRecord]:
    """Every robot, in the order in which they came."""
    return [_record(row) for row in connection.execute(_in_order())]


def attributes(connection: Connection) -> Iterator[tuple[str, dict[str, str | float]]]:
    """Every robot's id with its attributes and, where it lacks them, those of its site and its customer."""
    of_site = _by_id(connection, sites, OF_SITE)
    of_customer = _by_id(connection, customers, OF_CUSTOMER)
    for record in all_robots(connection):
        site, customer = of_site.get(record.site or ""), of_customer.get(record.customer or "")
        yield record.id, {**(customer or {}), **(site or {}), **record.attributes}


def _by_id(connection: Connection, table: Table, names: Sequence[str]) -> dict[str, dict[str, str]]:
    query = select(table.c.id, *(table.c[name] for name in names))
    return {
        row["id"]: {name: row[name] for name in names if row[name] is not None}
        for row in connection.execute(query).mappings()
    }


def page(connection: Connection, query: RobotQuery, after: str | None, limit: int) -> list[RobotRecord]:
    """At most `limit` robots by id, after `after`."""
    asked = {name: wanted for name, wanted in asdict(query).items() if wanted is not None}
    q, csm = asked.pop("q", None), asked.pop("csm", None)
    equal = [robots.c[name] == str(wanted) for name, wanted in asked.items()]
    statement = select(robots).where(*equal).order_by(robots.c.id).limit(limit)
    if q is not None:
        statement = statement.where(mentions(q, *(robots.c[name] for name in _SEARCHED)))
    if csm is not None:
        statement = statement.where(seen_by(csm, of_robot()))
    if after is not None:
        statement = statement.where(robots.c.id > after)
    return [_record(row) for row in connection.execute(statement)]


def mentions(q: str, *columns: Column[str]) -> ColumnElement[bool]:
    """That a text stands in one of the columns, in capitals or not."""
    asked = (
        either
        for column in columns
        for either in (
            column.contains(q, autoescape=True),
            func.lower(column).contains(q.lower(), autoescape=True),
        )
    )
    return or_(*asked)


def robot(connection: Connection, id_: str) -> RobotRecord | None:
    """The robot of that id."""
    row = connection.execute(select(robots).where(robots.c.id == id_)).one_or_none()
    return None if row is None else _record(row)


def by_id(connection: Connection, ids: list[str]) -> dict[str, RobotRecord]:
    """Those of the robots that are known; asked in portions, as a statement takes only so many parameters."""
    queries = (select(robots).where(robots.c.id.in_(portion)) for portion in portions(ids))
    return {row.id: _record(row) for query in queries for row in connection.execute(query)}


def of(connection: Connection, field: Literal["site", "customer"], values: list[str]) -> list[RobotRecord]:
    """Robots in use with one of these values, in the order in which they came."""
    in_use = robots.c.lifecycle != Lifecycle.RETIRED.value
    queries = (_in_order().where(robots.c[field].in_(portion), in_use) for portion in portions(values))
    return [_record(row) for query in queries for row in connection.execute(query)]


def import_robots(connection: Connection, records: Sequence[RobotRecord]) -> ImportResult:
    """Adds robots and changes known ones; one that is not in the import stays as it is."""
    known = {record.id: record for record in all_robots(connection)}
    last = {record.id: record for record in records}
    added = [record for record in last.values() if record.id not in known]
    changed = [record for record in last.values() if record.id in known and known[record.id] != record]
    if added:
        add(connection, added)
    if changed:
        change(connection, changed)
    if added or changed:
        revise(connection)
    return ImportResult(len(added), len(changed), len(last) - len(added) - len(changed))


def claim_unknown(connection: Connection, ids: Collection[str]) -> list[str]:
    """Takes robots nobody registered into the roster, as unclaimed; answers which were new."""
    known = by_id(connection, list(ids))
    new = [id_ for id_ in dict.fromkeys(ids) if id_ not in known]
    if new:
        add(connection, [RobotRecord(id_, Lifecycle.UNCLAIMED) for id_ in new])
        revise(connection)
    return new


def revision(connection: Connection) -> int:
    """How often the roster was changed."""
    return int(connection.scalars(select(revisions.c.value).where(revisions.c.name == ROSTER)).one())


def add(connection: Connection, records: Sequence[RobotRecord]) -> None:
    """New robots; the caller tells of it with `revise`."""
    connection.execute(insert(robots), [_row(record) for record in records])


def change(connection: Connection, records: Sequence[RobotRecord]) -> None:
    """Known robots as they are now; the caller tells of it with `revise`."""
    changed = update(robots).where(robots.c.id == bindparam("known"))
    rows = [{"known": record.id, **_row(record)} for record in records]
    connection.execute(changed.values(revision=robots.c.revision + 1), rows)


def revise(connection: Connection) -> None:
    """Tells those who follow the roster, in the transaction of the change itself."""
    ours = revisions.c.name == ROSTER
    connection.execute(update(revisions).where(ours).values(value=revisions.c.value + 1))


def _in_order() -> Select[Any]:
    return select(robots).order_by(robots.c.position)


def _record(row: Row[Any]) -> RobotRecord:
    values = row._mapping
    named = {name: values[name] for name in _FIELDS}
    return RobotRecord(
        values["id"],
        Lifecycle(values["lifecycle"]),
        **named,
        extra=values["extra"],
        revision=values["revision"],
    )


def _row(record: RobotRecord) -> dict[str, Any]:
    named = {name: getattr(record, name) for name in _FIELDS}
    extra = dict(record.extra)
    return {"id": record.id, "lifecycle": record.lifecycle.value, **named, "extra": extra}
