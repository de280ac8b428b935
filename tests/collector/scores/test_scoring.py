"""Scores out of a real store and database: what is due, when, and what becomes of it."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from collector.relational import Lifecycle, Relational, RobotRecord
from collector.scores.scoring import RETRY_MS, Scoring, counted, written
from collector.stores import Commit, Rows, Spans, StoredSample, StoreError, Watermark
from collector.stores.duckdb import DuckStore
from tests.collector.scores.examples import CATALOGUE, SETTINGS

HOUR = 3_600_000
DAY = 24 * HOUR
SHANGHAI, NEW_YORK = "Asia/Shanghai", "America/New_York"
TODAY = counted("2026-11-20")
MIDNIGHT = TODAY * DAY - 8 * HOUR  # in Shanghai, when the 20th begins
HOURS = {"open_hours": "09:00-17:00"}


@dataclass
class World:
    """A store and a database, and what scores them."""

    store: DuckStore
    relational: Relational
    scoring: Scoring
    at: int = 0

    def sends(self, robot: str, hours: Sequence[int], asr: int = 0) -> None:
        """A sample in the middle of each of these hours, counted from midnight of the 20th in Shanghai."""
        samples = [
            _sample(robot, seq, MIDNIGHT + hour * HOUR + HOUR // 2, asr) for seq, hour in enumerate(hours, 1)
        ]
        self.at = max(self.at, MIDNIGHT - 60 * DAY) + 1
        rows = Rows.of(samples, CATALOGUE)
        self.store.append(Commit(self.at, rows, (), {(robot, "e1"): Watermark(len(samples))}))


def _sample(robot: str, seq: int, t: int, asr: int) -> StoredSample:
    counters = {
        "engagement.visitors": 20 * seq, "engagement.interactions": 10 * seq, "asr.utterances": 10 * seq,
        "asr.unrecognized": asr * seq, "network.rx_bytes": seq, "nlp.queries": 10 * seq,
        "tts.utterances": 10 * seq,
        "navigation.goals": 10 * seq, "touchscreen.touches": 10 * seq, "vision.face_attempts": 10 * seq,
    }  # fmt: skip
    return StoredSample(robot, "e1", seq, t, t, t, t, "b1", True, False, counters, {})


def open_from(first_day: int, last_day: int) -> list[int]:
    """Hours of opening, day by day, counted from the 20th."""
    return [24 * day + hour for day in range(first_day, last_day + 1) for hour in range(9, 17)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A collector that was always listening."""
    with (
        closing(DuckStore(tmp_path / "s.duckdb", CATALOGUE)) as store,
        closing(Relational(f"sqlite:///{tmp_path / 'c.sqlite'}")) as relational,
    ):
        relational.start_listening(MIDNIGHT - 90 * DAY, MIDNIGHT + 90 * DAY)
        yield World(store, relational, Scoring(store, relational, SETTINGS))


def robot(id_: str, tz: str = SHANGHAI, **fields: object) -> RobotRecord:
    """A robot of a museum."""
    usual = {"customer": "Museum", "site": "East", "industry": "hall", "extra": HOURS}
    return RobotRecord(id_, tz=tz, **{**usual, **fields})  # type: ignore[arg-type]


def test_a_day_is_scored_once_it_is_over(world: World) -> None:
    """Yesterday, and what a trend shows before it; a second look finds nothing to do."""
    world.relational.import_robots([robot("r1")])
    world.sends("r1", open_from(-30, 0))
    assert world.scoring.bring_up_to_date(MIDNIGHT - 1)[-1] == "2026-11-18"
    days = world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    assert days == ["2026-11-19"]
    assert world.scoring.bring_up_to_date(MIDNIGHT + 2 * HOUR + RETRY_MS) == []
    found = world.relational.scores.one("robot", "r1")
    assert found is not None
    assert (found.day, found.points) == ("2026-11-19", 100.0)
    seen = {part.key: dict(part.seen) for part in found.components}
    assert seen["availability"] == {"share": 1.0, "heard": 56.0, "counted": 56.0}
    assert seen["asr"] == {"rate": 0.0, "failures": 0.0, "attempts": 560.0}
    assert found.use["engagement.interactions"] == (560.0, 560.0)


