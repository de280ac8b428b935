"""A signal's life, line by line."""

import numpy as np
import pytest

from rules.conditions import FALSE, TRUE, UNKNOWN
from rules.lifecycle import (
    CODE,
    KEEP,
    NEVER_ENDING,
    NEXT,
    OUTSIDE,
    STATES,
    State,
    meanings,
    next_change,
    step,
)
from rules.rule import MissingData

Life = list[tuple[int, str, str]]
SAID = {"T": TRUE, "F": FALSE, "?": UNKNOWN}


def live(story: str, *, for_: int = 0, keep: int = 0, missing: MissingData = "keep_last_state") -> str:
    """Tells one signal truths (T, F, ?, or o for outside), one a second; answers its states."""
    state = np.array([CODE[State.INACTIVE]], dtype=np.int8)
    since = np.zeros(1, dtype=np.int64)
    told = ""
    for at, truth in enumerate(story):
        said = OUTSIDE if truth == "o" else meanings(missing)[SAID[truth]]
        change = step(state, since, np.array([said], dtype=np.int8), at, np.array([for_]), np.array([keep]))
        state[change.signal], since[change.signal] = change.after, change.since
        told += STATES[state[0]].name[:3].lower() + " "
    return told.strip()


@pytest.mark.parametrize(
    ("story", "settings", "states"),
    [
        ("FTTF", {}, "ina fir fir res"),
        ("FTTF", {"for_": 2}, "ina pen pen ina"),
        ("TTTF", {"for_": 2}, "pen pen fir res"),
        ("TFFFT", {"keep": 2}, "fir rec rec res fir"),
        ("TFTFFF", {"keep": 2}, "fir rec fir rec rec res"),
        ("T?F", {}, "fir fir res"),
        ("T???TT", {"for_": 4}, "pen pen pen pen fir fir"),
        ("T?TT", {"for_": 2, "missing": "resolve"}, "pen ina pen pen"),
        ("???F", {"for_": 2, "missing": "fire"}, "pen pen fir res"),
        ("?FT?F", {"missing": "unknown"}, "unk ina fir fir res"),
        ("T?T", {"for_": 1, "missing": "unknown"}, "pen unk pen"),
        ("To", {}, "fir res"),
        ("To", {"for_": 1}, "pen ina"),
        ("TFo", {"keep": 9}, "fir rec res"),
        ("TFFT", {}, "fir res res fir"),
    ],
)
def test_stories(story: str, settings: dict[str, int], states: str) -> None:
    """What becomes of a signal, truth by truth."""
    assert live(story, **settings) == states  # type: ignore[arg-type]  # the table mixes kinds of settings


def test_since_is_when_the_condition_began_to_hold() -> None:
    """Firing keeps the time at which it became pending."""
    pending = np.array([CODE[State.PENDING]], dtype=np.int8)
    said = np.array([meanings("resolve")[TRUE]], dtype=np.int8)
    change = step(pending, np.array([3]), said, 9, np.array([5]), np.array([0]))
    assert (STATES[change.after[0]], change.since.tolist()) == (State.FIRING, [3])


@pytest.mark.parametrize(
    ("states", "at"),
    [
        ([State.FIRING, State.RESOLVED], NEVER_ENDING),
        ([State.PENDING, State.FIRING], 3 + 5),
        ([State.PENDING, State.RECOVERING], 3 + 4),
        ([], NEVER_ENDING),
    ],
)
def test_when_time_alone_changes_something(states: list[State], at: int) -> None:
    """`for` and `keep_firing_for` end, though nothing else is said than before: here 5 and 4 after 3."""
    codes = np.array([CODE[state] for state in states], dtype=np.int8)
    since, for_ms, keep_ms = (np.full(len(states), ms) for ms in (3, 5, 4))
    assert next_change(codes, since, for_ms, keep_ms) == at


def test_the_table_is_whole() -> None:
    """Every state is in it, and to keep is to change nothing."""
    assert set(NEXT) == set(STATES)
    for state in STATES:
        here = np.array([CODE[state]], dtype=np.int8)
        said = np.array([KEEP], dtype=np.int8)
        assert not step(here, np.array([0]), said, 10**9, np.array([0]), np.array([0])).signal.size
