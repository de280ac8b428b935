"""Deadlines, escalation, return and relapse: by hand, and through random lives of an alert."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from collector import queue
from collector.calendar import WorkCalendar
from collector.queue import (
    Acknowledge,
    Action,
    Alert,
    Assign,
    Case,
    Check,
    Close,
    Entry,
    IllegalActionError,
    InvalidActionError,
    Kind,
    Note,
    Reason,
    Signal,
    Snooze,
    Step,
    Work,
)
from collector.ranking import Standing
from rules.evaluation import By, Entity
from rules.lifecycle import State
from tests.collector.test_queue import FIRED, RULE

HOUR = 3_600_000
SHANGHAI = WorkCalendar("Asia/Shanghai")
BERLIN = WorkCalendar("Europe/Berlin", "mo-sa 08:00-12:00, 13:00-17:00", "2026-12-24 2026-12-25")
ALWAYS = WorkCalendar(None, "mo-su 00:00-24:00")
CASE = Case("ACME", "Hall 2", "mei", SHANGHAI, Standing(300_000, "CNY", 20, 2, 8))
INHIBITED = By("inhibited", "Silent", Entity("robot", "r1"))
SILENCED = By("silenced", "", Entity("silence", "3"))


def at(text: str) -> int:
    """A time in Shanghai, in ms UTC."""
    return round(datetime.fromisoformat(f"{text}+08:00").timestamp() * 1_000)


FRIDAY = at("2026-11-27T15:00")


def opened(when: int = FRIDAY, case: Case = CASE) -> Alert:
    """An alert to be taken within 2 h and solved within 24 h of working time."""
    return replace(queue.opened(replace(FIRED, at=when), RULE, case).alert, id=7)


def done(alert: Alert, action: Action, now: int, calendar: WorkCalendar = SHANGHAI) -> Alert:
    """The alert after that."""
    return queue.act(alert, action, "mei", now, calendar).alert


def later(alert: Alert, now: int) -> tuple[Alert, list[Kind]]:
    """What time has made of it by then, and what its trail says of that."""
    step = queue.advance(alert, now, SHANGHAI)
    return (alert, []) if step is None else (step.alert, [entry.kind for entry in step.entries])


def test_deadlines_run_in_working_time() -> None:
    """Two hours from Friday 15:00 are 17:00; twenty-four are two and two thirds of a day."""
    alert = opened()
    assert (alert.ack_due_at, alert.resolve_due_at) == (at("2026-11-27T17:00"), at("2026-12-02T12:00"))
    assert (alert.owner, alert.customer, alert.site) == ("mei", "ACME", "Hall 2")
    assert [point.key for point in alert.reasons] == ["severity", "contract", "renewal", "share"]


def test_what_is_not_taken_in_time_is_escalated_once() -> None:
    """At its deadline, and never again for that; it ranks higher until somebody takes it."""
    alert = opened()
    assert later(alert, at("2026-11-27T16:59")) == (alert, [])
    missed, kinds = later(alert, at("2026-11-27T17:00"))
    assert kinds == [Kind.ESCALATED]
    assert (missed.escalated, missed.priority) == (1, alert.priority + 10)
    assert later(missed, at("2026-12-02T11:59")) == (missed, [])
    taken = done(missed, Acknowledge(), at("2026-11-30T09:00"))
    assert taken.priority == alert.priority


def test_what_is_not_solved_is_escalated_day_by_day() -> None:
    """At most once in 24 hours and in working time, while its signal lasts; from then on it ranks higher."""
    alert = done(opened(), Acknowledge(), FRIDAY)
    times = []
    for hour in range(24 * 8):
        now = at("2026-12-02T12:00") + hour * HOUR
        alert = done(alert, Note("still there"), now)
        alert, kinds = later(alert, now)
        times += [now for kind in kinds if kind is Kind.ESCALATED]
    shown = [datetime.fromtimestamp(ms / 1_000).astimezone().timestamp() * 1_000 for ms in times]
    assert shown == [
        at(f"2026-12-{day}")
        for day in ("02T12:00", "03T12:00", "04T12:00", "07T09:00", "08T09:00", "09T09:00", "10T09:00")
    ]
    assert alert.reasons[-1].key == "resolve_missed"
    rested = queue.follow(alert, State.RESOLVED, times[-1]).alert
    assert later(replace(rested, returns_at=None), times[-1] + 100 * HOUR)[1] == []


@pytest.mark.parametrize(
    ("when", "owner", "hours"),
    [
        ("2026-12-05T11:00", "bo", SHANGHAI),  # a Saturday: no working time is left until Monday 09:00
        ("2026-12-05T11:00", "ana", BERLIN),  # who works on Saturdays
        ("2026-12-04T16:00", "ana", BERLIN),  # two hours are left until Monday, and Berlin has just begun
    ],
)
def test_another_owner_is_not_told_sooner(when: str, owner: str, hours: WorkCalendar) -> None:
    """After an escalation the next one keeps its 24 hours, and is in the new owner's working time."""
    alert = opened(at("2026-12-02T15:00") - 24 * HOUR, Case(calendar=ALWAYS))
    alert = replace(alert, resolve_due_at=at("2026-12-04T15:00"), escalates_at=at("2026-12-04T15:00"))
    alert = done(later(alert, at("2026-12-04T15:00"))[0], Acknowledge(), at(when))
    assert alert.escalates_at == at("2026-12-07T09:00")
    given = done(alert, Assign(owner, hours), at(when))
    assert given.escalates_at == hours.open_at(at("2026-12-07T09:00"))


