"""The rows of a text, YAML or CSV, each with its line; a row that cannot be read is told, and passed over.

A cell that a spreadsheet would take for a formula, or a text for a number, begins with `'` in a CSV; a
text that begins so by itself gets one more. So every text comes back as it went out.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import yaml

from collector.registry.checks import check_field, is_text, number_or_text
from collector.registry.problems import RegistryError, shown
from collector.registry.records import Kind, Value

MAX_DEPTH: Final = 8
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the quick one, where it was built
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n]")
_LISTS: Final[Mapping[str, Kind]] = {kind.plural: kind for kind in Kind}
_NULL: Final = "tag:yaml.org,2002:null"
_NUMBERS: Final = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands there; `error` where it is none."""

    kind: Kind
    line: int
    cells: Mapping[str, Value] = field(default_factory=dict)
    error: RegistryError | None = None


class FileError(Exception):
    """Nothing of a file can be used."""

    def __init__(self, line: int, error: RegistryError) -> None:
        self.line, self.error = line, error
        super().__init__(str(error))


# --- CSV --------------------------------------------------------------------------------------------------


def from_csv(text: str, kind: Kind | None) -> Iterator[Row]:
    """The rows of a CSV whose first line names the columns. Raises `FileError`."""
    if kind is None:
        raise FileError(0, RegistryError("no_kind"))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        _check_header(names, kind)
        before = reader.line_num
        for cells in reader:
            if any(cells):
                yield _csv_row(kind, before + 1, names, cells)
            before = reader.line_num
    except csv.Error as error:
        raise FileError(reader.line_num, RegistryError("not_csv", reason=error)) from None


def _check_header(names: Sequence[str], kind: Kind) -> None:
    if "id" not in names:
        raise FileError(1, RegistryError("no_id"))
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise FileError(1, RegistryError("column_twice", value=shown(twice[0])))
    for name in names:
        try:
            if name not in ("", "id"):
                check_field(kind, name)
        except RegistryError as error:
            raise FileError(1, error) from None


def _csv_row(kind: Kind, line: int, names: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) > len(names):
        return Row(kind, line, error=RegistryError("cells", cells=len(cells), columns=len(names)))
    given = {name: cell.strip(" \t\r\n") for name, cell in zip(names, cells, strict=False) if name}
    return Row(kind, line, {name: unguarded(cell, is_text(kind, name)) for name, cell in given.items()})


def guarded(cell: str, as_text: bool) -> str:
    """A text for a cell; where numbers are known by their looks, one that looks so stays text."""
    return f"'{cell}" if _needs_guard(cell, as_text) else cell


def unguarded(cell: str, as_text: bool) -> Value:
    """The value of a cell that `guarded` may have written."""
    if cell.startswith("'") and _needs_guard(cell[1:], as_text):
        return cell[1:]
    return cell if as_text else number_or_text(cell)


def _needs_guard(cell: str, as_text: bool) -> bool:
    bare = cell.lstrip("'")
    return bool(_FORMULA.match(cell)) or (not as_text and not isinstance(number_or_text(bare), str))


# --- YAML -------------------------------------------------------------------------------------------------


def from_yaml(text: str, kind: Kind | None, named: Kind | None = None) -> Iterator[Row]:
    """The rows of lists under their names, or of one without a name, as the file is `named`.

    With `kind`, the rows of that list alone. Raises `FileError`.
    """
    document = _composed(text)
    for of, items in _lists(document, kind, kind or named):
        if not isinstance(items, yaml.SequenceNode):
            raise FileError(_line(items), RegistryError("no_list", what=of.plural))
        for node in items.value:
            yield _yaml_row(of, node)


def _composed(text: str) -> yaml.Node | None:
    try:
        _check_depth(yaml.parse(text, Loader=_LOADER))
        found: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
        raise FileError(mark.line + 1 if mark else 0, RegistryError("not_yaml", reason=problem)) from None
    return found


def _check_depth(events: Iterable[yaml.Event]) -> None:
    """The parser gives events without recursion; composing them recurses."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise FileError(
                event.start_mark.line + 1 if event.start_mark else 0, RegistryError("deep", most=MAX_DEPTH)
            )


def _lists(
    document: yaml.Node | None, kind: Kind | None, bare: Kind | None
) -> Iterator[tuple[Kind, yaml.Node]]:
    if isinstance(document, yaml.MappingNode):
        named = [(str(key.value), key, value) for key, value in document.value]
        if kind is not None:
            named = [item for item in named if item[0] == kind.plural]
        for name, key, value in named:
            if name not in _LISTS:
                raise FileError(
                    _line(key), RegistryError("unknown_list", value=shown(name), known=", ".join(_LISTS))
                )
            if not _is_empty(value):
                yield _LISTS[name], value
        if named:
            return
    elif isinstance(document, yaml.SequenceNode):
        if bare is None:
            raise FileError(0, RegistryError("no_kind"))
        yield bare, document
        return
    raise FileError(0, RegistryError("no_list", what=kind.plural if kind else Kind.CUSTOMER.plural))


def _yaml_row(kind: Kind, node: yaml.Node) -> Row:
    line = _line(node)
    if not isinstance(node, yaml.MappingNode):
        return Row(kind, line, error=RegistryError("no_row", kind=kind.value))
    cells: dict[str, Value] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            name = shown(getattr(key, "value", "?"))
            return Row(kind, line, error=RegistryError("no_value", value=name))
        if key.value in cells:
            return Row(kind, line, error=RegistryError("key_twice", value=shown(key.value)))
        cells[key.value] = _scalar(kind, key.value, value)
    return Row(kind, line, cells)


def _scalar(kind: Kind, name: str, node: yaml.ScalarNode) -> Value:
    if node.tag == _NULL:
        return None
    is_number = node.tag in _NUMBERS and not is_text(kind, name)
    return number_or_text(node.value) if is_number else str(node.value)


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
