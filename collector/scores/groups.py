"""Sites and customers out of their robots, over a fleet at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.scores.components import Measure
from collector.scores.settings import PULSE, Codes, Floats, Integers, Kind, Settings
from collector.scores.table import Day, Table, attribute, codes
from collector.scores.usual import usual

SUMMED: Final = (
    frozenset(  # what a group was reckoned from is the sum over its robots; the rest is theirs alone
        (
            "heard",
            "counted",
            "interactions",
            "visitors",
            "failures",
            "attempts",
            "days",
            "now",
            "before",
            "burden",
        )
    )
)
_LOWEST, _HIGHEST = 1, 5  # of a pulse


@dataclass(frozen=True, slots=True)
class _Members:
    """Which group each robot is of (-1: none), and how many groups there are."""

    code: Codes
    count: int

    def sum(self, column: Floats | Integers) -> Floats:
        """[group]: over robots of which it is known."""
        here = (self.code >= 0) & ~np.isnan(column)
        weights = column[here].astype(np.float64)
        return np.bincount(self.code[here], weights, self.count).astype(np.float64)

    def known_sum(self, column: Floats) -> Floats:
        """The same, NaN for a group of whose robots none is known."""
        known = self.sum((~np.isnan(column)).astype(np.float64))
        found: Floats = np.where(known > 0, self.sum(column), np.nan)
        return found


def table(kind: Kind, day: Day, robots: Table, settings: Settings) -> Table:
    """Sites or customers: a component is the mean over those robots of which it is known."""
    code, names = codes([attribute(robot, kind) for robot in day.robots])
    entities = [str(name) for name in names]
    if kind == "customer":
        entities += sorted(set(day.customers).difference(entities))
    members = _Members(code, len(entities))
    sizes = members.sum(np.ones(len(code)))
    weights = settings.weights_of(kind)
    measures = {key: _mean(members, robots.measures[key]) for key in weights if key != PULSE}
    shares = {key: measure.seen["known"] / np.maximum(sizes, 1) for key, measure in measures.items()}
    if PULSE in weights:
        measures[PULSE] = _pulse(entities, day, settings)
        shares[PULSE] = (~np.isnan(measures[PULSE].value)).astype(np.float64)
    return Table(
        kind=kind,
        entities=entities,
        measures=measures,
        shares=np.stack([shares[key] for key in weights], axis=1),
        failing={
            "critical_alert": _critical(kind, entities, members.sum(robots.failing["critical_alert"]), day),
            "silent": members.sum(robots.failing["silent"]).astype(np.int64),
        },
        robots=sizes.astype(np.int64),
        use={
            name: (members.sum(now), members.known_sum(before)) for name, (now, before) in robots.use.items()
        },
        industries=_industries(code, robots.industries, len(entities)),
        silent=np.zeros(len(entities), dtype=np.int64),
        usual=usual(robots.use, robots.industries, settings.peers.min_peers),
    )


def _mean(members: _Members, measure: Measure) -> Measure:
    """The mean over robots of which it is known; what it was reckoned from is summed over these."""
    known = members.sum((~np.isnan(measure.value)).astype(np.float64))
    value = np.where(known > 0, members.sum(measure.value) / np.maximum(known, 1), np.nan)
    seen = {
        name: members.sum(np.where(np.isnan(measure.value), np.nan, column))
        for name, column in measure.seen.items()
        if name in SUMMED
    }
    return Measure(value, {**seen, "known": known})


def _pulse(entities: Sequence[str], day: Day, settings: Settings) -> Measure:
    """From 1 (0) to 5 (1); what was said too long ago is not known any more."""
    given = [day.pulses.get(entity) for entity in entities]
    fresh = [pulse if pulse and pulse.days_ago <= settings.stale_after_days else None for pulse in given]
    said = np.array([np.nan if pulse is None else float(pulse.value) for pulse in fresh], dtype=np.float64)
    ago = np.array([np.nan if pulse is None else pulse.days_ago for pulse in given], dtype=np.float64)
    return Measure((said - _LOWEST) / (_HIGHEST - _LOWEST), {"pulse": said, "days_ago": ago})


def _critical(kind: Kind, entities: Sequence[str], robots: Floats, day: Day) -> Integers:
    """Robots with a critical alert; an alert on the group itself is one on all of them."""
    own = {alert.entity for alert in day.alerts if (alert.kind, alert.severity) == (kind, "critical")}
    everyone = [len(day.robots) if entity in own else 0 for entity in entities]
    return np.maximum(robots, everyone).astype(np.int64)


def _industries(code: Codes, industries: Sequence[str | None], count: int) -> list[str | None]:
    """The commonest among the robots of each group."""
    found: list[Counter[str]] = [Counter() for _ in range(count)]
    for group, industry in zip(code.tolist(), industries, strict=True):
        if group >= 0 and industry:
            found[group][industry] += 1
    return [next(iter(counter.most_common(1)), (None, 0))[0] for counter in found]
