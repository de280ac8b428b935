"""Customers, contracts, sites and robots: found, changed by people or by files, with a journal of it all.

Every method is one transaction, blocks while it lasts, and may be called from any thread.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    Select,
    delete,
    func,
    select,
    tuple_,
    update,
)

from collector.registry import (
    Contract,
    Customer,
    Entry,
    Kind,
    Plan,
    Reading,
    Record,
    RegistryError,
    RobotRecord,
    Site,
    plan,
)
from collector.registry.differences import Difference, compared, removal
from collector.registry.problems import Problem, shown
from collector.registry.records import Value, kind_of, values
from collector.relational import journal, moving, records, roster, sight
from collector.relational.database import Database, portions
from collector.relational.doubts import Doubt, doubts
from collector.relational.journal import Change
from collector.relational.listing import CursorError, Page
from collector.relational.records import ContractQuery, CustomerQuery, SiteQuery
from collector.relational.roster import RobotQuery
from collector.relational.schema import contracts, customers, sites

__all__ = [
    "ContractQuery",
    "CustomerQuery",
    "Doubt",
    "Outcome",
    "Registry",
    "SiteQuery",
    "StaleError",
    "UnknownSubjectError",
]


class UnknownSubjectError(LookupError):
    """There is no {kind} {id}."""

    def __init__(self, kind: Kind, id_: str) -> None:
        self.kind, self.id = kind, id_
        super().__init__(f"there is no {kind.value} {id_!r}")


class StaleError(Exception):
    """Somebody was quicker: the record is no longer the one that was read.

    `change` is who did what last, where it is known; `current` the record as it is now, None if it is gone.
    """

    def __init__(self, kind: Kind, id_: str, change: Change | None, current: Record | None) -> None:
        self.kind, self.id, self.change, self.current = kind, id_, change, current
        done = "changed" if change is None else change.what
        fields = f": {', '.join(change.fields)}" if change and change.what == "changed" else ""
        by = "" if change is None else f" by {change.who}"
        super().__init__(f"{kind.value} {id_!r} was {done}{by} meanwhile{fields}; read it again")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import did, or would do; `done` only if all of it was."""

    plan: Plan
    doubts: tuple[Doubt, ...]
    done: bool


