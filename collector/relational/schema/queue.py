"""The alert queue: alerts, their audit trail, silences, and how people like to see it."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
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
    Column("customer", Plain),  # of the entity, when the alert opened
    Column("site", Plain),
    Column("owner", Plain),  # a person's id
    Column("ack_due_at", BigInteger),
    Column("resolve_due_at", BigInteger),
    Column("snoozed_at", BigInteger),
    Column("moved_at", BigInteger),  # when a person last did something about it
    Column("escalated", Integer, nullable=False, server_default="0"),  # how often
    Column("relapse_of", Id),  # the alert that was closed shortly before
    Column("checked", JSON),  # the steps of the playbook that are done
    Column("priority", Float, nullable=False, server_default="0"),  # the queue is read from the highest on
    Column("reasons", JSON),  # for the priority
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
Index("queue_order", alerts.c.rank, alerts.c.opened_at, alerts.c.id)
Index("alerts_of_entity", alerts.c.entity, alerts.c.opened_at)
Index("alerts_by_age", alerts.c.opened_at, alerts.c.id)
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
