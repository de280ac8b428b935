"""The store: what is appended is there once, and as it was."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from agent.catalogue import Catalogue, load
from collector.stores import Commit, Contents, Loss, StoreError, Watermark
from collector.stores.duckdb import DuckStore
from rules.recording import Header, read_batches, read_header
from rules.roster import Robot, Roster
from tests.collector.ingest.examples import CATALOGUE, NOW, commit, sample

ROSTER = Roster([Robot("r1"), Robot("r2")])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckStore]:
    opened = DuckStore(tmp_path / "samples.duckdb", CATALOGUE)
    yield opened
    opened.close()


def test_appended_samples_are_found_as_they_were(store: DuckStore) -> None:
    """Every field survives; a metric that a sample does not have stays away."""
    taken = sample(7, counters={"network.disconnects": 2**60}, gauges={"network.up": 1.0})
    store.append(commit([taken], NOW))
    assert store.newest() == [taken]
    assert store.contents() == Contents(1, NOW, NOW)


def test_watermarks_survive_a_restart(tmp_path: Path) -> None:
    """Numbers that came early are kept with the watermark."""
    mark = Watermark(4, frozenset({6, 7, 9}))
    first = DuckStore(tmp_path / "s.duckdb", CATALOGUE)
    first.append(Commit(NOW, [sample(4)], watermarks={("r1", "e1"): Watermark(4)}))
    first.append(Commit(NOW + 1, [sample(9)], watermarks={("r1", "e1"): mark, ("r2", "x"): Watermark(3)}))
    first.close()
    again = DuckStore(tmp_path / "s.duckdb", CATALOGUE)
    assert again.watermarks() == {("r1", "e1"): mark, ("r2", "x"): Watermark(3)}
    again.close()


def test_newest_is_by_number_in_each_epoch(store: DuckStore) -> None:
    """A backlog that comes after a live sample does not replace it as the newest."""
    store.append(commit([sample(5)], NOW))
    store.append(commit([sample(1), sample(2)], NOW + 1))
    store.append(commit([sample(1, epoch="e2")], NOW + 2))
    assert {(s.epoch, s.seq) for s in store.newest()} == {("e1", 5), ("e2", 1)}


def test_losses_are_summed_by_robot_and_reason(store: DuckStore) -> None:
    """Declared losses are kept with their counts."""
    losses = [
        Loss("r1", "e1", 1, 10, 10, "dropped", NOW),
        Loss("r1", "e1", 20, 29, 7, "dropped", NOW),
        Loss("r1", "e1", 30, 30, 1, "refused", NOW),
    ]
    store.append(Commit(NOW, losses=losses))
    assert store.losses() == {"r1": {"dropped": 17, "refused": 1}}


def test_failed_commit_leaves_nothing(store: DuckStore) -> None:
    """Whatever goes wrong, samples and watermarks are stored together or not at all; the next one works."""
    too_large = sample(1, counters={"network.disconnects": 2**70})
    with pytest.raises(OverflowError):
        store.append(commit([too_large], NOW))
    assert store.contents().samples == 0
    assert store.watermarks() == {}
    store.append(commit([sample(1)], NOW))
    assert store.contents().samples == 1


def test_steps_give_increases_and_means(store: DuckStore) -> None:
    """A counter's point is its increase in the step, a gauge's its mean; None where nothing was heard."""
    minute = NOW - NOW % 60_000
    rows = [(0, 10, 20.0), (30_000, 13, 30.0), (60_000, 13, 40.0), (180_000, 20, 50.0)]
    samples = [
        sample(
            seq,
            t=minute + offset,
            counters={"network.disconnects": count},
            gauges={"network.rtt_ms": rtt},
        )
        for seq, (offset, count, rtt) in enumerate(rows, 1)
    ]
    store.append(commit(samples, NOW))
    names = ["network.disconnects", "network.rtt_ms", "vendor.unheard_of"]
    series = store.series("r1", names, minute, minute + 240_000, 60_000)
    assert series.times == tuple(minute + i * 60_000 for i in range(4))
    assert series.values == {
        "network.disconnects": (3.0, 0.0, None, 7.0),
        "network.rtt_ms": (25.0, 40.0, None, 50.0),
        "vendor.unheard_of": (None, None, None, None),
    }


def test_no_increase_across_epochs(store: DuckStore) -> None:
    """A new epoch is a new base, whatever its counters are."""
    store.append(
        commit([sample(1, t=NOW), sample(2, t=NOW + 1000, counters={"network.disconnects": 5})], NOW)
    )
    fresh = [
        sample(1, epoch="e2", t=NOW + 2000, counters={"network.disconnects": 900}),
        sample(2, epoch="e2", t=NOW + 3000, counters={"network.disconnects": 901}),
    ]
    store.append(commit(fresh, NOW + 1))
    series = store.series("r1", ["network.disconnects"], NOW, NOW + 4000, 4000)
    assert sum(v or 0 for v in series.values["network.disconnects"]) == 5  # 4 in the old epoch, 1 in the new


def test_counter_that_appears_within_an_epoch_began_at_zero(store: DuckStore) -> None:
    """The first push of a counter is an increase, though the samples before do not have it."""
    store.append(
        commit([sample(1, t=NOW, counters={}), sample(2, t=NOW + 1000, counters={"asr.utterances": 3})], NOW)
    )
    series = store.series("r1", ["asr.utterances"], NOW, NOW + 2000, 2000)
    assert 3.0 in series.values["asr.utterances"]


def test_late_samples_fall_into_their_own_step(store: DuckStore) -> None:
    """Increases follow the numbers within the epoch, in whatever order they were committed."""
    late = [sample(1, t=NOW), sample(2, t=NOW + 60_000), sample(3, t=NOW + 120_000)]
    store.append(commit([late[0], late[2]], NOW))
    store.append(commit([late[1]], NOW + 1))
    begin = NOW - NOW % 60_000
    series = store.series("r1", ["network.disconnects"], begin, begin + 180_000, 60_000)
    assert [v for v in series.values["network.disconnects"] if v] == [1.0, 1.0]


def test_without_a_step_points_are_the_samples(store: DuckStore) -> None:
    """Raw points are cumulative, by event time, and only of the robot asked for."""
    store.append(commit([sample(1, t=NOW), sample(2, t=NOW + 1)], NOW))
    store.append(commit([sample(9, robot="r2", t=NOW)], NOW))
    series = store.series("r1", ["network.disconnects"], NOW, NOW + 10, None)
    assert series.times == (NOW, NOW + 1)
    assert series.values == {"network.disconnects": (1, 2)}


@pytest.mark.parametrize("step", [0, -5, 1])
def test_absurd_steps_are_refused(store: DuckStore, step: int) -> None:
    """A step that is none, or gives too many points, is named in one line."""
    with pytest.raises(StoreError, match="longer"):
        store.series("r1", ["network.disconnects"], NOW, NOW + 86_400_000, step)


def test_batches_come_commit_by_commit(store: DuckStore) -> None:
    """One batch a commit from `since` on, rows by robot and number, absent metrics as NaN."""
    store.append(commit([sample(1)], NOW))
    store.append(commit([sample(2), sample(1, robot="r2", gauges={})], NOW + 500))
    store.append(commit([sample(3)], NOW + 1000))
    batches = list(store.batches(NOW + 1, ROSTER, ["network.disconnects", "network.rtt_ms", "no.such"]))
    assert [b.committed_at for b in batches] == [NOW + 500, NOW + 1000]
    first = batches[0]
    assert first.robot.tolist() == [0, 1]
    assert first.seq.tolist() == [2, 1]
    assert list(first.epoch) == ["e1", "e1"]
    assert first.values.keys() == {"network.disconnects", "network.rtt_ms"}
    np.testing.assert_array_equal(first.values["network.disconnects"], [2.0, 1.0])
    np.testing.assert_array_equal(first.values["network.rtt_ms"], [20.5, np.nan])


def test_batches_are_read_in_portions(store: DuckStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch is lost or cut where one portion ends and the next begins."""
    monkeypatch.setattr("collector.stores.duckdb.batches.ROWS_AT_ONCE", 3)
    for seq in range(1, 20):
        store.append(commit([sample(seq), sample(seq, robot="r2")], NOW + seq * 40_000))
    batches = list(store.batches(0, ROSTER))
    assert [b.committed_at for b in batches] == [NOW + seq * 40_000 for seq in range(1, 20)]
    assert all(len(b) == 2 for b in batches)


