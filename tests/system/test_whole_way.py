"""From a datagram of the firmware to the API: real agent, real broker, real collector."""

import json
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import duckdb
import pytest

from agent import wire
from tests.brokers import Broker
from tests.processes import Agent, Collector, command, until

pytestmark = pytest.mark.system
METRIC = "navigation.relocalization_faults"


def push(port: int, line: str) -> None:
    """Sends one datagram as firmware would, with `nc` where there is one."""
    if (nc := shutil.which("nc")) is not None:
        with tempfile.TemporaryFile() as ready:  # a pipe may still be empty when nc gives up on it
            ready.write(line.encode())
            ready.seek(0)
            subprocess.run([nc, "-u", "-w0", "127.0.0.1", str(port)], stdin=ready, check=True, timeout=30)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(line.encode(), ("127.0.0.1", port))


def total_increase(collector: Collector, robot: str) -> float:
    """What the API's series of a robot add up to."""
    answer = collector.try_get(f"robots/{robot}/series?metric={METRIC}")
    points = answer["metrics"][METRIC]["points"] if answer else []
    return float(sum(value for _, value in points if value is not None))


def test_a_pushed_counter_is_in_the_series_of_its_robot(broker: Broker, tmp_path: Path) -> None:
    """A line pushed with nc shows in the API's series; a robot nobody registered is unclaimed."""
    with (
        Collector(tmp_path, broker.url) as collector,
        Agent(tmp_path, broker.url, "lobby-07", "--interval-s", "1") as agent,
    ):
        until("the robot is known", lambda: collector.try_get("robots/lobby-07"))
        push(agent.udp_port, f"{METRIC}:1|c")
        until("the count is stored", lambda: total_increase(collector, "lobby-07") == 1)
        push(agent.udp_port, f"{METRIC}:2|c\n")
        until("the next one too", lambda: total_increase(collector, "lobby-07") == 3)
        robot = collector.get("robots/lobby-07")
        assert robot["lifecycle"] == "unclaimed"
        assert robot["presence"] == "online"


def test_malformed_datagrams_are_counted_and_harm_nothing(nats: Broker, tmp_path: Path) -> None:
    """After any garbage, a good line still arrives, and the garbage is counted."""
    with (
        Collector(tmp_path, nats.url) as collector,
        Agent(tmp_path, nats.url, "r1", "--interval-s", "1") as agent,
    ):
        until("the robot is known", lambda: collector.try_get("robots/r1"))
        for garbage in (
            "",
            "x",
            "navigation.goals:|c",
            "{",
            '{"subsystem":3}',
            "\xff\x00:1|c",
            "a:1|c" * 300,
        ):
            push(agent.udp_port, garbage)
        push(agent.udp_port, f"{METRIC}:1|c")
        until("the good one is stored", lambda: total_increase(collector, "r1") == 1)
        latest = collector.get("robots/r1")["values"]
        assert latest["agent.datagrams_bad"] >= 5


def test_messages_on_the_broker_are_readable(broker: Broker, tmp_path: Path) -> None:
    """What `mosquitto_sub -v` prints is the wire contract, in plain JSON."""
    if (subscriber := shutil.which("mosquitto_sub")) is None:
        pytest.skip("mosquitto_sub is not installed")
    with (
        Collector(tmp_path, broker.url) as collector,
        Agent(tmp_path, broker.url, "r1", "--interval-s", "1"),
    ):
        until("the robot is known", lambda: collector.try_get("robots/r1"))
        port = str(broker.port)
        result = subprocess.run(
            [subscriber, "-p", port, "-t", "vitals/v1/#", "-v", "-q", "1", "-W", "4"],
            capture_output=True,
            timeout=60,
            check=False,
        )
    seen = set()
    for line in result.stdout.decode().splitlines():
        topic, _, payload = line.partition(" ")
        assert isinstance(json.loads(payload), dict)
        assert isinstance(wire.decode(topic, payload.encode()), wire.Received), line
        seen.add(topic.removeprefix("vitals/v1/test/"))
    assert {"r1/hello", "r1/status", "r1/samples", "collector/status"} <= seen


def test_a_robot_that_waited_loses_nothing(nats: Broker, tmp_path: Path) -> None:
    """Agent killed, broker away, collector killed: every sample is in the export once, without a hole."""
    collector = Collector(tmp_path, nats.url)
    agent = Agent(tmp_path, nats.url, "r1", "--interval-s", "0.2")
    with collector, agent:
        until("the robot is known", lambda: collector.try_get("robots/r1"))
        nats.kill()
        agent.kill()
        agent.start()
        nats.start()
        collector.kill()
        collector.start()
        until("a count is stored", lambda: push_and_look(agent, collector))
        taken = until("the backlog is stored", lambda: numbers_without_hole(collector, tmp_path))
    assert taken >= 1


def numbers_without_hole(collector: Collector, folder: Path) -> int | None:
    """The highest number in the export, if every one from 1 on is there; none is ever there twice."""
    out = folder / "out.parquet"
    export = [command("vitals-collector"), "export", "--data", str(collector.data), "--out", str(out)]
    done = subprocess.run(export, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    columns = "epoch, count(*), count(DISTINCT seq), max(seq)"
    query = f"SELECT {columns} FROM read_parquet(?) GROUP BY epoch"
    [(_, count, distinct, highest)] = duckdb.execute(query, [str(out)]).fetchall()
    assert count == distinct
    return highest if count == highest else None


def push_and_look(agent: Agent, collector: Collector) -> bool:
    """Pushes once more (UDP to an agent that only just starts is lost), and looks whether any arrived."""
    push(agent.udp_port, f"{METRIC}:1|c")
    return total_increase(collector, agent.robot) >= 1
