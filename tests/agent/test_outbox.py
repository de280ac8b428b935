"""The outbox: what is published, published again, and forgotten."""

from itertools import pairwise

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.outbox import Outbox, Publish, Settings, State

SETTINGS = Settings(max_batch=10, max_in_flight=30, backlog_spread_ms=0)


def flowing(held: int = 0, settings: Settings = SETTINGS) -> Outbox:
    """An outbox with so many samples, connected to a listening collector that has stored none, at time 0."""
    outbox = Outbox(1, 1 + held, settings)
    outbox.connected(0)
    outbox.collector(True, "a", 0)
    outbox.receipt(0, 0)
    return outbox


def published(outbox: Outbox, now_ms: int) -> list[Publish]:
    """All that it publishes at one instant."""
    found = []
    while (publish := outbox.next_publish(now_ms)) is not None:
        found.append(publish)
    return found


def test_holds_while_the_collector_is_unknown_or_offline() -> None:
    """Connected or not, nothing is published before a collector listens, nor after it stopped to."""
    outbox = Outbox(1, 4, SETTINGS)
    assert published(outbox, 0) == []
    outbox.connected(0)
    assert (outbox.state, published(outbox, 10**9)) == (State.HOLDING, [])
    outbox.collector(True, "a", 10**9)
    outbox.collector(False, "a", 10**9)
    assert (outbox.state, published(outbox, 2 * 10**9), outbox.wake_at(0)) == (State.HOLDING, [], None)


def test_waits_for_the_receipt_that_answers_hello() -> None:
    """What the collector has already is not sent again."""
    outbox = Outbox(1, 6, SETTINGS)
    outbox.connected(0)
    outbox.collector(True, "a", 0)
    assert (outbox.state, published(outbox, 5)) == (State.GREETING, [])
    assert outbox.receipt(3, 10) == 4
    assert published(outbox, 10) == [Publish(4, 2)]


def test_takes_a_receipt_that_comes_before_the_collectors_status() -> None:
    """The two come on different topics, in any order."""
    outbox = Outbox(1, 3, SETTINGS)
    outbox.connected(0)
    assert outbox.receipt(1, 5) == 2
    outbox.collector(True, "a", 6)
    assert published(outbox, 6) == [Publish(2, 1)]


def test_loses_patience_with_a_silent_collector() -> None:
    """Without a receipt, everything held is sent once the patience is over."""
    outbox = Outbox(1, 3, SETTINGS)
    outbox.connected(0)
    outbox.collector(True, "a", 0)
    assert outbox.wake_at(1) == SETTINGS.hello_patience_ms
    assert published(outbox, SETTINGS.hello_patience_ms) == [Publish(1, 2)]


def test_publishes_live_samples_between_those_of_the_backlog() -> None:
    """The backlog goes oldest first at its pace; a live sample waits for none of it."""
    outbox = flowing(25)
    assert published(outbox, 0) == [Publish(1, 10)]
    outbox.take()
    assert published(outbox, 1) == [Publish(26, 1)]
    assert outbox.wake_at(1) == SETTINGS.backlog_interval_ms
    assert published(outbox, 200) == [Publish(11, 10)]
    assert published(outbox, 400) == [Publish(21, 5)]


def test_waits_for_receipts_when_much_of_the_backlog_is_on_its_way() -> None:
    """No more than `max_in_flight` goes out beyond the last receipt."""
    outbox = flowing(100)
    sent = [publish for now in range(0, 10_000, 200) for publish in published(outbox, now)]
    assert sent == [Publish(1, 10), Publish(11, 10), Publish(21, 10)]
    outbox.receipt(15, 10_000)
    assert published(outbox, 10_000) == [Publish(31, 10)]


