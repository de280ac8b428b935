"""Open alerts go with their robots and sites, where these get another customer or another place."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, select, update

from collector import queue
from collector.queue import Alert, Assign, Step
from collector.registry import Kind
from collector.registry.differences import Difference
from collector.relational import alerts as rows
from collector.relational.cases import IS_OPEN, Place, calendars, calendars_of, places
from collector.relational.database import portions
from collector.relational.restanding import restand
from collector.relational.schema import alerts, customers
from collector.relational.silences import rejudge_alerts


def follow(connection: Connection, differences: Iterable[Difference], who: str, now: int) -> None:
    """Writes whose the open alerts of changed robots and sites are now; their owners change with it."""
    listed = _open(connection, list(differences))
    if not listed:
        return
    at = places(connection, {alert.entity for alert in listed})
    moved = [alert for alert in listed if _where(at[alert.entity]) != (alert.customer, alert.site)]
    if not moved:
        return
    _hand_over(connection, moved, [at[alert.entity] for alert in moved], who, now)
    values = [
        {"moved": alert.id, "now_customer": at[alert.entity].customer, "now_site": at[alert.entity].site}
        for alert in moved
    ]
    statement = update(alerts).where(alerts.c.id == bindparam("moved"))
    connection.execute(
        statement.values(customer=bindparam("now_customer"), site=bindparam("now_site")), values
    )
    rejudge_alerts(connection, [alert.id for alert in moved], now, who)
    touched = {whose for alert in moved for whose in (alert.customer, at[alert.entity].customer)}
    restand(connection, {whose for whose in touched if whose is not None}, now)


def _where(place: Place) -> tuple[str | None, str | None]:
    return place.customer, place.site


def _open(connection: Connection, differences: Sequence[Difference]) -> list[Alert]:
    robots = {each.id for each in differences if each.kind is Kind.ROBOT and each.what == "changed"}
    sites = {each.id for each in differences if each.kind is Kind.SITE}
    found: dict[int, Alert] = {}
    at_sites = select(alerts).where(IS_OPEN)
    of_robots = at_sites.where(alerts.c.kind == "robot")
    for query, column, ids in ((of_robots, alerts.c.entity, robots), (at_sites, alerts.c.site, sites)):
        for portion in portions(sorted(ids)):
            held = connection.execute(query.where(column.in_(portion)))
            found |= {row.id: rows.read(row) for row in held}
    return [found[id_] for id_ in sorted(found)]


def _hand_over(
    connection: Connection, moved: Sequence[Alert], to: Sequence[Place], who: str, now: int
) -> None:
    """To the new customer's CSM, what was the old one's, or nobody's."""
    before = calendars_of(connection, moved)
    after = calendars(
        connection, {alert.id: (place.csm, place.tz) for alert, place in zip(moved, to, strict=True)}
    )
    owners = _csms(connection, {alert.customer for alert in moved if alert.customer})
    steps: list[Step] = []
    for alert, place in zip(moved, to, strict=True):
        if alert.customer != place.customer and alert.owner in (None, owners.get(alert.customer or "")):
            given = Assign(place.csm, after[alert.id])
            steps.append(queue.act(alert, given, who, now, before[alert.id]))
    rows.save(connection, [step for step in steps if step.entries])


def _csms(connection: Connection, ids: Iterable[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for portion in portions(sorted(ids)):
        query = select(customers.c.id, customers.c.csm).where(customers.c.id.in_(portion))
        found |= {row.id: row.csm for row in connection.execute(query)}
    return found
