"""The schema of a database: made, brought up to date, or refused."""

from sqlalchemy import Connection, insert, inspect, select, update
from sqlalchemy.schema import CreateColumn

from collector import ranking
from collector.queue import Severity
from collector.relational.schema import VERSION, alerts, metadata, revisions, schema_version

ROSTER = "roster"
_COUNTED = 2  # the first version that counts changes of the roster
_RANKED = 4  # the first that orders the queue by priority
_FORMER_INDEXES = ("queue_order", "shown_order", "queue_counts")


class NewerSchemaError(Exception):
    """The database was used by a newer version."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"the database has schema {version}, this version knows {VERSION}; start a newer vitals-collector"
        )


def upgrade(connection: Connection) -> None:
    """Makes the tables, or what an older version lacked of them. Raises `NewerSchemaError`."""
    found = _found(connection)
    if found == VERSION:
        return
    if found is not None and found > VERSION:
        raise NewerSchemaError(found)
    metadata.create_all(connection)
    if found is None:
        connection.execute(insert(schema_version).values(version=VERSION))
    else:
        _complete(connection)
        if found < _RANKED:
            _rank(connection)
        connection.execute(update(schema_version).values(version=VERSION))
    if found is None or found < _COUNTED:
        connection.execute(insert(revisions).values(name=ROSTER, value=0))


def _complete(connection: Connection) -> None:
    """Adds the columns that tables of an older version lack, and their indexes."""
    inspector = inspect(connection)
    for table in metadata.sorted_tables:
        known = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                defined = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {defined}")
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    for name in _FORMER_INDEXES:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")


def _rank(connection: Connection) -> None:
    """Gives the alerts of an older version the rank that their severity gives, and what time brings them."""
    for severity in Severity:
        points = ranking.points(severity, ranking.Standing())
        values = {
            "reasons": [point.as_json() for point in points],
            "priority": ranking.priority(points, 0)
            - alerts.c.opened_at * (ranking.AGE_PER_DAY / ranking.DAY_MS),
            "next_at": alerts.c.snoozed_until,
        }
        connection.execute(update(alerts).where(alerts.c.severity == severity.value).values(values))


def _found(connection: Connection) -> int | None:
    if not inspect(connection).has_table(schema_version.name):
        return None
    return connection.scalar(select(schema_version.c.version))
