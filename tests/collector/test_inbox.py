"""The inbox between two threads: bounded, in order, nothing dropped."""

import threading

from collector.inbox import ROUND_MESSAGES, Arrived, Connected, Disconnected, Inbox, Incoming


def arrived(number: int, size: int = 10) -> Arrived:
    """A message that came at `number`."""
    return Arrived(f"t/{number}", b"x" * size, number, False)


def test_everything_comes_out_in_order() -> None:
    """Messages and connections alike, over many batches and rounds."""
    inbox = Inbox()
    wanted: list[Incoming] = [Connected(0), *(arrived(number) for number in range(1, 50)), Disconnected(50)]
    for at in range(0, len(wanted), 7):
        assert inbox.put(wanted[at : at + 7])
    assert inbox.take(0) == wanted
    assert inbox.take(0) == []


def test_no_room_by_count_nor_by_bytes_until_something_is_taken() -> None:
    """The bound holds but for the last batch, which is never torn."""
    for inbox in (Inbox(max_messages=3), Inbox(max_bytes=30)):
        assert inbox.has_room()
        inbox.put([arrived(number) for number in range(5)])
        assert not inbox.has_room()
        inbox.take(0)
        assert inbox.has_room()


def test_who_waits_for_room_is_woken() -> None:
    """The link sleeps while the inbox is full, and goes on when a round begins."""
    inbox = Inbox(max_messages=1)
    inbox.put([arrived(1)])
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(inbox.has_room(30)))
    waiting.start()
    inbox.take(0)
    waiting.join(30)
    assert found == [True]


def test_a_round_is_not_endless() -> None:
    """What is waiting beyond one round stays for the next."""
    inbox = Inbox()
    for number in range(3):
        inbox.put([arrived(number)] * ROUND_MESSAGES)
    assert [len(inbox.take(30)) for _ in range(3)] == [ROUND_MESSAGES] * 3


def test_what_is_in_hand_still_counts_as_waiting() -> None:
    """It is not committed before the next round begins: depth and age say so."""
    inbox = Inbox()
    inbox.put([arrived(7), arrived(8)])
    inbox.take(0)
    inbox.put([arrived(9)])
    assert (inbox.depth, inbox.oldest_at) == (3, 7)
    inbox.take(0)
    assert (inbox.depth, inbox.oldest_at) == (1, 9)
    inbox.take(0)
    assert (inbox.depth, inbox.oldest_at) == (0, None)


def test_closed_it_takes_nothing_in_and_gives_everything_out() -> None:
    """So that what was acknowledged is committed, and nothing else is."""
    inbox = Inbox(max_messages=1)
    inbox.put([arrived(1)])
    inbox.close()
    assert not inbox.put([arrived(2)])
    assert inbox.has_room()  # nobody waits for it any more
    assert not inbox.exhausted
    assert inbox.take(30) == [arrived(1)]
    assert inbox.exhausted
