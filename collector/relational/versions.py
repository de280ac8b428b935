"""The schema of a database: made, brought up to date, or refused."""

from sqlalchemy import Connection, insert, inspect, select, update

from collector.relational.schema import VERSION, metadata, revisions, schema_version

ROSTER = "roster"


class NewerSchemaError(Exception):
    """The database was used by a newer version."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"the database has schema {version}, this version knows {VERSION}; start a newer vitals-collector"
        )


def upgrade(connection: Connection) -> None:
    """Makes the tables, or those that an older version lacked. Raises `NewerSchemaError`."""
    found = _found(connection)
    if found == VERSION:
        return
    if found is not None and found > VERSION:
        raise NewerSchemaError(found)
    metadata.create_all(connection)
    if found is None:
        connection.execute(insert(schema_version).values(version=VERSION))
    else:
        connection.execute(update(schema_version).values(version=VERSION))
    connection.execute(insert(revisions).values(name=ROSTER, value=0))


def _found(connection: Connection) -> int | None:
    if not inspect(connection).has_table(schema_version.name):
        return None
    return connection.scalar(select(schema_version.c.version))
