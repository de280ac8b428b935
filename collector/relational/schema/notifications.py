"""What is to be told to people outside of the console."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, Table

from collector.relational.schema.base import Id, Plain, metadata

notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", Plain, nullable=False, unique=True),  # what is told, to which channel: told once
    Column("kind", Plain, nullable=False),  # opened, escalated, …, digest
    Column("channel", Plain, nullable=False),
    Column("person", Plain),  # whom the channel `owner` writes to
    Column("alert", Id, index=True),
    Column("payload", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("state", Plain, nullable=False),  # waiting, held, sent, bundled, given_up, withdrawn
    Column("due_at", BigInteger, nullable=False),  # when it is to be tried (again)
    Column("give_up_at", BigInteger, nullable=False),
    Column("follows", Boolean, nullable=False),  # told only where its alert was told of before
    Column("attempts", Integer, nullable=False),
    Column("sent_at", BigInteger),
    Column("error", Plain),
    sqlite_autoincrement=True,
)
Index("notifications_due", notifications.c.state, notifications.c.due_at)
Index("notifications_of_channel", notifications.c.state, notifications.c.channel, notifications.c.due_at)

happenings = Table(  # of alerts, for the notifier to read in order; written with the alert itself
    "happenings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("alert", Id, nullable=False),
    Column("kind", Plain, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("who", Plain),  # did it
    Column("owner", Plain),  # whose the alert was from then on, where that was said
    sqlite_autoincrement=True,
)

told = Table(  # how far happenings were read, in one row
    "told",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("until", Id, nullable=False),  # the last happening that was
)
