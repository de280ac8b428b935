"""The queue on each database: owners, deadlines, ranks, filters, many at once, and who was quicker."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import insert, select, text

from collector.queue import (
    Acknowledge,
    Assign,
    Check,
    Close,
    IllegalActionError,
    InvalidActionError,
    Kind,
    Note,
    Reason,
    Severity,
    Snooze,
    StaleActionError,
    Work,
)
from collector.relational import AlertQuery, CursorError, Relational, RobotRecord, UnknownAlertError
from collector.relational.database import Database
from collector.relational.listing import By as Grouping
from collector.relational.listing import Group, Page
from collector.relational.schema import contracts, customers, happenings, people, sites
from collector.relational.views import InvalidViewError, UnknownViewError, View
from collector.silences import Draft, Matcher, SilenceKind
from rules.evaluation import By, Entity, Event, Suppression
from rules.lifecycle import State
from tests.collector.evaluations import HOUR, RULES, Signals, evaluation, evidence, measured

DAY = 24 * HOUR
T = round(datetime.fromisoformat("2026-11-23T09:00+08:00").timestamp() * 1_000)  # a Monday
CUSTOMER = Matcher("customer", "=", ("C2",))
ROBOTS = [
    RobotRecord("r1", customer="ACME", site="Hall 2", tz="Asia/Shanghai", industry="exhibition"),
    RobotRecord("r2", customer="ACME", site="Hall 2", tz="Asia/Shanghai"),
    RobotRecord("r3", name="小智", customer="Blue", site="Lobby"),
    RobotRecord("r4"),
]


@pytest.fixture
def filled(url: str) -> Iterator[Relational]:
    """Two customers: one whose CSM works in Shanghai, and a contract about to end; one of nobody's."""
    relational = Relational(url)
    relational.import_robots(ROBOTS)
    with closing(Database(url)) as raw, raw.writing() as connection:
        person = {"role": "csm", "sees": "all", "active": True, "revision": 1}
        connection.execute(
            insert(people),
            [
                {"id": "mei", "name": "Mei", "tz": "Asia/Shanghai", **person},
                {"id": "ana", "name": "Ana", "tz": "Europe/Berlin", **person},
                {"id": "gone", "name": "Gone", "tz": None, **person, "active": False},
            ],
        )
        connection.execute(insert(customers).values(id="ACME", tier="key", csm="mei", revision=1))
        connection.execute(insert(sites).values(id="Lobby", tz="Europe/Berlin", customer="Blue", revision=1))
        connection.execute(
            insert(contracts), [_contract("c1", "2026-12-20", 500_000.0), _contract("c0", "2025-12-20", 1.0)]
        )
    with closing(relational):
        yield relational


def _contract(id_: str, ends_on: str, amount: float) -> dict[str, object]:
    begins = {"begins_on": "2024-01-01", "ends_on": ends_on, "amount": amount, "currency": "CNY"}
    return {"id": id_, "customer": "ACME", **begins, "renewed": None, "revision": 1}


def happened(url: str) -> list[tuple[int, str]]:
    """What there is to tell, in order."""
    with closing(Database(url)) as raw, raw.reading() as connection:
        rows = connection.execute(select(happenings).order_by(happenings.c.id))
        return [(row.alert, row.kind) for row in rows]


# -- opening


def test_an_alert_opens_with_all_that_is_known(filled: Relational) -> None:
    """Customer, site, owner, deadlines in the owner's working time, and the reasons for its rank."""
    [id_] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    alert = filled.alert(id_)
    assert alert is not None
    assert (alert.customer, alert.site, alert.owner) == ("ACME", "Hall 2", "mei")
    assert (alert.ack_due_at, alert.resolve_due_at) == (T + 2 * HOUR, T + 2 * DAY + 6 * HOUR)
    assert [(point.key, point.points) for point in alert.reasons] == [
        ("severity", 60),
        ("contract", 15),
        ("renewal", 25),
        ("share", 10),
    ]
    assert dict(alert.reasons[2].values) == {"days": 27}
    assert filled.alerts().items == (alert,)


