"""Silences on each database: what they hide, from when to when, beside what the engine hides."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import insert

from collector.queue import Acknowledge, Kind
from collector.registry import Kind as Kinds
from collector.relational import AlertQuery, CursorError, Relational, RobotRecord
from collector.relational import silences as silence_rows
from collector.relational.database import Database
from collector.relational.schema import customers
from collector.relational.seen import SeenRelational
from collector.relational.silencing import EndedSilenceError, StaleSilenceError, UnknownSilenceError
from collector.silences import (
    MAX_MATCHERS,
    Draft,
    InvalidSilenceError,
    Matcher,
    Op,
    Recurrence,
    SilenceKind,
    scope_of,
)
from rules.evaluation import By, Entity, Suppression
from rules.lifecycle import State
from tests.collector.evaluations import HOUR, RULES, Signals, evaluation

T = 1_795_309_200_000  # Sunday 2026-11-22 01:00 UTC, 09:00 in Shanghai
ACME = Matcher("customer", "=", ("ACME",))


@pytest.fixture
def filled(url: str) -> Iterator[Relational]:
    """Two robots of a key customer in an exhibition, one of another in a KTV."""
    relational = Relational(url)
    relational.import_robots(
        [
            RobotRecord("r1", customer="ACME", site="Hall 2", industry="exhibition"),
            RobotRecord("r2", customer="ACME", site="Hall 3", industry="exhibition"),
            RobotRecord("k1", customer="Blue", industry="KTV", extra={"floor": 3.0}),
        ]
    )
    with closing(Database(url)) as raw, raw.writing() as connection:
        connection.execute(insert(customers).values(id="ACME", tier="key", csm="mei", revision=1))
    with closing(relational):
        yield relational


def draft(*matchers: Matcher, begins: int = T, ends: int = T + 2 * HOUR, **more: object) -> Draft:
    """A silence of two hours."""
    made = Draft(SilenceKind.SILENCE, matchers or (ACME,), begins, ends, "hall is being rebuilt")
    return replace(made, **more)  # type: ignore[arg-type]


def hidden(filled: Relational) -> dict[str, str]:
    """What hides the open alerts that are hidden, by robot."""
    found = filled.alerts(AlertQuery(suppressed=True)).items
    return {alert.entity.id: f"{by.reason} {by.entity.id}" for alert in found if (by := alert.hidden_by)}


def test_a_silence_hides_what_is_open_and_what_opens(filled: Relational) -> None:
    """At once when it is made, then whatever opens; at its end all is shown again. Histories say so."""
    signals = Signals()
    filled.commit(signals.fires(T, "Silent", "r1", "k1"), RULES)
    made = filled.silences.add(draft(), "mei", T + 1)
    assert (made.silence.active, len(made.alerts)) == (True, 1)
    filled.commit(signals.fires(T + 2, "Burning", "r2"), RULES)
    assert hidden(filled) == {"r1": f"silenced {made.silence.id}", "r2": f"silenced {made.silence.id}"}
    found = filled.alerts(AlertQuery(silence=made.silence.id)).items
    assert [alert.entity.id for alert in found] == ["r2", "r1"]
    assert filled.queue.advance(T + 2 * HOUR - 1) == []
    assert sorted(filled.queue.advance(T + 2 * HOUR)) == sorted(alert.id for alert in found)
    assert hidden(filled) == {}
    entries = filled.history(made.alerts[0])[1:]
    assert [(entry.kind, entry.who) for entry in entries] == [
        (Kind.SUPPRESSED, "mei"),
        (Kind.UNSUPPRESSED, "system"),
    ]
    assert {entry.detail["entity"] for entry in entries} == {str(made.silence.id)}


def test_a_silence_to_come(filled: Relational) -> None:
    """It hides nothing before its begin, and begins by itself."""
    [id_] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    made = filled.silences.add(draft(begins=T + HOUR), "mei", T)
    assert (made.silence.active, made.alerts, hidden(filled)) == (False, (), {})
    assert filled.queue.advance(T + HOUR - 1) == []
    assert filled.queue.advance(T + HOUR) == [id_]
    assert filled.queue.advance(T + HOUR) == []


def test_more_silences_at_once_than_a_statement_can_name(filled: Relational, url: str) -> None:
    """A thousand and more begin in the same moment: each alert is hidden once, by the oldest of its own."""
    ids = filled.commit(Signals().fires(T, "Silent", "r1", "k1"), RULES)
    with closing(Database(url)) as raw, raw.writing() as connection:
        for number in range(1_100):
            named = draft(Matcher("robot", "=", ("r1" if number % 2 else f"x{number}",)), begins=T + HOUR)
            silence_rows.add(connection, named, "mei", T)
    assert filled.queue.advance(T + HOUR) == ids[:1]
    assert hidden(filled) == {"r1": "silenced 2"}
    assert len([entry for entry in filled.history(ids[0]) if entry.kind is Kind.SUPPRESSED]) == 1
    assert filled.queue.advance(T + 2 * HOUR) == ids[:1]
    assert hidden(filled) == {}


def test_a_maintenance_every_sunday(filled: Relational) -> None:
    """It comes and goes with the clock of its zone until it ends for good."""
    [id_] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    mornings = Recurrence("su 09:00-10:00", "Asia/Shanghai")
    weekly = draft(kind=SilenceKind.MAINTENANCE, recurrence=mornings, ends=T + 8 * 24 * HOUR)
    made = filled.silences.add(weekly, "mei", T)
    assert hidden(filled) == {"r1": f"maintenance {made.silence.id}"}
    for hour in range(9 * 24):
        filled.queue.advance(T + hour * HOUR)
    turns = [(e.kind, (e.at - T) / HOUR) for e in filled.history(id_) if "suppressed" in e.kind]
    assert turns == [
        (Kind.SUPPRESSED, 0),
        (Kind.UNSUPPRESSED, 1),
        (Kind.SUPPRESSED, 7 * 24),
        (Kind.UNSUPPRESSED, 7 * 24 + 1),
    ]


def test_ending_the_one_reveals_the_other(filled: Relational) -> None:
    """Of engine and silence, and of two silences, one is shown; when it goes, the other is."""
    filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    first = filled.silences.add(draft(), "mei", T).silence
    second = filled.silences.add(draft(Matcher("robot", "prefix", ("r",))), "mei", T).silence
    by = By("inhibited", "Burning", Entity("robot", "r1"))
    change = Suppression(T + 1, "Silent", Entity("robot", "r1"), by)
    filled.commit(replace(evaluation(T + 1), suppressions=(change,)), RULES)
    assert hidden(filled) == {"r1": "inhibited r1"}
    filled.silences.end(first.id, "ana", T + 2)
    assert hidden(filled) == {"r1": "inhibited r1"}
    filled.commit(replace(evaluation(T + 3), suppressions=(replace(change, at=T + 3, by=None),)), RULES)
    assert hidden(filled) == {"r1": f"silenced {second.id}"}
    ended = filled.silences.end(second.id, "ana", T + 4)
    assert (ended.silence.ended_by, len(ended.alerts), hidden(filled)) == ("ana", 1, {})


def test_a_silence_made_another(filled: Relational) -> None:
    """What it no longer matches is shown, what it now matches is hidden."""
    filled.commit(Signals().fires(T, "Silent", "r1", "r2", "k1"), RULES)
    made = filled.silences.add(draft(), "mei", T).silence
    changed = filled.silences.change(made.id, draft(Matcher("robot", "in", ("r2", "k1"))), "ana", T + 1)
    assert (set(hidden(filled)), len(changed.alerts)) == ({"r2", "k1"}, 2)
    later = filled.silences.change(made.id, draft(begins=T + HOUR), "ana", T + 2)
    assert (later.silence.active, hidden(filled)) == (False, {})
    filled.silences.end(made.id, "ana", T + 3)
    for refused in (filled.silences.end, lambda *a: filled.silences.change(a[0], draft(), *a[1:])):
        with pytest.raises(EndedSilenceError):
            refused(made.id, "mei", T + 4)
        with pytest.raises(UnknownSilenceError):
            refused(999, "mei", T + 4)


def test_a_change_names_what_it_was_decided_on(filled: Relational) -> None:
    """A revision that is not the silence's any more is refused, and nothing is done; each change counts."""
    made = filled.silences.add(draft(), "mei", T).silence
    assert (made.revision, made.changed_at, made.changed_by) == (0, None, None)
    changed = filled.silences.change(made.id, draft(comment="longer"), "ana", T + 1, revision=0).silence
    assert (changed.revision, changed.changed_at, changed.changed_by) == (1, T + 1, "ana")
    with pytest.raises(StaleSilenceError) as refused:
        filled.silences.change(made.id, draft(comment="shorter"), "mei", T + 2, revision=0)
    assert refused.value.silence == filled.silences.one(made.id) == changed
    filled.silences.end(made.id, "ana", T + 3)
    with pytest.raises(EndedSilenceError):
        filled.silences.change(made.id, draft(), "mei", T + 4, revision=0)


