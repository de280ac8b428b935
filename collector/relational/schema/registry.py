"""Customers, their contracts, sites and robots, and what was changed of them by whom."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, Integer, Table

from collector.relational.schema.base import Id, Plain, metadata

robots = Table(
    "robots",
    metadata,
    Column("position", Id, primary_key=True),  # the robot's row in the engine's columns; never reused
    Column("id", Plain, nullable=False, unique=True),
    Column("lifecycle", Plain, nullable=False),
    *(Column(name, Plain) for name in ("name", "customer", "site", "industry", "scene", "model", "tz")),
    Column("installed_on", Plain),
    Column("extra", JSON, nullable=False),
    Column("revision", Integer, nullable=False, server_default="1"),
    sqlite_autoincrement=True,
)
Index("robots_of_customer", robots.c.customer, robots.c.id)
Index("robots_of_site", robots.c.site, robots.c.id)

revisions = Table(  # how often something was changed, for those who follow it
    "revisions",
    metadata,
    Column("name", Plain, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

customers = Table(
    "customers",
    metadata,
    Column("id", Plain, primary_key=True),  # its name, as robots name their customer
    Column("tier", Plain),
    Column("stage", Plain),  # of its life cycle
    Column("csm", Plain, index=True),  # a person's id
    Column("region", Plain),
    Column("industry", Plain),
    Column("pulse", Integer),  # what the CSM thinks of it, 1 to 5
    Column("pulse_at", BigInteger),
    Column("note", Plain),
    Column("revision", Integer, nullable=False),  # a change of an older one is refused
)

contracts = Table(
    "contracts",
    metadata,
    Column("id", Plain, primary_key=True),
    Column("customer", Plain, nullable=False, index=True),
    Column("begins_on", Plain, nullable=False),  # YYYY-MM-DD
    Column("ends_on", Plain, nullable=False),
    Column("amount", Float),
    Column("currency", Plain),
    Column("robots", Integer),
    Column("renewed", Boolean),  # None: not decided yet
    Column("revision", Integer, nullable=False),
)
Index("contracts_by_end", contracts.c.ends_on, contracts.c.id)

sites = Table(
    "sites",
    metadata,
    Column("id", Plain, primary_key=True),  # its name, as robots name their site
    Column("customer", Plain, index=True),
    Column("tz", Plain),
    Column("open_hours", Plain),
    Column("holidays", Plain),
    Column("region", Plain),
    Column("revision", Integer, nullable=False),
)

journal = Table(  # who changed what, but for alerts
    "journal",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", Plain, nullable=False),
    Column("what", Plain, nullable=False),  # such as changed, added, removed, signed_in
    Column("kind", Plain, nullable=False),  # of the subject: customer, contract, site, robot, person, …
    Column("subject", Plain, nullable=False),
    Column("detail", JSON, nullable=False),
    sqlite_autoincrement=True,
)
Index("journal_of_subject", journal.c.kind, journal.c.subject, journal.c.id)
