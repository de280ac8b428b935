"""What is suppressed, storms, turns and the alert log, as the database keeps them."""

from dataclasses import replace

from collector.queue import Kind, Signal, Work
from collector.relational import AlertQuery, Relational
from rules.evaluation import By, Entity, Evaluation, Event, Suppression
from rules.flapping import begins
from rules.lifecycle import State
from rules.rule import Flapping, Group, RuleSet
from rules.storm import NAME
from tests.collector.evaluations import RULES, Signals, evaluation, evidence, rule

T = 1_800_000_000_000
MINUTE = 60_000
R1 = Entity("robot", "r1")
KEY = ("Relocalization", "robot", "r1")
SILENT = By("inhibited", "Silent", R1)


def changes(at: int, by: By | None, *events: Event) -> Evaluation:
    """An evaluation after which r1's Relocalization is suppressed so."""
    suppression = Suppression(at, "Relocalization", R1, by)
    return replace(evaluation(at, *events), suppressions=(suppression,))


def storm(at: int, after: State, rule: str = "Relocalization") -> Event:
    """A storm of a rule begins or ends."""
    before = State.INACTIVE if after is State.FIRING else State.FIRING
    return Event(at, NAME, Entity("rule", rule), before, after, at, 0.4, 0.3, evidence(0.4))


def test_an_alert_is_suppressed_and_shown_again(database: Relational) -> None:
    """It says by what, its history says when, and it is found by that."""
    signals = Signals()
    [id_] = database.commit(signals.fires(T, "Relocalization", "r1"), RULES)
    database.commit(signals.fires(T + 1, "Silent", "r1"), RULES)
    assert database.commit(changes(T + 2, SILENT), RULES) == [id_]
    suppressed = database.alert(id_)
    assert suppressed is not None
    assert suppressed.suppressed_by == SILENT
    assert [alert.id for alert in database.alerts(AlertQuery(suppressed=True)).items] == [id_]
    assert id_ not in [alert.id for alert in database.alerts(AlertQuery(suppressed=False)).items]
    hidden = AlertQuery(hidden_by=("Silent", "robot", "r1"))
    assert [alert.id for alert in database.alerts(hidden).items] == [id_]
    assert (database.count_suppressed(), database.count_hidden(("Silent", "robot", "r1"))) == (1, 1)
    assert database.snapshot().suppressed == {KEY: SILENT}
    assert database.commit(changes(T + 3, None), RULES) == [id_]
    shown = database.alert(id_)
    assert shown is not None
    assert shown.suppressed_by is None
    assert (database.count_suppressed(), database.snapshot().suppressed) == (0, {})
    assert [entry.kind for entry in database.history(id_)][1:] == [Kind.SUPPRESSED, Kind.UNSUPPRESSED]
    assert dict(database.history(id_)[1].detail) == {
        "reason": "inhibited",
        "rule": "Silent",
        "kind": "robot",
        "entity": "r1",
    }


def test_an_alert_opens_suppressed(database: Relational) -> None:
    """Its signal flapped before, or the same evaluation says so; a flapping alert hides no other."""
    signals, flaps = Signals(), By("flapping", "Relocalization", R1)
    database.commit(changes(T, flaps), RULES)
    [id_] = database.commit(signals.fires(T + 1, "Relocalization", "r1"), RULES)
    [found] = database.alerts(AlertQuery(suppressed=True)).items
    assert (found.id, found.suppressed_by) == (id_, flaps)
    assert database.count_hidden(KEY) == 0
    fires = signals.event(T + 2, "Relocalization", "r1", State.RESOLVED)
    database.commit(changes(T + 2, None, fires), RULES)
    again = signals.event(T + 3, "Relocalization", "r1", State.FIRING)
    [other] = database.commit(changes(T + 3, SILENT, again), RULES)
    [found] = database.alerts(AlertQuery(suppressed=True)).items
    assert (found.id, found.suppressed_by) == (other, SILENT)


def test_a_closed_alert_stays_as_it_was(database: Relational) -> None:
    """What ends at the same evaluation as its suppression was suppressed to the end."""
    signals = Signals()
    [id_] = database.commit(signals.fires(T, "Relocalization", "r1"), RULES)
    database.commit(changes(T + 1, SILENT), RULES)
    ends = signals.event(T + 2, "Relocalization", "r1", State.RESOLVED)
    database.commit(changes(T + 2, None, ends), RULES)
    alert = database.alert(id_)
    assert alert is not None
    assert (alert.work, alert.suppressed_by) == (Work.CLOSED, SILENT)
    assert (database.count_suppressed(), database.snapshot().suppressed) == (0, {})