def test_catalogue_that_grows_adds_columns(tmp_path: Path) -> None:
    """A vendor's metrics get columns; older samples do not have them."""
    DuckStore(tmp_path / "s.duckdb", CATALOGUE).close()
    extra = tmp_path / "vendor.yaml"
    extra.write_text(
        "schema: robovitals-catalogue/1\nsubsystems:\n  arm:\n    label: {en: Arm, zh: 机械臂}\n"
        "    counters: {grasps: {unit: '', en: Grasps, zh: 抓取}}\n"
    )
    store = DuckStore(tmp_path / "s.duckdb", load(extra))
    store.append(commit([sample(1, counters={"arm.grasps": 4})], NOW))
    assert store.newest()[0].counters == {"arm.grasps": 4}
    store.close()


def test_metric_that_changed_its_kind_is_refused(tmp_path: Path) -> None:
    """A counter cannot become a gauge on the same data."""
    catalogue = "schema: robovitals-catalogue/1\nsubsystems:\n  arm:\n    label: {en: Arm, zh: 臂}\n    %s\n"

    def vendor(body: str) -> Catalogue:
        (tmp_path / "v.yaml").write_text(catalogue % body)
        return load(tmp_path / "v.yaml")

    DuckStore(tmp_path / "s.duckdb", vendor("counters: {x: {en: X, zh: X}}")).close()
    with pytest.raises(StoreError, match=r"arm\.x is a gauge"):
        DuckStore(tmp_path / "s.duckdb", vendor("gauges: {x: {en: X, zh: X}}"))


