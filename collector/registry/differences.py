"""What entries would change of what is known: added, changed field by field, or as it was."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from collector.registry.checks import made
from collector.registry.problems import Problem, RegistryError, shown
from collector.registry.reading import Entry, Reading
from collector.registry.records import Kind, Lifecycle, Record, RobotRecord, Value, kind_of, values

What = Literal["added", "changed", "removed"]
Fields = Mapping[str, tuple[Value, Value]]  # before and after
Subject = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One record that is new, or of which some fields are; `record` as it is afterwards."""

    what: What
    kind: Kind
    id: str
    fields: Fields
    record: Record
    source: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import does: all of its differences, or, as long as there are problems, nothing."""

    differences: tuple[Difference, ...]
    unchanged: int
    problems: tuple[Problem, ...] = ()

    @property
    def counts(self) -> Mapping[What, int]:
        """How many are added, and how many changed."""
        found = Counter(difference.what for difference in self.differences)
        return {"added": found["added"], "changed": found["changed"]}

    @property
    def digest(self) -> str:
        """The same for the same differences: who has seen them can ask for these, and no others."""
        seen = [(each.kind.value, each.id, sorted(each.fields.items())) for each in self.differences]
        return hashlib.sha256(repr(seen).encode("utf-8", "replace")).hexdigest()[:16]

    def without(self, refused: Sequence[Difference], why: str) -> "Plan":
        """The same plan, with a problem in the place of each of these."""
        kept = tuple(each for each in self.differences if each not in refused)
        problems = [
            Problem(each.source, each.line, RegistryError(why, "customer", value=shown(each.id)))
            for each in refused
        ]
        return Plan(kept, self.unchanged, _in_order([*self.problems, *problems]))


def plan(reading: Reading, known: Mapping[Subject, Record]) -> Plan:
    """What the entries would change of `known`; entries that do not fit to it are problems, too."""
    found: list[Difference] = []
    problems = list(reading.problems)
    for entry in reading.entries:
        try:
            difference = compared(entry, known.get((entry.kind, entry.id)))
        except RegistryError as error:
            problems.append(Problem(entry.source, entry.line, error))
        else:
            found += [difference] if difference else []
    unchanged = len(reading.entries) - len(found) - (len(problems) - len(reading.problems))
    return Plan(tuple(found), unchanged, _in_order(problems))


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.source, problem.line)))


def compared(entry: Entry, before: Record | None) -> Difference | None:
    """What an entry changes; None: nothing. Raises `RegistryError` where it makes no record."""
    known = {} if before is None else values(before)
    if isinstance(before, RobotRecord) and before.lifecycle is Lifecycle.UNCLAIMED:
        known["lifecycle"] = None  # whoever writes a robot down claims it
    after = made(entry.kind, entry.id, {**known, **entry.given})
    fields = changes(before, after)
    if before is not None and not fields:
        return None
    return Difference(
        "changed" if before else "added", entry.kind, entry.id, fields, after, entry.source, entry.line
    )


def changes(before: Record | None, after: Record | None) -> Fields:
    """Field by field, where two states of a record differ; None: it is not there."""
    old = {} if before is None else values(before)
    new = {} if after is None else values(after)
    names = dict.fromkeys((*new, *old))
    pairs = {name: (old.get(name), new.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def removal(record: Record) -> Difference:
    """That a record goes."""
    return Difference("removed", kind_of(record), record.id, changes(record, None), record)
