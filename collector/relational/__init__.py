"""What people and the engine need to find again: roster, signals, alerts, audit trail, listening times.

Every method is one transaction, blocks while it lasts, and may be called from any thread.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal

from sqlalchemy import insert, select, update

from collector.queue import Alert, Entry
from collector.registry import Lifecycle, RobotRecord
from collector.relational import alerts, evaluations, listing, roster, schema, sight
from collector.relational.accounts import Accounts
from collector.relational.briefings import Briefings
from collector.relational.database import Database, UnusableDatabaseError
from collector.relational.listing import AlertQuery, CursorError, Page
from collector.relational.notifications import Notifications
from collector.relational.portfolio import Portfolio
from collector.relational.queued import Queue, UnknownAlertError
from collector.relational.registry import Registry
from collector.relational.roster import ImportResult, RobotQuery
from collector.relational.scores import Scores
from collector.relational.silencing import Silences
from collector.relational.views import Views
from rules.evaluation import Entity, Evaluation, SignalKey, Snapshot
from rules.roster import Robot, Roster
from rules.rule import RuleSet

__all__ = [
    "AlertQuery",
    "CursorError",
    "ImportResult",
    "Lifecycle",
    "Page",
    "Relational",
    "RobotQuery",
    "RobotRecord",
    "UnknownAlertError",
    "UnusableDatabaseError",
]


class Relational:
    """The relational part of the store, at `sqlite:///PATH` or `postgresql://…`.

    With `alone`, one process at a time has a PostgreSQL database so; a file is kept by its folder's lock.
    Raises `UnusableDatabaseError`.
    """

    def __init__(self, url: str, *, alone: bool = False) -> None:
        self._database = Database(url, alone=alone)
        self.notifications = Notifications(self._database)
        self.briefings = Briefings(self._database)
        self.scores = Scores(self._database)
        self.portfolio = Portfolio(self._database)
        self.accounts = Accounts(self._database)
        self.queue = Queue(self._database)
        self.registry = Registry(self._database)
        self.silences = Silences(self._database)
        self.views = Views(self._database)

    def close(self) -> None:
        """Closes the database; call it once nothing else uses it."""
        self._database.close()

    # -- roster

    def import_robots(self, robots: Sequence[RobotRecord]) -> ImportResult:
        """Adds robots and changes known ones; one that is not in the import stays as it is."""
        with self._database.writing() as connection:
            return roster.import_robots(connection, robots)

    def claim_unknown(self, ids: Collection[str]) -> list[str]:
        """Takes robots nobody registered into the roster, as unclaimed; answers which were new."""
        with self._database.writing() as connection:
            return roster.claim_unknown(connection, ids)

    def robots(self) -> list[RobotRecord]:
        """Every robot, in the order in which they came."""
        with self._database.reading() as connection:
            return roster.all_robots(connection)

    def robots_page(
        self, query: RobotQuery | None = None, *, after: str | None = None, limit: int = 100
    ) -> Page[RobotRecord]:
        """Robots by id; the cursor is the last id of the page."""
        with self._database.reading() as connection:
            found = roster.page(connection, query or RobotQuery(), after, limit + 1)
        return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    def robot(self, id_: str) -> RobotRecord | None:
        """The robot of that id."""
        with self._database.reading() as connection:
            return roster.robot(connection, id_)

    def robots_by_id(self, ids: Collection[str]) -> dict[str, RobotRecord]:
        """Those of the robots that are in the roster."""
        with self._database.reading() as connection:
            return roster.by_id(connection, list(ids))

    def robots_where(self, field: Literal["site", "customer"], values: Collection[str]) -> list[RobotRecord]:
        """The robots in use at these sites, or of these customers, in the order in which they came."""
        with self._database.reading() as connection:
            return roster.of(connection, field, list(values))

    def roster_revision(self) -> int:
        """Rises with every change of the roster; cheap to ask."""
        with self._database.reading() as connection:
            return roster.revision(connection)

    def roster(self) -> Roster:
        """The robots as the engine wants them; rows keep their place for ever.

        What a robot lacks of zone, hours and region its site has, of tier, stage and the like its customer.
        """
        with self._database.reading() as connection:
            return Roster([Robot(id_, attributes) for id_, attributes in roster.attributes(connection)])

    # -- engine

    def snapshot(self) -> Snapshot:
        """Where the engine stood after the last evaluation committed."""
        with self._database.reading() as connection:
            return evaluations.snapshot(connection)

    def commit(self, evaluation: Evaluation, rules: RuleSet) -> list[int]:
        """Signals, alerts, audit trail and watermark of an evaluation: all or nothing.

        Answers the ids of the alerts that changed. An evaluation committed before changes nothing.
        """
        return self.commit_many([evaluation], rules)

    def commit_many(self, committed: Iterable[Evaluation], rules: RuleSet) -> list[int]:
        """As `commit`, for many evaluations in order, in one transaction."""
        with self._database.writing() as connection:
            return evaluations.commit(connection, committed, rules)

    def withdraw_missing(self, rules: RuleSet, now: int) -> list[int]:
        """Closes alerts and forgets signals of rules that are no longer in use; once, at the start."""
        with self._database.writing() as connection:
            return evaluations.withdraw_missing(connection, rules, now)

    def alert_log(self) -> Iterator[str]:
        """The lines of the alert log, the oldest first; in portions, each a transaction of its own."""
        after = 0
        while True:
            with self._database.reading() as connection:
                portion = evaluations.log_lines(connection, after)
            if not portion:
                return
            yield from (line for _, line in portion)
            after = portion[-1][0]

    # -- listening

    def listening(self) -> list[tuple[int, int]]:
        """The times in which a collector was listening, in order."""
        query = select(schema.listening.c.since, schema.listening.c.until).order_by(schema.listening.c.since)
        with self._database.reading() as connection:
            return [(since, until) for since, until in connection.execute(query)]

    def start_listening(self, at: int, until: int | None = None) -> int:
        """Begins a time of listening; `until` where it is over already, as in an import. Again: the same."""
        table = schema.listening
        values = {"since": at, "until": at if until is None else until}
        begun = select(table.c.id).where(*(table.c[name] == value for name, value in values.items()))
        with self._database.writing() as connection:
            known = connection.scalars(begun).first()
            added = insert(table).values(values).returning(table.c.id)
            return int(connection.scalars(added).one() if known is None else known)

    def heard_until(self, id_: int, at: int) -> None:
        """The collector was still listening at `at`."""
        table = schema.listening
        later = (table.c.id == id_) & (table.c.until < at)
        with self._database.writing() as connection:
            connection.execute(update(table).where(later).values(until=at))

    # -- queue

    def alerts(
        self, query: AlertQuery | None = None, *, after: str | None = None, limit: int = 100
    ) -> Page[Alert]:
        """A page of alerts, after the cursor `after`. Raises `CursorError`."""
        with self._database.reading() as connection:
            return listing.page(connection, query or AlertQuery(), after, limit)

    def alert(self, id_: int) -> Alert | None:
        """The alert of that id."""
        with self._database.reading() as connection:
            return alerts.one(connection, id_)

    def history(self, id_: int) -> list[Entry]:
        """The audit trail of an alert, the oldest entry first."""
        with self._database.reading() as connection:
            return alerts.history(connection, id_)

    def alerts_of(self, id_: str, *, kind: str = "robot", limit: int = 100) -> list[Alert]:
        """The alerts of a robot (site, customer, …), open and closed, the newest first."""
        query = AlertQuery(state="all", entity=Entity(kind, id_))
        with self._database.reading() as connection:
            return list(listing.page(connection, query, None, limit).items)

    def open_alert(self, key: SignalKey) -> Alert | None:
        """The open alert of that rule and entity."""
        query = AlertQuery(rule=key[0], entity=Entity(key[1], key[2]))
        with self._database.reading() as connection:
            return next(iter(listing.page(connection, query, None, 1).items), None)

    def count_suppressed(self) -> int:
        """Open alerts that are suppressed."""
        with self._database.reading() as connection:
            return listing.count_matching(connection, AlertQuery(suppressed=True))

    def count_hidden(self, by: SignalKey) -> int:
        """Open alerts that are suppressed by this other one."""
        with self._database.reading() as connection:
            return listing.count_matching(connection, AlertQuery(hidden_by=by))

    def open_by_severity(self, csm: str | None = None) -> dict[str, int]:
        """Open alerts by severity; with `csm`, those that this person sees."""
        with self._database.reading() as connection:
            return listing.count_open(connection, "severity", csm)

    def sees(self, csm: str, customer: str | None) -> bool:
        """Whether a person that sees its own only may see what is of this customer."""
        with self._database.reading() as connection:
            return sight.sees(connection, csm, customer)

    def open_by_robot(self) -> dict[str, int]:
        """Open alerts by robot; robots without one are not in it."""
        with self._database.reading() as connection:
            return listing.count_open(connection, "entity")

    def alerted_subsystems(self) -> set[tuple[str, str]]:
        """Every (robot, subsystem) with an open alert."""
        with self._database.reading() as connection:
            return listing.open_subsystems(connection)
