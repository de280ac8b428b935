"""Truncation, zeros and flipped bits, wherever they strike: what was taken is there, or declared lost."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import folder as folders
from agent.folder import DATABASE, MAX_DAMAGED, SpoolDamagedError
from agent.holdings import Holdings
from agent.ledger import FILES as LEDGER
from agent.ledger import Account, Ledger
from agent.quota import Quota
from agent.spool import PAGE, open_spool
from agent.wire import Sample
from tests.agent.spools import contents, fill, overwrite, sample, state, zero_pages

WAL = f"{DATABASE}-wal"
FRAME = PAGE + 24
FILES = (DATABASE, WAL, *LEDGER)


@dataclass(frozen=True)
class Image:
    """A folder as it was at one instant, and what had been promised by then."""

    epoch: str
    first: int
    declared_first: int  # as the ledger knew it then
    next: int
    taken: dict[int, Sample]  # all that were ever taken
    files: dict[str, bytes] = field(repr=False)

    def restore(self, folder: Path) -> None:
        """Makes the folder so again."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, data in self.files.items():
            (folder / name).write_bytes(data)


class Watched(Ledger):
    """A ledger that tells before each writing of a file."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        super().__init__(folder)
        self._tell = tell

    def write(self, account: Account) -> None:
        """Tells, and writes."""
        both = self._paths
        for path in both:
            self._tell(path.name)
            self._paths = [path]
            super().write(account)
        self._paths = both


class Story:
    """A spool's life, with an image of its folder before every statement and every writing of the ledger."""

    def __init__(self, folder: Path) -> None:
        self.images: list[Image] = []
        self._folder = folder
        self._taken: dict[int, Sample] = {}
        with closing(open_spool(folder)) as self._spool:
            self._spool._db.set_trace_callback(self._note)
            self._spool._ledger = Watched(folder, self._note)
            self._live()
            self._spool._db.set_trace_callback(None)

    def _live(self) -> None:
        self._append(6)
        self._spool.new_session()
        self._append(2, metrics=700)  # of several pages
        self._spool.forget(3, 1_000)
        self._append(4)
        self._spool.drop(6, "bytes")
        self._append(3, metrics=700)
        self._spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._append(4)
        self._spool.forget(7, 2_000)
        self._append(2)

    def _append(self, count: int, metrics: int = 5) -> None:
        for _ in range(count):
            number = self._spool.next
            self._spool.append(sample(number, metrics), state(number))
            self._taken[number] = sample(number, metrics)
            self._note("done")

    def _note(self, _: str) -> None:
        files = {name: (self._folder / name).read_bytes() for name in FILES}
        following = max(self._taken, default=0) + 1
        known = Ledger(self._folder).read().account
        assert known is not None
        first = self._spool.first
        image = Image(self._spool.epoch, first, known.first, following, dict(self._taken), files)
        if not self.images or files != self.images[-1].files or image.next != self.images[-1].next:
            self.images.append(image)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """One life for all tests here; it ends without an orderly close."""
    return Story(tmp_path_factory.mktemp("story"))


def check(folder: Path, image: Image) -> Holdings:
    """Opens the folder, and holds what is there against what was promised. Returns it open, and whole."""
    holdings = Holdings(folder, Quota())
    live = holdings.live
    assert live.epoch == image.epoch
    found = read_all(holdings)
    missing = [n for n in range(max(image.first, 1), image.next) if n not in found]
    assert all(found[n] == image.taken[n] for n in found if n < image.next)
    assert holdings.live.next >= image.next
    declared = holdings.live.account.dropped.get("damaged", 0)
    under_way = holdings.live.next - image.next + image.first - image.declared_first
    assert len(missing) <= declared <= len(missing) + under_way
    assert holdings.live.state.totals.get("asr.utterances", 0) >= image.next - 1
    return holdings


def read_all(holdings: Holdings) -> dict[int, Sample]:
    """Every sample, as a courier finds it: what turns out to be damaged on the way is recovered from."""
    while True:
        try:
            return contents(holdings.live)
        except SpoolDamagedError as damage:
            holdings.recover(damage)


def goes_on(holdings: Holdings, image: Image) -> None:
    """A next sample gets a number that was never used, and is there afterwards."""
    number = holdings.live.next
    holdings.live.append(sample(number), state(number))
    assert number not in image.taken
    assert contents(holdings.live)[number] == sample(number)
    holdings.close()


def test_a_crash_at_any_step_loses_nothing(story: Story, ram_path: Path) -> None:
    """At whatever statement the process ends: all that was taken is there, and nothing counts as lost."""
    assert len(story.images) > 40
    for image in story.images:
        image.restore(ram_path / "spool")
        holdings = check(ram_path / "spool", image)
        assert holdings.live.account.dropped.keys() <= {"bytes"}
        assert not folders.damaged(ram_path / "spool")
        goes_on(holdings, image)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["gone", "empty", "half", "zeros", "noise"])
