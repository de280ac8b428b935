"""One rule's look at a block: its leaves on the entities that matter, each reckoned once."""

from functools import cached_property

import numpy as np

from rules.block import Block
from rules.columns import Floats, Rows, Times
from rules.conditions import TRUE, UNKNOWN, Truth, evaluate, held
from rules.entities import Scope
from rules.intervals import Calendar
from rules.measures import Measured, View, change, measure
from rules.peers import standing
from rules.rule import Compare, Condition, Leaf, Measure, OwnPast, Peers, Rule, ShareOfRobots, Silent


class Look:
    """`chosen`: places among the members of the scope, None: all. Numbers and truths are [tick, chosen]."""

    def __init__(
        self, rule: Rule, scope: Scope, block: Block, calendar: Calendar, chosen: Rows | None
    ) -> None:
        self._rule = rule
        self._scope = scope
        self._block = block
        self._calendar = calendar
        self._chosen = chosen
        self._measured: dict[int, Measured] = {}
        self._truths: dict[int, Truth] = {}

    def truth(self, condition: Condition) -> Truth:
        """Whether it holds, in Kleene's three values."""
        return evaluate(condition, self.leaf)

    def leaf(self, leaf: Leaf) -> Truth:
        """Whether a leaf holds."""
        if id(leaf) not in self._truths:
            self._truths[id(leaf)] = held(leaf, self.measured(leaf))
        return self._truths[id(leaf)]

    def measured(self, leaf: Leaf) -> Measured:
        """What a leaf compares."""
        key = id(leaf.measure) if isinstance(leaf, Compare) else id(leaf)  # `clear_when` shares its measure
        if key not in self._measured:
            self._measured[key] = self._measure(leaf)
        return self._measured[key]

    @cached_property
    def view(self) -> View:
        """The entities that were chosen."""
        return self._scope.view(self._block, self._chosen)

    def _measure(self, leaf: Leaf) -> Measured:
        match leaf:
            case Compare(measured):
                return measure(measured, self.view)
            case Silent():
                return measure(leaf, self.view, self._period(self.view))
            case Peers():
                return Measured(self._among_peers(leaf))
            case OwnPast():
                return Measured(change(leaf, self.view))
            case ShareOfRobots():
                return Measured(self._share(leaf))

    def _period(self, view: View) -> Times | None:
        """Silence counts from the beginning of the active period on; a site's is that of its first robot."""
        names = self._rule.active_intervals
        if not names:
            return None
        clocks = view.rows if view.starts is None else view.spread(view.rows[view.starts])
        return self._calendar.state(names, self._block.ticks, clocks)[1]

    def _among_peers(self, peers: Peers) -> Floats:
        """Everyone is measured, whoever was chosen."""
        numbers = self._everyone(peers.measure)
        inside = self._scope.inside(self._block.ticks)
        if inside is not None and self._scope.entities.kind == "robot":
            numbers = np.where(inside, numbers, np.nan)
        groupings = self._scope.peers(peers.same)
        ranked = [standing(row, groupings, peers.min_peers, peers.statistic) for row in numbers]
        found = np.stack(ranked)
        return found if self._chosen is None else found[:, self._chosen]

    def _everyone(self, measured: Measure) -> Floats:
        found = measure(measured, self._scope.view(self._block))
        if found.covered is None:
            return found.numbers
        return np.where(found.covered, found.numbers, np.nan)

    def _share(self, share: ShareOfRobots) -> Floats:
        """Of the robots that count, each looked at for itself."""
        scope, starts = self._scope.of_robots, self.view.starts
        assert starts is not None, "the loader sees to it"  # noqa: S101 -- only sites and customers have shares
        robots = np.searchsorted(scope.members, self.view.rows)
        look = Look(self._rule, scope, self._block, self._calendar, robots)
        truth = look.truth(share.condition)
        holding = np.add.reduceat((truth == TRUE).astype(np.float64), starts, axis=1)
        known = np.add.reduceat((truth != UNKNOWN).astype(np.float64), starts, axis=1)
        enough = known >= max(share.min_robots, 1)
        return np.where(enough, holding / np.where(enough, known, 1), np.nan)
