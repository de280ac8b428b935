"""What the stubs do is what the catalogue names, what a funnel allows, and what their faults promise."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import catalogue
from firmware_stubs.behavior import Faults, Module, Part, poisson, work
from firmware_stubs.faults import MODULES, kinds

SHARES = [(module, part) for module in MODULES for part in module.counts if isinstance(part, Part)]


def minutes(module: Module, count: int, *faults: str, seed: int = 1, rate: float = 1.0) -> Counter[str]:
    """What a module counts in so many minutes of one-second steps."""
    random = Random(seed)
    totals: Counter[str] = Counter()
    for _ in range(count * 60):
        totals.update(work(module, 1.0, Faults(faults), random, rate=rate).counts)
    return totals


def test_there_is_a_stub_for_every_module_of_the_catalogue() -> None:
    """Each subsystem that is a firmware module has its stand-in."""
    assert sorted(module.name for module in MODULES) == sorted(catalogue.load().modules)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_stubs_count_what_the_catalogue_names(module: Module) -> None:
    """Every counter and gauge of a stub is in the catalogue, of that kind; no counter of it is left out."""
    metrics = catalogue.load()
    done = work(module, 1.0, Faults(), Random(1))
    assert {metrics[f"{module.name}.{name}"].kind for name in done.counts} == {"counter"}
    assert all(metrics[f"{module.name}.{name}"].kind == "gauge" for name in done.gauges)
    own_connection = {"rx_bytes", "tx_bytes"}  # the agent reads these of /proc
    named = {m.short for m in metrics.values() if m.subsystem == module.name and m.kind == "counter"}
    assert named - own_connection == set(done.counts)


def test_both_forms_are_spoken() -> None:
    """Some modules push StatsD lines, some JSON, so that both ways stay in use."""
    assert Counter(module.form for module in MODULES) == {"statsd": 4, "json": 4}


@given(st.integers(0, 2**32), st.floats(0.1, 100), st.sets(st.sampled_from([kind.fault for kind in kinds()])))
def test_parts_never_exceed_their_whole(seed: int, rate: float, faults: set[str]) -> None:
    """Whatever fails at once, what ended in one way or another is never more than what began."""
    for module in MODULES:
        counts = work(module, 10.0, frozenset(faults), Random(seed), rate=rate).counts
        assert all(count >= 0 for count in counts.values())
        for part in (source for source in module.counts if isinstance(source, Part)):
            assert counts[part.counter] + sum(counts[other] for other in part.besides) <= counts[part.of]


def test_the_funnel_narrows() -> None:
    """Fewer people at each step, and a healthy robot keeps the onboarding standard of 45 % and 80 %."""
    day = minutes(next(m for m in MODULES if m.name == "engagement"), 600)
    assert day["visitors"] > day["recruits"] > day["wakeups"] > day["interactions"] > day["ratings"] > 0
    assert day["interactions"] / day["recruits"] > 0.5
    assert day["satisfied_ratings"] / day["ratings"] > 0.85


@pytest.mark.parametrize(
    ("module", "fault"), [(module, fault) for module in MODULES for fault in module.faults]
)
def test_a_fault_shows_in_what_it_changes(module: Module, fault: str) -> None:
    """Every fault changes the counters that it names, by far, and no other module's."""
    healthy, faulty = minutes(module, 300), minutes(module, 300, fault)
    for name in module.affected_by(fault):
        if name in healthy or name in faulty:
            low, high = sorted((healthy[name], faulty[name]))
            assert high >= 2 * low + 5 or fault in ("low_conversion", "low_satisfaction")
    others = [other for other in MODULES if fault not in other.faults]
    assert all(minutes(other, 5, fault) == minutes(other, 5) for other in others)


def test_engagement_faults_break_the_standard() -> None:
    """Low conversion and low satisfaction lie below 45 % and 80 %; a silent customer has no interactions."""
    engagement = next(module for module in MODULES if module.name == "engagement")
    low = minutes(engagement, 600, "low_conversion")
    assert low["interactions"] / low["recruits"] < 0.4
    unhappy = minutes(engagement, 600, "low_satisfaction")
    assert unhappy["satisfied_ratings"] / unhappy["ratings"] < 0.7
    assert minutes(engagement, 60, "silent_customer")["interactions"] == 0


def test_the_same_seed_does_the_same() -> None:
    """Events follow from the seed alone."""
    assert minutes(MODULES[-1], 30, seed=7) == minutes(MODULES[-1], 30, seed=7)
    assert minutes(MODULES[-1], 30, seed=7) != minutes(MODULES[-1], 30, seed=8)


def test_rate_makes_a_robot_busier() -> None:
    """Ten times the rate is about ten times the events."""
    usual, busy = minutes(MODULES[1], 100), minutes(MODULES[1], 100, rate=10)
    assert 8 < busy["face_attempts"] / usual["face_attempts"] < 12


@pytest.mark.parametrize("mean", [0.0, 0.02, 1.0, 40.0])
def test_poisson_has_its_mean(mean: float) -> None:
    """The average of many draws is the mean asked for, and its variance too."""
    random = Random(3)
    draws = [poisson(mean, random) for _ in range(20_000)]
    average = sum(draws) / len(draws)
    assert average == pytest.approx(mean, abs=0.02 + 0.02 * mean)
    assert sum((x - average) ** 2 for x in draws) / len(draws) == pytest.approx(mean, rel=0.1, abs=0.02)
