"""Which entities a condition may hold for somewhere in a block, told without looking at every tick.

Levels only rise, so those at both ends of a block bound every window in it. The answer errs on one side: who
is left out is surely never judged true. Most robots are well, and are left out of most rules here.
"""

import numpy as np

from rules.block import Block, begins
from rules.columns import NEVER, Flags, Floats, Rows
from rules.conditions import holds
from rules.measures import View
from rules.needs import ROBOT, Window
from rules.rule import (
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    Gauge,
    Increase,
    Leaf,
    Not,
    Ratio,
    ShareOfRobots,
    Silent,
)

_LOWER = ("below", "at most")


def may_hold(condition: Condition, view: View) -> Flags:
    """[entity]: False where the condition is surely not true at any tick."""
    return _may(condition, view, wanted=True)


def _may(condition: Condition, view: View, *, wanted: bool) -> Flags:
    match condition:
        case AllOf(conditions) | AnyOf(conditions):
            parts = [_may(inner, view, wanted=wanted) for inner in conditions]
            together = np.logical_and if isinstance(condition, AllOf) is wanted else np.logical_or
            found: Flags = together.reduce(parts)
            return found
        case Not(inner):
            return _may(inner, view, wanted=not wanted)
        case _:
            return _leaf(condition, view) if wanted else _anyone(view)


def _leaf(leaf: Leaf, view: View) -> Flags:
    match leaf:
        case ShareOfRobots(inner, _, comparison) if not holds(comparison, np.zeros(1))[0]:
            return view.any(_may(inner, View(view.block, view.robots), wanted=True))
        case _ if view.starts is not None:
            return _anyone(view)
        case Compare(Increase(counters, over), comparison):
            return _increase(counters, over, comparison, view)
        case Compare(Ratio() as ratio, comparison):
            return _ratio(ratio, comparison, view)
        case Compare(Gauge(metric, reduce, over), comparison) if reduce != "last":
            window = Window(view.block.interval_ms, over, reduce, metric)
            return _between(comparison, *view.block.gauge_range(window))[view.robots]
        case Silent():
            return _silent(leaf, view)
    return _anyone(view)


def _anyone(view: View) -> Flags:
    count = len(view.rows) if view.starts is None else len(view.starts)
    return np.ones(count, dtype=np.bool_)


def _increase(counters: tuple[str, ...], over: int, comparison: Comparison, view: View) -> Flags:
    least, most = _range(counters, over, view)
    return _between(comparison, least, most)


def _between(comparison: Comparison, least: Floats, most: Floats) -> Flags:
    """Whether a number between these two may be as the comparison says."""
    if comparison.operator in _LOWER:
        return holds(comparison, least)
    if comparison.operator == "between":
        return (most >= comparison.thresholds[0]) & (least <= comparison.thresholds[1])
    return holds(comparison, most)


def _ratio(ratio: Ratio, comparison: Comparison, view: View) -> Flags:
    """Of `to` there must be enough; so much of it is `of` at least, or at most."""
    of_least, of_most = _range(ratio.of, ratio.over_ms, view)
    _, to_most = _range(ratio.to, ratio.over_ms, view)
    least = max(ratio.min_samples, 1)
    bound = comparison.thresholds[-1] if comparison.operator in _LOWER else comparison.thresholds[0]
    if comparison.operator in _LOWER:
        return (to_most >= least) & (of_least <= bound * to_most)
    return (to_most >= least) & (of_most >= bound * least)


def _range(counters: tuple[str, ...], over: int, view: View) -> tuple[Floats, Floats]:
    """[robot]: no window in the block has a lower, or a higher increase."""
    block = view.block
    step, rows = begins(block.ticks, block.interval_ms, over)
    least, most = np.zeros(len(view.rows)), np.zeros(len(view.rows))
    for counter in counters:
        first, last = block.level_then(counter, step, rows[[0, -1]], view.robots)
        before, after = block.ends(counter, view.robots)
        most += np.maximum(after - first, 0)
        least += np.maximum(before - last, 0)
    if len(counters) > 1:
        least = np.zeros_like(least)  # one that is not known any more is not counted
    return least, most


def _silent(silent: Silent, view: View) -> Flags:
    """By the wall clock: listening time is not longer."""
    block, rows = view.block, view.rows
    if silent.source == ROBOT:
        heard = block.heard(ROBOT, view.robots)
        found: Flags = ((block.ticks[:, None] - heard).max(axis=0) >= silent.over_ms) & (heard[-1] > NEVER)
        return found
    return _module_silent(silent, block, rows)


def _module_silent(silent: Silent, block: Block, rows: Rows) -> Flags:
    """While all samples say that the module is up, it is as silent as it was before the first of them."""
    strip, history = block.strip, block.history
    up = history.needs.gauges[f"{silent.source}.up"]
    down = np.zeros(history.capacity, dtype=np.bool_)
    down[strip.samples.row[strip.samples.gauge(up) != 1]] = True
    robot = strip.heard_before[history.sources[ROBOT]]
    module = strip.heard_before[history.sources[silent.source]]
    found: Flags = (down | (robot - module >= silent.over_ms))[rows]
    return found