def test_another_owner_of_what_nobody_was_told_yet() -> None:
    """It is told at its new deadline; where that is the end of a day, when work begins again."""
    given = done(opened(), Assign("ana", BERLIN), FRIDAY)
    assert given.resolve_due_at == at("2026-12-01T00:00")  # Monday 17:00 in Berlin
    assert given.escalates_at == at("2026-12-01T15:00")


def test_nothing_is_escalated_outside_of_working_time() -> None:
    """A deadline at the end of a day's work, or whose hours were changed since, is told when work begins."""
    alert = replace(opened(), ack_due_at=None, escalates_at=at("2026-11-27T18:00"))
    step = queue.advance(alert, at("2026-11-28T11:00"), SHANGHAI)
    assert step is not None
    assert (step.entries, step.alert.next_at) == ((), at("2026-11-30T09:00"))
    assert later(step.alert, at("2026-11-30T08:59")) == (step.alert, [])
    assert later(step.alert, at("2026-11-30T09:00"))[1] == [Kind.ESCALATED]


def test_a_snooze_stops_the_clock() -> None:
    """One working hour of snooze moves both deadlines by one working hour; a night moves nothing."""
    snoozed = done(opened(), Snooze(at("2026-11-27T16:00"), "closed"), FRIDAY)
    assert (snoozed.due_at, snoozed.next_at) == (None, at("2026-11-27T16:00"))
    awake, kinds = later(snoozed, at("2026-11-27T16:00"))
    assert kinds == [Kind.WOKE]
    assert (awake.ack_due_at, awake.resolve_due_at) == (at("2026-11-27T18:00"), at("2026-12-02T13:00"))
    night = done(opened(), Snooze(at("2026-11-28T08:00"), "closed"), at("2026-11-27T18:00"))
    assert later(night, at("2026-11-28T08:00"))[0].resolve_due_at == at("2026-12-02T12:00")


def test_a_deadline_may_be_missed_at_once_when_a_snooze_ends() -> None:
    """What was overdue before it is so after it, and was told already or is told now."""
    alert = opened()
    snoozed = done(alert, Snooze(at("2026-11-30T10:00"), "closed"), at("2026-11-27T17:30"))
    assert later(snoozed, at("2026-11-30T10:00"))[1] == [Kind.WOKE, Kind.ESCALATED]
    missed, _ = later(alert, at("2026-11-27T17:00"))
    snoozed = done(missed, Snooze(at("2026-11-30T10:00"), "closed"), at("2026-11-27T17:30"))
    assert later(snoozed, at("2026-11-30T10:00"))[1] == [Kind.WOKE]


def test_an_early_end_of_a_snooze_counts_as_long_as_it_was() -> None:
    """Taken after half an hour, the deadline has moved by half an hour; snoozed again, by both."""
    snoozed = done(opened(), Snooze(at("2026-11-30T10:00"), "closed"), FRIDAY)
    half_past = FRIDAY + HOUR // 2
    assert done(snoozed, Acknowledge(), half_past).resolve_due_at == at("2026-12-02T12:30")
    again = done(snoozed, Snooze(at("2026-11-30T10:00"), "closed"), half_past)
    assert done(again, Acknowledge(), FRIDAY + HOUR).resolve_due_at == at("2026-12-02T13:00")


