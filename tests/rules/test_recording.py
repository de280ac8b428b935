"""Recordings: written, read, and refused."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray

from rules.recording import (
    Header,
    Recording,
    RecordingError,
    Writer,
    metrics,
    read_batches,
    read_header,
)
from rules.roster import Robot, Roster

ROBOTS = (Robot("r1", {"site": "It's 展馆", "floors": 3.0}), Robot("r2"))
HEADER = Header(((0, 500), (700, 900)), ROBOTS)


def rows(
    robot: list[str], seq: list[int], committed_at: list[int], drops: list[float]
) -> dict[str, NDArray[Any]]:
    """Columns of a recording."""
    count = len(robot)
    times = np.array(committed_at, dtype=np.int64)
    return {
        "robot": np.array(robot),
        "epoch": np.array(["e"] * count),
        "seq": np.array(seq, dtype=np.int64),
        "t": times - 5,
        "robot_t": times - 6,
        "received_at": times - 1,
        "committed_at": times,
        "up": times,
        "boot": np.array(["b"] * count),
        "synced": np.ones(count, dtype=np.bool_),
        "corrected": np.zeros(count, dtype=np.bool_),
        "network.disconnects": np.array(drops),
        "network.rtt_ms": np.array([1.5] * count),
    }


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Five samples in three commits, written in two chunks out of order."""
    path = tmp_path / "fleet.parquet"
    with Writer(path, counters=["network.disconnects"], gauges=["network.rtt_ms", "asr.up"]) as writer:
        writer.write(rows(["r2", "r1"], [1, 2], [200, 200], [7, np.nan]))
        writer.write(rows(["r1", "r2", "r1"], [1, 2, 3], [100, 300, 300], [2**53 - 1, 8, 9]))
        assert writer.finish(HEADER) == 5
    return path


def test_header_comes_back(recording: Path) -> None:
    """Listening times, and robots with all their attributes."""
    assert read_header(recording) == HEADER
    assert metrics(recording) == ("network.disconnects", "network.rtt_ms", "asr.up")


@pytest.mark.parametrize("portion", [1, 2, 1_000])
def test_batches_come_in_order_of_commit(recording: Path, portion: int) -> None:
    """One a commit time, whatever portion is read at once; what a sample lacks is NaN."""
    batches = list(read_batches(recording, Roster(ROBOTS), rows=portion))
    assert [batch.committed_at for batch in batches] == [100, 200, 300]
    assert [batch.robot.tolist() for batch in batches] == [[0], [0, 1], [0, 1]]
    assert [batch.seq.tolist() for batch in batches] == [[1], [2, 1], [3, 2]]
    assert batches[0].values["network.disconnects"].tolist() == [2**53 - 1]
    assert np.isnan(batches[1].values["network.disconnects"]).tolist() == [True, False]
    assert np.isnan(batches[2].values["asr.up"]).all()
    assert batches[2].t.tolist() == [295, 295]


def test_only_the_metrics_asked_for(recording: Path) -> None:
    """Others are not read; one that the file lacks is left out."""
    batches = list(read_batches(recording, Roster(ROBOTS), metrics=["network.rtt_ms", "nlp.queries"]))
    assert {name for batch in batches for name in batch.values} == {"network.rtt_ms"}


def test_the_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """A writer that is not finished leaves nothing behind."""
    with Writer(tmp_path / "fleet.parquet", counters=[], gauges=[]):
        pass
    assert not list(tmp_path.iterdir())


