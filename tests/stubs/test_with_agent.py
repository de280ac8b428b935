"""The stubs and the real agent: what firmware pushes is what the agent counts."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from firmware_stubs.faults import NAMES
from tests.brokers import free_port
from tests.processes import Agent, Process, command, until

pytestmark = pytest.mark.system


def status(spool: Path) -> dict[str, Any]:
    """What the agent says it counted, or nothing where it does not answer yet."""
    words = [command("vitals-agent"), "status", "--spool", str(spool), "--json"]
    result = subprocess.run(words, capture_output=True, text=True, timeout=60)
    answer: dict[str, Any] = json.loads(result.stdout) if result.returncode == 0 else {}
    return answer


def test_the_agent_counts_what_the_stubs_push(tmp_path: Path) -> None:
    """All eight modules are up, a fault shows in its counter, and no datagram is bad."""
    nobody = f"mqtt://127.0.0.1:{free_port()}"
    stubs = ["run", "--fault", "relocalization_failing", "--rate", "30", "--socket"]
    with (
        Agent(tmp_path, nobody, "r1", "--interval-s", "0.5") as agent,
        Process("vitals-stubs", [*stubs, agent.socket], tmp_path),
    ):

        def counted() -> bool:
            now = status(agent.spool)
            gauges, counters = now.get("gauges", {}), now.get("counters", {})
            up = all(gauges.get(name, {}).get("up") == 1 for name in NAMES)
            return up and counters["navigation"]["relocalization_faults"] >= 3

        until("the faults are counted", counted)
        assert status(agent.spool)["counters"]["agent"]["datagrams_bad"] == 0
