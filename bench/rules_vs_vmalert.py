"""Ten rules on one day of a fleet, by our engine and by vmalert over VictoriaMetrics: time, CPU, and alerts.

    python bench/rules_vs_vmalert.py [--robots 10000]

Live: how long one evaluation of all ten takes, with the day in memory and in the store. After the fact: a
backtest of the day's recording against `vmalert -replay`, one query a rule. Then every robot-evaluation at
which an alert fires is compared, and each difference given its reason; an unexplained one is a failure.

Holds: live 100 times as fast, after the fact 20 times; goals: 1,000 and 100.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import semantics, vmalert
from bench.conditions import our_rules, their_rules
from bench.day import MINUTE_MS, Day, day
from bench.semantics import Flags, Reason
from bench.vmalert import Cost, VictoriaMetrics
from rules import load, metrics
from rules.engine import Engine, Event, State
from rules.evaluation import Snapshot
from rules.recording import read_batches, read_header
from rules.rule import RuleSet

START: Final = 1_789_948_800_000  # 2026-09-21 00:00 UTC
HOLD_LIVE, HOLD_REPLAY = 100, 20
GOAL_LIVE, GOAL_REPLAY = 1_000, 100
_FIRING: Final = (State.FIRING, State.RECOVERING)
_BLOCK: Final = 2_000  # robots whose matrices are reckoned at once
_TICK_EVERY: Final = 6 * 60 * MINUTE_MS


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 if a difference is unexplained or a hold is missed."""
    arguments = _arguments(argv)
    if absent := vmalert.missing():
        print(f"not installed: {', '.join(absent)}; see the Debian package victoria-metrics", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="bench-vmalert-", dir=arguments.folder) as name:
        bench = prepared(Path(name), arguments)
        with VictoriaMetrics(Path(name)) as store:
            store.await_ready()
            began = time.monotonic()
            store.take(bench.day)
            took = time.monotonic() - began
            print(f"import     {took:.0f} s into VictoriaMetrics (not compared)")
            held = [after_the_fact(bench, store), live(bench, store)]
    return 0 if all(held) else 1


@dataclass(frozen=True, slots=True)
class Bench:
    """What both engines are given."""

    folder: Path
    day: Day
    rules: RuleSet
    evaluations: int  # live ones

    @property
    def recording(self) -> Path:
        """The day as our engine reads it."""
        return self.folder / "day.parquet"

    @property
    def our_rules(self) -> Path:
        """The ten rules in our language."""
        return self.folder / "ten.yaml"

    def their_rules(self, interval: str) -> Path:
        """The ten rules for vmalert."""
        path = self.folder / f"vmalert-{interval}.yaml"
        path.write_text(their_rules(interval))
        return path


def prepared(folder: Path, arguments: argparse.Namespace) -> Bench:
    """The day, its recording and the rules; prints what they are."""
    made = day(arguments.robots, START, arguments.minutes)
    (folder / "ten.yaml").write_text(our_rules())
    rules = load.load([folder / "ten.yaml"], metrics.read(metrics.shipped()))
    bench = Bench(folder, made, rules, arguments.evaluations)
    made.record(bench.recording)
    print(
        f"{made.robots:,} robots, {len(made.values)} metrics, {made.minutes / 60:g} h, "
        f"{made.samples:,} samples, {len(rules.rules)} rules each minute\n"
        f"Python {sys.version.split()[0]}, numpy {np.__version__}, VictoriaMetrics {vmalert.version()}, "
        f"{os.cpu_count()} cores, {_load()}"
    )
    return bench


# --- after the fact -------------------------------------------------------------------------------------


def after_the_fact(bench: Bench, store: VictoriaMetrics) -> bool:
    """Backtest against replay, and the alerts of both; whether the hold is kept and all is explained."""
    theirs = vmalert.replay(store, bench.their_rules("1m"), bench.day, bench.folder)
    print(f"replay     vmalert   {theirs.wall_s:8.2f} s, {theirs.cpu_s:8.2f} s CPU of both its processes")
    ours, events = backtest(bench)
    print(f"           Robovitals{ours.wall_s:8.2f} s, {ours.cpu_s:8.2f} s CPU; {_load()}")
    kept = judged("replay", theirs.wall_s / ours.wall_s, HOLD_REPLAY, GOAL_REPLAY)
    print(f"           by CPU {theirs.cpu_s / ours.cpu_s:.1f} times")
    names = [rule.name for rule in bench.rules.rules]
    return compared(bench, ours_firing(bench, events), store.firing(bench.day, names)) and kept


def backtest(bench: Bench) -> tuple[Cost, list[Event]]:
    """Our engine over the recording, by itself in this process."""
    before, began = _cpu_s(), time.monotonic()
    roster = bench.day.roster
    engine = Engine(bench.rules, roster)
    for since, until in read_header(bench.recording).listening:
        engine.listened(since, until)
    events: list[Event] = []
    last = bench.day.start
    for batch in read_batches(bench.recording, roster, bench.rules.metrics):
        engine.feed(batch)
        if batch.committed_at - last >= _TICK_EVERY:
            last = batch.committed_at
            events += _events(engine, last - 1)
    events += _events(engine, bench.day.end + MINUTE_MS)
    return Cost(time.monotonic() - began, _cpu_s() - before), events


