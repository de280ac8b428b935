"""YAML as people write rules in: mappings, lists and scalars that know where they stand.

Only that part of YAML is taken which cannot surprise or abuse. Limits are checked on the stream of events
before anything is built: size, depth, one document; no anchors, aliases, tags or merge keys. Scalars stay
text (so `no` is a word and `1_000` no number); what they mean is decided by whoever expects them.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_PROBLEMS = 100
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_T = TypeVar("_T")
_D = TypeVar("_D")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file, and where; lines and columns count from 1, and 0 is the file as a whole."""

    file: str
    line: int
    column: int
    message: str

    @property
    def position(self) -> tuple[int, int]:
        """What comes first in the file sorts first."""
        return self.line, self.column

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class Refused(Exception):  # noqa: N818 -- control flow while reading; users meet RuleErrors
    """A value cannot be used; caught where the next one can be read. Without a problem: it is recorded."""

    def __init__(self, problem: Problem | None = None) -> None:
        super().__init__(str(problem or "see the problems recorded before"))
        self.problem = problem


class GivingUp(Exception):  # noqa: N818 -- control flow while reading
    """So much is wrong with a file that reading on helps nobody."""


@dataclass(slots=True)
class Source:
    """A file being read, and what was found wrong with it. Raises `GivingUp` at `MAX_PROBLEMS`."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def note(self, line: int, column: int, message: str) -> None:
        """Records a problem; reading goes on."""
        self.record(Refused(Problem(self.file, line, column, message)))

    def record(self, refused: Refused) -> None:
        """Records why a value was refused, unless that was done before."""
        if refused.problem is None:
            return
        self.problems.append(refused.problem)
        if sum(problem.file == self.file for problem in self.problems) == MAX_PROBLEMS:
            message = f"{MAX_PROBLEMS} problems by here; reading stopped, mend these first"
            self.problems.append(replace(refused.problem, message=message))
            raise GivingUp


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of the document and its place."""

    source: Source
    line: int
    column: int

    def refused(self, message: str) -> Refused:
        """To raise: this piece is wrong."""
        return Refused(Problem(self.source.file, self.line, self.column, message))

    def note(self, message: str) -> None:
        """Records that this piece is wrong; reading goes on."""
        self.source.note(self.line, self.column, message)


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    """A word, number or text; `plain` where it stands without quotes."""

    text: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Items(Node):
    """A list."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entries(Node):
    """A mapping; keys are unique words."""

    entries: Mapping[str, tuple[Scalar, Node]]


class Fields:
    """A mapping that is read key by key; whatever is wrong is recorded, and reading goes on."""

    def __init__(self, node: Node, what: str) -> None:
        if not isinstance(node, Entries):
            raise node.refused(f"{what} must be a mapping (key: value), not {shown(node)}")
        self.node = node
        self.what = what
        self._before = len(node.source.problems)

    @property
    def sound(self) -> bool:
        """Whether nothing was found wrong since reading began."""
        return len(self.node.source.problems) == self._before

    def __contains__(self, key: str) -> bool:
        return key in self.node.entries

    def entry(self, key: str) -> Node:
        """The node of a key that is given."""
        return self.node.entries[key][1]

    def only(self, known: Iterable[str]) -> None:
        """Records every key that is not known."""
        known = tuple(known)
        for key, value in self.node.entries.values():
            if key.text not in known and shown(value) == "nothing":
                key.note(f"unknown key {shown(key)}; a text with a comma or colon in it needs quotes")
            elif key.text not in known:
                key.note(f"unknown key {shown(key)}{hint(key.text, known)}")

    def read(self, key: str, reader: Callable[[Node], _T], default: _D) -> _T | _D:
        """The value as `reader` understands it; the default where it is not given, or wrong."""
        if key not in self.node.entries:
            return default
        try:
            return reader(self.node.entries[key][1])
        except Refused as refused:
            self.node.source.record(refused)
            return default

    def need(self, key: str, reader: Callable[[Node], _T], why: str = "") -> _T | None:
        """Like `read`; that it is not given is a problem, too."""
        if key not in self.node.entries:
            self.node.note(f'{self.what} needs "{key}"{why}')
            return None
        return self.read(key, reader, None)


def load(path: Path, problems: list[Problem], reader: Callable[[Node], _T]) -> _T | None:
    """As `read`, of the document in a file; that it cannot be opened is a problem, too."""
    data = contents(path, problems)
    return None if data is None else read(str(path), data, problems, reader)


def contents(path: Path, problems: list[Problem]) -> bytes | None:
    """The bytes of a file that people write, of one too long the first; None where there are none."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        problems.append(Problem(str(path), 0, 0, f"cannot be read: {error.strerror or error}"))
        return None


def read(file: str, data: bytes, problems: list[Problem], reader: Callable[[Node], _T]) -> _T | None:
    """What `reader` makes of the document in `data`; None where it cannot tell, and `problems` say why."""
    node = parse(file, data, problems)
    if node is None:
        return None
    try:
        return _read(node, reader)
    except GivingUp:
        return None


