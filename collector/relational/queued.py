"""The queue as people work on it, and what time makes of it.

Every method is one transaction, blocks while it lasts, and may be called from any thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, func, select

from collector import queue
from collector.queue import (
    Action,
    Alert,
    Assign,
    IllegalActionError,
    InvalidActionError,
    Reason,
    StaleActionError,
    Step,
    Work,
)
from collector.relational import alerts as rows
from collector.relational import listing, restanding, silences
from collector.relational.cases import calendar_of, calendars_of
from collector.relational.database import Database
from collector.relational.listing import AlertQuery, By, Counts, Group, Page
from collector.relational.schema import alerts, people

MOST_AT_ONCE: Final = 500
_DUE_AT_ONCE: Final = 1_000
_RIGHT: Final = frozenset({Reason.FIXED_REMOTELY, Reason.FIXED_ON_SITE, Reason.CUSTOMER_INFORMED})


class UnknownAlertError(LookupError):
    """There is no alert {id}."""

    def __init__(self, id_: int) -> None:
        super().__init__(f"there is no alert {id_}")


Refusal = UnknownAlertError | IllegalActionError | InvalidActionError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one alert of many: as it is now, or why it was refused."""

    id: int
    alert: Alert | None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Precision:
    """How people closed the alerts of a rule. `share`: fixed or told of those that they judged; or None."""

    rule: str
    reasons: Mapping[Reason, int]

    @property
    def right(self) -> int:
        """Alerts that were worth it: fixed, or the customer told."""
        return sum(count for reason, count in self.reasons.items() if reason in _RIGHT)

    @property
    def wrong(self) -> int:
        """False alarms."""
        return self.reasons.get(Reason.FALSE_ALARM, 0)

    @property
    def share(self) -> float | None:
        """The precision."""
        judged = self.right + self.wrong
        return self.right / judged if judged else None