def test_a_crash_at_any_step_that_damages_a_file(
    story: Story, ram_path: Path, name: str, damage: str
) -> None:
    """Whichever one file is damaged then, the epoch goes on, and what is missing is counted."""
    for image in story.images[:: 3 if name in LEDGER else 2]:
        image.restore(ram_path / "spool")
        path = ram_path / "spool" / name
        whole = path.read_bytes()
        if damage == "gone":
            path.unlink()
        else:
            cut = len(whole) // 2
            changed = {
                "empty": b"",
                "half": whole[:cut],
                "zeros": bytes(len(whole)),
                "noise": whole[:cut] + bytes(byte ^ 0x5A for byte in whole[cut:]),
            }
            path.write_bytes(changed[damage])
        goes_on(check(ram_path / "spool", image), image)


def cuts(size: int, step: int) -> Iterator[int]:
    """Every boundary of pages or frames, and a place on either side of it and in its midst."""
    for boundary in range(0, size, step):
        yield from {boundary, boundary + 1, boundary + step // 2, boundary + step - 1}


@pytest.mark.parametrize(("name", "step"), [(DATABASE, PAGE), (WAL, FRAME), *((each, 64) for each in LEDGER)])
def test_truncation_anywhere(story: Story, ram_path: Path, name: str, step: int) -> None:
    """Cut at whatever page or frame, or within one."""
    image = story.images[-1]
    for cut in cuts(len(image.files[name]), step):
        image.restore(ram_path / "spool")
        path = ram_path / "spool" / name
        path.write_bytes(path.read_bytes()[:cut])
        goes_on(check(ram_path / "spool", image), image)


@pytest.mark.parametrize(("name", "step"), [(DATABASE, PAGE), (WAL, FRAME), *((each, 64) for each in LEDGER)])
def test_zeros_in_any_page(story: Story, ram_path: Path, name: str, step: int) -> None:
    """Any page, frame, or piece of the ledger that was zeroed."""
    image = story.images[-1]
    for at in range(0, len(image.files[name]), step):
        image.restore(ram_path / "spool")
        overwrite(ram_path / "spool" / name, at, bytes(min(step, len(image.files[name]) - at)))
        goes_on(check(ram_path / "spool", image), image)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_anywhere(story: Story, ram_path: Path, data: st.DataObject) -> None:
    """Any bit of any file, at any instant of its life."""
    image = data.draw(st.sampled_from(story.images))
    name = data.draw(st.sampled_from([name for name in FILES if image.files[name]]))
    at = data.draw(st.integers(0, len(image.files[name]) - 1))
    flipped = image.files[name][at] ^ 1 << data.draw(st.integers(0, 7))
    image.restore(ram_path / "spool")
    overwrite(ram_path / "spool" / name, at, bytes([flipped]))
    goes_on(check(ram_path / "spool", image), image)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_database_of_an_earlier_day(story: Story, ram_path: Path, data: st.DataObject) -> None:
    """A database set back, as by a restored backup or a lost log, reuses no number."""
    then, now = sorted(data.draw(st.tuples(*[st.integers(0, len(story.images) - 1)] * 2)))
    image = story.images[now]
    image.restore(ram_path / "spool")
    for name in (DATABASE, WAL):
        (ram_path / "spool" / name).write_bytes(story.images[then].files[name])
    goes_on(check(ram_path / "spool", image), image)


def uncertain(folder: Path) -> None:
    """Damages the ledger, and of the database header and whatever else its first page holds."""
    for name in LEDGER:
        (folder / name).write_bytes(b"nothing")
    zero_pages(folder, 0)


def test_two_damaged_places_begin_a_new_epoch(ram_path: Path) -> None:
    """With ledger and database damaged nothing is certain: the old epoch is over, and delivered first."""
    with closing(open_spool(ram_path)) as spool:
        fill(spool, 50, metrics=100)
        spool.forget(9, 0)
        session, epoch = spool.new_session(), spool.epoch
    zero_pages(ram_path, 9, 10, 11)
    uncertain(ram_path)
    with closing(Holdings(ram_path, Quota())) as holdings:
        former = holdings.former
        assert former is not None
        assert holdings.carried is former
        assert (former.epoch, former.next) == (epoch, 51)
        found = contents(former)
        assert all(sample(number, metrics=100) == taken for number, taken in found.items())
        live = holdings.live
        assert live.epoch != epoch
        assert (live.first, live.next, live.session, live.state.totals["asr.utterances"]) == (
            1,
            1,
            session,
            50,
        )
        assert 0 < live.account.dropped["damaged"] == 41 - len(found)
        fill(live, 3)
    with closing(Holdings(ram_path, Quota())) as again:
        assert again.former is not None
        assert contents(again.former) == found
        again.leave_former()
        assert again.carried is again.live
        assert again.live.next == 4
    assert not folders.formers(ram_path)


def test_what_of_a_former_epoch_was_handed_out_last(story: Story, ram_path: Path) -> None:
    """Where the newest account is lost as well, every sample that can be read counts as handed out."""
    image = story.images[-1]
    image.restore(ram_path)
    (ram_path / WAL).write_bytes(b"nothing")
    uncertain(ram_path)
    with closing(Holdings(ram_path, Quota())) as holdings:
        assert holdings.former is not None
        found = contents(holdings.former)
        assert found
        assert all(image.taken[number] == taken for number, taken in found.items())
        assert holdings.former.next == max(found) + 1


def test_a_former_epoch_that_is_damaged_too(ram_path: Path) -> None:
    """What can still be read of it is delivered; it gets no new numbers, and no epoch of its own."""
    with closing(open_spool(ram_path)) as spool:
        fill(spool, 20)
        epoch = spool.epoch
    uncertain(ram_path)
    with closing(Holdings(ram_path, Quota())) as holdings:
        assert holdings.former is not None
        folder, before = holdings.former.folder, contents(holdings.former)
    uncertain(folder)
    with closing(Holdings(ram_path, Quota())) as holdings:
        assert holdings.former is not None
        assert contents(holdings.former) == before
        assert holdings.former.epoch == epoch
        assert len(folders.formers(ram_path)) == 1


def test_nothing_left_at_all(ram_path: Path) -> None:
    """Files that are no spool are set aside, and a new epoch begins."""
    for name in FILES:
        (ram_path / name).write_bytes(b"no database at all" * 1_000)
    with closing(Holdings(ram_path, Quota())) as holdings:
        assert (holdings.live.first, holdings.live.next, holdings.former) == (1, 1, None)
    assert {path.name for path in folders.damaged(ram_path)[0].iterdir()} == set(FILES)


def test_a_lost_database_of_which_all_was_delivered(ram_path: Path) -> None:
    """Numbers go on, and nothing is declared lost."""
    with closing(open_spool(ram_path)) as spool:
        fill(spool, 5)
        spool.forget(5, 0)
        epoch = spool.epoch
    (ram_path / DATABASE).unlink()
    with closing(Holdings(ram_path, Quota())) as holdings:
        assert (holdings.live.epoch, holdings.live.next) == (epoch, 6)
        assert not holdings.live.account.dropped
        assert not folders.damaged(ram_path)


def test_holes_are_passed_over_and_leave_first_behind_them(ram_path: Path) -> None:
    """What lies around a hole is read in runs; once what is before it is forgotten, `first` is behind it."""
    with closing(open_spool(ram_path)) as spool:
        fill(spool, 60, metrics=100)
    zero_pages(ram_path, 10, 11, 20)
    with closing(Holdings(ram_path, Quota())) as holdings:
        found = read_all(holdings)
        live = holdings.live
        runs = live.runs(live.first, live.held)
        assert len(runs) > 1
        assert sum(len(run.samples) for run in runs) == len(found) == 60 - live.account.dropped["damaged"]
        hole = runs[0].seq + len(runs[0].samples)
        assert live.runs(hole, runs[1].seq - hole) == []
        live.forget(hole - 1, 0)
        assert live.first == runs[1].seq
        live.forget(60, 0)
        assert live.held == 0


def test_a_hole_at_the_end(ram_path: Path) -> None:
    """The newest samples may be the ones that are lost."""
    with closing(open_spool(ram_path)) as spool:
        fill(spool, 3)
        backup = (ram_path / DATABASE).read_bytes(), (ram_path / WAL).read_bytes()
        fill(spool, 9)
    (ram_path / DATABASE).write_bytes(backup[0])
    (ram_path / WAL).write_bytes(backup[1])
    with closing(Holdings(ram_path, Quota())) as holdings:
        live = holdings.live
        assert (live.next, live.account.dropped) == (10, {"damaged": 6})
        live.forget(3, 0)
        assert (live.first, live.next) == (10, 10)


def test_damage_again_and_again(ram_path: Path) -> None:
    """Losses add up, holes stay holes, and of what was set aside the newest few are kept."""
    with closing(open_spool(ram_path)) as spool:
        fill(spool, 100, metrics=100)
    for round_, page in enumerate((8, 16, 24, 32, 40), 1):
        zero_pages(ram_path, page)
        with closing(Holdings(ram_path, Quota())) as holdings:
            found = read_all(holdings)
            live = holdings.live
            assert live.account.dropped["damaged"] == live.next - live.first - len(found)
            assert live.state.totals["agent.samples_dropped"] == live.account.dropped["damaged"]
        assert len(folders.damaged(ram_path)) == min(round_, MAX_DAMAGED)