def _events(engine: Engine, now: int) -> Iterator[Event]:
    for evaluation in engine.tick(now):
        if evaluation.errors:
            raise RuntimeError(f"an evaluation failed: {evaluation.errors[0]}")
        yield from evaluation.events


def ours_firing(bench: Bench, events: Iterable[Event]) -> dict[str, Flags]:
    """By rule, [evaluation, robot]: whether it fired."""
    shape = bench.day.minutes, bench.day.robots
    fired = {rule.name: np.zeros(shape, dtype=np.bool_) for rule in bench.rules.rules}
    for event in events:
        if (event.before in _FIRING) != (event.after in _FIRING):
            slot = (event.at - bench.day.start) // MINUTE_MS - 1
            row = bench.day.roster.index(event.entity.id)
            fired[event.rule][slot:, row] = event.after in _FIRING
    return fired


def compared(bench: Bench, ours: dict[str, Flags], theirs: dict[str, Flags]) -> bool:
    """Prints how far the alerts agree; whether every difference has a reason."""
    print("alerts     robot-evaluations at which they fire: ours, theirs, both, and why they differ")
    unexplained = 0
    for rule in bench.rules.rules:
        one, other = ours[rule.name], theirs[rule.name]
        reasons: Counter[Reason | None] = Counter()
        for part, block in _blocks(bench.day):
            reasons.update(dict(semantics.reasons(rule, block, one[:, part], other[:, part])))
        counts = f"{one.sum():>9,} {other.sum():>9,} {(one & other).sum():>9,}"
        print(f"  {rule.name:<20} {counts}  {semantics.tally(reasons) or 'equal'}", flush=True)
        unexplained += reasons[None]
    print(f"           {unexplained:,} differences unexplained")
    return unexplained == 0


def _blocks(whole: Day) -> Iterator[tuple[slice, Day]]:
    for begin in range(0, whole.robots, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        yield part, whole.part(part)


# --- live -----------------------------------------------------------------------------------------------


def live(bench: Bench, store: VictoriaMetrics) -> bool:
    """One evaluation of all rules on the last minutes of the day; whether the hold is kept."""
    at = bench.day.end - 15 * MINUTE_MS
    theirs = vmalert.evaluations(store, bench.their_rules("5s"), at, bench.evaluations, bench.folder)
    their_median = vmalert.median(theirs)
    print(f"live       vmalert   {their_median * 1e3:10.2f} ms an evaluation, median of {len(theirs) - 1}")
    ticks, feeds = our_evaluations(bench)
    our_median = statistics.median(ticks)
    print(
        f"           Robovitals{our_median * 1e3:10.2f} ms a tick, median of {len(ticks)}; "
        f"{statistics.median(feeds) * 1e3:.2f} ms to take in the minute before it; {_load()}"
    )
    return judged("live", their_median / our_median, HOLD_LIVE, GOAL_LIVE)


def our_evaluations(bench: Bench) -> tuple[list[float], list[float]]:
    """Seconds of each tick of the day's last minutes, and of taking in what came since the one before."""
    first = bench.day.end - bench.evaluations * MINUTE_MS
    engine = Engine(bench.rules, bench.day.roster)
    engine.restore(Snapshot({group.name: first for group in bench.rules.groups}))
    engine.listened(bench.day.start, bench.day.end + MINUTE_MS)
    ticks, feeds, feeding, due = [], [], 0.0, first + MINUTE_MS
    engine.tick(first)
    for batch in bench.day.batches():
        if batch.committed_at > due + semantics.DELAY_MS:
            ticks.append(_seconds(partial(engine.tick, due + semantics.DELAY_MS)))
            feeds.append(feeding)
            feeding, due = 0.0, due + MINUTE_MS
        feeding += _seconds(partial(engine.feed, batch))
    return ticks[1:], feeds[1:]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- telling --------------------------------------------------------------------------------------------


def judged(what: str, ratio: float, hold: int, goal: int) -> bool:
    """Prints what came of it; whether the hold is kept."""
    kept = ratio >= hold
    print(
        f"           {what}: {ratio:,.1f} times as fast; hold {hold:,} {'kept' if kept else 'MISSED'}, "
        f"goal {goal:,} {'reached' if ratio >= goal else 'not reached'}",
        flush=True,
    )
    return kept


def _load() -> str:
    return f"load average {os.getloadavg()[0]:.2f}"


def _cpu_s() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--robots", type=int, default=10_000)
    parser.add_argument("--minutes", type=int, default=1_440, help="of the day")
    parser.add_argument("--evaluations", type=int, default=11, help="live ones; the first is not counted")
    parser.add_argument("--folder", type=Path, help="for the temporary files")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
