"""Whose open alerts are, on each database, when customers get another CSM, and people leave and return."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from collector.people import Person, Role
from collector.queue import Acknowledge, Alert, Assign, Close, InvalidActionError, Kind, Reason, Snooze
from collector.registry import Kind as Kinds
from collector.registry import read
from collector.relational import AlertQuery, Relational, RobotRecord
from collector.silences import Draft, Matcher, SilenceKind
from tests.collector.evaluations import HOUR, RULES, Signals
from tests.conformance.databases import Fresh

DAY = 24 * HOUR
T = round(datetime.fromisoformat("2026-11-23T09:00+08:00").timestamp() * 1_000)  # a Monday
PEOPLE = (
    Person("mei", "Mei", Role.CSM, tz="Asia/Shanghai"),
    Person("ana", "Ana", Role.CSM, tz="Europe/Berlin"),
    Person("bo", "Bo", Role.CSM, tz="Asia/Shanghai"),
)
REGISTRY = """
customers: [{id: ACME, csm: mei, tier: key}, {id: Blue, csm: bo}]
sites: [{id: Hall, customer: ACME, tz: Asia/Shanghai}]
robots: [{id: r1, customer: ACME}, {id: r2, site: Hall}, {id: r3, customer: Blue}, {id: r4, customer: New}]
"""
Change = Callable[[Relational], object]


def register(relational: Relational) -> None:
    """Mei looks after ACME, Bo after Blue, nobody after New."""
    for person in PEOPLE:
        relational.accounts.add(person, None, "system", T)
    assert imported(relational, REGISTRY)


def imported(relational: Relational, text: str) -> bool:
    """Takes a file in."""
    return relational.registry.import_(read(text, "registry.yaml"), "eve", T + HOUR).done


@pytest.fixture
def filled(database: Relational) -> Relational:
    """Three CSMs and their customers."""
    register(database)
    return database


def owners(relational: Relational) -> dict[str, str | None]:
    """Who owns the open alerts, by robot."""
    return {alert.entity.id: alert.owner for alert in relational.alerts(AlertQuery()).items}


def edit(id_: str, **fields: str | None) -> Change:
    """Somebody changes a customer."""
    return lambda relational: relational.registry.edit(Kinds.CUSTOMER, id_, fields, "eve", T + HOUR)


def to_file(text: str) -> Change:
    """Somebody imports a file."""
    return lambda relational: imported(relational, text)


@pytest.mark.parametrize(
    ("change", "owner"),
    [
        (edit("ACME", csm="ana"), "ana"),
        (edit("ACME", csm="nobody.yet"), "nobody.yet"),
        (to_file("customers: [{id: ACME, csm: ana}]"), "ana"),
        (edit("ACME", csm=None), None),
        (lambda relational: relational.registry.remove(Kinds.CUSTOMER, "ACME", "eve", T + HOUR), None),
    ],
    ids=["edited", "unknown", "imported", "emptied", "removed"],
)
def test_a_customers_alerts_go_to_its_next_csm(filled: Relational, change: Change, owner: str | None) -> None:
    """Those of the former one and nobody's; not what somebody was given, what is closed, or another's."""
    signals = Signals()
    own, site, blue = filled.commit(signals.fires(T, "Silent", "r1", "r2", "r3"), RULES)
    given, freed, closed = (
        filled.commit(signals.fires(T + later, name, robot), RULES)[0]
        for later, name, robot in ((1, "Burning", "r1"), (2, "Burning", "r2"), (3, "Relocalization", "r1"))
    )
    filled.queue.act(given, Assign("bo"), "mei", T)
    filled.queue.act(freed, Assign(None), "mei", T)
    filled.queue.act(closed, Close(Reason.EXPECTED), "mei", T)
    change(filled)
    ids = (own, site, freed, given, blue, closed)
    found = filled.queue.by_ids(ids)
    assert [found[id_].owner for id_ in ids] == [owner, owner, owner, "bo", "bo", "mei"]
    assert [found[id_].customer for id_ in ids] == ["ACME"] * 4 + ["Blue", "ACME"]
    last = filled.history(own)[-1]
    assert (last.kind, last.who, last.at) == (Kind.ASSIGNED, "eve", T + HOUR)
    assert (last.detail["owner"], last.detail["before"]) == (owner, "mei")
    assert len(filled.history(blue)) == 1


def test_the_same_working_time_is_left(filled: Relational) -> None:
    """As if the former CSM had given each alert to the next; what sleeps goes on sleeping."""
    signals = Signals()
    by_hand, taken, asleep = (
        filled.commit(signals.fires(T + later, name, "r1"), RULES)[0]
        for later, name in enumerate(("Silent", "Burning", "Relocalization"))
    )
    filled.queue.act(taken, Acknowledge(), "mei", T)
    filled.queue.act(asleep, Snooze(T + 2 * DAY, "later"), "mei", T)
    assigned = filled.queue.act(by_hand, Assign("ana"), "mei", T + HOUR)
    filled.queue.act(by_hand, Assign("mei"), "mei", T + HOUR)
    edit("ACME", csm="ana")(filled)
    found = filled.queue.by_ids([by_hand, taken, asleep])
    assert found[by_hand] == replace(assigned, revision=assigned.revision + 2)
    assert found[by_hand].ack_due_at == T + 7 * HOUR + HOUR  # from 09:00 in Berlin, one hour of two
    assert found[taken].acknowledged_by == "mei"
    assert found[taken].returns_at == T + DAY + 16 * HOUR  # two working days there
    assert (found[asleep].owner, found[asleep].snoozed_until) == ("ana", T + 2 * DAY)


@pytest.mark.parametrize(
    "change",
    [
        edit("ACME", csm="mei"),
        edit("ACME", tier="standard", note="moved"),
        to_file("customers: [{id: ACME, csm: mei}]\nrobots: [{id: r1, name: One}]"),
        lambda relational: relational.registry.set_pulse("ACME", 2, None, "eve", T),
    ],
)
def test_the_same_csm_is_no_change(filled: Relational, change: Change) -> None:
    """Not even for an alert that somebody took out of everybody's hands."""
    own, freed = filled.commit(Signals().fires(T, "Silent", "r1", "r2"), RULES)
    filled.queue.act(freed, Assign(None), "mei", T)
    before = filled.queue.by_ids([own, freed])
    change(filled)
    assert filled.queue.by_ids([own, freed]) == before


