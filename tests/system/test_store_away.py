"""The collector over VictoriaMetrics: the server dies and comes back, and nothing is lost or told wrongly."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest

from tests.brokers import Broker
from tests.conformance.stores import exported
from tests.processes import Agent, Collector, Process, until
from tests.servers import VictoriaMetricsServer

pytestmark = pytest.mark.system


def _ask(collector: Collector, path: str) -> str:
    """A page, whatever its status; empty where there is no answer."""
    try:
        with collector.ask(path) as answer:
            return str(answer.read().decode())
    except HTTPError as error:
        return error.read().decode()
    except (URLError, ConnectionError, TimeoutError):
        return ""


def _stored(collector: Collector) -> float:
    """How many samples it has stored since its start."""
    found = re.search(r"^robovitals_samples_stored_total (\S+)", _ask(collector, "metrics"), re.MULTILINE)
    return float(found[1]) if found else 0


def _without_a_hole(collector: Collector) -> int:
    """Up to which number everything is stored, while nothing above it waits for a backlog."""
    with closing(sqlite3.connect(collector.data / "victoriametrics.ledger")) as ledger:
        until_, above = ledger.execute("SELECT until, above FROM watermarks").fetchone()
        return 0 if above else int(until_)


def test_a_store_that_dies_under_way_is_caught_up_with(
    nats: Broker, victoriametrics: VictoriaMetricsServer, tmp_path: Path
) -> None:
    """Health says that the store is away; once it is back, every sample is stored exactly once."""
    collector = Collector(tmp_path, nats.url, "--store", victoriametrics.store)
    with collector, Agent(tmp_path, nats.url, "r-1", "--interval", 1) as agent:
        until("samples are stored", lambda: _stored(collector) >= 3)
        victoriametrics.kill()
        until("health says so", lambda: "connection refused" in _ask(collector, "api/v1/health"))
        collector.kill()
        victoriametrics.start()
        collector.start()
        until("the backlog is stored, and more", lambda: _without_a_hole(collector) >= 12)
        agent.stop()
    out = tmp_path / "out.parquet"
    arguments = ["export", "--data", collector.data, "--store", victoriametrics.store, "--out", out]
    with Process("vitals-collector", arguments, tmp_path) as export:
        assert export.popen is not None
        assert export.popen.wait(60) == 0, export.log
    numbers = [row["seq"] for row in exported(out)]
    assert sorted(numbers) == list(range(1, max(numbers) + 1))