def test_opens_its_window_while_receipts_come_quickly() -> None:
    """Little goes out unanswered at first, more as the collector keeps up, little again when it does not."""
    settings = Settings(
        max_batch=10, first_in_flight=20, max_in_flight=200, backlog_spread_ms=0, backlog_interval_ms=0
    )
    outbox, now, sizes = flowing(1_000, settings), 0, []
    quick, slow = settings.quick_receipt_ms, settings.quick_receipt_ms + 1
    for latency in (quick, quick, quick, slow, quick, quick):
        sizes.append(sum(publish.count for publish in published(outbox, now)))
        now += latency
        outbox.receipt(outbox.first - 1 + sizes[-1], now)
    assert sizes == [20, 40, 80, 160, 20, 40]


def test_sends_again_what_no_receipt_covers_in_time() -> None:
    """A broker may lose what it acknowledged: everything from the last receipt on goes out again."""
    outbox = flowing(3)
    assert published(outbox, 0) == [Publish(1, 3)]
    outbox.receipt(1, 1_000)
    due = 1_000 + SETTINGS.resend_after_ms
    assert outbox.wake_at(1_000) == due
    assert published(outbox, due - 1) == []
    assert published(outbox, due) == [Publish(2, 2)]


def test_doubles_the_time_between_rounds_in_vain() -> None:
    """Without any progress, repeats become rare, but never rarer than the cap."""
    outbox = flowing(1)
    times, now = [], 0
    for _ in range(7):
        times.append(now)
        assert published(outbox, now) == [Publish(1, 1)]
        wake = outbox.wake_at(now)
        assert wake is not None
        now = wake
    gaps = [(after - before) // 60_000 for before, after in pairwise(times)]
    assert gaps == [5, 10, 20, 40, 60, 60]


def test_sends_again_to_a_new_collector_session() -> None:
    """A restarted collector may have lost what it had not stored."""
    outbox = flowing(2)
    assert published(outbox, 0) == [Publish(1, 2)]
    outbox.collector(True, "a", 5)
    assert published(outbox, 5) == []
    outbox.collector(True, "b", 10)
    assert outbox.state is State.GREETING
    outbox.receipt(0, 20)
    assert published(outbox, 20) == [Publish(1, 2)]


def test_forgets_only_what_a_receipt_covers() -> None:
    """Receipts that come twice, out of order or from the future forget nothing that is not stored."""
    outbox = flowing(5)
    assert [outbox.receipt(n, 0) for n in (2, 2, 1, 99)] == [3, None, None, 6]
    assert (outbox.first, outbox.next, outbox.stored_until) == (6, 6, 5)


def test_declares_what_it_drops() -> None:
    """Dropping for want of room moves `first`, and is never more than what is held."""
    outbox = Outbox(3, 8, SETTINGS)
    assert (outbox.drop_oldest(2), outbox.first, outbox.depth) == (2, 5, 3)
    assert (outbox.drop_oldest(10), outbox.first, outbox.next) == (3, 8, 8)


def test_spreads_a_fleet() -> None:
    """Jitter delays backlog and repeats, so that robots that lost one broker do not come back as one."""
    late = Outbox(1, 2, Settings(), jitter=0.5)
    late.connected(0)
    late.collector(True, "a", 0)
    late.receipt(0, 0)
    assert (published(late, 0), late.wake_at(0)) == ([], 1_000)
    assert published(late, 1_000) == [Publish(1, 1)]
    assert late.wake_at(1_000) == 1_000 + 300_000 * 1.125


@pytest.mark.parametrize(("heard_after", "waits"), [(0, 1_000), (5_000, 1_000), (5_001, 5_000)])
def test_spreads_wider_what_befalls_the_whole_fleet(heard_after: int, waits: int) -> None:
    """A collector that comes, or comes back, is seen by all robots in one instant."""
    outbox = Outbox(1, 2, Settings(), jitter=0.5)
    outbox.connected(0)
    outbox.collector(True, "a", heard_after)
    outbox.receipt(0, heard_after)
    assert outbox.wake_at(heard_after) == heard_after + waits


@pytest.mark.parametrize(("first", "following", "jitter"), [(0, 1, 0.0), (3, 2, 0.0), (1, 1, 1.0)])
def test_refuses_impossible_beginnings(first: int, following: int, jitter: float) -> None:
    """Numbers begin at 1, and jitter is a fraction."""
    with pytest.raises(ValueError, match=r"needs|jitter"):
        Outbox(first, following, SETTINGS, jitter=jitter)


class AgentAndCollector(RuleBasedStateMachine):
    """An outbox on a bad day: whatever happens in whatever order, every sample ends in the store."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(1, 1, SETTINGS, jitter=0.3)
        self.now = 0
        self.stored: set[int] = set()
        self.dropped: set[int] = set()
        self.receipted = 0
        self.old_receipts = [0]
        self.sessions = 0
        self.linked = False

    def stored_until(self) -> int:
        """What the collector's receipt says."""
        until = 0
        while until + 1 in self.stored or (until + 1 in self.dropped and until + 1 < self.outbox.first):
            until += 1
        return until

    def send_receipt(self, until: int) -> None:
        """Delivers a receipt, and checks what is forgotten for it."""
        self.receipted = max(self.receipted, until)
        self.old_receipts.append(until)
        below = self.outbox.receipt(until, self.now)
        assert below is None or below == until + 1 == self.outbox.first

    @rule()
    def take(self) -> None:
        """A sample is taken."""
        expected = self.outbox.next
        assert self.outbox.take() == expected

    @rule(ms=st.integers(0, 400_000))
    def wait(self, ms: int) -> None:
        """Time passes."""
        self.now += ms

    @rule(lose=st.booleans())
    def publish(self, lose: bool) -> None:
        """One message goes out, and arrives or does not."""
        message = self.outbox.next_publish(self.now)
        if message is None:
            return
        numbers = range(message.seq, message.seq + message.count)
        assert self.linked
        assert self.outbox.first <= numbers[0]
        assert numbers[-1] < self.outbox.next
        assert message.count <= SETTINGS.max_batch
        if not lose:
            self.stored |= set(numbers)

    @rule()
    def connect(self) -> None:
        """The broker accepts us."""
        self.linked = True
        self.outbox.connected(self.now)

    @rule()
    def disconnect(self) -> None:
        """The connection breaks."""
        self.linked = False
        self.outbox.disconnected()

    @rule(restarted=st.booleans(), online=st.booleans())
    def announce(self, restarted: bool, online: bool) -> None:
        """The collector comes, restarts or goes."""
        self.sessions += restarted
        self.outbox.collector(online, str(self.sessions), self.now)

    @rule()
    def receipt(self) -> None:
        """The collector says what it has."""
        self.send_receipt(self.stored_until())

    @rule(data=st.data())
    def stale_receipt(self, data: st.DataObject) -> None:
        """A receipt comes late, or twice."""
        self.send_receipt(data.draw(st.sampled_from(self.old_receipts)))

    @precondition(lambda self: self.outbox.depth > 3)
    @rule(count=st.integers(1, 3))
    def drop(self, count: int) -> None:
        """Room runs out."""
        first = self.outbox.first
        self.dropped |= set(range(first, first + self.outbox.drop_oldest(count)))

    @invariant()
    def forgets_nothing_unstored(self) -> None:
        """Whatever is held no more was covered by a receipt, or dropped and declared."""
        gone = range(1, self.outbox.first)
        assert all(number <= self.receipted or number in self.dropped for number in gone)

    @invariant()
    def wakes_when_something_is_due(self) -> None:
        """`wake_at` is never in the past."""
        wake = self.outbox.wake_at(self.now)
        assert wake is None or wake >= self.now

    def teardown(self) -> None:
        """Once everything works again, everything is stored and forgotten, waking only when told to."""
        self.connect()
        self.outbox.collector(True, "last", self.now)
        for _ in range(10_000):
            if self.outbox.depth == 0:
                break
            wake = self.outbox.wake_at(self.now)
            assert wake is not None, self.outbox
            self.now = wake
            self.publish(lose=False)
            self.receipt()
        assert self.outbox.depth == 0
        assert set(range(1, self.outbox.next)) <= self.stored | self.dropped


AgentAndCollector.TestCase.settings = hypothesis_settings(
    max_examples=150, deadline=None, stateful_step_count=60
)
TestAgentAndCollector = AgentAndCollector.TestCase
