"""Recordings: written, read, and refused."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray

from rules.recording import Header, RecordingError, Writer, metrics, read_batches, read_header
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
