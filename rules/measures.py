"""The measures of robots, sites and customers, over all ticks of a block at once.

A `View` is what a rule looks at: some robots, each for itself, or joined into sites or customers, whose
counters are the sums of what is known of their robots. Numbers are [tick, entity].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rules.block import Block, begins
from rules.columns import NEVER, Flags, Floats, Rows, Times
from rules.needs import ROBOT, Window
from rules.rule import (
    WEEK_MS,
    ActiveDays,
    Fluctuation,
    Gauge,
    Increase,
    Measure,
    OwnPast,
    Ratio,
    Silent,
)


@dataclass(frozen=True)
class Measured:
    """A number an entity, NaN where not known; `cover` tells of whom the whole window is known."""

    numbers: Floats
    cover: Callable[[], Flags] | None = None

    @cached_property
    def covered(self) -> Flags | None:
        """Of whom the whole window is known; None: of everyone."""
        return None if self.cover is None else self.cover()


@dataclass(frozen=True)
class View:
    """Robots, and where among them each entity begins; without that, every robot is an entity."""

    block: Block
    robots: Rows | slice
    starts: Rows | None = None

    @cached_property
    def at(self) -> Times:
        """When the newest sample of each robot is of."""
        return self.block.at(self.robots)

    @cached_property
    def since(self) -> Times:
        """When the first sample of each robot is of."""
        return self.block.since(self.robots)

    @cached_property
    def rows(self) -> Rows:
        """The robots, one by one."""
        rows: Rows = np.arange(self.block.history.robots)[self.robots]
        return rows

    def sums(self, numbers: Floats) -> Floats:
        """By entity, of the last axis: the sum of what is known; NaN if nothing is."""
        if self.starts is None:
            return numbers
        known = ~np.isnan(numbers)
        summed = np.add.reduceat(np.where(known, numbers, 0), self.starts, axis=-1)
        return np.where(np.logical_or.reduceat(known, self.starts, axis=-1), summed, np.nan)

    def spread(self, numbers: Rows) -> Rows:
        """By robot: the number of its entity."""
        if self.starts is None:
            return numbers
        return np.repeat(numbers, np.diff(np.append(self.starts, len(self.rows))))

    def all(self, flags: Flags, counting: Flags) -> Flags:
        """By entity, of the last axis: whether it is so of all that count."""
        if self.starts is None:
            return flags
        found: Flags = np.logical_and.reduceat(flags | ~counting, self.starts, axis=-1)
        return found

    def any(self, flags: Flags) -> Flags:
        """By entity, of the last axis: whether it is so of one of them."""
        if self.starts is None:
            return flags
        found: Flags = np.logical_or.reduceat(flags, self.starts, axis=-1)
        return found

    def least(self, numbers: Floats) -> Floats:
        """By entity, of the last axis: the least that is known."""
        if self.starts is None:
            return numbers
        found: Floats = np.fmin.reduceat(numbers, self.starts, axis=-1)
        return found


def measure(measure: Measure | Silent, view: View, period: Times | None = None) -> Measured:
    """What a leaf compares: an increase, a fraction, a gauge, days, or seconds of silence.

    `period` ([tick, robot]) is when the active period began from which on silence counts.
    """
    match measure:
        case Silent(source):
            return Measured(view.least(silence(source, view, period)))
        case Increase(counters, over):
            return increases(counters, over, view)
        case Ratio() as ratio:
            return _ratio(ratio, view)
        case Gauge() as gauge:
            return Measured(_gauge(gauge, view))
        case ActiveDays() as active:
            return _active_days(active, view)
        case Fluctuation() as fluctuation:
            return Measured(_fluctuation(fluctuation, view))


def increases(counters: Sequence[str], over_ms: int, view: View) -> Measured:
    """The increase of those counters, summed, that the newest sample has."""
    block = view.block
    step, rows = begins(block.ticks, block.interval_ms, over_ms)
    begin = (rows * step)[:, None]
    present = view.at > begin
    parts = []
    for counter in counters:
        known = block.known(counter, view.robots)
        has = present if known is None else present & known
        then = block.level_then(counter, step, rows, view.robots)
        rise = np.maximum(block.level(counter, view.robots) - then, 0)
        parts.append(np.where(has, rise, np.nan))
    numbers = parts[0] if len(parts) == 1 else _added_up(parts)

    def cover() -> Flags:
        covered = (view.since[None, :] <= begin) & (view.at > _patience(block.ticks, over_ms))
        return view.all(covered, ~np.isnan(numbers))

    return Measured(view.sums(numbers), cover)


def _added_up(parts: Sequence[Floats]) -> Floats:
    """The sum of what is known; NaN where nothing is."""
    known = ~np.isnan(parts)
    summed: Floats = np.where(known, parts, 0).sum(axis=0)
    return np.where(known.any(axis=0), summed, np.nan)


def _patience(ticks: Times, over_ms: int) -> Times:
    """What the newest sample must be later than for a window to be known to its end."""
    return (ticks - over_ms // 4)[:, None]


def _ratio(ratio: Ratio, view: View) -> Measured:
    of = increases(ratio.of, ratio.over_ms, view)
    to = increases(ratio.to, ratio.over_ms, view)

    def cover() -> Flags:
        assert of.covered is not None and to.covered is not None, "increases know"  # noqa: S101, PT018 -- see there
        return of.covered & to.covered

    return Measured(_fraction(of.numbers, to.numbers, ratio), cover)


def _fraction(of: Floats, to: Floats, ratio: Ratio) -> Floats:
    enough = to >= max(ratio.min_samples, 1)
    return np.where(enough, of / np.where(enough, to, 1), np.nan)


def _gauge(gauge: Gauge, view: View) -> Floats:
    block = view.block
    if gauge.reduce != "last":
        window = Window(block.interval_ms, gauge.over_ms, gauge.reduce, gauge.metric)
        return block.gauge(window, view.robots)
    step, rows = begins(block.ticks, block.interval_ms, gauge.over_ms)
    values, at = block.last_gauge(gauge.metric, view.robots)
    return np.where(at > (rows * step)[:, None], values, np.nan)


def silence(source: str, view: View, period: Times | None) -> Floats:
    """[tick, robot]: seconds for which robot or subsystem was not heard, of time in which we listened.

    NaN where it was never heard, or so long ago that nobody would know after a restart.
    """
    history, ticks = view.block.history, view.block.ticks[:, None]
    heard = view.block.heard(source, view.robots)
    known = heard > ticks - history.needs.lookback_ms
    until = np.broadcast_to(ticks, heard.shape)
    if source != ROBOT:
        until = np.minimum(until, view.block.heard(ROBOT, view.robots))
    begin = heard if period is None else np.maximum(heard, period)
    silent = np.maximum(history.listening.total(until) - history.listening.total(np.maximum(begin, NEVER)), 0)
    return np.where(known, silent / 1_000, np.nan)


def _active_days(active: ActiveDays, view: View) -> Measured:
    block = view.block
    begin = block.history.whole_days(active.days)[1][view.rows]
    inside = np.zeros(view.at.shape, dtype=np.bool_)
    for counter in active.of:
        known = block.known(counter, view.robots)
        inside |= view.at > begin if known is None else (view.at > begin) & known
    daily = block.history.daily(active.of, active.days)[:, view.rows]
    summed = view.sums(np.where(inside[:, None, :], daily[None], np.nan))  # [tick, day, entity]
    days = (summed >= active.at_least).sum(axis=1).astype(np.float64)
    known_days = ~np.isnan(summed).all(axis=1)

    def cover() -> Flags:
        covered = (view.since <= begin)[None, :] & (view.at > _patience(block.ticks, active.over_ms))
        return view.all(covered, inside)

    return Measured(np.where(known_days, days, np.nan), cover)


def _fluctuation(fluctuation: Fluctuation, view: View) -> Floats:
    history = view.block.history
    assert history.days is not None, "needs know of days"  # noqa: S101 -- a contract within this package
    daily = history.daily(fluctuation.of, fluctuation.days)[:, view.rows]
    first = history.whole_days(fluctuation.days)[0][view.rows]
    heard = view.any(history.days.heard(first, fluctuation.days, view.rows))
    summed = np.where(heard, view.sums(daily), np.nan)
    one = variation(summed[None], -(-fluctuation.days // 2))
    return np.broadcast_to(one, (len(view.block), one.shape[1]))


def variation(daily: Floats, at_least: int) -> Floats:
    """[tick, entity]: standard deviation by mean over the known days ([tick, day, entity]), oldest first."""
    known = ~np.isnan(daily)
    count = known.sum(axis=1)
    safe = np.maximum(count, 1)
    mean = _added(np.where(known, daily, 0)) / safe
    away = np.where(known, daily - mean[:, None, :], 0)
    deviation = np.sqrt(_added(away * away) / safe)
    defined = (count >= max(at_least, 1)) & (mean != 0)
    return np.where(defined, deviation / np.where(defined, mean, 1), np.nan)


def _added(days: Floats) -> Floats:
    """One day after another, so that the sum is the same however many ticks are reckoned at once."""
    total: Floats = np.zeros_like(days[:, 0])
    for day in range(days.shape[1]):
        total = total + days[:, day]
    return total


def change(past: OwnPast, view: View) -> Floats:
    """[tick, entity]: by how much the measure changed against the mean of the same window in past weeks."""
    now = measure(past.measure, view)
    total, count = np.zeros_like(now.numbers), np.zeros_like(now.numbers)
    for week in range(past.weeks, 0, -1):
        then = _past(past.measure, week, view)
        known = ~np.isnan(then)
        total += np.where(known, then, 0)
        count += known
    defined = (count >= -(-past.weeks // 2)) & (total != 0) & ~np.isnan(now.numbers)
    if now.covered is not None:
        defined &= now.covered
    mean = total / np.maximum(count, 1)
    return np.where(defined, now.numbers / np.where(defined, mean, 1) - 1, np.nan)


def _past(measure: Measure, week: int, view: View) -> Floats:
    match measure:
        case Increase(counters, over):
            return _past_increases(counters, over, week, view)
        case Ratio() as ratio:
            of = _past_increases(ratio.of, ratio.over_ms, week, view)
            to = _past_increases(ratio.to, ratio.over_ms, week, view)
            return _fraction(of, to, ratio)
    raise ValueError(f"{measure} has no past")


def _past_increases(counters: Sequence[str], over_ms: int, week: int, view: View) -> Floats:
    block = view.block
    step, rows = begins(block.ticks - week * WEEK_MS, block.interval_ms, over_ms)
    ends = (block.ticks - week * WEEK_MS) // step
    total = np.zeros((len(block), len(view.rows)))
    for counter in counters:
        then = block.level_then(counter, step, rows, view.robots)
        total += np.maximum(block.level_then(counter, step, ends, view.robots) - then, 0)
    known = view.since[None, :] <= (rows * step)[:, None]
    return view.sums(np.where(known, total, np.nan))
