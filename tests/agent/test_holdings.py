"""The room that an agent takes on its disk, in all."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent import folder as folders
from agent import holdings as holdings_module
from agent.clock import PLAUSIBLE_SINCE_MS, Reading
from agent.folder import DATABASE
from agent.holdings import Holdings
from agent.quota import DAY_MS, MB, Disk, Quota, Surplus
from agent.spool import open_spool
from agent.wire import Sample
from tests.agent.spools import contents, fill, sample, state

NOW = Reading(wall=PLAUSIBLE_SINCE_MS + 100 * DAY_MS, up=50 * DAY_MS, boot="now", synced=True)


ANY_AGE = Quota(max_age_ms=None)


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with room, whatever the one is on which the tests run."""
    monkeypatch.setattr(folders, "disk", lambda _: Disk(10**12, 10**11, 10_000))


def hold(holdings: Holdings, count: int, metrics: int = 300) -> int:
    """Takes samples as the agent does. Returns how many were given up for them."""
    given_up = 0
    for _ in range(count):
        given_up += sum(each.count for each in holdings.make_room(NOW))
        number = holdings.live.next
        holdings.live.append(sample(number, metrics), state(number))
    return given_up


def pages(holdings: Holdings) -> int:
    """How large the live database is."""
    (count,) = holdings.live._db.execute("PRAGMA page_count").fetchone()
    return int(count)


def on_disk(folder: Path) -> int:
    """Bytes of everything in the folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("roomy")
def test_never_takes_more_than_its_quota(ram_path: Path) -> None:
    """The oldest go, the newest are there, every one is counted, and no file grows beyond."""
    with closing(Holdings(ram_path, Quota(max_bytes=4 * MB, max_age_ms=None))) as holdings:
        given_up, most = 0, 0
        for _ in range(50):
            given_up += hold(holdings, 40)
            most = max(most, on_disk(ram_path))
        live = holdings.live
        assert 2 * MB < most <= 4 * MB
        assert live.next == 2_001
        assert live.first == given_up + 1 > 500
        assert live.account.dropped == {"bytes": given_up}
        assert contents(live).keys() == set(range(live.first, 2_001))


@pytest.mark.usefixtures("roomy")
def test_a_lower_quota_takes_effect_at_once(ram_path: Path) -> None:
    """A spool that is larger than a new quota allows shrinks below it, and its files with it."""
    with closing(Holdings(ram_path, ANY_AGE)) as holdings:
        hold(holdings, 2_500)
        assert on_disk(ram_path) > 9 * MB
    with closing(Holdings(ram_path, Quota(max_bytes=4 * MB, max_age_ms=None))) as holdings:
        for _ in range(20):
            hold(holdings, 1)
        assert on_disk(ram_path) <= 4 * MB
        assert len(contents(holdings.live)) == holdings.live.held > 100


def test_on_a_full_disk_a_spool_does_not_grow(ram_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New samples take the room of the oldest ones; the spool does not shrink for others either."""
    free = 10**11
    monkeypatch.setattr(folders, "disk", lambda _: Disk(10**12, free, 10_000))
    with closing(Holdings(ram_path, ANY_AGE)) as holdings:
        hold(holdings, 1_500)
        free = 1 * MB
        hold(holdings, 1)
        before, held = pages(holdings), holdings.live.held
        given_up = hold(holdings, 300)
        assert pages(holdings) <= before
        assert holdings.live.account.dropped["disk"] >= given_up > 200
        assert holdings.live.held > held - 50


def test_no_inodes_are_a_full_disk(ram_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Free bytes are of no use then."""
    monkeypatch.setattr(folders, "disk", lambda _: Disk(10**12, 10**11, 10))
    with closing(Holdings(ram_path, ANY_AGE)) as holdings:
        assert hold(holdings, 1_500) > 0
        assert holdings.live.account.dropped.keys() == {"disk"}


@pytest.mark.usefixtures("roomy")
def test_samples_may_grow_too_old(ram_path: Path) -> None:
    """Those beyond the age go, with those before them whose age nobody can tell."""
    ages = [None] * 5 + [60] * 30 + [31] * 40 + [29] * 20 + [1] * 10
    with closing(Holdings(ram_path, Quota())) as holdings:
        for age in ages:
            t = 0 if age is None else NOW.wall - age * DAY_MS
            taken = Sample(t=t, up=0, boot="before", synced=age is not None, c={}, g={})
            holdings.live.append(taken, state(1))
        given_up = list(holdings.make_room(NOW))
        assert sum(each.count for each in given_up) == 75
        assert {each.reason for each in given_up} == {"age"}
        assert "older than 30 days" in str(given_up[-1])
        assert (holdings.live.first, holdings.live.account.dropped) == (76, {"age": 75})


@pytest.mark.usefixtures("roomy")
def test_damaged_files_go_before_samples_do(ram_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was set aside counts, and is the first to make room; that is said."""
    with closing(Holdings(ram_path, Quota(max_bytes=5 * MB, max_age_ms=None))) as holdings:
        hold(holdings, 300)
    for number in (1, 2):
        (ram_path / f"damaged-{number}").mkdir()
        (ram_path / f"damaged-{number}" / DATABASE).write_bytes(bytes(3 * MB))
    with closing(Holdings(ram_path, Quota(max_bytes=5 * MB, max_age_ms=None))) as holdings:
        assert hold(holdings, 1) == 0
        assert holdings.live.first == 1
    assert not folders.damaged(ram_path)
    assert "damaged-1 is deleted" in caplog.text


def former_and_live(folder: Path) -> Iterator[Holdings]:
    """An epoch that is over, of 200 samples, and a new one."""
    with closing(open_spool(folder)) as spool:
        fill(spool, 200, metrics=300)
    for path in folders.ledger_files(folder):
        path.write_bytes(b"")
    database = folder / DATABASE
    database.write_bytes(bytes(100) + database.read_bytes()[100:])
    with closing(Holdings(folder, Quota(max_bytes=4 * MB, max_age_ms=None))) as holdings:
        assert holdings.former is not None
        assert holdings.former.held == 200
        yield holdings


@pytest.mark.usefixtures("roomy")
def test_a_former_epoch_is_older_than_the_live_one(ram_path: Path) -> None:
    """Its samples go first; the live one's not before none of those is left."""
    for holdings in former_and_live(ram_path):
        hold(holdings, 210)
        former, live = holdings.former, holdings.live
        assert former is not None
        assert 0 < former.held < 200
        assert live.first == 1
        hold(holdings, 1_000)
        assert former.held == 0
        assert live.first > 1
        assert on_disk(ram_path) <= 4 * MB
        assert former.account.dropped["bytes"] + live.account.dropped["bytes"] == 200 + live.first - 1


def test_rounds_are_bounded(ram_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing keeps the agent from its sample for ever, whatever the disk says."""
    monkeypatch.setattr(folders, "disk", lambda _: Disk(10**12, 0, 0))
    monkeypatch.setattr(holdings_module, "surplus", lambda *_: Surplus(1, "disk"))
    with closing(Holdings(ram_path, ANY_AGE)) as holdings:
        fill(holdings.live, 60)
        assert len(list(holdings.make_room(NOW))) == 50
