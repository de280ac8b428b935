"""Pushes become counters that never decrease, and gauges that do not outlive their module."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue import load
from agent.counters import LIVENESS_MS, Counters, State
from agent.datagrams import Absolute, Add, Push, Put, Shift
from agent.wire import Received, Sample, Samples, Sent, Topic, decode, encode

CATALOGUE = load()


def heard(*pushes: Push, now_ms: int = 0, counters: Counters | None = None) -> Counters:
    """Counters that took the pushes as the agent does: newcomers are met first."""
    counters = counters or Counters(CATALOGUE)
    for push in pushes:
        for newcomer in counters.newcomers([push]):
            counters.meet(newcomer, now_ms)
        counters.apply(push, now_ms)
    return counters


def total(counters: Counters, name: str, now_ms: int = 0) -> int:
    """A counter as the next sample has it."""
    subsystem, _, short = name.partition(".")
    return counters.sample(now_ms)[0][subsystem][short]


def gauge(counters: Counters, name: str, now_ms: int = 0) -> float | None:
    """A gauge as the next sample has it; None: it is not in it."""
    subsystem, _, short = name.partition(".")
    return counters.sample(now_ms)[1].get(subsystem, {}).get(short)


def asr(boot: str, utterances: int) -> Absolute:
    """An absolute push."""
    return Absolute("asr", boot, {"utterances": utterances})


def test_shows_zero_before_the_first_event() -> None:
    """A newcomer is met before it counts, so that its first event shows as an increase."""
    counters = Counters(CATALOGUE)
    push = Add("navigation.goals", 1)
    assert "navigation" not in counters.sample(0)[0]
    assert counters.newcomers([push, Add("navigation.goals", 5)]) == [push]
    counters.meet(push, 0)
    assert counters.newcomers([push]) == []
    assert total(counters, "navigation.goals") == 0
    counters.apply(push, 0)
    assert total(counters, "navigation.goals") == 1


def test_keeps_fractions_until_they_make_a_whole() -> None:
    """Counters are integers, yet no part of a push is lost."""
    counters = heard(*[Add("navigation.distance_m", 0.25)] * 7)
    assert total(counters, "navigation.distance_m") == 1
    assert total(heard(Add("navigation.distance_m", 0.25), counters=counters), "navigation.distance_m") == 2


TIMELINES = [
    ("a height never seen before is a base, no increase", [("a1", 8123)], 8123),
    ("the difference counts", [("a1", 8123), ("a1", 8125)], 8125),
    ("a new boot counts from zero", [("a1", 100), ("a2", 7)], 107),
    ("a decrease counts from zero", [("a1", 100), ("a1", 7)], 107),
    ("after a restart, differences count again", [("a1", 100), ("a2", 7), ("a2", 9)], 109),
    ("the same again adds nothing", [("a1", 5), ("a1", 5), ("a1", 5)], 5),
]


@pytest.mark.parametrize(("pushes", "expected"), [t[1:] for t in TIMELINES], ids=[t[0] for t in TIMELINES])
def test_follows_absolute_counters(pushes: list[tuple[str, int]], expected: int) -> None:
    """A module's own counters, through its restarts, without a spike."""
    assert total(heard(*(asr(boot, value) for boot, value in pushes)), "asr.utterances") == expected


def test_a_counter_that_shows_up_later_counts_from_zero() -> None:
    """A module that leaves out its zeros loses no event by it."""
    counters = heard(asr("a1", 5), Absolute("asr", "a1", {"utterances": 6, "unrecognized": 1}))
    assert (total(counters, "asr.utterances"), total(counters, "asr.unrecognized")) == (6, 1)


def test_an_absolute_source_that_joins_adds_nothing() -> None:
    """Where a subsystem already counted by events, absolute values only set their base."""
    assert total(heard(Add("asr.utterances", 3), asr("a1", 8123), asr("a1", 8124)), "asr.utterances") == 4


def test_counts_across_a_restart_of_the_agent() -> None:
    """Totals, fractions and bases outlive the process; what a module counted meanwhile is not lost."""
    before = heard(asr("a1", 10), Add("navigation.distance_m", 0.75))
    state = msgspec.json.decode(msgspec.json.encode(before.state), type=State)
    after = heard(asr("a1", 14), Add("navigation.distance_m", 0.5), counters=Counters(CATALOGUE, state))
    assert (total(after, "asr.utterances"), total(after, "navigation.distance_m")) == (14, 1)


@pytest.mark.parametrize(
    ("push", "reason"),
    [
        (Add("network.rtt_ms", 1), "network.rtt_ms is a gauge, not a counter"),
        (Put("asr.utterances", 1), "asr.utterances is a counter, not a gauge"),
        (Absolute("network", "", {"rtt_ms": 1}), "network.rtt_ms is a gauge, not a counter"),
        (Absolute("asr", "", {}, {"utterances": 1.0}), "asr.utterances is a counter, not a gauge"),
        (Add("agent.samples_taken", 1), "agent.* is counted by the agent itself"),
    ],
)
def test_refuses_what_breaks_the_catalogue(push: Push, reason: str) -> None:
    """A wrong kind is refused with a reason."""
    assert Counters(CATALOGUE).apply(push, 0) == [reason]


def test_refuses_to_exceed_what_the_wire_carries() -> None:
    """A counter at its limit stays there."""
    counters = heard(Add("asr.utterances", 2**53))
    assert counters.apply(Add("asr.utterances", 1), 0) == ["asr.utterances would exceed 2^53"]
    assert total(counters, "asr.utterances") == 2**53