class Registry:
    """What is registered, in this database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- reading

    def customers(
        self, query: CustomerQuery | None = None, *, after: str | None = None, limit: int = 100
    ) -> Page[Customer]:
        """Customers by id; the cursor is the last id of the page."""
        statement = records.customers_where(query or CustomerQuery())
        return self._page(Kind.CUSTOMER, statement, after, limit)

    def contracts(
        self, query: ContractQuery | None = None, *, after: str | None = None, limit: int = 100
    ) -> Page[Contract]:
        """Contracts by their end. Raises `CursorError`."""
        table, statement = contracts, records.contracts_where(query or ContractQuery())
        if after is not None:
            day, id_ = records.read_cursor(after)
            statement = statement.where(tuple_(table.c.ends_on, table.c.id) > tuple_(day, id_))
        with self._database.reading() as connection:
            rows = connection.execute(statement.limit(limit + 1)).mappings().all()
        found = tuple(Contract(**row) for row in rows[:limit])
        return Page(found, f"{found[-1].ends_on}{found[-1].id}" if len(rows) > limit else None)

    def sites(
        self, query: SiteQuery | None = None, *, after: str | None = None, limit: int = 100
    ) -> Page[Site]:
        """Sites by id; the cursor is the last id of the page."""
        return self._page(Kind.SITE, records.sites_where(query or SiteQuery()), after, limit)

    def robots(
        self, query: RobotQuery | None = None, *, after: str | None = None, limit: int = 100
    ) -> Page[RobotRecord]:
        """Robots by id; the cursor is the last id of the page."""
        with self._database.reading() as connection:
            found = roster.page(connection, query or RobotQuery(), after, limit + 1)
        return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    def customer(self, id_: str) -> Customer | None:
        """The customer of that id."""
        found = self.one(Kind.CUSTOMER, id_)
        return found if isinstance(found, Customer) else None

    def contract(self, id_: str) -> Contract | None:
        """The contract of that id."""
        found = self.one(Kind.CONTRACT, id_)
        return found if isinstance(found, Contract) else None

    def site(self, id_: str) -> Site | None:
        """The site of that id."""
        found = self.one(Kind.SITE, id_)
        return found if isinstance(found, Site) else None

    def one(self, kind: Kind, id_: str, *, scope: str | None = None) -> Record | None:
        """The record of that kind and id; with `scope`, if that person sees its customer."""
        with self._database.reading() as connection:
            return records.seen(connection, kind, id_, scope)

    def by_id(self, kind: Kind, ids: Collection[str]) -> dict[str, Any]:
        """Those of the records that are registered."""
        with self._database.reading() as connection:
            return records.known(connection, kind, list(ids))

    def contracts_of(self, ids: Collection[str]) -> dict[str, list[Contract]]:
        """The contracts of these customers, the one that ends first at the beginning."""
        found: dict[str, list[Contract]] = {id_: [] for id_ in ids}
        with self._database.reading() as connection:
            for portion in portions(list(found)):
                query = select(contracts).where(contracts.c.customer.in_(portion))
                for row in connection.execute(query.order_by(contracts.c.ends_on, contracts.c.id)).mappings():
                    found[row["customer"]].append(Contract(**row))
        return found

    def robots_of(self, field: Literal["site", "customer"], id_: str) -> list[RobotRecord]:
        """The robots in use at a site, or of a customer, in the order in which they came."""
        with self._database.reading() as connection:
            return roster.of(connection, field, [id_])

    def contents(self, scope: str | None = None) -> dict[Kind, list[Record]]:
        """Everything that is registered, by id; with `scope`, what that person sees."""
        with self._database.reading() as connection:
            found = {kind: records.every(connection, kind) for kind in Kind}
            others = _others(connection, scope)
            return {kind: _own(connection, others, found[kind]) for kind in Kind} if others else found

    def counts(self, scope: str | None = None) -> dict[Kind, int]:
        """How many there are of each; with `scope`, that this person sees."""
        found: dict[Kind, int] = {}
        with self._database.reading() as connection:
            for kind, table in records.TABLES.items():
                query = select(func.count()).select_from(table)
                counted = records.within(query, scope, records.client_of(kind))
                found[kind] = int(connection.scalars(counted).one())
        return found

    def zones_of(self, ids: Collection[str]) -> dict[str, str]:
        """The customers' time zones: of its first site that has one, by name."""
        found: dict[str, str] = {}
        with self._database.reading() as connection:
            for portion in portions(sorted(set(ids))):
                query = select(sites.c.customer, sites.c.tz).where(sites.c.customer.in_(portion))
                for customer, tz in connection.execute(
                    query.where(sites.c.tz.is_not(None)).order_by(sites.c.id)
                ):
                    found.setdefault(customer, tz)
        return found

    def choices(self, kind: Kind, field: str, limit: int = 1_000, *, scope: str | None = None) -> list[str]:
        """The values of a field that there are, in order; at most `limit`."""
        column = records.TABLES[kind].c[field]
        query = select(column).where(column.is_not(None)).distinct().order_by(column).limit(limit)
        with self._database.reading() as connection:
            return list(connection.scalars(records.within(query, scope, records.client_of(kind))))

    def history(
        self,
        kind: Kind | None = None,
        subject: str | None = None,
        *,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Change]:
        """What was changed, the newest first; of one subject, or of all. Raises `CursorError`."""
        if after is not None and not (after.isascii() and after.isdecimal() and len(after) <= 15):
            raise CursorError(f"{after[:60]!r} is no cursor of this history")
        with self._database.reading() as connection:
            kinds = [each.value for each in ([kind] if kind else Kind)]
            found = journal.page(connection, kinds, subject, int(after) if after else None, limit + 1)
        return Page(tuple(found[:limit]), str(found[limit - 1].id) if len(found) > limit else None)

    # -- changing

    def import_(
        self,
        reading: Reading,
        who: str,
        now: int,
        *,
        dry_run: bool = False,
        skip_bad: bool = False,
        expected: str | None = None,
        scope: str | None = None,
    ) -> Outcome:
        """Does what the entries say: all of it or, with a problem or as a dry run, nothing.

        With `skip_bad`, bad rows are left out. With `expected`, the digest of a plan that somebody has seen,
        only that very plan is done. With `scope`, what belongs to another person's customers is a problem.
        """
        if dry_run:
            with self._database.reading() as connection:
                planned = _plan(connection, reading, scope)
                return Outcome(planned, doubts(connection, planned.differences), done=False)
        with self._database.writing() as connection:
            planned = _plan(connection, reading, scope)
            doubtful = doubts(connection, planned.differences)
            is_bad = any(problem.fatal or not skip_bad for problem in planned.problems)
            if is_bad or expected not in (None, planned.digest):
                return Outcome(planned, doubtful, done=False)
            _save(connection, planned.differences, who, now)
            return Outcome(planned, doubtful, done=True)

    def edit(
        self,
        kind: Kind,
        id_: str,
        given: Mapping[str, Value],
        who: str,
        now: int,
        *,
        revision: int | None = None,
        whole: bool = False,
        scope: str | None = None,
    ) -> Record:
        """Changes the given fields, or adds the record; with `whole`, all others are cleared.

        `revision` is that of the record as it was read, 0 where there was none; None takes it as it is now.
        Raises `StaleError`, and `RegistryError` where the fields do not agree, or where it belongs to a
        customer that the person `scope` does not see.
        """
        with self._database.writing() as connection:
            before = records.known(connection, kind, [id_]).get(id_)
            others = _others(connection, scope)
            _refuse_foreign(connection, others, id_, before)
            _check_revision(connection, kind, id_, before, revision)
            kept = dict.fromkeys(values(before)) if before is not None and whole else {}
            difference = compared(Entry(kind, id_, {**kept, **given}), before)
            if difference is None:
                assert before is not None  # noqa: S101 - what was not there is new
                return before  # type: ignore[no-any-return]
            _refuse_foreign(connection, others, id_, difference.record)
            _save(connection, [difference], who, now)
            saved: Record = records.known(connection, kind, [id_])[id_]
            return saved

    def remove(
        self,
        kind: Kind,
        id_: str,
        who: str,
        now: int,
        *,
        revision: int | None = None,
        scope: str | None = None,
    ) -> None:
        """Takes out a customer, contract or site; robots are retired instead, for their past is kept.

        Raises `UnknownSubjectError` and `StaleError`.
        """
        if kind is Kind.ROBOT:
            raise ValueError("robots are never removed; set their lifecycle to retired")
        with self._database.writing() as connection:
            before = records.seen(connection, kind, id_, scope)
            if before is None:
                raise UnknownSubjectError(kind, id_)
            _check_revision(connection, kind, id_, before, revision)
            connection.execute(delete(records.TABLES[kind]).where(records.TABLES[kind].c.id == id_))
            removed = [removal(before)]
            journal.record(connection, removed, who, now)
            moving.follow(connection, removed, who, now)
            roster.revise(connection)

    def set_pulse(self, customer: str, pulse: int, note: str | None, who: str, now: int) -> None:
        """What its CSM thinks of a customer, from 1 (lost) to 5 (delighted); registers it, if need be.

        It is no revision: who edits the record meanwhile is not late by it.
        """
        if not 1 <= pulse <= 5:
            raise ValueError(f"a pulse is a whole number from 1 to 5, not {pulse}")
        with self._database.writing() as connection:
            known = records.known(connection, Kind.CUSTOMER, [customer]).get(customer)
            if known is None:
                records.add(connection, Kind.CUSTOMER, [Customer(customer)])
            mine = update(customers).where(customers.c.id == customer)
            connection.execute(mine.values(pulse=pulse, pulse_at=now))
            before = None if known is None else known.pulse
            journal.record_pulse(connection, customer, (before, pulse), note, who, now)

    def _page(self, kind: Kind, statement: Select[Any], after: str | None, limit: int) -> Page[Any]:
        table = records.TABLES[kind]
        if after is not None:
            statement = statement.where(table.c.id > after)
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(table.c.id).limit(limit + 1)).mappings().all()
        found = tuple(records.made(kind, row) for row in rows[:limit])
        return Page(found, found[-1].id if len(rows) > limit else None)