class Queue:
    """The queue as it is worked on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- reading

    def counts(self, now: int, query: AlertQuery | None = None) -> Counts:
        """The open alerts by work and severity, through the query's other filters."""
        with self._database.reading() as connection:
            return listing.counts(connection, self._asked(query), now)

    def groups(
        self,
        by: By,
        now: int,
        query: AlertQuery | None = None,
        *,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Group]:
        """The query's alerts by customer or site, the most pressing group first. Raises `CursorError`."""
        with self._database.reading() as connection:
            return listing.groups(connection, by, self._asked(query), now, after, limit)

    def ids(self, query: AlertQuery, limit: int = MOST_AT_ONCE) -> list[int]:
        """The ids of the first alerts of the query."""
        with self._database.reading() as connection:
            return listing.ids(connection, self._asked(query), limit)

    def count(self, query: AlertQuery) -> int:
        """How many alerts the query finds."""
        with self._database.reading() as connection:
            return listing.count_matching(connection, self._asked(query))

    def by_ids(self, ids: Sequence[int]) -> dict[int, Alert]:
        """Those of the alerts that there are."""
        with self._database.reading() as connection:
            return rows.by_ids(connection, ids)

    def precision(self, since: int) -> list[Precision]:
        """How people closed alerts from that time on, by rule."""
        query = (
            select(alerts.c.rule, alerts.c.close_reason, func.count())
            .where(alerts.c.closed_at >= since, alerts.c.close_reason != Reason.RESOLVED.value)
            .group_by(alerts.c.rule, alerts.c.close_reason)
            .order_by(alerts.c.rule)
        )
        found: dict[str, dict[Reason, int]] = {}
        with self._database.reading() as connection:
            for rule, reason, count in connection.execute(query):
                found.setdefault(rule, {})[Reason(reason)] = count
        return [Precision(rule, reasons) for rule, reasons in found.items()]

    def _asked(self, query: AlertQuery | None) -> AlertQuery:
        """What is looked for; the queue of one person narrows it."""
        return query or AlertQuery()

    # -- working

    def act(
        self,
        id_: int,
        action: Action,
        who: str,
        now: int,
        *,
        revision: int | None = None,
        expected: Work | None = None,
    ) -> Alert:
        """A person's action, if the alert still has that revision, and that work, where they are given.

        Raises `UnknownAlertError`, and what `queue.act` raises; the refusals say who did what when.
        """
        [outcome] = self.act_many({id_: revision}, action, who, now, expected=expected)
        if outcome.refusal is not None:
            raise outcome.refusal
        assert outcome.alert is not None  # noqa: S101 - what is not refused is done
        return outcome.alert

    def act_many(
        self,
        ids: Mapping[int, int | None],
        action: Action,
        who: str,
        now: int,
        *,
        expected: Work | None = None,
    ) -> list[Outcome]:
        """The same action on many alerts, each given with the revision it must have, or None.

        One transaction; each is done or refused by itself. More than `MOST_AT_ONCE` are a `ValueError`.
        """
        if len(ids) > MOST_AT_ONCE:
            raise ValueError(f"{len(ids)} alerts; {MOST_AT_ONCE} are allowed at once")
        with self._database.writing() as connection:
            known = rows.by_ids(connection, list(ids))
            calendars = calendars_of(connection, list(known.values()))
            outcomes, steps = [], []
            for id_, revision in ids.items():
                try:
                    alert = _as_expected(known.get(id_), id_, action, revision, expected)
                    wanted = _completed(connection, alert, action)
                    step = queue.act(alert, wanted, who, now, calendars[id_])
                except (UnknownAlertError, IllegalActionError, InvalidActionError) as refusal:
                    outcomes.append(Outcome(id_, known.get(id_), _told(connection, refusal)))
                else:
                    outcomes.append(Outcome(id_, step.alert))
                    steps += [step] if step.entries else []
            _save(connection, steps, now)
            return outcomes

    # -- time

    def advance(self, now: int) -> list[int]:
        """What time brings: snoozes end, deadlines pass, idle alerts come back, silences begin and end.

        Answers the ids of the alerts that changed; cheap when there is nothing to do. After a long time
        away there may be more than one call does: the next goes on.
        """
        with self._database.reading() as connection:
            if not rows.any_due(connection, now) and not silences.turning(connection, now):
                return []
        with self._database.writing() as connection:
            changed = silences.follow(connection, now)
            due = rows.due(connection, now, _DUE_AT_ONCE)
            calendars = calendars_of(connection, due)
            steps = [queue.advance(alert, now, calendars[alert.id]) for alert in due]
            saved = _save(connection, [step for step in steps if step is not None], now)
            return [*changed, *(alert.id for alert in saved)]

    def rerank(self, now: int) -> int:
        """Once a day ranks all alerts again, since renewals come nearer; answers how many moved.

        Cheap when it was done today. In portions, each a transaction of its own.
        """
        with self._database.reading() as connection:
            if not restanding.is_due(connection, now):
                return 0
            portions = list(restanding.all_customers(connection))
        moved = sum(self.restand(portion, now) for portion in portions)
        with self._database.writing() as connection:
            restanding.done(connection, now)
        return moved

    def restand(self, customers: Sequence[str], now: int) -> int:
        """Ranks the open alerts of these customers again, as after a change of their contracts."""
        with self._database.writing() as connection:
            return restanding.restand(connection, customers, now)


def _as_expected(
    alert: Alert | None, id_: int, action: Action, revision: int | None, expected: Work | None
) -> Alert:
    if alert is None:
        raise UnknownAlertError(id_)
    if revision not in (None, alert.revision) or expected not in (None, alert.work):
        raise StaleActionError(alert, action)
    return alert


def _completed(connection: Connection, alert: Alert, action: Action) -> Action:
    """What an action needs that stands in the database."""
    if not isinstance(action, Assign):
        return action
    if action.owner is not None:
        known = select(people.c.id).where(people.c.id == action.owner, people.c.active)
        if connection.execute(known).first() is None:
            raise InvalidActionError("owner", f"there is nobody called {action.owner[:80]!r} to give it to")
    return replace(action, calendar=calendar_of(connection, alert, action.owner))


def _told(connection: Connection, refusal: Refusal) -> Refusal:
    if isinstance(refusal, IllegalActionError):
        refusal.last = rows.last_change(connection, refusal.alert.id)
    return refusal


def _save(connection: Connection, steps: Sequence[Step], now: int) -> list[Alert]:
    saved = rows.save(connection, steps)
    ended = {alert.customer for alert in saved if not alert.is_open and alert.customer is not None}
    restanding.restand(connection, ended, now, exactly=False)
    return saved
