"""What the rules engine takes for a tick, for taking samples in, and of memory, over a large fleet.

    python bench/rules.py [--robots 100000] [--rules 30]

Thirty rules (bench/mix.yaml), a sample of 40 metrics a robot a minute, committed a hundred times a minute.
Eight days are fed before, thinned out, so that windows are full; their last hour is evaluated. Then minutes
go by, an hour's turn among them, and everything is timed: by the clock, and in CPU time, which a busy machine
lengthens less.

Hold: 200 ms a tick, of 20 nineteen, and 4 GB; goals: 50 ms and 2 GB.
"""

import sys
from pathlib import Path

sys.path.pop(0)  # this folder, whose queue.py is not Python's
sys.path.insert(0, str(Path(__file__).parents[1]))

import argparse
import ctypes
import gc
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules import load, metrics
from rules.batch import Batch
from rules.engine import Engine
from rules.evaluation import Snapshot
from rules.metrics import Entry
from rules.roster import Robot, Roster
from rules.rule import Group, RuleSet

MIX: Final = Path(__file__).with_name("mix.yaml")
METRICS: Final = 40  # in a sample
BATCHES: Final = 100  # a minute
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DELAY_MS: Final = 30_000
TRAVEL_MS: Final = 200
BEGIN: Final = 1_789_948_800_000 + 10 * HOUR_MS - 6 * MINUTE_MS  # a Monday, six minutes to ten, UTC
HOLD_MS, GOAL_MS = 200, 50
HOLD_GB, GOAL_GB = 4, 2
RATE, FAULT_RATE, SICK_RATE = 0.3, 0.0003, 0.1  # a minute: what robots do; their faults; those of the faulty
SILENT, FAULTY = 0.003, 0.002  # of the robots; with each kind of fault, so that one in twenty has some alert
# How the time before is thinned out: for so long before the beginning, a sample every so many minutes.
WARM_UP: Final = ((8 * 24 * 60, 360), (24 * 60, 60), (3 * 60, 10), (30, 2))
_COMMON: Final = (
    *("attempts", "touches", "goals", "utterances", "queries"),
    *("interactions", "recruits", "visitors", "ratings"),
)
_GAUGES: Final = {"up": 1.0, "disk_free_bytes": 2e10}


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 if a hold is missed."""
    arguments = _arguments(argv)
    catalogue = metrics.read(metrics.shipped())
    rules = some(load.load([MIX], catalogue), arguments.rules)
    fleet = Fleet(arguments.robots, {name: catalogue[name] for name in sampled(rules, catalogue)})
    print(
        f"{arguments.robots:,} robots, {len(rules.rules)} rules over {len(rules.metrics)} metrics, "
        f"{len(fleet.metrics)} metrics a sample, {_load()}",
        flush=True,
    )
    before = rss_bytes()
    engine = Engine(rules, fleet.roster)
    warm_up(engine, rules, fleet)
    watched = watch(engine, fleet, arguments.minutes)
    del fleet.counters
    grown = rss_bytes() - before + fleet.counter_bytes
    report(watched, arguments.robots, grown)
    return 0 if watched.p95_ms <= HOLD_MS and grown <= HOLD_GB * 1e9 else 1


def some(rules: RuleSet, count: int) -> RuleSet:
    """So many of the rules, drawn evenly."""
    chosen = {rules.rules[number * len(rules.rules) // count].name for number in range(count)}
    groups = [(group, tuple(rule for rule in group.rules if rule.name in chosen)) for group in rules.groups]
    kept = tuple(Group(group.name, group.interval_ms, left) for group, left in groups if left)
    return RuleSet(kept, rules.intervals, rules.inhibit_rules)


def sampled(rules: RuleSet, catalogue: Mapping[str, Entry]) -> list[str]:
    """What robots send: what the rules look at, and others up to `METRICS`."""
    return list(dict.fromkeys([*rules.metrics, *catalogue]))[: max(METRICS, len(rules.metrics))]


class Fleet:
    """Robots whose counters rise at random, most of them healthy."""

    def __init__(self, robots: int, catalogue: Mapping[str, Entry]) -> None:
        self.metrics = tuple(catalogue)
        self.roster = Roster(map(_robot, range(robots)))
        self._chance = chance = np.random.default_rng(1)
        self._order = chance.permutation(robots).astype(np.int32)  # in which they sample within a minute
        names = [name for name, metric in catalogue.items() if metric.kind == "counter"]
        self._rates = {name: self._rate(name) for name in names}
        self.counters = {name: np.zeros(robots) for name in names}
        self._gauges = {name: self._gauge(name) for name in catalogue if name not in self.counters}
        self._epochs = [f"epoch-{row:06d}" for row in self._order.tolist()]
        self._speaking = chance.random(robots)[self._order] >= SILENT
        self._seq = 0

    @property
    def counter_bytes(self) -> int:
        """What its own numbers occupy."""
        return len(self._rates) * len(self.roster) * 8

    def minute(self, end: int, minutes: int = 1, batches: int = BATCHES) -> Iterator[Batch]:
        """A sample of each robot in the minute that ends then, in the order of commit."""
        self._seq += 1
        for name, counter in self.counters.items():
            counter += self._chance.poisson(self._rates[name] * minutes)
        robots = len(self.roster)
        cuts = np.linspace(0, robots, min(batches, robots) + 1).astype(int)
        t = end - MINUTE_MS + 1 + (np.arange(robots) * (MINUTE_MS - 1) // robots)
        for begin, stop in pairwise(cuts):
            yield self._batch(slice(int(begin), int(stop)), t[begin:stop], minutes == 1)

    def _batch(self, part: slice, t: NDArray[np.int64], some_silent: bool) -> Batch:
        chosen = slice(None) if not some_silent else self._speaking[part]
        rows = self._order[part][chosen]
        columns = {**self.counters, **self._gauges}
        epochs = self._epochs[part]
        if len(rows) < len(epochs):
            epochs = np.array(epochs, dtype=object)[chosen].tolist()
        return Batch(
            committed_at=int(t[-1]) + TRAVEL_MS,
            robot=rows,
            epoch=epochs,
            seq=np.full(len(rows), self._seq, dtype=np.int64),
            t=t[chosen],
            values={name: columns[name][rows] for name in self.metrics},
        )

    def _rate(self, name: str) -> NDArray[np.float64]:
        if name.endswith(_COMMON):
            return np.full(len(self.roster), RATE)
        sick = self._chance.random(len(self.roster)) < FAULTY
        return np.where(sick, SICK_RATE, FAULT_RATE)

    def _gauge(self, name: str) -> NDArray[np.float64]:
        usual = _GAUGES.get(name.partition(".")[2], 50.0)
        sick = self._chance.random(len(self.roster)) < FAULTY
        return np.where(sick, usual / 10 if usual != 1 else 0.0, usual)


def _robot(row: int) -> Robot:
    attributes: dict[str, str | float] = {
        "site": f"site-{row // 10}",
        "customer": f"customer-{row // 200}",
        "industry": ("bank", "hotel", "mall", "museum", "hospital")[row // 200 % 5],
        "scene": ("reception", "delivery", "guide")[row // 10 % 3],
        "lifecycle": "retired" if row % 50 == 49 else "live",
        "tz": ("Asia/Shanghai", "Europe/Berlin", "America/New_York")[row // 200 % 3],
        "open_hours": ("mo-fr 09:00-18:00; sa,su 10:00-16:00", "24/7", "07:00-22:00")[row // 10 % 3],
    }
    return Robot(f"robot-{row:06d}", attributes)


# --- measuring ------------------------------------------------------------------------------------------

Took = tuple[float, float]  # seconds by clock, and of CPU


@dataclass
class Watched:
    """Seconds of everything, by clock and of CPU, and what came of it."""

    ticks: dict[str, list[Took]] = field(default_factory=lambda: defaultdict(list))  # by groups evaluated
    feeds: list[Took] = field(default_factory=list)  # of each batch
    samples: int = 0
    events: int = 0
    readings: int = 0

    @property
    def every_tick(self) -> list[Took]:
        """Whatever it evaluated."""
        return [took for ticks in self.ticks.values() for took in ticks]

    @property
    def p95_ms(self) -> float:
        """Of the ticks."""
        return float(np.quantile([clock for clock, _ in self.every_tick], 0.95)) * 1e3


def warm_up(engine: Engine, rules: RuleSet, fleet: Fleet) -> None:
    """The time before, thinned out; evaluated is the last of it, so that every group has been once."""
    engine.restore(Snapshot({group.name: BEGIN // HOUR_MS * HOUR_MS - 1 for group in rules.groups}))
    began, ends = time.monotonic(), list(_warm_minutes())
    for last, end in zip([ends[0] - MINUTE_MS, *ends], ends, strict=False):
        engine.listened(ends[0] - HOUR_MS, end + DELAY_MS)
        for batch in fleet.minute(end, (end - last) // MINUTE_MS, batches=5):
            engine.feed(batch)
        engine.tick(min(end, BEGIN))
    engine.tick(BEGIN + DELAY_MS)
    print(f"warm-up    {len(ends)} samples a robot in {time.monotonic() - began:.0f} s", flush=True)


def _warm_minutes() -> Iterator[int]:
    shorter = [length for length, _ in WARM_UP[1:]]
    for (length, every), until in zip(WARM_UP, [*shorter, 0], strict=True):
        yield from range(BEGIN - length * MINUTE_MS, BEGIN - until * MINUTE_MS, every * MINUTE_MS)


def watch(engine: Engine, fleet: Fleet, minutes: int) -> Watched:
    """So many minutes at work, a tick whenever one is due."""
    watched, due = Watched(), BEGIN + MINUTE_MS
    gc.collect()
    gc.freeze()  # as the collector does: what was built so far stays
    for end in range(BEGIN + MINUTE_MS, BEGIN + (minutes + 2) * MINUTE_MS, MINUTE_MS):
        for batch in fleet.minute(end):
            if batch.committed_at > due + DELAY_MS:
                engine.listened(BEGIN - HOUR_MS, due + DELAY_MS)
                _tick(engine, due + DELAY_MS, watched)
                due += MINUTE_MS
            watched.feeds.append(_timed(partial(engine.feed, batch))[0])
            watched.samples += len(batch)
    return watched


def _tick(engine: Engine, now: int, watched: Watched) -> None:
    took, done = _timed(partial(engine.tick, now))
    watched.ticks[" ".join(evaluation.group for evaluation in done)].append(took)
    for evaluation in done:
        if evaluation.errors:
            raise RuntimeError(f"an evaluation failed: {evaluation.errors[0]}")
        watched.events += len(evaluation.events)
        watched.readings = max(watched.readings, len(evaluation.readings))


def _timed(work: Callable[[], Any]) -> tuple[Took, Any]:
    began, used = time.perf_counter(), time.process_time()
    done = work()
    return (time.perf_counter() - began, time.process_time() - used), done


def rss_bytes() -> int:
    """Of this process, without what the allocator merely keeps."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)[0]) * 1024


