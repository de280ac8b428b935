"""The relational store on each database: evaluations are all or nothing, and nothing is told twice."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from collector.queue import (
    Acknowledge,
    Close,
    IllegalActionError,
    Kind,
    Reason,
    Severity,
    Signal,
    Snooze,
    Work,
)
from collector.relational import (
    AlertQuery,
    CursorError,
    ImportResult,
    Lifecycle,
    Relational,
    RobotQuery,
    RobotRecord,
    UnknownAlertError,
)
from collector.relational import alerts as rows
from collector.relational.database import Database
from rules.engine import Signal as EngineSignal
from rules.lifecycle import State
from rules.rule import RuleSet
from tests.collector.evaluations import HOUR, RULES, Signals, evaluation, measured

T = 1_800_000_000_000


@pytest.fixture
def signals() -> Signals:
    """Signals at rest."""
    return Signals()


# -- evaluations


def test_a_firing_signal_opens_an_alert(database: Relational, signals: Signals) -> None:
    """The alert carries what the event said, and its history begins with it."""
    [id_] = database.commit(signals.fires(T, "Relocalization", "r1"), RULES)
    alert = database.alert(id_)
    assert alert is not None
    assert (alert.rule, alert.entity.id, alert.work, alert.signal) == (
        "Relocalization",
        "r1",
        Work.NEW,
        Signal.FIRING,
    )
    assert (alert.opened_at, alert.since, alert.value, alert.threshold) == (T, T - 60_000, 6.0, 5.0)
    assert (alert.evidence[0].metrics, alert.unit) == (("navigation.relocalization_faults",), "faults")
    assert [entry.kind for entry in database.history(id_)] == [Kind.OPENED]


def test_pending_is_not_in_the_queue(database: Relational, signals: Signals) -> None:
    """A pending signal is remembered, but opens nothing."""
    assert database.commit(signals.becomes(T, "Silent", "r1", State.PENDING), RULES) == []
    known = {("Silent", "robot", "r1"): EngineSignal(State.PENDING, T - 60_000)}
    assert database.snapshot().signals == known


def test_an_evaluation_counts_once(database: Relational, signals: Signals) -> None:
    """The same evaluation again, as after a crash, changes nothing and answers nothing."""
    first = signals.fires(T, "Silent", "r1", "r2")
    ids = database.commit(first, RULES)
    assert database.commit(first, RULES) == []
    assert [alert.id for alert in database.alerts().items] == ids
    assert database.snapshot().watermarks == {"health": T}


def test_watermarks_are_kept_by_group(database: Relational) -> None:
    """A group's progress does not hide another group's evaluation at the same time."""
    database.commit_many([evaluation(T), evaluation(T, group="engagement")], RULES)
    assert database.snapshot().watermarks == {"health": T, "engagement": T}


def test_a_resolved_signal_ends_what_nobody_took(database: Relational, signals: Signals) -> None:
    """Fired, recovered, resolved: the alert closed itself, and its history tells all of it."""
    [id_] = database.commit(signals.fires(T, "Silent", "r1"), RULES)
    database.commit(signals.becomes(T + 1, "Silent", "r1", State.RECOVERING), RULES)
    database.commit(signals.becomes(T + 2, "Silent", "r1", State.RESOLVED), RULES)
    alert = database.alert(id_)
    assert alert is not None
    assert (alert.work, alert.close_reason, alert.closed_at) == (Work.CLOSED, Reason.RESOLVED, T + 2)
    kinds = [entry.kind for entry in database.history(id_)]
    assert kinds == [Kind.OPENED, Kind.SIGNAL, Kind.SIGNAL, Kind.CLOSED]


def test_the_same_alert_carries_on(database: Relational, signals: Signals) -> None:
    """A signal that fires anew while its acknowledged alert is open opens no second one."""
    [id_] = database.commit(signals.fires(T, "Silent", "r1"), RULES)
    database.queue.act(id_, Acknowledge(), "mei", T)
    database.commit(signals.becomes(T + 1, "Silent", "r1", State.RESOLVED), RULES)
    assert database.commit(signals.fires(T + 2, "Silent", "r1"), RULES) == [id_]
    [alert] = database.alerts().items
    assert (alert.id, alert.work, alert.signal) == (id_, Work.ACKNOWLEDGED, Signal.FIRING)


def test_a_persons_close_holds_until_it_fires_anew(database: Relational, signals: Signals) -> None:
    """What a person closed stays closed while the signal relapses; a new episode is a new alert."""
    [id_] = database.commit(signals.fires(T, "Silent", "r1"), RULES)
    database.queue.act(id_, Close(Reason.EXPECTED), "mei", T)
    database.commit(signals.becomes(T + 1, "Silent", "r1", State.RECOVERING), RULES)
    assert database.commit(signals.becomes(T + 2, "Silent", "r1", State.FIRING), RULES) == []
    database.commit(signals.becomes(T + 3, "Silent", "r1", State.RESOLVED), RULES)
    [new] = database.commit(signals.fires(T + 4, "Silent", "r1"), RULES)
    assert new != id_


def test_many_evaluations_in_one_transaction(database: Relational, signals: Signals) -> None:
    """An import's evaluations leave the same as one by one, even where an alert closes and the next opens."""
    story = [
        signals.fires(T, "Silent", "r1"),
        measured(T + 1, "Silent", "r1", 9.0),
        signals.becomes(T + 2, "Silent", "r1", State.RESOLVED),
        signals.fires(T + 3, "Silent", "r1"),
        measured(T + 4, "Silent", "r1", 7.0),
        measured(T + 5, "Silent", "r1", 8.0),
    ]
    first, second = database.commit_many(story, RULES)
    closed, still_open = database.alert(first), database.alert(second)
    assert closed is not None
    assert still_open is not None
    assert (closed.opened_at, closed.closed_at, closed.opened_value, closed.value) == (T, T + 2, 6.0, 9.0)
    assert (still_open.opened_at, still_open.opened_value, still_open.value) == (T + 3, 6.0, 8.0)


