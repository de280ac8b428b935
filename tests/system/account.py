"""The account of a run: what robots took against what the store has, to the last number. Pure arithmetic.

A robot says itself how many samples it took in an epoch: numbers 1 … n. Each of them must stand in the
export exactly once, or be declared lost by the collector. Of each alert that had to come, there must be one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SHOWN: Final = 12  # findings of one kind
Integers = NDArray[np.int64]
_NONE: Final = np.array([], np.int64)


class Numbering(NamedTuple):
    """Whose samples, in which epoch."""

    robot: str
    epoch: str

    def __str__(self) -> str:
        return f"{self.robot} epoch {self.epoch}"


class Declared(NamedTuple):
    """A loss as the collector wrote it down: `lost` of the numbers `first` … `last`, for `reason`."""

    of: Numbering
    first: int
    last: int
    lost: int
    reason: str


class Fired(NamedTuple):
    """An alert of a rule about a robot."""

    rule: str
    robot: str

    def __str__(self) -> str:
        return f"{self.rule} of {self.robot}"


class Alert(NamedTuple):
    """An alert that there is, and when it opened, as the API says it."""

    fired: Fired
    opened_at: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found at the end of a run."""

    taken: Mapping[Numbering, int] = field(default_factory=dict)  # by the robots' own word
    stored: Mapping[Numbering, Integers] = field(default_factory=dict)  # numbers, one a row of the export
    losses: Sequence[Declared] = ()
    expected: frozenset[Fired] = frozenset()
    alerts: Sequence[Alert] = ()
    reckoned_again: Sequence[Alert] = ()  # by an import of the export, from nothing
    counted: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # robot: by firmware, as stored
    complaints: Sequence[str] = ()  # of processes that ended by themselves, printed a traceback, …


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the account; `findings` say in words what there should be none of."""

    what: str
    count: int
    must_be_zero: bool = False
    findings: tuple[str, ...] = ()

    def __str__(self) -> str:
        verdict = "   MUST BE 0" if self.must_be_zero and self.count else ""
        return f"  {self.what:32}{self.count:>12,}{verdict}"


@dataclass(frozen=True, slots=True)
class Account:
    """The lines, as a person reads them."""

    lines: tuple[Line, ...]

    @classmethod
    def of(cls, evidence: Evidence) -> "Account":
        """Reckons."""
        return cls((*_samples(evidence), *_alerts(evidence), *_others(evidence)))

    def __getitem__(self, what: str) -> int:
        return next(line.count for line in self.lines if line.what == what)

    @property
    def is_zero(self) -> bool:
        """Whether nothing is there that should not be."""
        return not any(line.count for line in self.lines if line.must_be_zero)

    @property
    def findings(self) -> tuple[str, ...]:
        """What should not be, in words; at most `SHOWN` of a kind."""
        return tuple(finding for line in self.lines for finding in _shown(line.findings))

    def __str__(self) -> str:
        return "\n".join([*map(str, self.lines), *(f"  ! {finding}" for finding in self.findings)])


def _samples(evidence: Evidence) -> Iterator[Line]:
    books = [_Book.of(of, evidence) for of in sorted({*evidence.taken, *evidence.stored})]
    yield Line("samples taken", sum(book.taken for book in books))
    yield Line("samples stored", sum(len(book.stored) for book in books))
    yield _none_of("duplicated", (book.duplicated for book in books))
    yield Line("declared lost", sum(len(book.declared) for book in books))
    yield _none_of("undeclared lost", (book.undeclared for book in books))
    yield _none_of("stored, never taken", (book.never_taken for book in books))
    yield _none_of("losses misdeclared", (book.misdeclared for book in books))


def _alerts(evidence: Evidence) -> Iterator[Line]:
    live, again, expected = _by_kind(evidence.alerts), _by_kind(evidence.reckoned_again), evidence.expected
    yield Line("alerts expected", len(expected))
    yield _none_of("alerts twice", ((len(live[one]) > 1, f"{one}: {len(live[one])} alerts") for one in live))
    yield _none_of("alerts missing", ((1, f"{one}: no alert") for one in sorted(expected - live.keys())))
    yield _none_of(
        "alerts unexpected", ((1, f"{one}: nothing called for it") for one in live if one not in expected)
    )
    yield _none_of(
        "alerts otherwise by the export",
        (
            (live.get(one) != again.get(one), f"{one}: live {_times(live, one)}, {_times(again, one)} by it")
            for one in sorted({*live, *again})
        ),
    )


def _by_kind(alerts: Iterable[Alert]) -> dict[Fired, list[str]]:
    """When the alerts of each kind opened."""
    found: dict[Fired, list[str]] = {}
    for alert in sorted(alerts):
        found.setdefault(alert.fired, []).append(alert.opened_at)
    return found


def _times(alerts: Mapping[Fired, Sequence[str]], one: Fired) -> str:
    return " and ".join(alerts.get(one, ["never"]))


def _others(evidence: Evidence) -> Iterator[Line]:
    yield _none_of(
        "robots miscounted",
        (
            (counted != stored, f"{robot}: its firmware counted {counted}, its last sample says {stored}")
            for robot, (counted, stored) in sorted(evidence.counted.items())
        ),
    )
    yield _none_of("complaints", ((1, complaint) for complaint in evidence.complaints))


@dataclass(frozen=True, slots=True)
class _Book:
    """The samples of one numbering."""

    of_: Numbering
    taken: int
    rows: Integers
    stored: Integers  # different numbers
    declared: Integers
    lost: Integers  # neither stored nor declared
    misdeclared_by: int

    @classmethod
    def of(cls, of: Numbering, evidence: Evidence) -> "_Book":
        rows = evidence.stored.get(of, _NONE)
        taken = np.arange(1, evidence.taken.get(of, 0) + 1)
        losses = [loss for loss in evidence.losses if loss.of == of]
        excused = np.setdiff1d(_numbers(losses), rows)
        gone = np.setdiff1d(taken, rows)
        return cls(
            of_=of,
            taken=len(taken),
            rows=rows,
            stored=np.unique(rows),
            declared=np.intersect1d(gone, excused),
            lost=np.setdiff1d(gone, excused),
            misdeclared_by=sum(loss.lost for loss in losses) - len(excused),
        )

    @property
    def duplicated(self) -> tuple[int, str]:
        numbers, counts = np.unique(self.rows, return_counts=True)
        return int((counts - 1).sum()), f"{self.of_}: more than once: {runs(numbers[counts > 1].tolist())}"

    @property
    def undeclared(self) -> tuple[int, str]:
        said = f"{self.of_}: neither stored nor declared lost: {runs(self.lost.tolist())}, of {self.taken}"
        return len(self.lost), said

    @property
    def never_taken(self) -> tuple[int, str]:
        numbers = self.stored[(self.stored < 1) | (self.stored > self.taken)].tolist()
        return len(numbers), f"{self.of_}: stored, though {self.taken} were taken: {runs(numbers)}"

    @property
    def misdeclared(self) -> tuple[int, str]:
        said = f"{self.of_}: the collector's losses count {self.misdeclared_by:+d} against what is missing"
        return abs(self.misdeclared_by), said


def runs(numbers: Iterable[int]) -> str:
    """Rising numbers as people write them: `3, 7-9`; the first `SHOWN` runs of them."""
    found: list[str] = []
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        found.append(f"{members[0]}-{members[-1]}" if len(members) > 1 else f"{members[0]}")
    return ", ".join(found[:SHOWN]) + (" …" if len(found) > SHOWN else "")


def _none_of(what: str, found: Iterable[tuple[int, str]]) -> Line:
    """A line that must be zero: how many there are, and what, of those with any."""
    wrong = [(count, said) for count, said in found if count]
    return Line(what, sum(count for count, _ in wrong), True, tuple(said for _, said in wrong))


def _numbers(losses: Iterable[Declared]) -> Integers:
    ranges = [np.arange(loss.first, loss.last + 1) for loss in losses]
    return np.unique(np.concatenate(ranges)) if ranges else _NONE


def _shown(findings: Sequence[str]) -> Iterator[str]:
    yield from findings[:SHOWN]
    if len(findings) > SHOWN:
        yield f"… and {len(findings) - SHOWN} more of these"