MATCHERS: list[tuple[str, Op, tuple[str, ...], set[str]]] = [
    ("customer", "=", ("ACME",), {"r1", "r2", "Hall 2"}),
    ("customer", "!=", ("ACME",), {"k1", "u1"}),
    ("robot", "!=", ("r1",), {"r2", "k1", "u1", "Hall 2"}),
    ("robot", "prefix", ("r",), {"r1", "r2"}),
    ("kind", "=", ("site",), {"Hall 2"}),
    ("site", "prefix", ("Hall",), {"r1", "r2", "Hall 2"}),
    ("site", "=", ("Hall%",), set()),
    ("severity", "in", ("low", "high"), {"r1", "r2", "k1", "u1", "Hall 2"}),
    ("industry", "=", ("KTV",), {"k1"}),
    ("tier", "in", ("key", "strategic"), {"r1", "r2", "Hall 2"}),
    ("floor", "=", ("3",), {"k1"}),
]


@pytest.mark.parametrize(("name", "op", "values", "expected"), MATCHERS)
def test_a_preview_is_what_it_will_hide(
    filled: Relational, name: str, op: Op, values: tuple[str, ...], expected: set[str]
) -> None:
    """Attributes of robot, site and customer among them; the silence then hides just that."""
    filled.commit(Signals().fires(T, "Silent", "r1", "r2", "k1", "u1"), RULES)
    event = Signals().event(T + 1, "Silent", "x", State.FIRING)
    filled.commit(evaluation(T + 1, replace(event, entity=Entity("site", "Hall 2"))), RULES)
    preview = filled.silences.preview([Matcher(name, op, values)])
    found = {alert.entity.id for alert in preview.alerts}
    assert found == expected
    assert (preview.count, hidden(filled)) == (len(found), {})
    filled.silences.add(draft(Matcher(name, op, values)), "mei", T + 2)
    assert set(hidden(filled)) == found


