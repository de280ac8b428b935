"""Who changed what, and how it was before: a row a change, in the transaction of the change itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from collector.registry.differences import Difference, Fields
from collector.registry.records import Kind
from collector.relational.schema import journal

PULSE: Final = "pulse"  # what a CSM thinks of a customer: kept beside the record, and no revision of it


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one subject; `fields` says of each what it was before and after."""

    id: int
    at: int
    who: str
    what: str  # added, changed, removed, pulse
    kind: str
    subject: str
    fields: Fields
    note: str | None = None


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


def record_pulse(
    connection: Connection,
    customer: str,
    pulses: tuple[int | None, int],
    note: str | None,
    who: str,
    now: int,
) -> None:
    """Writes down the pulse of a customer, before and after."""
    detail = {"pulse": list(pulses)} | ({"note": note} if note else {})
    entry = {"at": now, "who": who, "what": PULSE, "kind": Kind.CUSTOMER.value, "subject": customer}
    connection.execute(insert(journal).values(**entry, detail=detail))


def page(
    connection: Connection, kinds: Sequence[str], subject: str | None, before: int | None, limit: int
) -> list[Change]:
    """Changes of these kinds, the newest first, that are older than the one with the id `before`."""
    query = select(journal).where(journal.c.kind.in_(kinds)).order_by(journal.c.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(journal.c.subject == subject)
    if before is not None:
        query = query.where(journal.c.id < before)
    return [read(row) for row in connection.execute(query).mappings()]


def last_revision(connection: Connection, kind: Kind, subject: str) -> Change | None:
    """What made the subject as it is now."""
    about = (journal.c.kind == kind.value, journal.c.subject == subject, journal.c.what != PULSE)
    query = select(journal).where(*about).order_by(journal.c.id.desc()).limit(1)
    return next(map(read, connection.execute(query).mappings()), None)


def read(row: Mapping[Any, Any]) -> Change:
    """A row of the journal."""
    detail = row["detail"]
    pairs = {PULSE: detail[PULSE]} if row["what"] == PULSE else detail.get("fields", {})
    fields = {name: (before, after) for name, (before, after) in pairs.items()}
    told = {name: row[name] for name in ("id", "at", "who", "what", "kind", "subject")}
    return Change(**told, fields=fields, note=detail.get("note"))
