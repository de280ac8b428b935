"""The tables, for SQLite and PostgreSQL alike. Times are ms UTC."""

import re
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    text,
)

VERSION: Final = 3
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


class Plain(TypeDecorator[str]):
    """Text that is the same in every database: ordered by code point, and of characters that all can hold.

    PostgreSQL holds no NUL, and none holds half a surrogate pair: `�` stands for them.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """SQLite orders by code point anyway; PostgreSQL as its database was made."""
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - its form
        """The text as it can be stored, or looked for."""
        return None if value is None else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)


metadata = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in an INTEGER key

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

robots = Table(
    "robots",
    metadata,
    Column("position", _Id, primary_key=True),  # the robot's row in the engine's columns; never reused
    Column("id", Plain, nullable=False, unique=True),
    Column("lifecycle", Plain, nullable=False),
    *(Column(name, Plain) for name in ("name", "customer", "site", "industry", "scene", "model", "tz")),
    Column("installed_on", Plain),
    Column("extra", JSON, nullable=False),
    sqlite_autoincrement=True,
)

revisions = Table(  # how often something was changed, for those who follow it
    "revisions",
    metadata,
    Column("name", Plain, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

listening = Table(
    "listening",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)


def _of_a_signal() -> list[Column[Any]]:
    return [Column(name, Plain, primary_key=True) for name in ("rule", "kind", "entity")]


signals = Table(
    "signals",
    metadata,
    *_of_a_signal(),
    Column("state", Plain, nullable=False),
    Column("since", BigInteger, nullable=False),
)

turns = Table(  # when signals lately fired or resolved
    "turns",
    metadata,
    *_of_a_signal(),
    Column("turns", JSON, nullable=False),
)

suppressed = Table(  # signals that are, and by what
    "suppressed",
    metadata,
    *_of_a_signal(),
    Column("reason", Plain, nullable=False),
    Column("by_rule", Plain, nullable=False),
    Column("by_kind", Plain, nullable=False),
    Column("by_entity", Plain, nullable=False),
)

alert_log = Table(  # a line an event, in the order of the evaluations
    "alert_log",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("line", Plain, nullable=False),
    sqlite_autoincrement=True,
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("group", Plain, primary_key=True),
    Column("evaluated_until", BigInteger, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", _Id, primary_key=True),
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
    Column("id", _Id, primary_key=True),
    Column("alert", _Id, ForeignKey("alerts.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Plain, nullable=False),
    Column("who", Plain, nullable=False),
    Column("detail", JSON, nullable=False),
    sqlite_autoincrement=True,
)
