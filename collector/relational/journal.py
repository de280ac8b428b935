"""Who changed what, and how it was before: a row a change, in the transaction of the change itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from collector.registry.differences import Difference, Fields
from collector.relational.schema import journal


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one subject; `fields` says of each what it was before and after."""

    id: int
    at: int
    who: str
    what: str  # added, changed, removed
    kind: str
    subject: str
    fields: Fields


def record(connection: Connection, differences: Iterable[Difference], who: str, now: int) -> None:
    """Writes down who did this, and when."""
    rows = [
        {
            "at": now,
            "who": who,
            "what": each.what,
            "kind": each.kind.value,
            "subject": each.id,
            "detail": {"fields": {name: list(pair) for name, pair in each.fields.items()}},
        }
        for each in differences
    ]
    if rows:
        connection.execute(insert(journal), rows)


def page(
    connection: Connection, kinds: Sequence[str], subject: str | None, before: int | None, limit: int
) -> list[Change]:
    """Changes of these kinds, the newest first, that are older than the one with the id `before`."""
    query = select(journal).where(journal.c.kind.in_(kinds)).order_by(journal.c.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(journal.c.subject == subject)
    if before is not None:
        query = query.where(journal.c.id < before)
    return [_change(row) for row in connection.execute(query).mappings()]


def _change(row: Mapping[Any, Any]) -> Change:
    fields = {name: (pair[0], pair[1]) for name, pair in row["detail"].get("fields", {}).items()}
    return Change(row["id"], row["at"], row["who"], row["what"], row["kind"], row["subject"], fields)