def test_without_data_the_last_value_stays(database: Relational, signals: Signals) -> None:
    """A reading without a value changes nothing: silence is not zero."""
    [id_] = database.commit(signals.fires(T, "Silent", "r1"), RULES)
    assert database.commit(measured(T + 1, "Silent", "r1", None), RULES) == []
    alert = database.alert(id_)
    assert alert is not None
    assert alert.value == 6.0


def test_signals_at_rest_are_forgotten(database: Relational, signals: Signals) -> None:
    """An inactive signal needs no row; a resolved one keeps it, since its next event says what it was."""
    database.commit(signals.fires(T, "Silent", "r1", "r2"), RULES)
    ends = [
        signals.event(T + 1, "Silent", "r1", State.RESOLVED),
        signals.event(T + 1, "Silent", "r2", State.INACTIVE),
    ]
    database.commit(evaluation(T + 1, *ends), RULES)
    assert {key[2]: signal.state for key, signal in database.snapshot().signals.items()} == {
        "r1": State.RESOLVED
    }


def test_an_evaluation_is_all_or_nothing(database: Relational, signals: Signals) -> None:
    """If anything of a transaction fails, neither alert nor signal nor watermark is there."""
    good, bad = signals.fires(T, "Silent", "r1"), signals.fires(T + 1, "NoSuchRule", "r2")
    with pytest.raises(KeyError):
        database.commit_many([good, bad], RULES)
    assert database.alerts(AlertQuery(state="all")).items == ()
    assert (database.snapshot().signals, database.snapshot().watermarks) == ({}, {})


def test_the_database_refuses_a_second_open_alert(database: Relational, signals: Signals, url: str) -> None:
    """One open alert per rule and entity holds whatever the code does; closed ones may be many."""
    [id_] = database.commit(signals.fires(T, "Silent", "r1"), RULES)
    alert = database.alert(id_)
    assert alert is not None
    raw = Database(url)
    with pytest.raises(IntegrityError), raw.writing() as connection:
        rows.add(connection, [replace(alert, id=0)])
    with raw.writing() as connection:
        rows.add(connection, [replace(alert, id=0, work=Work.CLOSED)])
    raw.close()


def test_rules_that_are_gone_leave_nothing_behind(database: Relational, signals: Signals) -> None:
    """Their open alerts close with a note, their signals are forgotten, other rules' stay."""
    database.commit(signals.fires(T, "Silent", "r1"), RULES)
    database.commit(signals.fires(T + 1, "Relocalization", "r1"), RULES)
    [group] = RULES.groups
    fewer = RuleSet((type(group)(group.name, group.interval_ms, group.rules[1:]),))
    [withdrawn] = database.withdraw_missing(fewer, T + 2)
    alert = database.alert(withdrawn)
    assert alert is not None
    assert (alert.rule, alert.work, alert.closed_by) == ("Relocalization", Work.CLOSED, "system")
    assert {key[0] for key in database.snapshot().signals} == {"Silent"}
    assert database.withdraw_missing(RuleSet(), T + 3) == [a.id for a in database.alerts_of("r1")][1:]


_COMMIT_UNTIL_KILLED = """
import sys
from collector.relational import Relational
from tests.collector.evaluations import RULES, Signals
relational, signals = Relational(sys.argv[1]), Signals()
for number in range(1, 100_000):
    relational.commit(signals.fires(number, "Silent", f"r{number}"), RULES)
    print(number, flush=True)
"""


