"""Upkeep beside appending: settling, retention, folding; kill -9 at any instant; files of version 1."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np
import pytest

from collector.stores import MAX_LOSSES, Commit, Delivery, Loss, Retention, Watermark
from collector.stores.duckdb import DuckStore, upkeep, watermarks
from rules.recording import Header, read_batches
from rules.roster import Robot, Roster
from tests.collector.stores.fleet import CATALOGUE, DAY, HOUR, START, commit, count, maintained, sample

ROSTER = Roster([Robot("r1"), Robot("r2")])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckStore]:
    with closing(DuckStore(tmp_path / "s.duckdb", CATALOGUE)) as opened:
        yield opened


def numbers(store: DuckStore, robot: str = "r1") -> list[int]:
    """Which samples of a robot are there, as a rebuilt engine sees them."""
    batches = store.batches(0, Roster([Robot(robot)]))
    return sorted(int(seq) for batch in batches for seq in batch.seq)


def test_settled_samples_read_as_before(store: DuckStore, tmp_path: Path) -> None:
    """Order of commits, points, newest, contents and export do not tell where a sample lies."""

    def seen() -> list[object]:
        store.export(tmp_path / "r.parquet", Header((), (Robot("r1"), Robot("r2"))))
        exported = read_batches(tmp_path / "r.parquet", ROSTER)
        batches = store.batches(START + 1, ROSTER)
        return [
            [(b.committed_at, b.robot.tolist(), b.seq.tolist()) for b in (*batches, *exported)],
            store.series("r1", ["a.x", "a.g"], START, START + DAY, None),
            sorted(store.newest(), key=lambda s: s.robot),
            store.contents(),
            store.delivery("r1", START),
        ]

    for at in range(4):
        samples = [sample(at + 1, START + at, at, 0.5, robot=robot) for robot in ("r2", "r1")]
        store.append(commit(samples, START + at))
    before = seen()
    maintained(store, START)
    assert count(store, "fresh") == 0
    assert seen() == before
    store.append(commit([sample(5, START + 5, 9)], START + 5))
    assert numbers(store) == [1, 2, 3, 4, 5]


def test_samples_go_after_their_time_and_nothing_else(store: DuckStore, tmp_path: Path) -> None:
    """Retention is by the time of commit; watermarks, losses, and everything younger stay as they were."""
    loss = Loss("r1", "e1", 7, 9, 3, "dropped", START)
    store.append(Commit(START, losses=[loss]))
    for day in range(4):
        store.append(commit([sample(day + 1, START + day * DAY, day)], START + day * DAY))
    store.maintain(START + 4 * DAY, Retention(2 * DAY, None, None))
    assert numbers(store) == [3, 4]
    assert store.watermarks() == {("r1", "e1"): Watermark(4)}
    assert store.losses() == {"r1": {"dropped": 3}}
    assert [s.seq for s in store.newest()] == [4]
    assert store.export(tmp_path / "r.parquet", Header((), (Robot("r1"),))) == 2
    store.maintain(START + 9 * DAY, Retention(2 * DAY, None, None))
    assert (store.contents().samples, store.newest()) == (0, [])
    assert store.watermarks() == {("r1", "e1"): Watermark(4)}


@pytest.mark.parametrize(
    ("samples", "joined"),
    [
        ([], []),
        ([(False, 4)], [(False, 4)]),
        ([(False, 4), (False, 5), (False, 9)], [(False, 9), (False, 9)]),
        ([(True, 4), (True, 3), (False, 1), (False, 9)], [(True, 7), (False, 10)]),
        ([(True, 30), (False, 1)], [(True, 30), (False, 1)]),
    ],
)
def test_portions_are_whole_minutes_and_end_where_retention_does(
    samples: list[tuple[bool, int]], joined: list[tuple[bool, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes are put together until there are enough, those whose time is over apart from the others."""
    monkeypatch.setattr(upkeep, "SETTLE", 8)
    pieces = [upkeep.Piece(past, at * 60, at * 60 + 59, count) for at, (past, count) in enumerate(samples)]
    found = upkeep.portions(pieces)
    assert [(portion.past, portion.samples) for portion in found] == joined
    bounds = [at for portion in found for at in (portion.first_at, portion.last_at)]
    assert bounds == sorted(set(bounds))


def test_space_is_given_back(store: DuckStore, tmp_path: Path) -> None:
    """A store that keeps a day does not grow by the days that it has seen."""
    rng = np.random.default_rng(1)

    def day(number: int) -> int:
        at = START + number * DAY
        numbers = range(number * 4000, number * 4000 + 4000)
        samples = [sample(n + 1, at, n, float(rng.random()), robot=f"r{n % 50}") for n in numbers]
        store.append(commit(samples, at))
        store.maintain(at + DAY + HOUR, Retention(DAY, 0, 0))
        return (tmp_path / "s.duckdb").stat().st_size

    sizes = [day(number) for number in range(8)]
    assert store.contents().samples == 0
    assert max(sizes[4:]) <= max(sizes[:4])


