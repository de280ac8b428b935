"""Text and numbers are the same in each database: their order, their limits, and what none can hold."""

import pytest

from collector.queue import Acknowledge, Close, Reason, Snooze
from collector.relational import AlertQuery, Relational, RobotRecord
from rules.engine import Entity
from tests.collector.evaluations import RULES, Signals, evaluation
from tests.conformance.databases import Fresh
from tests.postgres import Postgres

T = 1_800_000_000_000
ODD = "a\0b\ud800c"
READABLE = "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
IDS = ["-z", "10", "9", "Z", "_a", "a", "a-b", "aB", "ab", "a_b", "B", "b", "é", "小", "𝄞"]


def test_robots_go_by_code_point(database: Relational) -> None:
    """Whatever the server's language sorts by, pages go by code point, and each begins where one ended."""
    database.import_robots([RobotRecord(id_) for id_ in IDS])
    page = database.robots_page(limit=1)
    seen = [robot.id for robot in page.items]
    while page.next is not None:
        page = database.robots_page(after=page.next, limit=1)
        seen += [robot.id for robot in page.items]
    assert seen == sorted(IDS)
    assert seen == [robot.id for robot in database.robots_page(limit=100).items]


def test_the_server_of_these_tests_sorts_otherwise(postgres: Postgres) -> None:
    """Else the test above would prove nothing."""
    assert postgres.query("SELECT 'a' < 'B'") == [(True,)]


def test_people_type_what_no_database_holds(database: Relational) -> None:
    """NUL and half a character are written as the sign for what cannot be shown; nothing fails."""
    signals = Signals()
    ids = database.commit(signals.fires(T, "Silent", "r1", "r2"), RULES)
    database.queue.act(ids[0], Acknowledge(ODD), ODD, T)
    snoozed = database.queue.act(ids[0], Snooze(T + 10, ODD), "mei", T + 1)
    assert snoozed.snooze_reason == ODD  # as it was asked for
    database.queue.act(ids[1], Close(Reason.OTHER, ODD), ODD, T)
    kept, closed = (database.alert(id_) for id_ in ids)
    assert kept is not None
    assert closed is not None
    assert (kept.acknowledged_by, kept.snooze_reason) == (READABLE, READABLE)
    assert (closed.closed_by, closed.close_note) == (READABLE, READABLE)
    assert [entry.who for entry in database.history(ids[1])] == ["system", READABLE]


def test_looking_for_what_no_database_holds(database: Relational) -> None:
    """Nothing is found, and nothing fails."""
    assert database.robot("r\0") is None
    assert database.robots_by_id(["r\0", "\udfff"]) == {}
    assert database.alerts(AlertQuery(robot="r\0", rule="\ud800")).items == ()
    assert database.robots_page(after="\0").items == ()
    assert database.alerts_of("\0") == []


def test_attributes_come_back_as_they_were(database: Relational) -> None:
    """Quotes, backslashes, percent signs and any script, in names, values and attributes of the owner's."""
    odd = "%s %(x)s :x ? ' \" \\ ; -- \N{ZERO WIDTH JOINER} 机器人 \U0001f916"
    robot = RobotRecord("r1", name=odd, customer="x" * 256, extra={"floor": -0.5, "note": odd, "n": 1e300})
    database.import_robots([robot])
    assert database.robot("r1") == robot


def test_long_texts(database: Relational) -> None:
    """Far longer than anything a person should type: whole."""
    [id_] = database.commit(Signals().fires(T, "Silent", "r1"), RULES)
    note = "机" * 2_000
    database.queue.act(id_, Close(Reason.OTHER, note), "mei" * 100_000, T)
    alert = database.alert(id_)
    assert alert is not None
    assert (alert.close_note, alert.closed_by) == (note, "mei" * 100_000)


@pytest.mark.parametrize("at", [0, 2**31, 2**53 + 1, 2**63 - 1])
def test_any_time_of_64_bits(fresh: Fresh, at: int) -> None:
    """Times are whole numbers of 64 bits, in rows, marks, cursors and history alike."""
    database = Relational(fresh())
    signals = Signals()
    ids = database.commit(
        evaluation(at, *(signals.fires(at, "Silent", name).events[0] for name in ("r1", "r2"))), RULES
    )
    page = database.alerts(limit=1)
    assert [alert.opened_at for alert in page.items] == [at]
    assert [alert.id for alert in database.alerts(after=page.next, limit=1).items] == ids[1:]
    assert database.snapshot().watermarks == {"health": at}
    assert [entry.at for entry in database.history(ids[0])] == [at]
    database.start_listening(at)
    assert database.listening() == [(at, at)]
    database.close()


def test_an_alert_remembers_its_entity(database: Relational) -> None:
    """Kind and id of an entity come back as they went in, the longest id of the wire included."""
    [id_] = database.commit(Signals().fires(T, "Silent", "r" * 64), RULES)
    alert = database.alert(id_)
    assert alert is not None
    assert alert.entity == Entity("robot", "r" * 64)
