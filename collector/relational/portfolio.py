"""Customers as those who look after them see them: what registry, robots, queue and scores say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, Row, Select, and_, case, func, or_, select

from collector.relational.database import Database
from collector.relational.journal import Change, read
from collector.relational.schema import (
    alerts,
    contracts,
    customers,
    journal,
    revisions,
    robots,
    scores,
    sites,
)
from collector.relational.scores import WEEK, earlier, newest_day
from collector.relational.sight import sees
from collector.scores.urgency import urgency

RETIRED: Final = "retired"
_CLOSED: Final = "closed"
_TIMELINE: Final = 40
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class PortfolioQuery:
    """Which customers: with all of these attributes, and `q` in their name; None asks for nothing.

    `seen_by`: only those that this person sees who sees its own.
    """

    q: str | None = None
    industry: str | None = None
    region: str | None = None
    tier: str | None = None
    csm: str | None = None
    seen_by: str | None = None
    below: bool = False  # their tier's average


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract; `renewed` is None while nobody decided."""

    id: str
    begins_on: date
    ends_on: date
    amount: float | None
    currency: str | None
    robots: int | None
    renewed: bool | None

    def days_left(self, today: date) -> int:
        """Until it ends; below zero if it has."""
        return (self.ends_on - today).days


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """A customer in a list; `before` is its score of a week before, `average` its tier's."""

    id: str
    tier: str | None = None
    stage: str | None = None
    csm: str | None = None
    region: str | None = None
    industry: str | None = None
    tz: str | None = None
    robots: int = 0
    sites: int = 0
    open_alerts: int = 0
    worst: int | None = None  # the rank of the severest open alert
    day: str | None = None
    points: float | None = None
    before: float | None = None
    average: float | None = None
    contract: Contract | None = None  # the one to be renewed next
    days_to_renewal: int | None = None
    urgency: float = 0.0

    @property
    def change(self) -> float | None:
        """By how much its score rose in a week."""
        if self.points is None or self.before is None:
            return None
        return round(self.points - self.before, 1)

    @property
    def is_below(self) -> bool:
        """Whether it is below its tier's average."""
        return self.points is not None and self.average is not None and self.points < round(self.average, 1)


@dataclass(frozen=True, slots=True)
class Registered:
    """What the registry says of a customer."""

    id: str
    tier: str | None = None
    stage: str | None = None
    csm: str | None = None
    region: str | None = None
    industry: str | None = None
    pulse: int | None = None
    pulse_at: int | None = None
    note: str | None = None