def test_what_nobody_registered(filled: Relational) -> None:
    """A robot without a customer has alerts without an owner; a site's zone counts where there is one."""
    lonely, blue = filled.commit(Signals().fires(T, "Silent", "r4", "r3"), RULES)
    found = filled.queue.by_ids([lonely, blue])
    assert (found[lonely].customer, found[lonely].owner) == (None, None)
    assert found[lonely].ack_due_at == T + 8 * HOUR + 2 * HOUR  # 01:00 in UTC: from 09:00 on
    assert found[blue].ack_due_at == T + 7 * HOUR + 2 * HOUR  # 02:00 in Berlin


def test_an_alert_of_a_site_or_customer(filled: Relational) -> None:
    """It belongs to the customer all the same; of a site nobody registered, by its robots."""
    events = [
        Event(T, "Silent", Entity(kind, id_), State.INACTIVE, State.FIRING, T, 1.0, 1.0, evidence(1.0))
        for kind, id_ in (("site", "Hall 2"), ("customer", "ACME"), ("site", "Lobby"), ("site", "None"))
    ]
    filled.commit(evaluation(T, *events), RULES)
    found = {alert.entity.id: (alert.customer, alert.site, alert.owner) for alert in filled.alerts().items}
    assert found == {
        "Hall 2": ("ACME", "Hall 2", "mei"),
        "ACME": ("ACME", "Hall 2", "mei"),
        "Lobby": ("Blue", "Lobby", None),
        "None": (None, "None", None),
    }


def test_the_rank_follows_the_share_of_robots(filled: Relational) -> None:
    """The customer's second robot raises the first one's alert in the same commit; its end lowers it."""
    signals = Signals()
    [first] = filled.commit(signals.fires(T, "Silent", "r1"), RULES)
    filled.commit(signals.fires(T + 1, "Silent", "r2"), RULES)
    assert share(filled, first) == 20
    filled.commit(signals.becomes(T + 2, "Silent", "r2", State.RESOLVED), RULES)
    assert share(filled, first) == 10
    [third] = filled.commit(signals.fires(T + 3, "Relocalization", "r2"), RULES)
    assert share(filled, first) == 20
    filled.queue.act(third, Close(Reason.EXPECTED), "mei", T + 4)
    assert share(filled, first) == 10


def test_what_a_commit_leaves_of_the_share(filled: Relational) -> None:
    """One robot more that is no point more rewrites no alert; the daily ranking tells the new number."""
    fleet = [f"f{number:02}" for number in range(40)]
    filled.import_robots([*ROBOTS, *(RobotRecord(name, customer="Big") for name in fleet)])
    signals = Signals()
    [first] = filled.commit(signals.fires(T, "Silent", fleet[0]), RULES)
    found = []
    for number in range(1, 4):
        filled.commit(signals.fires(T + number, "Silent", fleet[number]), RULES)
        found.append((share(filled, first), affected(filled, first)))
    assert found == [(1, 2), (2, 3), (2, 3)]
    assert filled.queue.rerank(T + DAY) == 4
    assert (share(filled, first), affected(filled, first)) == (2, 4)


def affected(filled: Relational, id_: int) -> object:
    """How many robots the points for the share are said to follow from."""
    reasons = filled.queue.by_ids([id_])[id_].reasons
    return next(point.values["affected"] for point in reasons if point.key == "share")


def share(filled: Relational, id_: int) -> float:
    """The points for the share of robots, which the priority includes."""
    alert = filled.alert(id_)
    assert alert is not None
    assert alert.priority == pytest.approx(sum(p.points for p in alert.reasons) - alert.opened_at / DAY)
    return next((point.points for point in alert.reasons if point.key == "share"), 0)


def test_renewals_come_nearer(filled: Relational, url: str) -> None:
    """Once a day all are ranked again; what was paid meanwhile counts no more."""
    [id_] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    with closing(Database(url)) as raw, raw.writing() as connection:
        connection.execute(text("UPDATE contracts SET renewed = :yes"), {"yes": True})
    assert filled.queue.rerank(T) == 1
    assert filled.queue.rerank(T + HOUR) == 0
    alert = filled.alert(id_)
    assert alert is not None
    assert [point.key for point in alert.reasons] == ["severity", "contract", "share"]
    assert filled.queue.restand(["ACME", "nobody's"], T) == 0
    assert filled.queue.rerank(T + DAY) == 0