def test_a_preview_shows_some_and_counts_all(filled: Relational) -> None:
    """The most pressing first."""
    signals = Signals()
    filled.commit(signals.fires(T, "Silent", *(f"n{number:04}" for number in range(2_500))), RULES)
    filled.commit(signals.fires(T + 1, "Burning", "n1700"), RULES)
    preview = filled.silences.preview([Matcher("robot", "prefix", ("n",))], most=3)
    assert (preview.count, [alert.rule for alert in preview.alerts]) == (
        2_501,
        ["Burning", "Silent", "Silent"],
    )
    made = filled.silences.add(draft(Matcher("robot", "prefix", ("n",))), "mei", T)
    assert (len(made.alerts), filled.queue.counts(T).hidden) == (2_501, 2_501)


def test_a_preview_of_one_who_sees_its_own(filled: Relational) -> None:
    """Only what is of its own customers is in it."""
    filled.commit(Signals().fires(T, "Silent", "r1", "k1"), RULES)
    everything = [Matcher("kind", "=", ("robot",))]
    counts = [SeenRelational(filled, csm).silences.preview(everything).count for csm in ("mei", "ana")]
    assert counts == [1, 0]


def test_who_sees_its_own_silences_its_own(filled: Relational) -> None:
    """However wide the matchers, made or changed: alerts of others' customers, and nobody's, stay shown."""
    filled.commit(Signals().fires(T, "Silent", "r1", "k1"), RULES)
    everything = draft(Matcher("kind", "=", ("robot",)))
    ana, mei = (SeenRelational(filled, csm).silences for csm in ("ana", "mei"))
    made = ana.add(everything, "ana", T)
    assert (made.alerts, hidden(filled)) == ((), {})
    assert made.silence.matchers == (*everything.matchers, Matcher("csm", "=", ("ana",)))
    assert ana.change(made.silence.id, draft(*made.silence.matchers), "ana", T + 1).silence.matchers == (
        made.silence.matchers
    )
    mine = mei.add(everything, "mei", T)
    assert (len(mine.alerts), set(hidden(filled))) == (1, {"r1"})


def test_what_who_sees_its_own_is_given_back_can_be_kept(filled: Relational) -> None:
    """With as many matchers as are allowed, too: by the person, and by who sees all; no more are made."""
    most = draft(*(Matcher("robot", "!=", (f"x{number}",)) for number in range(MAX_MATCHERS)))
    mei = SeenRelational(filled, "mei").silences
    made = mei.add(most, "mei", T).silence
    assert made.matchers == (*most.matchers, scope_of("mei"))
    for of in (mei, filled.silences):
        assert of.change(made.id, replace(most, matchers=made.matchers), "x", T).silence.matchers == (
            made.matchers
        )
    for matchers in ((*most.matchers, Matcher("robot", "!=", ("y",))), (*most.matchers, scope_of("ana")), ()):
        with pytest.raises(InvalidSilenceError, match="matchers"):
            mei.add(replace(most, matchers=matchers), "mei", T)