def test_what_nobody_moves_comes_back() -> None:
    """After two working days without a move by a person it is new again, and says who had it."""
    taken = done(opened(), Acknowledge(), FRIDAY)
    noted = done(taken, Note("spare part ordered"), at("2026-11-30T09:00"))
    assert later(noted, at("2026-12-01T17:59")) == (noted, [])
    back, kinds = later(noted, at("2026-12-01T18:00"))
    assert kinds == [Kind.RETURNED]
    assert (back.work, back.acknowledged_by, back.due_at) == (Work.NEW, None, at("2026-12-02T12:00"))
    assert later(back, at("2026-12-02T11:00")) == (back, [])


def test_what_nobody_moves_ends_if_it_has_resolved() -> None:
    """New and resolved it would stay forever, and swallow the next episode: it is closed as resolved."""
    taken = done(opened(), Acknowledge(), FRIDAY)
    rested = queue.follow(taken, State.RESOLVED, FRIDAY + 1).alert
    ended, kinds = later(rested, at("2026-12-01T15:00"))
    assert kinds == [Kind.CLOSED]
    assert (ended.work, ended.close_reason, ended.closed_by) == (Work.CLOSED, Reason.RESOLVED, "system")
    assert (ended.acknowledged_by, ended.next_at) == ("mei", None)
    assert ended.revision == rested.revision + 1


def test_a_snooze_is_no_idleness() -> None:
    """The two days begin when it ends."""
    snoozed = done(done(opened(), Acknowledge(), FRIDAY), Snooze(at("2026-12-07T09:00"), "part"), FRIDAY)
    awake, _ = later(snoozed, at("2026-12-07T09:00"))
    assert (awake.work, awake.returns_at) == (Work.ACKNOWLEDGED, at("2026-12-08T18:00"))


@pytest.mark.parametrize("hide", [queue.suppress, queue.silence])
def test_what_is_hidden_is_left_alone(hide: object) -> None:
    """It is not escalated until it is shown again; then at once."""
    by = INHIBITED if hide is queue.suppress else SILENCED
    alert = opened()
    hidden = (queue.suppress if hide is queue.suppress else queue.silence)(alert, by, FRIDAY).alert
    assert (hidden.hidden_by, hidden.next_at) == (by, None)
    assert later(hidden, at("2026-12-20T00:00")) == (hidden, [])
    shown = (queue.suppress if hide is queue.suppress else queue.silence)(hidden, None, FRIDAY).alert
    assert later(shown, at("2026-11-27T17:00"))[1] == [Kind.ESCALATED]


def test_the_engine_is_shown_first() -> None:
    """Of two that hide an alert the engine's is shown; when it ends, the silence is."""
    both = queue.suppress(queue.silence(opened(), SILENCED, FRIDAY).alert, INHIBITED, FRIDAY).alert
    assert both.hidden_by == INHIBITED
    step = queue.suppress(both, None, FRIDAY + 1)
    assert step.alert.hidden_by == SILENCED
    ended = queue.silence(step.alert, None, FRIDAY + 2, "mei")
    assert ended.alert.hidden_by is None
    assert [(e.kind, e.who, e.detail.get("entity")) for e in (*step.entries, *ended.entries)] == [
        (Kind.UNSUPPRESSED, "system", None),
        (Kind.UNSUPPRESSED, "mei", "3"),
    ]


@pytest.mark.parametrize(
    ("days", "who", "relapsed"),
    [
        (7, "mei", True),
        (7.01, "mei", False),
        (1, "system", False),
        (-30 / 86_400, "mei", True),  # it fired just before the close, and was seen 30 s later
        (-6 / 1_440, "mei", False),
    ],
)
def test_a_relapse(days: float, who: str, relapsed: bool) -> None:
    """The next alert within seven days of a person's close names the one before, and counts."""
    before = replace(
        opened(), work=Work.CLOSED, closed_at=FRIDAY, closed_by=who, relapses=2, close_reason=Reason.OTHER
    )
    event = replace(FIRED, at=FRIDAY + round(days * 24 * HOUR))
    step = queue.opened(event, RULE, replace(CASE, earlier=before))
    assert (step.alert.relapse_of, step.alert.relapses) == ((7, 3) if relapsed else (None, 0))
    assert [entry.kind for entry in step.entries] == [Kind.OPENED] + [Kind.RELAPSED] * relapsed


