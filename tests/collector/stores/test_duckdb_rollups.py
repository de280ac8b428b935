"""Roll-ups: answers from cells are those from samples, whatever came when, and stay when samples go."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.stores import Retention, StoredSample
from collector.stores.duckdb import DuckStore, rollups, upkeep
from tests.collector.stores.fleet import (
    CATALOGUE,
    DAY,
    FOR_EVER,
    HOUR,
    START,
    commit,
    count,
    maintained,
    sample,
)
from tests.collector.stores.oracle import increases, means

MINUTE = 60_000
NOW = START + 10 * DAY


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckStore]:
    with closing(DuckStore(tmp_path / "s.duckdb", CATALOGUE)) as opened:
        yield opened


@dataclass(frozen=True)
class Story:
    """Samples in the order of arrival, and after how many of them the store is maintained."""

    arrivals: Sequence[StoredSample]
    upkeep: frozenset[int]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Some epochs of one robot over three days: counters rise, metrics are missing, clocks may be wrong."""
    taken: list[StoredSample] = []
    for epoch in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)):
        x, y = draw(st.integers(0, 9)), 0
        times = draw(st.lists(st.integers(0, 3 * DAY // MINUTE - 1), min_size=1, max_size=9))
        if draw(st.booleans()):
            times.sort()
        for seq, minute in enumerate(times, 1):
            x, y = x + draw(st.integers(0, 5)), y + draw(st.integers(0, 5))
            taken.append(
                sample(
                    seq,
                    START + minute * MINUTE,
                    draw(st.sampled_from([x, x, None])),
                    draw(st.sampled_from([None, 0.5, -3.25, 1e6])),
                    epoch=epoch,
                    others=draw(st.sampled_from([{}, {"a.y": y}])),
                )
            )
    arrivals = draw(st.permutations(taken))
    return Story(arrivals, draw(st.frozensets(st.integers(0, len(arrivals)), max_size=3)))


def tell(store: DuckStore, story: Story) -> None:
    """Every arrival is a commit of its own, so late ones come after earlier ones were rolled up."""
    for number, arrived in enumerate(story.arrivals):
        if number in story.upkeep:
            maintained(store, NOW)
        store.append(commit([arrived], NOW + number))


def answers_agree(store: DuckStore, story: Story, begin: int, end: int, step: int) -> None:
    """The store's answer for each metric is the oracle's."""
    series = store.series("r1", ["a.x", "a.y", "a.g"], begin, end, step)
    for name in ("a.x", "a.y"):
        assert list(series.values[name]) == increases(story.arrivals, name, series.times, step), name
    assert list(series.values["a.g"]) == pytest.approx(means(story.arrivals, "a.g", series.times, step))


@settings(max_examples=25, deadline=None)
@given(stories(), st.integers(0, 60), st.sampled_from([7 * MINUTE, HOUR, 3 * HOUR, DAY]))
def test_steps_are_the_same_from_samples_and_from_cells(story: Story, first_hour: int, step: int) -> None:
    """Late samples, missing metrics, several epochs, clocks gone back: cells answer as samples do."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(DuckStore(Path(folder, "s.duckdb"), CATALOGUE)) as store,
    ):
        tell(store, story)
        begin, end = START + first_hour * HOUR, START + 3 * DAY
        answers_agree(store, story, begin, end, step)
        maintained(store, NOW)
        answers_agree(store, story, begin, end, step)
        if step % HOUR == 0:
            maintained(store, NOW, Retention(DAY, None, None))
            assert store.contents().samples == 0
            answers_agree(store, story, begin, end, step)


@settings(max_examples=10, deadline=None)
@given(stories())
def test_compacting_changes_no_answer(story: Story) -> None:
    """Cells of the same hour are merged into one, and tell the same."""
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as folder,
        closing(DuckStore(Path(folder, "s.duckdb"), CATALOGUE)) as store,
    ):
        patch.setattr(rollups, "COMPACT", 1)
        tell(store, story)
        maintained(store, NOW)
        for step in (HOUR, DAY):
            answers_agree(store, story, START, START + 3 * DAY, step)
        hours = {(sample.epoch, sample.t // HOUR) for sample in story.arrivals}
        assert len(hours) <= count(store, "hours") <= 2 * len(hours)


def test_finer_steps_than_the_samples_that_are_left_answer_what_exists(store: DuckStore) -> None:
    """Where samples are gone nothing is told of minutes, and their increase falls on no later one."""
    store.append(commit([sample(n, START + n * HOUR // 2, 10 * n) for n in range(1, 5)], START + 3 * HOUR))
    store.append(commit([sample(5, START + 4 * DAY, 57)], START + 4 * DAY))
    store.maintain(START + 4 * DAY + HOUR, Retention(2 * DAY, None, None))
    assert store.contents().samples == 1
    series = store.series("r1", ["a.x"], START, START + 5 * DAY, 30 * MINUTE)
    told = {
        time: value
        for time, value in zip(series.times, series.values["a.x"], strict=True)
        if value is not None
    }
    assert told == {START + 4 * DAY: 17.0}


def test_day_cells_outlive_hour_cells(store: DuckStore) -> None:
    """Hours are forgotten after their time, days are not; increases across the border stay right."""
    for day in range(6):
        at = START + day * DAY
        store.append(commit([sample(day + 1, at + HOUR, 5 * day * day, 1.5 * day)], at + HOUR))
    now = START + 6 * DAY
    store.maintain(now, Retention(HOUR, 2 * DAY, None))
    days = store.series("r1", ["a.x", "a.g"], START, now, DAY)
    assert days.values["a.x"] == (None, 5.0, 15.0, 25.0, 35.0, 45.0)
    assert days.values["a.g"] == (0.0, 1.5, 3.0, 4.5, 6.0, 7.5)
    hours = store.series("r1", ["a.x"], START, now, HOUR)
    assert [value for value in hours.values["a.x"] if value is not None] == [35.0, 45.0]


def test_cells_are_made_once_an_hour(store: DuckStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often samples are settled, no more than two roll-ups touch one hour."""
    monkeypatch.setattr(upkeep, "SETTLE", 1)
    for number in range(15):
        at = START + number * 20 * MINUTE
        store.append(commit([sample(number + 1, at, number)], at))
        store.maintain(at, FOR_EVER)
    assert 3 <= count(store, "hours") <= 8
    series = store.series("r1", ["a.x"], START, START + 5 * HOUR, HOUR)
    assert series.values["a.x"] == (2.0, 3.0, 3.0, 3.0, 3.0)


def test_many_robots_are_rolled_up_in_turns(store: DuckStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows at once memory takes, every robot gets its cells, once."""
    monkeypatch.setattr(rollups, "AT_ONCE", 7)
    monkeypatch.setattr(rollups, "COMPACT", 1)
    for number in (1, 2, 3):
        samples = [sample(number, START + number, number * at, robot=f"r{at:02}") for at in range(20)]
        store.append(commit(samples, START + number))
        maintained(store, START)
    assert store.series("r17", ["a.x"], START, START + HOUR, HOUR).values["a.x"] == (34.0,)
    assert count(store, "(SELECT DISTINCT robot FROM hours)") == 20
    assert count(store, "hours") <= 40


def test_maintaining_an_empty_store_does_nothing(store: DuckStore) -> None:
    """Nor does it stumble over a robot without samples."""
    store.maintain(NOW, FOR_EVER)
    assert store.series("r1", ["a.x"], START, START + HOUR, HOUR).values["a.x"] == (None,)
