"""What evaluations of rules leave behind: signals, alerts, their audit trail, and how far they are."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, bindparam, delete, insert, select

from collector import queue
from collector.queue import Alert, Entry, Step
from collector.relational import alerts as rows
from collector.relational.cases import of_keys
from collector.relational.opening import Cases
from collector.relational.restanding import restand
from collector.relational.schema import alert_log, signals, suppressed, turns, watermarks
from rules import alert_log as log
from rules.evaluation import (
    By,
    Entity,
    Evaluation,
    Event,
    Reading,
    Signal,
    SignalKey,
    Snapshot,
    Suppression,
)
from rules.flapping import Turns, begins, ends, turned
from rules.lifecycle import State
from rules.rule import RuleSet
from rules.storm import NAME as STORM
from rules.storm import rule_named

_Rows = list[dict[str, Any]]
_PORTION: Final = 10_000


def snapshot(connection: Connection) -> Snapshot:
    """Where the engine stood after the last evaluation committed."""
    known = {
        (row.rule, row.kind, row.entity): Signal(State(row.state), row.since)
        for row in connection.execute(select(signals))
    }
    return Snapshot(_watermarks(connection), known, _turns(connection), _suppressed(connection))


def log_lines(connection: Connection, after: int) -> Sequence[tuple[int, str]]:
    """The lines of the alert log after the one of that number, with their numbers; a portion of them."""
    query = select(alert_log.c.id, alert_log.c.line).where(alert_log.c.id > after)
    return [(row.id, row.line) for row in connection.execute(query.order_by(alert_log.c.id).limit(_PORTION))]


def commit(connection: Connection, evaluations: Iterable[Evaluation], rules: RuleSet) -> list[int]:
    """Takes evaluations in, in order, and answers the ids of the alerts that changed."""
    marks = _watermarks(connection)
    listed = _untaken(evaluations, marks)
    ledger = _Ledger(connection, rules, marks, listed)
    for evaluation in listed:
        ledger.take(evaluation)
    changed = ledger.write()
    restand(connection, ledger.customers, max(marks.values(), default=0), exactly=False)
    return changed


def _untaken(evaluations: Iterable[Evaluation], marks: dict[str, int]) -> list[Evaluation]:
    """Those that were not taken before; their marks are set."""
    found = []
    for evaluation in evaluations:
        if evaluation.at > marks.get(evaluation.group, -1):
            marks[evaluation.group] = evaluation.at
            found.append(evaluation)
    return found


def withdraw_missing(connection: Connection, rules: RuleSet, now: int) -> list[int]:
    """Closes alerts and forgets signals of rules that are no longer in use."""
    unknown = {name for name in rows.open_rules(connection) if rule_named(rules, name) is None}
    gone = rows.open_of_rules(connection, unknown)
    rows.save(connection, [queue.withdraw(alert, now) for alert in gone])
    for table in (signals, turns, suppressed):
        connection.execute(delete(table).where(table.c.rule.not_in([*rules.by_name, STORM])))
    return [alert.id for alert in gone]


@dataclass(eq=False, slots=True)
class _Draft:
    """An alert as it will be written, with the entries to add; its id is 0 until it has a row."""

    alert: Alert
    entries: list[Entry] = field(default_factory=list)
    opened: bool = False


class _Ledger:
    """The changes of one transaction. What many evaluations change again and again is written once.

    Of the open alerts, which may be very many, only those are read that the evaluations touch.
    """

    def __init__(
        self, connection: Connection, rules: RuleSet, marks: dict[str, int], evaluations: list[Evaluation]
    ) -> None:
        self._connection = connection
        self._rules = rules
        self._marks = {evaluation.group: marks[evaluation.group] for evaluation in evaluations}
        touched = {_key(event) for each in evaluations for event in each.events}
        touched |= {_key(change) for each in evaluations for change in each.suppressions}
        read = {_key(reading) for each in evaluations for reading in each.readings} - touched
        begun = [event for each in evaluations for event in each.events if begins(event)]
        known = rows.open_by_key(connection, touched)
        self._open = {key: _Draft(alert) for key, alert in known.items()}
        self._measured = rows.measured_by_key(connection, read)
        self._turns = _turns(connection, {_key(event) for each in evaluations for event in each.events})
        self._suppressed = _suppressed(connection, [_key(event) for event in begun])
        self._cases = Cases(connection, begun)
        self._signals: dict[SignalKey, Signal] = {}
        self._changed: dict[_Draft, None] = {}
        self._values: dict[SignalKey, float] = {}
        self._turned: dict[SignalKey, Turns] = {}
        self._judged: dict[SignalKey, By | None] = {}
        self._revalued: dict[int, float] = {}
        self._log: list[str] = []

    @property
    def customers(self) -> set[str]:
        """Those of whom an alert opened or closed."""
        moved = (draft.alert for draft in self._changed if draft.opened or not draft.alert.is_open)
        return {alert.customer for alert in moved if alert.customer is not None}

    def take(self, evaluation: Evaluation) -> None:
        """One evaluation."""
        for event in evaluation.events:
            self._take_event(event)
        for suppression in evaluation.suppressions:
            self._take_suppression(suppression)
        self._log += log.lines(evaluation)
        for reading in evaluation.readings:
            self._take_reading(reading)

    def write(self) -> list[int]:
        """Writes all of it; answers the ids of the alerts that changed."""
        for key in [key for key in self._values if key in self._open]:
            self._measure(key)
        self._write_alerts()
        self._write_values()
        self._write_signals()
        if self._log:
            self._connection.execute(insert(alert_log), [{"line": line} for line in self._log])
        marks = [{"group": group, "evaluated_until": at} for group, at in self._marks.items()]
        _replace(self._connection, watermarks, [{"group": mark["group"]} for mark in marks], marks)
        return [draft.alert.id for draft in self._changed] + list(self._revalued)

    def _write_values(self) -> None:
        """Of alerts of which nothing but the value is new."""
        known = ((self._measured[key], value) for key, value in self._values.items() if key in self._measured)
        self._revalued = {found.id: value for found, value in known if value != found.value}
        rows.revalue(self._connection, self._revalued)

    def _write_signals(self) -> None:
        _replace(self._connection, signals, [_signal_key(key) for key in self._signals], self._signal_rows())
        kept = [{**_signal_key(key), "turns": list(each)} for key, each in self._turned.items() if each]
        _replace(self._connection, turns, [_signal_key(key) for key in self._turned], kept)
        judged = [_suppressed_row(key, by) for key, by in self._judged.items() if by is not None]
        _replace(self._connection, suppressed, [_signal_key(key) for key in self._judged], judged)

    def _write_alerts(self) -> None:
        """Known ones first: one may have closed, and the next of its rule and entity opened."""
        new = [draft for draft in self._changed if not draft.alert.id]
        rows.rewrite(self._connection, [draft.alert for draft in self._changed if draft.alert.id])
        for draft, id_ in zip(new, rows.add(self._connection, [draft.alert for draft in new]), strict=True):
            draft.alert = replace(draft.alert, id=id_)
        entries = ((draft.alert.id, entry) for draft in self._changed for entry in draft.entries)
        rows.report(self._connection, entries)

    def _take_event(self, event: Event) -> None:
        key = _key(event)
        self._signals[key] = Signal(event.after, event.since)
        self._measure(key)
        self._turn(key, event)
        draft = self._open.get(key)
        if draft is not None:
            self._keep(draft, queue.follow(draft.alert, event.after, event.at))
        elif queue.begins(event):
            self._open_alert(key, event)

    def _open_alert(self, key: SignalKey, event: Event) -> None:
        """What flaps may be suppressed before it fires."""
        rule = rule_named(self._rules, event.rule)
        if rule is None:
            raise KeyError(f"an event of rule {event.rule}, which is not in use")
        step = queue.opened(event, rule, self._cases.case(event))
        draft = self._open[key] = _Draft(step.alert, list(step.entries), opened=True)
        self._changed[draft] = None
        by = self._judged.get(key) if key in self._judged else self._suppressed.get(key)
        self._keep(draft, queue.suppress(draft.alert, by, event.at))
        self._keep(draft, queue.silence(draft.alert, self._cases.silenced(draft.alert), event.at))

    def _turn(self, key: SignalKey, event: Event) -> None:
        if event.rule != STORM and (begins(event) or ends(event)):
            before = self._turned[key] if key in self._turned else self._turns.get(key, ())
            self._turned[key] = turned(self._rules.by_name.get(event.rule), before, event)

    def _take_suppression(self, suppression: Suppression) -> None:
        key = _key(suppression)
        self._judged[key] = suppression.by
        draft = self._open.get(key)
        if draft is not None:
            self._measure(key)
            self._keep(draft, queue.suppress(draft.alert, suppression.by, suppression.at))

    def _take_reading(self, reading: Reading) -> None:
        """Without data the last value known stays: silence is not zero."""
        key = _key(reading)
        draft, known = self._open.get(key), self._measured.get(key)
        if draft is None and known is None:
            return
        measure = known.measure if known is not None else draft.alert.measure if draft is not None else ""
        value = queue.value_in(reading, measure)
        if value is not None:
            self._values[key] = value

    def _measure(self, key: SignalKey) -> None:
        """Only the latest value matters, at the end or when the alert itself changes."""
        value = self._values.pop(key, None)
        if value is not None:
            draft = self._open[key]
            self._keep(draft, Step(queue.measured(draft.alert, value), ()))

    def _keep(self, draft: _Draft, step: Step) -> None:
        if step.alert is draft.alert:
            return
        draft.alert = step.alert
        draft.entries += step.entries
        self._changed[draft] = None
        if not draft.alert.is_open:
            del self._open[draft.alert.key]

    def _signal_rows(self) -> _Rows:
        """Signals at rest need no row."""
        return [
            {**_signal_key(key), "state": signal.state.value, "since": signal.since}
            for key, signal in self._signals.items()
            if signal.state is not State.INACTIVE and not _over(key, signal)
        ]


def _key(of: Event | Suppression | Reading) -> SignalKey:
    return of.rule, of.entity.kind, of.entity.id


def _signal_key(key: SignalKey) -> dict[str, Any]:
    rule, kind, entity = key
    return {"rule": rule, "kind": kind, "entity": entity}


def _over(key: SignalKey, signal: Signal) -> bool:
    """A storm that is over is nothing any more."""
    return key[0] == STORM and signal.state is State.RESOLVED


def _suppressed_row(key: SignalKey, by: By) -> dict[str, Any]:
    told = {"reason": by.reason, "by_rule": by.rule, "by_kind": by.entity.kind, "by_entity": by.entity.id}
    return {**_signal_key(key), **told}


def _turns(connection: Connection, keys: Collection[SignalKey] | None = None) -> dict[SignalKey, Turns]:
    """Of these signals, or (None) of all."""
    return {(row.rule, row.kind, row.entity): tuple(row.turns) for row in _known(connection, turns, keys)}


def _suppressed(connection: Connection, keys: Collection[SignalKey] | None = None) -> dict[SignalKey, By]:
    return {
        (row.rule, row.kind, row.entity): By(row.reason, row.by_rule, Entity(row.by_kind, row.by_entity))
        for row in _known(connection, suppressed, keys)
    }


def _known(connection: Connection, table: Table, keys: Collection[SignalKey] | None) -> Iterator[Row[Any]]:
    if keys is None:
        yield from connection.execute(select(table))
        return
    yield from of_keys(connection, select(table), table, keys)


def _watermarks(connection: Connection) -> dict[str, int]:
    return {row.group: row.evaluated_until for row in connection.execute(select(watermarks))}


def _replace(
    connection: Connection, table: Table, old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    """Deletes rows by their keys, and writes new ones: an upsert that every database knows."""
    if old:
        keys = [column == bindparam(f"old_{column.name}") for column in table.primary_key]
        old_keys = [{f"old_{name}": part for name, part in key.items()} for key in old]
        connection.execute(delete(table).where(*keys), old_keys)
    if new:
        connection.execute(insert(table), new)
