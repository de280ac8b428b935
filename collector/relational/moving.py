"""Open alerts go to whoever they belong to now: with robots and sites to another customer, with a customer to
another CSM, away from people who leave, and back to those who return.

What somebody else was given by hand stays theirs.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, bindparam, select, update

from collector import queue
from collector.queue import Alert, Assign
from collector.registry import Kind
from collector.registry.differences import Difference
from collector.registry.records import Value
from collector.relational import alerts as rows
from collector.relational.cases import IS_OPEN, Place, calendars, csms, places
from collector.relational.database import portions
from collector.relational.restanding import restand
from collector.relational.schema import alerts, customers
from collector.relational.silences import rejudge_alerts

_Belonging = Mapping[int, Place]  # by the alert's id; the place's CSM is whose it is


def follow(connection: Connection, differences: Iterable[Difference], who: str, now: int) -> None:
    """Writes whose the open alerts of changed robots, sites and customers are now, and who owns them."""
    listed = list(differences)
    former = _former_csms(listed)
    moving = _of_robots_and_sites(connection, listed)
    touched: set[str | None] = set()
    for portion in portions(sorted(moving | _ids(connection, alerts.c.customer, former))):
        touched |= _follow(connection, portion, moving, former, who, now)
    restand(connection, {name for name in touched if name is not None}, now)


def leave(connection: Connection, person: str, who: str, now: int) -> None:
    """What is owned by somebody who left goes to the customer's CSM, or to nobody."""
    _to_csms(connection, [alerts.c.owner == person], who, now)


def come_back(connection: Connection, person: str, who: str, now: int) -> None:
    """What is nobody's goes to its customer's CSM, who is here again."""
    own = select(customers.c.id).where(customers.c.csm == person)
    _to_csms(connection, [alerts.c.owner.is_(None), alerts.c.customer.in_(own)], who, now)


def _former_csms(differences: Sequence[Difference]) -> dict[str, Value]:
    """Of the customers that have another CSM now, who it was."""
    return {
        each.id: each.fields["csm"][0]
        for each in differences
        if each.kind is Kind.CUSTOMER and "csm" in each.fields
    }


def _of_robots_and_sites(connection: Connection, differences: Sequence[Difference]) -> set[int]:
    robots = {each.id for each in differences if each.kind is Kind.ROBOT and each.what == "changed"}
    sites = {each.id for each in differences if each.kind is Kind.SITE}
    of_robots = _ids(connection, alerts.c.entity, robots, alerts.c.kind == "robot")
    return of_robots | _ids(connection, alerts.c.site, sites)


def _ids(
    connection: Connection, column: Column[Any], names: Collection[str], *where: ColumnElement[bool]
) -> set[int]:
    """The open alerts that have one of these names in the column."""
    query = select(alerts.c.id).where(IS_OPEN, *where)
    asked = (query.where(column.in_(portion)) for portion in portions(sorted(names)))
    return {id_ for each in asked for id_ in connection.scalars(each)}


def _follow(
    connection: Connection,
    ids: Collection[int],
    moving: Collection[int],
    former: Mapping[str, Value],
    who: str,
    now: int,
) -> set[str | None]:
    """Answers the customers that have alerts more, or fewer."""
    listed = _in_order(connection, ids)
    owners = {**csms(connection, {alert.customer for alert in listed if alert.customer}), **former}
    to = _belonging(connection, listed, moving)
    moved = [alert for alert in listed if _where(to[alert.id]) != (alert.customer, alert.site)]
    handed = [each for each in listed if each.customer in former or each.customer != to[each.id].customer]
    given = [alert for alert in handed if alert.owner in (None, owners.get(alert.customer or ""))]
    _give(connection, given, to, who, now)
    _move(connection, moved, to)
    rejudge_alerts(connection, {alert.id for alert in (*moved, *handed)}, now, who)
    return {whose for alert in moved for whose in (alert.customer, to[alert.id].customer)}


def _to_csms(connection: Connection, where: Sequence[ColumnElement[bool]], who: str, now: int) -> None:
    found = list(connection.scalars(select(alerts.c.id).where(IS_OPEN, *where).order_by(alerts.c.id)))
    for portion in portions(found):
        listed = _in_order(connection, portion)
        _give(connection, listed, _belonging(connection, listed, ()), who, now)


def _in_order(connection: Connection, ids: Collection[int]) -> list[Alert]:
    found = rows.by_ids(connection, ids)
    return [found[id_] for id_ in ids]


def _belonging(connection: Connection, listed: Sequence[Alert], moving: Collection[int]) -> _Belonging:
    """Where each alert belongs; those that do not move belong where they are."""
    at = places(connection, {alert.entity for alert in listed})
    owners = csms(connection, {alert.customer for alert in listed if alert.customer})
    found = {alert.id: at[alert.entity] for alert in listed}
    staying = {
        alert.id: replace(
            found[alert.id],
            customer=alert.customer,
            site=alert.site,
            csm=owners.get(alert.customer or ""),
        )
        for alert in listed
        if alert.id not in moving
    }
    return found | staying


def _where(place: Place) -> tuple[str | None, str | None]:
    return place.customer, place.site


def _give(connection: Connection, given: Sequence[Alert], to: _Belonging, who: str, now: int) -> None:
    before = calendars(connection, {alert.id: (alert.owner, to[alert.id].tz) for alert in given})
    after = calendars(connection, {alert.id: (to[alert.id].csm, to[alert.id].tz) for alert in given})
    steps = [
        queue.act(alert, Assign(to[alert.id].csm, after[alert.id]), who, now, before[alert.id])
        for alert in given
    ]
    rows.save(connection, [step for step in steps if step.entries])


def _move(connection: Connection, moved: Sequence[Alert], to: _Belonging) -> None:
    values = [
        {"moved": alert.id, "now_customer": to[alert.id].customer, "now_site": to[alert.id].site}
        for alert in moved
    ]
    statement = update(alerts).where(alerts.c.id == bindparam("moved"))
    if values:
        connection.execute(
            statement.values(customer=bindparam("now_customer"), site=bindparam("now_site")), values
        )
