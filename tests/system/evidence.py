"""What a run left behind, read through the commands and the API that users have."""

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from tests.processes import Collector, command, until
from tests.system.account import Alert, Declared, Fired, Numbering

PATIENCE_S: Final = 600.0
OPINION_FLEET: Final = "opinion"


def run(name: str, *arguments: object) -> str:
    """What a command prints; raises `RuntimeError` with its last words where it fails."""
    done = subprocess.run(
        [command(name), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"{name} {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}"
        )
    return done.stdout


def status(spool: Path) -> dict[str, Any]:
    """What `vitals-agent status` says."""
    found: dict[str, Any] = json.loads(run("vitals-agent", "status", "--spool", spool, "--json"))
    return found


def export(data: Path, out: Path) -> Path:
    """Everything stored, as a recording."""
    run("vitals-collector", "export", "--data", data, "--out", out)
    return out


def stored(recording: Path) -> dict[Numbering, NDArray[np.int64]]:
    """The numbers of every epoch, one a row."""
    with duckdb.connect() as connection:
        query = "SELECT robot, epoch, list(seq) FROM read_parquet(?) GROUP BY robot, epoch"
        rows = connection.execute(query, [str(recording)]).fetchall()
    return {Numbering(robot, epoch): np.array(numbers, np.int64) for robot, epoch, numbers in rows}


def last_goals(recording: Path, robots: list[str]) -> dict[str, int]:
    """`navigation.goals` of the last sample of each robot."""
    with duckdb.connect() as connection:
        query = """
            SELECT robot, coalesce(arg_max("navigation.goals", seq), -1) FROM read_parquet(?)
            WHERE list_contains(?, robot) GROUP BY robot
        """
        return dict(connection.execute(query, [str(recording), robots]).fetchall())


def losses(data: Path) -> list[Declared]:
    """What the collector declared lost; it must not run."""
    with duckdb.connect(str(data / "samples.duckdb"), read_only=True) as connection:
        query = 'SELECT robot, epoch, "first", "last", count, reason FROM losses'
        rows = connection.execute(query).fetchall()
    return [Declared(Numbering(row[0], row[1]), *row[2:]) for row in rows]


def lost(collector: Collector, robot: str) -> int:
    """How many samples of a robot are declared lost, by the API."""
    found = collector.try_get(f"robots/{robot}")
    return 0 if found is None else int(found["samples_lost"])


def alerts(collector: Collector) -> list[Alert]:
    """Every alert there ever was, by the API."""
    return [
        Alert(Fired(item["rule"], item["entity"]["id"]), str(item["opened_at"]))
        for state in ("open", "closed")
        for item in _pages(collector, f"alerts?state={state}&suppressed=all&limit=200")
    ]


def alerts_by(recording: Path, folder: Path, rules: tuple[object, ...], broker: str) -> list[Alert]:
    """The alerts of a recording taken in from nothing; the broker is that of another fleet."""
    folder.mkdir()
    collector = Collector(folder, broker, *rules, fleet=OPINION_FLEET)
    run("vitals-collector", "import", recording, "--data", collector.data, *rules)
    with collector:
        return alerts(collector)


def _pages(collector: Collector, path: str) -> Iterator[dict[str, Any]]:
    page = until("the alerts", partial(collector.try_get, path))
    yield from page["items"]
    while page["next"] is not None:
        page = until("more alerts", partial(collector.try_get, f"{path}&after={page['next']}"))
        yield from page["items"]
