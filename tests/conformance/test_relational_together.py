"""Many at one database: processes that make it, evaluations and people that meet at the same alerts."""

import random
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.queue import Acknowledge, Action, Close, IllegalActionError, Kind, Reason, Snooze, Work
from collector.relational import AlertQuery, Relational
from rules.engine import Evaluation
from rules.lifecycle import State
from tests.collector.evaluations import RULES, Signals, evaluation, measured

T = 1_800_000_000_000
ROBOTS = [f"r{number}" for number in range(4)]

_OPEN = """
import sys
from collector.relational import Relational, RobotRecord
sys.stdin.readline()
relational = Relational(sys.argv[1])
relational.import_robots([RobotRecord(sys.argv[2])])
relational.close()
"""


def test_many_make_the_same_database(url: str) -> None:
    """Processes that open an empty database at once all succeed, and it is made once."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _OPEN, url, f"r{number}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    errors = [process.communicate("\n", timeout=120)[1] for process in processes]
    assert errors == [""] * 4
    relational = Relational(url)
    assert sorted(relational.roster().ids) == ["r0", "r1", "r2", "r3"]
    assert relational.roster_revision() == 4
    relational.close()


def story(seed: int, length: int) -> list[Evaluation]:
    """Signals of a few robots that fire and resolve, with values in between."""
    chance, signals = random.Random(seed), Signals()
    told = []
    for number in range(length):
        at, robot = T + number, chance.choice(ROBOTS)
        firing = signals.states.get(("Silent", robot)) is State.FIRING
        if firing and chance.random() < 0.5:
            told.append(measured(at, "Silent", robot, float(number)))
        else:
            after = State.RESOLVED if firing else State.FIRING
            told.append(evaluation(at, signals.event(at, "Silent", robot, after)))
    return told


def anything(chance: random.Random, now: int) -> Action:
    """What a person might do."""
    actions: list[Action] = [Acknowledge(), Snooze(now + 1_000, "later"), Close(Reason.EXPECTED)]
    return chance.choice(actions)


@pytest.mark.parametrize("seed", range(3))
def test_evaluations_and_people_meet(url: str, seed: int) -> None:
    """While rules fire and resolve, people act on the same alerts: all of it comes about, in some order."""
    engine, desk = Relational(url), Relational(url)
    over = threading.Event()

    def evaluate() -> None:
        told = story(seed, 150)
        try:
            for begin in range(0, len(told), 3):
                engine.commit_many(told[begin : begin + 3], RULES)
        finally:
            over.set()

    def work(number: int) -> int:
        chance, done = random.Random(f"{seed} {number}"), 0
        while not over.is_set():
            for alert in desk.alerts(limit=3).items:
                try:
                    desk.queue.act(alert.id, anything(chance, T), f"csm{number}", T)
                except IllegalActionError:
                    continue
                done += 1
        return done

    with ThreadPoolExecutor(4) as threads:
        people = [threads.submit(work, number) for number in range(3)]
        threads.submit(evaluate).result()
        acted = sum(person.result() for person in people)
    alerts = engine.alerts(AlertQuery(state="all"), limit=500).items
    trails = [engine.history(alert.id) for alert in alerts]
    by_people = sum(entry.who.startswith("csm") for trail in trails for entry in trail)
    assert by_people == acted
    assert all([entry.kind for entry in trail].count(Kind.OPENED) == 1 for trail in trails)
    closed = [[entry.kind for entry in trail].count(Kind.CLOSED) for trail in trails]
    assert closed == [int(alert.work is Work.CLOSED) for alert in alerts]
    assert set(Counter(alert.entity.id for alert in alerts if alert.is_open).values()) <= {1}
    assert engine.snapshot().watermarks == {"health": T + 149}
    engine.close()
    desk.close()


def test_the_same_evaluations_from_two_sides(url: str) -> None:
    """Two that commit the same story at the same time leave what one would have left."""
    told = story(7, 120)
    sides = [Relational(url), Relational(url)]

    def commit(side: Relational) -> list[int]:
        return [id_ for one in told for id_ in side.commit(one, RULES)]

    with ThreadPoolExecutor(2) as threads:
        changed = [id_ for found in threads.map(commit, sides) for id_ in found]
    opened = [alert.id for alert in sides[0].alerts(AlertQuery(state="all"), limit=500).items]
    trails = [sides[0].history(id_) for id_ in opened]
    fired = sum(event.after is State.FIRING for one in told for event in one.events)
    assert len(opened) == fired
    assert set(changed) == set(opened)
    assert all([entry.kind for entry in trail].count(Kind.OPENED) == 1 for trail in trails)
    for side in sides:
        side.close()
