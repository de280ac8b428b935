"""The alert queue: alerts, their audit trail, silences, and how people like to see it."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    false,
    text,
)

from collector.relational.schema.base import Id, Plain, metadata

alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("rule", Plain, nullable=False),
    Column("kind", Plain, nullable=False),
    Column("entity", Plain, nullable=False),
    Column("severity", Plain, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("subsystem", Plain, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("opened_value", Float),
    Column("value", Float),
    Column("threshold", Float),
    Column("evidence", JSON, nullable=False),
    Column("signal", Plain, nullable=False),
    Column("signal_at", BigInteger, nullable=False),
    Column("work", Plain, nullable=False),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", Plain),
    Column("snoozed_until", BigInteger),
    Column("snooze_reason", Plain),
    Column("closed_at", BigInteger),
    Column("closed_by", Plain),
    Column("close_reason", Plain),
    Column("close_note", Plain),
    Column("suppressed_reason", Plain),
    Column("suppressed_rule", Plain),
    Column("suppressed_kind", Plain),
    Column("suppressed_entity", Plain),
    Column("customer", Plain),  # of the entity
    Column("site", Plain),
    Column("owner", Plain),  # a person's id
    Column("ack_due_at", BigInteger),
    Column("resolve_due_at", BigInteger),
    Column("ack_missed_at", BigInteger),
    Column("escalates_at", BigInteger),
    Column("returns_at", BigInteger),
    Column("due_at", BigInteger),  # the next deadline; none while it stands still
    Column("next_at", BigInteger),  # when it wakes, is escalated or comes back
    Column("snoozed_at", BigInteger),
    Column("moved_at", BigInteger),  # when a person last did something about it
    Column("escalated", Integer, nullable=False, server_default="0"),  # how often
    Column("relapse_of", Id),  # the alert that was closed shortly before
    Column("relapses", Integer, nullable=False, server_default="0"),
    Column("checked", JSON),  # the steps of the playbook that are done, by id
    Column("priority", Float, nullable=False, server_default="0"),  # the queue is read from the highest on
    Column("reasons", JSON),  # for the priority
    Column("silence", Id),  # that hides it, and whether that is a maintenance
    Column("silence_reason", Plain),
    Column("revision", Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
_open = text("work != 'closed'")
Index(
    "one_open_alert",
    alerts.c.rule,
    alerts.c.kind,
    alerts.c.entity,
    unique=True,
    sqlite_where=_open,
    postgresql_where=_open,
)
_shown = text("work != 'closed' AND suppressed_reason IS NULL AND silence IS NULL")
_hidden = text("work != 'closed' AND (suppressed_reason IS NOT NULL OR silence IS NOT NULL)")


def _of_open(name: str, *columns: ColumnElement[Any]) -> None:
    """An index of the open alerts alone."""
    Index(name, *columns, sqlite_where=_open, postgresql_where=_open)


def _of_shown(name: str, *columns: ColumnElement[Any]) -> None:
    """An index of those that nothing hides."""
    Index(name, *columns, sqlite_where=_shown, postgresql_where=_shown)


_order = (alerts.c.priority.desc(), alerts.c.id)
_of_shown("queue_of_owner", alerts.c.owner, *_order)
_of_shown("queue_of_severity", alerts.c.severity, *_order)
_of_shown("queue_of_subsystem", alerts.c.subsystem, *_order)
# These have all that is asked for, the condition included, so that no row is read: what a text is looked
# for in, what is counted, also for one who sees some customers only, and what is told of a group.
_hiding = (alerts.c.work, alerts.c.suppressed_reason, alerts.c.silence)
_searched = tuple(alerts.c[name] for name in ("rule", "kind", "entity", "customer", "site", "owner"))
_of_shown("shown_by_order", *_order, *_searched, *_hiding)
_counted = (alerts.c.rank, alerts.c.severity, alerts.c.work, alerts.c.owner, alerts.c.due_at)
_of_shown("shown_counts", *_counted, alerts.c.customer, *_hiding[1:])
_grouped = (alerts.c.rank, alerts.c.due_at, alerts.c.opened_at)
Index("hidden_order", *_order, sqlite_where=_hidden, postgresql_where=_hidden)
_of_open("open_of_customer", alerts.c.customer, *_order, *_grouped, *_hiding)
_of_open("open_of_site", alerts.c.site, *_order, *_grouped, *_hiding)
for _name, _column in (("open_of_silence", alerts.c.silence), ("open_by_next", alerts.c.next_at)):
    _given = text(f"work != 'closed' AND {_column.name} IS NOT NULL")  # else it is taken for IS NULL
    Index(_name, _column, sqlite_where=_given, postgresql_where=_given)
Index("alerts_of_entity", alerts.c.entity, alerts.c.opened_at)
Index("alerts_by_age", alerts.c.opened_at, alerts.c.id)
Index("alerts_by_close", alerts.c.closed_at, alerts.c.rule, alerts.c.close_reason)
Index("alerts_by_suppressor", alerts.c.suppressed_rule, alerts.c.suppressed_kind, alerts.c.suppressed_entity)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("alert", Id, ForeignKey("alerts.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Plain, nullable=False),
    Column("who", Plain, nullable=False),
    Column("detail", JSON, nullable=False),
    sqlite_autoincrement=True,
)

silences = Table(
    "silences",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Plain, nullable=False),  # silence or maintenance
    Column("matchers", JSON, nullable=False),
    Column("begins_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("recurrence", JSON),
    Column("comment", Plain, nullable=False),
    Column("creator", Plain, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),  # before its time, by a person
    Column("ended_by", Plain),
    Column("active", Boolean, nullable=False, server_default=false()),  # whether it hides alerts now
    Column(
        "revision", Integer, nullable=False, server_default="0"
    ),  # how often it was changed, last when, by whom
    Column("changed_at", BigInteger),
    Column("changed_by", Plain),
    sqlite_autoincrement=True,
)
Index("silences_by_end", silences.c.ends_at)

views = Table(  # filters of the queue that a person keeps
    "views",
    metadata,
    Column("person", Plain, primary_key=True),
    Column("name", Plain, primary_key=True),
    Column("query", Plain, nullable=False),
    Column("chosen", Boolean, nullable=False),
)
