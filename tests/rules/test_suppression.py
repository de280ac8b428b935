"""Suppression, as timelines, and against a slow oracle that judges everything at every evaluation."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.evaluation import By, Entity, Evaluation, Event, Signal, SignalKey, Snapshot, Suppression
from rules.lifecycle import State
from rules.roster import Robot, Roster
from rules.rule import (
    AnyOf,
    Flapping,
    Group,
    InhibitRule,
    Matcher,
    OneOf,
    Rule,
    RuleSet,
    Storm,
    Text,
    Within,
)
from rules.storm import NAME, RULE, rule_named
from rules.suppression import Suppressor

MINUTE = 60_000
LASTING = (State.FIRING, State.RECOVERING)


def rule(name: str, **given: Any) -> Rule:
    """A rule of which only what suppression asks for matters."""
    text = Text(name, name)
    plain = {"severity": "medium", "subsystem": "asr", "storm": None, "interval_ms": MINUTE, "group": "g"}
    return Rule(
        name=name,
        about=text,
        summary=text,
        when=AnyOf(()),
        missing_data="unknown",
        **{**plain, **given},
    )


def rule_set(*rules: Rule, inhibit: tuple[InhibitRule, ...] = ()) -> RuleSet:
    """Rules in groups by name."""
    names = dict.fromkeys(rule.group for rule in rules)
    groups = [tuple(rule for rule in rules if rule.group == name) for name in names]
    made = tuple(Group(found[0].group, found[0].interval_ms, found) for found in groups)
    return RuleSet(made, (), inhibit)


def fleet(count: int, **attributes: str) -> Roster:
    """Robots r0, r1, … with these attributes."""
    return Roster(Robot(f"r{number}", attributes) for number in range(count))


@dataclass
class Stage:
    """A suppressor under way, told what begins and ends minute by minute."""

    rules: RuleSet
    roster: Roster
    restarts: bool = False  # before every evaluation
    states: dict[SignalKey, Signal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.suppressor = Suppressor(self.rules, self.roster)

    def at(self, minute: int, story: str = "", group: str = "g") -> list[str]:
        """An evaluation: `+Rule:id` fires, `~` recovers, `-` resolves; answers what came of it, in words."""
        if self.restarts:
            self.restart()
        events = tuple(self._event(minute * MINUTE, word) for word in story.split())
        found = self.suppressor.take(Evaluation(minute * MINUTE, group, events, (), ()))
        assert found.events[: len(events)] == events
        storms = [f"{event.entity.id} {event.after}" for event in found.events[len(events) :]]
        return [*storms, *(told(suppression) for suppression in found.suppressions)]

    def restart(self) -> None:
        """All in memory is lost."""
        turns, suppressed, storms = self.suppressor.snapshot()
        self.suppressor = Suppressor(self.rules, self.roster)
        self.suppressor.restore(Snapshot({}, {**self.states, **storms}, turns, suppressed))

    def _event(self, at: int, word: str) -> Event:
        after = {"+": State.FIRING, "~": State.RECOVERING, "-": State.RESOLVED}[word[0]]
        name, _, id_ = word[1:].partition(":")
        kind, _, id_ = id_.rpartition("/")
        key = name, kind or "robot", id_
        before = self.states.get(key, Signal(State.INACTIVE, 0)).state
        self.states[key] = Signal(after, at)
        return Event(at, name, Entity(key[1], id_), before, after, at, 1.0, 1.0, ())


def told(suppression: Suppression) -> str:
    """In words."""
    what = f"{suppression.rule}:{suppression.entity.id}"
    by = suppression.by
    return f"{what} shown" if by is None else f"{what} {by.reason} by {by.rule}:{by.entity.id}"


SILENT = rule("Silent", severity="high", subsystem="network")
SITE_SILENT = rule("SiteSilent", entity="site", subsystem="network")
FAULT = rule("Fault")
INHIBIT = (
    InhibitRule(Matcher(alerts=("SiteSilent",)), Matcher(alerts=("Silent",)), ("site",)),
    InhibitRule(Matcher(alerts=("Silent",)), Matcher(subsystem_not=("network",)), ("robot",)),
)


def test_an_inhibited_alert_is_shown_again() -> None:
    """While the source fires or recovers, the target of the same robot is suppressed."""
    stage = Stage(rule_set(SILENT, FAULT, inhibit=INHIBIT), fleet(2))
    assert stage.at(1, "+Fault:r0 +Fault:r1") == []
    assert stage.at(2, "+Silent:r0") == ["Fault:r0 inhibited by Silent:r0"]
    assert stage.at(3, "~Silent:r0") == []
    assert stage.at(4, "-Silent:r0") == ["Fault:r0 shown"]
    assert stage.at(5, "+Silent:r1 -Fault:r1") == []
    assert stage.at(6, "+Fault:r1") == ["Fault:r1 inhibited by Silent:r1"]
    assert stage.at(7, "-Fault:r1") == ["Fault:r1 shown"]


def test_sites_have_what_all_their_robots_share() -> None:
    """A site-alert's site is itself; its customer is that of its robots, if they agree."""
    roster = Roster(
        [
            Robot("a", {"site": "north", "customer": "ACME"}),
            Robot("b", {"site": "north", "customer": "ACME"}),
            Robot("c", {"site": "mall", "customer": "ACME"}),
            Robot("d", {"site": "mall", "customer": "Other"}),
            Robot("e", {}),
        ]
    )
    same_customer = InhibitRule(Matcher(alerts=("Fault",)), Matcher(alerts=("SiteSilent",)), ("customer",))
    stage = Stage(rule_set(SITE_SILENT, SILENT, FAULT, inhibit=(INHIBIT[0], same_customer)), roster)
    assert stage.at(1, "+Silent:a +Silent:c +Silent:e +SiteSilent:site/north") == [
        "Silent:a inhibited by SiteSilent:north"
    ]
    assert stage.at(2, "+SiteSilent:site/mall +Fault:a") == [
        "SiteSilent:north inhibited by Fault:a",
        "Silent:c inhibited by SiteSilent:mall",
    ]