def test_another_owner_works_by_another_clock() -> None:
    """What was left of the deadlines is left in the new owner's working time."""
    given = done(opened(), Assign("ana", BERLIN), FRIDAY)
    assert given.owner == "ana"
    assert given.ack_due_at == at("2026-11-27T17:00") + HOUR - HOUR  # 15:00 in Shanghai is 08:00 in Berlin
    assert given.resolve_due_at == BERLIN.add(FRIDAY, 24 * HOUR)
    assert queue.act(given, Assign("ana", BERLIN), "mei", FRIDAY, BERLIN).entries == ()


def test_steps_of_the_playbook() -> None:
    """Checked off and on again; the second time it changes nothing."""
    alert = done(done(opened(), Check("reboot"), FRIDAY), Check("call"), FRIDAY)
    assert alert.checked == ("reboot", "call")
    assert queue.act(alert, Check("call"), "mei", FRIDAY).entries == ()
    assert done(alert, Check("reboot", done=False), FRIDAY).checked == ("call",)


@pytest.mark.parametrize(
    ("action", "field"),
    [
        (Note(" "), "text"),
        (Note("x" * (queue.MAX_TEXT + 1)), "text"),
        (Check(""), "step"),
        (Check("x" * (queue.MAX_STEP + 1)), "step"),
    ],
)
def test_words_that_are_missing_or_too_many(action: Action, field: str) -> None:
    """Refused, naming the field."""
    with pytest.raises(InvalidActionError) as refused:
        queue.act(opened(), action, "mei", FRIDAY)
    assert refused.value.field == field


CALENDARS = {"mei": SHANGHAI, "ana": BERLIN, None: SHANGHAI}
ACTIONS = st.sampled_from(["acknowledge", "snooze", "close", "assign", "note", "check"])


TOLD = ("work", "signal", "suppressed_by", "silenced_by", "owner", "ack_due_at", "resolve_due_at", "checked")


class Life(RuleBasedStateMachine):
    """One alert through random people, signals, silences and weeks, beside a plain count of working time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = FRIDAY
        self.left = {"ack": 2 * HOUR, "resolve": 24 * HOUR}
        step = queue.opened(replace(FIRED, at=self.now), RULE, CASE)
        self.alert, self.trail = step.alert, list(step.entries)

    def take(self, step: Step) -> None:
        """The alert became so. Whatever changed, an entry says so, and a person's change a new revision."""
        changed = [name for name in TOLD if getattr(step.alert, name) != getattr(self.alert, name)]
        assert step.entries or not changed
        assert step.alert.revision > self.alert.revision or not {"work", "owner", "checked"} & set(changed)
        self.alert = step.alert
        self.trail.extend(step.entries)

    @property
    def calendar(self) -> WorkCalendar:
        """The owner's."""
        return CALENDARS[self.alert.owner]

    @rule(ms=st.integers(0, 30 * HOUR))
    def time_passes(self, ms: int) -> None:
        """What the system has to do it does by itself; nothing before its time."""
        if self.alert.work not in (Work.SNOOZED, Work.CLOSED):
            passed = self.calendar.between(self.now, self.now + ms)
            self.left = {name: left - passed for name, left in self.left.items()}
        self.now += ms
        due = self.alert.next_at
        step = queue.advance(self.alert, self.now, self.calendar)
        assert (step is not None) == (due is not None and due <= self.now)
        if step is not None:
            self.take(step)
            resolve = [entry for entry in step.entries if entry.detail.get("deadline") == "resolve"]
            assert all(self.calendar.open_at(entry.at) == entry.at for entry in resolve)

    @precondition(lambda self: self.alert.is_open)
    @rule(state=st.sampled_from(list(State)))
    def signal_changes(self, state: State) -> None:
        """The engine speaks."""
        self.take(queue.follow(self.alert, state, self.now))

    @precondition(lambda self: self.alert.is_open)
    @rule(by=st.sampled_from([None, INHIBITED]), silence=st.sampled_from([None, SILENCED]))
    def it_is_hidden_or_shown(self, by: By | None, silence: By | None) -> None:
        """By the engine, by a silence, by both, by none."""
        self.take(queue.suppress(self.alert, by, self.now))
        self.take(queue.silence(self.alert, silence, self.now))

    @rule(name=ACTIONS, ms=st.integers(1, 60 * HOUR), choice=st.integers(0, 2))
    def somebody_acts(self, name: str, ms: int, choice: int) -> None:
        """A person tries something."""
        owner = ["mei", "ana", None][choice]
        actions: dict[str, Action] = {
            "acknowledge": Acknowledge(),
            "snooze": Snooze(self.now + ms, "later"),
            "close": Close(Reason.EXPECTED),
            "assign": Assign(owner, CALENDARS[owner]),
            "note": Note("called"),
            "check": Check(f"step {choice}", bool(ms % 2)),
        }
        action = actions[name]
        if type(action) in queue.possible(self.alert):
            self.take(queue.act(self.alert, action, "mei", self.now, self.calendar))
        else:
            with pytest.raises(IllegalActionError):
                queue.act(self.alert, action, "mei", self.now, self.calendar)

    @invariant()
    def deadlines_count_working_time_that_is_not_snoozed(self) -> None:
        """What is left of each is what the plain count says, from now or from where the snooze stopped it."""
        if not self.alert.is_open:
            return
        since = self.now if self.alert.snoozed_at is None else self.alert.snoozed_at
        dues = {"ack": self.alert.ack_due_at, "resolve": self.alert.resolve_due_at}
        for name, due in dues.items():
            if due is None:
                assert any(entry.kind is Kind.RETURNED for entry in self.trail)
            elif self.left[name] > 0:
                assert self.calendar.between(since, due) == self.left[name]
            else:
                assert due <= since

    @invariant()
    def nothing_is_late_without_a_word(self) -> None:
        """Every deadline that passed was told once; the other kind at most once a day."""
        told = [entry for entry in self.trail if entry.kind is Kind.ESCALATED]
        of = {name: [e.at for e in told if e.detail["deadline"] == name] for name in ("ack", "resolve")}
        assert len(of["ack"]) <= 1
        pairs = zip(of["resolve"], of["resolve"][1:], strict=False)
        assert all(second - first >= 24 * HOUR for first, second in pairs)
        assert self.alert.escalated == len(told)

    @invariant()
    def what_is_over_and_nobodys_is_closed(self) -> None:
        """A new alert whose signal has resolved would swallow the next episode."""
        assert (self.alert.work, self.alert.signal) != (Work.NEW, Signal.RESOLVED)

    @invariant()
    def the_trail_tells_all(self) -> None:
        """Work, signal, owner, deadlines, steps, and what hides it follow from the trail alone."""
        alert = self.alert
        found = (alert.work, alert.signal, alert.owner, set(alert.checked), alert.hidden_by)
        assert told(self.trail) == (*found, alert.ack_due_at, alert.resolve_due_at)

    @invariant()
    def it_knows_when_to_look_again(self) -> None:
        """Nothing that time brings lies in the past once it was brought."""
        step = queue.advance(self.alert, self.now, self.calendar)
        if step is not None:
            after = step.alert.next_at
            assert after is None or after > self.now


