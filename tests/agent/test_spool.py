"""The spool: what was taken stays taken."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent import spool
from agent.counters import State
from agent.spool import SpoolDamagedError, SpoolError, SpoolFullError, SpoolInUseError
from agent.wire import Sample


def sample(number: int) -> Sample:
    """A sample that tells its number."""
    return Sample(t=number, up=number, boot="b", synced=True, c={"asr": {"utterances": number}}, g={})


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[spool.Spool]:
    """A new spool."""
    with closing(spool.open_spool(tmp_path)) as store:
        yield store


def test_keeps_samples_state_session_and_receipt(tmp_path: Path) -> None:
    """All of it is there again when the spool is opened again, in the same epoch."""
    with closing(spool.open_spool(tmp_path)) as store:
        for number in (1, 2, 3):
            store.append(sample(number), State(totals={"asr.utterances": number}))
        store.forget(1, 99)
        epoch, session = store.epoch, store.new_session()
    with closing(spool.open_spool(tmp_path)) as again:
        assert (again.epoch, again.first, again.next, again.session) == (epoch, 2, 4, session)
        assert (again.stored_until, again.receipt_at) == (1, 99)
        assert again.state.totals == {"asr.utterances": 3}
        assert [stored.sample for stored in again.read(2, 2)] == [sample(2), sample(3)]
        assert again.new_session() == session + 1


def test_never_uses_a_number_twice(tmp_path: Path) -> None:
    """Numbers go on even after everything was forgotten."""
    with closing(spool.open_spool(tmp_path)) as store:
        store.append(sample(1), State())
        store.forget(1, 0)
    with closing(spool.open_spool(tmp_path)) as again:
        assert (again.first, again.next) == (2, 2)


def test_reads_only_what_it_has(opened: spool.Spool) -> None:
    """A missing sample is damage, never a shorter answer."""
    opened.append(sample(1), State())
    with pytest.raises(SpoolDamagedError, match="1 … 2"):
        opened.read(1, 2)


def test_drops_without_a_receipt(opened: spool.Spool) -> None:
    """Dropping moves `first` and pretends no receipt."""
    for number in (1, 2, 3):
        opened.append(sample(number), State())
    opened.drop(3)
    assert (opened.first, opened.stored_until, opened.receipt_at) == (3, 0, None)


def test_survives_kill(tmp_path: Path) -> None:
    """A process killed right after `append` returned leaves the sample behind."""
    code = (
        "import os, signal, sys; from pathlib import Path; from agent import spool; "
        "from tests.agent.test_spool import sample, State; store = spool.open_spool(Path(sys.argv[1])); "
        "[store.append(sample(n), State()) for n in range(1, 6)]; os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2], timeout=60)
    with closing(spool.open_spool(tmp_path)) as store:
        assert [stored.sample for stored in store.read(1, 5)] == [sample(n) for n in range(1, 6)]


def test_belongs_to_one_process(tmp_path: Path) -> None:
    """A second agent is told who holds the folder; the lock goes with its holder."""
    lock = spool.acquire(tmp_path)
    with pytest.raises(SpoolInUseError, match=f"in use by the agent with pid {os.getpid()}"):
        spool.acquire(tmp_path)
    assert spool.holder(tmp_path) == os.getpid()
    os.close(lock)
    assert spool.holder(tmp_path) is None
    os.close(spool.acquire(tmp_path))


def test_a_full_disk_takes_nothing_and_spoils_nothing(opened: spool.Spool) -> None:
    """A sample that does not fit is refused as a whole; the next one has its number."""
    opened.append(sample(1), State())
    (pages,) = opened._db.execute("PRAGMA page_count").fetchone()
    opened._db.execute(f"PRAGMA max_page_count = {pages}")
    large = Sample(t=0, up=0, boot="b", synced=True, c={"x": {f"m{n}": n for n in range(2_000)}}, g={})
    with pytest.raises(SpoolFullError, match="full"):
        opened.append(large, State())
    opened._db.execute("PRAGMA max_page_count = 1000000")
    opened.append(sample(2), State())
    assert [stored.sample for stored in opened.read(1, 2)] == [sample(1), sample(2)]


def damage_header(path: Path) -> None:
    """Overwrites the beginning of the file."""
    path.write_bytes(b"no database at all" * 100)


def damage_pages(path: Path) -> None:
    """Overwrites all but the first page."""
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:4096] + os.urandom(size - 4096))


def damage_record(path: Path) -> None:
    """Removes the one row that every spool has."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM spool")
        connection.commit()


def damage_state(path: Path) -> None:
    """Writes something else where the counters' state is."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE spool SET state = x'ff'")
        connection.commit()


@pytest.mark.parametrize("damage", [damage_header, damage_pages, damage_record, damage_state])
def test_damage_is_set_aside_and_begins_a_new_epoch(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """A damaged spool is named as such, kept for whoever wants to look, and replaced."""
    with closing(spool.open_spool(tmp_path)) as store:
        for number in range(1, 200):
            store.append(sample(number), State())
        epoch = store.epoch
    damage(tmp_path / spool.DATABASE)
    with pytest.raises(SpoolDamagedError):
        spool.open_spool(tmp_path)
    aside = spool.set_aside(tmp_path, 123)
    assert (aside / spool.DATABASE).exists()
    with closing(spool.open_spool(tmp_path)) as store:
        assert (store.first, store.next) == (1, 1)
        assert store.epoch != epoch


def test_is_viewed_without_being_changed(tmp_path: Path) -> None:
    """Looking at a spool needs no lock, and where none is, none is made."""
    assert spool.view(tmp_path) is None
    with closing(spool.open_spool(tmp_path)) as store:
        store.append(sample(1), State())
        seen = spool.view(tmp_path)
        assert seen is not None
        with closing(seen):
            assert (seen.epoch, seen.next) == (store.epoch, 2)
            with pytest.raises(SpoolError):
                seen.new_session()


def test_names_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """The message says which flag to give."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"file.*cannot be used.*--spool FOLDER"):
        spool.acquire(tmp_path / "file")