def test_a_customer_that_only_robots_named_gets_a_csm(filled: Relational) -> None:
    """Its alerts were nobody's."""
    filled.commit(Signals().fires(T, "Silent", "r4"), RULES)
    assert owners(filled) == {"r4": None}
    edit("New", csm="ana")(filled)
    assert owners(filled) == {"r4": "ana"}


def test_robots_and_csms_change_in_one_file(filled: Relational) -> None:
    """Who had the alerts before is who the file took the customer from."""
    filled.commit(Signals().fires(T, "Silent", "r1", "r2", "r3"), RULES)
    assert imported(
        filled,
        "customers: [{id: ACME, csm: ana}, {id: Blue, csm: mei}]\n"
        "robots: [{id: r1, customer: Blue}, {id: r3, customer: ACME}]",
    )
    assert owners(filled) == {"r1": "mei", "r2": "ana", "r3": "ana"}


def test_a_site_that_is_removed_takes_its_customer_along(filled: Relational) -> None:
    """The alerts of robots that had their customer from it are nobody's, until it is back."""
    filled.commit(Signals().fires(T, "Silent", "r1", "r2"), RULES)
    filled.registry.remove(Kinds.SITE, "Hall", "eve", T + HOUR)
    assert owners(filled) == {"r1": "mei", "r2": None}
    assert imported(filled, "sites: [{id: Hall, customer: Blue}]")
    assert owners(filled) == {"r1": "mei", "r2": "bo"}


def test_more_alerts_than_one_statement_takes(filled: Relational) -> None:
    """All of them are given, each with its own entry."""
    names = [f"f{number:04}" for number in range(1_101)]
    filled.import_robots([RobotRecord(name, customer="ACME") for name in names])
    ids = filled.commit(Signals().fires(T, "Silent", *names), RULES)
    edit("ACME", csm="ana")(filled)
    assert {alert.owner for alert in filled.queue.by_ids(ids).values()} == {"ana"}
    assert {len(filled.history(id_)) for id_ in (ids[0], ids[500], ids[-1])} == {2}


def test_a_csms_own_silence_does_not_hide_what_is_anothers(filled: Relational) -> None:
    """Whoever made it no longer looks after the customer; alerts that others have are shown again, too."""
    own, given = filled.commit(Signals().fires(T, "Silent", "r1", "r2"), RULES)
    filled.queue.act(given, Assign("bo"), "mei", T)
    mine = Draft(SilenceKind.SILENCE, (Matcher("csm", "=", ("mei",)),), T, T + DAY, "fair")
    assert set(filled.silences.add(mine, "mei", T).alerts) == {own, given}
    edit("ACME", csm="ana")(filled)
    assert [alert.hidden_by for alert in filled.queue.by_ids([own, given]).values()] == [None, None]


