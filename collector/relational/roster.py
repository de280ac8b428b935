"""The robots we know: who they are, where they stand, and for whom they work."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from collector.relational.schema import revisions, robots
from collector.relational.sight import seen_by
from collector.relational.versions import ROSTER


class Lifecycle(StrEnum):
    """Where a robot is in its life with us; `unclaimed` has been heard, but nobody registered it."""

    LIVE = "live"
    ONBOARDING = "onboarding"
    UNCLAIMED = "unclaimed"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class RobotRecord:
    """A robot of the roster; what is not known is None. `extra` holds attributes of the owner's making."""

    id: str
    lifecycle: Lifecycle = Lifecycle.LIVE
    name: str | None = None
    customer: str | None = None
    site: str | None = None
    industry: str | None = None
    scene: str | None = None
    model: str | None = None
    tz: str | None = None
    installed_on: str | None = None  # YYYY-MM-DD
    extra: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def attributes(self) -> dict[str, str | float]:
        """What rules can ask for, by name."""
        known = {name: getattr(self, name) for name in FIELDS}
        return {**self.extra, "lifecycle": self.lifecycle.value, **_given(known)}


FIELDS: Final = ("name", "customer", "site", "industry", "scene", "model", "tz", "installed_on")


@dataclass(frozen=True, slots=True)
class RobotQuery:
    """Which robots: those with all of these attributes; None asks for nothing."""

    customer: str | None = None
    site: str | None = None
    industry: str | None = None
    lifecycle: Lifecycle | None = None
    csm: str | None = None  # of this person's customers, and of those that are nobody's


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many robots of an import were new, changed, or as they already were."""

    added: int
    changed: int
    unchanged: int


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def all_robots(connection: Connection) -> list[RobotRecord]:
    """Every robot, in the order in which they came."""
    return [_record(row) for row in connection.execute(_in_order())]


def page(connection: Connection, query: RobotQuery, after: str | None, limit: int) -> list[RobotRecord]:
    """At most `limit` robots by id, after `after`."""
    given = {name: wanted for name, wanted in asdict(query).items() if wanted is not None and name != "csm"}
    equal = [robots.c[name] == str(wanted) for name, wanted in given.items()]
    statement = select(robots).where(*equal).order_by(robots.c.id).limit(limit)
    if query.csm is not None:
        statement = statement.where(seen_by(query.csm, robots.c.customer))
    if after is not None:
        statement = statement.where(robots.c.id > after)
    return [_record(row) for row in connection.execute(statement)]


def robot(connection: Connection, id_: str) -> RobotRecord | None:
    """The robot of that id."""
    row = connection.execute(select(robots).where(robots.c.id == id_)).one_or_none()
    return None if row is None else _record(row)


def by_id(connection: Connection, ids: list[str]) -> dict[str, RobotRecord]:
    """Those of the robots that are known; asked in portions, as a statement takes only so many parameters."""
    portions = (ids[at : at + 1000] for at in range(0, len(ids), 1000))
    queries = (select(robots).where(robots.c.id.in_(portion)) for portion in portions)
    return {row.id: _record(row) for query in queries for row in connection.execute(query)}


def of(connection: Connection, field: Literal["site", "customer"], values: list[str]) -> list[RobotRecord]:
    """Robots in use with one of these values, in the order in which they came."""
    in_use = robots.c.lifecycle != Lifecycle.RETIRED.value
    portions = (values[at : at + 1000] for at in range(0, len(values), 1000))
    queries = (_in_order().where(robots.c[field].in_(portion), in_use) for portion in portions)
    return [_record(row) for query in queries for row in connection.execute(query)]


def import_robots(connection: Connection, records: Sequence[RobotRecord]) -> ImportResult:
    """Adds robots and changes known ones; one that is not in the import stays as it is."""
    known = {record.id: record for record in all_robots(connection)}
    last = {record.id: record for record in records}
    added = [record for record in last.values() if record.id not in known]
    changed = [record for record in last.values() if record.id in known and known[record.id] != record]
    if added:
        connection.execute(insert(robots), [_row(record) for record in added])
    if changed:
        by_id = update(robots).where(robots.c.id == bindparam("known"))
        connection.execute(by_id, [{"known": record.id, **_row(record)} for record in changed])
    if added or changed:
        _revise(connection)
    return ImportResult(len(added), len(changed), len(last) - len(added) - len(changed))


def claim_unknown(connection: Connection, ids: Collection[str]) -> list[str]:
    """Takes robots nobody registered into the roster, as unclaimed; answers which were new."""
    known = by_id(connection, list(ids))
    new = [id_ for id_ in dict.fromkeys(ids) if id_ not in known]
    if new:
        rows = [_row(RobotRecord(id_, Lifecycle.UNCLAIMED)) for id_ in new]
        connection.execute(insert(robots), rows)
        _revise(connection)
    return new


def revision(connection: Connection) -> int:
    """How often the roster was changed."""
    return int(connection.scalars(select(revisions.c.value).where(revisions.c.name == ROSTER)).one())


def _revise(connection: Connection) -> None:
    """In the transaction of the change itself."""
    ours = revisions.c.name == ROSTER
    connection.execute(update(revisions).where(ours).values(value=revisions.c.value + 1))


def _in_order() -> Select[Any]:
    return select(robots).order_by(robots.c.position)


def _record(row: Row[Any]) -> RobotRecord:
    values = row._mapping
    named = {name: values[name] for name in FIELDS}
    return RobotRecord(values["id"], Lifecycle(values["lifecycle"]), **named, extra=values["extra"])


def _row(record: RobotRecord) -> dict[str, Any]:
    named = {name: getattr(record, name) for name in FIELDS}
    extra = dict(record.extra)
    return {"id": record.id, "lifecycle": record.lifecycle.value, **named, "extra": extra}
