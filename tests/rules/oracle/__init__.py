"""The slow scalar oracle: what the engine should say, written as plainly as possible, one entity at a time.

It shares the rule records with the engine and nothing else: no arrays, no windows that move, no state but the
signals. Every evaluation looks at all samples anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rules.rule import Group, RuleSet
from tests.rules.oracle.life import LASTING, following
from tests.rules.oracle.look import Listening, Look
from tests.rules.oracle.records import Attributes, Measured, Robots, Said, Sample
from tests.rules.oracle.sight import Sight

__all__ = ["Attributes", "Key", "Measured", "Oracle", "Robots", "Said", "Sample"]

Key = tuple[str, str, str]  # rule, kind of entity, its id
Signals = dict[Key, tuple[str, int]]


@dataclass
class Oracle:
    """Rules over samples that are all known beforehand."""

    rules: RuleSet
    rosters: Sequence[tuple[int, Robots]]  # each for what is due after its time
    samples: Sequence[Sample]  # in the order of their commit
    listening: Sequence[tuple[int, int]]
    lookback: int
    delay: int
    signals: Signals = field(default_factory=dict)

    def run(self, begin: int, end: int) -> list[Said]:
        """Every event of the evaluations after `begin` that are due by `end`, in order."""
        due = [
            (at, number)
            for number, group in enumerate(self.rules.groups)
            for at in range((begin // group.interval_ms + 1) * group.interval_ms, end + 1, group.interval_ms)
            if at + self.delay <= end
        ]
        return [said for at, number in sorted(due) for said in self._evaluate(self.rules.groups[number], at)]

    def look(self, group: Group, at: int) -> Iterator[Look]:
        """What each rule of the group sees at that time."""
        fleet = self._fleet(at)
        intervals = {interval.name: interval for interval in self.rules.intervals}
        listening = Listening(joined(self.listening), self.lookback)
        for rule in group.rules:
            yield Look(rule, fleet, intervals, listening, at)

    def evidence(self, at: int, group: str) -> dict[Key, list[tuple[float | None, bool | None]]]:
        """What the conditions of a group rest on at that time, by rule and entity, of those inside."""
        (found,) = (one for one in self.rules.groups if one.name == group)
        return {
            (look.rule.name, thing.kind, thing.id): look.evidence(thing)
            for look in self.look(found, at)
            for thing in look.things
            if thing.inside
        }

    def _fleet(self, at: int) -> list[Sight]:
        robots = [robots for since, robots in self.rosters if since < at + self.delay][-1]
        return [
            Sight(robot, attributes, [s for s in self.samples if s.robot == robot], at, self.delay)
            for robot, attributes in robots.items()
        ]

    def _bury(self, group: Group, at: int) -> Iterator[Said]:
        """Signals of sites and customers without robots end at the next evaluation of any group."""
        fleet = self._fleet(at)
        for rule in self.rules.rules:
            there = {str(robot.attributes.get(rule.entity, "")) for robot in fleet}
            gone = [key for key in self.signals if key[0] == rule.name and rule.entity != "robot"]
            for key in (key for key in gone if key[2] not in there):
                before, _ = self.signals.pop(key)
                after = "resolved" if before in LASTING else "inactive"
                if before != "inactive":
                    yield Said(at, group.name, *key, before, after, at, None)

    def _evaluate(self, group: Group, at: int) -> Iterator[Said]:
        yield from self._bury(group, at)
        for look in self.look(group, at):
            rule = look.rule
            for thing in look.things:
                key = rule.name, thing.kind, thing.id
                before, since_before = self.signals.get(key, ("inactive", 0))
                after, since = following(rule, look, thing, before, since_before)
                if after != before:
                    self.signals[key] = after, since
                    value = look.evidence(thing)[0][0] if thing.inside else None
                    yield Said(at, group.name, *key, before, after, since, value)


def joined(intervals: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same time, in intervals apart from each other and in order."""
    found: list[tuple[int, int]] = []
    for since, end in sorted(intervals):
        if found and since <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((since, end))
    return found