def _read(node: Node, reader: Callable[[Node], _T]) -> _T | None:
    try:
        return reader(node)
    except Refused as refused:
        node.source.record(refused)
        return None


def parse(file: str, data: bytes, problems: list[Problem]) -> Node | None:
    """The document in `data`; None where it is no document of ours, and `problems` say why."""
    source = Source(file, problems)
    try:
        text = decoded(source, data)
        _check(source, text)
        root = yaml.compose(text, Loader=_LOADER)
        if root is None:
            raise Refused(Problem(file, 1, 1, "the file is empty"))
        return _node(source, root)
    except GivingUp:
        return None
    except Refused as refused:
        source.record(refused)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        source.note(line, column, f"no valid YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:
        source.note(1, 1, f"no valid YAML: {' '.join(str(error).split())}")
    return None


def decoded(source: Source, data: bytes) -> str:
    """The text of a file that people write. Raises `Refused` where it is none, or too long."""
    if len(data) > MAX_BYTES:
        raise Refused(Problem(source.file, 0, 0, f"longer than {MAX_BYTES} bytes; split the file"))
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise Refused(Problem(source.file, line, column, "not UTF-8; save the file as UTF-8")) from None
    if bad := _UNPRINTABLE.search(text):
        line, column = text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start())
        raise Refused(Problem(source.file, line, column, f"the character {bad[0]!r} is not allowed"))
    return text


def one_or_more(node: Node, reader: Callable[[Node], _T], what: str) -> tuple[_T, ...]:
    """One value, or a list of several that differ; what is wrong with one is recorded. Raises `Refused`."""
    if not isinstance(node, Items):
        return (reader(node),)
    found = each(node, reader, what)
    if len(found) < len(node.items):
        raise Refused
    if not found:
        raise node.refused(f"needs at least one {what}")
    if len(set(found)) < len(found):
        raise node.refused(f"the same {what} stands twice")
    return tuple(found)


def each(node: Node, reader: Callable[[Node], _T], what: str) -> list[_T]:
    """The items of a list that `reader` understands; what is wrong with others is recorded."""
    if not isinstance(node, Items):
        raise node.refused(f"{what} must be a list, not {shown(node)}")
    found = []
    for item in node.items:
        try:
            found.append(reader(item))
        except Refused as refused:
            node.source.record(refused)
    return found


def shown(node: Node) -> str:
    """How a message names a value that is not what it should be."""
    match node:
        case Scalar(text=""):
            return "nothing"
        case Scalar(text=text):
            return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}…"'
        case Items():
            return "a list"
    return "a mapping"


def hint(word: str, known: Iterable[str]) -> str:
    """What was probably meant; else what there is, where that is short."""
    names = sorted(known)
    close = difflib.get_close_matches(word[:100], names, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; one of: {', '.join(names)}" if 0 < len(names) <= 24 else ""


def _check(source: Source, text: str) -> None:
    """Refuses what would be dangerous to build, before it is built."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if complaint := _complaint(event):
            raise _at(source, event.start_mark, complaint)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            raise _at(source, event.start_mark, "a second document; use one file for each")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _at(source, event.start_mark, f"nested more than {MAX_DEPTH} deep")


def _complaint(event: yaml.Event) -> str:
    if isinstance(event, yaml.AliasEvent):
        return f"aliases (*{event.anchor}) are not allowed; write the value again"
    if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        return f"anchors (&{event.anchor}) are not allowed; write the value where it is used"
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
        return f"tags ({event.tag}) are not allowed; leave it out"
    return ""


def _at(source: Source, mark: Any, message: str) -> Refused:
    return Refused(Problem(source.file, mark.line + 1, mark.column + 1, message))


def _node(source: Source, node: yaml.Node) -> Node:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    match node:
        case yaml.ScalarNode():
            if bad := _UNPRINTABLE.search(node.value):  # from an escape such as "\\e"
                raise _at(source, node.start_mark, f"the character {bad[0]!r} is not allowed")
            return Scalar(source, line, column, node.value, node.style is None or node.style == "")
        case yaml.SequenceNode():
            return Items(source, line, column, tuple(_node(source, item) for item in node.value))
    return Entries(source, line, column, dict(_entries(source, node.value)))


def _entries(
    source: Source, pairs: Iterable[tuple[yaml.Node, yaml.Node]]
) -> Iterator[tuple[str, tuple[Scalar, Node]]]:
    seen: dict[str, Scalar] = {}
    for key_node, value in pairs:
        key = _node(source, key_node)
        if not isinstance(key, Scalar):
            key.note(f"a key must be a word, not {shown(key)}")
        elif key.plain and key.text == "<<":
            key.note("merge keys (<<) are not allowed; write the keys again")
        elif key.text in seen:
            key.note(f"key {shown(key)} stands twice; the first is in line {seen[key.text].line}")
        else:
            seen[key.text] = key
            yield key.text, (key, _node(source, value))
