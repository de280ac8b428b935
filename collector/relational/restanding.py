"""The rank of alerts once more, where their customers stand differently now."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import JSON, Connection, bindparam, insert, select, update

from collector import ranking
from collector.ranking import OF_STANDING, Point, standing_points
from collector.relational.cases import IS_OPEN, standings
from collector.relational.database import portions
from collector.relational.schema import alerts, revisions

RERANKED: Final = "reranked"  # the day of the last time for all, in the table of revisions
_AT_ONCE: Final = 100  # customers of a transaction: nobody who writes waits for long
_DAY_MS: Final = 86_400_000


def restand(connection: Connection, customers: Collection[str], now: int, *, exactly: bool = True) -> int:
    """Ranks the open alerts of these customers by how they stand now; answers how many were written.

    Those too (unless `exactly` is false) of which only the numbers behind the points are others: each robot
    more would rewrite all alerts of a large customer, for the same rank.
    """
    if not customers:
        return 0
    standing = standings(connection, customers, now)
    told = (lambda point: point) if exactly else _rank
    adds = {name: [told(point.as_json()) for point in standing_points(of)] for name, of in standing.items()}
    moved = []
    for portion in portions(sorted(customers)):
        columns = (alerts.c.id, alerts.c.customer, alerts.c.opened_at, alerts.c.reasons)
        query = select(*columns).where(IS_OPEN, alerts.c.customer.in_(portion))
        for id_, customer, opened_at, stored in connection.execute(query):
            if [told(point) for point in stored or () if point["key"] in OF_STANDING] != adds[customer]:
                before = map(Point.of_json, stored or ())
                moved.append(_moved(id_, opened_at, ranking.restood(before, standing[customer])))
    _write(connection, moved)
    return len(moved)


def _rank(point: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"key": point["key"], "points": point["points"]}


def _moved(id_: int, opened_at: int, reasons: tuple[Point, ...]) -> dict[str, object]:
    stored = [point.as_json() for point in reasons]
    return {"moved": id_, "now_reasons": stored, "now_priority": ranking.priority(reasons, opened_at)}


def _write(connection: Connection, moved: list[dict[str, object]]) -> None:
    if moved:
        statement = update(alerts).where(alerts.c.id == bindparam("moved"))
        values = {"reasons": bindparam("now_reasons", type_=JSON), "priority": bindparam("now_priority")}
        connection.execute(statement.values(**values), moved)


def is_due(connection: Connection, now: int) -> bool:
    """Whether all are to be ranked again: once a day, since renewals come nearer."""
    day = connection.scalar(select(revisions.c.value).where(revisions.c.name == RERANKED))
    return day != now // _DAY_MS


def all_customers(connection: Connection) -> Iterator[list[str]]:
    """The customers with open alerts, in portions."""
    query = select(alerts.c.customer).where(IS_OPEN, alerts.c.customer.is_not(None)).distinct()
    return portions(connection.scalars(query), _AT_ONCE)


def done(connection: Connection, now: int) -> None:
    """All are ranked for today."""
    day, ours = now // _DAY_MS, revisions.c.name == RERANKED
    if connection.execute(update(revisions).where(ours).values(value=day)).rowcount == 0:
        connection.execute(insert(revisions).values(name=RERANKED, value=day))
