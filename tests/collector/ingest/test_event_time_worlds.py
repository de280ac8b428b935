"""Event times against the truth: simulated robots with every kind of bad clock, whose true time is known."""

from itertools import pairwise

from hypothesis import given, settings

from collector.event_time import LEAD_MS, EventTime, event_times
from tests.collector.ingest.worlds import HONEST, LIARS, LYING_SENDER, Delivery, Taken, World

Placed = tuple[Taken, EventTime, Delivery]


def placed(world: World) -> list[Placed]:
    """Every sample of a world with its event time, in the order of their numbers."""
    return [
        (taken, time, delivery)
        for delivery in world.deliveries()
        for taken, time in zip(
            delivery.taken, event_times(delivery.message, delivery.received_at), strict=True
        )
    ]


@given(LYING_SENDER)
@settings(max_examples=200)
def test_a_boot_that_can_be_related_is_placed_rightly(world: World) -> None:
    """1970, a day's jump, a zone taken for UTC, claimed or not: off by the transit at most, and a little."""
    relatable = world.relatable()
    for taken, time, delivery in placed(world):
        if taken.boot.name in relatable:
            assert abs(time.t - taken.true_at) <= delivery.transit + LEAD_MS


@given(HONEST)
@settings(max_examples=200)
def test_order_and_spacing_survive_where_the_time_cannot_be_known(world: World) -> None:
    """Boots that never knew the time lie one after the other, across messages, each with its own spacing."""
    slack = 2 * LEAD_MS + max(world.transits)
    for (taken, time, _), (after, time_after, _) in pairwise(placed(world)):
        assert time_after.t >= time.t - slack
        if taken.boot is after.boot:
            apart = after.true_at - taken.true_at
            assert abs(time_after.t - time.t - apart) <= slack


@given(LIARS)
@settings(max_examples=200)
def test_nothing_is_lost_or_in_the_future(world: World) -> None:
    """Whatever the clocks claim, and however long a message took: every sample has a time that can be."""
    found = placed(world)
    assert len(found) == len(world.samples())
    for taken, time, delivery in found:
        assert 0 <= time.t <= delivery.received_at + (0 if time.corrected else LEAD_MS)
        assert time.corrected or time.t == taken.sample.t


@given(HONEST)
@settings(max_examples=200)
def test_what_is_not_the_robots_own_time_is_marked(world: World) -> None:
    """A clock that is right all the time is never corrected; one that is not synchronized always is."""
    for taken, time, _ in placed(world):
        if not taken.sample.synced:
            assert time.corrected
        elif all(phase.knows for phase in taken.boot.phases):
            assert not time.corrected
