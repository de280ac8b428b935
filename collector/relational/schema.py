"""The tables, for SQLite and PostgreSQL alike. Times are ms UTC."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

VERSION: Final = 1
metadata = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in an INTEGER key

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

robots = Table(
    "robots",
    metadata,
    Column("position", _Id, primary_key=True),  # the robot's row in the engine's columns; never reused
    Column("id", String(64), nullable=False, unique=True),
    Column("lifecycle", String(16), nullable=False),
    *(Column(name, Text) for name in ("name", "customer", "site", "industry", "scene", "model", "tz")),
    Column("installed_on", String(10)),
    Column("extra", JSON, nullable=False),
    sqlite_autoincrement=True,
)

listening = Table(
    "listening",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)

signals = Table(
    "signals",
    metadata,
    Column("rule", String(256), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("entity", String(256), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", BigInteger, nullable=False),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("group", String(256), primary_key=True),
    Column("evaluated_until", BigInteger, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("rule", String(256), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("entity", String(256), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("subsystem", String(64), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("opened_value", Float),
    Column("value", Float),
    Column("threshold", Float),
    Column("evidence", JSON, nullable=False),
    Column("signal", String(16), nullable=False),
    Column("signal_at", BigInteger, nullable=False),
    Column("work", String(16), nullable=False),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", Text),
    Column("snoozed_until", BigInteger),
    Column("snooze_reason", Text),
    Column("closed_at", BigInteger),
    Column("closed_by", Text),
    Column("close_reason", String(32)),
    Column("close_note", Text),
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

audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("alert", _Id, ForeignKey("alerts.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("who", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    sqlite_autoincrement=True,
)
