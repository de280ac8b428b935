"""The spool: what was taken stays taken."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent import folder as folders
from agent import spool
from agent.counters import State
from agent.folder import DATABASE, SpoolDamagedError, SpoolError, SpoolFullError, SpoolInUseError
from agent.wire import Sample
from tests.agent.spools import contents, fill, sample, state


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[spool.Spool]:
    """A new spool."""
    with closing(spool.open_spool(tmp_path)) as store:
        yield store


def test_keeps_samples_state_session_and_receipt(tmp_path: Path) -> None:
    """All of it is there again when the spool is opened again, in the same epoch."""
    with closing(spool.open_spool(tmp_path)) as store:
        fill(store, 3)
        store.forget(1, 99)
        epoch, session = store.epoch, store.new_session()
    with closing(spool.open_spool(tmp_path)) as again:
        assert (again.epoch, again.first, again.next, again.session) == (epoch, 2, 4, session)
        assert (again.stored_until, again.receipt_at) == (1, 99)
        assert again.state == state(3)
        assert contents(again) == {2: sample(2), 3: sample(3)}
        assert again.new_session() == session + 1


def test_never_uses_a_number_twice(tmp_path: Path) -> None:
    """Numbers go on even after everything was forgotten."""
    with closing(spool.open_spool(tmp_path)) as store:
        fill(store, 1)
        store.forget(1, 0)
    with closing(spool.open_spool(tmp_path)) as again:
        assert (again.first, again.next, again.held) == (2, 2, 0)


def test_reads_only_what_it_has(opened: spool.Spool) -> None:
    """A missing sample is damage, never a shorter answer."""
    fill(opened, 3)
    opened._db.execute("DELETE FROM sample WHERE seq = 2")
    with pytest.raises(SpoolDamagedError, match="sample 2 is not in the spool"):
        opened.runs(1, 3)
    with pytest.raises(SpoolDamagedError, match="samples 4 … 5 are not in the spool"):
        opened.runs(3, 3)


@pytest.mark.parametrize(
    "change",
    [
        "body = CAST(replace(body, '1', '2') AS BLOB)",
        "lost = 1",
        "epoch = 'another'",
        "crc = crc + 1",
        "seq = 5",
    ],
)
def test_hands_out_only_what_was_written(opened: spool.Spool, change: str) -> None:
    """A row that differs in anything from what was written is damage, though SQLite reads it well."""
    fill(opened, 1)
    opened._db.execute(f"UPDATE sample SET {change}")
    with pytest.raises(SpoolDamagedError):
        opened.runs(1, 1)


def test_drops_without_a_receipt(opened: spool.Spool) -> None:
    """Dropping moves `first`, says how many and why, and pretends no receipt."""
    fill(opened, 3)
    assert opened.drop(3, "bytes") == 2
    assert (opened.first, opened.stored_until, opened.receipt_at) == (3, 0, None)
    assert opened.account.dropped == {"bytes": 2}


def test_deletes_much_in_slices(opened: spool.Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much goes at once, in the end all of it is gone, and counted once."""
    monkeypatch.setattr(spool, "SLICE", 7)
    fill(opened, 50)
    assert opened.drop(31, "age") == 30
    opened.forget(48, 1)
    assert (opened.first, opened.stored_until, opened.account.dropped) == (49, 48, {"age": 30})
    assert contents(opened) == {49: sample(49), 50: sample(50)}


def test_gives_free_pages_back(opened: spool.Spool) -> None:
    """What is forgotten makes the file smaller, save for some pages that the next samples will need."""
    fill(opened, 1_000, metrics=300)
    opened._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    full = (opened.folder / DATABASE).stat().st_size
    for until in range(100, 1_001, 100):
        opened.forget(until, 0)
    opened._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert (opened.folder / DATABASE).stat().st_size < full / 2
    assert opened.reusable() <= 2 * spool.SPARE_PAGES * spool.PAGE


def test_survives_kill(tmp_path: Path) -> None:
    """A process killed right after `append` returned leaves the sample behind."""
    code = (
        "import os, signal, sys; from pathlib import Path; from agent import spool; "
        "from tests.agent.spools import fill; fill(spool.open_spool(Path(sys.argv[1])), 5); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2], timeout=60)
    with closing(spool.open_spool(tmp_path)) as store:
        assert contents(store) == {n: sample(n) for n in range(1, 6)}


def test_belongs_to_one_process(tmp_path: Path) -> None:
    """A second agent is told who holds the folder; the lock goes with its holder."""
    lock = folders.acquire(tmp_path)
    with pytest.raises(SpoolInUseError, match=f"in use by the agent with pid {os.getpid()}"):
        folders.acquire(tmp_path)
    assert folders.holder(tmp_path) == os.getpid()
    os.close(lock)
    assert folders.holder(tmp_path) is None
    os.close(folders.acquire(tmp_path))


def test_a_full_disk_takes_nothing_and_spoils_nothing(opened: spool.Spool) -> None:
    """A sample that does not fit is refused as a whole; the next one has its number."""
    fill(opened, 1)
    (pages,) = opened._db.execute("PRAGMA page_count").fetchone()
    opened._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SpoolFullError, match="full"):
        opened.append(sample(2, metrics=2_000), State())
    opened._db.execute("PRAGMA max_page_count = 1000000")
    fill(opened, 2)
    assert contents(opened) == {1: sample(1), 2: sample(2)}


def test_counts_what_never_came_in(tmp_path: Path) -> None:
    """What the disk did not take is counted, and the count is written with the next sample."""
    with closing(spool.open_spool(tmp_path)) as store:
        store.note_dropped(2, "full")
        fill(store, 1)
    with closing(spool.open_spool(tmp_path)) as again:
        assert again.account.dropped == {"full": 2}


def test_nothing_is_handed_out_that_the_ledger_does_not_know(opened: spool.Spool) -> None:
    """Where the ledger cannot be written, a sample is kept, and waits until it can."""
    fill(opened, 1)
    for path in folders.ledger_files(opened.folder):
        path.unlink()
        path.mkdir()
    opened.append(sample(2), state(2))
    with pytest.raises(SpoolFullError, match="Is a directory"):
        opened.runs(1, 2)
    for path in folders.ledger_files(opened.folder):
        path.rmdir()
    assert contents(opened) == {1: sample(1), 2: sample(2)}


def test_is_viewed_without_being_changed(tmp_path: Path) -> None:
    """Looking at a spool needs no lock, and where none is, none is made."""
    assert spool.view(tmp_path) is None
    with closing(spool.open_spool(tmp_path)) as store:
        fill(store, 1)
        account = store.account
    before = (tmp_path / DATABASE).read_bytes()
    assert spool.view(tmp_path) == account
    assert (tmp_path / DATABASE).read_bytes() == before


def test_names_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """The message says which flag to give."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"file.*cannot be used.*--spool FOLDER"):
        folders.acquire(tmp_path / "file")


def test_a_large_sample_comes_back(opened: spool.Spool) -> None:
    """One of many pages, too."""
    large = Sample(
        t=1,
        up=1,
        boot="b",
        synced=True,
        c={f"s{n}": {f"m{m}": m for m in range(50)} for n in range(40)},
        g={},
    )
    opened.append(large, State())
    assert contents(opened) == {1: large}