def told(trail: list[Entry]) -> tuple[object, ...]:
    """What an audit trail says of its alert."""
    found: dict[str, object] = {"work": Work.NEW, "signal": Signal.FIRING, "ack_due_at": None}
    found |= {"engine": None, "silence": None, "resolve_due_at": None}
    checked: set[str] = set()
    for entry in trail:
        found |= said(entry)
        checked ^= {str(entry.detail["step"])} if entry.kind is Kind.CHECKED else set()
    hidden = found["engine"] or found["silence"]
    named = (found["work"], found["signal"], found["owner"], checked, hidden)
    return *named, found["ack_due_at"], found["resolve_due_at"]


def said(entry: Entry) -> dict[str, object]:
    """What one entry changes."""
    moved: dict[str, object] = {
        name: entry.detail[name] for name in ("ack_due_at", "resolve_due_at") if name in entry.detail
    }
    match entry.kind:
        case Kind.ACKNOWLEDGED | Kind.SNOOZED | Kind.CLOSED:
            return moved | {"work": Work(entry.kind.value)}
        case Kind.WOKE:
            return moved | {"work": Work(str(entry.detail["work"]))}
        case Kind.RETURNED:
            return moved | {"work": Work.NEW}
        case Kind.SIGNAL:
            return moved | {"signal": Signal(str(entry.detail["after"]))}
        case Kind.OPENED | Kind.ASSIGNED:
            return moved | {"owner": entry.detail["owner"]}
        case Kind.SUPPRESSED | Kind.UNSUPPRESSED:
            which = "silence" if entry.detail.get("kind") == "silence" else "engine"
            by = SILENCED if which == "silence" else INHIBITED
            return moved | {which: by if entry.kind is Kind.SUPPRESSED else None}
    return moved


TestLife = Life.TestCase