# --- telling --------------------------------------------------------------------------------------------


def report(watched: Watched, robots: int, grown: int) -> None:
    """Everything, line by line."""
    print(f"           milliseconds{'':24}number  median     p95     max, and the same of CPU")
    for groups, ticks in sorted(watched.ticks.items(), key=lambda item: len(item[0])):
        print(f"tick       {groups:<35} {_spread(ticks)}")
    print(f"tick       {'all of them':<35} {_spread(watched.every_tick)}")
    print(f"feed       {f'a batch of {robots // min(BATCHES, robots):,}':<35} {_spread(watched.feeds)}")
    print(f"           {1e6 * sum(cpu for _, cpu in watched.feeds) / watched.samples:.2f} us of CPU a sample")
    print(
        f"           {watched.events:,} events, at most {watched.readings:,} signals not at rest, {_load()}"
    )
    print(f"memory     {grown / 2**20:,.0f} MiB of the engine, {grown / robots:,.0f} bytes a robot")
    print(f"tick p95   {_judged(watched.p95_ms, HOLD_MS, GOAL_MS, 'ms')}")
    print(f"memory     {_judged(grown / 1e9, HOLD_GB, GOAL_GB, 'GB')}")


def _spread(took: Sequence[Took]) -> str:
    parts = 1e3 * np.quantile(took, (0.5, 0.95, 1), axis=0)
    clock, cpu = (" ".join(f"{part:7.1f}" for part in column) for column in parts.T)
    return f"{len(took):6} {clock}   {cpu}"


def _judged(value: float, hold: int, goal: int, unit: str) -> str:
    kept = "kept" if value <= hold else "MISSED"
    reached = "reached" if value <= goal else "not reached"
    return f"{value:.2f} {unit}: hold {hold} {unit} {kept}, goal {goal} {unit} {reached}"


def _load() -> str:
    return f"load average {os.getloadavg()[0]:.2f}"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--robots", type=int, default=100_000)
    parser.add_argument("--rules", type=int, default=30, choices=range(1, 31), metavar="1..30")
    parser.add_argument("--minutes", type=int, default=20)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
