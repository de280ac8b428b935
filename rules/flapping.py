"""Flapping: signals that fire and resolve again and again.

A turn is the begin or the end of an alert; what recovers and fires again is still the old one. A signal flaps
from the turn on by which turns in the last `history` evaluations are at least the share `enter`, until an
evaluation at which they are at most the share `leave`, also while it is at rest.
"""

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from typing import Final

from rules.evaluation import By, Event, SignalKey
from rules.lifecycle import State
from rules.rule import Flapping, Rule, RuleSet

LASTING: Final = (State.FIRING, State.RECOVERING)
Turns = tuple[int, ...]


def begins(event: Event) -> bool:
    """Whether an alert begins to fire."""
    return event.after is State.FIRING and event.before not in LASTING


def ends(event: Event) -> bool:
    """Whether an alert fires no more."""
    return event.before in LASTING and event.after not in LASTING


def turned(rule: Rule | None, turns: Turns, event: Event) -> Turns:
    """The turns of a signal after one more; those that no evaluation will ask for again are left out.

    The last turn of a signal that fires, when it began to, is always among them.
    """
    if rule is not None and rule.flapping is not None:
        since = event.at - _window(rule, rule.flapping)
        return (*(turn for turn in turns if turn > since), event.at)
    return (event.at,) if begins(event) else ()


class Flaps:
    """Turns of signals, and which signals flap."""

    def __init__(self, rules: RuleSet) -> None:
        self.turns: dict[SignalKey, Turns] = {}
        self._rules = rules.by_name
        self._flapping: set[SignalKey] = set()
        self._due: dict[str, list[tuple[int, SignalKey]]] = {group.name: [] for group in rules.groups}

    def __contains__(self, key: SignalKey) -> bool:
        return key in self._flapping

    def restore(self, turns: Mapping[SignalKey, Turns], suppressed: Mapping[SignalKey, By]) -> None:
        """Takes up turns; what is suppressed by flapping flaps, if its rule still knows of it."""
        self.turns = dict(turns)
        for key, by in suppressed.items():
            rule = self._rules.get(key[0])
            if by.reason == "flapping" and rule is not None and rule.flapping is not None:
                self._flapping.add(key)
                heappush(self._due[rule.group], (self._calm_at(rule, rule.flapping, key), key))

    def turn(self, key: SignalKey, event: Event) -> None:
        """An alert began or ended."""
        rule = self._rules.get(key[0])
        turns = turned(rule, self.turns.get(key, ()), event)
        if turns:
            self.turns[key] = turns
        else:
            self.turns.pop(key, None)
        if rule is None or rule.flapping is None or key in self._flapping:
            return
        flapping = rule.flapping
        if len(turns) / flapping.history >= flapping.enter and len(turns) > _calm(flapping):
            self._flapping.add(key)
            heappush(self._due[rule.group], (self._calm_at(rule, flapping, key), key))

    def asks(self, group: str, at: int) -> bool:
        """Whether some signal of the group may be calm again."""
        due = self._due.get(group)
        return bool(due) and due[0][0] <= at  # type: ignore[index]  # not None, since it is not empty

    def calmed(self, group: str, at: int) -> Iterator[SignalKey]:
        """The signals of the group that flap no more from this evaluation on."""
        due = self._due.get(group, [])
        while due and due[0][0] <= at:
            _, key = heappop(due)
            rule = self._rules[key[0]]
            calm_at = self._calm_at(rule, rule.flapping, key) if rule.flapping else at
            if calm_at > at:
                heappush(due, (calm_at, key))
            else:
                self._flapping.discard(key)
                yield key

    def _calm_at(self, rule: Rule, flapping: Flapping, key: SignalKey) -> int:
        """When so few turns will be left in the window that it is calm, if no other comes."""
        last = self.turns.get(key, ())[-_calm(flapping) - 1 :]
        return last[0] + _window(rule, flapping) if len(last) > _calm(flapping) else 0


def _window(rule: Rule, flapping: Flapping) -> int:
    return flapping.history * rule.interval_ms


def _calm(flapping: Flapping) -> int:
    """How many turns in the window are calm."""
    return max(turns for turns in range(flapping.history + 1) if turns / flapping.history <= flapping.leave)