def test_a_storm_is_an_alert_of_a_rule(database: Relational) -> None:
    """Though no file has its rule; it survives rules that go, and leaves no signal when it is over."""
    [id_] = database.commit(evaluation(T, storm(T, State.FIRING)), RULES)
    alert = database.alert(id_)
    assert alert is not None
    assert (alert.rule, alert.entity, alert.severity) == (NAME, Entity("rule", "Relocalization"), "high")
    assert database.open_by_robot() == {}
    assert database.alerted_subsystems() == set()
    assert database.withdraw_missing(RULES, T + 1) == []
    assert database.snapshot().signals[NAME, "rule", "Relocalization"].since == T
    database.commit(evaluation(T + 2, storm(T + 2, State.RESOLVED)), RULES)
    closed = database.alert(id_)
    assert closed is not None
    assert (closed.signal, closed.work) == (Signal.RESOLVED, Work.CLOSED)
    assert database.snapshot().signals == {}


def test_one_open_alert_a_rule_and_entity_of_any_kind(database: Relational) -> None:
    """A site and a customer may have the name of a robot."""
    events = [
        Event(T, "Silent", Entity(kind, "r1"), State.INACTIVE, State.FIRING, T, 1.0, 1.0, evidence(1.0))
        for kind in ("robot", "site", "customer")
    ]
    assert len(database.commit(evaluation(T, *events), RULES)) == 3
    assert [alert.entity.kind for alert in database.alerts_of("r1", kind="site")] == ["site"]
    assert [alert.entity.kind for alert in database.alerts_of("r1")] == ["robot"]
    found = database.open_alert(("Silent", "customer", "r1"))
    assert found is not None
    assert found.entity == Entity("customer", "r1")
    assert database.open_by_robot() == {"r1": 1}


def test_turns_are_kept_as_long_as_they_are_asked_for(database: Relational) -> None:
    """Of a rule that may flap those of its window; of another the begin, while it fires."""
    flapping = replace(rule("Relocalization"), flapping=Flapping(10, 0.5, 0.2), interval_ms=MINUTE)
    rules = RuleSet((Group("health", MINUTE, (flapping, rule("Silent", "high", "network"))),))
    signals = Signals()
    for minute in range(15):
        after = State.RESOLVED if minute % 2 else State.FIRING
        at = T + minute * MINUTE
        events = [signals.event(at, name, "r1", after) for name in ("Relocalization", "Silent")]
        database.commit(evaluation(at, *events), rules)
    assert database.snapshot().turns == {
        KEY: tuple(T + minute * MINUTE for minute in range(5, 15)),
        ("Silent", "robot", "r1"): (T + 14 * MINUTE,),
    }
    database.commit(signals.becomes(T + 15 * MINUTE, "Silent", "r1", State.RESOLVED), rules)
    assert set(database.snapshot().turns) == {KEY}
    database.withdraw_missing(RuleSet(), T + 16 * MINUTE)
    assert database.snapshot().turns == {}


def test_the_alert_log_is_in_the_order_of_the_evaluations(database: Relational) -> None:
    """A line an event, once, also where an evaluation comes again; more lines than one portion has."""
    signals = Signals()
    story = [signals.fires(T, "Silent", "r1", "r2"), signals.becomes(T + 1, "Silent", "r1", State.RESOLVED)]
    database.commit_many(story, RULES)
    database.commit_many([*story, changes(T + 2, SILENT)], RULES)
    lines = list(database.alert_log())
    assert [('"event":"' in line, line.count("\n")) for line in lines] == [(True, 0)] * 4
    assert ['"resolved"' in line for line in lines] == [False, False, True, False]
    assert '"suppressed"' in lines[3]
    many = [Signals().fires(T + 3 + number, "Burning", f"m{number}") for number in range(3)]
    wide = [replace(each, events=each.events * 4_000) for each in many]
    assert all(begins(event) for event in wide[0].events)
    database.commit_many(wide, RULES)
    assert len(list(database.alert_log())) == 4 + 3 * 4_000