# --- changing ---------------------------------------------------------------------------------------------


def _plan(connection: Connection, reading: Reading, scope: str | None) -> Plan:
    known: dict[tuple[Kind, str], Record] = {}
    for kind in Kind:
        ids = [entry.id for entry in reading.entries if entry.kind is kind]
        known |= {(kind, id_): record for id_, record in records.known(connection, kind, ids).items()}
    others = _others(connection, scope)
    if not others:
        return plan(reading, known)
    theirs = known.keys() - {(kind_of(each), each.id) for each in _own(connection, others, known.values())}
    planned = plan(_without(reading, theirs), known)
    own = {id(each) for each in _own(connection, others, [each.record for each in planned.differences])}
    foreign = [each for each in planned.differences if id(each.record) not in own]
    return planned.without(foreign, "foreign")


def _without(reading: Reading, theirs: Collection[tuple[Kind, str]]) -> Reading:
    """What is read, with problems for others' records: whatever the entries say, nothing is told of these."""
    kept = tuple(each for each in reading.entries if (each.kind, each.id) not in theirs)
    foreign = (each for each in reading.entries if (each.kind, each.id) in theirs)
    problems = [Problem(each.source, each.line, _foreign(each.id)) for each in foreign]
    return replace(reading, entries=kept, problems=(*reading.problems, *problems))