def test_watermarks_are_folded(store: DuckStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moves do not pile up, and the last one counts, before and after."""
    monkeypatch.setattr(watermarks, "FOLD", 5)
    for seq in range(1, 9):
        mark = Watermark(seq, frozenset({seq + 2}))
        rows = commit([sample(seq, START, seq)], START + seq).rows
        store.append(Commit(START + seq, rows, watermarks={("r1", "e1"): mark, ("r2", "e1"): Watermark(seq)}))
    before = store.watermarks()
    assert before == {("r1", "e1"): Watermark(8, frozenset({10})), ("r2", "e1"): Watermark(8)}
    store.maintain(START, Retention())
    assert count(store, "watermarks") == 2
    assert store.watermarks() == before
    assert [s.seq for s in store.newest()] == [8]
    store.append(Commit(START + 9, watermarks={("r2", "e1"): Watermark(9)}))
    assert store.watermarks()["r2", "e1"] == Watermark(9)


def test_a_later_start_moves_watermarks_on(tmp_path: Path) -> None:
    """What is appended after a restart is later than everything before it."""
    for seq in (1, 2, 3):
        with closing(DuckStore(tmp_path / "s.duckdb", CATALOGUE)) as store:
            store.append(commit([sample(seq, START, seq)], START - seq))
            assert store.watermarks() == {("r1", "e1"): Watermark(seq)}


def test_delivery_counts_what_came_late_or_corrected(store: DuckStore) -> None:
    """Of what was received since the time asked for; losses of all time, the newest first, not too many."""
    old = sample(1, START)
    late = sample(2, START + HOUR)
    rows = commit([old, late, sample(3, START + HOUR), sample(4, START + HOUR, robot="r2")], START).rows
    rows.received_at[1] += 130_000
    rows.corrected[1] = True
    losses = [Loss("r1", "e1", n, n, 1, "refused", START + n) for n in range(MAX_LOSSES + 5)]
    store.append(Commit(START + 2 * HOUR, rows, losses=losses))
    expected = Delivery(tuple(losses[: -MAX_LOSSES - 1 : -1]), 2, 1, 130_000, 1)
    assert store.delivery("r1", START + HOUR) == expected
    maintained(store, START)
    assert store.delivery("r1", START + HOUR) == expected
    assert store.delivery("unheard-of", 0) == Delivery()


def test_appending_and_maintaining_at_once(store: DuckStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither waits for the other to end, hinders it, or loses what the other does."""
    monkeypatch.setattr(upkeep, "SETTLE", 50)
    monkeypatch.setattr(watermarks, "FOLD", 20)
    failed: list[BaseException] = []
    done = threading.Event()

    def maintain() -> None:
        try:
            while not done.is_set():
                store.maintain(START + 2 * DAY, Retention(3 * DAY, None, None))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=maintain)
    thread.start()
    try:
        for seq in range(1, 1500, 10):
            store.append(commit([sample(seq + n, START + seq + n, seq + n) for n in range(10)], START + seq))
            if seq % 200 == 1:
                assert numbers(store) == list(range(1, seq + 10))
    finally:
        done.set()
        thread.join()
    assert not failed
    assert numbers(store) == list(range(1, 1501))
    assert store.watermarks() == {("r1", "e1"): Watermark(1500)}
    assert count(store, "settled") > 0
    assert store.series("r1", ["a.x"], START, START + HOUR, HOUR).values["a.x"] == (1499.0,)


