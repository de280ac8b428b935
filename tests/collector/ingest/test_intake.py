"""The intake: of every number of an epoch, exactly one sample, or a declared loss."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import wire
from collector.intake import MAX_EPOCHS, Intake, Refusal
from collector.stores import MAX_ABOVE, Loss, StoredSample, Watermark
from tests.collector.ingest.examples import CATALOGUE, NOW, arrival, hello, message, sample


@dataclass(frozen=True)
class Taken:
    """What became of a message in a round of its own."""

    samples: Sequence[StoredSample]
    duplicates: int
    refusals: Sequence[Refusal]
    losses: Sequence[Loss]
    unknown: Mapping[str, int]
    lost: int


def take(intake: Intake, text: wire.Samples, robot: str = "r1") -> Taken:
    """The intake of a message that arrives as soon as it is sent."""
    at = arrival(text)
    accepted, collected = intake.samples(robot, text, at), intake.collect(at)
    return Taken(
        list(collected.rows.samples()),
        accepted.duplicates,
        [*accepted.refusals, *collected.refusals],
        [*accepted.losses, *collected.losses],
        collected.unknown,
        accepted.lost,
    )


def seqs(accepted: Taken) -> list[int]:
    """The numbers of the samples to store."""
    return [taken.seq for taken in accepted.samples]


@pytest.mark.parametrize(
    ("messages", "stored", "duplicates", "until", "above"),
    [
        ([(1, 3)], [1, 2, 3], 0, 3, set()),
        ([(1, 3), (1, 3)], [1, 2, 3], 3, 3, set()),
        ([(1, 3), (2, 4)], [1, 2, 3, 4, 5], 2, 5, set()),
        ([(5, 1), (1, 2)], [5, 1, 2], 0, 2, {5}),
        ([(5, 1), (1, 4)], [5, 1, 2, 3, 4], 0, 5, set()),
        ([(5, 1), (5, 1)], [5], 1, 0, {5}),
        ([(9, 1), (7, 1), (1, 8)], [9, 7, 1, 2, 3, 4, 5, 6, 8], 1, 9, set()),
    ],
)
def test_numbers(
    messages: Sequence[tuple[int, int]], stored: list[int], duplicates: int, until: int, above: set[int]
) -> None:
    """Each number once, in whatever order; live samples may overtake the backlog."""
    intake = Intake(CATALOGUE)
    taken = [take(intake, message(seq, count)) for seq, count in messages]
    assert [seq for accepted in taken for seq in seqs(accepted)] == stored
    assert sum(accepted.duplicates for accepted in taken) == duplicates
    assert intake.watermark("r1", "e1") == Watermark(until, frozenset(above))


def test_epochs_and_robots_are_apart() -> None:
    """The same number of another epoch or robot is another sample."""
    intake = Intake(CATALOGUE)
    assert seqs(take(intake, message(1, 2))) == [1, 2]
    assert seqs(take(intake, message(1, 2, epoch="e2"))) == [1, 2]
    assert seqs(take(intake, message(1, 2), robot="r2")) == [1, 2]


def test_what_the_agent_gave_up_is_stepped_over_and_counted() -> None:
    """`first` beyond the watermark declares the hole lost, without those that came early."""
    intake = Intake(CATALOGUE)
    take(intake, message(1, 3))
    take(intake, message(6, 1))
    accepted = take(intake, message(10, 2, first=10))
    [loss] = accepted.losses
    assert (loss.first, loss.last, loss.count, loss.reason) == (4, 9, 5, "dropped")
    assert accepted.lost == 5
    assert intake.watermark("r1", "e1") == Watermark(11)


def test_hello_declares_losses_too() -> None:
    """An agent that lost everything says so before it has a new sample."""
    intake = Intake(CATALOGUE)
    take(intake, message(1, 3))
    assert intake.hello("r1", hello(first=8, next=8), NOW).lost == 4
    assert intake.hello("r1", hello(first=8, next=8), NOW).lost == 0
    assert intake.stored_until("r1", "e1") == 7


def test_old_hello_changes_nothing() -> None:
    """A retained hello from long ago has a `first` that is long stored."""
    intake = Intake(CATALOGUE)
    take(intake, message(1, 30))
    assert intake.hello("r1", hello(first=3, next=9), NOW).losses == ()
    assert intake.stored_until("r1", "e1") == 30


def test_watermarks_that_moved_come_with_the_samples() -> None:
    """Those of a round, each once; a duplicate or a hello that declares nothing moves none."""
    intake = Intake(CATALOGUE, {("r9", "e1"): Watermark(9)})
    for text in (message(1, 2), message(4), message(1, epoch="e2")):
        intake.samples("r1", text, arrival(text))
    moved = {("r1", "e1"): Watermark(2, frozenset({4})), ("r1", "e2"): Watermark(1)}
    assert intake.collect(NOW).watermarks == moved
    intake.samples("r1", message(1), arrival(message(1)))
    intake.hello("r9", hello(first=3, next=10), NOW)
    assert intake.collect(NOW).watermarks == {}
    intake.hello("r9", hello(first=12, next=12), NOW)
    assert intake.collect(NOW).watermarks == {("r9", "e1"): Watermark(11)}


def test_restart_knows_what_is_stored() -> None:
    """Watermarks of the store make known samples duplicates."""
    intake = Intake(CATALOGUE, {("r1", "e1"): Watermark(4, frozenset({6}))}, [sample(6)])
    assert seqs(take(intake, message(3, 5))) == [5, 7]
    assert intake.stored_until("r1", "e1") == 7


@pytest.mark.parametrize(
    ("order", "counters", "refused"),
    [
        ([1, 2], {1: 5, 2: 4}, [2]),  # falls
        ([1, 2, 3], {1: 5, 2: 4, 3: 6}, [2]),  # falls, and recovers
        ([3, 1, 2], {1: 1, 2: 9, 3: 5}, [2]),  # late, and above the later one
        ([3, 1, 2], {1: 4, 2: 3, 3: 5}, [2]),  # late, and below the one before
        ([3, 1, 2], {1: 4, 2: 4, 3: 4}, []),  # nothing happened
    ],
)
def test_counter_that_falls_within_an_epoch(
    order: Sequence[int], counters: dict[int, int], refused: list[int]
) -> None:
    """The sample is refused for good, counted as lost, and its neighbours are stored."""
    intake = Intake(CATALOGUE)
    found: list[int] = []
    for seq in order:
        text = message(seq, counters=[{"network": {"disconnects": counters[seq]}}])
        accepted = take(intake, text)
        found += [refusal.seq for refusal in accepted.refusals]
        assert all(refusal.reason == "decrease" for refusal in accepted.refusals)
        assert [loss.reason for loss in accepted.losses] == ["refused"] * len(accepted.refusals)
    assert found == refused
    assert intake.stored_until("r1", "e1") == max(order)  # nobody waits for it


def test_fall_is_seen_across_a_restart() -> None:
    """The store's newest sample is what the next is held against."""
    newest = sample(4, counters={"network.disconnects": 100})
    intake = Intake(CATALOGUE, {("r1", "e1"): Watermark(4)}, [newest])
    [refusal] = take(intake, message(5)).refusals
    assert "network.disconnects is 100 before 5" in refusal.detail