def test_a_relapse_names_the_alert_before(filled: Relational, url: str) -> None:
    """Within seven days of a person's close, also when one closed itself in between; not later."""
    signals = Signals()
    [first] = filled.commit(signals.fires(T, "Silent", "r1"), RULES)
    filled.queue.act(first, Close(Reason.FIXED_REMOTELY), "mei", T + 1)
    filled.commit(signals.becomes(T + 2, "Silent", "r1", State.RESOLVED), RULES)
    [second] = filled.commit(signals.fires(T + DAY, "Silent", "r1"), RULES)
    alert = filled.alert(second)
    assert alert is not None
    assert (alert.relapse_of, alert.relapses) == (first, 1)
    assert [entry.kind for entry in filled.history(second)] == [Kind.OPENED, Kind.RELAPSED]
    assert happened(url) == [(first, "opened"), (first, "closed"), (second, "opened"), (second, "relapsed")]
    found = []
    for day in (2, 6, 8):
        filled.commit(signals.becomes(T + day * DAY, "Silent", "r1", State.RESOLVED), RULES)
        [id_] = filled.commit(signals.fires(T + day * DAY + 2, "Silent", "r1"), RULES)
        found += [filled.queue.by_ids([id_])[id_].relapse_of]
    assert found == [first, first, None]


# -- time


def test_what_time_brings(filled: Relational, url: str) -> None:
    """Escalated at its deadline, taken, back after two days, escalated again; each told once."""
    [id_] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    assert filled.queue.advance(T + 2 * HOUR - 1) == []
    assert filled.queue.advance(T + 2 * HOUR) == [id_]
    assert filled.queue.advance(T + 2 * HOUR) == []
    filled.queue.act(id_, Acknowledge(), "mei", T + 2 * HOUR)
    back_at = T + 2 * DAY + 2 * HOUR
    assert filled.queue.advance(back_at - 1) == []
    assert filled.queue.advance(back_at) == [id_]
    assert filled.queue.advance(T + 2 * DAY + 6 * HOUR) == [id_]
    alert = filled.alert(id_)
    assert alert is not None
    assert (alert.work, alert.escalated, alert.revision) == (Work.NEW, 2, 2)
    assert [kind for _, kind in happened(url)] == ["opened", "escalated", "returned", "escalated"]


def test_what_resolved_does_not_come_back(filled: Relational) -> None:
    """It ends instead, which lowers its customer's share, and the next episode is an alert of its own."""
    signals = Signals()
    first, second = filled.commit(signals.fires(T, "Silent", "r1", "r2"), RULES)
    filled.queue.act(first, Acknowledge(), "mei", T)
    filled.queue.act(second, Snooze(T + 9 * DAY, "later"), "mei", T)
    filled.commit(signals.becomes(T + 1, "Silent", "r1", State.RESOLVED), RULES)
    assert filled.queue.advance(T + 2 * DAY) == [first]
    assert [entry.kind for entry in filled.history(first)][-1] is Kind.CLOSED
    assert share(filled, second) == 10
    [third] = filled.commit(signals.fires(T + 2 * DAY + 1, "Silent", "r1"), RULES)
    assert third != first


def test_a_long_time_away(filled: Relational) -> None:
    """After weeks without a look, everything is made up for at once, and not once for every day."""
    ids = filled.commit(Signals().fires(T, "Silent", "r1", "r2"), RULES)
    filled.queue.act(ids[0], Snooze(T + DAY, "later"), "mei", T)
    assert sorted(filled.queue.advance(T + 30 * DAY)) == ids
    assert [e.kind for e in filled.history(ids[0])][2:] == [Kind.WOKE]
    assert [e.kind for e in filled.history(ids[1])] == [Kind.OPENED, Kind.ESCALATED, Kind.ESCALATED]
    assert filled.queue.advance(T + 30 * DAY) == []


# -- acting


def test_another_owner(filled: Relational, url: str) -> None:
    """The deadlines go on in that person's working time; nobody unknown or gone is taken."""
    [id_] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    given = filled.queue.act(id_, Assign("ana"), "mei", T)
    assert (given.owner, given.ack_due_at) == ("ana", T + 7 * HOUR + 2 * HOUR)
    assert happened(url)[-1] == (id_, "assigned")
    for unknown in ("nobody", "gone"):
        with pytest.raises(InvalidActionError, match=f"there is nobody called '{unknown}'"):
            filled.queue.act(id_, Assign(unknown), "mei", T)
    assert filled.queue.act(id_, Assign(None), "mei", T).owner is None
    assert [dict(e.detail)["owner"] for e in filled.history(id_)] == ["mei", "ana", None]


