"""Every store keeps what it is given, once and as it was, and gives it back in the same words."""

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pytest

from agent.catalogue import Catalogue, load
from collector.stores import (
    DAY_MS,
    HOUR_MS,
    LATE_MS,
    Commit,
    Contents,
    Delivery,
    Loss,
    Retention,
    Rows,
    Store,
    StoredSample,
    StoreError,
    Watermark,
)
from collector.stores.address import parse_store
from rules.batch import Batch
from rules.recording import Header, read_batches, read_header
from rules.roster import Robot, Roster
from tests.conformance.stores import CATALOGUE, MINUTE, ROSTER, T0, Home, Sender, exported, sample

HEADER = Header(((T0, T0 + 5),), (Robot("r1", {"site": "A 'quoted' one"}), Robot("r2")))
COUNTS = [0, 1, 999, 10**15, 2**53 - 1, 2**53, 2**53 + 1, 2**60 + 1, 2**63 - 1]
VALUES = [0.0, -0.0, 0.1, 1 / 3, -20.5, 1e-7 / 3, 5e-324, 1e14, 1e15 + 0.3, 1.7e308, 0.1 + 0.2, -1e-300]
NAMES = ["plain", "with space", "a,b=c", "back\\", 'quo"te', "中文 机器人", "new\nline", "%41", "%", "x" * 60]


def test_every_field_comes_back_as_it_was(store: Store, sender: Sender) -> None:
    """The largest counters and the finest gauges, and names that no format likes, are what they were."""
    sent = [
        sample(
            place + 1,
            epoch=name,
            boot=NAMES[-1 - place],
            robot_t=0,
            received_at=T0 + place,
            up=place,
            synced=place % 2 == 0,
            corrected=place % 3 == 0,
            counters={"network.disconnects": COUNTS[place % len(COUNTS)], "asr.utterances": place},
            gauges={"network.rtt_ms": VALUES[place % len(VALUES)]},
        )
        for place, name in enumerate(NAMES)
    ]
    sender.send(T0, *sent)
    assert {s.epoch: s for s in store.newest()} == {s.epoch: s for s in sent}
    signs = {s.epoch: np.signbit(s.gauges["network.rtt_ms"]) for s in store.newest()}
    assert signs == {s.epoch: np.signbit(s.gauges["network.rtt_ms"]) for s in sent}
    assert store.contents() == Contents(len(sent), T0, T0)


def test_numbers_of_one_series_do_not_cost_each_other_their_digits(store: Store, sender: Sender) -> None:
    """However far apart the values of a metric are, each comes back exactly."""
    rnd = random.Random(7)
    floats = [*VALUES, *(rnd.uniform(-1, 1) * 10 ** rnd.randint(-12, 18) for _ in range(60))]
    counts = [*COUNTS, *(rnd.randrange(2 ** rnd.randint(1, 63)) for _ in range(60))]
    sent = [
        sample(seq, counters={"network.rx_bytes": count}, gauges={"network.rtt_ms": value})
        for seq, (count, value) in enumerate(zip(sorted(counts), floats, strict=False), 1)
    ]
    sender.send(T0, *sent)
    series = store.series("r1", ["network.rx_bytes", "network.rtt_ms"], T0, T0 + 100 * MINUTE, None)
    assert series.values["network.rx_bytes"] == tuple(s.counters["network.rx_bytes"] for s in sent)
    assert series.values["network.rtt_ms"] == tuple(s.gauges["network.rtt_ms"] for s in sent)


def test_watermarks_and_losses_survive_a_restart(home: Home) -> None:
    """Numbers that came early are kept with the watermark."""
    with closing(home.open()) as first:
        sender = Sender(first)
        sender.send(T0, *(sample(seq) for seq in (1, 2, 3, 4)))
        lost = Loss("r2", "x", 1, 3, 3, "dropped", T0 + 1)
        sender.send(T0 + 1, *(sample(seq) for seq in (6, 7, 9)), losses=[lost])
    with closing(home.open()) as again:
        marks = {("r1", "e1"): Watermark(4, frozenset({6, 7, 9})), ("r2", "x"): Watermark(3)}
        assert again.watermarks() == marks
        assert again.losses() == {"r2": {"dropped": 3}}
        assert again.newest() == [sample(9)]
        assert again.contents() == Contents(7, T0, T0 + 1)


