"""The tables, and how those of an earlier version become them.

fresh       samples as they were appended, in the order of their commits
settled     the same samples later, in portions, each ordered by robot
portions    which commits a portion holds, and whether it is rolled up
samples     fresh and settled together: a view, what everybody reads
hours,days  roll-ups of the portions rolled up: partial aggregates, to be merged by (robot, epoch, start)
bases       the samples that were the first of their epochs when they were rolled up
watermarks  how the watermarks moved; the last move counts
losses      what will never come
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import duckdb

from agent.catalogue import Catalogue
from collector.stores import StoreError
from rules.recording import FIXED

VERSION: Final = 2
SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # What is not yet in its final place lies in memory, too; and reading it back after kill -9 takes time.
    "checkpoint_threshold": "64MB",
    "memory_limit": "1GB",
}
COUNTER: Final = "BIGINT"
GAUGE: Final = "DOUBLE"
_KINDS: Final = {"counter": COUNTER, "gauge": GAUGE}
_IDENTITY: Final = {"robot": "VARCHAR", "epoch": "VARCHAR"}
_CELL: Final = {**_IDENTITY, "start": "BIGINT", "samples": "BIGINT", "loose": "BOOLEAN"}
_PARTS: Final = {"sum": "DOUBLE", "count": "BIGINT", "min": "DOUBLE", "max": "DOUBLE"}
_TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "fresh": FIXED,
    "settled": {**FIXED, "portion": "INTEGER"},
    "hours": _CELL,
    "days": _CELL,
    "bases": {**_IDENTITY, "seq": "BIGINT", "t": "BIGINT"},
    "portions": {
        "id": "INTEGER",
        "first_at": "BIGINT",  # times of commit
        "last_at": "BIGINT",
        "samples": "BIGINT",
    },
    "rolled": {"portion": "INTEGER"},
    "watermarks": {
        **_IDENTITY,
        "until": "BIGINT",
        "above": "VARCHAR",
        "newest": "BIGINT",  # the highest number stored
        "newest_at": "BIGINT",  # and when it was committed
        "move": "BIGINT",  # rises with every commit
        "loose": "BOOLEAN",
    },
    "losses": {
        **_IDENTITY,
        "first": "BIGINT",
        "last": "BIGINT",
        "count": "BIGINT",
        "reason": "VARCHAR",
        "declared_at": "BIGINT",
    },
}
_MIGRATIONS: Final[Mapping[int, Sequence[str]]] = {
    1: (
        "ALTER TABLE samples RENAME TO fresh",
        "ALTER TABLE watermarks ADD COLUMN move BIGINT DEFAULT 0",
        "ALTER TABLE watermarks ADD COLUMN loose BOOLEAN DEFAULT false",
    ),
}


def prepare(connection: duckdb.DuckDBPyConnection, path: Path, catalogue: Catalogue) -> None:
    """Makes or completes the tables, all of them or none. Raises `StoreError`."""
    connection.begin()
    _migrate(connection, path)
    _make(connection, "fresh", {metric.name: _KINDS[metric.kind] for metric in catalogue.values()})
    _check_kinds(connection, path, catalogue)
    kinds = {name: kind for name, kind in columns(connection, "fresh").items() if name not in FIXED}
    for table in _TABLES:
        _make(connection, table, _metric_columns(table, kinds))
    names = ", ".join(quoted(name) for name in (*FIXED, *kinds))
    both = f"SELECT {names} FROM settled UNION ALL SELECT {names} FROM fresh"  # noqa: S608 - names are quoted
    connection.execute(f"CREATE OR REPLACE VIEW samples AS {both}")
    connection.commit()


def columns(connection: duckdb.DuckDBPyConnection, table: str = "samples") -> dict[str, str]:
    """The columns of a table, with their types."""
    query = f"SELECT column_name, column_type FROM (DESCRIBE {table})"  # noqa: S608 - our own tables
    return dict(connection.execute(query).fetchall())


def metrics(connection: duckdb.DuckDBPyConnection, kind: str) -> list[str]:
    """The stored metrics that are of type `COUNTER` or `GAUGE`."""
    stored = columns(connection, "fresh")
    return [name for name, found in stored.items() if found == kind and name not in FIXED]


def parts(gauge: str) -> dict[str, str]:
    """The columns of a gauge in a roll-up: `sum`, `count`, `min` and `max`, with their names."""
    return {part: f"{gauge}:{part}" for part in _PARTS}


def quoted(name: str) -> str:
    """A name of a column, as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS store (version INTEGER NOT NULL)")
    found = connection.execute("SELECT version FROM store").fetchone()
    version = VERSION if found is None else int(found[0])
    if version > VERSION:
        raise StoreError(
            f"{path} has version {version}, this version knows {VERSION}; start a newer vitals-collector"
        )
    for earlier in range(version, VERSION):
        for statement in _MIGRATIONS[earlier]:
            connection.execute(statement)
    connection.execute("DELETE FROM store")
    connection.execute("INSERT INTO store VALUES (?)", [VERSION])


def _make(connection: duckdb.DuckDBPyConnection, table: str, metrics: Mapping[str, str]) -> None:
    """Makes the table, or adds the columns that it lacks."""
    lines = [f"{quoted(name)} {kind} NOT NULL" for name, kind in _TABLES[table].items()]
    lines += [f"{quoted(name)} {kind}" for name, kind in metrics.items()]
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(lines)})")
    stored = columns(connection, table)
    for name in metrics.keys() - stored.keys():
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(name)} {metrics[name]}")


def _check_kinds(connection: duckdb.DuckDBPyConnection, path: Path, catalogue: Catalogue) -> None:
    stored = columns(connection, "fresh")
    for metric in catalogue.values():
        if stored[metric.name] != _KINDS[metric.kind]:
            raise StoreError(
                f"{path}: {metric.name} is a {metric.kind} in the catalogue, but was stored as "
                f"{stored[metric.name]}; give it another name in the catalogue"
            )


def _metric_columns(table: str, kinds: Mapping[str, str]) -> dict[str, str]:
    """The columns that metrics of these kinds have in a table."""
    counters = {name: kind for name, kind in kinds.items() if kind == COUNTER}
    match table:
        case "fresh" | "settled":
            return dict(kinds)
        case "hours" | "days":
            gauges = [name for name in kinds if name not in counters]
            return counters | {name: _PARTS[part] for gauge in gauges for part, name in parts(gauge).items()}
        case "bases":
            return counters
        case _:
            return {}