def test_notes_and_steps_stay(filled: Relational) -> None:
    """They are found again with the alert and in its history; on a closed one only notes are added."""
    [id_] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    filled.queue.act(id_, Check("reboot"), "mei", T)
    filled.queue.act(id_, Check("reboot"), "mei", T)
    filled.queue.act(id_, Close(Reason.EXPECTED), "mei", T)
    filled.queue.act(id_, Note(" 客户已知情 "), "mei", T)
    alert = filled.alert(id_)
    assert alert is not None
    assert (alert.checked, alert.revision) == (("reboot",), 3)
    assert [entry.kind for entry in filled.history(id_)][1:] == [Kind.CHECKED, Kind.CLOSED, Kind.NOTED]
    assert filled.history(id_)[-1].detail == {"note": "客户已知情"}
    with pytest.raises(IllegalActionError):
        filled.queue.act(id_, Check("reboot", done=False), "mei", T)


def test_the_second_is_told_who_was_quicker(filled: Relational) -> None:
    """By what the alert was when it was read: its revision, or its work."""
    [id_] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    filled.queue.act(id_, Acknowledge(), "ana", T + 5, revision=0)
    for stale in ({"revision": 0}, {"expected": Work.NEW}):
        with pytest.raises(StaleActionError) as refused:
            filled.queue.act(id_, Note("mine"), "mei", T + 6, **stale)
        last = refused.value.last
        assert last is not None
        assert (last.who, last.kind, last.at) == ("ana", Kind.ACKNOWLEDGED, T + 5)
    with pytest.raises(IllegalActionError) as again:
        filled.queue.act(id_, Acknowledge(), "mei", T + 6)
    assert again.value.last is not None
    assert filled.queue.act(id_, Note("ours"), "mei", T + 6, revision=1).revision == 2
    filled.commit(measured(T + 7, "Silent", "r1", 9.0), RULES)
    assert filled.queue.act(id_, Note("more"), "mei", T + 8, revision=2).revision == 3


def test_many_at_once(filled: Relational, url: str) -> None:
    """Each is done or refused by itself, in the order given, in one transaction."""
    first, second, third = filled.commit(Signals().fires(T, "Silent", "r1", "r2", "r3"), RULES)
    filled.queue.act(second, Close(Reason.EXPECTED), "ana", T)
    meant = {third: 0, second: None, 999: None, first: 5}
    outcomes = filled.queue.act_many(meant, Acknowledge(), "mei", T + 1)
    assert [(each.id, type(each.refusal)) for each in outcomes] == [
        (third, type(None)),
        (second, IllegalActionError),
        (999, UnknownAlertError),
        (first, StaleActionError),
    ]
    assert outcomes[0].alert == filled.alert(third)
    assert happened(url)[-1] == (second, "closed")
    with pytest.raises(ValueError, match="500 are allowed at once"):
        filled.queue.act_many(dict.fromkeys(range(1, 502)), Acknowledge(), "mei", T)
    assert filled.queue.act_many({}, Acknowledge(), "mei", T) == []


# -- reading