def test_newest_is_by_number_in_each_epoch(store: Store, sender: Sender) -> None:
    """A backlog that comes after a live sample does not replace it as the newest."""
    sender.send(T0, sample(5))
    sender.send(T0 + 1, sample(1), sample(2))
    sender.send(T0 + 2, sample(1, epoch="e2"))
    assert {(s.epoch, s.seq) for s in store.newest()} == {("e1", 5), ("e2", 1)}


def test_losses_are_summed_and_the_newest_told(store: Store, sender: Sender) -> None:
    """Declared losses are kept with their counts; of one robot, the newest fifty are told."""
    losses = [Loss("r1", "e1", n * 10, n * 10 + 9, 7, "dropped", T0 + n) for n in range(1, 61)]
    sender.send(T0, losses=losses)
    sender.send(T0, losses=[Loss("r2", "e1", 30, 30, 1, "refused", T0)])
    assert store.losses() == {"r1": {"dropped": 420}, "r2": {"refused": 1}}
    assert store.delivery("r1", T0).losses == tuple(reversed(losses[-50:]))
    assert store.delivery("r2", T0) == Delivery(losses=(Loss("r2", "e1", 30, 30, 1, "refused", T0),))


def test_delivery_counts_what_was_late_or_corrected(store: Store, sender: Sender) -> None:
    """Of the samples received since a time: how many, how many late, how long at most, and corrected."""
    now = T0 + 5 * 3_600_000
    late, later = LATE_MS + 1, 3 * 3_600_000
    sender.send(
        now,
        sample(1, t=now - later, received_at=now),
        sample(2, t=now - late, received_at=now),
        sample(3, t=now - LATE_MS, received_at=now, corrected=True),
        sample(4, t=now - 10, received_at=now - 1),
        sample(1, robot="r2", t=now, received_at=now, corrected=True),
    )
    found = store.delivery("r1", now)
    assert (found.stored, found.late, found.longest_delay_ms, found.corrected) == (3, 2, later, 1)
    assert store.delivery("nobody", now) == Delivery()


def test_samples_of_one_moment_are_all_kept(store: Store, sender: Sender, tmp_path: Path) -> None:
    """A clock set back, a quick agent: two samples with one event time are two samples."""
    same = [sample(seq, t=T0) for seq in (1, 2, 3)]
    sender.send(T0, *same, sample(1, epoch="e2", t=T0))
    sender.send(T0 + 1, sample(1001, t=T0), sample(4, robot="r2", t=T0))
    assert store.export(tmp_path / "r.parquet", HEADER) == 6
    numbers = [(row["robot"], row["epoch"], row["seq"], row["t"]) for row in exported(tmp_path / "r.parquet")]
    assert len(set(numbers)) == 6
    assert {row[3] for row in numbers} == {T0}


def test_steps_give_increases_and_means(store: Store, sender: Sender) -> None:
    """A counter's point is its increase in the step, a gauge's its mean; None where nothing was heard."""
    rows = [(0, 10, 20.0), (30_000, 13, 30.0), (60_000, 13, 40.0), (180_000, 20, 50.0)]
    samples = [
        sample(seq, t=T0 + offset, counters={"network.disconnects": n}, gauges={"network.rtt_ms": rtt})
        for seq, (offset, n, rtt) in enumerate(rows, 1)
    ]
    sender.send(T0, *samples)
    names = ["network.disconnects", "network.rtt_ms", "vendor.unheard_of"]
    series = store.series("r1", names, T0, T0 + 4 * MINUTE, MINUTE)
    assert series.times == tuple(T0 + step * MINUTE for step in range(4))
    assert series.step_ms == MINUTE
    assert series.values == {
        "network.disconnects": (3.0, 0.0, None, 7.0),
        "network.rtt_ms": (25.0, 40.0, None, 50.0),
        "vendor.unheard_of": (None, None, None, None),
    }


