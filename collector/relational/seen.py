"""The relational part as somebody sees it that sees its own customers only.

What is of customers of others is as if it were not there. What is nobody's, everybody sees.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from collector.queue import Action, Alert, Entry, Work
from collector.registry import RobotRecord
from collector.relational import Relational, sight
from collector.relational.listing import AlertQuery, Page
from collector.relational.queued import Outcome, Queue, UnknownAlertError
from collector.relational.roster import RobotQuery
from collector.relational.silencing import Silences
from rules.evaluation import Entity, SignalKey


class SeenQueue(Queue):
    """The queue of a person's own customers."""

    def __init__(self, whole: Queue, csm: str) -> None:
        super().__init__(whole._database)
        self._csm = csm

    def _asked(self, query: AlertQuery | None) -> AlertQuery:
        return _own(query, self._csm)

    def by_ids(self, ids: Sequence[int]) -> dict[int, Alert]:
        """Those that are the person's to see."""
        found = super().by_ids(ids)
        with self._database.reading() as connection:
            others = sight.of_others(connection, self._csm, {alert.customer for alert in found.values()})
        return {
            id_: alert
            for id_, alert in found.items()
            if alert.owner == self._csm or alert.customer not in others
        }

    def act_many(
        self,
        ids: Mapping[int, int | None],
        action: Action,
        who: str,
        now: int,
        *,
        expected: Work | None = None,
    ) -> list[Outcome]:
        """As on the whole queue; what is not seen is unknown."""
        seen = self.by_ids(list(ids))
        allowed = {id_: revision for id_, revision in ids.items() if id_ in seen}
        done = super().act_many(allowed, action, who, now, expected=expected)
        outcomes = {outcome.id: outcome for outcome in done}
        return [outcomes.get(id_) or Outcome(id_, None, UnknownAlertError(id_)) for id_ in ids]


class SeenRelational(Relational):
    """The same database, seen by one person."""

    def __init__(self, whole: Relational, csm: str) -> None:
        self.__dict__.update(whole.__dict__)
        self._csm = csm
        self.queue = SeenQueue(whole.queue, csm)
        self.silences = Silences(whole._database, csm)

    # -- alerts

    def alerts(
        self, query: AlertQuery | None = None, *, after: str | None = None, limit: int = 100
    ) -> Page[Alert]:
        """As of all alerts."""
        return super().alerts(_own(query, self._csm), after=after, limit=limit)

    def alert(self, id_: int) -> Alert | None:
        """The alert, if it is the person's to see."""
        return self.queue.by_ids([id_]).get(id_)

    def history(self, id_: int) -> list[Entry]:
        """Empty of an alert that is not seen."""
        return super().history(id_) if self.alert(id_) is not None else []

    def alerts_of(self, id_: str, *, kind: str = "robot", limit: int = 100) -> list[Alert]:
        """As of all alerts."""
        return list(self.alerts(AlertQuery(state="all", entity=Entity(kind, id_)), limit=limit).items)

    def open_alert(self, key: SignalKey) -> Alert | None:
        """As of all alerts."""
        query = AlertQuery(rule=key[0], entity=Entity(key[1], key[2]))
        return next(iter(self.alerts(query, limit=1).items), None)

    def count_suppressed(self) -> int:
        """As of all alerts."""
        return self.queue.count(AlertQuery(suppressed=True))

    def count_hidden(self, by: SignalKey) -> int:
        """As of all alerts."""
        return self.queue.count(AlertQuery(hidden_by=by))

    def open_by_severity(self, csm: str | None = None) -> dict[str, int]:
        """As of all alerts."""
        return super().open_by_severity(csm or self._csm)

    # -- robots

    def robots(self) -> list[RobotRecord]:
        """Those that are the person's to see."""
        return self._seen(super().robots())

    def robots_page(
        self, query: RobotQuery | None = None, *, after: str | None = None, limit: int = 100
    ) -> Page[RobotRecord]:
        """As of all robots."""
        own = replace(query or RobotQuery(), csm=self._csm)
        return super().robots_page(own, after=after, limit=limit)

    def robot(self, id_: str) -> RobotRecord | None:
        """The robot, if it is the person's to see."""
        found = super().robot(id_)
        return next(iter(self._seen([found])), None) if found is not None else None

    def robots_where(self, field: Literal["site", "customer"], values: Collection[str]) -> list[RobotRecord]:
        """Those that are the person's to see."""
        return self._seen(super().robots_where(field, values))

    def _seen(self, robots: list[RobotRecord]) -> list[RobotRecord]:
        with self._database.reading() as connection:
            clients = sight.clients(connection, robots)
            others = sight.of_others(connection, self._csm, set(clients))
        return [robot for robot, whose in zip(robots, clients, strict=True) if whose not in others]


def _own(query: AlertQuery | None, csm: str) -> AlertQuery:
    return replace(query or AlertQuery(), csm=csm)