def test_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "s.duckdb").write_bytes(b"no database at all" * 500)
    with pytest.raises(StoreError, match=r"s\.duckdb: ") as raised:
        DuckStore(tmp_path / "s.duckdb", CATALOGUE)
    assert "\n" not in str(raised.value)


def test_export_is_a_recording(store: DuckStore, tmp_path: Path) -> None:
    """What is exported reads as a recording, in commit order."""
    store.append(commit([sample(2)], NOW + 1))
    store.append(commit([sample(1)], NOW + 2))
    header = Header(((NOW, NOW + 5),), (Robot("r1", {"site": "A 'quoted' one"}), Robot("r2")))
    path = tmp_path / "out.parquet"
    assert store.export(path, header) == 2
    assert read_header(path) == header
    assert [b.seq.tolist() for b in read_batches(path, ROSTER)] == [[2], [1]]
    assert not list(tmp_path.glob(".out*"))


def test_recording_is_taken_once(store: DuckStore, tmp_path: Path) -> None:
    """An import keeps commit times and sets watermarks; the second time, everything is a duplicate."""
    for seq in (1, 2, 3, 5):
        store.append(commit([sample(seq)], NOW + seq))
    store.export(tmp_path / "r.parquet", Header((), (Robot("r1"),)))
    other = DuckStore(tmp_path / "other.duckdb", CATALOGUE)
    imported = other.take(tmp_path / "r.parquet")
    assert (imported.added, imported.duplicates) == (4, 0)
    assert other.watermarks() == {("r1", "e1"): Watermark(3, frozenset({5}))}
    assert other.newest() == [sample(5)]
    again = other.take(tmp_path / "r.parquet")
    assert (again.added, again.duplicates) == (0, 4)
    assert [b.committed_at for b in other.batches(0, ROSTER)] == [NOW + seq for seq in (1, 2, 3, 5)]
    other.close()


def test_recording_with_bad_rows_is_refused_whole(store: DuckStore, tmp_path: Path) -> None:
    """Rows without identity are counted in one line, and nothing is taken."""
    store.append(commit([sample(1), sample(2)], NOW))
    store.export(tmp_path / "r.parquet", Header((), (Robot("r1"),)))
    bad = tmp_path / "bad.parquet"
    duckdb.execute(
        f"COPY (SELECT * REPLACE (CASE WHEN seq = 2 THEN 'no robot!' ELSE robot END AS robot) "
        f"FROM read_parquet('{tmp_path / 'r.parquet'}')) TO '{bad}'"
    )
    other = DuckStore(tmp_path / "other.duckdb", CATALOGUE)
    with pytest.raises(StoreError, match="1 samples lack an identity"):
        other.take(bad)
    assert other.contents().samples == 0
    other.close()


_APPENDER = """
import sys
from collector.stores.duckdb import DuckStore
from pathlib import Path
from tests.collector.ingest.examples import CATALOGUE, NOW, commit, sample
store = DuckStore(Path(sys.argv[1]), CATALOGUE)
seq = max((mark.until for mark in store.watermarks().values()), default=0)
while True:
    batch = [sample(seq + n) for n in range(1, 21)]
    store.append(commit(batch, NOW + seq))
    seq += 20
    print(seq, flush=True)
"""


def test_kill_9_in_the_middle_of_appending_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """After a kill at whatever instant, the samples and the watermark agree, and nothing told is missing."""
    path = tmp_path / "s.duckdb"
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", _APPENDER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(5)]
        time.sleep(0.013)
        child.send_signal(signal.SIGKILL)
        told += child.stdout.readlines()
        child.wait()
        complete = [int(line) for line in told if line.endswith("\n")]
        store = DuckStore(path, CATALOGUE)
        until = store.watermarks()["r1", "e1"].until
        numbers = np.sort(np.concatenate([b.seq for b in store.batches(0, ROSTER)]))
        np.testing.assert_array_equal(numbers, np.arange(1, until + 1))
        assert until >= complete[-1]
        store.close()