def test_a_slow_reader_holds_nothing_up(store: DuckStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upkeep and appending go on while batches are being read, and the reader sees what was there."""
    monkeypatch.setattr("collector.stores.duckdb.batches.ROWS_AT_ONCE", 1)
    for seq in range(1, 5):
        store.append(commit([sample(seq, START + seq, seq)], START + seq * 120_000))
    slow = store.batches(0, ROSTER)
    seen = [next(slow)]
    for seq in range(5, 9):
        store.append(commit([sample(seq, START + seq, seq)], START + seq * 120_000))
        store.maintain(START + 2 * DAY, Retention(HOUR, None, None))
    assert store.contents().samples == 0
    seen += slow
    assert [int(batch.seq[0]) for batch in seen] == [1, 2, 3, 4]


_CHILD = """
import os, sys, threading
from pathlib import Path
from collector.stores import Retention
from collector.stores.duckdb import DuckStore, upkeep, watermarks, rollups
from tests.collector.stores.fleet import CATALOGUE, DAY, START, commit, sample
upkeep.SETTLE, watermarks.FOLD, rollups.COMPACT = 40, 10, 3
store = DuckStore(Path(sys.argv[1]), CATALOGUE)
def upkeep_forever():
    try:
        while True:
            store.maintain(START + 2 * DAY, Retention(3 * DAY, None, None))
            os.write(1, b"maintained\\n")
    finally:
        os._exit(1)
threading.Thread(target=upkeep_forever, daemon=True).start()
seq = max((mark.until for mark in store.watermarks().values()), default=0)
while True:
    batch = [sample(seq + n, START + 1000 * (seq + n), seq + n, 0.5) for n in range(1, 21)]
    store.append(commit(batch, START + seq))
    seq += 20
    os.write(1, b"%d\\n" % seq)
"""


def test_kill_9_during_append_and_maintain_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Samples, watermark and roll-ups agree after a kill at whatever instant; nothing told is missing."""
    path = tmp_path / "s.duckdb"
    for round_ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        assert child.stdout is not None
        told: list[str] = []
        while told.count("maintained\n") < 2 or len(set(told)) < 3:
            told.append(child.stdout.readline())
            assert told[-1], "the child ended by itself"
        time.sleep(0.017 * round_)
        child.send_signal(signal.SIGKILL)
        told += child.stdout.readlines()
        child.wait()
        stored = [int(line) for line in told if line.endswith("\n") and line != "maintained\n"]
        with closing(DuckStore(path, CATALOGUE)) as store:
            until = store.watermarks()["r1", "e1"].until
            assert until >= max(stored, default=0)
            assert numbers(store) == list(range(1, until + 1))
            series = store.series("r1", ["a.x", "a.g"], START, START + DAY, HOUR)
            assert sum(value or 0 for value in series.values["a.x"]) == until - 1
            told_samples = sum(rows for (rows,) in _cells(store)) + _unrolled(store)
            assert told_samples == until


def _cells(store: DuckStore) -> list[tuple[int]]:
    with store._cursor() as connection:
        return connection.execute("SELECT samples FROM hours").fetchall()


def _unrolled(store: DuckStore) -> int:
    settled = "settled WHERE portion IN (SELECT id FROM portions WHERE id NOT IN (FROM rolled))"
    return count(store, "fresh") + count(store, settled)


_VERSION_1 = """
CREATE TABLE store (version INTEGER NOT NULL);
CREATE TABLE samples (
    robot VARCHAR NOT NULL, epoch VARCHAR NOT NULL, seq BIGINT NOT NULL,
    t BIGINT NOT NULL, robot_t BIGINT NOT NULL, received_at BIGINT NOT NULL, committed_at BIGINT NOT NULL,
    up BIGINT NOT NULL, boot VARCHAR NOT NULL, synced BOOLEAN NOT NULL, corrected BOOLEAN NOT NULL,
    "a.x" BIGINT, "a.g" DOUBLE, "gone.z" BIGINT
);
CREATE TABLE watermarks (
    robot VARCHAR NOT NULL, epoch VARCHAR NOT NULL, until BIGINT NOT NULL, above VARCHAR NOT NULL,
    newest BIGINT NOT NULL, newest_at BIGINT NOT NULL
);
CREATE TABLE losses (
    robot VARCHAR NOT NULL, epoch VARCHAR NOT NULL, "first" BIGINT NOT NULL, "last" BIGINT NOT NULL,
    count BIGINT NOT NULL, reason VARCHAR NOT NULL, declared_at BIGINT NOT NULL
);
INSERT INTO store VALUES (1);
INSERT INTO samples
SELECT 'r1', 'e1', i, $start + i, $start + i, $start + i, $start, i, 'b1', true, false, 3 * i, 0.5, i
FROM range(1, 6) r(i);
INSERT INTO watermarks VALUES ('r1', 'e1', 5, '7-8', 5, $start);
INSERT INTO losses VALUES ('r1', 'e1', 6, 6, 1, 'dropped', $start);
"""


def test_a_file_of_version_1_is_taken_over(tmp_path: Path) -> None:
    """Samples, watermarks and losses are there; it is rolled up, with metrics that no catalogue knows now."""
    with duckdb.connect(str(tmp_path / "s.duckdb")) as old:
        old.execute(_VERSION_1.replace("$start", str(START)))
    for maintains in (False, True):
        with closing(DuckStore(tmp_path / "s.duckdb", CATALOGUE)) as store:
            if maintains:
                store.append(commit([sample(9, START + 9, 30)], START + 9))
                maintained(store, START)
                assert count(store, "fresh") == 0
            assert numbers(store) == [1, 2, 3, 4, 5, *([9] if maintains else [])]
            assert store.watermarks()["r1", "e1"] == (
                Watermark(9) if maintains else Watermark(5, frozenset({7, 8}))
            )
            assert store.losses() == {"r1": {"dropped": 1}}
            assert [s.seq for s in store.newest()] == [9 if maintains else 5]
            rises = store.series("r1", ["a.x"], START, START + HOUR, HOUR).values["a.x"]
            assert rises == (27.0 if maintains else 12.0,)