@pytest.fixture
def five(filled: Relational) -> dict[str, int]:
    """A critical one that is hidden, a high one taken, two more of another customer, one of nobody."""
    signals = Signals()
    names = {"hidden": ("Burning", "r1"), "taken": ("Silent", "r1"), "new": ("Relocalization", "r2")}
    names |= {"blue": ("Silent", "r3"), "lonely": ("Relocalization", "r4")}
    ids = {
        name: filled.commit(signals.fires(T + n, *of), RULES)[0] for n, (name, of) in enumerate(names.items())
    }
    change = Suppression(
        T + 9, "Burning", Entity("robot", "r1"), By("inhibited", "Silent", Entity("robot", "r1"))
    )
    filled.commit(replace(evaluation(T + 9), suppressions=(change,)), RULES)
    filled.queue.act(ids["taken"], Acknowledge(), "mei", T + 10)
    return ids


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (AlertQuery(), ["hidden", "taken", "new", "blue", "lonely"]),
        (AlertQuery(suppressed=False), ["taken", "new", "blue", "lonely"]),
        (AlertQuery(suppressed=True), ["hidden"]),
        (AlertQuery(owner="mei"), ["hidden", "taken", "new"]),
        (AlertQuery(unassigned=True), ["blue", "lonely"]),
        (AlertQuery(customer="ACME", suppressed=False), ["taken", "new"]),
        (AlertQuery(site="Lobby"), ["blue"]),
        (AlertQuery(works=(Work.NEW, Work.SNOOZED), suppressed=False), ["new", "blue", "lonely"]),
        (AlertQuery(overdue_at=T + 8 * HOUR), ["hidden", "new"]),
        (AlertQuery(customers=("ACME", "Blue"), suppressed=False), ["taken", "new", "blue"]),
        (AlertQuery(text="acme", severity=Severity.HIGH), ["taken"]),
        (AlertQuery(text="小智"), ["blue"]),
        (AlertQuery(text="zzz", rules=("Silent",)), ["taken", "blue"]),
        (AlertQuery(text="%"), []),
    ],
)
def test_filters(filled: Relational, five: dict[str, int], query: AlertQuery, names: list[str]) -> None:
    """Each finds what it names, by priority; page by page it is the same."""
    found = [alert.id for alert in filled.alerts(query).items]
    assert [name for id_ in found for name, known in five.items() if known == id_] == names
    assert filled.queue.ids(query) == found
    assert filled.queue.count(query) == len(found)
    paged, after = [], None
    while True:
        page = filled.alerts(query, after=after, limit=1)
        paged += [alert.id for alert in page.items]
        after = page.next
        if after is None:
            break
    assert paged == found


def test_counts_for_tabs_and_tiles(filled: Relational, five: dict[str, int]) -> None:
    """By work and severity, with what is late and what is nobody's; through the other filters."""
    counts = filled.queue.counts(T + 8 * HOUR)
    assert (counts.of(), counts.of(Work.NEW), counts.of(Work.ACKNOWLEDGED), counts.hidden) == (4, 3, 1, 1)
    assert counts.of(Work.NEW, Work.ACKNOWLEDGED, severity=Severity.HIGH) == 2
    assert (counts.overdue(), counts.unassigned(), counts.unassigned(Work.NEW)) == (1, 2, 2)
    own = filled.queue.counts(T, AlertQuery(owner="mei", work=Work.CLOSED, severity=Severity.LOW))
    assert (own.of(), own.hidden, own.overdue()) == (2, 1, 0)
    assert filled.queue.counts(T, AlertQuery(text="nothing")).of() == 0
    assert len(five) == 5


def test_groups_by_customer_and_site(filled: Relational, five: dict[str, int]) -> None:
    """The group with the most pressing alert comes first; what belongs to nobody is a group too."""
    groups = filled.queue.groups("customer", T + 8 * HOUR, AlertQuery(suppressed=False))
    assert groups == Page(
        (
            Group("ACME", 2, 1, 1, Severity.HIGH, T + 1),
            Group("Blue", 1, 1, 0, Severity.HIGH, T + 3),
            Group(None, 1, 1, 0, Severity.MEDIUM, T + 4),
        ),
        None,
    )
    names = [group.name for group in filled.queue.groups("site", T, AlertQuery(), limit=2).items]
    assert names == ["Hall 2", "Lobby"]
    assert len(five) == 5


