"""One day of a fleet in matrices [minute, robot], with what happens to real robots; two engines read it.

A robot samples once a minute at its own second of it, give or take some milliseconds. Some are at fault
for hours, some are switched off for a while, some lose their network (their samples are committed when it is
back, at their old times), and some begin a new epoch, their counters again at zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.batch import Batch, Portion
from rules.recording import Header, Writer
from rules.roster import Robot, Roster

MINUTE_MS: Final = 60_000
EPOCHS: Final = ("first", "second")
COMMIT_MS: Final = 3_000  # the collector commits what came within so much time
JITTER_MS: Final = 40
FORMERLY: Final = 20_000  # what every counter had reached on the day before
FAULTY: Final = 0.015  # of the robots, with each kind of fault

# Rises a minute of a busy robot: healthy, and with the fault.
RATES: Final = {
    "network.disconnects": (0.002, 0.04),
    "network.offline_seconds": (0.06, 14.0),
    "vision.face_attempts": (0.5, 0.5),
    "touchscreen.touches": (0.4, 0.4),
    "asr.utterances": (0.6, 0.6),
    "engagement.interactions": (0.15, 0.0),
    "system.reboots": (0.0004, 0.006),
}
# A part of another counter's rises: healthy, and with the fault.
PARTS: Final = {
    "vision.faces_unrecognized": ("vision.face_attempts", 0.08, 0.45),
    "touchscreen.touches_unanswered": ("touchscreen.touches", 0.015, 0.3),
    "asr.unrecognized": ("asr.utterances", 0.1, 0.5),
}
COUNTERS: Final = (*RATES, *PARTS)
# The fault leads from the one value to the other, and back; a little noise is added.
GAUGES: Final = {"system.battery_percent": (65.0, 9.0), "system.temperature_c": (52.0, 88.0)}
METRICS: Final = (*COUNTERS, *GAUGES)

Times = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Day:
    """Samples in slots: slot `i` of a robot lies in (start + i minutes, start + (i + 1) minutes]."""

    start: int
    t: Times
    committed: Times
    present: Flags  # whether there is a sample
    epoch: NDArray[np.int16]
    values: dict[str, NDArray[Any]]

    @property
    def minutes(self) -> int:
        """How long the day is."""
        return len(self.t)

    @property
    def robots(self) -> int:
        """How many."""
        return int(self.t.shape[1])

    @property
    def end(self) -> int:
        """The last time of evaluation."""
        return self.start + self.minutes * MINUTE_MS

    @property
    def samples(self) -> int:
        """How many."""
        return int(self.present.sum())

    @cached_property
    def roster(self) -> Roster:
        """Ten robots a site."""
        return Roster(Robot(f"r{row:06d}", {"site": f"s{row // 10:05d}"}) for row in range(self.robots))

    def part(self, robots: slice) -> "Day":
        """The same day of some of the robots."""
        values = {name: column[:, robots] for name, column in self.values.items()}
        t, committed, present = self.t[:, robots], self.committed[:, robots], self.present[:, robots]
        return Day(self.start, t, committed, present, self.epoch[:, robots], values)

    def record(self, path: Path) -> None:
        """Writes the day as a recording."""
        listening = ((self.start, self.end + MINUTE_MS),)
        ids, epochs = np.array(self.roster.ids, dtype=object), np.array(EPOCHS, dtype=object)
        gauges = [*GAUGES]
        with Writer(path, counters=COUNTERS, gauges=gauges) as writer:
            for slot, row in self._portions(60):
                writer.write(self._rows(slot, row, ids, epochs))
            writer.finish(Header(listening, self.roster.robots))

    def batches(self, since: int) -> Iterator[Batch]:
        """What was committed at each time after that, in order."""
        slot, row, commits = self._between(since, self.end + MINUTE_MS)
        cuts = np.flatnonzero(np.diff(commits)) + 1
        for begin, end in zip(np.append(0, cuts), np.append(cuts, len(commits)), strict=True):
            at = slot[begin:end], row[begin:end]
            yield Batch(
                committed_at=int(commits[begin]),
                robot=at[1].astype(np.int32),
                epoch=[EPOCHS[epoch] for epoch in self.epoch[at].tolist()],
                seq=at[0].astype(np.int64),
                t=self.t[at],
                values={name: column[at].astype(np.float64) for name, column in self.values.items()},
            )

    def portion(self, since: int, until: int) -> Portion:
        """What was committed after one time and not after the other."""
        slot, row, commits = self._between(since, until)
        return Portion(
            committed_at=commits,
            robot=row.astype(np.int32),
            epoch=self.epoch[slot, row].astype(np.int32),
            epochs=EPOCHS,
            t=self.t[slot, row],
            values={name: column[slot, row].astype(np.float64) for name, column in self.values.items()},
        )

    def _between(self, since: int, until: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Times]:
        """Slots, robots and commit times of samples, in order of commit."""
        slot, row = np.nonzero(self.present & (self.committed > since) & (self.committed <= until))
        commits = self.committed[slot, row]
        order = np.argsort(commits, kind="stable")
        return slot[order], row[order], commits[order]

    def _portions(self, minutes: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        for begin in range(0, self.minutes, minutes):
            slot, row = np.nonzero(self.present[begin : begin + minutes])
            yield slot + begin, row

    def _rows(
        self, slot: NDArray[np.intp], row: NDArray[np.intp], ids: NDArray[Any], epochs: NDArray[Any]
    ) -> dict[str, NDArray[Any]]:
        t, committed, flag = self.t[slot, row], self.committed[slot, row], np.ones(len(slot), dtype=np.bool_)
        fixed = {
            "robot": ids[row],
            "epoch": epochs[self.epoch[slot, row]],
            "seq": slot.astype(np.int64),
            "t": t,
            "robot_t": t,
            "received_at": committed,
            "committed_at": committed,
            "up": (slot + 1) * MINUTE_MS,
            "boot": epochs[self.epoch[slot, row]],
            "synced": flag,
            "corrected": ~flag,
        }
        return {**fixed, **{name: column[slot, row] for name, column in self.values.items()}}


def day(robots: int, start: int, minutes: int = 1440, *, anew: float = 0.01, seed: int = 1) -> Day:
    """A day of so many robots, from `start`, a whole minute; a share of them is set up anew in it."""
    chance = np.random.default_rng(seed)
    shape = minutes, robots
    off = _spells(chance, shape, 0.03, (20, 240))
    away = _spells(chance, shape, 0.02, (20, 240))
    phase = chance.integers(JITTER_MS, MINUTE_MS - JITTER_MS, robots)
    jitter = chance.integers(-JITTER_MS // 2, JITTER_MS // 2, shape)
    t = start + np.arange(minutes)[:, None] * MINUTE_MS + phase + jitter
    epoch = _epochs(chance, shape, anew)
    values = _values(chance, shape, ~off, epoch)
    return Day(start, t, _committed(t, away), ~off, epoch, values)


def _spells(
    chance: np.random.Generator, shape: tuple[int, int], share: float, lengths: tuple[int, int]
) -> Flags:
    """True for one stretch of minutes of a share of the robots, and nowhere else."""
    minutes, robots = shape
    begin = chance.integers(1, max(minutes - lengths[0], 2), robots)
    end = begin + chance.integers(*lengths, robots)
    slots = np.arange(minutes)[:, None]
    struck: Flags = (slots >= begin) & (slots < end) & (chance.random(robots) < share)
    return struck


def _committed(t: Times, away: Flags) -> Times:
    """At the next multiple of `COMMIT_MS`; while the network is away, with the first sample after it."""
    committed = -(-t // COMMIT_MS) * COMMIT_MS
    for slot in range(len(t) - 2, -1, -1):
        committed[slot] = np.where(away[slot], committed[slot + 1], committed[slot])
    return committed


def _epochs(chance: np.random.Generator, shape: tuple[int, int], anew: float) -> NDArray[np.int16]:
    """A share of the robots begins its second epoch some time in the day."""
    minutes, robots = shape
    begin = np.where(chance.random(robots) < anew, chance.integers(1, minutes, robots), minutes)
    return (np.arange(minutes)[:, None] >= begin).astype(np.int16)


def _values(
    chance: np.random.Generator, shape: tuple[int, int], on: Flags, epoch: NDArray[np.int16]
) -> dict[str, NDArray[Any]]:
    busy = on * _activity(chance, shape)
    rises: dict[str, NDArray[Any]] = {}
    for name, (healthy, faulty) in RATES.items():
        rates = np.where(_faults(chance, shape), np.float32(faulty), np.float32(healthy))
        rises[name] = chance.poisson(rates * busy).astype(np.int32)
    for name, (whole, healthy, faulty) in PARTS.items():
        odds = np.where(_faults(chance, shape), np.float32(faulty), np.float32(healthy))
        rises[name] = chance.binomial(rises[whole], odds).astype(np.int32)
    values: dict[str, NDArray[Any]] = {name: _counter(rise, epoch) for name, rise in rises.items()}
    for name, (healthy, faulty) in GAUGES.items():
        base = np.where(_faults(chance, shape), np.float32(faulty), np.float32(healthy))
        values[name] = base + chance.integers(-8, 9, shape).astype(np.float32) / 2
    return values


def _activity(chance: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Twelve busy hours, which begin at another time in each time zone; little goes on in the others."""
    minutes, robots = shape
    since = (np.arange(minutes)[:, None] - 60 * chance.integers(0, 24, robots)) % 1440
    return np.where(since < 720, np.float32(1), np.float32(0.1))


def _faults(chance: np.random.Generator, shape: tuple[int, int]) -> Flags:
    return _spells(chance, shape, FAULTY, (30, 600))


def _counter(rises: NDArray[np.int32], epoch: NDArray[np.int16]) -> NDArray[np.int32]:
    """What it shows: from `FORMERLY` on, and from zero on in a second epoch."""
    total = np.cumsum(rises, axis=0, dtype=np.int32)
    before = np.where(epoch == 0, total, 0).max(axis=0)
    return np.where(epoch == 0, FORMERLY + total, total - before)
