"""An alert's life: every transition that is there, every one that is not, and where signal and work meet."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from collector import queue
from collector.queue import (
    Acknowledge,
    Action,
    Alert,
    Assign,
    Check,
    Close,
    Entry,
    IllegalActionError,
    InvalidActionError,
    Kind,
    Note,
    Reason,
    Severity,
    Signal,
    Snooze,
    Work,
)
from rules.engine import Entity, Event, Reading
from rules.lifecycle import State
from tests.collector.evaluations import evidence
from tests.collector.evaluations import rule as rule_

NOW = 1_000_000
HOUR = 3_600_000
ALERT = Alert(
    id=7,
    rule="RelocalizationFailing",
    entity=Entity("robot", "r1"),
    severity=Severity.MEDIUM,
    subsystem="navigation",
    opened_at=NOW - HOUR,
    since=NOW - 2 * HOUR,
    opened_value=6,
    value=6,
    threshold=5,
)
RULE = rule_("RelocalizationFailing")
FIRED = Event(NOW, RULE.name, ALERT.entity, State.INACTIVE, State.FIRING, NOW - HOUR, 6, 5, ())
ACTIONS: dict[str, Action] = {
    "acknowledge": Acknowledge("on it"),
    "snooze": Snooze(NOW + HOUR, "the site is closed"),
    "close": Close(Reason.FIXED_REMOTELY),
    "assign": Assign("ana"),
    "note": Note("the customer was called"),
    "check": Check("reboot"),
}


def after(*actions: str) -> Alert:
    """The alert after people did these."""
    alert = ALERT
    for name in actions:
        alert = queue.act(alert, ACTIONS[name], "mei", NOW).alert
    return alert


@pytest.mark.parametrize(
    ("before", "action", "work"),
    [
        ((), "acknowledge", Work.ACKNOWLEDGED),
        ((), "snooze", Work.SNOOZED),
        ((), "close", Work.CLOSED),
        (("acknowledge",), "snooze", Work.SNOOZED),
        (("acknowledge",), "close", Work.CLOSED),
        (("snooze",), "acknowledge", Work.ACKNOWLEDGED),
        (("snooze",), "snooze", Work.SNOOZED),
        (("snooze",), "close", Work.CLOSED),
    ],
)
def test_what_people_can_do(before: tuple[str, ...], action: str, work: Work) -> None:
    """Every legal transition leads where the table says, and leaves one entry by whom it was."""
    step = queue.act(after(*before), ACTIONS[action], "mei", NOW)
    assert step.alert.work is work
    [entry] = step.entries
    assert (entry.who, entry.at) == ("mei", NOW)
    assert entry.kind.value.startswith(action.removesuffix("e"))


@pytest.mark.parametrize(
    ("before", "action", "message"),
    [
        (("acknowledge",), "acknowledge", "alert 7 is acknowledged; it cannot be acknowledged"),
        (("close",), "acknowledge", "alert 7 is closed; it cannot be acknowledged"),
        (("close",), "snooze", "alert 7 is closed; it cannot be snoozed"),
        (("close",), "close", "alert 7 is closed; it cannot be closed"),
    ],
)
def test_what_people_cannot_do(before: tuple[str, ...], action: str, message: str) -> None:
    """An illegal transition raises, naming state and action."""
    with pytest.raises(IllegalActionError, match=message):
        queue.act(after(*before), ACTIONS[action], "mei", NOW)


@pytest.mark.parametrize(
    ("action", "field"),
    [
        (Snooze(NOW, "later"), "until"),
        (Snooze(NOW + queue.MAX_SNOOZE_MS + 1, "later"), "until"),
        (Snooze(NOW + HOUR, "  "), "reason"),
        (Snooze(NOW + HOUR, "x" * (queue.MAX_TEXT + 1)), "reason"),
        (Close(Reason.OTHER), "note"),
        (Close(Reason.OTHER, " "), "note"),
        (Close(Reason.EXPECTED, "x" * (queue.MAX_TEXT + 1)), "note"),
        (Close(Reason.RESOLVED), "reason"),
        (Acknowledge("x" * (queue.MAX_TEXT + 1)), "note"),
    ],
)
def test_actions_that_make_no_sense(action: Action, field: str) -> None:
    """An action no alert could take is refused, naming its field."""
    with pytest.raises(InvalidActionError) as refused:
        queue.act(ALERT, action, "mei", NOW)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("before", "work"),
    [(("snooze",), Work.NEW), (("acknowledge", "snooze"), Work.ACKNOWLEDGED)],
)
def test_a_snooze_ends_by_itself(before: tuple[str, ...], work: Work) -> None:
    """At its end, and not before, a snoozed alert is again what it was."""
    snoozed = after(*before)
    assert queue.wake(snoozed, NOW + HOUR - 1) is None
    step = queue.wake(snoozed, NOW + HOUR)
    assert step is not None
    assert (step.alert.work, step.alert.snoozed_until) == (work, None)
    assert [entry.kind for entry in step.entries] == [Kind.WOKE]


def test_only_the_snoozed_wake() -> None:
    """An alert that is not snoozed has nothing to wake from."""
    assert queue.wake(ALERT, NOW) is None
    assert queue.wake(after("close"), NOW) is None


@pytest.mark.parametrize("before", [(), ("snooze",)])
def test_a_resolved_signal_closes_what_nobody_took(before: tuple[str, ...]) -> None:
    """An alert that nobody acknowledged closes itself when its signal resolves."""
    step = queue.follow(after(*before), State.RESOLVED, NOW)
    assert (step.alert.work, step.alert.close_reason) == (Work.CLOSED, Reason.RESOLVED)
    assert (step.alert.closed_by, step.alert.snoozed_until) == ("system", None)
    assert [entry.kind for entry in step.entries] == [Kind.SIGNAL, Kind.CLOSED]


@pytest.mark.parametrize("before", [("acknowledge",), ("acknowledge", "snooze")])
def test_a_resolved_signal_leaves_what_somebody_took(before: tuple[str, ...]) -> None:
    """An acknowledged alert stays open, shows that its signal resolved, and carries on if it fires again."""
    taken = after(*before)
    resolved = queue.follow(taken, State.RESOLVED, NOW).alert
    assert (resolved.work, resolved.signal) == (taken.work, Signal.RESOLVED)
    again = queue.follow(resolved, State.FIRING, NOW + 1).alert
    assert (again.id, again.work, again.signal, again.signal_at) == (7, taken.work, Signal.FIRING, NOW + 1)


def test_a_signal_that_did_not_change_is_no_news() -> None:
    """Following the same signal leaves no entry."""
    assert queue.follow(ALERT, State.FIRING, NOW).entries == ()


@pytest.mark.parametrize("state", [State.INACTIVE, State.PENDING, State.UNKNOWN])
def test_states_without_a_condition_are_resolved(state: State) -> None:
    """To an alert, whatever neither fires nor recovers is over; a pending signal is not yet firing again."""
    assert queue.follow(after("acknowledge"), state, NOW).alert.signal is Signal.RESOLVED


@pytest.mark.parametrize("before", list(State))
def test_an_episode_begins_once(before: State) -> None:
    """A signal that fires begins an episode, unless it fired or recovered before."""
    event = replace(FIRED, before=before)
    assert queue.begins(event) is (before not in (State.FIRING, State.RECOVERING))
    assert not queue.begins(replace(event, after=State.PENDING))


def test_an_opened_alert_says_what_the_event_said() -> None:
    """Severity and subsystem are the rule's; times, value and threshold the event's."""
    step = queue.opened(FIRED, RULE)
    alert = step.alert
    assert (alert.severity, alert.subsystem) == (Severity.MEDIUM, "navigation")
    assert (alert.opened_at, alert.since, alert.value, alert.threshold) == (NOW, NOW - HOUR, 6, 5)
    assert (alert.signal, alert.work) == (Signal.FIRING, Work.NEW)
    assert [entry.kind for entry in step.entries] == [Kind.OPENED]


def test_a_value_is_always_of_the_same_measure() -> None:
    """A reading that begins with another part of the condition does not put its value beside our unit."""
    opened = replace(ALERT, evidence=evidence(6.0))
    other = replace(evidence(0.3)[0], measure="goals failed", unit="ratio")
    reading = Reading(NOW, RULE.name, ALERT.entity, State.FIRING, NOW, 0.3, 0.2, (other, *evidence(9.0)))
    assert queue.value_in(reading, opened.measure) == 9.0
    assert queue.value_in(replace(reading, evidence=(other, *evidence(None))), opened.measure) is None
    assert queue.value_in(replace(reading, evidence=(other,)), opened.measure) == 0.3
    assert queue.measured(opened, 9.0).value == 9.0


def test_an_alert_of_a_rule_that_is_gone() -> None:
    """It is closed by the system, with a note that says why."""
    alert = queue.withdraw(after("acknowledge"), NOW).alert
    assert (alert.work, alert.closed_by) == (Work.CLOSED, "system")
    assert alert.close_note == "the rule RelocalizationFailing is no longer in use"


def test_the_possible_actions_are_those_of_the_table() -> None:
    """A page offers exactly what `act` would take."""
    for before in [(), ("acknowledge",), ("snooze",), ("close",)]:
        alert = after(*before)
        taken = {type(action) for action in ACTIONS.values() if _takes(alert, action)}
        assert set(queue.possible(alert)) == taken


def _takes(alert: Alert, action: Action) -> bool:
    try:
        queue.act(alert, action, "mei", NOW)
    except IllegalActionError:
        return False
    return True


@given(st.sampled_from(list(State)), st.sampled_from([(), ("acknowledge",), ("snooze",)]))
def test_a_signal_never_undoes_work(state: State, before: tuple[str, ...]) -> None:
    """Whatever the signal does, an open alert keeps its work or is closed as resolved."""
    alert = after(*before)
    followed = queue.follow(alert, state, NOW).alert
    assert followed.work is alert.work or followed.close_reason is Reason.RESOLVED


class Life(RuleBasedStateMachine):
    """One alert through random people, signals and nights; the trail must always tell how it got here."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.alert = ALERT
        self.trail: list[Entry] = []

    def take(self, step: queue.Step) -> None:
        """The alert became so."""
        self.alert = step.alert
        self.trail.extend(step.entries)

    @initialize()
    def open(self) -> None:
        """The alert opens."""
        self.take(queue.opened(FIRED, RULE))

    @rule(ms=st.integers(0, 3 * HOUR))
    def time_passes(self, ms: int) -> None:
        """Snoozes end at their time."""
        self.now += ms
        step = queue.wake(self.alert, self.now)
        if step is not None:
            self.take(step)

    @precondition(lambda self: self.alert.is_open)
    @rule(state=st.sampled_from(list(State)))
    def signal_changes(self, state: State) -> None:
        """The engine speaks."""
        self.take(queue.follow(self.alert, state, self.now))

    @rule(name=st.sampled_from(list(ACTIONS)), ms=st.integers(1, 2 * HOUR))
    def somebody_acts(self, name: str, ms: int) -> None:
        """A person tries something."""
        action = Snooze(self.now + ms, "later") if name == "snooze" else ACTIONS[name]
        if type(action) in queue.possible(self.alert):
            self.take(queue.act(self.alert, action, "mei", self.now))
        else:
            with pytest.raises(IllegalActionError):
                queue.act(self.alert, action, "mei", self.now)

    @invariant()
    def the_trail_tells_all(self) -> None:
        """Work and signal follow from the trail alone."""
        work, signal = Work.NEW, Signal.FIRING
        for entry in self.trail:
            match entry.kind:
                case Kind.ACKNOWLEDGED | Kind.SNOOZED | Kind.CLOSED:
                    work = Work(entry.kind.value)
                case Kind.WOKE:
                    work = Work(str(entry.detail["work"]))
                case Kind.SIGNAL:
                    signal = Signal(str(entry.detail["after"]))
        assert (work, signal) == (self.alert.work, self.alert.signal)

    @invariant()
    def a_snooze_has_an_end(self) -> None:
        """An alert is snoozed exactly as long as it has a time to wake, and that lies ahead."""
        assert (self.alert.work is Work.SNOOZED) == (self.alert.snoozed_until is not None)
        assert self.alert.snoozed_until is None or self.alert.snoozed_until > self.now

    @invariant()
    def closed_is_for_good(self) -> None:
        """What is closed says when, by whom and why, and nothing came after."""
        closed = [index for index, entry in enumerate(self.trail) if entry.kind is Kind.CLOSED]
        assert (self.alert.close_reason is not None) == (not self.alert.is_open) == bool(closed)
        after = {entry.kind for entry in self.trail[closed[0] + 1 :]} if closed else set()
        assert len(closed) <= 1
        assert after <= {Kind.NOTED}

    @invariant()
    def nothing_is_left_lying(self) -> None:
        """An alert that resolved and that nobody took is not open."""
        resolved = self.alert.signal is Signal.RESOLVED
        assert not (self.alert.is_open and resolved and self.alert.acknowledged_at is None)


TestLife = Life.TestCase
