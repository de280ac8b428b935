"""Rules over committed samples, and what they find into the queue.

Live, after a restart and in an import the same thing happens: batches come in the order of their commits,
and an evaluation sees what had been committed by its time, and nothing later. A restart takes up the signals
of the last evaluation committed, and feeds the history again; evaluations that were missed meanwhile are
made up for, many at once.

Evaluations that could not be written are kept and written with the next ones: the engine does not repeat
them. If the process dies before, the next one evaluates them again.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import structlog
from sqlalchemy.exc import SQLAlchemyError

from collector.changes import Changes
from collector.conditions import Conditions
from collector.relational import Relational
from collector.stores import Rows, Store
from collector.stores.rows import MISSING, Floats
from collector.telemetry import Telemetry
from rules.batch import Batch
from rules.engine import Engine
from rules.evaluation import Evaluation
from rules.roster import Roster
from rules.rule import RuleSet

EVAL_DELAY_MS: Final = 30_000
PORTION_MS: Final = 86_400_000  # of commits that are fed before they are evaluated, while catching up
PORTION_ROWS: Final = 500_000  # or of so many samples
Progress = Callable[[float, int], None]  # a fraction, and the time it has come to
log = structlog.get_logger()


def quietly(_done: float, _at: int) -> None:
    """Progress that nobody watches."""


class Evaluator:
    """The engine, with the relational part behind it. Used by one thread."""

    def __init__(
        self,
        rules: RuleSet,
        relational: Relational,
        changes: Changes,
        telemetry: Telemetry,
        conditions: Conditions,
        eval_delay_ms: int = EVAL_DELAY_MS,
    ) -> None:
        self.roster = relational.roster()
        self.eval_delay_ms = eval_delay_ms
        self._rules = rules
        self._relational = relational
        self._changes = changes
        self._telemetry = telemetry
        self._conditions = conditions
        self._engine = Engine(rules, self.roster, eval_delay_ms=eval_delay_ms)
        self._unwritten: list[Evaluation] = []
        self._failing: dict[str, str] = {}  # rules whose last evaluation failed, and why
        self._group = {rule.name: rule.group for rule in rules.rules}
        conditions.well("rules", f"{len(rules.rules)} rules")

    def resume(self, store: Store, progress: Progress = quietly) -> None:
        """Goes on where the last evaluation committed left off, over everything committed since."""
        snapshot = self._relational.snapshot()
        self._engine.restore(snapshot)
        for since, until in self._relational.listening():
            self._engine.listened(since, until)
        evaluated = min(snapshot.watermarks.values(), default=None)
        since = 0 if evaluated is None else evaluated - self._engine.lookback_ms
        begin, end = since, store.contents().last_at or 0
        ticked, rows = begin, 0
        for batch in store.batches(max(0, since), self.roster, self._rules.metrics):
            begin, ticked = begin or batch.committed_at, ticked or batch.committed_at
            if batch.committed_at - ticked > PORTION_MS or rows > PORTION_ROWS:
                self._evaluate(batch.committed_at - 1)
                ticked, rows = batch.committed_at, 0
            self._engine.feed(batch)
            rows += len(batch)
            progress((batch.committed_at - begin) / max(1, end - begin), batch.committed_at)
        self._evaluate(end - 1)

    def enrol(self, roster: Roster) -> None:
        """Takes a roster that has grown or changed."""
        self.roster = roster
        self._engine.enrol(roster)

    def listened(self, since: int, until: int) -> None:
        """The collector was listening in that time."""
        self._engine.listened(since, until)

    def take(self, rows: Rows, committed_at: int) -> None:
        """Samples were committed; their robots are in the roster."""
        self._evaluate(committed_at - 1)
        self._engine.feed(batch_of(rows, committed_at, self.roster, self._rules.metrics))

    def advance(self, now: int) -> None:
        """Evaluates what is due by now. Nothing may be committed at or before `now` after this."""
        self._evaluate(now)

    def _evaluate(self, now: int) -> None:
        with self._telemetry.evaluation_seconds.time():
            self._unwritten += self._engine.tick(now)
        self._write()

    def _write(self) -> None:
        if not self._unwritten:
            return
        try:
            changed = self._relational.commit_many(self._unwritten, self._rules)
        except SQLAlchemyError as error:
            cause = " ".join(str(getattr(error, "orig", None) or error).split())
            self._conditions.ill("queue", f"{len(self._unwritten)} evaluations cannot be written: {cause}")
            log.error("evaluations cannot be written; trying again", error=cause)
            return
        self._report(self._unwritten)
        self._unwritten = []
        self._conditions.well("queue", "up to date")
        self._changes.publish("alerts", changed)

    def _report(self, evaluations: Iterable[Evaluation]) -> None:
        """Counts rules that failed, logs each new reason once, and tells health which fail now."""
        for evaluation in evaluations:
            failed = dict(evaluation.errors)
            for rule, message in failed.items():
                self._telemetry.rule_errors.labels(rule).inc()
                if self._failing.get(rule) != message:
                    log.error("a rule cannot be evaluated; its signals stay", rule=rule, error=message)
            if self._failing or failed:
                others = {r: m for r, m in self._failing.items() if self._group.get(r) != evaluation.group}
                self._failing = others | failed
        count = len(self._rules.rules)
        if self._failing:
            first = next(f"{rule}: {message}" for rule, message in self._failing.items())
            self._conditions.ill("rules", f"{len(self._failing)} of {count} rules fail, such as {first}")
        else:
            self._conditions.well("rules", f"{count} rules")


def settled_until(relational: Relational, eval_delay_ms: int) -> int:
    """Evaluations have looked so far: whatever is committed from now on must be committed after this."""
    evaluated = max(relational.snapshot().watermarks.values(), default=None)
    return 0 if evaluated is None else evaluated + eval_delay_ms


def batch_of(rows: Rows, committed_at: int, roster: Roster, metrics: Iterable[str]) -> Batch:
    """Samples as the engine takes them; those of a robot in the order in which the store gives them back."""
    order = np.argsort(rows.seq, kind="stable")
    listed = order.tolist()
    return Batch(
        committed_at=committed_at,
        robot=np.array([roster.index(rows.robot[at]) for at in listed], dtype=np.int32),
        epoch=[rows.epoch[at] for at in listed],
        seq=rows.seq[order],
        t=rows.t[order],
        values={name: _values(rows, name)[order] for name in metrics},
    )


def _values(rows: Rows, name: str) -> Floats:
    """A metric's column, NaN where a sample has none."""
    if name in rows.gauges:
        return rows.gauges[name]
    counter = rows.counters.get(name)
    if counter is None:
        return np.full(len(rows), np.nan)
    return np.where(counter == MISSING, np.nan, counter)
