"""Receipts: soon where an agent waits for them, rarely otherwise."""

from collections import Counter

from collector.receipts import EVERY_MS, Receipt, Receipts

NOW = 1_000_000


def due(receipts: Receipts, now: int) -> list[Receipt]:
    """The receipts to send now."""
    return list(receipts.due(now))


def test_hello_is_answered_at_once_and_so_are_the_first_samples_after_it() -> None:
    """The agent learns where it stands, and that its samples arrive; then it is quiet for a while."""
    receipts = Receipts()
    receipts.hello("r1", "e1", 7)
    assert due(receipts, NOW) == [Receipt("r1", "e1", 7)]
    receipts.stored("r1", "e1", 8, 1)
    assert due(receipts, NOW + 1) == [Receipt("r1", "e1", 8)]
    receipts.stored("r1", "e1", 9, 1)
    assert due(receipts, NOW + 2) == []
    assert due(receipts, NOW + EVERY_MS + 1) == [Receipt("r1", "e1", 9)]


def test_backlog_is_answered_every_so_many_samples() -> None:
    """A backlog flows on because of receipts."""
    receipts = Receipts(every_samples=500)
    receipts.hello("r1", "e1", 0)
    receipts.stored("r1", "e1", 200, 200)
    assert due(receipts, NOW) == [Receipt("r1", "e1", 200)]
    receipts.stored("r1", "e1", 600, 400)
    assert due(receipts, NOW) == []
    receipts.stored("r1", "e1", 700, 100)
    assert due(receipts, NOW) == [Receipt("r1", "e1", 700)]


def test_end_of_a_backlog_that_live_samples_overtook_is_answered_at_once() -> None:
    """Else the agent would keep, for minutes, what is stored long since."""
    receipts = Receipts()
    receipts.hello("r1", "e1", 10)
    receipts.stored("r1", "e1", 10, 1)  # sample 201, above the gap
    assert due(receipts, NOW) == [Receipt("r1", "e1", 10)]
    receipts.stored("r1", "e1", 201, 190)
    assert due(receipts, NOW + 1) == [Receipt("r1", "e1", 201)]


def test_nothing_new_is_told_to_nobody() -> None:
    """Without samples there are no receipts, however long it takes."""
    receipts = Receipts()
    receipts.hello("r1", "e1", 3)
    assert due(receipts, NOW) == [Receipt("r1", "e1", 3)]
    assert due(receipts, NOW + 10**9) == []


def test_robot_without_a_hello_is_answered_at_once() -> None:
    """Samples of an epoch that was never greeted: the agent is waiting for us."""
    receipts = Receipts()
    receipts.stored("r1", "e1", 4, 4)
    assert due(receipts, NOW) == [Receipt("r1", "e1", 4)]
    receipts.stored("r1", "e2", 1, 1)
    assert due(receipts, NOW + 1) == [Receipt("r1", "e2", 1)]


def test_duplicates_are_answered_too() -> None:
    """An agent that sends again has missed a receipt."""
    receipts = Receipts(every_ms=1_000)
    receipts.stored("r1", "e1", 4, 4)
    due(receipts, NOW)
    receipts.stored("r1", "e1", 4, 4)
    assert due(receipts, NOW + 1_000) == [Receipt("r1", "e1", 4)]


def test_lost_connection_forgets_what_was_owed() -> None:
    """Whoever comes back asks anew."""
    receipts = Receipts()
    receipts.stored("r1", "e1", 4, 4)
    receipts.forget()
    assert due(receipts, NOW) == []


def test_a_fleet_that_came_together_is_not_answered_together() -> None:
    """Each robot has a wait of its own, never longer than the longest."""
    receipts = Receipts()
    robots = [f"r{number}" for number in range(1_000)]
    for robot in robots:
        receipts.hello(robot, "e1", 0)
    assert len(due(receipts, NOW)) == 1_000
    told: dict[str, int] = {}
    for seconds in range(1, 200):
        for robot in robots:
            receipts.stored(robot, "e1", seconds, 1)
        for receipt in due(receipts, NOW + 1_000 * seconds):
            told.setdefault(receipt.robot, seconds) if seconds > 1 else None
    assert len(told) == 1_000
    assert max(told.values()) <= EVERY_MS // 1_000 + 1
    by_second = Counter(told.values())
    assert max(by_second.values()) < 50


def test_more_than_a_round_can_send_waits_for_the_next() -> None:
    """In the order in which they asked."""
    receipts = Receipts()
    for number in range(5):
        receipts.hello(f"r{number}", "e1", number)
    assert [receipt.robot for receipt in receipts.due(NOW, at_most=3)] == ["r0", "r1", "r2"]
    assert [receipt.robot for receipt in receipts.due(NOW, at_most=3)] == ["r3", "r4"]
