"""The engine: batches and time in, events out.

It has no clock. The evaluation at T, a multiple of its group's interval, is due at T + `eval_delay_ms`, and
sees exactly the samples committed by then and not later than T. So the same samples with the same listening
times give the same events, live, late, after a restart or over a recording, in whatever batches they come;
and evaluations that are due together are reckoned together, hundreds in one pass (see `history.py`).
"""

from collections.abc import Iterator
from dataclasses import replace

from rules.batch import Batch, Portion
from rules.block import Block
from rules.columns import NEVER
from rules.entities import Entities
from rules.evaluation import (
    By,
    Entity,
    Evaluation,
    Event,
    Evidence,
    Reading,
    Signal,
    SignalKey,
    Snapshot,
    Suppression,
)
from rules.group import GroupState
from rules.history import History
from rules.intervals import Calendar
from rules.lifecycle import State
from rules.needs import Needs
from rules.roster import Roster
from rules.rule import ENTITIES, RuleSet
from rules.suppression import Suppressor

__all__ = [
    "By",
    "Engine",
    "Entity",
    "Evaluation",
    "Event",
    "Evidence",
    "Reading",
    "Signal",
    "SignalKey",
    "Snapshot",
    "State",
    "Suppression",
]

_ENDS = {State.FIRING: State.RESOLVED, State.RECOVERING: State.RESOLVED}


class Engine:
    """Rules over a fleet. Batches come in the order of their commit.

    An attentive engine can tell what every signal looked like at its last evaluation; it is slower. One
    without readings tells of changes alone.
    """

    def __init__(
        self,
        rules: RuleSet,
        roster: Roster,
        *,
        eval_delay_ms: int = 30_000,
        attentive: bool = False,
        readings: bool = True,
    ) -> None:
        self._delay = eval_delay_ms
        self._rules = rules
        self._needs = Needs.of(rules)
        self._roster = roster
        intervals = [group.interval_ms for group in rules.groups if group.rules]
        self._history = History(self._needs, roster, intervals, eval_delay_ms)
        calendar = Calendar(rules.intervals, roster)
        groups = (group for group in rules.groups if group.rules)
        self._groups = [
            GroupState(group, roster, calendar, attentive=attentive, readings=readings) for group in groups
        ]
        self._suppressor = Suppressor(rules, roster)
        self._orphans: dict[SignalKey, Signal] = {}

    @property
    def lookback_ms(self) -> int:
        """How far back from the last evaluation, by commit time, batches are needed to warm up."""
        return self._needs.lookback_ms + self._delay

    def enrol(self, roster: Roster) -> None:
        """Takes a roster that has grown, or whose attributes changed; rows must stay. Raises `ValueError`."""
        if roster.ids[: len(self._roster)] != self._roster.ids:
            raise ValueError("the robots of a roster must keep their rows")
        self._roster = roster
        self._history.enrol(roster)
        calendar = Calendar(self._rules.intervals, roster)
        kinds = {kind: Entities.among(roster, kind) for kind in ENTITIES}
        for group in self._groups:
            self._orphans.update(group.enrol(roster, calendar, kinds))
        self._suppressor.enrol(roster)

    def listened(self, since: int, until: int) -> None:
        """The collector was listening in that time; may extend an interval told before."""
        self._begin(since)
        self._history.listening.add(since, until)

    def feed(self, batch: Batch) -> None:
        """Takes a batch; it is looked at when an evaluation that sees it is due."""
        self._begin(batch.committed_at)
        self._history.add(self._history.reader.of_batch(batch))

    def feed_portion(self, portion: Portion) -> None:
        """Takes many batches at once."""
        if len(portion):
            self._begin(int(portion.committed_at[0]))
            self._history.add(self._history.reader.of_portion(portion))

    def tick(self, now: int) -> list[Evaluation]:
        """Evaluates, in order of time, every group at every time due by `now` and not evaluated yet."""
        return [self._suppressor.take(evaluation) for evaluation in self._evaluations(now - self._delay)]

    def reading(self, rule: str, entity_id: str) -> Reading | None:
        """What a signal looked like at its last evaluation; None where the engine is not attentive."""
        found = (group.reading(rule, entity_id) for group in self._groups)
        return next((reading for reading in found if reading is not None), None)

    def snapshot(self) -> Snapshot:
        """What must be kept to go on after a restart."""
        marks = {group.name: group.evaluated_at for group in self._groups if group.evaluated_at is not None}
        turns, suppressed, storms = self._suppressor.snapshot()
        signals = {**self._orphans, **storms}
        for group in self._groups:
            signals.update(group.signals())
        return Snapshot(marks, signals, turns, suppressed)

    def restore(self, snapshot: Snapshot) -> None:
        """Takes up signals and watermarks. Then feed the batches of `lookback_ms` again, then go on.

        Signals of rules or entities that are gone end at the next evaluation. A new group begins where the
        others are.
        """
        if snapshot.watermarks:
            latest = max(snapshot.watermarks.values())
            for group in self._groups:
                group.evaluated_at = snapshot.watermarks.get(group.name, latest)
            self._history.begin(min(snapshot.watermarks.values()) - self._needs.lookback_ms)
        self._suppressor.restore(snapshot)
        self._orphans = {key: signal for key, signal in snapshot.signals.items() if key[1] in ENTITIES}
        for group in self._groups:
            for key in group.restore(self._orphans):
                del self._orphans[key]

    def _begin(self, at: int) -> None:
        """A new engine evaluates from the first time on that it hears of."""
        if self._history.until == NEVER:
            self._history.begin(at)
            for group in self._groups:
                group.evaluated_at = at

    def _evaluations(self, until: int) -> Iterator[Evaluation]:
        if not self._groups or self._history.until == NEVER:
            return
        for strip in self._history.strips(self._history.last_grid(until)):
            since, end = strip.since, strip.until
            done: list[tuple[int, int, Evaluation]] = []
            for number, group in enumerate(self._groups):
                ticks = group.ticks(since, end)
                if len(ticks):
                    block = Block(self._history, strip, ticks, group.interval_ms)
                    done += [(found.at, number, found) for found in group.evaluate(block)]
            for at, _, evaluation in sorted(done, key=lambda item: item[:2]):
                ends = self._buried(at) if self._orphans else ()
                yield replace(evaluation, events=ends + evaluation.events) if ends else evaluation

    def _buried(self, at: int) -> tuple[Event, ...]:
        """The ends of signals whose rule or entity is gone, told once."""
        orphans, self._orphans = self._orphans, {}
        return tuple(
            Event(
                at,
                rule,
                Entity(kind, id_),
                signal.state,
                _ENDS.get(signal.state, State.INACTIVE),
                at,
                None,
                None,
                (),
            )
            for (rule, kind, id_), signal in orphans.items()
        )