def disabled(relational: Relational, id_: str, *, active: bool = False) -> None:
    """An admin keeps somebody out, or lets her in again."""
    person = relational.accounts.person(id_)
    assert person is not None
    relational.accounts.change(replace(person, active=active), "admin", T + HOUR)


def test_who_leaves_owns_no_alerts(filled: Relational) -> None:
    """They go to the customer's CSM where that is somebody else, or to nobody; so does what opens then."""
    signals = Signals()
    own, given = filled.commit(signals.fires(T, "Silent", "r1", "r3"), RULES)
    filled.queue.act(given, Assign("mei"), "bo", T)
    disabled(filled, "mei")
    assert owners(filled) == {"r1": None, "r3": "bo"}
    last = filled.history(own)[-1]
    assert (last.kind, last.who, last.detail["before"]) == (Kind.ASSIGNED, "admin", "mei")
    filled.commit(signals.fires(T + HOUR, "Silent", "r2"), RULES)
    assert owners(filled)["r2"] is None
    assert len(filled.alerts(AlertQuery(unassigned=True)).items) == 2
    with pytest.raises(InvalidActionError):
        filled.queue.act(own, Assign("mei"), "bo", T)


def test_who_returns_finds_what_is_nobodys(filled: Relational) -> None:
    """Of own customers; what others were given meanwhile stays theirs, and so does what they had before."""
    signals = Signals()
    own, site, _ = filled.commit(signals.fires(T, "Silent", "r1", "r2", "r4"), RULES)
    disabled(filled, "mei")
    filled.queue.act(site, Assign("bo"), "bo", T + HOUR)
    disabled(filled, "mei", active=True)
    assert owners(filled) == {"r1": "mei", "r2": "bo", "r4": None}
    assert [entry.kind for entry in filled.history(own)] == [Kind.OPENED, Kind.ASSIGNED, Kind.ASSIGNED]


def test_another_change_of_a_person_moves_nothing(filled: Relational) -> None:
    """A name, or the same once more."""
    [own] = filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    person = filled.accounts.person("mei")
    assert person is not None
    filled.accounts.change(replace(person, name="Li Mei"), "admin", T)
    assert len(filled.history(own)) == 1


def test_a_customer_of_somebody_who_left_gets_a_csm(filled: Relational) -> None:
    """As any other."""
    filled.commit(Signals().fires(T, "Silent", "r1"), RULES)
    disabled(filled, "mei")
    disabled(filled, "bo")
    edit("ACME", csm="bo")(filled)
    assert owners(filled) == {"r1": None}
    edit("ACME", csm="ana")(filled)
    assert owners(filled) == {"r1": "ana"}


NAMES = st.sampled_from(["mei", "ana", "bo"])
CUSTOMERS = st.sampled_from(["ACME", "Blue"])


