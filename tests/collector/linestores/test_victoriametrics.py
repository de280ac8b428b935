"""VictoriaMetrics: it may die, lie about nothing, and be away; what was appended stays."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from collector.stores import Store, StoreError
from collector.stores.address import StoreAddressError, parse_store
from collector.stores.victoriametrics import retention_ms, seconds
from rules.recording import Header
from rules.roster import Robot
from tests.conformance.stores import MINUTE, ROSTER, T0, Home, Sender, sample
from tests.processes import until
from tests.servers import VictoriaMetricsServer

DAY = 86_400_000


@pytest.fixture
def home(victoriametrics: VictoriaMetricsServer, tmp_path: Path) -> Home:
    """A store on a server of the test's own."""
    return Home(parse_store(victoriametrics.store), tmp_path / "data")


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    """An open store with nothing in it."""
    with closing(home.open()) as opened:
        yield opened


def _numbers(store: Store) -> list[int]:
    return [seq for batch in store.batches(0, ROSTER) for seq in batch.seq.tolist()]


def _lose_memory(server: VictoriaMetricsServer) -> None:
    """A power cut before anything was written: the worst that an unsettled commit can meet."""
    server.kill()
    shutil.rmtree(server.folder / "data")
    server.start()


def _unsettled(home: Home) -> int:
    with closing(sqlite3.connect(home.folder / "victoriametrics.ledger")) as ledger:
        count: int = ledger.execute("SELECT count(*) FROM unsettled").fetchone()[0]
        return count


def test_kill_9_of_the_server_between_appends_loses_nothing(
    store: Store, victoriametrics: VictoriaMetricsServer
) -> None:
    """Whenever it dies, everything that `append` returned for is there again, once."""
    sender = Sender(store)
    for round_ in range(4):
        for seq in range(round_ * 5 + 1, round_ * 5 + 6):
            sender.send(T0 + seq * 1000, sample(seq))
        victoriametrics.kill()
        victoriametrics.start()
        assert _numbers(store) == list(range(1, round_ * 5 + 6))


def test_what_the_server_forgot_is_sent_again(store: Store, victoriametrics: VictoriaMetricsServer) -> None:
    """Even if nothing of it reached the disk; to readers, and without waiting for the next commit."""
    sender = Sender(store)
    sender.send(T0, sample(1), sample(2))
    sender.send(T0 + 1000, sample(3))
    _lose_memory(victoriametrics)
    assert _numbers(store) == [1, 2, 3]
    sender.send(T0 + 2000, sample(4))
    assert store.newest() == [sample(4)]


def test_a_collector_that_dies_with_the_server_leaves_nothing_out(
    home: Home, victoriametrics: VictoriaMetricsServer
) -> None:
    """The ledger has the lines of what had not settled; the next collector sends them."""
    with closing(home.open()) as first:
        Sender(first).send(T0, sample(1), sample(2))
    _lose_memory(victoriametrics)
    with closing(home.open()) as again:
        assert _numbers(again) == [1, 2]