def test_counter_may_begin_anew_in_a_new_epoch() -> None:
    """A new epoch is a new base."""
    intake = Intake(CATALOGUE)
    take(intake, message(7, step=100))
    assert seqs(take(intake, message(1, epoch="e2"))) == [1]


def test_unknown_metrics_are_counted_and_left_out() -> None:
    """What no catalogue knows is named; a counter among the gauges is unknown, too."""
    text = message(1, counters=[{"network": {"disconnects": 1, "rtt_ms": 5}, "arm": {"grasps": 2}}])
    accepted = take(Intake(CATALOGUE), text)
    assert accepted.samples[0].counters == {"network.disconnects": 1}
    assert accepted.unknown == {"network.rtt_ms": 1, "arm.grasps": 1}


def test_robot_that_leaves_gaps_for_ever_cannot_fill_the_memory() -> None:
    """Beyond a bound, numbers above a gap are not taken; they may come again once the gap is closed."""
    mark = Watermark(0, frozenset(range(3, 3 + MAX_ABOVE)))
    intake = Intake(CATALOGUE, {("r1", "e1"): mark})
    [refusal] = take(intake, message(MAX_ABOVE + 10)).refusals
    assert refusal.reason == "too_far_ahead"
    assert seqs(take(intake, message(1, 2))) == [1, 2]
    assert seqs(take(intake, message(MAX_ABOVE + 10))) == [MAX_ABOVE + 10]


def test_robot_that_begins_epoch_after_epoch_cannot_fill_the_memory() -> None:
    """Beyond a bound, new epochs are refused with the reason; those known go on."""
    intake = Intake(CATALOGUE)
    for number in range(MAX_EPOCHS):
        assert seqs(take(intake, message(1, epoch=f"e{number}"))) == [1]
    [refusal] = take(intake, message(1, epoch="one more")).refusals
    assert (refusal.reason, refusal.epoch) == ("too_many_epochs", "one more")
    assert intake.hello("r1", hello(epoch="another"), NOW).refusals
    assert seqs(take(intake, message(2, epoch="e7"))) == [2]
    assert seqs(take(intake, message(1, epoch="one more"), robot="r2")) == [1]


