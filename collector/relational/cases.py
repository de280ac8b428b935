"""What registry and roster know of the entities of alerts: whose they are, where, and by whose clock."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, TypeVar

import numpy as np
from sqlalchemy import Column, Connection, Row, Select, Table, func, select, text

from collector.calendar import WorkCalendar
from collector.queue import Alert
from collector.ranking import DAY_MS, FORGOTTEN_DAYS, Standing
from collector.registry import RobotRecord
from collector.relational import roster
from collector.relational.database import portions
from collector.relational.schema import alerts, contracts, customers, people, robots, sites
from rules.evaluation import Entity, SignalKey
from rules.zones import clock

IS_OPEN: Final = text("work != 'closed'")  # as indexes have it: a parameter would keep them from use
Name = TypeVar("Name")
_EPOCH: Final = date(1970, 1, 1).toordinal()
_OF_SITE: Final = ("tz", "open_hours", "holidays", "region")
_OF_CUSTOMER: Final = ("tier", "stage", "csm", "industry", "region")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entity stands and whose it is; what is not known, or differs among its robots, is None."""

    customer: str | None = None
    site: str | None = None
    tz: str | None = None
    csm: str | None = None  # whose its alerts are; nobody who has left
    attributes: Mapping[str, str | float] = field(default_factory=dict)


def of_keys(
    connection: Connection, query: Select[Any], table: Table, keys: Iterable[SignalKey]
) -> Iterator[Row[Any]]:
    """The rows of a query that are of these rules and entities."""
    groups: dict[tuple[str, str], list[str]] = {}
    for rule, kind, entity in keys:
        groups.setdefault((rule, kind), []).append(entity)
    for (rule, kind), entities in groups.items():
        for portion in portions(dict.fromkeys(entities)):
            wanted = (table.c.rule == rule, table.c.kind == kind, table.c.entity.in_(portion))
            yield from connection.execute(query.where(*wanted))


def places(connection: Connection, entities: Collection[Entity]) -> dict[Entity, Place]:
    """What is known of each entity."""
    ids = {kind: sorted({e.id for e in entities if e.kind == kind}) for kind in ("robot", "site", "customer")}
    known = roster.by_id(connection, ids["robot"])
    groups = {
        "site": roster.of(connection, "site", ids["site"]),
        "customer": roster.of(connection, "customer", ids["customer"]),
    }
    bare = {entity: _bare(entity, known, groups) for entity in entities}
    at = _rows(connection, sites, {place.site for place in bare.values() if place.site})
    bare = {
        entity: place if place.customer or place.site not in at else _of(place, at[place.site].customer)
        for entity, place in bare.items()
    }
    whose = _rows(connection, customers, {place.customer for place in bare.values() if place.customer})
    owners = _csms(connection, whose)
    return {
        entity: replace(_placed(place, at, whose), csm=owners.get(place.customer or ""))
        for entity, place in bare.items()
    }


def _bare(entity: Entity, known: Mapping[str, RobotRecord], groups: Mapping[str, list[RobotRecord]]) -> Place:
    if entity.kind == "robot":
        record = known.get(entity.id)
        return Place() if record is None else _of_robot(record)
    own = [record for record in groups.get(entity.kind, ()) if getattr(record, entity.kind) == entity.id]
    sites_, customers_ = ({getattr(record, name) for record in own} for name in ("site", "customer"))
    return Place(
        customer=entity.id if entity.kind == "customer" else _only(customers_),
        site=entity.id if entity.kind == "site" else _only(sites_),
        tz=own[0].tz if own else None,
    )


def _of_robot(record: RobotRecord) -> Place:
    return Place(record.customer, record.site, record.tz, attributes=record.attributes)