def test_who_sees_its_own_leaves_others_silences_alone(filled: Relational) -> None:
    """It sees what it made or what hides an alert of its own; of the latter it changes and ends nothing."""
    filled.commit(Signals().fires(T, "Silent", "r1", "k1"), RULES)
    wide = filled.silences.add(draft(), "adam", T).silence.id
    own = filled.silences.add(draft(Matcher("site", "=", ("nowhere",))), "ana", T).silence.id
    seen = {csm: SeenRelational(filled, csm).silences for csm in ("ana", "mei")}
    listed = {csm: [each.id for each in of.page(T + 1).items] for csm, of in seen.items()}
    assert listed == {"ana": [own], "mei": [wide]}
    assert seen["ana"].one(wide) is None
    assert seen["mei"].one(wide) == filled.silences.one(wide)
    for of in seen.values():
        with pytest.raises(UnknownSilenceError):
            of.change(wide, draft(), "x", T + 1)
        with pytest.raises(UnknownSilenceError):
            of.end(wide, "x", T + 1)
    assert seen["ana"].end(own, "ana", T + 1).silence.ended_by == "ana"


def test_a_silence_lets_go_of_what_moves_away(filled: Relational) -> None:
    """An alert whose robot gets another customer is judged anew, as that customer's."""
    [id_] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    filled.silences.add(draft(), "mei", T)
    filled.registry.edit(Kinds.ROBOT, "r1", {"customer": "Blue"}, "eve", T + 1)
    moved = filled.alert(id_)
    assert moved is not None
    assert (moved.customer, moved.site, moved.owner, moved.hidden_by) == ("Blue", "Hall 2", None, None)
    filled.registry.edit(Kinds.ROBOT, "r1", {"customer": "ACME", "site": None}, "eve", T + 2)
    back = filled.alert(id_)
    assert back is not None
    assert (back.customer, back.site, back.owner) == ("ACME", None, "mei")
    assert hidden(filled) == {"r1": "silenced 1"}


def test_silences_page_by_page(filled: Relational) -> None:
    """The newest first; those that ended are another list."""
    ids = [filled.silences.add(draft(), "mei", T).silence.id for _ in range(5)]
    filled.silences.end(ids[2], "mei", T + 1)
    first = filled.silences.page(T + 1, limit=2)
    second = filled.silences.page(T + 1, limit=2, after=first.next)
    assert [each.id for each in (*first.items, *second.items)] == [ids[4], ids[3], ids[1], ids[0]]
    assert second.next is None
    assert [each.id for each in filled.silences.page(T + 1, ended=True).items] == [ids[2]]
    assert len(filled.silences.page(T + 1, ended=None).items) == 5
    assert [each.id for each in filled.silences.page(T + 2 * HOUR, ended=True).items] == ids[::-1]
    assert filled.silences.one(ids[0]) == second.items[1]


@pytest.mark.parametrize("cursor", ["9" * 20, "9" * 5_000, "-1", "x", "²"])
def test_a_cursor_that_is_none(filled: Relational, cursor: str) -> None:
    """What no page before gave out is refused, however long it is."""
    with pytest.raises(CursorError):
        filled.silences.page(T, after=cursor)


def test_people_work_on_what_is_hidden(filled: Relational) -> None:
    """As on any other; its deadlines wait for it to be shown."""
    [id_] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    filled.silences.add(draft(ends=T + 200 * HOUR), "mei", T)
    assert filled.queue.advance(T + 100 * HOUR) == []
    assert filled.queue.act(id_, Acknowledge(), "mei", T + 100 * HOUR).hidden_by is not None
    filled.queue.advance(T + 200 * HOUR)
    kinds = [entry.kind for entry in filled.history(id_)][1:]
    assert kinds == [Kind.SUPPRESSED, Kind.ACKNOWLEDGED, Kind.UNSUPPRESSED, Kind.ESCALATED, Kind.RETURNED]


def test_a_wrong_silence_is_not_made(filled: Relational) -> None:
    """Nothing is half done."""
    with pytest.raises(InvalidSilenceError):
        filled.silences.add(replace(draft(), comment=""), "mei", T)
    assert filled.silences.page(T, ended=None).items == ()
