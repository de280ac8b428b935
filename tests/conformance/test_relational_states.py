"""Random fleets, people, nights and crashes over each database: what the queue promises always holds."""

from contextlib import closing

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from collector.queue import (
    Acknowledge,
    Action,
    Alert,
    Check,
    Close,
    Entry,
    IllegalActionError,
    Kind,
    Note,
    Reason,
    Snooze,
    Work,
)
from collector.relational import AlertQuery, Relational
from collector.relational.database import Database
from collector.relational.schema import happenings
from collector.silences import Draft, Matcher, SilenceKind
from rules.engine import Evaluation
from rules.lifecycle import State
from tests.collector.evaluations import HOUR, RULES, Signals, evaluation, measured
from tests.conformance.databases import Fresh

TOLD = ("opened", "escalated", "returned", "relapsed", "woke", "closed")
START = 1_800_000_000_000
ROBOTS = st.sampled_from(["r1", "r2"])
NAMES = st.sampled_from(["Silent", "Relocalization"])
NEXT = {
    State.INACTIVE: (State.PENDING, State.FIRING, State.UNKNOWN),
    State.PENDING: (State.FIRING, State.INACTIVE),
    State.FIRING: (State.RECOVERING, State.RESOLVED, State.INACTIVE),
    State.RECOVERING: (State.FIRING, State.RESOLVED),
    State.RESOLVED: (State.PENDING, State.FIRING, State.UNKNOWN),
    State.UNKNOWN: (State.PENDING, State.FIRING, State.INACTIVE),
}


