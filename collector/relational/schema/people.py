"""Who may sign in, and how."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table

from collector.relational.schema.base import Id, Plain, metadata

people = Table(
    "people",
    metadata,
    Column("id", Plain, primary_key=True),  # the name to sign in with
    Column("name", Plain, nullable=False),
    Column("role", Plain, nullable=False),  # csm, engineer, installer, admin
    Column("sees", Plain, nullable=False),  # own customers, or all
    Column("email", Plain),
    Column("language", Plain),
    Column("tz", Plain),
    Column("work_hours", Plain),  # as open_hours of a site
    Column("holidays", Plain),
    Column("password", Plain),  # argon2
    Column("active", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token", Plain, primary_key=True),  # its SHA-256
    Column("person", Plain, nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

tokens = Table(  # of the API, and links that sign in once
    "tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Plain, nullable=False),  # api or link
    Column("token", Plain, nullable=False, unique=True),  # its SHA-256
    Column("person", Plain, nullable=False, index=True),
    Column("name", Plain, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    sqlite_autoincrement=True,
)