@pytest.mark.parametrize(("first", "before"), [(-10, None), (-11, 310.0)])
def test_a_week_that_is_hardly_known_is_not_compared(world: World, first: int, before: float | None) -> None:
    """Who was heard on three days of the week before did not use it less then; four days will do."""
    world.relational.import_robots([robot("r1"), robot("r2")])
    world.sends("r1", open_from(first, 0))
    world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    for kind, id_ in (("robot", "r1"), ("customer", "Museum")):
        found = world.relational.scores.one(kind, id_)  # type: ignore[arg-type]
        assert found is not None
        assert found.use["engagement.interactions"] == (560.0, before)


def test_the_past_is_made_up_for_at_once(world: World) -> None:
    """The last week day by day, and the Sundays before, since there are samples."""
    world.relational.import_robots([robot("r1")])
    world.at = MIDNIGHT - 21 * DAY  # Friday, 30 October
    world.sends("r1", open_from(-20, -1))
    days = world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    assert days == ["2026-11-01", "2026-11-08", *(f"2026-11-{day}" for day in range(11, 20))]
    history = world.relational.scores.history("customer", "Museum", "2026-01-01")
    assert [day for day, _ in history] == days


def test_each_zone_is_scored_after_its_own_midnight(world: World) -> None:
    """In Shanghai first; half a day later the other robots have their scores of the same day."""
    world.relational.import_robots([robot("r1"), robot("r2", NEW_YORK)])
    world.sends("r1", open_from(-14, 0))
    world.sends("r2", [hour + 13 for hour in open_from(-14, 0)])
    world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    scores = world.relational.scores
    assert (len(scores.entities("robot", "2026-11-19")), len(scores.entities("customer", "2026-11-19"))) == (
        1,
        0,
    )
    assert [(line.entity, line.day) for line in scores.page().items] == [("Museum", "2026-11-18")]
    assert world.scoring.bring_up_to_date(MIDNIGHT + 13 * HOUR + 1) == ["2026-11-19"]
    later = scores.one("robot", "r2", "2026-11-19")
    assert later is not None
    assert [part.value for part in later.components if part.key == "availability"] == [1.0]
    assert len(scores.entities("customer", "2026-11-19")) == 1


def test_hours_in_which_nobody_listened_count_only_if_heard(world: World) -> None:
    """A silent robot loses its availability; nothing is lost while the collector itself was away."""
    world.relational.import_robots([robot("r1"), robot("r2")])
    world.sends("r1", open_from(-7, -4))
    found = world.scoring
    found.bring_up_to_date(MIDNIGHT + HOUR)
    first = world.relational.scores.one("robot", "r1")
    assert first is not None
    assert (first.silent_days, first.cap and first.cap.reason) == (3, "silent")
    never = world.relational.scores.one("robot", "r2")
    assert never is not None
    assert (never.points, never.reason, never.silent_days) == (None, "coverage", 0)


def test_a_robot_that_was_installed_and_never_heard_is_silent(world: World) -> None:
    """From the day of its installation on, it is expected to be heard."""
    world.relational.import_robots([robot("r1", installed_on="2026-11-15"), robot("r2")])
    world.sends("r2", open_from(-7, -1))
    world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    found = world.relational.scores.one("robot", "r1")
    assert found is not None
    assert found.silent_days == 5


def test_retired_robots_are_not_scored_and_new_ones_wait_an_hour(world: World) -> None:
    """One that comes during the day has its score within the hour."""
    world.relational.import_robots([robot("r1"), robot("r2", lifecycle=Lifecycle.RETIRED)])
    world.sends("r1", open_from(-7, -1))
    assert world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    world.relational.import_robots([robot("r3")])
    assert world.scoring.bring_up_to_date(MIDNIGHT + HOUR + RETRY_MS - 1) == []
    assert world.scoring.bring_up_to_date(MIDNIGHT + HOUR + RETRY_MS) == ["2026-11-18", "2026-11-19"]
    assert world.relational.scores.one("robot", "r3") is not None
    assert world.relational.scores.one("robot", "r2") is None


def test_an_empty_collector_has_nothing_to_score(world: World) -> None:
    """No robots, no scores."""
    assert world.scoring.bring_up_to_date(MIDNIGHT) == []


