"""What a file says: an entry for every row that can be used, and what is wrong with every other one."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from collector.registry import rows
from collector.registry.checks import check_field, checked, checked_id
from collector.registry.problems import Problem, RegistryError, shown
from collector.registry.records import Kind, Value

Form = Literal["csv", "yaml"]
_FORMS: Final[Mapping[str, Form]] = {".csv": "csv", ".yaml": "yaml", ".yml": "yaml"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that can be used: what it says of whom. A field that it does not name stays as it is."""

    kind: Kind
    id: str
    given: Mapping[str, Value]
    line: int = 0
    source: str = ""

    @property
    def place(self) -> str:
        """`customers.csv:7`."""
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Reading:
    """The entries of one file, or of several, and what is wrong in them, by file and line."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()


def kind_of_file(name: str) -> Kind | None:
    """What the rows of a file are, by its name: `contracts.csv`, `Sites 2026.csv`."""
    found = re.match(r"(customer|contract|site|robot)s(?![a-z])", re.split(r"[/\\]", name)[-1].lower())
    return Kind(found[1]) if found else None


def form_of_file(name: str) -> Form | None:
    """How a file is written, by its suffix."""
    suffix = re.search(r"\.[a-z]+$", name.lower())
    return _FORMS.get(suffix[0]) if suffix else None


def read(text: str, source: str, kind: Kind | None = None, form: Form | None = None) -> Reading:
    """The entries of a text; kind and form by the name of its source, where they are not given."""
    form, named = form or form_of_file(source), kind or kind_of_file(source)
    if form is None:
        return refused(source, 0, RegistryError("suffix"))
    text = text.removeprefix("\ufeff")
    try:
        found = list(rows.from_yaml(text, kind, named) if form == "yaml" else rows.from_csv(text, named))
    except rows.FileError as error:
        return refused(source, error.line, error.error)
    return joined([_entry(row, source) for row in found])


def refused(source: str, line: int, error: RegistryError) -> Reading:
    """A file of which nothing can be used."""
    return Reading((), (Problem(source, line, error, fatal=True),))


def joined(readings: Iterable[Reading]) -> Reading:
    """All of them as one; who stands there twice counts once, and is told."""
    first: dict[tuple[Kind, str], Entry] = {}
    problems: list[Problem] = []
    for reading in readings:
        problems += reading.problems
        for entry in reading.entries:
            known = first.setdefault((entry.kind, entry.id), entry)
            if known is not entry:
                names = {"kind": entry.kind.value, "value": shown(entry.id), "place": known.place}
                problems.append(Problem(entry.source, entry.line, RegistryError("twice", "id", **names)))
    return Reading(tuple(first.values()), tuple(problems))


def given(kind: Kind, cells: Mapping[str, Value]) -> tuple[dict[str, Value], list[RegistryError]]:
    """The values of a row or a form, and all that is wrong with them. The id is not looked at."""
    taken: dict[str, Value] = {}
    errors: list[RegistryError] = []
    for name, raw in cells.items():
        if name == "id":
            continue
        try:
            check_field(kind, name)
            taken[name] = checked(kind, name, raw)
        except RegistryError as error:
            errors.append(error)
    return taken, errors


def _entry(row: rows.Row, source: str) -> Reading:
    if row.error is not None:
        return Reading((), (Problem(source, row.line, row.error),))
    taken, errors = given(row.kind, row.cells)
    try:
        id_ = checked_id(row.kind, row.cells.get("id"))
    except RegistryError as error:
        return Reading((), tuple(Problem(source, row.line, each) for each in (error, *errors)))
    if errors:
        return Reading((), tuple(Problem(source, row.line, each) for each in errors))
    return Reading((Entry(row.kind, id_, taken, row.line, source),))
