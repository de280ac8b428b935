"""Alerts and their audit trail, as rows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Row,
    RowMapping,
    bindparam,
    func,
    insert,
    select,
    update,
)

from collector.queue import (
    RANK,
    SILENCE,
    SYSTEM,
    Alert,
    Entry,
    Kind,
    Reason,
    Severity,
    Signal,
    Step,
    Work,
)
from collector.ranking import Point
from collector.relational.cases import IS_OPEN, of_keys
from collector.relational.database import portions
from collector.relational.schema import alerts, audit, happenings
from rules.evaluation import By, Entity, Evidence, SignalKey

_FIXED: Final = (
    "rule",
    "subsystem",
    "opened_at",
    "since",
    "opened_value",
    "threshold",
    "customer",
    "site",
    "relapse_of",
    "relapses",
)
_MOVING: Final = (
    "value",
    "signal_at",
    "acknowledged_at",
    "acknowledged_by",
    "snoozed_at",
    "snoozed_until",
    "snooze_reason",
    "closed_at",
    "closed_by",
    "close_note",
    "owner",
    "ack_due_at",
    "resolve_due_at",
    "ack_missed_at",
    "escalates_at",
    "returns_at",
    "escalated",
    "moved_at",
    "priority",
    "revision",
)
_EVIDENCE: Final = tuple(field.name for field in fields(Evidence))
_HAPPENINGS: Final = frozenset(
    {
        Kind.OPENED,
        Kind.ASSIGNED,
        Kind.ESCALATED,
        Kind.RETURNED,
        Kind.RELAPSED,
        Kind.WOKE,
        Kind.CLOSED,
    }
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Of an open alert only what a new value of it asks for."""

    id: int
    value: float | None
    measure: str


def one(connection: Connection, id_: int) -> Alert | None:
    """The alert of that id."""
    row = connection.execute(select(alerts).where(alerts.c.id == id_)).one_or_none()
    return None if row is None else read(row)


def by_ids(connection: Connection, ids: Collection[int]) -> dict[int, Alert]:
    """Those of the alerts that there are."""
    queries = (select(alerts).where(alerts.c.id.in_(portion)) for portion in portions(ids))
    return {row.id: read(row) for query in queries for row in connection.execute(query)}


def open_of_rules(connection: Connection, gone: Collection[str]) -> list[Alert]:
    """The open alerts of these rules, in the order in which they opened."""
    query = select(alerts).where(IS_OPEN, alerts.c.rule.in_(list(gone))).order_by(alerts.c.id)
    return [read(row) for row in connection.execute(query)]


def open_rules(connection: Connection) -> set[str]:
    """The rules that have an open alert."""
    return set(connection.scalars(select(alerts.c.rule).where(IS_OPEN).distinct()))


def open_by_key(connection: Connection, keys: Collection[SignalKey]) -> dict[SignalKey, Alert]:
    """The open alerts of these rules and entities."""
    found = (read(row) for row in of_keys(connection, select(alerts).where(IS_OPEN), alerts, keys))
    return {alert.key: alert for alert in found}


def measured_by_key(connection: Connection, keys: Collection[SignalKey]) -> dict[SignalKey, Measured]:
    """The latest values of the open alerts of these rules and entities."""
    measure = alerts.c.evidence[0]["measure"].as_string()
    columns = (alerts.c.rule, alerts.c.kind, alerts.c.entity, alerts.c.id, alerts.c.value, measure)
    rows: Iterable[Any] = of_keys(connection, select(*columns).where(IS_OPEN), alerts, keys)
    return {(rule, kind, of): Measured(id_, value, name or "") for rule, kind, of, id_, value, name in rows}


def closed_since(connection: Connection, keys: Collection[SignalKey], since: int) -> dict[SignalKey, Alert]:
    """Of these rules and entities the alert that a person closed last, if not before `since`."""
    by_person = (alerts.c.work == Work.CLOSED.value, alerts.c.closed_by != SYSTEM)
    query = select(alerts).where(*by_person, alerts.c.closed_at >= since)
    found = [read(row) for row in of_keys(connection, query, alerts, keys)]
    return {alert.key: alert for alert in sorted(found, key=lambda alert: (alert.closed_at or 0, alert.id))}


def due(connection: Connection, now: int, limit: int) -> list[Alert]:
    """Open alerts of which the system has something to do by now, the longest due first."""
    query = select(alerts).where(IS_OPEN, alerts.c.next_at <= now).order_by(alerts.c.next_at, alerts.c.id)
    return [read(row) for row in connection.execute(query.limit(limit))]


def any_due(connection: Connection, now: int) -> bool:
    """Whether there are such."""
    query = select(alerts.c.id).where(IS_OPEN, alerts.c.next_at <= now).limit(1)
    return connection.execute(query).first() is not None


def history(connection: Connection, id_: int) -> list[Entry]:
    """The audit trail of an alert, the oldest entry first."""
    query = select(audit).where(audit.c.alert == id_).order_by(audit.c.id)
    return [_entry(row) for row in connection.execute(query)]


def last_change(connection: Connection, id_: int) -> Entry | None:
    """What was last done to the work of an alert: the newest entry that is not of the signal's making."""
    told = [kind.value for kind in Kind if kind not in _OF_SIGNALS]
    query = select(audit).where(audit.c.alert == id_, audit.c.kind.in_(told)).order_by(audit.c.id.desc())
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _entry(row)


_OF_SIGNALS: Final = (Kind.SIGNAL, Kind.SUPPRESSED, Kind.UNSUPPRESSED)


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.at, Kind(row.kind), row.who, row.detail)