@given(
    count=st.integers(1, 40),
    cuts=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 15)), max_size=30),
    shuffle=st.randoms(use_true_random=False),
    restarts=st.sets(st.integers(0, 30), max_size=4),
)
def test_any_order_any_repetition_any_restart(
    count: int, cuts: list[tuple[int, int]], shuffle: random.Random, restarts: set[int]
) -> None:
    """However messages are cut, repeated, shuffled, and the collector restarted: each sample once."""
    spans = [(seq, min(size, count - seq + 1)) for seq, size in cuts if seq <= count] + [(1, count)]
    shuffle.shuffle(spans)
    intake = Intake(CATALOGUE)
    stored: list[StoredSample] = []
    for at, (seq, size) in enumerate(spans):
        if at in restarts:
            highest = max(stored, key=lambda taken: taken.seq, default=None)
            marks = {("r1", "e1"): intake.watermark("r1", "e1")}
            intake = Intake(CATALOGUE, marks, [highest] if highest else [])
        accepted = take(intake, message(seq, size))
        assert not accepted.refusals
        stored += accepted.samples
    assert sorted(taken.seq for taken in stored) == list(range(1, count + 1))
    assert intake.watermark("r1", "e1") == Watermark(count)


@given(
    steps=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 6), st.integers(0, 20)), max_size=25),
)
def test_every_number_is_stored_or_lost_and_never_both(steps: list[tuple[int, int, int]]) -> None:
    """Losses and samples together cover everything up to the watermark, once."""
    intake = Intake(CATALOGUE)
    stored: list[int] = []
    lost = 0
    for seq, count, kept in steps:
        accepted = take(intake, message(seq, count, first=max(1, seq - kept)))
        stored += seqs(accepted)
        lost += accepted.lost
    mark = intake.watermark("r1", "e1")
    assert len(stored) == len(set(stored))
    assert len([seq for seq in stored if seq <= mark.until]) + lost == mark.until
    assert {seq for seq in stored if seq > mark.until} == mark.above


@given(
    values=st.lists(st.integers(0, 12), min_size=1, max_size=25),
    cuts=st.sets(st.integers(1, 24), max_size=6),
)
def test_rounds_find_what_one_by_one_is_found(values: list[int], cuts: set[int]) -> None:
    """However samples are gathered into rounds, the same of them are refused."""
    texts = [
        message(seq, counters=[{"network": {"disconnects": value}}]) for seq, value in enumerate(values, 1)
    ]
    single, gathered = Intake(CATALOGUE), Intake(CATALOGUE)
    refused = [refusal for text in texts for refusal in take(single, text).refusals]
    found: list[Refusal] = []
    for number, text in enumerate(texts, 1):
        gathered.samples("r1", text, arrival(text))
        if number in cuts or number == len(texts):
            found += gathered.collect(arrival(text)).refusals
    assert found == refused


@given(
    rises=st.lists(st.integers(0, 3), min_size=1, max_size=25),
    shuffle=st.randoms(use_true_random=False),
    cuts=st.sets(st.integers(1, 60), max_size=8),
)
def test_counters_that_only_rise_are_never_refused(
    rises: list[int], shuffle: random.Random, cuts: set[int]
) -> None:
    """In any order, twice each, two robots mixed, in any rounds: nothing is wrong with them."""
    values = [sum(rises[:number]) for number in range(1, len(rises) + 1)]
    texts = [
        (robot, message(seq, counters=[{"network": {"disconnects": value}}]))
        for robot in ("r1", "r2")
        for seq, value in enumerate(values, 1)
    ] * 2
    shuffle.shuffle(texts)
    intake = Intake(CATALOGUE)
    stored: list[tuple[str, int]] = []
    for number, (robot, text) in enumerate(texts, 1):
        intake.samples(robot, text, arrival(text))
        if number in cuts or number == len(texts):
            collected = intake.collect(arrival(text))
            assert not collected.refusals
            stored += [(taken.robot, taken.seq) for taken in collected.rows.samples()]
    assert sorted(stored) == sorted(
        (robot, seq) for robot in ("r1", "r2") for seq in range(1, len(rises) + 1)
    )


def test_known_metrics_are_read_the_quick_way_and_unknown_ones_the_other() -> None:
    """Both ways give the same samples; the unknown is counted on one of them."""
    intake = Intake(CATALOGUE)
    plain = message(1, 2)
    strange = message(3, counters=[{"network": {"disconnects": 9}, "arm": {"grasps": 1}}])
    read: list[StoredSample] = []
    for text in (plain, strange):
        received = wire.decode("vitals/v1/f/r1/samples", wire.encode(text), intake.known.decoder)
        assert isinstance(received, wire.Received)
        assert isinstance(received.message, wire.Samples)
        assert intake.known.holds(received.message.samples[0]) == (text is plain)
        read += take(intake, received.message).samples
    again = Intake(CATALOGUE)
    assert read == [sample for text in (plain, strange) for sample in take(again, text).samples]