@pytest.mark.parametrize("query", [AlertQuery(), AlertQuery(suppressed=False), AlertQuery(state="all")])
@pytest.mark.parametrize("by", ["customer", "site"])
def test_groups_page_by_page(filled: Relational, by: Grouping, query: AlertQuery) -> None:
    """Each group once, the one with the most pressing alert first, however many rank alike."""
    robots = [
        RobotRecord(f"p{number}", customer=f"C{number % 7}", site=f"S{number % 5}") for number in range(20)
    ]
    filled.import_robots(robots)
    signals = Signals()
    filled.commit(signals.fires(T, "Silent", *(robot.id for robot in robots), "r1", "r4"), RULES)
    [early] = filled.commit(signals.fires(T + 1, "Burning", "p3"), RULES)
    filled.queue.act(early, Close(Reason.EXPECTED), "mei", T + 2)
    filled.silences.add(Draft(SilenceKind.SILENCE, (CUSTOMER,), T, T + HOUR, "moving"), "mei", T + 2)
    listed = filled.alerts(query, limit=500).items
    ranked = sorted(listed, key=lambda alert: (-alert.priority, alert.id))
    tops = {getattr(alert, by): alert.priority for alert in reversed(ranked)}
    first = {getattr(alert, by): alert.id for alert in sorted(listed, key=lambda alert: -alert.id)}
    counts = Counter(getattr(alert, by) for alert in listed)
    expected = sorted(counts.items(), key=lambda group: (-tops[group[0]], first[group[0]]))
    found, after = [], None
    while True:
        page = filled.queue.groups(by, T, query, after=after, limit=2)
        found += [(group.name, group.count) for group in page.items]
        after = page.next
        if after is None:
            break
    assert found == expected


@pytest.mark.parametrize("cursor", ["x", "WyJ0IiwgMSwgMl0"])
def test_a_cursor_of_no_groups(filled: Relational, cursor: str) -> None:
    """What no page of groups gave out, and what the list of closed alerts did, is refused."""
    with pytest.raises(CursorError):
        filled.queue.groups("customer", T, AlertQuery(), after=cursor)


def test_precision_of_rules(filled: Relational) -> None:
    """What people fixed against what they called a false alarm; the system's closes do not count."""
    signals = Signals()
    reasons = [Reason.FIXED_REMOTELY, Reason.FALSE_ALARM, Reason.CUSTOMER_INFORMED]
    ids = filled.commit(signals.fires(T, "Silent", "r1", "r2", "r3", "r4"), RULES)
    for id_, reason in zip(ids, reasons, strict=False):
        filled.queue.act(id_, Close(reason), "mei", T + 1)
    filled.commit(signals.becomes(T + 2, "Silent", "r4", State.RESOLVED), RULES)
    [other] = filled.commit(signals.fires(T + 3, "Burning", "r1"), RULES)
    filled.queue.act(other, Close(Reason.EXPECTED), "mei", T + 4)
    burning, silent = filled.queue.precision(T)
    assert (burning.rule, burning.share) == ("Burning", None)
    assert (silent.right, silent.wrong, silent.share) == (2, 1, 2 / 3)
    assert filled.queue.precision(T + 5) == []


# -- views


def test_views_are_a_persons_own(database: Relational) -> None:
    """Kept under a name, replaced by the same name, at most one of them chosen."""
    views = database.views
    views.save("mei", " mine ", "?owner=me")
    views.save("mei", "late", "overdue=1")
    views.choose("mei", "late")
    views.save("mei", "late", "overdue=1&severity=high")
    views.save("ana", "late", "")
    assert views.of("mei") == [View("late", "overdue=1&severity=high", True), View("mine", "owner=me")]
    assert views.chosen("mei") == views.of("mei")[0]
    assert views.chosen("ana") is None
    views.choose("mei", None)
    assert views.chosen("mei") is None
    views.remove("mei", "late")
    assert [view.name for view in views.of("mei")] == ["mine"]
    for gone in (views.remove, views.choose):
        with pytest.raises(UnknownViewError):
            gone("mei", "late")


@pytest.mark.parametrize(("name", "query"), [(" ", ""), ("x" * 61, ""), ("x", "y" * 1_001)])
def test_views_that_cannot_be_kept(database: Relational, name: str, query: str) -> None:
    """Without a name, or too long."""
    with pytest.raises(InvalidViewError):
        database.views.save("mei", name, query)


def test_a_choice_of_what_is_not_there_changes_nothing(database: Relational) -> None:
    """The view chosen before stays chosen; and a person keeps only so many."""
    for number in range(30):
        database.views.save("mei", f"view {number:02}", "")
    database.views.choose("mei", "view 07")
    with pytest.raises(UnknownViewError):
        database.views.choose("mei", "nothing")
    assert database.views.chosen("mei") == View("view 07", "", True)
    with pytest.raises(InvalidViewError, match="30 views"):
        database.views.save("mei", "one more", "")
