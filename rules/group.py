"""A group of rules at work: the signals of its rules, and blocks of evaluations one after another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rules import lifecycle
from rules.block import Block
from rules.bounds import may_hold
from rules.columns import Flags, Rows, Times
from rules.entities import Entities, Scope
from rules.evaluation import Entity, Evaluation, Event, Evidence, Reading, Signal, SignalKey
from rules.exhibit import exhibits
from rules.intervals import Calendar
from rules.lifecycle import (
    ACTIVE,
    AT_REST,
    BEGINS,
    CODE,
    KEEP,
    LASTING,
    OUTSIDE,
    STATES,
    UNKNOWN_SAID,
    Codes,
    State,
)
from rules.look import Look
from rules.roster import Roster
from rules.rule import ENTITIES, EntityKind, Group, Rule

_RESTING = CODE[State.INACTIVE]


class RuleState:
    """A rule, and its signals: one an entity of its kind."""

    def __init__(self, rule: Rule, entities: Entities, roster: Roster) -> None:
        self.rule = rule
        self.exhibits = exhibits(rule.when)
        self.meaning = lifecycle.meanings(rule.missing_data)
        self.tells = rule.missing_data in ("keep_last_state", "resolve")  # missing data begins nothing
        self._begin(entities, roster)

    def _begin(self, entities: Entities, roster: Roster) -> None:
        self.entities = entities
        self.scope = Scope(self.rule, entities, roster)
        self.state: Codes = np.full(len(entities.ids), _RESTING, dtype=np.int8)
        self.since: Times = np.zeros(len(entities.ids), dtype=np.int64)

    @property
    def busy(self) -> Rows:
        """The entities whose signals are not inactive: mostly few."""
        return np.flatnonzero(self.state != _RESTING)

    def enrol(self, entities: Entities, roster: Roster) -> list[tuple[SignalKey, Signal]]:
        """Takes entities that changed; answers the signals of those that are gone."""
        signals = dict(self.signals())
        self._begin(entities, roster)
        self.restore(signals)
        return [(key, signal) for key, signal in signals.items() if key[2] not in entities.rows]

    def signals(self) -> Iterator[tuple[SignalKey, Signal]]:
        """Every signal but the inactive ones."""
        for row in self.busy.tolist():
            key = (self.rule.name, self.rule.entity, self.entities.ids[row])
            yield key, Signal(STATES[self.state[row]], int(self.since[row]))

    def restore(self, signals: Mapping[SignalKey, Signal]) -> list[SignalKey]:
        """Takes up the signals of its entities; says which these were."""
        self.state[:] = _RESTING
        name, kind = self.rule.name, self.rule.entity
        taken = [key for key in signals if key[:2] == (name, kind) and key[2] in self.entities.rows]
        for key in taken:
            row = self.entities.rows[key[2]]
            self.state[row], self.since[row] = CODE[signals[key].state], signals[key].since
        return taken


@dataclass(frozen=True, slots=True)
class _Said:
    """What a block says to the signals of one rule; arrays are [tick, signal], `rows` are entities."""

    held: RuleState
    rows: Rows
    said: Codes
    lasting: Codes  # what is said to those that fire
    looks: tuple[
        tuple[Look, Rows], ...
    ]  # one for all ticks, or one a tick; and the place of each row in it, or -1

    def signals(self, entities: Rows) -> Rows:
        """The signals of those entities that are among `rows`; both are in order."""
        places = _places(self.rows, entities)
        return places[places >= 0]

    def evidence(self, tick: int, signals: Rows) -> list[tuple[Evidence, ...]]:
        """What the condition consists of, by signal; first what speaks for it most plainly."""
        (look, places), row = (self.looks[0], tick) if len(self.looks) == 1 else (self.looks[tick], 0)
        inside = (self.said[tick, signals] != OUTSIDE) & (places[signals] >= 0)
        found: list[tuple[Evidence, ...]] = [()] * len(signals)
        if not inside.any():
            return found
        shown = self._shown(look, row, places[signals[inside]])
        for number, evidence in zip(np.flatnonzero(inside).tolist(), shown, strict=True):
            found[number] = self._ordered(evidence)
        return found

    def _shown(self, look: Look, row: int, places: Rows) -> Iterator[tuple[Evidence, ...]]:
        """A leaf at a time, for all of them."""
        columns = []
        for exhibit in self.held.exhibits:
            numbers = look.measured(exhibit.leaf).numbers[row, places].tolist()
            truths = look.leaf(exhibit.leaf)[row, places].tolist()
            columns.append(list(map(exhibit.evidence, numbers, truths)))
        return zip(*columns, strict=True)

    def _ordered(self, found: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
        for number, exhibit in enumerate(self.held.exhibits):
            if exhibit.wanted and found[number].holds:
                return (found[number], *found[:number], *found[number + 1 :])
        return found


class GroupState:
    """Signals of one group. An attentive one keeps what every signal looked like at the last evaluation."""

    def __init__(
        self, group: Group, roster: Roster, calendar: Calendar, *, attentive: bool, readings: bool
    ) -> None:
        self.name = group.name
        self.interval_ms = group.interval_ms
        self.evaluated_at: int | None = None
        self._attentive = attentive
        self._reads = readings
        self._calendar = calendar
        kinds = {kind: Entities.among(roster, kind) for kind in ENTITIES}
        self.rules = [RuleState(rule, kinds[rule.entity], roster) for rule in group.rules]
        self._shown: dict[str, Reading] = {}

    def enrol(
        self, roster: Roster, calendar: Calendar, kinds: Mapping[EntityKind, Entities]
    ) -> list[tuple[SignalKey, Signal]]:
        """Takes a roster that has grown or changed; answers the signals of entities that are gone."""
        self._calendar = calendar
        gone = (held.enrol(kinds[held.rule.entity], roster) for held in self.rules)
        return [signal for signals in gone for signal in signals]

    def signals(self) -> Iterator[tuple[SignalKey, Signal]]:
        """Every signal but the inactive ones."""
        for held in self.rules:
            yield from held.signals()

    def restore(self, signals: Mapping[SignalKey, Signal]) -> list[SignalKey]:
        """Takes up the signals of its rules; says which these were."""
        return [key for held in self.rules for key in held.restore(signals)]

    def ticks(self, since: int, until: int) -> Times:
        """When it is evaluated in (since, until], as far as it was not yet."""
        begin = max(since, self.evaluated_at if self.evaluated_at is not None else since)
        first = begin // self.interval_ms * self.interval_ms + self.interval_ms
        return np.arange(first, until + 1, self.interval_ms, dtype=np.int64)

    def evaluate(self, block: Block) -> Iterator[Evaluation]:
        """Every rule on every entity, tick by tick."""
        said: list[_Said] = []
        errors: list[tuple[str, str]] = []
        for held in self.rules:
            try:
                said.append(self._say(held, block))
            except Exception as error:
                errors.append((held.rule.name, f"{type(error).__name__}: {error}"))
        events: list[list[Event]] = [[] for _ in block.ticks]
        for tick, changes in _walk(said, block.ticks):
            for one, change in changes:
                events[tick] += _events(one, tick, int(block.ticks[tick]), change)
        self.evaluated_at = int(block.ticks[-1])
        last = len(block) - 1
        for tick, at in enumerate(block.ticks.tolist()):
            readings = tuple(self._readings(said, last, at)) if self._reads and tick == last else ()
            yield Evaluation(at, self.name, tuple(events[tick]), readings, tuple(errors))
        if self._attentive:
            self._remember(said, last)

    def reading(self, rule: str, entity_id: str) -> Reading | None:
        """What a signal looked like at the last evaluation; None where it was not in it."""
        return self._shown.get(f"{rule}/{entity_id}")

    def _say(self, held: RuleState, block: Block) -> _Said:
        scope = held.scope
        if scope.changing and scope.entities.kind != "robot":
            return self._say_by_tick(held, block)
        chosen = self._chosen(held, scope, block)
        members = scope.members if chosen is None else scope.members[chosen]
        look = Look(held.rule, scope, block, self._calendar, chosen)
        inside = scope.inside(block.ticks)
        inside = inside if inside is None or chosen is None else inside[:, chosen]
        many = len(block) > 1
        said, lasting = self._inputs(held, look, members, inside, scope, chosen, block, many=many)
        return _with_outsiders(held, members, said, lasting, look)

    def _chosen(self, held: RuleState, scope: Scope, block: Block) -> Rows | None:
        """Who may change, or None for everyone: in a long block most are known to be well at once."""
        if len(block) == 1 or self._attentive or not len(scope.members):
            return None
        if not held.tells:
            return None
        busy = ~AT_REST[held.state[scope.members]]
        found = np.flatnonzero(busy | may_hold(held.rule.when, scope.view(block)))
        return found if len(found) < len(scope.members) else None

    def _inputs(
        self,
        held: RuleState,
        look: Look,
        members: Rows,
        inside: Flags | None,
        scope: Scope,
        chosen: Rows | None,
        block: Block,
        *,
        many: bool,
    ) -> tuple[Codes, Codes]:
        """What is said to signals, and to those that fire: [tick, member]."""
        if not len(members):
            nothing = np.empty((len(block), 0), dtype=np.int8)
            return nothing, nothing
        truth = look.truth(held.rule.when)
        said = lasting = held.meaning[truth]
        if held.rule.clear_when is not None and (many or LASTING[held.state[held.busy]].any()):
            goes_on = np.maximum(truth, 2 - look.truth(held.rule.clear_when))
            lasting = held.meaning[goes_on]
        judged = self._judged(held.rule, scope, chosen, block)
        for allowed, otherwise in ((judged, KEEP), (inside, OUTSIDE)):
            if allowed is not None:
                said = np.where(allowed, said, np.int8(otherwise))
                lasting = np.where(allowed, lasting, np.int8(otherwise))
        return said, lasting

    def _judged(self, rule: Rule, scope: Scope, chosen: Rows | None, block: Block) -> Flags | None:
        """[tick, member]: whether the rule is active then; None: always."""
        if not rule.active_intervals and not rule.mute_intervals:
            return None
        robots = scope.first_robots()
        robots = robots if chosen is None else robots[chosen]
        judged = np.ones((len(block), len(robots)), dtype=np.bool_)
        if rule.active_intervals:
            judged &= self._calendar.state(rule.active_intervals, block.ticks, robots)[0]
        if rule.mute_intervals:
            judged &= ~self._calendar.state(rule.mute_intervals, block.ticks, robots)[0]
        return judged

    def _say_by_tick(self, held: RuleState, block: Block) -> _Said:
        """Who counts in a site or customer changes with time: each tick has a scope of its own."""
        count = len(held.entities.ids)
        shape = (len(block), count)
        said = np.full(shape, OUTSIDE, dtype=np.int8)
        lasting = said.copy()
        looks = []
        for tick in range(len(block)):
            scope = held.scope.at(int(block.ticks[tick]))
            one = Block(block.history, block.strip, block.ticks[tick : tick + 1], block.interval_ms)
            look = Look(held.rule, scope, one, self._calendar, None)
            places = np.full(count, -1, dtype=np.intp)
            places[scope.members] = np.arange(len(scope.members))
            looks.append((look, places))
            parts = self._inputs(held, look, scope.members, None, scope, None, one, many=len(block) > 1)
            said[tick, scope.members], lasting[tick, scope.members] = parts[0][0], parts[1][0]
        return _Said(held, np.arange(count), said, lasting, tuple(looks))

    def _readings(self, said: Sequence[_Said], tick: int, at: int) -> Iterator[Reading]:
        for one in said:
            busy = one.held.busy
            active = busy[ACTIVE[one.held.state[busy]]]
            yield from _readings_of(one, tick, at, one.signals(active))

    def _remember(self, said: Sequence[_Said], tick: int) -> None:
        at = self.evaluated_at or 0
        readings = (_readings_of(one, tick, at, np.arange(len(one.rows))) for one in said)
        self._shown = {f"{found.rule}/{found.entity.id}": found for each in readings for found in each}


def _entity(one: _Said, signal: int) -> Entity:
    return Entity(one.held.rule.entity, one.held.entities.ids[int(one.rows[signal])])


def _events(one: _Said, tick: int, at: int, change: lifecycle.Change) -> Iterator[Event]:
    """The signals of a rule that change."""
    columns = (change.signal, change.before, change.after, change.since)
    shown = one.evidence(tick, change.signal)
    for (signal, before, after, since), evidence in zip(
        zip(*(column.tolist() for column in columns), strict=True), shown, strict=True
    ):
        yield Event(
            at=at,
            rule=one.held.rule.name,
            entity=_entity(one, signal),
            before=STATES[before],
            after=STATES[after],
            since=since,
            value=evidence[0].value if evidence else None,
            threshold=evidence[0].thresholds[0] if evidence else None,
            evidence=evidence,
        )


def _readings_of(one: _Said, tick: int, at: int, signals: Rows) -> Iterator[Reading]:
    rows = one.rows[signals]
    states, since = one.held.state[rows].tolist(), one.held.since[rows].tolist()
    for number, evidence in enumerate(one.evidence(tick, signals)):
        yield Reading(
            at=at,
            rule=one.held.rule.name,
            entity=_entity(one, int(signals[number])),
            state=STATES[states[number]],
            since=since[number],
            value=evidence[0].value if evidence else None,
            threshold=evidence[0].thresholds[0] if evidence else None,
            evidence=evidence,
        )


def _with_outsiders(held: RuleState, members: Rows, said: Codes, lasting: Codes, look: Look) -> _Said:
    """Adds the signals of entities that the rule is no longer about."""
    busy = held.busy
    outside = busy[~AT_REST[held.state[busy]]]
    outside = outside[_places(held.scope.members, outside) < 0]
    place = np.arange(len(members))
    if not outside.size:
        return _Said(held, members, said, lasting, ((look, place),))
    rows = np.concatenate([members, outside])
    more = np.full((len(said), len(rows) - len(members)), OUTSIDE, dtype=np.int8)
    order = np.argsort(rows, kind="stable")
    said, lasting = (np.concatenate([part, more], axis=1)[:, order] for part in (said, lasting))
    place = np.concatenate([place, np.full(more.shape[1], -1)])[order]
    return _Said(held, rows[order], said, lasting, ((look, place),))


def _places(rows: Rows, wanted: Rows) -> Rows:
    """Where each stands among rows in order; -1 where it does not."""
    if not len(rows):
        return np.full(len(wanted), -1)
    places = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
    return np.where(rows[places] == wanted, places, -1)


_Changes = list[tuple[_Said, lifecycle.Change]]


def _step(one: _Said, at: int) -> tuple[_Said, lifecycle.Change]:
    """The signals of a rule at the one tick of a block; one at rest is looked at only if it may wake."""
    held, rows = one.held, one.rows
    everyone = len(rows) == len(held.state)  # rows are in order
    state = held.state if everyone else held.state[rows]
    awake = np.flatnonzero((state != _RESTING) | (one.said[0] == BEGINS) | (one.said[0] == UNKNOWN_SAID))
    state, since = state[awake], held.since[rows[awake]]
    now = np.where(LASTING[state], one.lasting[0, awake], one.said[0, awake])
    limits = (np.full(len(awake), limit) for limit in (held.rule.for_ms, held.rule.keep_firing_for_ms))
    change = lifecycle.step(state, since, now, at, *limits)
    changed = awake[change.signal]
    held.state[rows[changed]], held.since[rows[changed]] = change.after, change.since
    return one, lifecycle.Change(changed, change.before, change.after, change.since)


def _walk(said: Sequence[_Said], ticks: Times) -> Iterator[tuple[int, _Changes]]:
    """The signals of all rules through the ticks of a block; only ticks at which something changes."""
    if len(ticks) == 1:
        yield 0, [_step(one, int(ticks[0])) for one in said]
    elif said:
        yield from _walk_on(said, ticks)


def _walk_on(said: Sequence[_Said], ticks: Times) -> Iterator[tuple[int, _Changes]]:
    """All rules at once, so that a tick costs the same however many there are."""
    ends = np.cumsum([len(one.rows) for one in said], dtype=np.intp)
    state, since, for_ms, keep_ms = _joined(said)
    to_all = _side_by_side([one.said for one in said], len(ticks))
    to_lasting = _side_by_side([one.lasting for one in said], len(ticks))
    moving = _moving(to_all) | _moving(to_lasting)
    timer = lifecycle.next_change(state, since, for_ms, keep_ms)
    for tick, at in enumerate(ticks.tolist()):
        if not moving[tick] and at < timer:
            continue
        now = np.where(LASTING[state], to_lasting[tick], to_all[tick])
        change = lifecycle.step(state, since, now, at, for_ms, keep_ms)
        state[change.signal], since[change.signal] = change.after, change.since
        timer = lifecycle.next_change(state, since, for_ms, keep_ms)
        if change.signal.size:
            yield tick, _by_rule(said, ends, change)
    for one, end in zip(said, ends.tolist(), strict=True):
        part = slice(end - len(one.rows), end)
        one.held.state[one.rows], one.held.since[one.rows] = state[part], since[part]


def _by_rule(said: Sequence[_Said], ends: Rows, change: lifecycle.Change) -> _Changes:
    """Changes of several rules, rule by rule; signals are in order."""
    cuts = np.searchsorted(change.signal, ends).tolist()
    changes: _Changes = []
    for one, end, begin, stop in zip(said, ends.tolist(), [0, *cuts], cuts, strict=False):
        if stop > begin:
            part = slice(begin, stop)
            signal = change.signal[part] - (end - len(one.rows))
            changes.append(
                (one, lifecycle.Change(signal, change.before[part], change.after[part], change.since[part]))
            )
    return changes


def _joined(said: Sequence[_Said]) -> tuple[Codes, Times, Times, Times]:
    none = np.empty(0, dtype=np.int64)
    state = [one.held.state[one.rows] for one in said]
    since = [one.held.since[one.rows] for one in said]
    for_ms = [np.full(len(one.rows), one.held.rule.for_ms, dtype=np.int64) for one in said]
    keep_ms = [np.full(len(one.rows), one.held.rule.keep_firing_for_ms, dtype=np.int64) for one in said]
    return (
        np.concatenate([none.astype(np.int8), *state]),
        np.concatenate([none, *since]),
        np.concatenate([none, *for_ms]),
        np.concatenate([none, *keep_ms]),
    )


def _side_by_side(parts: Sequence[Codes], ticks: int) -> Codes:
    return np.concatenate([np.empty((ticks, 0), dtype=np.int8), *parts], axis=1)


def _moving(said: Codes) -> Flags:
    """[tick]: whether anything else is said than at the tick before."""
    moving = np.ones(len(said), dtype=np.bool_)
    moving[1:] = (said[1:] != said[:-1]).any(axis=1)
    return moving
