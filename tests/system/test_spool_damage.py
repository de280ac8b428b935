"""A damaged spool, as the collector sees it: each sample is stored once, or lost with its count."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent import folder as folders
from agent.spool import open_spool
from tests.agent.spools import fill, zero_pages
from tests.brokers import Broker
from tests.processes import Agent, Collector, until

HELD = 3_000

pytestmark = pytest.mark.system


@pytest.mark.parametrize("ledger", ["whole", "damaged"])
def test_what_cannot_be_read_is_declared(nats: Broker, tmp_path: Path, ledger: str) -> None:
    """Whether the epoch goes on or is over: what is stored and what is lost come to what was taken."""
    agent = Agent(tmp_path, nats.url, "lobby-07", "--interval-s", "0.5")
    with closing(open_spool(agent.spool)) as spool:
        fill(spool, HELD, metrics=100)
        epoch = spool.epoch
    zero_pages(agent.spool, 0, 100, 101, 102)
    if ledger == "damaged":
        for path in folders.ledger_files(agent.spool):
            path.write_bytes(b"")
    with Collector(tmp_path, nats.url) as collector, agent:

        def settled() -> dict[str, Any] | None:
            robot = collector.try_get("robots/lobby-07")
            arrived = robot is not None and robot["delivery"]["stored"] + robot["samples_lost"] >= HELD
            return robot if arrived else None

        robot = until("all is settled", settled)
        assert 0 < robot["samples_lost"] < 50
        assert robot["samples_refused"] == 0
        if ledger == "whole":  # else the next epoch may have begun by now
            assert robot["epoch"] == epoch
        assert robot["delivery"]["clash"] is None
