"""The engine: batches and time in, events out.

It has no clock. The evaluation at T, a multiple of its group's interval, is due at T + `eval_delay_ms` and
sees exactly the batches committed by then; `feed` sees to it that those due before a batch come before it. So
the same batches with the same listening times give the same events, live, late, or after a restart.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from rules.batch import Batch
from rules.evaluation import (
    Entity,
    Evaluation,
    Event,
    Evidence,
    Reading,
    Signal,
    SignalKey,
    Snapshot,
)
from rules.group import GroupState
from rules.history import History, Needs
from rules.lifecycle import State
from rules.roster import Roster
from rules.rule import RuleSet

__all__ = [
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
]


class Engine:
    """Rules over a fleet. Batches come in the order of their commit."""

    def __init__(self, rules: RuleSet, roster: Roster, *, eval_delay_ms: int = 30_000) -> None:
        self._delay = eval_delay_ms
        self._needs = Needs.of(rules)
        self._history = History(self._needs, len(roster))
        self._roster = roster
        self._groups = [GroupState(group, roster) for group in rules.groups if group.rules]
        self._due: deque[Evaluation] = deque()  # done in `feed`, not yet asked for
        self._orphans: dict[SignalKey, Signal] = {}
        self._begun = False

    @property
    def lookback_ms(self) -> int:
        """How far back from the last evaluation, by commit time, batches are needed to warm up."""
        return self._needs.lookback_ms + self._delay

    def enrol(self, roster: Roster) -> None:
        """Takes a roster that has grown, or whose attributes changed; rows must stay. Raises `ValueError`."""
        if roster.ids[: len(self._roster)] != self._roster.ids:
            raise ValueError("the robots of a roster must keep their rows")
        self._roster = roster
        self._history.widen(len(roster))
        for group in self._groups:
            group.enrol(roster)

    def listened(self, since: int, until: int) -> None:
        """The collector was listening in that time; may extend an interval told before."""
        self._begin(since)
        self._history.listening.add(since, until)

    def feed(self, batch: Batch) -> None:
        """Takes a batch; what was due before it is evaluated first, and kept for the next `tick`."""
        self._begin(batch.committed_at)
        self._due.extend(self._evaluations(batch.committed_at - 1))
        self._history.add(batch, batch.committed_at - 1 - self._delay)

    def tick(self, now: int) -> list[Evaluation]:
        """Evaluates, in order of time, every group at every time due by `now` and not evaluated yet."""
        self._due.extend(self._evaluations(now))
        done = list(self._due)
        self._due.clear()
        return done

    def reading(self, rule: str, entity_id: str) -> Reading | None:
        """What a signal looked like at its last evaluation; None where there was none."""
        if entity_id not in self._roster:
            return None
        row = self._roster.index(entity_id)
        found = (group.reading(rule, row) for group in self._groups)
        return next((reading for reading in found if reading is not None), None)

    def snapshot(self) -> Snapshot:
        """What must be kept to go on after a restart; evaluations not yet asked for are in it, too."""
        watermarks = {
            group.name: group.evaluated_at for group in self._groups if group.evaluated_at is not None
        }
        signals = dict(self._orphans)
        for group in self._groups:
            signals.update(group.signals())
        return Snapshot(watermarks, signals)

    def restore(self, snapshot: Snapshot) -> None:
        """Takes up signals and watermarks. Then feed the batches of `lookback_ms` again, then go on.

        Signals of rules or robots that are gone end at the next evaluation. A new group begins where the
        others are.
        """
        if snapshot.watermarks:
            self._begun = True
            latest = max(snapshot.watermarks.values())
            for group in self._groups:
                group.evaluated_at = snapshot.watermarks.get(group.name, latest)
        self._orphans = dict(snapshot.signals)
        for group in self._groups:
            for key in group.restore(self._orphans):
                del self._orphans[key]

    def _begin(self, at: int) -> None:
        """A new engine evaluates from the first time on that it hears of."""
        if not self._begun:
            self._begun = True
            for group in self._groups:
                group.evaluated_at = at

    def _evaluations(self, now: int) -> Iterator[Evaluation]:
        while self._groups and self._begun:
            at = min(group.next_at for group in self._groups)
            if at + self._delay > now:
                return
            self._history.take_in(at)
            for group in self._groups:
                if group.next_at == at:
                    evaluation = group.evaluate(at, self._history)
                    yield replace(evaluation, events=self._buried(at) + evaluation.events)

    def _buried(self, at: int) -> tuple[Event, ...]:
        """The ends of signals whose rule or robot is gone, told once."""
        orphans, self._orphans = self._orphans, {}
        ends = {State.FIRING: State.RESOLVED, State.RECOVERING: State.RESOLVED}
        return tuple(
            Event(
                at,
                rule,
                Entity(kind, id_),
                signal.state,
                ends.get(signal.state, State.INACTIVE),
                at,
                None,
                None,
                (),
            )
            for (rule, kind, id_), signal in orphans.items()
        )
