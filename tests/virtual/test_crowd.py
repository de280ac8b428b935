"""Ten thousand robots that come back at once do not come as one: connects, hellos and backlogs are spread."""

from agent.backoff import CAP_MS, FIRST_MS, Backoff
from agent.outbox import Settings
from collector.receipts import EVERY_MS
from tests.virtual.crowd import Crowd

COUNT = 10_000
MINUTE = 60_000
HOUR = 60 * MINUTE
UNEVEN = 1.3  # of what an even spread would bring in its busiest second


def evenly(over_ms: int) -> float:
    """At most so many a second, where all robots come once within so long."""
    return UNEVEN * COUNT * 1000 / over_ms


def test_a_broker_that_blinked() -> None:
    """Every robot loses its connection in the same instant, and finds the broker there again."""
    crowd = Crowd(COUNT, held=5)
    crowd.start_collector("a")
    crowd.lose_broker(for_ms=1)
    crowd.run(10 * MINUTE)
    assert crowd.delivered
    assert crowd.tally.busiest("attempts") <= evenly(FIRST_MS)
    assert crowd.tally.busiest("hellos") <= evenly(FIRST_MS)
    assert crowd.tally.busiest("messages") <= evenly(FIRST_MS)


def test_a_broker_that_was_away_for_long() -> None:
    """Also once all waits have grown to the cap, nobody knocks in step, before the return or after it."""
    crowd = Crowd(COUNT, held=5)
    crowd.start_collector("a")
    crowd.lose_broker(for_ms=30 * MINUTE)
    crowd.run(HOUR)
    assert crowd.delivered
    # a wait is anything up to the cap, the half of it on average
    assert crowd.tally.busiest("attempts", since_s=5 * 60) <= 2 * evenly(CAP_MS)
    assert crowd.tally.busiest("hellos") <= 2 * evenly(CAP_MS)
    assert crowd.tally.busiest("messages") <= 2 * evenly(CAP_MS)
    assert crowd.tally.attempts.total() <= COUNT * 2.2 * 31


def test_a_collector_that_restarted() -> None:
    """All robots see it in one instant; what they send, and send again, comes spread."""
    crowd = Crowd(COUNT, held=5)
    crowd.run(MINUTE)
    for session in ("a", "b"):
        crowd.start_collector(session)
        crowd.run(8_000)
    crowd.run(10 * MINUTE)
    assert crowd.delivered
    assert crowd.tally.busiest("messages") <= evenly(Settings().fleet_spread_ms)


def test_a_collector_that_gives_no_receipts() -> None:
    """Repeats are spread, grow rare, and stay spread at the cap of their delay."""
    settings = Settings()
    crowd = Crowd(COUNT, held=5, answers=False)
    crowd.start_collector("a")
    crowd.run(8 * HOUR)
    spread = settings.resend_after_ms * settings.jitter_fraction
    assert crowd.tally.busiest("messages", since_s=60) <= evenly(int(spread))
    at_the_cap = settings.resend_at_most_ms * settings.jitter_fraction
    assert crowd.tally.busiest("messages", since_s=3 * 3600) <= evenly(int(at_the_cap))
    rounds = crowd.tally.messages.total() / COUNT
    assert 8 <= rounds <= 12  # after 5, 15, 35, 75 minutes, and then every hour


def test_a_collector_that_was_away_for_a_day() -> None:
    """Every robot holds a day's samples; they come as fast as they are taken in, and none comes twice."""
    day, a_second = 2_880, 15_000
    crowd = Crowd(2_000, held=day, samples_per_s=a_second)
    crowd.run(MINUTE)
    crowd.start_collector("a")
    crowd.run(3 * HOUR)
    assert crowd.delivered
    assert crowd.tally.duplicates == 0
    assert crowd.tally.most_queued / a_second * 1000 <= Settings().resend_after_ms / 2
    assert crowd.now - MINUTE <= 1.1 * 2_000 * day / a_second * 1000 + EVERY_MS  # for the last receipts


def test_two_agents_with_one_client_id_do_not_hammer_the_broker() -> None:
    """Each throws the other out as soon as it comes: for a day that stays a few times a minute."""
    chances = iter([n * 0.618_033_988_749 % 1 for n in range(100_000)])
    backoffs = [Backoff(), Backoff()]
    holder, since, connects, now = 0, 0, 0, 0
    while now < 24 * HOUR:
        thrown_out = holder
        backoffs[thrown_out] = backoffs[thrown_out].lost(now - since)
        holder, since, connects = 1 - thrown_out, now, connects + 1
        now += backoffs[thrown_out].delay(next(chances))
    assert connects <= 24 * 60 * 3
