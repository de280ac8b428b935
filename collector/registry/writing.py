"""The registry as a text that `reading` reads back to the same records."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import yaml

from collector.registry.checks import is_text
from collector.registry.records import FIELDS, Kind, Record, Value, values
from collector.registry.rows import guarded

_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the quick one, where it was built


def to_csv(kind: Kind, records: Sequence[Record]) -> str:
    """A table with all fields; of robots, a column for whatever an owner added to any of them."""
    rows = [(record.id, values(record)) for record in records]
    own = sorted({name for _, known in rows for name in known} - set(FIELDS[kind]))
    names = (*FIELDS[kind], *own)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("id", *names))
    for id_, known in rows:
        writer.writerow((guarded(id_, True), *(_cell(kind, name, known.get(name)) for name in names)))
    return out.getvalue()


def to_yaml(contents: Mapping[Kind, Iterable[Record]]) -> str:
    """A list of each kind; what is not known is left out."""
    document = {kind.plural: [_item(record) for record in contents.get(kind, ())] for kind in Kind}
    given = {name: items for name, items in document.items() if items}
    text: str = yaml.dump(
        given, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=110, default_flow_style=False
    )
    return text


def _cell(kind: Kind, name: str, value: Value) -> str:
    if isinstance(value, str):
        return guarded(value, is_text(kind, name))
    return "" if value is None else str(_plain(value))


def _item(record: Record) -> dict[str, Any]:
    known = {name: _plain(value) for name, value in values(record).items() if value is not None}
    return {"id": record.id, **known}


def _plain(value: Value) -> Value:
    """As people write it: yes and no, and no `.0`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