def test_bad_files_are_told_in_one_line(tmp_path: Path, recording: Path) -> None:
    """No file, no Parquet, no recording, robots nobody knows: each with the path."""
    text, other = tmp_path / "text.parquet", tmp_path / "other.parquet"
    text.write_text("hello", encoding="utf-8")
    duckdb.execute(f"COPY (SELECT 1 AS one) TO '{other}' (FORMAT parquet)")
    for path in (tmp_path / "none.parquet", tmp_path, tmp_path / "*.parquet", text, other):
        with pytest.raises(RecordingError) as caught:
            read_header(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    with pytest.raises(RecordingError, match="no column 'robot'"):
        list(read_batches(other, Roster()))
    with pytest.raises(RecordingError, match="robot 'r2' is not in the roster"):
        list(read_batches(recording, Roster(ROBOTS[:1])))
    with pytest.raises(RecordingError, match="is a folder; name a file in it"):
        Writer(tmp_path, counters=(), gauges=()).__enter__()


def test_rows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """A column too few or too many is named."""
    with Writer(tmp_path / "fleet.parquet", counters=[], gauges=[]) as writer:
        with pytest.raises(RecordingError, match="no column 'seq'"):
            writer.write(
                {name: column for name, column in rows(["r1"], [1], [1], [1]).items() if name != "seq"}
            )
        with pytest.raises(RecordingError, match=r"'network\.disconnects' was not announced"):
            writer.write(rows(["r1"], [1], [1], [1]))


def test_portions_outlive_their_reading(tmp_path: Path) -> None:
    """What was read stays as it was, also when the file is closed and memory is used again."""
    path, count = tmp_path / "long.parquet", 300_000
    with Writer(path, counters=["network.disconnects"], gauges=["network.rtt_ms"]) as writer:
        writer.write(
            rows(["r1"] * count, list(range(count)), list(range(1_000, 1_000 + count)), [*range(count)])
        )
        writer.finish(HEADER)
    portions = list(Recording(path).portions(Roster(ROBOTS)))
    _scribbled = [np.full(100_000, -1.0) for _ in range(20)]
    drops = np.concatenate([portion.values["network.disconnects"] for portion in portions])
    committed = np.concatenate([portion.committed_at for portion in portions])
    assert np.array_equal(drops, np.arange(count))
    assert np.array_equal(committed, np.arange(count) + 1_000)


@pytest.mark.parametrize("size", [1, 2, 1_000])
def test_portions_number_robots_and_epochs(recording: Path, size: int) -> None:
    """Every row has its robot's row in the roster and its epoch's place; a commit may be in two portions."""
    portions = list(Recording(recording).portions(Roster(ROBOTS[::-1]), ["asr.up"], rows=size))
    assert [row for portion in portions for row in portion.robot.tolist()] == [1, 1, 0, 1, 0]
    assert {portion.epochs[code] for portion in portions for code in portion.epoch} == {"e"}
    assert [at for portion in portions for at in portion.committed_at.tolist()] == [100, 200, 200, 300, 300]
    assert all(list(portion.values) == ["asr.up"] and len(portion) <= size for portion in portions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("SELECT * REPLACE (CASE WHEN seq = 2 THEN NULL ELSE t END AS t)", "row 2: column 't' has no value"),
        (
            "SELECT * REPLACE (CASE WHEN seq = 3 THEN 'r9' ELSE robot END AS robot)",
            "row 4: robot 'r9' is not",
        ),
        (
            "SELECT * REPLACE (CASE WHEN seq = 3 THEN NULL ELSE robot END AS robot)",
            "row 4: column 'robot' has",
        ),
        ("SELECT * REPLACE (seq::VARCHAR AS seq)", "column 'seq' is VARCHAR, not BIGINT"),
        ("SELECT * REPLACE ('x' AS \"asr.up\")", "column 'asr.up' is VARCHAR, not BIGINT or"),
        ("SELECT * EXCLUDE (epoch)", "not a recording: no column 'epoch'"),
        ("SELECT * REPLACE (1000 - committed_at AS committed_at)", "row 2: out of order; rows go by"),
        ("SELECT * REPLACE (-seq AS seq, 7::BIGINT AS committed_at, 'r1' AS robot)", "row 2: out of order"),
    ],
)
@pytest.mark.parametrize("size", [1, 1_000])
def test_rows_that_no_collector_wrote(recording: Path, change: str, message: str, size: int) -> None:
    """Told by file, row and column, whatever is read at once."""
    broken = recording.with_name("broken.parquet")
    duckdb.execute(f"COPY ({change} FROM read_parquet('{recording}')) TO '{broken}' (FORMAT parquet)")
    with pytest.raises(RecordingError) as caught:
        list(read_batches(broken, Roster(ROBOTS), rows=size))
    assert str(caught.value).startswith(f"{broken}: {message}")


def test_a_robot_stands_once_in_the_header(tmp_path: Path) -> None:
    """A header that names a robot twice is damaged."""
    with Writer(tmp_path / "twice.parquet", counters=[], gauges=[]) as writer:
        writer.finish(Header((), (Robot("r1"), Robot("r1"))))
    with pytest.raises(RecordingError, match="a robot stands in it twice"):
        read_header(tmp_path / "twice.parquet")