def test_a_store_that_is_away_leaves_no_half_of_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt makes up for it."""
    world.relational.import_robots([robot("r1")])
    world.sends("r1", open_from(-7, -1))

    def away(*_: object) -> None:
        raise StoreError("away")

    with monkeypatch.context() as patched:
        patched.setattr(DuckStore, "spans", away)
        with pytest.raises(StoreError):
            world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    assert world.relational.scores.days() == set()
    assert world.scoring.bring_up_to_date(MIDNIGHT + HOUR)


def test_days_are_counted_and_written() -> None:
    """From 1970-01-01."""
    assert (counted("1970-01-02"), written(TODAY)) == (1, "2026-11-20")


def test_peers_in_other_zones_count_as_they_were_a_day_before(world: World) -> None:
    """Four robots in Shanghai have eight peers, though the day is not over in New York."""
    zones = [SHANGHAI] * 4 + [NEW_YORK] * 4
    world.relational.import_robots([robot(f"r{row}", tz) for row, tz in enumerate(zones)])
    for row, tz in enumerate(zones):
        world.sends(f"r{row}", [hour + (13 if tz == NEW_YORK else 0) for hour in open_from(-14, -1)])
    world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    found = world.relational.scores.one("robot", "r0")
    assert found is not None
    assert [part.seen["peers"] for part in found.components if part.key == "conversion"] == [8]
    assert len(world.relational.scores.entities("robot", "2026-11-19")) == 4


def test_told_to_end_it_leaves_whole_days_and_goes_on_later(world: World) -> None:
    """The days that are done are answered; the next call makes up for the others."""
    world.relational.import_robots([robot("r1")])
    world.sends("r1", open_from(-20, -1))
    scores = world.relational.scores
    first = world.scoring.bring_up_to_date(MIDNIGHT + HOUR, lambda: len(scores.days()) >= 3)
    assert len(first) == 3
    assert scores.days("customer") == scores.days() == set(first)
    rest = world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    assert rest[-1] == "2026-11-19"
    assert not set(first) & set(rest)


def test_told_to_end_it_reads_no_further(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Portion by portion it looks whether to go on."""
    world.relational.import_robots([robot(f"r{row}") for row in range(4)])
    world.sends("r1", open_from(-3, -1))
    read: list[Sequence[str]] = []
    spans = DuckStore.spans

    def counting(store: DuckStore, ids: Sequence[str], *more: object) -> Spans:
        read.append(ids)
        return spans(store, ids, *more)  # type: ignore[arg-type]

    monkeypatch.setattr("collector.scores.scoring._ROBOTS_AT_ONCE", 1)
    monkeypatch.setattr(DuckStore, "spans", counting)
    assert world.scoring.bring_up_to_date(MIDNIGHT + HOUR, lambda: len(read) >= 2) == []
    assert len(read) == 2
    assert world.scoring.bring_up_to_date(MIDNIGHT + HOUR)


@pytest.mark.parametrize("days", [1, 3])
def test_a_zone_that_an_outage_left_out_is_made_up_for(world: World, days: int) -> None:
    """The collector was away from before midnight in New York until after the next in Shanghai, or longer."""
    world.relational.import_robots([robot("r1"), robot("r2", NEW_YORK)])
    world.sends("r1", open_from(-14, 0))
    world.sends("r2", [hour + 13 for hour in open_from(-14, 0)])
    world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    assert world.relational.scores.entities("robot", "2026-11-19") == {"r1"}
    scored = world.scoring.bring_up_to_date(MIDNIGHT + days * DAY + HOUR)
    assert scored == [f"2026-11-{day}" for day in range(19, 20 + days)]
    assert world.relational.scores.entities("robot", "2026-11-19") == {"r1", "r2"}
    assert world.relational.scores.entities("customer", "2026-11-19") == {"Museum"}
    assert world.scoring.bring_up_to_date(MIDNIGHT + days * DAY + HOUR + RETRY_MS) == []


def test_a_robot_that_takes_the_place_of_another_is_scored(world: World) -> None:
    """As many as there were have a score of the day, but not the same ones."""
    world.relational.import_robots([robot("r1")])
    world.sends("r1", open_from(-7, -1))
    world.scoring.bring_up_to_date(MIDNIGHT + HOUR)
    world.relational.import_robots([robot("r1", lifecycle=Lifecycle.RETIRED), robot("r2")])
    assert world.scoring.bring_up_to_date(MIDNIGHT + HOUR + RETRY_MS)[-1:] == ["2026-11-19"]
    assert world.relational.scores.one("robot", "r2") is not None