def _only(values: set[str | None]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


def _of(place: Place, customer: str | None) -> Place:
    return replace(place, customer=customer)


def _placed(place: Place, at: Mapping[str, Row[Any]], whose: Mapping[str, Row[Any]]) -> Place:
    """The entity's own attributes, then its site's, then its customer's."""
    site, customer = at.get(place.site or ""), whose.get(place.customer or "")
    attributes = {**_told(customer, _OF_CUSTOMER), **_told(site, _OF_SITE), **place.attributes}
    zone = attributes.get("tz") or place.tz
    return Place(
        place.customer,
        place.site,
        None if zone is None else str(zone),
        attributes=attributes,
    )


def csms(connection: Connection, ids: Collection[str]) -> dict[str, str | None]:
    """Whose the alerts of these customers are: its CSM's, if that person has not left."""
    return _csms(connection, _rows(connection, customers, ids))


def _csms(connection: Connection, whose: Mapping[str, Row[Any]]) -> dict[str, str | None]:
    if not whose:
        return {}
    left = set(connection.scalars(select(people.c.id).where(people.c.active.is_(False))))
    return {id_: None if row.csm in left else row.csm for id_, row in whose.items()}


def _told(row: Row[Any] | None, names: Iterable[str]) -> dict[str, str | float]:
    if row is None:
        return {}
    return {name: row._mapping[name] for name in names if row._mapping[name] is not None}


def _rows(connection: Connection, table: Table, ids: Collection[str]) -> dict[str, Row[Any]]:
    queries = (select(table).where(table.c.id.in_(portion)) for portion in portions(sorted(ids)))
    return {row.id: row for query in queries for row in connection.execute(query)}


# --- calendars --------------------------------------------------------------------------------------------


def calendars(
    connection: Connection, owned: Mapping[Name, tuple[str | None, str | None]]
) -> dict[Name, WorkCalendar]:
    """The calendars of owners, each given with the zone of the place it is for: (owner, zone)."""
    rows = _rows(connection, people, {owner for owner, _ in owned.values() if owner})
    return {name: _calendar(rows.get(owner or ""), zone) for name, (owner, zone) in owned.items()}


def calendars_of(connection: Connection, listed: Collection[Alert]) -> dict[int, WorkCalendar]:
    """The calendars in which the deadlines of these alerts run, by the alert's id."""
    zones = _zones(connection, listed)
    return calendars(connection, {alert.id: (alert.owner, zones.get(alert.id)) for alert in listed})


def calendar_of(connection: Connection, alert: Alert, owner: str | None) -> WorkCalendar:
    """The calendar that an alert's deadlines had with that owner."""
    return calendars(connection, {alert.id: (owner, _zones(connection, [alert]).get(alert.id))})[alert.id]


def _calendar(person: Row[Any] | None, zone: str | None) -> WorkCalendar:
    if person is None:
        return WorkCalendar(zone)
    return WorkCalendar(person.tz or zone, person.work_hours, person.holidays)


def _zones(connection: Connection, listed: Collection[Alert]) -> dict[int, str]:
    found = places(connection, {alert.entity for alert in listed})
    return {alert.id: zone for alert in listed if (zone := found[alert.entity].tz) is not None}


# --- customers --------------------------------------------------------------------------------------------


def standings(connection: Connection, ids: Collection[str], now: int) -> dict[str, Standing]:
    """How customers stand with us."""
    robots_of = _counted(connection, robots.c.customer, ids, robots.c.id, robots.c.lifecycle != "retired")
    open_robots = (IS_OPEN, alerts.c.kind == "robot")
    affected = _counted(connection, alerts.c.customer, ids, alerts.c.entity, *open_robots)
    found = {id_: Standing(affected=affected.get(id_, 0), robots=robots_of.get(id_, 0)) for id_ in ids}
    agreed = _contracts(connection, ids)
    zones = _zones_of(connection, list(agreed))
    for id_, rows in agreed.items():
        found[id_] = _with_contracts(found[id_], rows, _today(zones.get(id_), now))
    return found


def _counted(
    connection: Connection, by: Column[Any], ids: Collection[str], what: Column[Any], *where: Any
) -> dict[str, int]:
    counted: dict[str, int] = {}
    for portion in portions(sorted(ids)):
        query = select(by, func.count(what.distinct())).where(by.in_(portion), *where).group_by(by)
        counted |= {row[0]: row[1] for row in connection.execute(query)}
    return counted


def _contracts(connection: Connection, ids: Collection[str]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = {}
    for portion in portions(sorted(ids)):
        query = select(contracts).where(contracts.c.customer.in_(portion)).order_by(contracts.c.ends_on)
        for row in connection.execute(query):
            found.setdefault(row.customer, []).append(row)
    return found


def _zones_of(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """The zone of each customer: that of its sites, or of its robots."""
    found: dict[str, str] = {}
    for table in (robots, sites):
        for portion in portions(sorted(ids)):
            query = select(table.c.customer, func.min(table.c.tz)).where(
                table.c.customer.in_(portion), table.c.tz.is_not(None)
            )
            rows = connection.execute(query.group_by(table.c.customer))
            found |= {row[0]: row[1] for row in rows}
    return found


def _today(zone: str | None, now: int) -> int:
    """The day there, from 1970-01-01."""
    return int(now + clock(zone).offset(np.array([now]))[0]) // DAY_MS


def _with_contracts(standing: Standing, rows: list[Row[Any]], today: int) -> Standing:
    ends = [(_day(row.ends_on) - today, row) for row in rows]
    running = [row for left, row in ends if left >= 0 and _day(row.begins_on) <= today]
    worth = (running or rows)[-1]
    undecided = [left for left, row in ends if row.renewed is None and left >= FORGOTTEN_DAYS]
    return Standing(
        amount=worth.amount,
        currency=worth.currency,
        renewal_in_days=min(undecided, default=None),
        affected=standing.affected,
        robots=standing.robots,
    )


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - _EPOCH