def test_of_several_sources_the_first_to_begin_is_named() -> None:
    """And where it ends, the next; alerts that would hide each other do not."""
    anything = (InhibitRule(Matcher(), Matcher(subsystems=("asr",)), ("site",)),)
    roster = fleet(4, site="north")
    stage = Stage(rule_set(SILENT, FAULT, inhibit=anything), roster)
    assert stage.at(1, "+Silent:r2") == []
    assert stage.at(2, "+Silent:r1 +Fault:r0 +Fault:r3") == [
        "Fault:r0 inhibited by Silent:r2",
        "Fault:r3 inhibited by Silent:r2",
    ]
    assert stage.at(3, "-Silent:r2 -Fault:r3") == ["Fault:r0 inhibited by Silent:r1", "Fault:r3 shown"]
    assert stage.at(4, "-Silent:r1") == ["Fault:r0 shown"]
    assert stage.at(5, "+Fault:r3") == []


def test_a_robot_that_moves_is_judged_by_where_it_is() -> None:
    """A new roster counts from the next evaluation on."""
    stage = Stage(rule_set(SITE_SILENT, SILENT, inhibit=INHIBIT), fleet(1, site="north"))
    assert stage.at(1, "+SiteSilent:site/north +Silent:r0") == ["Silent:r0 inhibited by SiteSilent:north"]
    stage.suppressor.enrol(fleet(1, site="south"))
    assert stage.at(2) == ["Silent:r0 shown"]


def test_flapping() -> None:
    """From half of ten evaluations on, also at rest, until a fifth is left; other rules do not flap."""
    flapping = rule("Fault", flapping=Flapping(10, 0.5, 0.2))
    stage = Stage(rule_set(flapping, SILENT), fleet(1))
    assert [
        stage.at(minute, f"{'+-'[minute % 2]}Fault:r0 {'+-'[minute % 2]}Silent:r0") for minute in range(4)
    ] == ([[]] * 4)
    assert stage.at(4, "+Fault:r0") == ["Fault:r0 flapping by Fault:r0"]
    assert stage.at(5, "-Fault:r0") == []
    assert [stage.at(minute) for minute in range(6, 13)] == [[]] * 7
    assert stage.at(13) == ["Fault:r0 shown"]
    assert stage.at(15, "+Fault:r0") == []


def test_flapping_is_judged_at_evaluations_of_its_own_group() -> None:
    """Other groups have evaluations in between, and change nothing."""
    flapping = rule("Fault", flapping=Flapping(4, 0.5, 0.25), interval_ms=10 * MINUTE)
    stage = Stage(rule_set(flapping, rule("Other", group="other")), fleet(1))
    assert stage.at(10, "+Fault:r0") == []
    assert stage.at(20, "-Fault:r0") == ["Fault:r0 flapping by Fault:r0"]
    assert stage.at(55, group="other") == []
    assert stage.at(60) == ["Fault:r0 shown"]


