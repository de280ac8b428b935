"""Ten rules on one day of a fleet, by our engine and by vmalert over VictoriaMetrics: time, CPU, and alerts.

    python bench/rules_vs_vmalert.py [--robots 10000]

Live: how long one evaluation of all ten takes, with the day in memory and in the store. After the fact: a
backtest of the day's recording against `vmalert -replay`, one query a rule. Then every robot-evaluation at
which an alert fires is compared, and each difference given its reason; an unexplained one is a failure.

Holds: live 100 times as fast, after the fact 20 times; goals: 1,000 and 100.
"""

import sys
from pathlib import Path

sys.path.pop(0)  # this folder, whose queue.py is not Python's
sys.path.insert(0, str(Path(__file__).parents[1]))

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from bench import semantics, vmalert
from bench.conditions import our_rules, their_rules
from bench.day import MINUTE_MS, Day, day
from bench.semantics import Flags, Reason
from bench.vmalert import Cost, VictoriaMetrics
from rules import load, metrics
from rules.engine import Engine
from rules.evaluation import Snapshot
from rules.rule import RuleSet

START: Final = 1_789_948_800_000  # 2026-09-21 00:00 UTC
HOLD_LIVE, HOLD_REPLAY = 100, 20
GOAL_LIVE, GOAL_REPLAY = 1_000, 100
_PORTION_MS: Final = 30 * MINUTE_MS  # of the day before the ticks that count
_BLOCK: Final = 2_000  # robots whose matrices are reckoned at once


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
    def results(self) -> Path:
        """What our backtest leaves."""
        return self.folder / "backtest"

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
    made = day(arguments.robots, START, arguments.minutes, anew=arguments.anew)
    (folder / "ten.yaml").write_text(our_rules())
    rules = load.load([folder / "ten.yaml"], metrics.read(metrics.shipped()))
    bench = Bench(folder, made, rules, arguments.evaluations)
    made.record(bench.recording)
    print(
        f"{made.robots:,} robots, {len(made.values)} metrics, {made.minutes / 60:g} h, "
        f"{made.samples:,} samples, {len(rules.rules)} rules each minute, "
        f"{arguments.anew:.0%} of the robots set up anew\n"
        f"Python {sys.version.split()[0]}, numpy {np.__version__}, VictoriaMetrics {vmalert.version()}, "
        f"{os.cpu_count()} cores, {_load()}"
    )
    return bench


# --- after the fact -------------------------------------------------------------------------------------


def after_the_fact(bench: Bench, store: VictoriaMetrics) -> bool:
    """Backtest against replay, and the alerts of both; whether the hold is kept and all is explained."""
    theirs = vmalert.replay(store, bench.their_rules("1m"), bench.day, bench.folder)
    print(f"replay     vmalert   {theirs.wall_s:8.2f} s, {theirs.cpu_s:8.2f} s CPU of both its processes")
    ours = backtest(bench)
    print(f"           Robovitals{ours.wall_s:8.2f} s, {ours.cpu_s:8.2f} s CPU; {_load()}")
    kept = judged("replay", theirs.wall_s / ours.wall_s, HOLD_REPLAY, GOAL_REPLAY)
    print(f"           by CPU {theirs.cpu_s / ours.cpu_s:.1f} times")
    floor = reading(bench.recording)
    print(
        f"           a process that did nothing but read the recording: {floor:.2f} s, "
        f"{theirs.wall_s / floor:.1f} times as fast"
    )
    names = [rule.name for rule in bench.rules.rules]
    return compared(bench, ours_firing(bench), store.firing(bench.day, names)) and kept


