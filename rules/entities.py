"""What rules are about: robots, or the sites and customers that robots belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rules.block import Block
from rules.columns import Flags, Rows, Times
from rules.measures import View
from rules.roster import Roster
from rules.rule import DAYS_SINCE_INSTALL, EntityKind, Rule


@dataclass(frozen=True)
class Entities:
    """All of one kind, in the order of their first robots; `of`: the entity of each robot, -1 where none."""

    kind: EntityKind
    ids: tuple[str, ...]
    of: Rows

    @cached_property
    def rows(self) -> dict[str, int]:
        """The place of each."""
        return {id_: row for row, id_ in enumerate(self.ids)}

    @classmethod
    def among(cls, roster: Roster, kind: EntityKind) -> "Entities":
        """Those that the robots of a roster belong to."""
        if kind == "robot":
            return cls(kind, roster.ids, np.arange(len(roster)))
        numbers: dict[str, int] = {}
        of = np.full(len(roster), -1, dtype=np.intp)
        for row, robot in enumerate(roster.robots):
            id_ = robot.attributes.get(kind)
            if id_ is not None:
                of[row] = numbers.setdefault(str(id_), len(numbers))
        return cls(kind, tuple(numbers), of)


class Scope:
    """The robots that a rule counts, and the entities that they make up (`members`, in order)."""

    def __init__(self, rule: Rule, entities: Entities, roster: Roster, mask: Flags | None = None) -> None:
        self.rule = rule
        self.entities = entities
        self.roster = roster
        self.mask: Flags = roster.mask(rule.where) if mask is None else mask
        self.changing = any(filter_.attribute == DAYS_SINCE_INSTALL for filter_ in rule.where)
        counting = np.flatnonzero(self.mask & (entities.of >= 0))
        order = counting[np.argsort(entities.of[counting], kind="stable")]
        of = entities.of[order]
        self._robots: Rows = order
        self._starts: Rows = np.flatnonzero(np.diff(of, prepend=-1))
        self._ends: Rows = np.append(self._starts[1:], len(order)).astype(np.intp)
        self.members: Rows = of[self._starts]
        self._peers: dict[tuple[str, ...], Rows] = {}

    def at(self, tick: int) -> "Scope":
        """With the robots that count at that time, where that changes with time."""
        mask = self.mask & self.roster.days_mask(self.rule.where, tick)
        return Scope(self.rule, self.entities, self.roster, mask)

    def inside(self, ticks: Times) -> Flags | None:
        """[tick, member] for robots: who passes at each time; None: everyone does."""
        if not self.changing:
            return None
        where = self.rule.where
        return np.stack([self.roster.days_mask(where, tick)[self.members] for tick in ticks.tolist()])

    def view(self, block: Block, chosen: Rows | None = None) -> View:
        """Members (by their place among them; None: all) at the ticks of a block."""
        if self.entities.kind == "robot":
            everyone = chosen is None and len(self.members) == len(self.roster)
            return View(block, slice(0, len(self.roster)) if everyone else self._picked(chosen))
        if chosen is None:
            return View(block, self._robots, self._starts)
        sizes = (self._ends - self._starts)[chosen]
        starts = np.cumsum(sizes) - sizes
        places = np.repeat(self._starts[chosen] - starts, sizes) + np.arange(int(sizes.sum()))
        return View(block, self._robots[places], starts)

    def first_robots(self) -> Rows:
        """Of each member, the robot whose clock and hours are taken for it."""
        return self._robots[self._starts]

    @cached_property
    def of_robots(self) -> "Scope":
        """The robots themselves."""
        return Scope(self.rule, Entities.among(self.roster, "robot"), self.roster, self.mask)

    def peers(self, same: Sequence[str]) -> list[Rows]:
        """Group codes of the members by all attributes, then by fewer; by none only if none is given."""
        counts = range(len(same), 0, -1) if same else (0,)
        return [self._codes(tuple(same[:count])) for count in counts]

    def _picked(self, chosen: Rows | None) -> Rows:
        return self.members if chosen is None else self.members[chosen]

    def _codes(self, same: tuple[str, ...]) -> Rows:
        if same not in self._peers:
            numbers: dict[tuple[object, ...], int] = {}
            keys = (tuple(self._shared(member, name) for name in same) for member in range(len(self.members)))
            codes = (numbers.setdefault(key, len(numbers)) for key in keys)
            self._peers[same] = np.fromiter(codes, dtype=np.intp, count=len(self.members))
        return self._peers[same]

    def _shared(self, member: int, name: str) -> object:
        """The value that all robots of a member have; None where they differ, or one has none."""
        rows = self._robots[self._starts[member] : self._ends[member]].tolist()
        values = {self.roster.robots[row].attributes.get(name) for row in rows}
        return values.pop() if len(values) == 1 else None


def chosen_of(members: Rows, flags: NDArray[np.bool_]) -> Rows:
    """The places among members of the entities that are flagged."""
    return np.flatnonzero(flags[members])
