"""Samples on a server of time series, with a ledger beside it for what must be exact.

`append` sends the lines, and then writes the ledger's entry in one transaction. What happens at each step:

- Anybody dies before the entry is written: the lines that are there belong to a commit that never was. No
  reader counts them, and the robots send those samples again.
- The server dies before its data is on disk: the entry has the lines still. They are sent again, to the
  same points, before anything else is read or settled.
- The collector dies after the entry: nothing is missing. The next one sends again what has not settled.

So what `append` returned for is durable, though the server may keep the newest data in memory only.
Every reader sees its own writes: the server is asked to show them first.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from agent.catalogue import Catalogue
from collector.stores import (
    LATE_MS,
    MISSING,
    Commit,
    Contents,
    Delivery,
    Imported,
    LossReason,
    Retention,
    Rows,
    Series,
    Spans,
    StoredSample,
    StoreError,
    Watermark,
    recordings,
)
from collector.stores import spans as spanned
from collector.stores import steps as reckoned
from collector.stores.entries import MINUTE_MS, NEAR_MS, Entry, Key, minutes_and_strays, newer, newest
from collector.stores.ledger import Ledger
from collector.stores.lineprotocol import Marks, encode, stamps
from collector.stores.rows import Flags, Floats, Integers
from collector.stores.scanning import Fields, Region, Scanner
from collector.stores.server import Server, Status
from collector.stores.strands import Places, Scan
from collector.stores.taking import Taking
from rules.batch import Batch
from rules.recording import Header
from rules.roster import Roster

DAY_MS: Final = 86_400_000
GRAIN_MS: Final = 1_000  # so far from a sample's time its point may be
_RECORDING: Final = -1  # in place of a commit's time: each one taken in is tried anew


@dataclass(slots=True)
class _Attempt:
    """The number under which a commit is tried; a commit that failed keeps it until another is tried."""

    run: int
    number: int
    failed_at: int | None = None


class LineStore:
    """A store on a server. One thread writes. Raises `StoreError`."""

    def __init__(
        self, server: Server, ledger: Ledger, catalogue: Catalogue, clock: Callable[[], int]
    ) -> None:
        self._server = server
        self._ledger = ledger
        self._clock = clock
        kinds = ledger.metrics()
        names = [*catalogue, *(name for name in kinds if name not in catalogue)]
        self._counters = [name for name in names if kinds[name] == "counter"]
        self._gauges = [name for name in names if kinds[name] == "gauge"]
        self._kinds = kinds
        self._attempt = _Attempt(*ledger.next_run(clock()))
        self._status: Status = server.status()
        self._sent = dict.fromkeys(ledger.unsettled(), -math.inf)  # by number: when, by the monotonic clock
        self._settling = threading.Lock()
        self._hidden = True  # something was written that readers may not see yet
        self._settle()
        self._refuse_stranger()

    def __repr__(self) -> str:
        return f"<LineStore {self._server}>"

    def close(self) -> None:
        """Lets go; what has not settled stays in the ledger."""
        self._server.close()
        self._ledger.close()

    def append(self, commit: Commit) -> None:
        """Sends the samples, and enters them; either all of them count, or none."""
        self._settle()
        rows = self._unstored(commit.rows)
        attempt = self._number(commit.at)
        attempt.failed_at = commit.at
        at = np.full(len(rows), commit.at, dtype=np.int64)
        body, place = self._lines(rows, at, attempt)
        sent = time.monotonic()
        if body:
            self._write(body)
        minutes, strays = minutes_and_strays(rows, at, place)
        marks = newest(rows, at, place)
        entry = Entry(attempt.run, attempt.number, minutes, strays, marks, commit.losses, commit.watermarks)
        keeps = bool(body) and self._status.settles_after_s > 0
        self._ledger.add(entry, body if keeps else None)
        if keeps:
            self._sent[attempt.number] = sent
        attempt.number, attempt.failed_at = attempt.number + 1, None

    def watermarks(self) -> dict[Key, Watermark]:
        """What is stored, by (robot, epoch)."""
        return self._ledger.watermarks()

    def newest(self) -> list[StoredSample]:
        """The sample with the highest number of every (robot, epoch) in use within the last days."""
        found = self._scanner().newest(self._ledger.newest(), Fields(self._counters, self._gauges))
        return [sample for scan in found for sample in scan.rows.samples()]

    def losses(self) -> dict[str, dict[LossReason, int]]:
        """How many samples of each robot were declared lost, by reason."""
        return self._ledger.losses()

    def delivery(self, robot: str, since_ms: int) -> Delivery:
        """How the robot's samples came."""
        strays = self._ledger.strays_of(robot, since_ms // MINUTE_MS)
        region = Region(
            min([since_ms - NEAR_MS, *(stray.first_place for stray in strays)]),
            max([self._clock() + DAY_MS, *(stray.last_place for stray in strays)]),
            (robot,),
        )
        rows = self._scanner().read([region], Fields((), ()), _all).rows
        received = rows.received_at >= since_ms
        delay = rows.received_at - rows.t
        late = received & (delay > LATE_MS)
        return Delivery(
            losses=self._ledger.losses_of(robot),
            stored=int(received.sum()),
            late=int(late.sum()),
            longest_delay_ms=int(delay[late].max(initial=0)),
            corrected=int((rows.corrected & received).sum()),
        )

    def contents(self) -> Contents:
        """How much is stored."""
        return self._ledger.contents()

    def maintain(self, now_ms: int, retention: Retention) -> None:
        """Forgets where samples lay that are past retention; the server drops them by its own."""
        self._settle()
        if retention.samples_ms is not None:
            self._ledger.forget((now_ms - retention.samples_ms) // MINUTE_MS)

    def series(
        self, robot: str, metrics: Sequence[str], from_ms: int, to_ms: int, step_ms: int | None
    ) -> Series:
        """One robot's metrics in [from_ms, to_ms)."""
        asked = tuple(dict.fromkeys(metrics))
        begins = None if step_ms is None else reckoned.grid(from_ms, to_ms, step_ms)
        if begins is None:
            return reckoned.points(self._of_robot(robot, asked, from_ms, to_ms), asked, from_ms, to_ms)
        rows = self._with_levels(robot, asked, begins.start, to_ms + begins.step)
        return reckoned.steps(rows, asked, begins)

    def spans(self, robots: Sequence[str], counters: Sequence[str], bounds: Sequence[int]) -> Spans:
        """Of each robot, what counters rose in each of the spans, and in which hours it took samples."""
        begins = spanned.hours(bounds)
        found = spanned.Gathered(len(robots), counters, bounds)
        for place, robot in enumerate(robots):
            rows = self._with_levels(robot, counters, bounds[0], bounds[-1])
            found.add(place, rows.t, reckoned.steps(rows, counters, begins))
        return found.spans()

    def batches(self, since_ms: int, roster: Roster, metrics: Sequence[str] | None = None) -> Iterator[Batch]:
        """What was committed at or after `since_ms`, one batch a commit, in order."""
        wanted = [name for name in (metrics or self._kinds) if name in self._kinds]
        fields = Fields(
            [name for name in wanted if self._kinds[name] == "counter"],
            [name for name in wanted if self._kinds[name] == "gauge"],
            own=False,
        )
        for portion in self._scanner().portions(since_ms, fields):
            yield from _batches(portion, roster, wanted)

    def first_new(self, recording: Path) -> int | None:
        """When the first of a recording's samples was committed that is not stored yet; None: all are."""
        taking = Taking(self._ledger.watermarks())
        for portion in recordings.Recording(recording, self._kinds).portions():
            if (new := taking.new(portion)).any():
                return int(portion.committed_at[new].min())
        return None

    def take(self, recording: Path) -> Imported:
        """Stores a recording's samples with their own commit times: all that are new, or nothing."""
        file = recordings.Recording(recording, self._kinds)
        count = file.check()
        self._attempt = self._number(_RECORDING)
        self._attempt.failed_at = _RECORDING
        while True:
            sent = time.monotonic()
            taking, entry = self._take(recording, file)
            if not taking.added or self._on_disk_since(sent):
                break
        if taking.added:
            self._ledger.add(entry)
            self._attempt = _Attempt(self._attempt.run, self._attempt.number + 1)
        return Imported(taking.added, count - taking.added, file.ignored)

    def export(self, path: Path, header: Header) -> int:
        """Writes everything as a recording; returns the number of samples."""
        portions = self._scanner().portions(0, Fields(self._counters, self._gauges))
        return recordings.write(path, header, self._counters, self._gauges, portions)

    def _number(self, at: int) -> _Attempt:
        """The same for a commit that is tried again: its points are the same then. Else a new one."""
        if self._attempt.failed_at is not None and (at == _RECORDING or at != self._attempt.failed_at):
            run, number = self._ledger.next_run(self._clock())
            self._attempt = _Attempt(run, max(number, self._attempt.number + 1))
        return self._attempt

    def _write(self, body: bytes) -> None:
        """Sends lines; whoever reads from now on has the server show them."""
        self._server.write(body)
        self._hidden = True

    def _unstored(self, rows: Rows) -> Rows:
        """Without those that a watermark covers: they are stored, or declared lost for good."""
        keys = list(zip(rows.robot, rows.epoch, strict=True))
        marks = self._ledger.watermarks_of(sorted(set(keys)))
        if not marks:
            return rows
        none = Watermark()
        pairs = zip(keys, rows.seq.tolist(), strict=True)
        new = np.array([seq not in marks.get(key, none) for key, seq in pairs], dtype=np.bool_)
        return rows if new.all() else rows.take(new)

    def _lines(self, rows: Rows, at: Integers, attempt: _Attempt) -> tuple[bytes, Integers]:
        """The lines, and the times of their points in ms."""
        if not len(rows):
            return b"", at
        dialect = self._server.dialect
        times = stamps(dialect, self._near(rows, at), rows.seq, attempt.run)
        body = encode(rows, Marks(self._ledger.name, attempt.number, at, times), dialect)
        return body, times // dialect.per_ms

    def _near(self, rows: Rows, at: Integers) -> Integers:
        """Where the points go: to the event time, or, where the server would drop them, before the commit."""
        now, status = self._clock(), self._status
        outside = np.zeros(len(rows), dtype=np.bool_)
        if status.past_ms is not None:
            outside |= rows.t < now - status.past_ms
        if status.ahead_ms is not None:
            outside |= rows.t > now + status.ahead_ms
        if not outside.any():
            return rows.t
        near, before = rows.t.copy(), dict.fromkeys(rows.robot, 0)
        for row in np.flatnonzero(outside).tolist():
            near[row] = at[row] - GRAIN_MS * before[rows.robot[row]]
            before[rows.robot[row]] += 1
        return near

    def _take(self, recording: Path, file: recordings.Recording) -> tuple[Taking, Entry]:
        taking = Taking(self._ledger.watermarks())
        entry = Entry(self._attempt.run, self._attempt.number)
        for portion in file.portions():
            new = portion.take(taking.take(portion))
            self._refuse_expired(recording, new.committed_at)
            body, place = self._lines(new.rows, new.committed_at, self._attempt)
            self._write(body)
            minutes, strays = minutes_and_strays(new.rows, new.committed_at, place)
            entry = replace(
                entry,
                minutes=[*entry.minutes, *minutes],
                strays=[*entry.strays, *strays],
                newest=newer(entry.newest, newest(new.rows, new.committed_at, place)),
            )
        return taking, replace(entry, watermarks=taking.watermarks())

    def _refuse_expired(self, recording: Path, at: Integers) -> None:
        now, status = self._clock(), self._status
        if len(at) and self._is_expired(int(at.min())):
            days = (now - int(at.min())) // DAY_MS
            raise StoreError(
                f"{recording}: begins {days} days ago, and {self._server} does not keep samples so long; "
                "raise its retention, and import again"
            )
        if len(at) and status.ahead_ms is not None and at.max() > now + status.ahead_ms:
            raise StoreError(f"{recording}: ends in the future, which {self._server} does not take")

    def _on_disk_since(self, sent: float) -> bool:
        """Waits until the server has written what was sent since then; False: it restarted, send again."""
        if self._status.settles_after_s:
            time.sleep(self._status.settles_after_s)
            self._status = self._server.status()
        return self._status.started_at <= sent

    def _settle(self) -> None:
        """What is on the server's disk leaves the ledger; what a restart may have lost is sent again."""
        with self._settling:
            if not self._sent:
                return
            self._status = self._server.status()
            for number, sent in list(self._sent.items()):
                if sent < self._status.started_at:
                    again = time.monotonic()
                    self._write(self._ledger.body(number))
                    self._sent[number] = again
            old = time.monotonic() - self._status.settles_after_s
            if done := [number for number, sent in list(self._sent.items()) if sent <= old]:
                self._ledger.settled(done)
                for number in done:
                    del self._sent[number]

    def _scanner(self) -> Scanner:
        """Reads what is stored by now."""
        self._settle()
        with self._settling:
            if self._hidden:
                self._hidden = False
                self._server.show()
        return Scanner(self._server, self._ledger)

    def _refuse_stranger(self) -> None:
        """A server that has nothing of the newest minute of the ledger is not the one it was begun with."""
        last_at = self._ledger.contents().last_at
        if last_at is None or self._is_expired(last_at):
            return
        newest = self._ledger.minutes(last_at)[-1:]
        regions = [Region(m.first_place, m.last_place) for m in newest if m.first_place <= m.last_place]
        if regions and not len(self._scanner().read(regions, Fields((), ()), _all)):
            raise StoreError(
                f"{self._server}: has nothing of the samples that this --data was begun with; "
                "give the --store that has them, or another --data"
            )

    def _is_expired(self, at: int) -> bool:
        return self._status.past_ms is not None and at < self._clock() - self._status.past_ms

    def _with_levels(self, robot: str, metrics: Sequence[str], from_ms: int, to_ms: int) -> Rows:
        """The robot's samples in [from_ms, to_ms), and of those before what their increases count from."""
        for before in reckoned.BEFORE_MS:
            rows = self._of_robot(robot, metrics, from_ms - before, to_ms)
            if not reckoned.needs_more(rows, from_ms):
                break
        return rows

    def _of_robot(self, robot: str, metrics: Sequence[str], from_ms: int, to_ms: int) -> Rows:
        fields = Fields(
            [name for name in metrics if self._kinds.get(name) == "counter"],
            [name for name in metrics if self._kinds.get(name) == "gauge"],
            own=False,
        )
        region = Region(from_ms - GRAIN_MS, to_ms + GRAIN_MS, (robot,))
        return self._scanner().read([region], fields, _all).rows


def _all(at: Places) -> Flags:
    return np.ones(len(at), dtype=np.bool_)


def _batches(portion: Scan, roster: Roster, metrics: Sequence[str]) -> Iterator[Batch]:
    known = {id_: row for row, id_ in enumerate(roster.ids)}
    robot = np.array([known.get(id_, -1) for id_ in portion.rows.robot], dtype=np.int32)
    portion, robot = portion.take(robot >= 0), robot[robot >= 0]
    rows, at = portion.rows, portion.committed_at
    starts = np.flatnonzero(np.diff(at, prepend=at[:1] - 1)).tolist()
    for start, end in zip(starts, [*starts[1:], len(at)], strict=True):
        here = slice(start, end)
        yield Batch(
            committed_at=int(at[start]),
            robot=robot[here],
            epoch=rows.epoch[here],
            seq=rows.seq[here],
            t=rows.t[here],
            values={name: _values(rows, name, here) for name in metrics},
        )


def _values(rows: Rows, name: str, here: slice) -> Floats:
    if name in rows.gauges:
        return rows.gauges[name][here]
    column = rows.counters[name][here]
    return np.where(column == MISSING, np.nan, column.astype(np.float64))