def backtest(bench: Bench) -> Cost:
    """`vitals-rules backtest` over the recording, as a process of its own."""
    command = Path(sys.executable).with_name("vitals-rules")
    given = {"--recording": bench.recording, "--rules": bench.our_rules, "--out": bench.results}
    paths = [str(part) for pair in given.items() for part in pair]
    began = time.monotonic()
    with (bench.folder / "backtest.log").open("w+") as log:
        process = subprocess.Popen([command, "backtest", *paths], stdout=log, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        took = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        said = log.read()
    if process.returncode != 0:
        raise RuntimeError(f"vitals-rules backtest failed: {said}")
    print(f"           {' '.join(line for line in said.splitlines() if ' samples in ' in line)}")
    return Cost(took, used.ru_utime + used.ru_stime)


def reading(recording: Path) -> float:
    """How long it takes a process of its own to look at every value once, in s: nobody backtests faster."""
    code = (
        "import duckdb, sys; held = duckdb.read_parquet(sys.argv[1]); "
        "held.aggregate(', '.join(f'max({chr(34)}{name}{chr(34)})' for name in held.columns)).fetchall()"
    )
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code, str(recording)], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def ours_firing(bench: Bench) -> dict[str, Flags]:
    """By rule, [evaluation, robot]: whether it fired, as the alert log tells."""
    shape = bench.day.minutes, bench.day.robots
    fired = {rule.name: np.zeros(shape, dtype=np.bool_) for rule in bench.rules.rules}
    with (bench.results / "alerts.jsonl").open(encoding="utf-8") as log:
        for event in map(json.loads, log):
            if event["event"] in ("firing", "resolved"):
                slot = (event["at"] - bench.day.start) // MINUTE_MS - 1
                fired[event["rule"]][slot:, bench.day.roster.index(event["entity"])] = (
                    event["event"] == "firing"
                )
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
    their = vmalert.median(theirs)
    print(f"live       vmalert   {_ms(their)}; median of {len(theirs) - 1} evaluations")
    ticks, feeds = our_evaluations(bench)
    our = vmalert.median(ticks)
    print(f"           Robovitals{_ms(our)}; median of {len(ticks) - 1} ticks, {_load()}")
    print(f"           and to take in the minute before: {_ms(vmalert.median(feeds)).strip()}")
    kept = judged("live", their.wall_s / our.wall_s, HOLD_LIVE, GOAL_LIVE)
    print(f"           by CPU {their.cpu_s / our.cpu_s:,.1f} times")
    return kept


def our_evaluations(bench: Bench) -> tuple[list[Cost], list[Cost]]:
    """What each tick of the day's last minutes took, and taking in what came since the one before.

    The first tick looks at what came before it, too, and is not counted either.
    """
    first = bench.day.end - bench.evaluations * MINUTE_MS
    engine = Engine(bench.rules, bench.day.roster)
    engine.restore(Snapshot({group.name: first for group in bench.rules.groups}))
    engine.listened(bench.day.start, bench.day.end + MINUTE_MS)
    ticks: list[Cost] = []
    feeds: list[Cost] = []
    for at in range(bench.day.start, first, _PORTION_MS):
        engine.feed_portion(bench.day.portion(at, min(at + _PORTION_MS, first)))
        engine.tick(at)
    due, fed = first + MINUTE_MS, Cost(0, 0)
    for batch in bench.day.batches(first):
        if batch.committed_at > due + semantics.DELAY_MS:
            ticks.append(_cost(partial(engine.tick, due + semantics.DELAY_MS)))
            feeds.append(fed)
            due, fed = due + MINUTE_MS, Cost(0, 0)
        fed += _cost(partial(engine.feed, batch))
    return ticks, feeds


def _cost(work: Callable[[], object]) -> Cost:
    began, used = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - began, time.process_time() - used)


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


def _ms(cost: Cost) -> str:
    return f"{cost.wall_s * 1e3:10.2f} ms, {cost.cpu_s * 1e3:10.2f} ms CPU"


def _load() -> str:
    return f"load average {os.getloadavg()[0]:.2f}"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--robots", type=int, default=10_000)
    parser.add_argument("--minutes", type=int, default=1_440, help="of the day")
    parser.add_argument("--anew", type=float, default=0.01, help="share of robots that begin a new epoch")
    parser.add_argument("--evaluations", type=int, default=11, help="live ones; the first is not counted")
    parser.add_argument("--folder", type=Path, help="for the temporary files")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