def test_what_recovers_and_fires_again_does_not_flap() -> None:
    """It is one alert."""
    stage = Stage(rule_set(rule("Fault", flapping=Flapping(4, 0.5, 0.25))), fleet(1))
    assert stage.at(1, "+Fault:r0") == []
    assert stage.at(2, "~Fault:r0") == []
    assert stage.at(3, "+Fault:r0") == []


def test_storm() -> None:
    """A third of the fleet within an hour is one alert, until fewer than half of a third still fire."""
    stage = Stage(rule_set(rule("Fault", storm=Storm(0.3, 3))), fleet(10))
    assert stage.at(0, "+Fault:r9") == []
    assert stage.at(60, "+Fault:r0 +Fault:r1") == []  # r9 began an hour ago
    assert stage.at(61, "+Fault:r2") == [
        "Fault firing",
        *(f"Fault:r{number} storm by RuleStorm:Fault" for number in range(3)),
    ]
    assert stage.at(200, "+Fault:r3") == ["Fault:r3 storm by RuleStorm:Fault"]
    assert stage.at(201, "-Fault:r0 -Fault:r1") == ["Fault:r0 shown", "Fault:r1 shown"]
    assert stage.at(202, "-Fault:r2") == ["Fault resolved", "Fault:r2 shown", "Fault:r3 shown"]
    assert stage.at(203, "+Fault:r4 +Fault:r5") == ["Fault firing"] + [
        f"Fault:r{number} storm by RuleStorm:Fault" for number in (3, 4, 5)
    ]


def test_a_storm_is_of_those_inside() -> None:
    """Retired robots, and those that `where` leaves out, do not count; of sites each counts once."""
    robots = [Robot(f"r{number}", {"site": f"s{number // 2}", "model": "x"}) for number in range(8)]
    others = [Robot(f"o{number}", {"site": f"t{number}"}) for number in range(50)]
    roster = Roster([*robots, *others, Robot("old", {"model": "x", "lifecycle": "retired"})])
    sites = rule("Sites", entity="site", where=(OneOf("model", ("x",)),), storm=Storm(0.5, 2))
    stage = Stage(rule_set(sites), roster)
    assert stage.at(1, "+Sites:site/s0") == []
    assert stage.at(2, "+Sites:site/s1")[0] == "Sites firing"


def test_a_storm_of_few_is_none() -> None:
    """Below `min_entities` the share does not matter."""
    stage = Stage(rule_set(rule("Fault", storm=Storm(0.3, 4))), fleet(3))
    assert stage.at(1, "+Fault:r0 +Fault:r1 +Fault:r2") == []


def test_the_event_of_a_storm() -> None:
    """It says how large a share fires, against which, and is of the built-in rule."""
    rules = rule_set(rule("Fault", storm=Storm(0.3, 2)))
    suppressor = Suppressor(rules, fleet(4))
    events = tuple(
        Event(MINUTE, "Fault", Entity("robot", id_), State.PENDING, State.FIRING, 0, 1.0, 1.0, ())
        for id_ in ("r0", "r1")
    )
    (storm,) = suppressor.take(Evaluation(MINUTE, "g", events, (), ())).events[2:]
    assert (storm.rule, storm.entity, storm.since) == (NAME, Entity("rule", "Fault"), MINUTE)
    assert (storm.value, storm.threshold, storm.evidence[0].unit) == (0.5, 0.3, "ratio")
    assert rule_named(rules, NAME) is RULE
    assert rule_named(rules, "Fault") is rules.rules[0]
    assert rule_named(rules, "Gone") is None


def test_flapping_comes_before_inhibition_and_that_before_a_storm() -> None:
    """An alert has one suppression at a time; where it ends, the next one is told."""
    fault = rule("Fault", flapping=Flapping(4, 0.5, 0.25), storm=Storm(0.1, 2))
    stage = Stage(rule_set(SILENT, fault, inhibit=INHIBIT), fleet(4))
    assert stage.at(1, "+Fault:r0") == []
    assert stage.at(2, "-Fault:r0") == ["Fault:r0 flapping by Fault:r0"]
    assert stage.at(3, "+Fault:r0 +Fault:r1") == ["Fault firing", "Fault:r1 storm by RuleStorm:Fault"]
    assert stage.at(4, "+Silent:r0 +Silent:r1") == ["Fault:r1 inhibited by Silent:r1"]
    assert stage.at(6) == ["Fault:r0 inhibited by Silent:r0"]
    assert stage.at(7, "-Silent:r0") == ["Fault:r0 storm by RuleStorm:Fault"]