def add(connection: Connection, new: Sequence[Alert]) -> list[int]:
    """Writes new alerts, and answers the ids they got, in the same order and rising."""
    if not new:
        return []
    statement = insert(alerts).returning(alerts.c.id, sort_by_parameter_order=True)
    return list(connection.scalars(statement, [_row(alert) for alert in new]))


def rewrite(connection: Connection, changed: Sequence[Alert]) -> None:
    """Writes what can have changed of alerts."""
    rows = [{"changed": alert.id, **_progress(alert)} for alert in changed]
    if rows:
        connection.execute(update(alerts).where(alerts.c.id == bindparam("changed")), rows)


def revalue(connection: Connection, values: Mapping[int, float]) -> None:
    """Writes the latest values of alerts, by id."""
    rows = [{"changed": id_, "latest": value} for id_, value in values.items()]
    if rows:
        statement = update(alerts).where(alerts.c.id == bindparam("changed"))
        connection.execute(statement.values(value=bindparam("latest")), rows)


def report(connection: Connection, entries: Iterable[tuple[int, Entry]]) -> None:
    """Writes entries of the audit trail, each with its alert's id, and what is to be told of them."""
    listed = list(entries)
    if listed:
        connection.execute(insert(audit), [_audited(id_, entry) for id_, entry in listed])
    happened = [
        {
            "alert": id_,
            "kind": kind,
            "at": entry.at,
            "who": entry.who,
            "owner": entry.detail.get("owner"),
        }
        for id_, entry in listed
        if (kind := _happening(entry)) is not None
    ]
    if happened:
        connection.execute(insert(happenings), happened)


def _audited(id_: int, entry: Entry) -> dict[str, Any]:
    told = {"kind": entry.kind.value, "who": entry.who, "detail": dict(entry.detail)}
    return {"alert": id_, "at": entry.at, **told}


def _happening(entry: Entry) -> str | None:
    """How an entry is told outside, if it is."""
    if entry.kind is Kind.SIGNAL and entry.detail.get("after") == Signal.RESOLVED.value:
        return "resolved"
    return entry.kind.value if entry.kind in _HAPPENINGS else None


def save(connection: Connection, steps: Sequence[Step]) -> list[Alert]:
    """Writes what steps made of alerts, and their entries."""
    rewrite(connection, [step.alert for step in steps])
    report(connection, ((step.alert.id, entry) for step in steps for entry in step.entries))
    return [step.alert for step in steps]


def count(connection: Connection, *where: Any) -> int:
    """Open alerts of which this holds."""
    return int(connection.scalars(select(func.count()).select_from(alerts).where(IS_OPEN, *where)).one())


def read(row: Row[Any]) -> Alert:
    """A row as an alert."""
    values = row._mapping
    copied = {name: values[name] for name in (*_FIXED, *_MOVING)}
    reason = values["close_reason"]
    return Alert(
        id=values["id"],
        entity=Entity(values["kind"], values["entity"]),
        severity=Severity(values["severity"]),
        signal=Signal(values["signal"]),
        work=Work(values["work"]),
        close_reason=None if reason is None else Reason(reason),
        evidence=tuple(_evidence(entry) for entry in values["evidence"]),
        suppressed_by=_suppressor(values),
        silenced_by=silenced(values["silence"], values["silence_reason"]),
        checked=tuple(values["checked"] or ()),
        reasons=tuple(map(Point.of_json, values["reasons"] or ())),
        **copied,
    )


def _suppressor(values: RowMapping) -> By | None:
    reason, *by = (values[f"suppressed_{part}"] for part in ("reason", "rule", "kind", "entity"))
    return None if reason is None else By(reason, by[0], Entity(by[1], by[2]))


def silenced(id_: int | None, reason: str | None) -> By | None:
    """A silence as what suppresses."""
    return None if id_ is None else By(reason or "silenced", "", Entity(SILENCE, str(id_)))


def _evidence(entry: Mapping[str, Any]) -> Evidence:
    return Evidence(**{**entry, "metrics": tuple(entry["metrics"]), "thresholds": tuple(entry["thresholds"])})


def _row(alert: Alert) -> dict[str, Any]:
    fixed = {name: getattr(alert, name) for name in _FIXED}
    return {
        **fixed,
        "kind": alert.entity.kind,
        "entity": alert.entity.id,
        "severity": alert.severity.value,
        "rank": RANK[alert.severity],
        "evidence": [{name: getattr(entry, name) for name in _EVIDENCE} for entry in alert.evidence],
        **_progress(alert),
    }


def _progress(alert: Alert) -> dict[str, Any]:
    """What changes in an alert's life."""
    moving = {name: getattr(alert, name) for name in _MOVING}
    by, silence = alert.suppressed_by, alert.silenced_by
    return {
        **moving,
        "due_at": alert.due_at,
        "next_at": alert.next_at,
        "checked": list(alert.checked),
        "reasons": [point.as_json() for point in alert.reasons],
        "suppressed_reason": None if by is None else by.reason,
        "suppressed_rule": None if by is None else by.rule,
        "suppressed_kind": None if by is None else by.entity.kind,
        "suppressed_entity": None if by is None else by.entity.id,
        "silence": None if silence is None else int(silence.entity.id),
        "silence_reason": None if silence is None else silence.reason,
        "signal": alert.signal.value,
        "work": alert.work.value,
        "close_reason": None if alert.close_reason is None else alert.close_reason.value,
    }
