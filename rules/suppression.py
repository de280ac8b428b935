"""Suppression: why an alert that fires is not shown.

The stage after the signals. It takes evaluations in their order and says, beside their events, from when on
an alert is suppressed and by what: its own flapping, another alert that inhibits it, or a storm of its rule,
whichever of these comes first. What it says follows from the evaluations and the roster alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rules.evaluation import By, Entity, Evaluation, Event, Signal, SignalKey, Snapshot, Suppression
from rules.flapping import LASTING, Flaps, Turns, begins, ends
from rules.inhibition import Inhibition, Place
from rules.roster import Roster
from rules.rule import RuleSet
from rules.storm import NAME, Storms

Kept = tuple[Mapping[SignalKey, Turns], Mapping[SignalKey, By], Mapping[SignalKey, Signal]]


class Suppressor:
    """What is suppressed, and by what."""

    _flaps: Flaps
    _inhibition: Inhibition
    _storms: Storms
    _firing: dict[SignalKey, None]
    _suppressed: dict[SignalKey, By]
    _stale: bool  # everything is to be judged again

    def __init__(self, rules: RuleSet, roster: Roster) -> None:
        self._rules = rules
        self._order = {rule.name: number for number, rule in enumerate(rules.rules)}
        self._begin(roster)

    def enrol(self, roster: Roster) -> None:
        """Takes a roster that has grown, or whose attributes changed."""
        self._inhibition.enrol(roster)
        self._storms.enrol(roster)
        self._roster, self._stale = roster, True

    def take(self, evaluation: Evaluation) -> Evaluation:
        """The evaluation with the storms that begin or end at it, and with all changes of suppression."""
        group, at = evaluation.group, evaluation.at
        storms, flaps = self._storms.asks(group), self._flaps.asks(group, at)
        if not (evaluation.events or storms or flaps or self._stale):
            return evaluation
        touched = self._see(evaluation.events)
        touched.update(dict.fromkeys(self._flaps.calmed(group, at)))
        found = tuple(self._storms.judge(group, at))
        for storm in found:
            touched.update(dict.fromkeys(self._storms.firing(storm.entity.id)))
        if self._stale:
            touched.update(dict.fromkeys((*self._firing, *self._suppressed)))
            self._stale = False
        changes = tuple(self._judge(touched, at))
        if not (found or changes):
            return evaluation
        return replace(evaluation, events=evaluation.events + found, suppressions=changes)

    def snapshot(self) -> Kept:
        """What must be kept: when signals lately turned, what is suppressed, and the storms that fire."""
        return dict(self._flaps.turns), dict(self._suppressed), self._storms.signals()

    def restore(self, snapshot: Snapshot) -> None:
        """Takes up what was kept. Signals of `RuleStorm` are its own."""
        self._begin(self._roster)
        fired = {
            key: (snapshot.turns.get(key) or (signal.since,))[-1]
            for key, signal in snapshot.signals.items()
            if key[0] != NAME and signal.state in LASTING
        }
        turns = {key: kept for key, kept in snapshot.turns.items() if kept}
        self._flaps.restore(
            turns | {key: (at,) for key, at in fired.items() if key not in turns}, snapshot.suppressed
        )
        self._suppressed = dict(snapshot.suppressed)
        for key, at in sorted(fired.items(), key=lambda item: item[1]):
            self._firing[key] = None
            self._inhibition.began(key, at)
            self._storms.began(key, at)
        self._storms.restore({k: s for k, s in snapshot.signals.items() if s.state in LASTING})
        self._stale = True

    def _begin(self, roster: Roster) -> None:
        self._roster = roster
        self._flaps = Flaps(self._rules)
        self._inhibition = Inhibition(self._rules, roster)
        self._storms = Storms(self._rules, roster)
        self._firing, self._suppressed, self._stale = {}, {}, False

    def _see(self, events: Iterable[Event]) -> dict[SignalKey, None]:
        """Takes note of alerts that begin and end; answers all that may be suppressed otherwise now."""
        touched: dict[SignalKey, None] = {}
        places: dict[Place, None] = {}
        for event in events:
            key = event.rule, event.entity.kind, event.entity.id
            if begins(event):
                self._firing[key] = None
                self._storms.began(key, event.at)
                places.update(dict.fromkeys(self._inhibition.began(key, event.at)))
            elif ends(event):
                self._firing.pop(key, None)
                self._storms.ended(key)
                places.update(dict.fromkeys(self._inhibition.ended(key)))
            else:
                continue
            self._flaps.turn(key, event)
            touched[key] = None
        for place in places:
            touched.update(dict.fromkeys(self._inhibition.targets(place)))
        return touched

    def _judge(self, touched: Iterable[SignalKey], at: int) -> Iterable[Suppression]:
        for key in sorted(touched, key=self._rank):
            by = self._by(key)
            if by != self._suppressed.get(key):
                if by is None:
                    del self._suppressed[key]
                else:
                    self._suppressed[key] = by
                yield Suppression(at, key[0], Entity(key[1], key[2]), by)

    def _rank(self, key: SignalKey) -> tuple[int, SignalKey]:
        return self._order.get(key[0], len(self._order)), key

    def _by(self, key: SignalKey) -> By | None:
        if key in self._flaps:
            return By("flapping", key[0], Entity(key[1], key[2]))
        if key not in self._firing:
            return None
        return self._inhibition.by(key) or self._storms.by(key)
