"""Where boots end among the samples held, and what is told of it."""

from hypothesis import given
from hypothesis import strategies as st

from agent.boots import Boots
from agent.wire import End, Sample


class Held:
    """Samples 1 … n of boots with so many samples each, 10 ms apart; those in `synced` knew the time."""

    def __init__(self, *lengths: int, synced: frozenset[int] = frozenset()) -> None:
        self.reads = 0
        self.samples = [
            Sample(
                t=1_000 * (boot + 1) + 10 * number, up=10 * number, boot=f"b{boot}", synced=False, c={}, g={}
            )
            for boot, length in enumerate(lengths)
            for number in range(1, length + 1)
        ]
        for seq in synced:
            old = self.samples[seq - 1]
            self.samples[seq - 1] = Sample(t=old.t, up=old.up, boot=old.boot, synced=True, c={}, g={})
        self.next = len(self.samples) + 1
        self.lost: set[int] = set()
        self.boots = Boots(self.sample_from)

    def sample_from(self, seq: int) -> tuple[int, Sample] | None:
        """The first sample held from a number on."""
        assert seq >= 1
        self.reads += 1
        held = (number for number in range(seq, self.next) if number not in self.lost)
        return next(((number, self.samples[number - 1]) for number in held), None)

    def ends(self, seq: int, count: int, running: str) -> list[End]:
        """What is told with a message."""
        return self.boots.ends(seq, count, self.next, running)


def test_nothing_is_told_of_the_running_boot() -> None:
    """Its samples have an age by its own clock."""
    assert Held(5).ends(1, 5, "b0") == []


def test_tells_boots_that_reach_beyond_the_message() -> None:
    """The lengths of whole boots, in order; those beyond the message added up."""
    held = Held(3, 4, 5, 6, 2)
    assert held.ends(2, 1, "b4") == [End("b0", 30), End("", 150)]
    assert held.ends(1, 5, "b4") == [End("b0", 30), End("b1", 40), End("", 110)]
    assert held.ends(1, 19, "b4") == [End("b0", 30), End("b1", 40), End("b2", 50), End("b3", 60)]
    assert held.ends(1, 1, "rebooted since") == [End("b0", 30), End("", 170)]


def test_stops_at_the_first_boot_that_knew_the_time() -> None:
    """Nothing beyond it matters to the samples of the message."""
    assert Held(3, 4, 5, 2, synced=frozenset({10})).ends(1, 2, "b3") == [
        End("b0", 30),
        End("", 40),
        End("b2", 50, began=3_000),
    ]
    assert Held(3, 4, 5, synced=frozenset({2})).ends(1, 2, "b2") == [End("b0", 30, began=1_000)]


def test_a_huge_spool_is_not_read_for_it() -> None:
    """Ends are found by bisection, and remembered."""
    held = Held(100_000, 50_000, 10)
    assert held.ends(1, 200, "b2") == [End("b0", 1_000_000), End("", 500_000)]
    assert held.reads < 100
    held.reads = 0
    held.ends(201, 200, "b2")
    assert held.reads <= 4


def test_passes_over_samples_that_are_lost() -> None:
    """What damage took from the spool is not there to ask."""
    held = Held(5, 5, 5)
    held.lost = {4, 5, 8, 11, 12, 13, 14, 15}
    assert held.ends(1, 3, "b3") == [End("b0", 30), End("", 50)]
    assert held.ends(6, 2, "b3") == [End("b1", 50)]


def test_forgets_boots_that_are_delivered() -> None:
    """What is remembered does not grow with the robot's life."""
    held = Held(*[2] * 100)
    held.ends(1, 1, "b99")
    held.boots.forget(199)
    held.reads = 0
    assert held.ends(199, 1, "later") == [End("b99", 20)]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=8),
    st.integers(1, 72),
    st.integers(1, 20),
    st.sets(st.integers(1, 72)),
)
def test_finds_every_end(lengths: list[int], seq: int, count: int, lost: set[int]) -> None:
    """Bisection agrees with a look at every sample."""
    held = Held(*lengths)
    seq = min(seq, held.next - 1)
    count = min(count, held.next - seq)
    held.lost = lost - set(range(seq, seq + count))
    rest = [held.samples[number - 1] for number in range(seq, held.next) if number not in held.lost]
    lasts = {sample.boot: sample.up for sample in rest}
    in_message = dict.fromkeys(sample.boot for sample in rest[:count])
    later = sum(up for boot, up in lasts.items() if boot not in in_message)
    expected = [End(boot, lasts[boot]) for boot in in_message] + ([End("", later)] if later else [])
    assert held.ends(seq, count, "running") == expected
