"""Reading samples back from a server: where the ledger says they lie, and only what it says is stored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from collector.stores.entries import MINUTE_MS, Key, Minute, Newest, Stray
from collector.stores.ledger import Ledger
from collector.stores.lineprotocol import HIGH, LOW
from collector.stores.rows import Flags, Integers
from collector.stores.server import Server, Wanted
from collector.stores.strands import IDENTITY, OWN, Places, Scan, Strand, columns, places

ROWS_AT_ONCE: Final = 50_000
ROBOTS_AT_ONCE: Final = 100  # named in one question; where more are meant, all are read
WINDOW_MS: Final = 10 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Region:
    """Points of some robots (None: of all) from one time to another, in ms, both included."""

    first_ms: int
    last_ms: int
    robots: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """What of the samples is read: metrics, and whether their own fields as well."""

    counters: Sequence[str]
    gauges: Sequence[str]
    own: bool = True

    @property
    def names(self) -> list[str]:
        """The fields as the server has them."""
        halves = [name + half for name in (*self.counters, *self.gauges) for half in ("", HIGH, LOW)]
        return [*OWN, *halves] if self.own else halves


class Scanner:
    """Reads what is stored as of now: commits that come later are not in it."""

    def __init__(self, server: Server, ledger: Ledger) -> None:
        self._server = server
        self._ledger = ledger
        runs = np.array(ledger.runs(), dtype=np.int64).reshape(-1, 2)
        self._first, self._last = runs[:, 0], runs[:, 1]

    def portions(self, since_ms: int, fields: Fields) -> Iterator[Scan]:
        """Everything committed since then, some commits at a time, ordered by commit time, robot, seq."""
        for minutes in _portions(self._ledger.minutes(since_ms)):
            first, last = minutes[0].minute, minutes[-1].minute
            regions = [*_near(minutes), *_astray(self._ledger.strays(first, last))]
            begin, end = max(since_ms, first * MINUTE_MS), (last + 1) * MINUTE_MS

            def here(at: Places, begin: int = begin, end: int = end) -> Flags:
                return (at.committed_at >= begin) & (at.committed_at < end)

            yield self.read(regions, fields, here).in_order()

    def newest(self, wanted: Mapping[Key, Newest], fields: Fields) -> Iterator[Scan]:
        """These samples, which are given in the order of their places."""
        for group in _windows(wanted):
            robots = tuple(sorted({robot for robot, _ in group}))
            region = Region(
                min(newest.place for newest in group.values()),
                max(newest.place for newest in group.values()),
                robots if len(robots) <= ROBOTS_AT_ONCE else None,
            )

            def these(at: Places, group: Mapping[Key, Newest] = group) -> Flags:
                seqs = [group[key].seq if key in group else 0 for key in at.keys]
                chosen: Flags = at.seq == np.array(seqs, dtype=np.int64)[at.key]
                return chosen

            yield self.read([region], fields, these)

    def read(self, regions: Sequence[Region], fields: Fields, wanted: Callable[[Places], Flags]) -> Scan:
        """The samples in these regions that are stored, and wanted."""

        def stored(at: Places) -> Flags:
            return self._counts(at.commit) & wanted(at)

        found = places(chain.from_iterable(self._strands(IDENTITY, region) for region in regions), stored)
        names = fields.names if len(found) else ()
        rest = chain.from_iterable(self._strands(names, region) for region in regions if names)
        return columns(found, rest, fields.counters, fields.gauges)

    def _strands(self, names: Sequence[str], region: Region) -> Iterator[Strand]:
        wanted = Wanted(names, region.first_ms, region.last_ms, region.robots)
        return self._server.strands(self._ledger.name, wanted)

    def _counts(self, commits: Integers) -> Flags:
        """Whether these commits were finished."""
        run = np.searchsorted(self._first, commits, side="right") - 1
        return (run >= 0) & (commits <= self._last[np.maximum(run, 0)]) if len(self._last) else run >= 0


def _portions(minutes: Sequence[Minute]) -> Iterator[list[Minute]]:
    portion: list[Minute] = []
    samples = 0
    for minute in minutes:
        portion.append(minute)
        samples += minute.samples
        if samples >= ROWS_AT_ONCE:
            yield portion
            portion, samples = [], 0
    if portion:
        yield portion


def _near(minutes: Sequence[Minute]) -> Iterator[Region]:
    """Where most of the samples lie; minutes that follow one another are read in one go."""
    ends = [(m.first_place, m.last_place) for m in minutes if m.first_place <= m.last_place]
    yield from (Region(first, last) for first, last in _united(ends))


def _astray(strays: Sequence[Stray]) -> Iterator[Region]:
    """The others, some robots at a time: those that lie near one another together."""
    by_robot: dict[str, tuple[int, int]] = {}
    for stray in strays:
        first, last = by_robot.get(stray.robot, (stray.first_place, stray.last_place))
        by_robot[stray.robot] = (min(first, stray.first_place), max(last, stray.last_place))
    ordered = sorted(by_robot.items(), key=lambda item: item[1])
    for at in range(0, len(ordered), ROBOTS_AT_ONCE):
        group = ordered[at : at + ROBOTS_AT_ONCE]
        first, last = min(ends[0] for _, ends in group), max(ends[1] for _, ends in group)
        yield Region(first, last, tuple(robot for robot, _ in group))


def _united(ends: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that overlap or nearly touch, as one."""
    united: list[tuple[int, int]] = []
    for first, last in sorted(ends):
        if united and first <= united[-1][1] + WINDOW_MS:
            united[-1] = (united[-1][0], max(last, united[-1][1]))
        else:
            united.append((first, last))
    return united


def _windows(wanted: Mapping[Key, Newest]) -> Iterator[dict[Key, Newest]]:
    """Samples that lie within a short time of one another."""
    group: dict[Key, Newest] = {}
    begin = 0
    for key, newest in wanted.items():
        if group and newest.place > begin + WINDOW_MS:
            yield group
            group = {}
        begin = begin if group else newest.place
        group[key] = newest
    if group:
        yield group
