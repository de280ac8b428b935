"""How well robots, sites and customers do, day by day."""

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Table

from collector.relational.schema.base import Plain, metadata

scores = Table(
    "scores",
    metadata,
    Column("kind", Plain, primary_key=True),  # robot, site or customer
    Column("entity", Plain, primary_key=True),
    Column("day", Plain, primary_key=True),  # YYYY-MM-DD, the last whole day that it looks at
    Column("score", Float),  # None: too little is known
    Column("coverage", Float, nullable=False),
    Column("industry", Plain),  # of most of its robots
    Column("components", JSON, nullable=False),
    Column("computed_at", BigInteger, nullable=False),
)
Index("scores_of_day", scores.c.kind, scores.c.day)
