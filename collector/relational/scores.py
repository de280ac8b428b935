"""Scores as rows: kept by day, read by page, thinned with time."""

import base64
import binascii
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from collector.registry import Lifecycle
from collector.relational.database import Database
from collector.relational.listing import CursorError, Page
from collector.relational.schema import alerts, customers, robots, scores, sites
from collector.relational.sight import of_robot, seen_by
from collector.scores.score import Score, as_json, from_json
from collector.scores.settings import KINDS, Kind
from collector.scores.table import OpenAlert

WEEK: Final = 7
EXPLAINED_DAYS: Final = 9  # so long every day has its explanation
DAILY_DAYS: Final = 15  # so long every day is kept; later, Sundays
KEPT_DAYS: Final[Mapping[Kind, int]] = {"robot": 70, "site": 400, "customer": 400}
_AT_ONCE: Final = 500  # rows written, or ids asked for, in one statement
_SUNDAY: Final = 6
_KEY: Final = ("kind", "entity", "day")
_INSERT: Final[Mapping[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True)
class ScoreQuery:
    """Which scores: of one kind, whose customer has all of these attributes; None asks for nothing."""

    kind: Kind = "customer"
    industry: str | None = None
    region: str | None = None
    tier: str | None = None
    csm: str | None = None
    seen_by: str | None = None  # of those that this person sees who sees its own customers only


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """A score in a list; `before` is the one of a week before."""

    entity: str
    day: str
    points: float | None
    coverage: float
    before: float | None
    industry: str | None

    @property
    def change(self) -> float | None:
        """By how much it rose in a week."""
        if self.points is None or self.before is None:
            return None
        return round(self.points - self.before, 1)


def earlier(day: str, days: int) -> str:
    """The day so many days before."""
    return (date.fromisoformat(day) - timedelta(days)).isoformat()


class Scores:
    """Scores in the database. Every method is one transaction, and may be called from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, found: Iterable[Score], computed_at: int) -> int:
        """Keeps scores in place of those of the same day; some at a time, so that others may write between.

        Answers how many there were.
        """
        rows, count = iter(found), 0
        while portion := list(islice(rows, _AT_ONCE)):
            with self._database.writing() as connection:
                _put(connection, portion, computed_at)
            count += len(portion)
        return count

    def days(self, kind: Kind = "robot") -> set[str]:
        """The days of which there are scores."""
        with self._database.reading() as connection:
            return set(connection.scalars(select(scores.c.day).where(scores.c.kind == kind).distinct()))

    def entities(self, kind: Kind, day: str) -> set[str]:
        """Those that have a row of that day, with or without a score."""
        query = select(scores.c.entity).where(scores.c.kind == kind, scores.c.day == day)
        with self._database.reading() as connection:
            return set(connection.scalars(query))

    def one(self, kind: Kind, entity: str, day: str | None = None) -> Score | None:
        """The score of that day, or the latest."""
        query = select(scores).where(scores.c.kind == kind, scores.c.entity == entity)
        query = query.where(scores.c.day == day) if day else query.order_by(scores.c.day.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _score(row)

    def many(self, kind: Kind, entities: Collection[str], day: str) -> dict[str, Score]:
        """The scores of these on that day, where there are any."""
        listed = list(entities)
        found: dict[str, Score] = {}
        with self._database.reading() as connection:
            for at in range(0, len(listed), _AT_ONCE):
                here = scores.c.entity.in_(listed[at : at + _AT_ONCE])
                query = select(scores).where(scores.c.kind == kind, scores.c.day == day, here)
                found |= {row.entity: _score(row) for row in connection.execute(query)}
        return found

    def history(self, kind: Kind, entity: str, since: str) -> list[tuple[str, float | None]]:
        """(day, points) of all days kept since then, in order."""
        query = (
            select(scores.c.day, scores.c.score)
            .where(scores.c.kind == kind, scores.c.entity == entity, scores.c.day >= since)
            .order_by(scores.c.day)
        )
        with self._database.reading() as connection:
            return [(row.day, row.score) for row in connection.execute(query)]

    def histories(
        self, kind: Kind, entities: Sequence[str], since: str
    ) -> dict[str, list[tuple[str, float | None]]]:
        """As `history`, of a page of entities."""
        query = (
            select(scores.c.entity, scores.c.day, scores.c.score)
            .where(scores.c.kind == kind, scores.c.entity.in_(entities), scores.c.day >= since)
            .order_by(scores.c.entity, scores.c.day)
        )
        found: dict[str, list[tuple[str, float | None]]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                found.setdefault(row.entity, []).append((row.day, row.score))
        return found

    def page(
        self, query: ScoreQuery | None = None, *, after: str | None = None, limit: int = 100
    ) -> Page[ScoreLine]:
        """The latest scores, the lowest first and those without one last. Raises `CursorError`."""
        wanted = query or ScoreQuery()
        with self._database.reading() as connection:
            day = newest_day(connection, wanted.kind)
            statement = _lines(wanted, day).limit(limit + 1)
            if after is not None:
                statement = statement.where(_beyond(after))
            found = [ScoreLine(*row) for row in connection.execute(statement)]
        more = len(found) > limit
        return Page(tuple(found[:limit]), _cursor(found[limit - 1]) if more else None)

    def tier_averages(self) -> dict[str, float]:
        """The mean of the latest scores of each tier's customers."""
        with self._database.reading() as connection:
            day = newest_day(connection, "customer")
            query = (
                select(customers.c.tier, func.avg(scores.c.score))
                .join(customers, customers.c.id == scores.c.entity)
                .where(_latest("customer", day), customers.c.tier.is_not(None), scores.c.score.is_not(None))
                .group_by(customers.c.tier)
            )
            return {row[0]: float(row[1]) for row in connection.execute(query)}

    def thin(self, day: str) -> None:
        """Once `day` is there, older ones lose their explanation, then all but Sundays go, then those too."""
        with self._database.writing() as connection:
            kept = set(connection.scalars(select(scores.c.day).where(scores.c.day < day).distinct()))
            for old in sorted(kept):
                _thin(connection, old, (date.fromisoformat(day) - date.fromisoformat(old)).days)

    def customer_of(self, kind: Kind, entity: str) -> str | None:
        """The customer that a robot or site belongs to, or the customer itself."""
        if kind == "customer":
            return entity
        column = robots.c.id if kind == "robot" else robots.c.site
        with self._database.reading() as connection:
            known = select(sites.c.customer).where(sites.c.id == entity)
            found = connection.scalar(known) if kind == "site" else None
            counts = or_(robots.c.lifecycle != Lifecycle.RETIRED.value, robots.c.id == entity)
            query = select(func.min(of_robot())).where(column == entity, counts)
            named: str | None = connection.scalar(query)
            return found or named

    # -- what scores are reckoned from

    def open_at(self, at: int) -> list[OpenAlert]:
        """The alerts that were open then; of those still open, the ones that nothing suppresses."""
        hidden = or_(alerts.c.suppressed_reason.is_not(None), alerts.c.silence.is_not(None))
        suppressed = and_(alerts.c.work != _CLOSED, hidden)
        query = select(alerts.c.kind, alerts.c.entity, alerts.c.severity).where(
            alerts.c.opened_at <= at, or_(alerts.c.closed_at.is_(None), alerts.c.closed_at > at), ~suppressed
        )
        with self._database.reading() as connection:
            return [OpenAlert(*row) for row in connection.execute(query)]

    def pulses(self) -> dict[str, tuple[int, int]]:
        """(value, when it was said) by customer."""
        query = select(customers.c.id, customers.c.pulse, customers.c.pulse_at)
        given = query.where(customers.c.pulse.is_not(None), customers.c.pulse_at.is_not(None))
        with self._database.reading() as connection:
            return {row[0]: (row[1], row[2]) for row in connection.execute(given)}

    def registered(self) -> list[str]:
        """The customers of the registry."""
        with self._database.reading() as connection:
            return list(connection.scalars(select(customers.c.id).order_by(customers.c.id)))


def newest_day(connection: Connection, kind: Kind) -> str | None:
    """The latest day of which there are scores of that kind."""
    found: str | None = connection.scalar(select(func.max(scores.c.day)).where(scores.c.kind == kind))
    return found


def _latest(kind: Kind, day: str | None) -> ColumnElement[bool]:
    """The rows of the newest day, and of the day before for those whose day is not over yet."""
    if day is None:
        return false()
    newer = scores.alias("newer")
    same = (newer.c.kind == kind, newer.c.entity == scores.c.entity, newer.c.day == day)
    before = and_(scores.c.day == earlier(day, 1), ~select(newer.c.day).where(*same).exists())
    return and_(scores.c.kind == kind, or_(scores.c.day == day, before))


def _put(connection: Connection, found: Sequence[Score], computed_at: int) -> None:
    upsert = _INSERT[connection.dialect.name](scores)
    replaced = {name: upsert.excluded[name] for name in scores.c.keys() if name not in _KEY}  # noqa: SIM118
    statement = upsert.on_conflict_do_update(index_elements=_KEY, set_=replaced)
    connection.execute(statement, [_row(score, computed_at) for score in found])


def _row(score: Score, computed_at: int) -> dict[str, Any]:
    return {
        "kind": score.kind,
        "entity": score.entity,
        "day": score.day,
        "score": score.points,
        "coverage": score.coverage,
        "industry": score.industry,
        "components": as_json(score),
        "computed_at": computed_at,
    }


def _score(row: Row[Any]) -> Score:
    return from_json((row.kind, row.entity, row.day), row.score, row.coverage, row.industry, row.components)


def _lines(wanted: ScoreQuery, day: str | None) -> Select[Any]:
    before = scores.alias("before")
    week_ago = case({own: earlier(own, WEEK) for own in _days(day)}, value=scores.c.day) if day else None
    same = and_(before.c.kind == scores.c.kind, before.c.entity == scores.c.entity, before.c.day == week_ago)
    owner = customers.c.id == _customer_of(wanted.kind)
    industry = func.coalesce(customers.c.industry, scores.c.industry)
    given = {customers.c.region: wanted.region, customers.c.tier: wanted.tier, customers.c.csm: wanted.csm}
    equal = [column == value for column, value in given.items() if value is not None]
    if wanted.seen_by is not None:
        equal.append(seen_by(wanted.seen_by, _customer_of(wanted.kind)))
    if wanted.industry is not None:
        equal.append(industry == wanted.industry)
    columns = (scores.c.entity, scores.c.day, scores.c.score, scores.c.coverage, before.c.score, industry)
    joined = scores.outerjoin(before, same).outerjoin(customers, owner)
    query = select(*columns).select_from(joined).where(_latest(wanted.kind, day))
    return query.where(*equal).order_by(scores.c.score.is_(None), scores.c.score, scores.c.entity)


def _days(day: str) -> tuple[str, str]:
    """The days that latest scores may be of."""
    return day, earlier(day, 1)


def _customer_of(kind: Kind) -> Any:
    """Of a row of scores, the customer that it belongs to."""
    if kind == "customer":
        return scores.c.entity
    if kind == "robot":
        return select(of_robot()).where(robots.c.id == scores.c.entity).scalar_subquery()
    known = select(sites.c.customer).where(sites.c.id == scores.c.entity).scalar_subquery()
    in_use = robots.c.lifecycle != Lifecycle.RETIRED.value
    at_site = select(func.min(robots.c.customer)).where(robots.c.site == scores.c.entity, in_use)
    named = at_site.scalar_subquery()
    return func.coalesce(known, named)


def _cursor(line: ScoreLine) -> str:
    written = json.dumps([line.points, line.entity]).encode()
    return base64.urlsafe_b64encode(written).decode().rstrip("=")


def _beyond(cursor: str) -> Any:
    points, entity = _read_cursor(cursor)
    further = scores.c.entity > entity
    if points is None:
        return and_(scores.c.score.is_(None), further)
    same = and_(scores.c.score == points, further)
    return or_(scores.c.score.is_(None), scores.c.score > points, same)


def _read_cursor(cursor: str) -> tuple[float | None, str]:
    try:
        points, entity = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error):
        raise CursorError(f"{cursor[:64]!r} is no cursor; give `next` of the page before") from None
    if not isinstance(entity, str) or not isinstance(points, int | float | None):
        raise CursorError(f"{cursor[:64]!r} is no cursor; give `next` of the page before")
    return points, entity


def _thin(connection: Connection, old: str, age: int) -> None:
    if age >= EXPLAINED_DAYS:
        bare = update(scores).where(scores.c.day == old, scores.c.kind == "robot").values(components={})
        connection.execute(bare)
    sunday = date.fromisoformat(old).weekday() == _SUNDAY
    for kind in KINDS:
        if (age >= DAILY_DAYS and not sunday) or age >= KEPT_DAYS[kind]:
            connection.execute(delete(scores).where(scores.c.kind == kind, scores.c.day == old))
