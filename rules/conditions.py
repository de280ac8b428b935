"""Conditions of all entities at once, in Kleene's three values: what is unknown is neither true nor false."""

from collections.abc import Callable
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from rules.columns import Floats
from rules.measures import Measured
from rules.rule import AllOf, AnyOf, Comparison, Condition, Leaf, Not, Silent

FALSE, UNKNOWN, TRUE = 0, 1, 2  # so that `and` is the least of them, `or` the greatest
Truth = NDArray[np.int8]


def evaluate(condition: Condition, leaf: Callable[[Leaf], Truth]) -> Truth:
    """The truth of a condition, given that of its leaves."""
    match condition:
        case AllOf(conditions):
            return reduce(np.minimum, [evaluate(inner, leaf) for inner in conditions])
        case AnyOf(conditions):
            return reduce(np.maximum, [evaluate(inner, leaf) for inner in conditions])
        case Not(inner):
            return negated(evaluate(inner, leaf))
        case _:
            return leaf(condition)


def negated(truth: Truth) -> Truth:
    """Not."""
    return TRUE - truth


def either(one: Truth, other: Truth) -> Truth:
    """Or."""
    return np.maximum(one, other)


def held(leaf: Leaf, measured: Measured) -> Truth:
    """The truth of a leaf.

    What is known in part can only grow: it may be above or at least something already, and is else held to be
    not; whether it stays below something is unknown until all of it is known.
    """
    numbers = measured.numbers
    if isinstance(leaf, Silent):
        return _three_valued(numbers, numbers >= leaf.over_ms / 1_000)
    truth = _three_valued(numbers, holds(leaf.comparison, numbers))
    if leaf.comparison.operator not in ("above", "at least") and measured.covered is not None:
        truth[~measured.covered] = UNKNOWN
    return truth


def holds(comparison: Comparison, numbers: Floats) -> NDArray[np.bool_]:
    """Of which numbers a comparison is true."""
    low, *high = comparison.thresholds
    match comparison.operator:
        case "above":
            return numbers > low
        case "at least":
            return numbers >= low
        case "below":
            return numbers < low
        case "at most":
            return numbers <= low
        case "between":
            return (numbers >= low) & (numbers <= high[0])


def _three_valued(numbers: Floats, true: NDArray[np.bool_]) -> Truth:
    truth: Truth = true.view(np.int8) * np.int8(TRUE)
    truth[np.isnan(numbers)] = UNKNOWN
    return truth
