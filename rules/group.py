"""A group of rules at work: the signals of its rules, and blocks of evaluations one after another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rules import lifecycle
from rules.block import Block
from rules.bounds import may_hold
from rules.columns import Flags, Rows, Times
from rules.entities import Entities, Scope
from rules.evaluation import Entity, Evaluation, Event, Evidence, Reading, Signal, SignalKey
from rules.exhibit import exhibits
from rules.intervals import Calendar
from rules.lifecycle import ACTIVE, AT_REST, CODE, KEEP, LASTING, OUTSIDE, STATES, Codes, State
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

    def enrol(self, entities: Entities, roster: Roster) -> list[tuple[SignalKey, Signal]]:
        """Takes entities that changed; answers the signals of those that are gone."""
        signals = dict(self.signals())
        self._begin(entities, roster)
        self.restore(signals)
        return [(key, signal) for key, signal in signals.items() if key[2] not in entities.rows]

    def signals(self) -> Iterator[tuple[SignalKey, Signal]]:
        """Every signal but the inactive ones."""
        for row in np.flatnonzero(self.state != _RESTING).tolist():
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

    def evidence(self, tick: int, signal: int) -> tuple[Evidence, ...]:
        """What the condition consists of; first what speaks for it most plainly."""
        if self.said[tick, signal] == OUTSIDE:
            return ()
        (look, places), row = (self.looks[0], tick) if len(self.looks) == 1 else (self.looks[tick], 0)
        place = int(places[signal])
        if place < 0:
            return ()
        found = [
            exhibit.evidence(
                look.measured(exhibit.leaf).numbers[row, place].item(),
                look.leaf(exhibit.leaf)[row, place].item(),
            )
            for exhibit in self.held.exhibits
        ]
        for number, exhibit in enumerate(self.held.exhibits):
            if exhibit.wanted and found[number].holds:
                return (found.pop(number), *found)
        return tuple(found)


class GroupState:
    """Signals of one group. An attentive one keeps what every signal looked like at the last evaluation."""

    def __init__(self, group: Group, roster: Roster, calendar: Calendar, *, attentive: bool = False) -> None:
        self.name = group.name
        self.interval_ms = group.interval_ms
        self.evaluated_at: int | None = None
        self._attentive = attentive
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
        for part in [said] if len(block) > 1 else [[one] for one in said]:
            for tick, changes in _walk(part, block.ticks):
                events[tick] += [self._event(one, tick, block, *change) for one, *change in changes]
        self.evaluated_at = int(block.ticks[-1])
        last = len(block) - 1
        for tick, at in enumerate(block.ticks.tolist()):
            readings = tuple(self._readings(said, last, at)) if tick == last else ()
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
        said, lasting = self._inputs(held, look, members, inside, scope, chosen, block)
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
    ) -> tuple[Codes, Codes]:
        """What is said to signals, and to those that fire: [tick, member]."""
        if not len(members):
            nothing = np.empty((len(block), 0), dtype=np.int8)
            return nothing, nothing
        truth = look.truth(held.rule.when)
        said = lasting = held.meaning[truth]
        if held.rule.clear_when is not None and (len(block) > 1 or LASTING[held.state[members]].any()):
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
            parts = self._inputs(held, look, scope.members, None, scope, None, one)
            said[tick, scope.members], lasting[tick, scope.members] = parts[0][0], parts[1][0]
        return _Said(held, np.arange(count), said, lasting, tuple(looks))

    def _event(
        self, one: _Said, tick: int, block: Block, signal: int, before: int, after: int, since: int
    ) -> Event:
        evidence = one.evidence(tick, signal)
        return Event(
            at=int(block.ticks[tick]),
            rule=one.held.rule.name,
            entity=_entity(one, signal),
            before=STATES[before],
            after=STATES[after],
            since=since,
            value=evidence[0].value if evidence else None,
            threshold=evidence[0].thresholds[0] if evidence else None,
            evidence=evidence,
        )

    def _readings(self, said: Sequence[_Said], tick: int, at: int) -> Iterator[Reading]:
        for one in said:
            for signal in np.flatnonzero(ACTIVE[one.held.state[one.rows]]).tolist():
                yield _reading(one, tick, at, signal)

    def _remember(self, said: Sequence[_Said], tick: int) -> None:
        self._shown = {
            f"{one.held.rule.name}/{one.held.entities.ids[int(one.rows[signal])]}": _reading(
                one, tick, self.evaluated_at or 0, signal
            )
            for one in said
            for signal in range(len(one.rows))
        }


def _entity(one: _Said, signal: int) -> Entity:
    return Entity(one.held.rule.entity, one.held.entities.ids[int(one.rows[signal])])


def _reading(one: _Said, tick: int, at: int, signal: int) -> Reading:
    evidence = one.evidence(tick, signal)
    row = int(one.rows[signal])
    return Reading(
        at=at,
        rule=one.held.rule.name,
        entity=_entity(one, signal),
        state=STATES[one.held.state[row]],
        since=int(one.held.since[row]),
        value=evidence[0].value if evidence else None,
        threshold=evidence[0].thresholds[0] if evidence else None,
        evidence=evidence,
    )


def _with_outsiders(held: RuleState, members: Rows, said: Codes, lasting: Codes, look: Look) -> _Said:
    """Adds the signals of entities that the rule is no longer about."""
    outside = ~AT_REST[held.state]
    outside[held.scope.members] = False
    place = np.arange(len(members))
    if not outside.any():
        return _Said(held, members, said, lasting, ((look, place),))
    rows = np.concatenate([members, np.flatnonzero(outside)])
    more = np.full((len(said), len(rows) - len(members)), OUTSIDE, dtype=np.int8)
    order = np.argsort(rows, kind="stable")
    said, lasting = (np.concatenate([part, more], axis=1)[:, order] for part in (said, lasting))
    place = np.concatenate([place, np.full(more.shape[1], -1)])[order]
    return _Said(held, rows[order], said, lasting, ((look, place),))


_Changed = tuple[_Said, int, int, int, int]  # whose, which signal of it, before, after, since


def _walk(said: Sequence[_Said], ticks: Times) -> Iterator[tuple[int, list[_Changed]]]:
    """The signals of several rules through the ticks of a block; only ticks at which something changes."""
    sizes = [len(one.rows) for one in said]
    whose = np.repeat(np.arange(len(said)), sizes)
    begins = np.cumsum(sizes, dtype=np.intp) - sizes
    state, since, for_ms, keep_ms = _joined(said)
    to_all, to_lasting = (
        _side_by_side([getattr(one, name) for one in said], len(ticks)) for name in ("said", "lasting")
    )
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
            yield tick, _changed(said, whose, begins, change)
    for one, begin, size in zip(said, begins.tolist(), sizes, strict=True):
        one.held.state[one.rows] = state[begin : begin + size]
        one.held.since[one.rows] = since[begin : begin + size]


def _changed(
    said: Sequence[_Said], whose: Rows, begins: NDArray[np.intp], change: lifecycle.Change
) -> list[_Changed]:
    numbers = whose[change.signal]
    signals = change.signal - begins[numbers]
    columns = (numbers, signals, change.before, change.after, change.since)
    return [
        (said[number], signal, before, after, since)
        for number, signal, before, after, since in zip(*(column.tolist() for column in columns), strict=True)
    ]


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
