"""An alert's robot among its peers: what each of them measures, and where the rule's limit lies.

Read from the store when somebody asks, as of now or of the alert's end; the alert itself was judged by the
engine, over what had been committed by then. The peers are those that the engine takes: who passes the
rule's filters and shares the attributes, as many of these as leave enough peers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from collector.http.services import Services
from collector.http.views.alert_plots import ended
from collector.http.views.evidence import leaf_of, measure_name
from collector.http.views.plots import Rolling, Values, rolling
from collector.queue import Alert
from collector.words.i18n import Words
from rules.entities import Entities, Scope
from rules.peers import FLOOR, NORMAL
from rules.roster import Roster
from rules.rule import Peers, Rule
from rules.storm import rule_named

READ: Final = 80  # robots whose series are read; more would take seconds
_HOUR: Final = 3_600_000
_BINS: Final = 24
_HEIGHT: Final = 72  # of the highest bar, in the picture's units


@dataclass(frozen=True, slots=True)
class Peer:
    """One robot (site, customer) and what it measures."""

    id: str
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values of an entity and its peers; `limit` is the value at which the rule would just hold."""

    measure: str
    unit: str
    shared: tuple[tuple[str, str], ...]  # attributes that all of them have
    own: Peer | None
    peers: tuple[Peer, ...]  # without it
    count: int  # of all peers, read or not
    median: float | None
    limit: float | None
    at: int

    def as_json(self) -> dict[str, Any]:
        """For scripts: values as they are; peers may be others' robots, so none is named."""
        return {
            "measure": self.measure,
            "unit": self.unit,
            "same": dict(self.shared),
            "own": None if self.own is None else self.own.value,
            "peers": [{"value": peer.value} for peer in self.peers],
            "count": self.count,
            "median": self.median,
            "limit": self.limit,
            "at": self.at,
        }


@dataclass(frozen=True, slots=True)
class Column:
    """A bar of the histogram, in hundredths of the width; `own`: the alert's robot is in it."""

    x: float
    width: float
    height: float
    own: bool
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the axis, with its words; `anchor` keeps them inside the picture."""

    kind: str
    x: float
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The peers' values as a histogram, and in words."""

    columns: tuple[Column, ...]
    marks: tuple[Mark, ...]
    words: str
    shared: str
    name: str


def held_against(rule: Rule | None, alert: Alert) -> int | None:
    """Which piece of the evidence is held against peers and can be measured again; None: none is."""
    for at, evidence in enumerate(alert.evidence):
        leaf = leaf_of(rule, evidence)
        if isinstance(leaf, Peers) and isinstance(leaf.measure, Rolling):
            return at
    return None


def distribution(services: Services, alert: Alert, t: Words, now: int) -> Distribution | None:
    """The peers of what an alert is about; None where its rule holds nothing against peers."""
    rule = rule_named(services.rules, alert.rule)
    index = held_against(rule, alert)
    if rule is None or index is None:
        return None
    leaf = leaf_of(rule, alert.evidence[index])
    assert isinstance(leaf, Peers)  # noqa: S101 - what `held_against` looked for
    at = ended(alert, now)
    roster = services.relational.roster()
    chosen = _chosen(roster, rule, leaf, alert.entity.id, at)
    own, peers = _measured(services, roster, chosen, leaf, alert.entity.id, at)
    median, limit = _bounds(leaf, [*(peer.value for peer in peers), *([] if own is None else [own.value])])
    return Distribution(
        measure=measure_name(services, leaf.measure, t),
        unit=leaf.measure.unit,
        shared=chosen.shared,
        own=own,
        peers=peers,
        count=max(len(chosen.members) - 1, 0),
        median=median,
        limit=limit,
        at=at,
    )


@dataclass(frozen=True, slots=True)
class _Chosen:
    members: tuple[tuple[str, tuple[str, ...]], ...]  # the entities, each with its robots
    shared: tuple[tuple[str, str], ...]


def _chosen(roster: Roster, rule: Rule, leaf: Peers, entity: str, at: int) -> _Chosen:
    """Who shares attributes with the entity: as many of them as leave enough peers."""
    entities = Entities.among(roster, rule.entity)
    scope = Scope(rule, entities, roster)
    scope = scope.at(at) if scope.changing else scope
    ids = [entities.ids[member] for member in scope.members.tolist()]
    if entity not in ids:
        return _Chosen((), ())
    place = ids.index(entity)
    for dropped, codes in enumerate(scope.peers(leaf.same)):
        places = np.flatnonzero(codes == codes[place]).tolist()
        names = leaf.same[: len(leaf.same) - dropped]
        if len(places) >= leaf.min_peers or len(names) <= 1:
            break
    robots = _robots_of(roster, scope)
    attributes = roster.robots[roster.index(robots[entity][0])].attributes
    shared = tuple((name, str(attributes[name])) for name in names if name in attributes)
    return _Chosen(tuple((ids[one], robots[ids[one]]) for one in places), shared)


def _robots_of(roster: Roster, scope: Scope) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in np.flatnonzero(scope.mask & (scope.entities.of >= 0)).tolist():
        found.setdefault(scope.entities.ids[scope.entities.of[row]], []).append(roster.ids[row])
    return {id_: tuple(robots) for id_, robots in found.items()}