@pytest.mark.parametrize("commits", [1, 7, 40])
def test_killed_at_any_instant(url: str, commits: int) -> None:
    """After kill -9, alerts, history, signals and watermark are of one and the same evaluation."""
    command = [sys.executable, "-c", _COMMIT_UNTIL_KILLED, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = 0
        while told < commits:
            told = int(process.stdout.readline())
        process.kill()
    relational = Relational(url)
    until = relational.snapshot().watermarks["health"]
    assert until >= told
    assert {key[2] for key in relational.snapshot().signals} == {f"r{n}" for n in range(1, until + 1)}
    alerts = relational.alerts(limit=until + 10).items
    assert [alert.opened_at for alert in alerts] == list(range(1, until + 1))
    assert all(len(relational.history(alert.id)) == 1 for alert in alerts)
    relational.close()


# -- people


def test_people_act_and_the_history_says_so(database: Relational, signals: Signals) -> None:
    """Acknowledged, snoozed, woken, closed: each with who and when."""
    [id_] = database.commit(signals.fires(T, "Silent", "r1"), RULES)
    database.queue.act(id_, Acknowledge("calling them"), "mei", T + 1)
    database.queue.act(id_, Snooze(T + HOUR, "site is closed"), "mei", T + 2)
    assert database.queue.advance(T + HOUR - 1) == []
    assert database.queue.advance(T + HOUR) == [id_]
    closed = database.queue.act(id_, Close(Reason.OTHER, "robot was moved"), "li", T + HOUR + 1)
    assert database.alert(id_) == closed
    assert [(entry.kind.value, entry.who, entry.at) for entry in database.history(id_)] == [
        ("opened", "system", T),
        ("acknowledged", "mei", T + 1),
        ("snoozed", "mei", T + 2),
        ("woke", "system", T + HOUR),
        ("closed", "li", T + HOUR + 1),
    ]
    assert database.history(id_)[-1].detail == {"reason": "other", "note": "robot was moved"}


def test_an_alert_that_is_not_there(database: Relational) -> None:
    """Acting on it raises; looking for it answers None."""
    assert database.alert(99) is None
    with pytest.raises(UnknownAlertError, match="there is no alert 99"):
        database.queue.act(99, Acknowledge(), "mei", T)


def test_a_refused_action_leaves_no_trace(database: Relational, signals: Signals) -> None:
    """An illegal action changes neither alert nor history."""
    [id_] = database.commit(signals.fires(T, "Silent", "r1"), RULES)
    before = database.queue.act(id_, Close(Reason.EXPECTED), "mei", T)
    with pytest.raises(IllegalActionError):
        database.queue.act(id_, Acknowledge(), "li", T + 1)
    assert database.alert(id_) == before
    assert len(database.history(id_)) == 2


def test_two_people_at_once(database: Relational, signals: Signals) -> None:
    """Of many who acknowledge the same alert at the same time, exactly one does."""
    [id_] = database.commit(signals.fires(T, "Silent", "r1"), RULES)

    def tries(number: int) -> bool:
        try:
            database.queue.act(id_, Acknowledge(), f"csm{number}", T)
        except IllegalActionError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(tries, range(16))) == 1
    assert [entry.kind for entry in database.history(id_)].count(Kind.ACKNOWLEDGED) == 1


# -- lists


def test_the_queue_is_worst_first_then_oldest(database: Relational, signals: Signals) -> None:
    """Severity comes before age, age before the number."""
    database.commit(signals.fires(T, "Relocalization", "r1"), RULES)
    database.commit(signals.fires(T + 1, "Silent", "r1", "r2"), RULES)
    database.commit(signals.fires(T + 2, "Burning", "r3"), RULES)
    listed = [(alert.rule, alert.entity.id) for alert in database.alerts().items]
    assert listed == [("Burning", "r3"), ("Silent", "r1"), ("Silent", "r2"), ("Relocalization", "r1")]


@pytest.mark.parametrize("state", ["open", "closed", "all"])
def test_pages_hold_every_alert_once(database: Relational, signals: Signals, state: str) -> None:
    """Following `next` leads through all alerts in the order of the one large page."""
    ids = database.commit(signals.fires(T, "Silent", *(f"r{n}" for n in range(7))), RULES)
    ids += database.commit(signals.fires(T + 1, "Burning", *(f"r{n}" for n in range(6))), RULES)
    for id_ in ids[::2]:
        database.queue.act(id_, Close(Reason.EXPECTED), "mei", T)
    query = AlertQuery(state="open" if state == "open" else "closed" if state == "closed" else "all")
    whole = [alert.id for alert in database.alerts(query, limit=500).items]
    page = database.alerts(query, limit=2)
    paged = [alert.id for alert in page.items]
    while page.next is not None:
        page = database.alerts(query, after=page.next, limit=2)
        paged += [alert.id for alert in page.items]
    assert paged == whole
    assert len(whole) == len(set(whole)) == {"open": 6, "closed": 7, "all": 13}[state]


