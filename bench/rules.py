"""How long a tick of the rules engine takes over a fleet, with the shipped packs: `python -m bench.rules`."""

import argparse
import resource
import sys
import time
from collections.abc import Sequence

import numpy as np

from rules import metrics
from rules.batch import Batch
from rules.engine import Engine
from rules.load import load, shipped
from rules.metrics import Entry
from rules.roster import Robot, Roster

INTERVAL_MS = 30_000
START = 1_767_225_600_000
RATE = 0.3  # of counters, a sample; faults are a hundredth of it


def main(argv: Sequence[str] | None = None) -> int:
    """Feeds a fleet in commits of a thousand samples, and prints what feeding and ticking cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python -m bench.rules --robots 1000"
    )
    parser.add_argument("--robots", type=int, default=10_000)
    parser.add_argument("--minutes", type=int, default=30)
    arguments = parser.parse_args(argv)
    catalogue = metrics.read(metrics.shipped())
    rules = load(shipped(), catalogue)
    fleet = Fleet(arguments.robots, {name: catalogue[name] for name in rules.metrics})
    engine = Engine(rules, fleet.roster)
    feeding, ticks, events = 0.0, [], 0
    for step in range(arguments.minutes * 60_000 // INTERVAL_MS):
        at = START + step * INTERVAL_MS
        engine.listened(START, at + INTERVAL_MS)
        for batch in fleet.step(at):
            before = time.perf_counter()
            engine.feed(batch)
            feeding += time.perf_counter() - before
        before = time.perf_counter()
        done = engine.tick(at + INTERVAL_MS - 1)
        ticks += [time.perf_counter() - before] if done else []
        events += sum(len(evaluation.events) for evaluation in done)
    samples = arguments.robots * arguments.minutes * 60_000 // INTERVAL_MS
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    p50, p99 = (np.quantile(ticks, part) * 1_000 for part in (0.5, 0.99))
    print(
        f"{arguments.robots} robots, {len(rules.rules)} rules, {len(rules.metrics)} metrics, {events} events"
    )
    print(f"tick: p50 {p50:.1f} ms, p99 {p99:.1f} ms, taking in the samples since the last one included")
    print(f"feeding and ticking: {(feeding + sum(ticks)) / samples * 1e6:.2f} µs a sample")
    print(f"memory of the whole process: {memory:.0f} MiB")
    return 0


class Fleet:
    """Robots whose counters rise at random, most of them healthy."""

    def __init__(self, robots: int, catalogue: dict[str, Entry]) -> None:
        self.roster = Roster(Robot(f"r{number}", {"lifecycle": "live"}) for number in range(robots))
        self._random = np.random.default_rng(1)
        self._counters = {
            name: np.zeros(robots) for name, metric in catalogue.items() if metric.kind == "counter"
        }
        self._gauges = [name for name, metric in catalogue.items() if metric.kind == "gauge"]
        self._seq = 0

    def step(self, at: int) -> list[Batch]:
        """A sample of every robot, taken within the interval before `at`."""
        self._seq += 1
        robots = len(self.roster)
        for name, counter in self._counters.items():
            counter += self._random.random(robots) < (RATE if _common(name) else RATE / 100)
        taken = np.sort(at - self._random.integers(0, INTERVAL_MS, robots))
        return [self._batch(at, slice(start, start + 1_000), taken) for start in range(0, robots, 1_000)]

    def _batch(self, at: int, part: slice, taken: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Batch:
        rows = np.arange(len(self.roster), dtype=np.int32)[part]
        gauges = {name: np.full(len(rows), _healthy(name)) for name in self._gauges}
        return Batch(
            committed_at=at,
            robot=rows,
            epoch=["epoch"] * len(rows),
            seq=np.full(len(rows), self._seq, dtype=np.int64),
            t=taken[part],
            values={**{name: counter[part].copy() for name, counter in self._counters.items()}, **gauges},
        )


def _healthy(gauge: str) -> float:
    return {"up": 1.0, "disk_free_bytes": 2e10}.get(gauge.partition(".")[2], 50.0)


def _common(name: str) -> bool:
    """What is counted when all is well."""
    words = ("attempts", "touches", "goals", "utterances", "queries", "interactions", "recruits", "ratings")
    return name.endswith(words)


if __name__ == "__main__":
    sys.exit(main())
