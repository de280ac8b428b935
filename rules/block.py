"""The evaluations of one group within a strip: what was known of robots at each; arrays are [tick, robot]."""

from functools import cached_property

import numpy as np

from rules.columns import NEVER, Flags, Floats, Rows, Times, raise_to
from rules.history import History
from rules.needs import Window
from rules.rings import step_of
from rules.strip import Newest, Strip


class Block:
    """Ticks at the multiples of an interval; a block is looked at before its history moves on."""

    def __init__(self, history: History, strip: Strip, ticks: Times, interval_ms: int) -> None:
        self.history = history
        self.strip = strip
        self.ticks = ticks
        self.interval_ms = interval_ms
        self._heard_by_source: dict[str, Times] = {}

    def __len__(self) -> int:
        return len(self.ticks)

    def at(self, robots: Rows | slice) -> Times:
        """When the newest sample is of."""
        if self.strip.single:
            at: Times = self.history.chain.at[robots][None, :]
            return at
        return self._newest.at[:, robots]

    def since(self, robots: Rows | slice) -> Times:
        """[robot]: when the first sample is of."""
        since: Times = self.history.chain.since[robots]
        return since

    def level(self, metric: str, robots: Rows | slice) -> Floats:
        """The level of a counter."""
        counter = self.history.needs.counters[metric]
        if self.strip.single:
            level: Floats = self.history.chain.level[counter, robots][None, :]
            return level
        return self.strip.level(counter, self._newest.place[:, robots], robots)

    def ends(self, metric: str, robots: Rows | slice) -> tuple[Floats, Floats]:
        """[robot]: the level of a counter before the block and after it."""
        counter = self.history.needs.counters[metric]
        return self.strip.level_before(counter)[robots], self.history.chain.level[counter, robots]

    def known(self, metric: str, robots: Rows | slice) -> Flags | None:
        """Whether the newest sample has a counter; None: all do."""
        counter = self.history.needs.counters[metric]
        if self.strip.single:
            known: Flags = self.history.chain.present[counter, robots][None, :]
            return known
        return self.strip.known(counter, self._newest.place[:, robots])

    def level_then(self, metric: str, step_ms: int, rows: Times, robots: Rows | slice) -> Floats:
        """[row, robot]: the level of a counter at multiples of a step."""
        counter = self.history.needs.counters[metric]
        return self.history.rings[step_ms].rows(counter, rows, robots)

    def heard(self, source: str, robots: Rows | slice) -> Times:
        """When robot or subsystem was last heard."""
        place = self.history.sources[source]
        if self.strip.single:
            heard: Times = self.history.heard[place, robots][None, :]
            return heard
        if source not in self._heard_by_source:
            self._heard_by_source[source] = self._heard(source)
        return self._heard_by_source[source][:, robots]

    def last_gauge(self, metric: str, robots: Rows | slice) -> tuple[Floats, Times]:
        """The newest value of a gauge, and when it is of."""
        gauge = self.history.needs.gauges[metric]
        if self.strip.single:
            history = self.history
            return history.gauges[gauge, robots][None, :], history.gauges_at[gauge, robots][None, :]
        return self._last_gauge(gauge, robots)

    def gauge(self, window: Window, robots: Rows | slice) -> Floats:
        """The reduced gauge in its window; NaN where no value is in it."""
        if self.strip.single:
            self.history.windowed(self.strip)
            return self.history.windows[window].reduced(int(self.ticks[0]))[robots][None, :]
        return self._slid(window, np.arange(self.history.robots)[robots])

    def gauge_range(self, window: Window) -> tuple[Floats, Floats]:
        """[robot]: what no window of the block is below, or above."""
        least, greatest = self.history.windows[window].range()
        values = self.strip.samples.gauge(self.history.needs.gauges[window.metric])
        np.fmin.at(least, self.strip.samples.row, values)
        np.fmax.at(greatest, self.strip.samples.row, values)
        return least[: self.history.robots], greatest[: self.history.robots]

    @cached_property
    def _bucket(self) -> Times:
        """From which tick on each sample of the strip counts."""
        buckets: Times = np.maximum(-(-(self.strip.samples.visible - self.ticks[0]) // self.interval_ms), 0)
        return buckets

    @cached_property
    def _newest(self) -> Newest:
        return self.strip.newest(self._bucket, len(self.ticks))

    def _heard(self, source: str) -> Times:
        samples, place = self.strip.samples, self.history.sources[source]
        heard = np.full((len(self.ticks), self.history.capacity), NEVER)
        heard[0] = self.strip.heard_before[place]
        counts = self._bucket < len(self.ticks)
        up = self.history.needs.sources[source]
        if up is not None:
            counts &= samples.gauge(self.history.needs.gauges[up]) == 1
        flat = self._bucket[counts] * self.history.capacity + samples.row[counts]
        raise_to(heard.reshape(-1), flat, samples.committed[counts])
        running: Times = np.maximum.accumulate(heard, axis=0)
        return running

    def _last_gauge(self, gauge: int, robots: Rows | slice) -> tuple[Floats, Times]:
        values, at = self.strip.gauges_before[gauge].copy(), self.strip.gauges_at_before[gauge].copy()
        found: list[tuple[Floats, Times]] = []
        for places in self._by_tick(~np.isnan(self.strip.samples.gauge(gauge))):
            row, t = self.strip.samples.row[places], self.strip.samples.t[places]
            np.maximum.at(at, row, t)
            newest = t == at[row]
            values[row[newest]] = self.strip.samples.gauge(gauge)[places[newest]]
            found.append((values[robots].copy(), at[robots].copy()))
        return np.stack([value for value, _ in found]), np.stack([time for _, time in found])

    def _slid(self, window: Window, robots: Rows) -> Floats:
        samples = self.strip.samples
        place = np.full(self.history.capacity, -1, dtype=np.intp)
        place[robots] = np.arange(len(robots))
        ring = self.history.windows[window].part(robots)
        values = samples.gauge(self.history.needs.gauges[window.metric])
        found = []
        ticks = zip(self.ticks.tolist(), self._by_tick(place[samples.row] >= 0), strict=True)
        for tick, places in ticks:
            ring.take(tick, place[samples.row[places]], samples.t[places], values[places])
            found.append(ring.reduced(tick))
        return np.stack(found)

    def _by_tick(self, wanted: Flags) -> list[Rows]:
        """Places of samples, by the tick from which on they count."""
        chosen = np.flatnonzero(wanted & (self._bucket < len(self.ticks)))
        order = chosen[np.argsort(self._bucket[chosen], kind="stable")]
        ends = np.searchsorted(self._bucket[order], np.arange(1, len(self.ticks)))
        return np.split(order, ends)


def begins(ticks: Times, interval_ms: int, over_ms: int) -> tuple[int, Times]:
    """The step of a window, and the multiple of it after which each tick's window begins."""
    step = step_of(interval_ms, over_ms)
    return step, (ticks - over_ms) // step
