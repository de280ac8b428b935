"""A signal's life: inactive → pending → firing → recovering → resolved.

A signal is a state and the time since which it is in it (a firing one: since its condition began to hold),
and nothing else. `NEXT` says what becomes of every state; `step` applies it to whole arrays.

`resolved` is at rest like inactive, and stays until something else happens, so that an end is told once.
`unknown` is where `missing_data: unknown` puts a signal that cannot be judged and was not firing; one that
fires goes on, since missing data is no reason to end it. A robot that no longer passes `where` is outside:
its signal ends at once.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.conditions import FALSE, TRUE, UNKNOWN
from rules.rule import MissingData


class State(StrEnum):
    """Where a signal is in its life."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


class Input(StrEnum):
    """What an evaluation says to a signal."""

    FALSE = "false"  # the condition does not hold; of a firing one: it is over
    TRUE = "true"
    KEEP = "keep"  # nothing
    UNKNOWN = "unknown"
    OUTSIDE = "outside"  # the rule is not about this robot


# By state and input: what comes next, and what comes next once the state has lasted long enough. That is
# `for` where the condition has yet to last, `keep_firing_for` where its end has; either may be nothing.
NEXT: Final[dict[State, dict[Input, tuple[State, State]]]] = {
    State.INACTIVE: {
        Input.TRUE: (State.PENDING, State.FIRING),
        Input.UNKNOWN: (State.UNKNOWN, State.UNKNOWN),
    },
    State.UNKNOWN: {
        Input.FALSE: (State.INACTIVE, State.INACTIVE),
        Input.TRUE: (State.PENDING, State.FIRING),
        Input.OUTSIDE: (State.INACTIVE, State.INACTIVE),
    },
    State.RESOLVED: {
        Input.TRUE: (State.PENDING, State.FIRING),
        Input.UNKNOWN: (State.UNKNOWN, State.UNKNOWN),
    },
    State.PENDING: {
        Input.FALSE: (State.INACTIVE, State.INACTIVE),
        Input.TRUE: (State.PENDING, State.FIRING),
        Input.UNKNOWN: (State.UNKNOWN, State.UNKNOWN),
        Input.OUTSIDE: (State.INACTIVE, State.INACTIVE),
    },
    State.FIRING: {
        Input.FALSE: (State.RECOVERING, State.RESOLVED),
        Input.OUTSIDE: (State.RESOLVED, State.RESOLVED),
    },
    State.RECOVERING: {
        Input.FALSE: (State.RECOVERING, State.RESOLVED),
        Input.TRUE: (State.FIRING, State.FIRING),
        Input.OUTSIDE: (State.RESOLVED, State.RESOLVED),
    },
}  # what is not in the table changes nothing

STATES: Final = tuple(State)
CODE: Final = {state: code for code, state in enumerate(STATES)}
ACTIVE: Final = np.array([state in (State.PENDING, State.FIRING, State.RECOVERING) for state in STATES])
LASTING: Final = np.array([state in (State.FIRING, State.RECOVERING) for state in STATES])
_INPUT: Final = {input_: code for code, input_ in enumerate(Input)}
KEEP: Final = _INPUT[Input.KEEP]
OUTSIDE: Final = _INPUT[Input.OUTSIDE]
BEGINS: Final = _INPUT[Input.TRUE]  # these two alone wake a signal that is inactive
UNKNOWN_SAID: Final = _INPUT[Input.UNKNOWN]
_TIMED: Final = np.array([state in (State.PENDING, State.RECOVERING) for state in STATES])
_MISSING: Final[dict[MissingData, Input]] = {
    "keep_last_state": Input.KEEP,
    "resolve": Input.FALSE,
    "fire": Input.TRUE,
    "unknown": Input.UNKNOWN,
}

NEVER_ENDING: Final = int(np.iinfo(np.int64).max)
AT_REST: Final = np.array([state in (State.INACTIVE, State.RESOLVED) for state in STATES])

Codes = NDArray[np.int8]
Times = NDArray[np.int64]
Rows = NDArray[np.intp]


def _table() -> Codes:
    """[state, input, has lasted] → state."""
    table = np.empty((len(STATES), len(Input), 2), dtype=np.int8)
    for state, code in CODE.items():
        table[code] = code
        for input_, following in NEXT[state].items():
            table[code, _INPUT[input_]] = [CODE[next_] for next_ in following]
    return table


_TABLE: Final = _table()
_QUIET: Final = (np.arange(len(STATES))[:, None, None] == _TABLE).all(axis=2)  # whatever time it is


@dataclass(frozen=True, slots=True)
class Change:
    """Signals that change: which, and what they are from now on."""

    signal: Rows
    before: Codes
    after: Codes
    since: Times


def meanings(missing_data: MissingData) -> Codes:
    """What each truth says to the signals of a rule."""
    meaning = np.empty(3, dtype=np.int8)
    meaning[FALSE] = _INPUT[Input.FALSE]
    meaning[TRUE] = _INPUT[Input.TRUE]
    meaning[UNKNOWN] = _INPUT[_MISSING[missing_data]]
    return meaning


def step(state: Codes, since: Times, said: Codes, at: int, for_ms: Times, keep_ms: Times) -> Change:
    """Which signals change, and how, where `said` is said to them at time `at`. All arrays are [signal]."""
    signal = np.flatnonzero(~_QUIET[state, said])
    old, began = state[signal], since[signal]
    limit = np.where(LASTING[old], keep_ms[signal], for_ms[signal])
    lasted = np.where(_TIMED[old], at - began, 0) >= limit
    new = _TABLE[old, said[signal], lasted.astype(np.intp)]
    changed = np.flatnonzero(new != old)
    goes_on = (old == CODE[State.PENDING]) & (new == CODE[State.FIRING])
    began = np.where(goes_on, began, at)
    return Change(signal[changed], old[changed], new[changed], began[changed])


def next_change(state: Codes, since: Times, for_ms: Times, keep_ms: Times) -> int:
    """The first time at which a signal may change though nothing else is said to it than before."""
    timed = _TIMED[state]
    if not timed.any():
        return NEVER_ENDING
    limit = np.where(LASTING[state], keep_ms, for_ms)
    return int((since + limit)[timed].min())
