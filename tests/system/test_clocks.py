"""Robots with bad clocks, through real agents, a real broker and a real collector: when was it, really?"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pytest

from collector.event_time import LEAD_MS
from tests.brokers import Broker
from tests.processes import Collector, until
from tests.system.clocks import IN_1970, Clocks, Robot
from tests.system.test_ingest import vitals

pytestmark = pytest.mark.system
HOUR = 3_600_000
DAY = 24 * HOUR
SLOW_MS = (
    60_000  # what a busy machine may take from broker to collector; clocks here are off by an hour at least
)
Row = dict[str, Any]
Change = Callable[[Clocks], None]


def wall(offset: int | None, *, synced: bool) -> Change:
    """The wall clock is set."""
    return lambda clocks: clocks.set(offset, synced=synced)


LIVES: dict[str, tuple[Change, Change]] = {
    "right": (wall(0, synced=True), wall(0, synced=True)),
    "no-battery": (wall(IN_1970, synced=False), wall(IN_1970, synced=False)),
    "no-battery-then-time-server": (wall(IN_1970, synced=False), wall(0, synced=True)),
    "jumps-ahead": (wall(0, synced=True), wall(DAY, synced=False)),
    "jumps-back-and-claims-it": (wall(0, synced=True), wall(-DAY, synced=True)),
    "a-day-behind-then-set": (wall(-DAY, synced=False), wall(0, synced=True)),
    "other-zone": (wall(8 * HOUR, synced=False), wall(8 * HOUR, synced=False)),
    "other-zone-claimed": (wall(-5 * HOUR, synced=True), wall(-5 * HOUR, synced=True)),
    "sleeps": (wall(0, synced=True), lambda clocks: clocks.sleep(HOUR)),
    "no-battery-and-sleeps": (wall(IN_1970, synced=False), lambda clocks: clocks.sleep(HOUR)),
}


def stored(collector: Collector, folder: Path) -> dict[str, list[Row]]:
    """All samples in the store, by robot, in the order of their numbers."""
    out = folder / "out.parquet"
    vitals("export", "--data", collector.data, "--out", out)
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT * FROM read_parquet(?) ORDER BY robot, seq", [str(out)])
        names = [column[0] for column in rows.description]
        found: dict[str, list[Row]] = {}
        for values in rows.fetchall():
            row = dict(zip(names, values, strict=True))
            found.setdefault(row["robot"], []).append(row)
        return found


def all_stored(collector: Collector, folder: Path, robots: list[Robot]) -> dict[str, list[Row]]:
    """The same, once everything is there that was taken until now."""
    taken = {robot.name: robot.report.next - 1 for robot in robots}

    def found() -> dict[str, list[Row]]:
        rows = stored(collector, folder)
        return rows if all(len(rows.get(name, ())) >= count for name, count in taken.items()) else {}

    return until("everything is stored", found)


def check(rows: list[Row], clocks: Clocks) -> None:
    """No number is missing, and every event time is the true one, or close to it and after it."""
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        true_at = clocks.began[row["boot"]] + row["up"]
        assert -LEAD_MS <= row["t"] - true_at <= SLOW_MS, row
        assert row["corrected"] == (row["t"] != row["robot_t"])
        assert row["corrected"] or row["synced"]


def test_whatever_the_clock_does(nats: Broker, tmp_path: Path) -> None:
    """Samples wait in the spool while the clock goes wrong or right; then they come, and some more, live."""
    clocks = {name: Clocks() for name in LIVES}
    for name, (begin, _) in LIVES.items():
        begin(clocks[name])
    with ExitStack() as stack:
        robots = [stack.enter_context(Robot(tmp_path, nats.url, name, clocks[name])) for name in LIVES]
        wait_for_samples(robots)
        for name, (_, then) in LIVES.items():
            then(clocks[name])
        wait_for_samples(robots)
        collector = stack.enter_context(Collector(tmp_path, nats.url))
        wait_for_samples(robots)
        found = all_stored(collector, tmp_path, robots)
    for name, clock in clocks.items():
        check(found[name], clock)
    assert not any(row["corrected"] for row in found["right"])
    assert all(row["corrected"] for row in found["no-battery"])


def wait_for_samples(robots: list[Robot]) -> None:
    """Until each robot has taken some more."""
    for robot in robots:
        robot.takes(5)


def test_boots_that_never_knew_the_time(nats: Broker, tmp_path: Path) -> None:
    """Switched off twice without ever seeing a time server: three boots, one after the other, all in 1970."""
    clocks = Clocks()
    clocks.set(IN_1970, synced=False)
    for boot in ("boot-1", "boot-2"):
        clocks.reboot(boot)
        with Robot(tmp_path, nats.url, "r1", clocks) as robot:
            robot.takes(8)
    clocks.reboot("boot-3")
    with Robot(tmp_path, nats.url, "r1", clocks) as robot, Collector(tmp_path, nats.url) as collector:
        robot.takes(5)
        rows = all_stored(collector, tmp_path, [robot])["r1"]
    check(rows, clocks)
    assert {row["boot"] for row in rows} == {"boot-1", "boot-2", "boot-3"}
    times = [row["t"] for row in rows if row["boot"] != "boot-3"]
    assert times == sorted(times)
    assert max(row["robot_t"] for row in rows) < DAY