def _measured(
    services: Services, roster: Roster, chosen: _Chosen, leaf: Peers, entity: str, at: int
) -> tuple[Peer | None, tuple[Peer, ...]]:
    """What the entity measures, and what its peers do; of many, a fair part of them."""
    own: Peer | None = None
    peers: list[Peer] = []
    for id_, robots in _read(chosen, entity):
        value = _value(services, robots, leaf, at)
        if value is None:
            continue
        peer = Peer(id_, _name(roster, id_), value)
        if id_ == entity:
            own = peer
        else:
            peers.append(peer)
    return own, tuple(peers)


def _read(chosen: _Chosen, entity: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The entity, and of its peers every n-th, so that no more than `READ` robots are read."""
    others = [member for member in chosen.members if member[0] != entity]
    yield from (member for member in chosen.members if member[0] == entity)
    robots = sum(len(of) for _, of in others)
    every = max(1, -(-robots // READ))
    yield from others[::every]


def _name(roster: Roster, id_: str) -> str:
    return str(roster.robots[roster.index(id_)].attributes.get("name", id_)) if id_ in roster else id_


def _value(services: Services, robots: Sequence[str], leaf: Peers, at: int) -> float | None:
    """The measure at that time, of the hours before it; None where too little is known."""
    measure = leaf.measure
    assert isinstance(measure, Rolling)  # noqa: S101 - others are not held against peers here
    step = _HOUR if measure.over_ms % _HOUR == 0 else min(measure.over_ms, 600_000)
    sums: dict[str, Values] = {}
    for robot in robots[:READ]:
        found = services.store.series(robot, measure.metrics, at - measure.over_ms, at, step)
        for metric, values in found.values.items():
            sums[metric] = _added(sums.get(metric), values)
    measured = rolling(measure, sums, step) if sums else []
    return measured[-1] if measured else None


def _added(before: Values | None, values: Values) -> Values:
    if before is None:
        return values
    pairs = zip(before, values, strict=True)
    return [b if a is None else a if b is None else a + b for a, b in pairs]


def _bounds(leaf: Peers, values: Sequence[float]) -> tuple[float | None, float | None]:
    """The median, and the value at which a robot would be where the rule's limit is."""
    if not values:
        return None, None
    numbers = np.array(values)
    median = float(np.median(numbers))
    threshold = leaf.comparison.thresholds[0]
    if leaf.statistic == "percentile":
        return median, float(np.quantile(numbers, min(max(threshold, 0.0), 1.0)))
    spread = max(float(np.median(np.abs(numbers - median))), FLOOR * abs(median))
    return median, median + threshold * spread / NORMAL


def picture(found: Distribution, t: Words) -> Picture | None:
    """The histogram; None where nothing is known of the peers."""
    if not found.peers:
        return None
    values = [peer.value for peer in found.peers]
    marked = [
        mark for mark in (found.limit, None if found.own is None else found.own.value) if mark is not None
    ]
    low, high = min(*values, *marked, *values), max(*values, *marked, *values)
    room = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    low, high = (0.0 if low >= 0 and low - room < 0 else low - room), high + room
    return Picture(
        columns=_columns(found, values, low, high, t),
        marks=_marks(found, low, high, t),
        words=_words(found, values, t),
        shared=", ".join(t.one_of(name, value) for name, value in found.shared),
        name=found.measure,
    )


def _columns(
    found: Distribution, values: Sequence[float], low: float, high: float, t: Words
) -> tuple[Column, ...]:
    counts, edges = np.histogram(values, _BINS, (low, high))
    highest = max(int(counts.max()), 1)
    width = 100 / _BINS
    own = (
        None
        if found.own is None
        else int(np.clip((found.own.value - low) / (high - low) * _BINS, 0, _BINS - 1))
    )
    return tuple(
        Column(
            x=round(at * width + 0.3, 2),
            width=round(width - 0.6, 2),
            height=round(max(count / highest * _HEIGHT, 3), 1) if count else 0.0,
            own=at == own,
            title=t(
                "peers.column",
                n=count,
                low=t.quantity(float(edges[at]), found.unit),
                high=t.quantity(float(edges[at + 1]), found.unit),
            ),
        )
        for at, count in enumerate(counts.tolist())
    )


def _marks(found: Distribution, low: float, high: float, t: Words) -> tuple[Mark, ...]:
    given = {
        "own": None if found.own is None else found.own.value,
        "limit": found.limit,
        "median": found.median,
    }
    return tuple(
        _mark(
            kind, (value - low) / (high - low) * 100, t(f"peers.{kind}", value=t.quantity(value, found.unit))
        )
        for kind, value in given.items()
        if value is not None
    )


def _mark(kind: str, x: float, text: str) -> Mark:
    anchor = "start" if x < 25 else "end" if x > 75 else "middle"
    return Mark(kind, round(x, 2), anchor, text)


def _words(found: Distribution, values: Sequence[float], t: Words) -> str:
    lower, upper = np.quantile(values, (0.25, 0.75))
    spread = t(
        "peers.spread",
        n=len(values),
        low=t.quantity(float(lower), found.unit),
        high=t.quantity(float(upper), found.unit),
    )
    if found.own is None:
        return spread
    below = sum(value < found.own.value for value in values)
    rank = t("peers.rank", n=below, of=len(values)) if below else t("peers.lowest")
    return f"{rank} {spread}"