def test_no_increase_across_epochs(store: Store, sender: Sender) -> None:
    """A new epoch is a new base, whatever its counters are."""

    def counted(seq: int, count: int, epoch: str, offset: int) -> StoredSample:
        return sample(seq, epoch=epoch, t=T0 + offset, counters={"network.disconnects": count})

    sender.send(T0, counted(1, 1, "e1", 0), counted(2, 5, "e1", 1000))
    sender.send(T0 + 1, counted(1, 900, "e2", 2000), counted(2, 901, "e2", 3000))
    series = store.series("r1", ["network.disconnects"], T0, T0 + 4000, 4000)
    assert sum(v or 0 for v in series.values["network.disconnects"]) == 5  # 4 in the old epoch, 1 in the new


def test_counter_that_appears_within_an_epoch_began_at_zero(store: Store, sender: Sender) -> None:
    """The first push of a counter is an increase, though the samples before do not have it."""
    appears = [sample(1, t=T0, counters={}), sample(2, t=T0 + 1000, counters={"asr.utterances": 3})]
    sender.send(T0, *appears)
    series = store.series("r1", ["asr.utterances"], T0, T0 + 2000, 2000)
    assert 3.0 in series.values["asr.utterances"]


def test_increase_counts_from_the_last_sample_however_long_ago(store: Store, sender: Sender) -> None:
    """A robot that was off for a week counts on from where it was."""
    before = sample(1, t=T0 - 7 * DAY_MS), sample(2, t=T0 - 7 * DAY_MS + 1)
    sender.send(T0 - 7 * DAY_MS + 2, *before)
    sender.send(T0, sample(9, t=T0))
    series = store.series("r1", ["network.disconnects"], T0, T0 + MINUTE, MINUTE)
    assert series.values["network.disconnects"] == (7.0,)


def test_late_samples_fall_into_their_own_step(store: Store, sender: Sender) -> None:
    """Increases follow the numbers within the epoch, in whatever order they were committed."""
    late = [sample(seq, t=T0 + seq * MINUTE) for seq in (1, 2, 3)]
    sender.send(T0 + 2 * 3_600_000, late[0], late[2])
    sender.send(T0 + 3 * 3_600_000, late[1])
    series = store.series("r1", ["network.disconnects"], T0 + MINUTE, T0 + 4 * MINUTE, MINUTE)
    assert [v for v in series.values["network.disconnects"] if v] == [1.0, 1.0]


def test_without_a_step_points_are_the_samples(store: Store, sender: Sender) -> None:
    """Raw points are cumulative, by event time, and only of the robot and the time asked for."""
    sender.send(T0, sample(1, t=T0), sample(2, t=T0 + 1), sample(3, t=T0 + 10), sample(9, robot="r2", t=T0))
    series = store.series("r1", ["network.disconnects", "network.rtt_ms", "no.such"], T0, T0 + 10, None)
    assert series.times == (T0, T0 + 1)
    rtt = (20.5, 20.5)
    assert series.values == {"network.disconnects": (1, 2), "network.rtt_ms": rtt, "no.such": (None, None)}


@pytest.mark.parametrize("step", [0, -5, 1])
def test_absurd_steps_are_refused(store: Store, step: int) -> None:
    """A step that is none, or gives too many points, is named in one line."""
    with pytest.raises(StoreError, match="longer"):
        store.series("r1", ["network.disconnects"], T0, T0 + 86_400_000, step)