class Queue(RuleBasedStateMachine):
    """Signals move as the engine moves them; people do what they like; the process may die in between."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.database = Relational(self._url)
        self.signals = Signals()
        self.now = START
        self.evaluations: list[Evaluation] = []

    def teardown(self) -> None:
        """Gives the connections back."""
        self.database.close()

    @rule(name=NAMES, robot=ROBOTS, choice=st.integers(0, 2), value=st.none() | st.integers(0, 9))
    def signal_changes(self, name: str, robot: str, choice: int, value: int | None) -> None:
        """The engine evaluates, and one signal changes as it can."""
        self.now += 30_000
        choices = NEXT[self.signals.states.get((name, robot), State.INACTIVE)]
        after = choices[choice % len(choices)]
        number = None if value is None else float(value)
        self.evaluations.append(
            evaluation(self.now, self.signals.event(self.now, name, robot, after, number))
        )
        self.database.commit(self.evaluations[-1], RULES)

    @rule(name=NAMES, robot=ROBOTS, value=st.integers(0, 9))
    def value_changes(self, name: str, robot: str, value: int) -> None:
        """The engine evaluates, and nothing changes but a value."""
        self.now += 30_000
        self.database.commit(measured(self.now, name, robot, float(value)), RULES)

    @rule(hours=st.integers(1, 5))
    def time_passes(self, hours: int) -> None:
        """Snoozes that are over end."""
        self.now += hours * HOUR
        self.database.queue.advance(self.now)

    @rule(kind=st.sampled_from(["acknowledge", "snooze", "close", "note", "check"]), choice=st.integers(0, 9))
    def somebody_acts(self, kind: str, choice: int) -> None:
        """Somebody tries something on some alert."""
        alerts = self.all_alerts()
        if not alerts:
            return
        actions: dict[str, Action] = {
            "acknowledge": Acknowledge(),
            "snooze": Snooze(self.now + 2 * HOUR, "later"),
            "close": Close(Reason.FIXED_ON_SITE),
            "note": Note("called"),
            "check": Check(f"step {choice}"),
        }
        alert = alerts[choice % len(alerts)]
        try:
            self.database.queue.act(alert.id, actions[kind], "mei", self.now)
        except IllegalActionError:
            assert not alert.is_open or kind == "acknowledge"

    @rule(robot=ROBOTS, begins=st.integers(0, 3), hours=st.integers(1, 6))
    def somebody_silences(self, robot: str, begins: int, hours: int) -> None:
        """For some hours, now or later, nobody wants to see a robot's alerts."""
        at, robots = self.now + begins * HOUR, (Matcher("robot", "=", (robot,)),)
        silence = Draft(SilenceKind.SILENCE, robots, at, at + hours * HOUR, "moving")
        self.database.silences.add(silence, "mei", self.now)

    @rule(choice=st.integers(0, 9))
    def somebody_ends_a_silence(self, choice: int) -> None:
        """Before its time."""
        silences = self.database.silences.page(self.now).items
        if silences:
            self.database.silences.end(silences[choice % len(silences)].id, "ana", self.now)

    @rule()
    def crash(self) -> None:
        """The collector starts again, and evaluates again what it may not have committed."""
        self.database.close()
        self.database = Relational(self._url)
        assert self.database.commit_many(self.evaluations[-3:], RULES) == []

    def all_alerts(self) -> list[Alert]:
        """Every alert, the newest first."""
        return list(self.database.alerts(AlertQuery(state="all"), limit=500).items)

    @invariant()
    def one_open_alert_per_rule_and_entity(self) -> None:
        """Never two."""
        keys = [(alert.rule, alert.entity) for alert in self.all_alerts() if alert.is_open]
        assert len(keys) == len(set(keys))

    @invariant()
    def signals_are_as_the_engine_left_them(self) -> None:
        """What a restart finds is what was committed last."""
        found = {
            (rule, id_): signal.state for (rule, _, id_), signal in self.database.snapshot().signals.items()
        }
        assert found == {
            key: state for key, state in self.signals.states.items() if state is not State.INACTIVE
        }

    @invariant()
    def the_audit_trail_is_complete(self) -> None:
        """The work of every alert follows from its trail, which begins with its opening."""
        for alert in self.all_alerts():
            trail = self.database.history(alert.id)
            assert trail[0].kind is Kind.OPENED
            assert _work(trail) is alert.work

    @invariant()
    def no_snooze_outlives_its_end(self) -> None:
        """After `wake` nothing is snoozed that should not be."""
        self.database.queue.advance(self.now)
        for alert in self.all_alerts():
            assert alert.snoozed_until is None or alert.snoozed_until > self.now

    @invariant()
    def every_open_alert_can_end(self) -> None:
        """An alert whose signal is at rest is open only because somebody took it."""
        for alert in self.all_alerts():
            state = self.signals.states[alert.rule, alert.entity.id]
            firing = state in (State.FIRING, State.RECOVERING)
            taken = any(entry.kind is Kind.ACKNOWLEDGED for entry in self.database.history(alert.id))
            assert firing or not alert.is_open or taken

    @invariant()
    def silences_hide_what_they_match_and_nothing_else(self) -> None:
        """While they last, and not a moment longer."""
        self.database.queue.advance(self.now)
        silences = self.database.silences.page(self.now, ended=None).items
        active = [each for each in silences if each.is_active(self.now)]
        robots = {robot for each in active for matcher in each.matchers for robot in matcher.values}
        for alert in self.all_alerts():
            if alert.is_open:
                assert (alert.hidden_by is not None) == (alert.entity.id in robots)

    @invariant()
    def what_happened_is_told(self) -> None:
        """Of every alert, in the order of its trail, and once."""
        with closing(Database(self._url)) as raw, raw.reading() as connection:
            rows = connection.execute(select(happenings).order_by(happenings.c.id)).all()
        for alert in self.all_alerts():
            told = [row.kind for row in rows if row.alert == alert.id and row.kind != "resolved"]
            trail = [entry.kind.value for entry in self.database.history(alert.id)]
            assert told == [kind for kind in trail if kind in TOLD]


def _work(trail: list[Entry]) -> Work:
    work = Work.NEW
    for entry in trail:
        match entry.kind:
            case Kind.ACKNOWLEDGED | Kind.SNOOZED | Kind.CLOSED:
                work = Work(entry.kind.value)
            case Kind.WOKE:
                work = Work(str(entry.detail["work"]))
            case Kind.RETURNED:
                work = Work.NEW
    return work


def test_whatever_happens(fresh: Fresh) -> None:
    """Random stories, each in a database of its own."""

    class Story(Queue):
        def __init__(self) -> None:
            super().__init__(fresh())

    patient = settings(max_examples=20, stateful_step_count=25, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Story, settings=patient)