def test_counts_unknown_metrics_apart() -> None:
    """What the catalogue does not know is counted by name, not sampled, and limited in number."""
    counters = heard(Add("asr.no_such", 1), Add("asr.no_such", 1), Absolute("foo", "", {"bar": 1}))
    assert counters.unknown == {"asr.no_such": 2, "foo.bar": 1}
    assert set(counters.sample(0)[0]) == {"asr"}
    heard(*(Add(f"x.m{n}", 1) for n in range(1_000)), counters=counters)
    assert len(counters.unknown) == 100


def test_up_follows_the_module() -> None:
    """`up` is 1 while the module is heard, then 0; of a module never heard, nothing is said."""
    counters = heard(Add("asr.utterances", 1), now_ms=1_000)
    assert gauge(counters, "asr.up", 1_000 + LIVENESS_MS) == 1
    assert gauge(counters, "asr.up", 1_001 + LIVENESS_MS) == 0
    assert gauge(counters, "tts.up", 1_000) is None
    assert gauge(Counters(CATALOGUE, counters.state), "asr.up", 0) == 0


def test_a_module_may_say_itself_that_it_is_down() -> None:
    """An explicit `up` of 0 holds until the module is heard again."""
    counters = heard(Put("asr.up", 1))
    assert gauge(counters, "asr.up") == 1
    assert gauge(heard(Put("asr.up", 0), counters=counters), "asr.up") == 0
    assert gauge(heard(Add("asr.utterances", 1), counters=counters), "asr.up") == 1


def test_gauges_are_put_shifted_and_forgotten_with_their_module() -> None:
    """A silent module's gauges are unknown, not what they once were."""
    counters = heard(Put("network.rtt_ms", 20), Shift("network.rtt_ms", -5))
    assert gauge(counters, "network.rtt_ms", LIVENESS_MS) == 15
    assert gauge(counters, "network.rtt_ms", LIVENESS_MS + 1) is None


def test_measurements_give_way_to_firmware() -> None:
    """What firmware says of a gauge goes before what the agent measures; nothing infinite is kept."""
    counters = heard(Put("network.rtt_ms", 20))
    counters.measure({"network.rtt_ms": 5.0, "system.cpu_percent": 3.0, "system.uptime_s": float("inf")})
    assert gauge(counters, "network.rtt_ms") == 20
    assert (gauge(counters, "system.cpu_percent"), gauge(counters, "system.uptime_s")) == (3, None)


def test_counts_reboots() -> None:
    """A boot id other than the last is a reboot; the first ever is none."""
    counters = Counters(CATALOGUE)
    counters.introduce("system")
    for boot in ("a", "a", "b", "c"):
        counters.booted(boot)
    assert total(counters, "system.reboots") == 2


FINITE = st.floats(allow_nan=False, allow_infinity=False)
PUSHES = st.one_of(
    st.builds(
        Add,
        st.sampled_from(["asr.utterances", "asr.no_such", "network.rtt_ms", "foo", ""]),
        st.floats(0, 2**53),
    ),
    st.builds(
        Absolute,
        subsystem=st.sampled_from(["asr", "foo", "agent"]),
        boot=st.sampled_from("ab"),
        counters=st.dictionaries(st.sampled_from(["utterances", "unrecognized", "x"]), st.integers(0, 2**53)),
        gauges=st.dictionaries(st.sampled_from(["up", "utterances"]), st.floats()),
    ),
    st.builds(Put, st.sampled_from(["asr.up", "asr.utterances"]), FINITE),
    st.builds(Shift, st.just("network.rtt_ms"), FINITE),
)


@given(st.lists(PUSHES, max_size=30))
def test_counters_never_decrease(pushes: list[Push]) -> None:
    """Whatever is pushed, no counter decreases, leaves the range of the wire, or disappears."""
    counters = Counters(CATALOGUE)
    before: dict[str, dict[str, int]] = {}
    for now_ms, push in enumerate(pushes):
        heard(push, now_ms=now_ms, counters=counters)
        after, _ = counters.sample(now_ms)
        for subsystem, values in before.items():
            assert all(after[subsystem][short] >= value for short, value in values.items())
        assert all(0 <= value <= 2**53 for values in after.values() for value in values.values())
        before = after


def test_takes_a_vendors_own_metrics(tmp_path: Path) -> None:
    """Nothing lists metrics by hand: a second catalogue is enough."""
    (tmp_path / "vendor.yaml").write_text(
        "schema: robovitals-catalogue/1\n"
        "subsystems:\n"
        "  arm:\n"
        "    label: {en: Arm, zh: 机械臂}\n"
        "    module: true\n"
        "    counters: {grips: {unit: grips, en: Grips, zh: 抓取}}\n"
    )
    counters = heard(Add("arm.grips", 2), counters=Counters(load(tmp_path / "vendor.yaml")))
    assert (total(counters, "arm.grips"), gauge(counters, "arm.up")) == (2, 1)


@given(st.lists(PUSHES, max_size=30))
def test_every_sample_keeps_the_contract(pushes: list[Push]) -> None:
    """A sample that the collector would refuse could never be got rid of."""
    c, g = heard(*pushes).sample(0)
    sample = Sample(t=0, up=0, boot="b", synced=False, c=c, g=g)
    message = Samples(epoch="e", first=1, seq=1, sent=Sent(t=0, up=0, boot="b"), samples=[sample])
    topic = Topic("f", "r", "samples")
    assert decode(str(topic), encode(message)) == Received(topic, message)
