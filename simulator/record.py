"""A fleet's past as a recording, and the states in which a recording leaves its robots.

All robots sample on the same beat, and what they sampled is committed together, a moment later: so a past
of many robots is few, large batches. A robot's samples of the past and those it takes later are of one epoch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rules.recording import Header, RecordingError, Writer
from rules.roster import Robot as RosterRobot
from simulator.behavior import COUNTERS, DAY, GAUGES, Behavior, Run, State
from simulator.faults import Fault
from simulator.fleet import Robot

COMMIT_DELAY_MS = 3_000  # from the beat to the commit
_TRAVEL_MS = 400  # from the beat to the receipt

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Past:
    """What to record: the time from `begin` (exclusive) to `end`, one sample each `interval_ms`."""

    robots: Sequence[Robot]
    faults: Sequence[Fault]
    seed: int
    begin: int
    end: int
    interval_ms: int

    @classmethod
    def ending(
        cls,
        end: int,
        days: float,
        robots: Sequence[Robot],
        faults: Sequence[Fault],
        seed: int,
        interval_ms: int,
    ) -> "Past":
        """The days before the last beat whose samples are committed by `end`."""
        last = (end - COMMIT_DELAY_MS) // interval_ms * interval_ms
        begin = last - round(days * DAY / interval_ms) * interval_ms
        return cls(robots, faults, seed, begin, last, interval_ms)


def write(past: Past, path: Path) -> int:
    """Writes the recording; answers how many samples it holds. Raises `RecordingError`."""
    with Writer(path, counters=COUNTERS, gauges=GAUGES) as writer:
        for columns in portions(past):
            writer.write(columns)
        return writer.finish(header(past))


def header(past: Past) -> Header:
    """What stands beside the samples: a collector that was listening all the time, and the roster."""
    members = tuple(RosterRobot(robot.id, dict(robot.attributes)) for robot in past.robots)
    return Header(((past.begin, past.end + COMMIT_DELAY_MS),), members)


def portions(past: Past) -> Iterator[Columns]:
    """The samples in columns, a day at a time."""
    lives = [Behavior(past.seed, robot, past.faults, past.interval_ms) for robot in past.robots]
    states = [life.born(past.begin) for life in lives]
    portion = max(1, DAY // past.interval_ms) * past.interval_ms
    for start in range(past.begin, past.end, portion):
        end = min(start + portion, past.end)
        beats = np.arange(start + past.interval_ms, end + 1, past.interval_ms, dtype=np.int64)
        runs = [life.run(state, beats) for life, state in zip(lives, states, strict=True)]
        states = [run.after for run in runs]
        if any(len(run.t) for run in runs):
            yield _columns(lives, runs)


def last_states(path: Path) -> dict[str, State]:
    """Where each robot of a recording stands at its end. Raises `RecordingError`."""
    import duckdb

    counters = ", ".join(f'coalesce("{name}", 0)' for name in COUNTERS)
    query = (
        f"SELECT robot, epoch, seq, t, [{counters}] FROM read_parquet(?) "  # noqa: S608 - our own names
        "QUALIFY row_number() OVER (PARTITION BY robot ORDER BY committed_at DESC, seq DESC) = 1"
    )
    try:
        rows = duckdb.connect().execute(query, [str(path)]).fetchall()
    except duckdb.Error as error:
        raise RecordingError(f"{path}: cannot be continued: {' '.join(str(error).split())[:300]}") from None
    return {robot: State(epoch, seq, t, tuple(values)) for robot, epoch, seq, t, values in rows}


def _columns(lives: Sequence[Behavior], runs: Sequence[Run]) -> Columns:
    t = np.concatenate([run.t for run in runs])
    booted = np.concatenate([run.booted for run in runs])
    columns: dict[str, NDArray[Any]] = {
        "robot": _repeated([life.robot.id for life in lives], runs),
        "epoch": _repeated([run.after.epoch for run in runs], runs),
        "seq": np.concatenate([run.seq for run in runs]),
        "t": t,
        "robot_t": t,
        "received_at": t + _TRAVEL_MS,
        "committed_at": t + COMMIT_DELAY_MS,
        "up": t - booted,
        "boot": np.concatenate([boots(run.after.epoch, run.booted) for run in runs]),
        "synced": np.ones(len(t), np.bool_),
        "corrected": np.zeros(len(t), np.bool_),
    }
    for name in COUNTERS:
        columns[name] = np.concatenate([run.counters[name] for run in runs])
    for name in GAUGES:
        columns[name] = np.concatenate([run.gauges[name] for run in runs])
    return columns


def boots(epoch: str, booted: NDArray[np.int64]) -> NDArray[Any]:
    """The ids of the boots that a robot was in, by when it was switched on."""
    distinct, place = np.unique(booted, return_inverse=True)
    names = np.array([f"{epoch[:8]}-{at // 1_000}" for at in distinct.tolist()], dtype=object)
    named: NDArray[Any] = names[place]
    return named


def _repeated(values: Sequence[str], runs: Sequence[Run]) -> NDArray[Any]:
    lengths = [len(run.t) for run in runs]
    repeated: NDArray[Any] = np.repeat(np.array(values, dtype=object), lengths)
    return repeated


def with_faults(past: Past, faults: Sequence[Fault]) -> Past:
    """The same past, with faults."""
    return replace(past, faults=tuple(faults))