def test_settled_commits_leave_the_ledger(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the server has had the time to write them, it alone keeps the samples."""
    monkeypatch.setattr("collector.stores.victoriametrics.FLUSH_S", 0.1)
    with closing(home.open()) as store:
        sender = Sender(store)
        sender.send(T0, sample(1))
        assert _unsettled(home) == 1
        until("the commit settles", lambda: not _settling(store, home))
        assert _numbers(store) == [1]


def _settling(store: Store, home: Home) -> int:
    store.contents()
    store.newest()
    return _unsettled(home)


def test_a_server_that_is_away_is_named_and_caught_up_with(
    store: Store, victoriametrics: VictoriaMetricsServer
) -> None:
    """One line says who does not answer; the same commit is stored once when it is back."""
    sender = Sender(store)
    sender.send(T0, sample(1))
    victoriametrics.kill()
    with pytest.raises(StoreError, match=r"victoriametrics://127\.0\.0\.1:\d+: connection refused") as raised:
        sender.send(T0 + 1000, sample(2))
    assert "\n" not in str(raised.value)
    with pytest.raises(StoreError, match="connection refused"):
        store.series("r1", ["network.rtt_ms"], T0, T0 + MINUTE, None)
    assert store.contents().samples == 1
    victoriametrics.start()
    sender.send(T0 + 1000, sample(2))
    assert _numbers(store) == [1, 2]


def test_a_store_does_not_open_on_a_server_that_is_away(
    home: Home, victoriametrics: VictoriaMetricsServer
) -> None:
    """And leaves no mark in the folder: it was not begun with a store that nobody reached."""
    victoriametrics.kill()
    with pytest.raises(StoreError, match="connection refused"):
        home.open()
    assert list(home.folder.iterdir()) == []


@pytest.mark.parametrize("moved", [0, 4, 400_000])
def test_lines_of_a_commit_that_never_was_are_no_samples(
    home: Home, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    """A crash before the entry: the robot sends again, perhaps at another time, and that one counts."""
    monkeypatch.setattr("collector.stores.ledger.BUSY_S", 0.1)
    with closing(home.open()) as first:
        ghost = sample(1, corrected=True, counters={"network.disconnects": 3})
        with closing(sqlite3.connect(home.folder / "victoriametrics.ledger")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked"):
                Sender(first).send(T0, ghost)
        assert (first.contents().samples, first.newest(), _numbers(first)) == (0, [], [])
    real = replace(ghost, t=ghost.t + moved, received_at=ghost.received_at + 5000)
    with closing(home.open()) as again:
        assert _numbers(again) == []
        Sender(again).send(T0 + 5000, real)
        assert again.newest() == [real]
        assert _numbers(again) == [1]


def test_a_commit_given_up_is_not_mixed_with_the_next(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines may be on the server; they do not count when another commit is stored after it."""
    monkeypatch.setattr("collector.stores.ledger.BUSY_S", 0.1)
    with closing(home.open()) as store:
        with closing(sqlite3.connect(home.folder / "victoriametrics.ledger")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError):
                Sender(store).send(T0, sample(1), sample(7))
        Sender(store).send(T0 + 1000, sample(1), sample(2))
        assert _numbers(store) == [1, 2]


def test_a_commit_sent_again_changes_nothing(store: Store) -> None:
    """What a watermark covers is stored: it is not stored again, in whatever commit it comes."""
    sender = Sender(store)
    commit = sender.send(T0, sample(1), sample(2))
    store.append(commit)
    store.append(replace(commit, at=T0 + 7))
    assert _numbers(store) == [1, 2]
    assert store.contents().samples == 2


def test_times_that_the_server_would_drop_are_kept(tmp_path: Path) -> None:
    """A clock in 1970, or far ahead: what lies outside the server's retention lies at its commit instead."""
    server = VictoriaMetricsServer(tmp_path / "vm")
    server.start("-retentionPeriod=30d")
    try:
        home = Home(parse_store(server.store), tmp_path / "data")
        odd = [sample(1, t=0), sample(2, t=1000), sample(3, t=T0 + 400 * DAY), sample(4)]
        with closing(home.open()) as store:
            Sender(store).send(T0, *odd)
            store.export(tmp_path / "r.parquet", Header((), (Robot("r1"),)))
            assert [b.t.tolist() for b in store.batches(0, ROSTER)] == [[one.t for one in odd]]
    finally:
        server.stop()


def test_a_recording_older_than_the_server_keeps_is_refused(tmp_path: Path) -> None:
    """It would be dropped without a word; one line says how old it is, and nothing is taken."""
    reference = Home(parse_store("duckdb"), tmp_path / "reference")
    with closing(reference.open()) as other:
        Sender(other).send(T0 - 100 * DAY, sample(1, t=T0 - 100 * DAY))
        other.export(tmp_path / "old.parquet", Header((), (Robot("r1"),)))
    server = VictoriaMetricsServer(tmp_path / "vm")
    server.start("-retentionPeriod=30d")
    try:
        short = Home(parse_store(server.store), tmp_path / "short")
        with closing(short.open()) as store:
            with pytest.raises(StoreError, match=r"old\.parquet: begins 10\d days ago"):
                store.take(tmp_path / "old.parquet")
            assert store.contents().samples == 0
    finally:
        server.stop()


def test_a_server_that_thins_samples_out_is_refused(
    home: Home, victoriametrics: VictoriaMetricsServer
) -> None:
    """Deduplication over an interval would drop samples; the flag is named."""
    victoriametrics.stop()
    victoriametrics.start("-dedup.minScrapeInterval=30s")
    with pytest.raises(StoreError, match=r"-dedup\.minScrapeInterval=30s"):
        home.open()


def test_another_server_than_the_one_begun_with_is_refused(
    home: Home, shared_victoriametrics: VictoriaMetricsServer
) -> None:
    """A wrong port must not look like an empty store."""
    with closing(home.open()) as store:
        Sender(store).send(T0, sample(1))
        with closing(sqlite3.connect(home.folder / "victoriametrics.ledger")) as ledger:
            ledger.execute("DELETE FROM unsettled")  # as if it had settled
            ledger.commit()
    with pytest.raises(StoreError, match="has nothing of the samples"):
        replace(home, address=parse_store(shared_victoriametrics.store)).open()
    with pytest.raises(StoreAddressError, match="was begun with --store victoriametrics, not duckdb"):
        replace(home, address=parse_store("duckdb")).open()


def test_two_folders_on_one_server_do_not_see_each_other(home: Home) -> None:
    """Fleets may share a server, robots of one name among them."""
    with closing(home.open()) as one, closing(home.beside("other").open()) as two:
        Sender(one).send(T0, sample(1))
        Sender(two).send(T0, sample(2))
        assert (_numbers(one), _numbers(two)) == ([1], [2])


@pytest.mark.parametrize(
    ("text", "value"), [("5s", 5.0), ("1m30s", 90.0), ("1ms", 0.001), ("0s", 0.0), ("", None), ("soon", None)]
)
def test_durations_as_go_writes_them(text: str, value: float | None) -> None:
    """The server's flags tell durations in Go's way."""
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "days"), [("1", 31), ("12", 372), ("90d", 90), ("2w", 14), ("1y", 365), ("1M", 31), ("?", 31)]
)
def test_retention_as_the_server_says_it(text: str, days: int) -> None:
    """Months without a unit; what is not understood is taken for the default."""
    assert retention_ms(text) == days * DAY
