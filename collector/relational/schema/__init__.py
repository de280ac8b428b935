"""The tables, for SQLite and PostgreSQL alike. Times are ms UTC."""

from sqlalchemy import Column, Integer, Table

from collector.relational.schema.base import VERSION, Plain, metadata
from collector.relational.schema.engine import (
    alert_log,
    listening,
    signals,
    suppressed,
    turns,
    watermarks,
)
from collector.relational.schema.notifications import happenings, notifications, told
from collector.relational.schema.people import people, sessions, tokens
from collector.relational.schema.queue import alerts, audit, silences, views
from collector.relational.schema.registry import contracts, customers, journal, revisions, robots, sites
from collector.relational.schema.scores import scores

__all__ = [
    "VERSION",
    "Plain",
    "alert_log",
    "alerts",
    "audit",
    "contracts",
    "customers",
    "happenings",
    "journal",
    "listening",
    "metadata",
    "notifications",
    "people",
    "revisions",
    "robots",
    "schema_version",
    "scores",
    "sessions",
    "signals",
    "silences",
    "sites",
    "suppressed",
    "tokens",
    "told",
    "turns",
    "views",
    "watermarks",
]

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))
