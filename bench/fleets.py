"""Recordings of large simulated fleets for benchmarks, made once and kept."""

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from rules.recording import FIXED, ORDER, Header, copy_statement
from simulator.behavior import COUNTERS, DAY, GAUGES
from simulator.faults import KINDS, Fault, labels
from simulator.fleet import Robot, robots
from simulator.record import Columns, Past, header, portions

BEGIN = 1_789_948_800_000  # 2026-09-21 00:00 UTC, a Monday
INTERVAL_MS = 60_000
COMMIT_MS = 3_000  # the collector commits what came within so much time
TRAVEL_MS = 400
FAULTY = 0.03
_PHASES = INTERVAL_MS - 2 * COMMIT_MS  # so that each day's commits are over before the next one's begin
_PROCESSES = 2


def recording(folder: Path, count: int, days: int) -> tuple[Path, Path]:
    """The recording of so many robots and days in `folder`, and its labels; made if they are not there."""
    path = folder / f"fleet-{count}x{days}.parquet"
    told = path.with_suffix(".labels.csv")
    if not path.exists() or not told.exists():
        folder.mkdir(parents=True, exist_ok=True)
        members = robots(count)
        faults = tuple(_faults(count, days))
        told.write_text(
            labels(faults, {robot.number: robot.id for robot in members}, BEGIN + days * DAY), "utf-8"
        )
        with tempfile.TemporaryDirectory(dir=folder, prefix=".days-") as work:
            whole = Path(work, "whole.parquet")
            _write(whole, Path(work), members, faults, days)
            whole.replace(path)
    return path, told


def _faults(count: int, days: int) -> Iterator[Fault]:
    """About 3 % of the robots have a fault for some hours or days; all kinds in turn."""
    random = np.random.default_rng(count)
    kinds = itertools.cycle(KINDS)
    for number in sorted(random.choice(count, max(1, round(count * FAULTY)), replace=False) + 1):
        start = BEGIN + int(random.uniform(0.1, 0.8) * days * DAY)
        yield Fault(next(kinds), int(number), start, start + int(random.uniform(0.25, 3) * DAY))


def _write(path: Path, work: Path, members: Sequence[Robot], faults: Sequence[Fault], days: int) -> None:
    parts = np.array_split(np.arange(len(members)), min(_PROCESSES, len(members)))
    jobs = [(work, number, [members[i] for i in part], faults, days) for number, part in enumerate(parts)]
    with Pool(_PROCESSES) as pool:
        pool.starmap(_days, jobs)
    past = Past(members, faults, 1, BEGIN, BEGIN + days * DAY, INTERVAL_MS)
    until = past.end + INTERVAL_MS + COMMIT_MS
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for day in range(days):
            sources = str(work / f"{day}.*.parquet")
            query = f"SELECT * FROM read_parquet('{sources}') ORDER BY {ORDER}"
            connection.execute(f"COPY ({query}) TO '{work}/day{day:03}.parquet' (FORMAT parquet)")
            for source in work.glob(f"{day}.*.parquet"):
                source.unlink()
        query = f"SELECT * FROM read_parquet('{work}/day*.parquet')"
        connection.execute(copy_statement(query, path, Header(((BEGIN, until),), header(past).robots)))


def _days(work: Path, number: int, members: Sequence[Robot], faults: Sequence[Fault], days: int) -> None:
    """Writes some robots' samples, a file a day."""
    past = Past(members, faults, 1, BEGIN, BEGIN + days * DAY, INTERVAL_MS)
    types = {**FIXED, **dict.fromkeys(COUNTERS, "BIGINT"), **dict.fromkeys(GAUGES, "DOUBLE")}
    phases = {robot.id: robot.number * 7_919 % _PHASES for robot in members}
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET threads = 1")
        for day, columns in enumerate(portions(past)):
            connection.register("samples", _spread(columns, phases))
            chosen = ", ".join(f'"{name}"::{type_} AS "{name}"' for name, type_ in types.items())
            target = work / f"{day}.{number}.parquet"
            connection.execute(f"COPY (SELECT {chosen} FROM samples) TO '{target}' (FORMAT parquet)")
            connection.unregister("samples")


def _spread(columns: Columns, phases: dict[str, int]) -> dict[str, NDArray[Any]]:
    """Robots do not sample on one beat: each has its own moment within the interval."""
    phase = np.array([phases[robot] for robot in columns["robot"].tolist()], dtype=np.int64)
    t = columns["t"] + phase
    received = t + TRAVEL_MS
    committed = -(-received // COMMIT_MS) * COMMIT_MS
    return {**columns, "t": t, "robot_t": t, "received_at": received, "committed_at": committed}
