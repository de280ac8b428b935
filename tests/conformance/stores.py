"""The stores that the suite of their seam runs over, and samples to put into them."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from agent.catalogue import Catalogue, load
from collector.stores import Commit, Loss, Rows, Store, StoredSample, Watermark
from collector.stores.address import StoreAddress, parse_store
from collector.stores.numbers import runs
from collector.stores.opening import open_store
from rules.roster import Robot, Roster
from tests.influxdouble import TOKEN, InfluxDouble, serving
from tests.servers import VictoriaMetricsServer

CATALOGUE: Catalogue = load()
MINUTE = 60_000
T0 = int(time.time() // 3600) * 3_600_000 - 3 * 86_400_000  # an hour three days ago: no server refuses it
ROSTER = Roster([Robot("r1"), Robot("r2")])
Key = tuple[str, str]


@dataclass(frozen=True)
class Home:
    """Where a store is opened; it may be closed and opened again."""

    address: StoreAddress
    folder: Path

    def open(self, catalogue: Catalogue = CATALOGUE) -> Store:
        """Opens it."""
        self.folder.mkdir(exist_ok=True)
        return open_store(self.address, self.folder, catalogue)

    def beside(self, name: str) -> "Home":
        """Another store of the same kind, with nothing in it."""
        return replace(self, folder=self.folder / name)


@dataclass
class Sender:
    """Puts samples into a store as the intake does: with watermarks over everything before."""

    store: Store
    settled: dict[Key, set[int]] = field(default_factory=dict)

    def send(self, at: int, *samples: StoredSample, losses: Sequence[Loss] = ()) -> Commit:
        """One commit at a time."""
        for sample in samples:
            self.settled.setdefault((sample.robot, sample.epoch), set()).add(sample.seq)
        for loss in losses:
            numbers = range(loss.first, loss.last + 1)
            self.settled.setdefault((loss.robot, loss.epoch), set()).update(numbers)
        touched = {(s.robot, s.epoch) for s in samples} | {(loss.robot, loss.epoch) for loss in losses}
        marks = {key: watermark(self.settled[key]) for key in touched}
        commit = Commit(at, Rows.of(samples, CATALOGUE), losses, marks)
        self.store.append(commit)
        return commit


def watermark(numbers: set[int]) -> Watermark:
    """Everything from 1 without a hole, and what lies above."""
    first, last = next(iter(runs(numbers)), (1, 0))
    until = last if first == 1 else 0
    return Watermark(until, frozenset(number for number in numbers if number > until))


def sample(seq: int = 1, **fields: Any) -> StoredSample:
    """A sample every half minute from T0 on, received at once."""
    at = fields.get("t", T0 + 30_000 * seq)
    usual: dict[str, Any] = {
        "robot": "r1",
        "epoch": "e1",
        "t": at,
        "robot_t": at,
        "received_at": at + 20,
        "up": 3_600_000 + 30_000 * seq,
        "boot": "b1",
        "synced": True,
        "corrected": False,
        "counters": {"network.disconnects": seq},
        "gauges": {"network.rtt_ms": 20.5},
    }
    return StoredSample(seq=seq, **{**usual, **fields})


def exported(path: Path) -> list[dict[str, Any]]:
    """A recording's rows in their order, without the metrics that they do not have."""
    with duckdb.connect() as connection:
        query = "SELECT * FROM read_parquet(?) ORDER BY committed_at, robot, epoch, seq"
        result = connection.execute(query, [str(path)])
        names = [column[0] for column in result.description or ()]
        return [
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
            for row in result.fetchall()
        ]


def pytest_configure(config: pytest.Config) -> None:
    """Says what the mark means."""
    config.addinivalue_line("markers", "needs_influxdb: needs the server that INFLUXDB_URL names")


_REAL_INFLUXDB = pytest.param("influxdb", marks=pytest.mark.needs_influxdb)


@pytest.fixture(params=["duckdb", "victoriametrics", "influxdb-double", _REAL_INFLUXDB])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Where a store can be opened; the test runs once over each kind."""
    folder = tmp_path / "data"
    match request.param:
        case "victoriametrics":
            server: VictoriaMetricsServer = request.getfixturevalue("shared_victoriametrics")
            monkeypatch.setattr("collector.stores.victoriametrics.FLUSH_S", 0.1)  # none of these kills it
            yield Home(parse_store(server.store), folder)
        case "influxdb-double":
            monkeypatch.setenv("INFLUXDB_TOKEN", TOKEN)
            with serving(InfluxDouble()) as url:
                yield Home(parse_store(url), folder)
        case "influxdb":
            if not (url := os.environ.get("INFLUXDB_URL", "")):
                pytest.skip("INFLUXDB_URL is not set: influxdb://host:8086/ORG/BUCKET, and INFLUXDB_TOKEN")
            yield Home(parse_store(url), folder)
        case _:
            yield Home(parse_store("duckdb"), folder)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    """An open store with nothing in it."""
    with closing(home.open()) as opened:
        yield opened


@pytest.fixture
def sender(store: Store) -> Sender:
    """Puts samples into `store`."""
    return Sender(store)