def _others(connection: Connection, scope: str | None) -> set[str]:
    """The customers that somebody else than this person looks after; of None, there are none."""
    if scope is None:
        return set()
    query = select(customers.c.id).where(customers.c.csm.is_not(None), customers.c.csm != scope)
    return set(connection.scalars(query))


def _own(connection: Connection, others: Collection[str], found: Collection[Record]) -> list[Record]:
    """The records that belong to none of these customers."""
    clients = sight.clients(connection, found)
    return [each for each, whose in zip(found, clients, strict=True) if whose not in others]


def _refuse_foreign(connection: Connection, others: Collection[str], id_: str, record: Record | None) -> None:
    """Raises `RegistryError` for a record that belongs to one of these customers."""
    if others and record is not None and not _own(connection, others, [record]):
        raise _foreign(id_)


def _foreign(id_: str) -> RegistryError:
    return RegistryError("foreign", "customer", value=shown(id_))


def _save(connection: Connection, differences: Sequence[Difference], who: str, now: int) -> None:
    for kind in Kind:
        ours = [each for each in differences if each.kind is kind]
        records.add(connection, kind, [each.record for each in ours if each.what == "added"])
        records.change(connection, kind, [each.record for each in ours if each.what == "changed"])
    journal.record(connection, differences, who, now)
    moving.follow(connection, differences, who, now)
    if any(each.kind is not Kind.CONTRACT for each in differences):
        roster.revise(connection)


def _check_revision(
    connection: Connection, kind: Kind, id_: str, before: Record | None, revision: int | None
) -> None:
    current = 0 if before is None else before.revision
    if revision is None or revision == current:
        return
    raise StaleError(kind, id_, journal.last_revision(connection, kind, id_), before)