def test_a_rule_that_is_gone() -> None:
    """Its alerts end; its storm and what it suppressed end with the next evaluation."""
    stage = Stage(rule_set(rule("Fault", storm=Storm(0.3, 2)), SILENT), fleet(4))
    stage.at(1, "+Fault:r0 +Fault:r1")
    stage.rules = rule_set(SILENT)
    stage.restart()
    assert stage.at(2, "-Fault:r0 -Fault:r1") == ["Fault resolved", "Fault:r0 shown", "Fault:r1 shown"]
    stage.restart()
    assert stage.at(3) == []


def test_an_evaluation_of_nothing_stays_as_it_is() -> None:
    """The common case costs nothing."""
    suppressor = Suppressor(rule_set(SILENT, FAULT, inhibit=INHIBIT), fleet(3))
    evaluation = Evaluation(MINUTE, "g", (), (), ())
    assert suppressor.take(evaluation) is evaluation


# --- against the oracle -------------------------------------------------------------------------------------


@dataclass
class Oracle:
    """Judges every signal at every evaluation, from all that ever happened."""

    rules: RuleSet
    roster: Roster
    turns: dict[SignalKey, list[int]] = field(default_factory=dict)
    firing: dict[SignalKey, int] = field(default_factory=dict)
    flaps: set[SignalKey] = field(default_factory=set)
    storms: dict[str, int] = field(default_factory=dict)
    by: dict[SignalKey, By] = field(default_factory=dict)

    def take(self, evaluation: Evaluation) -> tuple[list[str], dict[SignalKey, By]]:
        """The storms that change, and all that is suppressed afterwards."""
        at, told = evaluation.at, []
        for event in evaluation.events:
            key = event.rule, event.entity.kind, event.entity.id
            if event.after is State.FIRING and key not in self.firing:
                self.firing[key] = at
            elif event.after is State.RESOLVED:
                del self.firing[key]
            else:
                continue
            self.turns.setdefault(key, []).append(at)
        for found in self.rules.rules:
            if found.group == evaluation.group:
                self._flap(found, at)
                told += self._storm(found, at)
        return told, {key: by for key in {*self.firing, *self.flaps} if (by := self._by(key))}

    def _flap(self, found: Rule, at: int) -> None:
        for key, turns in self.turns.items():
            if key[0] == found.name and found.flapping:
                window = found.flapping.history * found.interval_ms
                share = sum(turn > at - window for turn in turns) / found.flapping.history
                if share >= found.flapping.enter:
                    self.flaps.add(key)
                if share <= found.flapping.leave:
                    self.flaps.discard(key)

    def _storm(self, found: Rule, at: int) -> list[str]:
        if found.storm is None:
            return []
        mask = self.roster.mask(found.where) & self.roster.days_mask(found.where, at)
        if not any(filter_.attribute == "days_since_install" for filter_ in found.where):
            mask = self.roster.mask(found.where)
        since = self.storms.get(found.name)
        start = at if since is None else since
        members = sum(
            key[0] == found.name and began > start - 60 * MINUTE for key, began in self.firing.items()
        )
        inside = int(np.count_nonzero(mask))
        if since is None and members >= max(1, found.storm.min_entities, found.storm.share * inside):
            self.storms[found.name] = at
            return [f"{found.name} firing"]
        if since is not None and (members == 0 or members < found.storm.share / 2 * inside):
            del self.storms[found.name]
            return [f"{found.name} resolved"]
        return []

    def _by(self, key: SignalKey) -> By | None:
        if key in self.flaps:
            return By("flapping", key[0], Entity(*key[1:]))
        if key not in self.firing:
            return None
        for inhibit in self.rules.inhibit_rules:
            sources = [source for source in self.firing if self._inhibits(inhibit, source, key)]
            if sources:
                names = [found.name for found in self.rules.rules]
                first = min(sources, key=lambda source: (self.firing[source], names.index(source[0]), source))
                return By("inhibited", first[0], Entity(*first[1:]))
        since = self.storms.get(key[0])
        if since is not None and self.firing[key] > since - 60 * MINUTE:
            return By("storm", NAME, Entity("rule", key[0]))
        return None

    def _inhibits(self, inhibit: InhibitRule, source: SignalKey, target: SignalKey) -> bool:
        one, other = self.rules.by_name[source[0]], self.rules.by_name[target[0]]
        if not (inhibit.source.fits(one) and inhibit.target.fits(other)):
            return False
        if inhibit.source.fits(other) and inhibit.target.fits(one):
            return False
        return all(
            (value := self._attribute(source, name)) is not None and value == self._attribute(target, name)
            for name in inhibit.equal
        )

    def _attribute(self, key: SignalKey, name: str) -> object:
        if name == key[1]:
            return key[2]
        robots = [
            robot.attributes
            for robot in self.roster.robots
            if (robot.id if key[1] == "robot" else robot.attributes.get(key[1])) == key[2]
        ]
        values = {attributes.get(name) for attributes in robots}
        return values.pop() if len(values) == 1 else None