class Staff(RuleBasedStateMachine):
    """Customers, robots and people move at random, beside a slow account of who owns which alert."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.relational = Relational(url)
        register(self.relational)
        self.signals = Signals()
        self.now = T
        self.csm: dict[str | None, str | None] = {"ACME": "mei", "Blue": "bo"}
        self.active = {"mei", "ana", "bo"}
        self.whose: dict[str, str | None] = {"r1": "ACME", "r2": "ACME", "r3": "Blue"}
        self.owner: dict[str, str | None] = {}  # of the robot's open alert

    def teardown(self) -> None:
        """Gives the connections back."""
        self.relational.close()

    def heir(self, customer: str | None) -> str | None:
        """Whom alerts of a customer go to."""
        csm = self.csm.get(customer)
        return csm if csm in self.active else None

    @rule(robot=st.sampled_from(["r1", "r2", "r3"]))
    def fires(self, robot: str) -> None:
        """An alert opens, where none is."""
        self.now += HOUR
        if robot not in self.owner:
            self.relational.commit(self.signals.fires(self.now, "Silent", robot), RULES)
            self.owner[robot] = self.heir(self.whose[robot])

    @rule(customer=CUSTOMERS, csm=st.none() | NAMES, how=st.sampled_from(["edit", "import", "remove"]))
    def another_csm(self, customer: str, csm: str | None, how: str) -> None:
        """A customer gets one, or none, or goes."""
        self.now += HOUR
        registry, before = self.relational.registry, self.csm[customer]
        match how:
            case "edit":
                registry.edit(Kinds.CUSTOMER, customer, {"csm": csm}, "eve", self.now)
            case "import":
                text = f"customers: [{{id: {customer}, csm: {csm or '~'}}}]"
                registry.import_(read(text, "registry.yaml"), "eve", self.now)
            case "remove":
                csm = None
                if registry.customer(customer) is not None:
                    registry.remove(Kinds.CUSTOMER, customer, "eve", self.now)
        self.csm[customer] = csm
        for robot, owner in self.owner.items():
            if csm != before and self.whose[robot] == customer and owner in (None, before):
                self.owner[robot] = self.heir(customer)

    @rule(robot=st.sampled_from(["r1", "r3"]), customer=st.none() | CUSTOMERS)
    def robot_moves(self, robot: str, customer: str | None) -> None:
        """To another customer, or to none."""
        self.now += HOUR
        self.relational.registry.edit(Kinds.ROBOT, robot, {"customer": customer}, "eve", self.now)
        self.moves(robot, customer)

    @rule(customer=st.none() | CUSTOMERS)
    def site_moves(self, customer: str | None) -> None:
        """With the robot that stands there."""
        self.now += HOUR
        self.relational.registry.edit(Kinds.SITE, "Hall", {"customer": customer}, "eve", self.now)
        self.moves("r2", customer)

    def moves(self, robot: str, customer: str | None) -> None:
        """What the account says of it."""
        before, self.whose[robot] = self.whose[robot], customer
        if before != customer and self.owner.get(robot, "none is open") in (None, self.heir(before)):
            self.owner[robot] = self.heir(customer)

    @rule(robot=st.sampled_from(["r1", "r2", "r3"]), owner=st.none() | NAMES)
    def somebody_gives(self, robot: str, owner: str | None) -> None:
        """An alert, to somebody who is here."""
        self.now += HOUR
        if robot in self.owner and (owner is None or owner in self.active):
            self.relational.queue.act(self.alert(robot).id, Assign(owner), "bo", self.now)
            self.owner[robot] = owner

    @rule(robot=st.sampled_from(["r1", "r2", "r3"]))
    def somebody_closes(self, robot: str) -> None:
        """Its alert; the next opens when it fires anew."""
        self.now += HOUR
        if robot in self.owner:
            self.relational.queue.act(self.alert(robot).id, Close(Reason.EXPECTED), "bo", self.now)
            self.signals = Signals()
            del self.owner[robot]

    @rule(person=NAMES)
    def leaves_or_returns(self, person: str) -> None:
        """Whoever is here leaves, and the other way round."""
        self.now += HOUR
        leaves = person in self.active
        self.active ^= {person}
        disabled(self.relational, person, active=not leaves)
        for robot, owner in self.owner.items():
            own = self.csm.get(self.whose[robot]) == person
            if owner == person if leaves else owner is None and own:
                self.owner[robot] = self.heir(self.whose[robot])

    def alert(self, robot: str) -> Alert:
        """The open one."""
        return next(alert for alert in self.open() if alert.entity.id == robot)

    def open(self) -> list[Alert]:
        """All that are."""
        return list(self.relational.alerts(AlertQuery()).items)

    @invariant()
    def alerts_are_whose_they_should_be(self) -> None:
        """Owner and customer, and never anybody who left."""
        assert owners(self.relational) == self.owner
        assert {alert.entity.id: alert.customer for alert in self.open()} == {
            robot: self.whose[robot] for robot in self.owner
        }
        assert set(self.owner.values()) <= {None, *self.active}

    @invariant()
    def the_trail_says_who_owns_an_alert(self) -> None:
        """The last entry that speaks of an owner does, and each begins where the one before ended."""
        for alert in self.open():
            trail = [e for e in self.relational.history(alert.id) if e.kind in (Kind.OPENED, Kind.ASSIGNED)]
            named = [entry.detail["owner"] for entry in trail]
            assert named[-1] == alert.owner
            assert [entry.detail["before"] for entry in trail[1:]] == named[:-1]


def test_whoever_comes_and_goes(fresh: Fresh) -> None:
    """Random stories, each in a database of its own."""

    class Story(Staff):
        def __init__(self) -> None:
            super().__init__(fresh())

    patient = settings(max_examples=20, stateful_step_count=25, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Story, settings=patient)
