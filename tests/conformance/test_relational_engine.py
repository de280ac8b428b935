"""Engine and database together: what is committed is what the engine holds, and a restart goes on from it."""

import numpy as np
import pytest

from collector.queue import Work
from collector.relational import AlertQuery, Relational, RobotRecord
from rules.batch import Batch
from rules.engine import Engine, Evaluation
from tests.collector.evaluations import RULES
from tests.conformance.databases import Fresh

MINUTE = 60_000
START = 1_800_000_000_000 // MINUTE * MINUTE
FAULTS = "navigation.relocalization_faults"


def batch(number: int) -> Batch:
    """A minute's samples: r1 gets two faults a minute in the first ten, r2 never any."""
    at = START + number * MINUTE
    return Batch(
        committed_at=at + 500,
        robot=np.array([0, 1], dtype=np.int32),
        epoch=["e", "e"],
        seq=np.array([number, number], dtype=np.int64),
        t=np.array([at, at], dtype=np.int64),
        values={FAULTS: np.array([2.0 * min(number, 10), 0.0])},
    )


def run(relational: Relational, numbers: range, engine: Engine) -> list[Evaluation]:
    """Feeds batches and commits every evaluation that comes due."""
    done: list[Evaluation] = []
    for number in numbers:
        due = engine.tick(batch(number).committed_at - 1)
        relational.commit_many(due, RULES)
        done += due
        engine.feed(batch(number))
    return done


def engine(relational: Relational) -> Engine:
    """An engine over the roster, that was listening all the time."""
    made = Engine(RULES, relational.roster())
    made.listened(START - MINUTE, START + 10_000 * MINUTE)
    return made


@pytest.mark.parametrize("crash_at", [3, 60, 390])
def test_a_restart_goes_on_where_it_was(fresh: Fresh, crash_at: int) -> None:
    """With a crash the same events, signals and alerts come as without."""
    outcomes = []
    for crashes in ([], [crash_at]):
        relational = Relational(fresh())
        relational.import_robots([RobotRecord("r1"), RobotRecord("r2")])
        events = []
        begin = 0
        for end in [*crashes, 400]:
            resumed = engine(relational)
            resumed.restore(relational.snapshot())
            for number in range(begin):
                resumed.feed(batch(number))
            done = run(relational, range(begin, end), resumed)
            events += [event for evaluation in done for event in evaluation.events]
            assert relational.snapshot() == resumed.snapshot()
            begin = end
        outcomes.append((events, relational.alerts(AlertQuery(state="all")).items))
        relational.close()
    assert outcomes[0] == outcomes[1]
    alerts = outcomes[0][1]
    assert {alert.rule for alert in alerts} == set(RULES.by_name)
    assert {(alert.entity.id, alert.work, alert.opened_value) for alert in alerts} == {
        ("r1", Work.CLOSED, 6.0)
    }