@pytest.mark.parametrize(
    "cursor", ["", "!", "W10", "WzEsMl0", "bnVsbA", "WzEsMiwtMV0", "é", "W251bGwsMSwxXQ"]
)
def test_a_cursor_of_ones_own_making(database: Relational, cursor: str) -> None:
    """Any text that is no cursor of the open list is refused."""
    with pytest.raises(CursorError):
        database.alerts(after=cursor)


def test_filters(database: Relational, signals: Signals) -> None:
    """Rule, robot, severity, subsystem and work each narrow the list; together they narrow it more."""
    database.commit(signals.fires(T, "Silent", "r1", "r2"), RULES)
    [id_] = database.commit(signals.fires(T + 1, "Relocalization", "r1"), RULES)
    database.queue.act(id_, Acknowledge(), "mei", T + 1)

    def found(query: AlertQuery) -> list[tuple[str, str]]:
        return [(alert.rule, alert.entity.id) for alert in database.alerts(query).items]

    assert found(AlertQuery(rule="Silent", robot="r2")) == [("Silent", "r2")]
    assert found(AlertQuery(severity=Severity.MEDIUM)) == [("Relocalization", "r1")]
    assert found(AlertQuery(subsystem="network", robot="r1")) == [("Silent", "r1")]
    assert found(AlertQuery(work=Work.ACKNOWLEDGED)) == [("Relocalization", "r1")]
    assert found(AlertQuery(state="closed")) == []


def test_counts(database: Relational, signals: Signals) -> None:
    """Open alerts by severity and robot, and the subsystems that have one; closed ones do not count."""
    [first, _] = database.commit(signals.fires(T, "Silent", "r1", "r2"), RULES)
    database.commit(signals.fires(T + 1, "Relocalization", "r1"), RULES)
    assert database.open_by_severity() == {"high": 2, "medium": 1}
    database.queue.act(first, Close(Reason.EXPECTED), "mei", T)
    assert database.open_by_robot() == {"r1": 1, "r2": 1}
    assert database.alerted_subsystems() == {("r1", "navigation"), ("r2", "network")}


# -- roster and listening


def test_the_roster_keeps_its_rows(database: Relational) -> None:
    """Robots keep their place in the engine's columns whatever is imported later."""
    database.claim_unknown(["r9"])
    mine = [
        RobotRecord("r1", name="小明", customer="ACME", extra={"floor": 3.0}),
        RobotRecord("r9", customer="ACME"),
    ]
    assert database.import_robots(mine) == ImportResult(added=1, changed=1, unchanged=0)
    assert database.import_robots(mine) == ImportResult(added=0, changed=0, unchanged=2)
    assert database.roster().ids == ("r9", "r1")
    attributes = database.roster().robots[1].attributes
    assert attributes == {"lifecycle": "live", "name": "小明", "customer": "ACME", "floor": 3.0}


def test_robots_nobody_registered(database: Relational) -> None:
    """They become unclaimed, once, and a registered robot is left alone."""
    database.import_robots([RobotRecord("r1")])
    many = [f"u{number}" for number in range(2_500)]
    assert database.claim_unknown(["r1", *many, "u0"]) == many
    assert database.claim_unknown(many) == []
    unclaimed = database.robot("u0")
    assert unclaimed is not None
    assert unclaimed.lifecycle is Lifecycle.UNCLAIMED


def test_robots_by_page_and_attribute(database: Relational) -> None:
    """Pages go by id; filters hold for all pages."""
    database.import_robots([RobotRecord(f"r{n}", customer="A" if n % 2 else "B") for n in range(9)])
    page = database.robots_page(RobotQuery(customer="A"), limit=3)
    assert ([robot.id for robot in page.items], page.next) == (["r1", "r3", "r5"], "r5")
    page = database.robots_page(RobotQuery(customer="A"), after=page.next, limit=3)
    assert ([robot.id for robot in page.items], page.next) == (["r7"], None)


def test_times_of_listening(database: Relational) -> None:
    """An interval grows with its heartbeats and never shrinks."""
    id_ = database.start_listening(T)
    database.heard_until(id_, T + 10)
    database.heard_until(id_, T + 5)
    database.start_listening(T - 100, T - 50)
    assert database.listening() == [(T - 100, T - 50), (T, T + 10)]


# -- the database itself


def test_all_of_it_is_there_after_a_restart(url: str, signals: Signals) -> None:
    """Alerts keep ids and states, the engine finds where it stood."""
    before = Relational(url)
    [id_] = before.commit(signals.fires(T, "Silent", "r1"), RULES)
    alert, snapshot = before.queue.act(id_, Acknowledge(), "mei", T), before.snapshot()
    before.close()
    after = Relational(url)
    assert (after.alert(id_), after.snapshot()) == (alert, snapshot)
    after.close()