def test_batches_come_commit_by_commit(store: Store, sender: Sender) -> None:
    """One batch a commit from `since` on, rows by robot and number, absent metrics as NaN."""
    sender.send(T0, sample(1))
    sender.send(T0 + 500, sample(2), sample(1, robot="r2", gauges={}), sample(1, robot="unknown"))
    sender.send(T0 + 1000, sample(3))
    batches = list(store.batches(T0 + 1, ROSTER, ["network.disconnects", "network.rtt_ms", "no.such"]))
    assert [b.committed_at for b in batches] == [T0 + 500, T0 + 1000]
    first = batches[0]
    assert first.robot.tolist() == [0, 1]
    assert first.seq.tolist() == [2, 1]
    assert first.t.tolist() == [sample(2).t, sample(1).t]
    assert list(first.epoch) == ["e1", "e1"]
    assert first.values.keys() == {"network.disconnects", "network.rtt_ms"}
    np.testing.assert_array_equal(first.values["network.disconnects"], [2.0, 1.0])
    np.testing.assert_array_equal(first.values["network.rtt_ms"], [20.5, np.nan])


def test_batches_are_read_in_portions(store: Store, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch is lost or cut where one portion ends and the next begins."""
    monkeypatch.setattr("collector.stores.duckdb.batches.ROWS_AT_ONCE", 3)
    monkeypatch.setattr("collector.stores.scanning.ROWS_AT_ONCE", 3)
    for seq in range(1, 20):
        sender.send(T0 + seq * 40_000, sample(seq), sample(seq, robot="r2"))
    batches = list(store.batches(0, ROSTER))
    assert [b.committed_at for b in batches] == [T0 + seq * 40_000 for seq in range(1, 20)]
    assert all(len(b) == 2 for b in batches)


def test_a_fleet_is_told_alike_by_every_store(home: Home, tmp_path: Path) -> None:
    """The same commits give the same batches and the same recording as in DuckDB, whatever was late."""
    reference = Home(parse_store("duckdb"), tmp_path / "reference")
    with closing(home.open()) as store, closing(reference.open()) as other:
        senders = [Sender(store), Sender(other)]
        for at, samples in _fleet(random.Random(11)):
            for sender in senders:
                sender.send(at, *samples)
        for since in (0, T0 + 7 * MINUTE + 3):
            ours, theirs = (list(s.batches(since, ROSTER)) for s in (store, other))
            assert list(map(_words, ours)) == list(map(_words, theirs))
        for name, each in (("ours", store), ("theirs", other)):
            each.export(tmp_path / name, HEADER)
        assert exported(tmp_path / "ours") == exported(tmp_path / "theirs")
        assert store.contents() == other.contents()
        assert sorted(store.newest(), key=repr) == sorted(other.newest(), key=repr)


@pytest.mark.parametrize("step", [None, MINUTE, 7 * MINUTE, 3_600_000])
def test_series_are_told_alike_by_every_store(home: Home, tmp_path: Path, step: int | None) -> None:
    """The same commits give the same plots as in DuckDB, whatever was late."""
    reference = Home(parse_store("duckdb"), tmp_path / "reference")
    names = [*CATALOGUE.counters[:3], *CATALOGUE.gauges[:2], "no.such"]
    with closing(home.open()) as store, closing(reference.open()) as other:
        senders = [Sender(store), Sender(other)]
        for at, samples in _fleet(random.Random(5)):
            for sender in senders:
                sender.send(at, *samples)
        for begin, end in ((T0, T0 + 3_600_000), (T0 + 10 * MINUTE + 1, T0 + 20 * MINUTE)):
            ours, theirs = (s.series("r2", names, begin, end, step) for s in (store, other))
            assert (ours.times, ours.step_ms) == (theirs.times, theirs.step_ms)
            for name in names:
                assert ours.values[name] == pytest.approx(theirs.values[name]), name


def _fleet(rnd: random.Random) -> list[tuple[int, list[StoredSample]]]:
    """Some robots' samples, a commit a minute; some of them come late, in one case by hours."""
    names = [*CATALOGUE.counters[:3], *CATALOGUE.gauges[:2]]
    waiting: list[StoredSample] = []
    commits = []
    counts = {(robot, name): 0 for robot in ("r1", "r2", "r3") for name in names}
    for seq in range(1, 31):
        for robot in ("r1", "r2", "r3"):
            for name in names:
                counts[robot, name] += rnd.randrange(3)
            own = {name: counts[robot, name] for name in names[:3] if rnd.random() < 0.9}
            gauges = {name: rnd.uniform(-100, 100) for name in names[3:] if rnd.random() < 0.9}
            t = T0 + seq * MINUTE - rnd.randrange(2000) - 5 * 3_600_000 * (seq == 9)
            one = sample(seq, robot=robot, t=t, counters=own, gauges=gauges, corrected=rnd.random() < 0.2)
            waiting.append(one)
        now = [one for one in waiting if rnd.random() < 0.7]
        waiting = [one for one in waiting if one not in now]
        if now:
            commits.append((T0 + seq * MINUTE + seq, now))
    return [*commits, (T0 + 40 * MINUTE, waiting)]


def _words(batch: Batch) -> object:
    rows = zip(batch.robot.tolist(), batch.epoch, batch.seq.tolist(), batch.t.tolist(), strict=True)
    values = {name: [repr(v) for v in column.tolist()] for name, column in sorted(batch.values.items())}
    return batch.committed_at, list(rows), values


def test_export_is_a_recording(store: Store, sender: Sender, tmp_path: Path) -> None:
    """What is exported reads as a recording, in commit order."""
    sender.send(T0 + 1, sample(2))
    sender.send(T0 + 2, sample(1))
    path = tmp_path / "out.parquet"
    assert store.export(path, HEADER) == 2
    assert read_header(path) == HEADER
    assert [b.seq.tolist() for b in read_batches(path, ROSTER)] == [[2], [1]]
    assert [file for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_export_to_nowhere_says_so(store: Store, sender: Sender, tmp_path: Path) -> None:
    """One line names the file."""
    sender.send(T0, sample(1))
    with pytest.raises(StoreError, match="there-is-none") as raised:
        store.export(tmp_path / "there-is-none" / "out.parquet", HEADER)
    assert "\n" not in str(raised.value)


def test_recording_is_taken_once(home: Home, store: Store, sender: Sender, tmp_path: Path) -> None:
    """An import keeps commit times and sets watermarks; the second time, everything is a duplicate."""
    for seq in (1, 2, 3, 5):
        sender.send(T0 + seq, sample(seq, counters={"network.rx_bytes": 2**53 + seq}))
    path = tmp_path / "r.parquet"
    store.export(path, HEADER)
    with closing(home.beside("other").open()) as other:
        assert other.first_new(path) == T0 + 1
        imported = other.take(path)
        assert (imported.added, imported.duplicates) == (4, 0)
        assert other.watermarks() == {("r1", "e1"): Watermark(3, frozenset({5}))}
        assert other.newest() == store.newest()
        again = other.take(path)
        assert (again.added, again.duplicates) == (0, 4)
        assert other.first_new(path) is None
        assert [b.committed_at for b in other.batches(0, ROSTER)] == [T0 + seq for seq in (1, 2, 3, 5)]
        assert other.contents() == Contents(4, T0 + 1, T0 + 5)
        other.export(tmp_path / "again.parquet", HEADER)
    assert exported(tmp_path / "again.parquet") == exported(path)


def test_recording_is_taken_in_portions(
    home: Home, store: Store, sender: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backlog in a later portion is no newer than what came before it, and nothing is taken twice."""
    monkeypatch.setattr("collector.stores.recordings.ROWS_AT_ONCE", 2)
    sender.send(T0 + 1, sample(1), sample(6))
    sender.send(T0 + 2, sample(2), sample(3), sample(1, robot="r2"))
    sender.send(T0 + 3, sample(4))
    store.export(tmp_path / "r.parquet", HEADER)
    with closing(home.beside("other").open()) as other:
        assert other.take(tmp_path / "r.parquet").added == 6
        assert other.watermarks()["r1", "e1"] == Watermark(4, frozenset({6}))
        assert sorted(other.newest(), key=repr) == [sample(6), sample(1, robot="r2")]
        assert [b.seq.tolist() for b in other.batches(0, ROSTER)] == [[1, 6], [2, 3, 1], [4]]


def test_life_goes_on_after_an_import(home: Home, store: Store, sender: Sender, tmp_path: Path) -> None:
    """What is appended after a recording was taken is stored beside it."""
    sender.send(T0, sample(1), sample(2))
    store.export(tmp_path / "r.parquet", HEADER)
    with closing(home.beside("other").open()) as other:
        other.take(tmp_path / "r.parquet")
        after = Sender(other, {("r1", "e1"): {1, 2}})
        after.send(T0 + 1000, sample(3))
        assert [b.seq.tolist() for b in other.batches(0, ROSTER)] == [[1, 2], [3]]


def test_recording_with_bad_rows_is_refused_whole(home: Home, sender: Sender, tmp_path: Path) -> None:
    """Rows without identity are counted in one line, and nothing is taken."""
    sender.send(T0, sample(1), sample(2))
    sender.store.export(tmp_path / "r.parquet", HEADER)
    bad = tmp_path / "bad.parquet"
    duckdb.execute(
        f"COPY (SELECT * REPLACE (CASE WHEN seq = 2 THEN 'no robot!' ELSE robot END AS robot) "
        f"FROM read_parquet('{tmp_path / 'r.parquet'}')) TO '{bad}'"
    )
    with closing(home.beside("other").open()) as other:
        with pytest.raises(StoreError, match="1 samples lack an identity"):
            other.take(bad)
        assert other.contents().samples == 0


def test_columns_that_no_catalogue_knows_are_named(home: Home, sender: Sender, tmp_path: Path) -> None:
    """A recording's unknown metrics are not taken, and said to be so."""
    sender.send(T0, sample(1))
    sender.store.export(tmp_path / "r.parquet", HEADER)
    more = tmp_path / "more.parquet"
    grown = f"SELECT *, 7::BIGINT AS \"arm.grasps\" FROM read_parquet('{tmp_path / 'r.parquet'}')"
    duckdb.execute(f"COPY ({grown}) TO '{more}'")
    with closing(home.beside("other").open()) as other:
        imported = other.take(more)
        assert (imported.added, imported.ignored) == (1, ("arm.grasps",))
        assert other.newest() == [sample(1)]


def _vendor(folder: Path, body: str) -> Catalogue:
    path = folder / "vendor.yaml"
    head = "schema: robovitals-catalogue/1\nsubsystems:\n  arm:\n    label: {en: Arm, zh: 机械臂}\n"
    path.write_text(f"{head}    {body}\n", encoding="utf-8")
    return load(path)


def test_catalogue_that_grows_adds_metrics(home: Home, tmp_path: Path) -> None:
    """A vendor's metrics are stored; older samples do not have them."""
    with closing(home.open()) as before:
        Sender(before).send(T0, sample(1))
    catalogue = _vendor(tmp_path, "counters: {grasps: {unit: '', en: Grasps, zh: 抓取}}")
    with closing(home.open(catalogue)) as store:
        grown = sample(2, counters={"arm.grasps": 4})
        store.append(Commit(T0 + 1, Rows.of([grown], catalogue), watermarks={("r1", "e1"): Watermark(2)}))
        assert store.newest() == [grown]
        series = store.series("r1", ["arm.grasps"], T0, T0 + 10 * MINUTE, None)
        assert series.values == {"arm.grasps": (None, 4)}


def test_metric_that_changed_its_kind_is_refused(home: Home, tmp_path: Path) -> None:
    """A counter cannot become a gauge on the same data."""
    home.open(_vendor(tmp_path, "counters: {x: {en: X, zh: X}}")).close()
    with pytest.raises(StoreError, match=r"arm\.x is a gauge"):
        home.open(_vendor(tmp_path, "gauges: {x: {en: X, zh: X}}"))


def test_what_is_past_retention_is_no_longer_told(store: Store, sender: Sender) -> None:
    """Old commits leave the batches; watermarks stay, so that nothing comes twice."""
    sender.send(T0 - 10 * DAY_MS, sample(1, t=T0 - 10 * DAY_MS))
    sender.send(T0, sample(2, t=T0))
    store.maintain(T0 + 1, Retention(samples_ms=2 * DAY_MS))
    assert [b.seq.tolist() for b in store.batches(0, ROSTER)] == [[2]]
    assert store.watermarks() == {("r1", "e1"): Watermark(2)}
    assert store.newest() == [sample(2, t=T0)]


_APPENDER = """
import sys
from pathlib import Path
from collector.stores.address import parse_store
from tests.conformance.stores import Home, Sender, T0, sample
store = Home(parse_store(sys.argv[1]), Path(sys.argv[2])).open()
seq = max((mark.until for mark in store.watermarks().values()), default=0)
sender = Sender(store, {("r1", "e1"): set(range(1, seq + 1))})
while True:
    sender.send(T0 + seq * 1000, *(sample(seq + n, t=T0 + (seq + n) * 1000) for n in range(1, 21)))
    seq += 20
    print(seq, flush=True)
"""


def test_kill_9_in_the_middle_of_appending_loses_and_doubles_nothing(home: Home) -> None:
    """After a kill at whatever instant, the samples and the watermark agree, and nothing told is missing."""
    arguments = [sys.executable, "-c", _APPENDER, str(home.address), str(home.folder)]
    for round_ in range(4):
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(5)]
        time.sleep(0.009 * round_)
        child.send_signal(signal.SIGKILL)
        told += child.stdout.readlines()
        child.wait()
        complete = [int(line) for line in told if line.endswith("\n")]
        with closing(home.open()) as store:
            until = store.watermarks()["r1", "e1"].until
            numbers = np.sort(np.concatenate([b.seq for b in store.batches(0, Roster([Robot("r1")]))]))
            np.testing.assert_array_equal(numbers, np.arange(1, until + 1))
            assert until >= complete[-1]


def test_spans_of_many_robots_are_the_sums_of_their_hours(store: Store) -> None:
    """Out of order, through epochs, from roll-ups and samples alike: as `series` by the hour has it."""
    rnd, sender, robots = random.Random(3), Sender(store), ["r2", "nobody", "r1"]
    metrics = ["network.disconnects", "asr.utterances"]
    sent = [
        sample(
            seq, robot=robot, epoch=epoch, t=T0 + (part * 30 + seq) * HOUR_MS + 7 * MINUTE, counters=counters
        )
        for robot in ("r1", "r2")
        for part, epoch in enumerate(("e1", "e2"))
        for seq in range(1, 25)
        if (counters := {"network.disconnects": seq * seq} | ({"asr.utterances": seq} if seq > 9 else {}))
    ]
    rnd.shuffle(sent)
    bounds = [T0 + hour * HOUR_MS for hour in (3, 27, 28, 52, 60)]
    for number, few in enumerate((sent[:60], sent[60:])):
        sender.send(T0 + number, *few)
        _agree_with_hours(store, robots, metrics, bounds)
        store.maintain(T0 + 3 * DAY_MS, Retention(None, None, None))
        _agree_with_hours(store, robots, metrics, bounds)


def _agree_with_hours(store: Store, robots: list[str], metrics: list[str], bounds: list[int]) -> None:
    found = store.spans(robots, [*metrics, "no.such"], bounds)
    assert np.isnan(found.increases["no.such"]).all()
    for row, robot in enumerate(robots):
        for span, (begin, end) in enumerate(pairwise(bounds)):
            hourly = store.series(robot, metrics, begin, end, HOUR_MS)
            for name in metrics:
                known = [value for value in hourly.values[name] if value is not None]
                assert found.increases[name][row, span] == pytest.approx(
                    sum(known) if known else np.nan, nan_ok=True
                )
            times = store.series(robot, [], begin, end, None).times
            assert found.hours[row, span] == sum({1 << (time - begin) // HOUR_MS for time in times})


@pytest.mark.parametrize("bounds", [[], [0], [0, 1], [0, 0], [HOUR_MS, 0], [0, 63 * HOUR_MS]])
def test_bounds_that_make_no_spans_are_refused(store: Store, bounds: list[int]) -> None:
    """Spans begin and end at whole hours, in order, and are not too long for their hours to be told."""
    with pytest.raises(StoreError):
        store.spans(["r1"], [], bounds)
