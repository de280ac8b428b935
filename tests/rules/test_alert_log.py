"""The alert log: which lines an evaluation is, byte for byte."""

import pytest

from rules.alert_log import lines
from rules.evaluation import By, Entity, Evaluation, Event, Suppression
from rules.lifecycle import State

AT = 1_790_000_060_000
ROBOT = Entity("robot", "r1")


def event(before: State, after: State, value: float | None = 0.1 + 0.2) -> Event:
    """A change of one signal."""
    return Event(AT, "Fault", ROBOT, before, after, AT - 60_000, value, 5, ())


def logged(*events: Event, suppressions: tuple[Suppression, ...] = ()) -> list[str]:
    """The lines of an evaluation of these."""
    return list(lines(Evaluation(AT, "g", events, (), (), suppressions)))


def test_an_alert_begins_and_ends() -> None:
    """Keys are sorted, nothing is spaced, numbers are floats as Python writes them."""
    assert logged(event(State.PENDING, State.FIRING), event(State.RECOVERING, State.RESOLVED, None)) == [
        '{"at":1790000060000,"entity":"r1","event":"firing","kind":"robot","rule":"Fault",'
        '"since":1790000000000,"threshold":5.0,"value":0.30000000000000004}',
        '{"at":1790000060000,"entity":"r1","event":"resolved","kind":"robot","rule":"Fault",'
        '"since":1790000000000,"threshold":5.0,"value":null}',
    ]


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (State.INACTIVE, State.PENDING, False),
        (State.INACTIVE, State.FIRING, True),
        (State.UNKNOWN, State.FIRING, True),
        (State.FIRING, State.RECOVERING, False),
        (State.RECOVERING, State.FIRING, False),
        (State.FIRING, State.RESOLVED, True),
        (State.RESOLVED, State.UNKNOWN, False),
        (State.PENDING, State.INACTIVE, False),
    ],
)
def test_only_begins_and_ends_are_lines(before: State, after: State, line: bool) -> None:
    """What waits, recovers, or was never an alert is none."""
    assert len(logged(event(before, after))) == line


def test_suppressions_come_after_the_events() -> None:
    """With what suppresses; text that is not ASCII is escaped, so that any id can be written."""
    by = By("inhibited", "SiteSilent", Entity("site", "北店"))
    found = logged(
        event(State.INACTIVE, State.FIRING),
        suppressions=(Suppression(AT, "Fault", ROBOT, by), Suppression(AT, "Other", ROBOT, None)),
    )
    assert found[1:] == [
        '{"at":1790000060000,"by":{"entity":"\\u5317\\u5e97","kind":"site","reason":"inhibited",'
        '"rule":"SiteSilent"},"entity":"r1","event":"suppressed","kind":"robot","rule":"Fault"}',
        '{"at":1790000060000,"entity":"r1","event":"unsuppressed","kind":"robot","rule":"Other"}',
    ]


def test_nothing_is_no_line() -> None:
    """Most evaluations."""
    assert logged() == []
