"""A backtest: rules over a recording, by the engine that runs live.

The recording is read in a thread of its own, ahead of the engines; several rule sets share one reading. An
engine gets the samples of some hours, and then evaluates all that is due in them in one pass.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

import numpy as np

from rules.batch import Portion
from rules.engine import Engine
from rules.evaluation import Evaluation
from rules.recording import Recording, part
from rules.roster import Roster
from rules.rule import RuleSet

BLOCK_MS: Final = 6 * 3_600_000
BLOCK_SAMPLES: Final = 131_072  # more at once are slower, and take more memory
_AHEAD: Final = 2  # portions
_T = TypeVar("_T")

Take = Callable[[int, Sequence[Evaluation]], None]  # which of the rule sets, and what it found
Progress = Callable[[int, int], None]  # samples done, and the time they have come to


@dataclass(frozen=True, slots=True)
class Plan:
    """What to go through, and as whom its robots are known."""

    recording: Recording
    roster: Roster
    eval_delay_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Span:
    """From the first commit to the last evaluation, and how long reading held it up."""

    begin: int
    end: int
    samples: int
    waited_s: float


def run(plan: Plan, rule_sets: Sequence[RuleSet], take: Take, progress: Progress) -> Span:
    """Evaluates each rule set until the collector listened no more. Raises `RecordingError`."""
    engines = [
        Engine(rules, plan.roster, eval_delay_ms=plan.eval_delay_ms, readings=False) for rules in rule_sets
    ]
    for engine in engines:
        for since, until in plan.recording.header.listening:
            engine.listened(since, until)
    begin, end, samples, waited_s, pending = 0, 0, 0, 0.0, 0
    clock = time.perf_counter()
    for portion in ahead(_portions(plan, rule_sets), _AHEAD):
        waited_s += time.perf_counter() - clock
        for block in blocks(portion):
            first, last = int(block.committed_at[0]), int(block.committed_at[-1])
            begin = begin if samples else first
            if pending and (first // BLOCK_MS > end // BLOCK_MS or pending + len(block) > BLOCK_SAMPLES):
                _evaluate(engines, first - 1, take)
                pending = 0
            for engine in engines:
                engine.feed_portion(block)
            end, pending, samples = last, pending + len(block), samples + len(block)
            progress(samples, last)
        clock = time.perf_counter()
    end = max([end, *(until for _, until in plan.recording.header.listening)])
    _evaluate(engines, end, take)
    return Span(begin, end, samples, waited_s)


def ahead(items: Iterator[_T], depth: int) -> Iterator[_T]:
    """The items (none of them None), each taken by another thread before it is asked for; `depth` wait."""
    with ThreadPoolExecutor(1, "reading") as thread:
        asked = deque(thread.submit(next, items, None) for _ in range(depth))
        while (item := asked.popleft().result()) is not None:
            asked.append(thread.submit(next, items, None))
            yield item


def _portions(plan: Plan, rule_sets: Sequence[RuleSet]) -> Iterator[Portion]:
    metrics = tuple(dict.fromkeys(metric for rules in rule_sets for metric in rules.metrics))
    return plan.recording.portions(plan.roster, metrics)


def blocks(portion: Portion) -> Iterator[Portion]:
    """Cut where a new block of time begins."""
    blocks = portion.committed_at // BLOCK_MS
    bounds = [0, *(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(portion)]
    for start, end in pairwise(bounds):
        if start < end:
            yield portion if end - start == len(portion) else part(portion, slice(start, end))


def _evaluate(engines: Sequence[Engine], now: int, take: Take) -> None:
    for number, engine in enumerate(engines):
        take(number, engine.tick(now))
