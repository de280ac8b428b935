"""A collector that is killed at its n-th step of the database, for every n; then one that starts again.

    python -m tests.conformance.killed URL EVERY

Prints, as JSON, what an alert's life left behind when nothing happened, and what it left behind when the
process was killed at step 1, 2, …, and its successor did everything again that it had no answer to.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.engine import Engine

from collector.people import Person, Role
from collector.queue import Acknowledge, Action, Close, Reason, Snooze, StaleActionError
from collector.registry import Kind
from collector.relational import Relational, RobotRecord
from collector.relational.database import Database
from collector.relational.schema import alerts, audit, happenings
from collector.silences import Draft, Matcher, SilenceKind
from rules.lifecycle import State
from tests.collector.evaluations import HOUR, RULES, Signals

T = 1_795_309_200_000  # a Sunday, 01:00 UTC
DAY = 24 * HOUR
Step = Callable[[Relational], object]


def life(number: int) -> list[Step]:
    """All that can happen to an alert of a robot of its own, each step such as may be tried again."""
    robot, customer, csm = (f"{letter}{number:05}" for letter in "rcp")
    at, signals = T + number * 42 * DAY, Signals()
    fires, resolves = (
        signals.fires(at, "Silent", robot),
        signals.becomes(at + 5, "Silent", robot, State.RESOLVED),
    )
    again = signals.fires(at + DAY, "Silent", robot)
    hidden = Draft(SilenceKind.SILENCE, (Matcher("robot", "=", (robot,)),), at + 2, at + 9, "moving")
    return [
        lambda relational: relational.commit(fires, RULES),
        lambda relational: _silence(relational, hidden, at + 2),
        lambda relational: relational.queue.advance(at + 10),
        lambda relational: relational.registry.edit(Kind.CUSTOMER, customer, {"csm": csm}, "eve", at + 10),
        lambda relational: _act(relational, robot, Acknowledge("on it"), 1, at + 11),
        lambda relational: _act(relational, robot, Snooze(at + 2 * HOUR, "wait"), 2, at + 12),
        lambda relational: relational.queue.advance(at + 2 * HOUR),
        lambda relational: _act(relational, robot, Close(Reason.FIXED_ON_SITE), 4, at + 3 * HOUR),
        lambda relational: relational.commit(resolves, RULES),
        lambda relational: relational.commit(again, RULES),
        lambda relational: _leaves(relational, csm, at + DAY + 1),
        lambda relational: relational.queue.advance(at + 10 * DAY + 8 * HOUR),  # in working time
        lambda relational: _act(relational, robot, Close(Reason.EXPECTED), 1, at + 11 * DAY, episode=2),
    ]


def _silence(relational: Relational, draft: Draft, now: int) -> None:
    """A person who got no answer looks whether it is there."""
    known = relational.silences.page(now, ended=None, limit=1).items
    if not known or known[0].matchers != draft.matchers:
        relational.silences.add(draft, "mei", now)


def _leaves(relational: Relational, id_: str, now: int) -> None:
    """An admin who got no answer looks whether the person is still there."""
    person = relational.accounts.person(id_)
    if person is not None and person.active:
        relational.accounts.change(replace(person, active=False), "adam", now)


def _act(
    relational: Relational, robot: str, action: Action, revision: int, now: int, episode: int = 1
) -> None:
    """A person who got no answer tries again, on the alert as it was seen."""
    alert = relational.alerts_of(robot)[-episode]
    with suppress(StaleActionError):
        relational.queue.act(alert.id, action, "mei", now, revision=revision)


def left_behind(url: str, robot: str) -> dict[str, list[Any]]:
    """The alerts of a robot, their trails and what there is to tell of them."""
    with closing(Database(url)) as raw, raw.reading() as connection:
        rows = connection.execute(select(alerts).where(alerts.c.entity == robot).order_by(alerts.c.id)).all()
        ids = [row.id for row in rows]
        trails = connection.execute(select(audit).where(audit.c.alert.in_(ids)).order_by(audit.c.id))
        told = connection.execute(
            select(happenings).where(happenings.c.alert.in_(ids)).order_by(happenings.c.id)
        )
        return {
            "alerts": [
                [row.work, row.signal, row.owner is None, row.relapses, row.escalated, row.revision]
                for row in rows
            ],
            "trail": [[ids.index(row.alert), row.kind, row.who] for row in trails],
            "told": [[ids.index(row.alert), row.kind] for row in told],
        }


def live(url: str, number: int, kill_at: int) -> int:
    """Runs a life; kills this process before its step `kill_at`. Answers how many steps there were."""
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with closing(Relational(url)) as relational:
        event.listen(Engine, "before_cursor_execute", count)
        event.listen(Engine, "commit", count)
        for step in life(number):
            step(relational)
        event.remove(Engine, "before_cursor_execute", count)
        event.remove(Engine, "commit", count)
    return seen


def main(url: str, every: int) -> None:
    """Lives one life whole, and then one for every step (or every so many) at which it is killed."""
    with closing(Relational(url)) as relational:
        robots = [RobotRecord(f"r{number:05}", customer=f"c{number:05}") for number in range(400)]
        relational.import_robots(robots)
        for number in range(len(robots)):
            relational.accounts.add(Person(f"p{number:05}", "Pat", Role.CSM), None, "adam", T)
    steps = live(url, 0, kill_at=0)
    lives, killed = [], 0
    for number in range(1, steps + 1, every):
        child = os.fork()
        if child == 0:
            live(url, number, kill_at=number)
            os._exit(0)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        live(url, number, kill_at=0)
        lives.append(left_behind(url, f"r{number:05}"))
    found = {"whole": left_behind(url, "r00000"), "lives": lives, "steps": steps, "killed": killed}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