class Portfolio:
    """Customers in the database. Every method is one transaction, and may be called from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: tuple[tuple[object, ...], list[CustomerLine]] | None = (
            None  # of which state, and the lines
        )

    def customers(self, query: PortfolioQuery, now: int) -> list[CustomerLine]:
        """All customers that match, registered or named by a robot, the most urgent first; without alerts.

        They are reckoned again once roster, registry or scores have changed, or another hour has come.
        """
        with self._database.reading() as connection:
            state = _state(connection, now)
            known = self._known
            if known is None or known[0] != state:
                found = sorted(_lines(connection, now), key=lambda line: (-line.urgency, line.id))
                known = self._known = state, found
        return [line for line in known[1] if _fits(line, query)]

    def with_alerts(self, lines: Sequence[CustomerLine]) -> list[CustomerLine]:
        """The same lines with their open alerts that nothing suppresses; a page at a time."""
        with self._database.reading() as connection:
            counts = {row[0]: (row[1], row[2]) for row in connection.execute(_alerted(lines))}
        none = (0, None)
        return [
            replace(line, open_alerts=found[0], worst=found[1])
            for line in lines
            for found in [counts.get(line.id, none)]
        ]

    def choices(self) -> dict[str, list[str]]:
        """What there is to filter by: industries, regions, tiers and CSMs."""
        with self._database.reading() as connection:
            found = {
                name: sorted(filter(None, connection.scalars(select(customers.c[name]).distinct())))
                for name in ("industry", "region", "tier", "csm")
            }
            used = set(connection.scalars(select(robots.c.industry).distinct()))
        return found | {"industry": sorted({*found["industry"], *filter(None, used)})}

    def customer(self, id_: str) -> Registered | None:
        """A customer that is registered, or that some robot names."""
        columns = [customers.c[name] for name in Registered.__dataclass_fields__]
        with self._database.reading() as connection:
            row = connection.execute(select(*columns).where(customers.c.id == id_)).one_or_none()
            if row is not None:
                return Registered(**row._mapping)
            named = (
                select(robots.c.id).where(robots.c.customer == id_, robots.c.lifecycle != RETIRED).limit(1)
            )
            return None if connection.scalar(named) is None else Registered(id_)

    def sees(self, person: str, customer: str) -> bool:
        """Whether a person who sees its own customers sees this one."""
        with self._database.reading() as connection:
            return sees(connection, person, customer)

    def contracts(self, customer: str) -> list[Contract]:
        """A customer's contracts, the last to end first."""
        with self._database.reading() as connection:
            return sorted(_contracts(connection, customer), key=lambda found: found.ends_on, reverse=True)

    def sites(self, customer: str) -> list[str]:
        """The sites that the registry gives it."""
        with self._database.reading() as connection:
            query = select(sites.c.id).where(sites.c.customer == customer).order_by(sites.c.id)
            return list(connection.scalars(query))

    def journal(self, customer: str, limit: int = _TIMELINE) -> list[Change]:
        """What was last changed of a customer, its sites and its contracts, the newest first."""
        own_sites = select(sites.c.id).where(sites.c.customer == customer)
        own_contracts = select(contracts.c.id).where(contracts.c.customer == customer)
        here = or_(
            and_(journal.c.kind == "customer", journal.c.subject == customer),
            and_(journal.c.kind == "site", journal.c.subject.in_(own_sites)),
            and_(journal.c.kind == "contract", journal.c.subject.in_(own_contracts)),
        )
        query = select(journal).where(here).order_by(journal.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [read(row) for row in connection.execute(query).mappings()]


def today_in(tz: str | None, now: int) -> date:
    """The date there; in UTC where the zone is not known."""
    try:
        zone = ZoneInfo(tz) if tz else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = UTC
    return datetime.fromtimestamp(now / 1000, zone).date()


def next_renewal(found: Iterable[Contract], today: date) -> Contract | None:
    """The undecided contract that ends next, or ended last if none is left; decided ones need nobody."""
    open_ = sorted((one for one in found if one.renewed is None), key=lambda one: one.ends_on)
    coming = [one for one in open_ if one.ends_on >= today]
    return coming[0] if coming else open_[-1] if open_ else None


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of customers beside the registry, by customer; averages by tier."""

    points: Mapping[str, tuple[str, float | None, float | None]]
    averages: Mapping[str, float]
    contracts: Mapping[str, Sequence[Contract]]


def _state(connection: Connection, now: int) -> tuple[object, ...]:
    """Cheap to ask, and other than before once the lines may be other."""
    day = newest_day(connection, "customer")
    scored = select(func.count()).where(scores.c.kind == "customer", scores.c.day == day)
    return (
        connection.scalar(select(func.max(revisions.c.value))),
        connection.scalar(select(func.max(journal.c.id))),
        connection.scalar(select(func.count()).select_from(customers)),
        connection.scalar(select(func.count()).select_from(contracts)),
        day,
        connection.scalar(scored),
        now // _HOUR_MS,
    )


def _lines(connection: Connection, now: int) -> list[CustomerLine]:
    known = {row.id: CustomerLine(**row._mapping) for row in connection.execute(_registered())}
    for row in connection.execute(_in_use()):
        given = known.get(row.customer) or CustomerLine(row.customer)
        known[row.customer] = replace(
            given, robots=row.robots, sites=row.sites, tz=row.tz, industry=given.industry or row.industry
        )
    facts = _facts(connection)
    today = {tz: today_in(tz, now) for tz in {line.tz for line in known.values()}}
    return [_line(line, facts, today[line.tz]) for line in known.values()]


def _facts(connection: Connection) -> _Facts:
    points = _points(connection)
    renewals: dict[str, list[Contract]] = {}
    for customer, contract in _undecided(connection):
        renewals.setdefault(customer, []).append(contract)
    return _Facts(
        points,
        _averages(connection, points),
        renewals,
    )


def _line(line: CustomerLine, facts: _Facts, today: date) -> CustomerLine:
    day, points, before = facts.points.get(line.id, (None, None, None))
    contract = next_renewal(facts.contracts.get(line.id, ()), today)
    days = None if contract is None else contract.days_left(today)
    change = None if points is None or before is None else points - before
    return replace(
        line,
        day=day,
        points=points,
        before=before,
        average=facts.averages.get(line.tier or ""),
        contract=contract,
        days_to_renewal=days,
        urgency=urgency(points, change, days, line.robots),
    )


def _registered() -> Select[Any]:
    names = ("id", "tier", "stage", "csm", "region", "industry")
    return select(*(customers.c[name] for name in names))


def _in_use() -> Select[Any]:
    """Of every customer that robots name, how many there are, and where."""
    return (
        select(
            robots.c.customer,
            func.count().label("robots"),
            func.count(robots.c.site.distinct()).label("sites"),
            func.min(robots.c.tz).label("tz"),
            func.min(robots.c.industry).label("industry"),
        )
        .where(robots.c.customer.is_not(None), robots.c.lifecycle != RETIRED)
        .group_by(robots.c.customer)
    )


def _points(connection: Connection) -> dict[str, tuple[str, float | None, float | None]]:
    """The latest score of every customer, and the one of a week before."""
    newest = newest_day(connection, "customer")
    if newest is None:
        return {}
    days = [newest, earlier(newest, 1), earlier(newest, WEEK), earlier(newest, WEEK + 1)]
    own = [func.max(case((scores.c.day == day, scores.c.score))) for day in days]
    latest = func.max(scores.c.day)
    query = select(scores.c.entity, latest, *own).where(scores.c.kind == "customer", scores.c.day.in_(days))
    return {
        row[0]: (row[1], row[2], row[4]) if row[1] == newest else (row[1], row[3], row[5])
        for row in connection.execute(query.group_by(scores.c.entity))
    }


def _averages(
    connection: Connection, points: Mapping[str, tuple[str, float | None, float | None]]
) -> dict[str, float]:
    """Of each tier over all of its customers, whoever asks."""
    found: dict[str, list[float]] = {}
    for id_, tier in connection.execute(select(customers.c.id, customers.c.tier)):
        own = points.get(id_, (None, None, None))[1]
        if tier and own is not None:
            found.setdefault(tier, []).append(own)
    return {tier: sum(own) / len(own) for tier, own in found.items()}


def _alerted(lines: Sequence[CustomerLine]) -> Select[Any]:
    """Open alerts of these customers that nothing suppresses, and the rank of the severest."""
    here = alerts.c.customer.in_([line.id for line in lines])
    return (
        select(alerts.c.customer, func.count(), func.min(alerts.c.rank))
        .where(alerts.c.work != _CLOSED, here)
        .where(alerts.c.suppressed_reason.is_(None), alerts.c.silence.is_(None))
        .group_by(alerts.c.customer)
    )


def _contracts(connection: Connection, customer: str) -> list[Contract]:
    query = select(contracts).where(contracts.c.customer == customer)
    return [_contract(row) for row in connection.execute(query)]


def _undecided(connection: Connection) -> list[tuple[str, Contract]]:
    undecided = select(contracts).where(contracts.c.renewed.is_(None))
    return [(row.customer, _contract(row)) for row in connection.execute(undecided)]


def _contract(row: Row[Any]) -> Contract:
    return Contract(
        id=row.id,
        begins_on=date.fromisoformat(row.begins_on),
        ends_on=date.fromisoformat(row.ends_on),
        amount=row.amount,
        currency=row.currency,
        robots=row.robots,
        renewed=row.renewed,
    )


def _fits(line: CustomerLine, query: PortfolioQuery) -> bool:
    wanted = (
        (query.industry, line.industry),
        (query.region, line.region),
        (query.tier, line.tier),
        (query.csm, line.csm),
    )
    attributes = all(value is None or value == own for value, own in wanted)
    named = query.q is None or query.q.casefold() in line.id.casefold()
    hidden = query.seen_by is not None and line.csm not in (None, query.seen_by)
    return not hidden and attributes and named and (not query.below or line.is_below)


def tiers(lines: Sequence[CustomerLine]) -> dict[str, tuple[float, int, int]]:
    """Of each tier among the lines its average, how many customers have a score, and how many are below."""
    found: dict[str, tuple[float, int, int]] = {}
    for line in lines:
        if line.tier and line.points is not None and line.average is not None:
            _, count, below = found.get(line.tier, (0.0, 0, 0))
            found[line.tier] = (line.average, count + 1, below + line.is_below)
    return found
