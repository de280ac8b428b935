"""Alerts and their audit trail, as rows."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Generic, Literal, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    RowMapping,
    Select,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from collector.queue import (
    RANK,
    Alert,
    Entry,
    Kind,
    Reason,
    Severity,
    Signal,
    Step,
    Work,
)
from collector.relational.schema import alerts, audit
from collector.relational.sight import seen_by
from rules.evaluation import By, Entity, Evidence, SignalKey

State = Literal["open", "closed", "all"]
Item = TypeVar("Item")
_FIXED: Final = ("rule", "subsystem", "opened_at", "since", "opened_value", "threshold")
_MOVING: Final = (
    "value",
    "signal_at",
    "acknowledged_at",
    "acknowledged_by",
    "snoozed_until",
    "snooze_reason",
    "closed_at",
    "closed_by",
    "close_note",
)
_EVIDENCE: Final = tuple(field.name for field in fields(Evidence))


class CursorError(ValueError):
    """The cursor is not one that this queue gave out."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, and the cursor of those after them, if there are any."""

    items: tuple[Item, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts: the open ones as a queue (worst, then oldest first), others the newest first."""

    state: State = "open"
    rule: str | None = None
    robot: str | None = None
    entity: Entity | None = None  # of any kind
    severity: Severity | None = None
    subsystem: str | None = None
    work: Work | None = None
    suppressed: bool | None = None  # None: either
    hidden_by: SignalKey | None = None  # suppressed by this rule, kind and entity
    csm: str | None = None  # of this person's customers, and of those that are nobody's


def page(connection: Connection, query: AlertQuery, after: str | None, limit: int) -> Page[Alert]:
    """At most `limit` alerts after the cursor `after`. Raises `CursorError`."""
    statement = _ordered(_matching(query), query.state)
    if after is not None:
        statement = statement.where(_beyond(query.state, _read_cursor(query.state, after)))
    found = [_alert(row) for row in connection.execute(statement.limit(limit + 1))]
    more = len(found) > limit
    return Page(tuple(found[:limit]), _cursor(query.state, found[limit - 1]) if more else None)


def one(connection: Connection, id_: int) -> Alert | None:
    """The alert of that id."""
    row = connection.execute(select(alerts).where(alerts.c.id == id_)).one_or_none()
    return None if row is None else _alert(row)


def open_alerts(connection: Connection) -> list[Alert]:
    """All open alerts, in the order in which they opened."""
    query = select(alerts).where(_is_open()).order_by(alerts.c.id)
    return [_alert(row) for row in connection.execute(query)]


def snoozed_until(connection: Connection, now: int) -> list[Alert]:
    """The alerts whose snooze is over."""
    query = select(alerts).where(alerts.c.work == Work.SNOOZED.value, alerts.c.snoozed_until <= now)
    return [_alert(row) for row in connection.execute(query.order_by(alerts.c.id))]


def count_open(
    connection: Connection, column: Literal["severity", "entity", "subsystem"], csm: str | None = None
) -> dict[str, int]:
    """Open alerts counted by severity, robot or subsystem; with `csm`, those that this person sees."""
    by = alerts.c[column]
    query = select(by, func.count()).where(_is_open()).group_by(by)
    if csm is not None:
        query = query.where(seen_by(csm, alerts.c.customer))
    if column == "entity":
        query = query.where(alerts.c.kind == "robot")
    return {row[0]: row[1] for row in connection.execute(query)}


def open_subsystems(connection: Connection) -> set[tuple[str, str]]:
    """Every robot and subsystem with an open alert."""
    query = select(alerts.c.entity, alerts.c.subsystem).where(_is_open(), alerts.c.kind == "robot").distinct()
    return {(entity, subsystem) for entity, subsystem in connection.execute(query)}


def count_suppressed(connection: Connection) -> int:
    """Open alerts that are suppressed."""
    query = select(func.count()).where(_is_open(), alerts.c.suppressed_reason.is_not(None))
    return int(connection.scalars(query).one())


def count_hidden(connection: Connection, by: SignalKey) -> int:
    """Open alerts that are suppressed by this one, itself not among them."""
    return int(connection.scalars(select(func.count()).where(_is_open(), *_hidden_by(by))).one())


def history(connection: Connection, id_: int) -> list[Entry]:
    """The audit trail of an alert, the oldest entry first."""
    query = select(audit).where(audit.c.alert == id_).order_by(audit.c.id)
    return [Entry(row.at, Kind(row.kind), row.who, row.detail) for row in connection.execute(query)]


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


def report(connection: Connection, entries: Iterable[tuple[int, Entry]]) -> None:
    """Writes entries of the audit trail, each with its alert's id."""
    rows = [
        {
            "alert": id_,
            "at": entry.at,
            "kind": entry.kind.value,
            "who": entry.who,
            "detail": dict(entry.detail),
        }
        for id_, entry in entries
    ]
    if rows:
        connection.execute(insert(audit), rows)


def save(connection: Connection, steps: Sequence[Step]) -> list[Alert]:
    """Writes what steps made of alerts, and their entries."""
    rewrite(connection, [step.alert for step in steps])
    report(connection, ((step.alert.id, entry) for step in steps for entry in step.entries))
    return [step.alert for step in steps]


def _matching(query: AlertQuery) -> Select[Any]:
    wanted: list[ColumnElement[bool]] = []
    if query.state != "all":
        is_closed = query.state == "closed"
        wanted.append((alerts.c.work == "closed") if is_closed else (alerts.c.work != "closed"))
    entity = query.entity if query.robot is None else Entity("robot", query.robot)
    if entity is not None:
        wanted.append(and_(alerts.c.kind == entity.kind, alerts.c.entity == entity.id))
    if query.suppressed is not None:
        reason = alerts.c.suppressed_reason
        wanted.append(reason.is_not(None) if query.suppressed else reason.is_(None))
    if query.hidden_by is not None:
        wanted += _hidden_by(query.hidden_by)
    if query.csm is not None:
        wanted.append(seen_by(query.csm, alerts.c.customer))
    named = {"rule": query.rule, "severity": query.severity, "subsystem": query.subsystem, "work": query.work}
    wanted += [alerts.c[name] == str(value) for name, value in named.items() if value is not None]
    return select(alerts).where(*wanted)


def _is_open() -> ColumnElement[bool]:
    return alerts.c.work != Work.CLOSED.value


def _hidden_by(by: SignalKey) -> list[ColumnElement[bool]]:
    """What flaps suppresses itself; that is no other alert's doing."""
    columns = (alerts.c.suppressed_rule, alerts.c.suppressed_kind, alerts.c.suppressed_entity)
    equal = [column == part for column, part in zip(columns, by, strict=True)]
    return [*equal, alerts.c.suppressed_reason != "flapping"]


def _ordered(statement: Select[Any], state: State) -> Select[Any]:
    if state == "open":
        return statement.order_by(alerts.c.rank, alerts.c.opened_at, alerts.c.id)
    return statement.order_by(alerts.c.opened_at.desc(), alerts.c.id.desc())


def _key(state: State, alert: Alert) -> list[int]:
    age = [alert.opened_at, alert.id]
    return [RANK[alert.severity], *age] if state == "open" else age


def _cursor(state: State, last: Alert) -> str:
    return base64.urlsafe_b64encode(json.dumps(_key(state, last)).encode()).decode().rstrip("=")


def _read_cursor(state: State, cursor: str) -> list[int]:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise CursorError("is not a cursor of this list; take it from 'next' of the page before") from None
    expected = 3 if state == "open" else 2
    if not isinstance(key, list) or len(key) != expected or not all(map(_is_number, key)):
        raise CursorError(f"is not a cursor of the list of state '{state}'; take it from 'next' of that list")
    return key


def _is_number(part: object) -> bool:
    return type(part) is int and 0 <= part < 2**63


def _beyond(state: State, key: list[int]) -> ColumnElement[bool]:
    age = tuple_(alerts.c.opened_at, alerts.c.id)
    if state != "open":
        return age < tuple_(*key)
    rank, *rest = key
    return or_(alerts.c.rank > rank, and_(alerts.c.rank == rank, age > tuple_(*rest)))


def _alert(row: Row[Any]) -> Alert:
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
        **copied,
    )


def _suppressor(values: RowMapping) -> By | None:
    reason, *by = (values[f"suppressed_{part}"] for part in ("reason", "rule", "kind", "entity"))
    return None if reason is None else By(reason, by[0], Entity(by[1], by[2]))


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
    by = alert.suppressed_by
    return {
        **moving,
        "suppressed_reason": None if by is None else by.reason,
        "suppressed_rule": None if by is None else by.rule,
        "suppressed_kind": None if by is None else by.entity.kind,
        "suppressed_entity": None if by is None else by.entity.id,
        "signal": alert.signal.value,
        "work": alert.work.value,
        "close_reason": None if alert.close_reason is None else alert.close_reason.value,
    }
