"""What the engine and the time of listening leave behind."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Table

from collector.relational.schema.base import Id, Plain, metadata

listening = Table(
    "listening",
    metadata,
    Column("id", Id, primary_key=True),
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
    Column("id", Id, primary_key=True),
    Column("line", Plain, nullable=False),
    sqlite_autoincrement=True,
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("group", Plain, primary_key=True),
    Column("evaluated_until", BigInteger, nullable=False),
)