_matchers = st.builds(
    Matcher,
    alerts=st.sampled_from([(), ("A",), ("B", "S")]),
    subsystems=st.sampled_from([(), ("asr",), ("network",)]),
    subsystem_not=st.sampled_from([(), ("network",)]),
)
_equals = st.sampled_from([("robot",), ("site",), ("customer",), ("site", "customer"), ()])
_inhibits = st.lists(st.builds(InhibitRule, _matchers, _matchers, _equals), max_size=3).map(tuple)
_flapping = st.sampled_from([None, Flapping(6, 0.5, 0.25), Flapping(3, 0.6, 0.0), Flapping(40, 0.1, 0.07)])
_storm = st.sampled_from([None, Storm(0.3, 2), Storm(0.6, 1)])
_days = st.sampled_from([(), (Within("days_since_install", 1.0, None),)])
_rules = st.builds(
    lambda flap, storm, days, inhibit: rule_set(
        rule("A", flapping=flap[0], storm=storm[0], where=days),
        rule(
            "B", flapping=flap[1], subsystem="network", storm=storm[1], group="slow", interval_ms=7 * MINUTE
        ),
        rule("S", entity="site", subsystem="vision", flapping=flap[0]),
        inhibit=inhibit,
    ),
    st.tuples(_flapping, _flapping),
    st.tuples(_storm, _storm),
    _days,
    _inhibits,
)
_value = st.sampled_from(["x", "y", None])
_robots = st.lists(
    st.tuples(_value, _value, st.sampled_from(["1970-01-01", "2020-01-01"])), min_size=1, max_size=6
)
_steps = st.lists(
    st.tuples(st.integers(1, 25), st.booleans(), st.lists(st.integers(0, 13), max_size=3), st.booleans()),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(_rules, _robots, _steps)
def test_as_the_oracle_says(
    rules: RuleSet,
    robots: list[tuple[str | None, str | None, str]],
    steps: list[tuple[int, bool, list[int], bool]],
) -> None:
    """Random rules, fleets, stories and restarts: the same storms, and the same is suppressed."""
    roster = Roster(
        Robot(
            f"r{number}",
            {k: v for k, v in zip(("site", "customer", "installed_on"), given, strict=True) if v},
        )
        for number, given in enumerate(robots)
    )
    oracle, stage = Oracle(rules, roster), Stage(rules, roster)
    suppressed: dict[SignalKey, By] = {}
    minute = 1_435
    for ahead, slow, signals, restart in steps:
        minute += ahead
        if slow:
            minute = minute // 7 * 7 + 7
        if restart:
            stage.restart()
        events = [event for number in signals if (event := toggled(stage, number, minute * MINUTE, slow))]
        evaluation = Evaluation(minute * MINUTE, "slow" if slow else "g", tuple(events), (), ())
        found = stage.suppressor.take(evaluation)
        storms, expected = oracle.take(evaluation)
        assert [f"{event.entity.id} {event.after}" for event in found.events[len(events) :]] == storms
        for change in found.suppressions:
            key = change.rule, change.entity.kind, change.entity.id
            assert suppressed.get(key) != change.by
            suppressed.pop(key, None)
            suppressed |= {key: change.by} if change.by else {}
        assert suppressed == expected == stage.suppressor.snapshot()[1]


def toggled(stage: Stage, number: int, at: int, slow: bool) -> Event | None:
    """One of the group's signals goes on to what may come next; each once an evaluation."""
    names = ["B"] if slow else ["A", "S"]
    name = names[number % len(names)]
    ids = ["x", "y"] if name == "S" else list(stage.roster.ids)
    key = name, "site" if name == "S" else "robot", ids[number % len(ids)]
    before = stage.states.get(key, Signal(State.INACTIVE, 0))
    if before.since == at:
        return None
    nexts = {State.FIRING: State.RECOVERING if number % 3 == 0 else State.RESOLVED}
    recovering = State.FIRING if number % 2 else State.RESOLVED
    after = {**nexts, State.RECOVERING: recovering}.get(before.state, State.FIRING)
    stage.states[key] = replace(before, state=after, since=at)
    return Event(at, name, Entity(*key[1:]), before.state, after, at, None, None, ())
