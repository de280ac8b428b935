"""Every example of docs/wire.md is true: messages decode, datagrams count, commands and code run."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from agent import wire
from agent.catalogue import load
from agent.counters import Counters
from agent.datagrams import parse
from tests.brokers import Broker
from tests.processes import until

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [(match[1], match[2] or "", match[3]) for match in FENCE.finditer(PAGE)]
MESSAGES = [(about, text) for kind, about, text in EXAMPLES if about.startswith("vitals/")]
DATAGRAMS = [text for kind, about, text in EXAMPLES if kind == "statsd" or about == "datagram"]


def examples(kind: str, about: str = "") -> list[str]:
    """The page's blocks of one kind."""
    found = [text for a_kind, an_about, text in EXAMPLES if (a_kind, an_about) == (kind, about)]
    assert found, f"docs/wire.md has no {kind} block '{about}' any more"
    return found


@pytest.fixture
def agent() -> Iterator[socket.socket]:
    """An agent's UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(30)
        yield bound


def here(text: str, agent: socket.socket) -> str:
    """The example with the test's port for the real one."""
    return text.replace("8125", str(agent.getsockname()[1]))


def environment() -> dict[str, str]:
    """With the commands of this installation on the path."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def assert_counts(datagram: bytes) -> None:
    """The agent takes all of it."""
    counters, parsed = Counters(load()), parse(datagram)
    assert parsed.pushes
    assert parsed.refused == ()
    assert [reason for push in parsed.pushes for reason in counters.apply(push, 0)] == []
    assert not counters.unknown


@pytest.mark.parametrize(("topic", "text"), MESSAGES, ids=[topic for topic, _ in MESSAGES])
def test_messages_keep_the_contract(topic: str, text: str) -> None:
    """Each message decodes on the topic that stands beside it, and says nothing that is not read."""
    answer = wire.decode(topic, text.strip().encode())
    assert isinstance(answer, wire.Received), answer
    assert len(wire.encode(answer.message)) <= len(text.strip().encode()) + len(".0")


def test_every_topic_is_described() -> None:
    """Each channel of the contract has an example, and a row in the table."""
    described = {topic.removeprefix("vitals/v1/demo/lobby-07/") for topic, _ in MESSAGES}
    assert described == {*wire.CHANNELS, "vitals/v1/demo/collector/status"}
    assert all(f"`<robot>/{channel}`" in PAGE for channel in wire.CHANNELS)


@pytest.mark.parametrize("text", DATAGRAMS)
def test_datagrams_count(text: str) -> None:
    """Each datagram is taken whole by the agent."""
    assert_counts(text.encode())


def test_signed_gauges_are_as_described() -> None:
    """A negative gauge is set by way of zero."""
    counters = Counters(load())
    for line in ("network.signal_dbm:40|g", "network.signal_dbm:0|g\nnetwork.signal_dbm:-56|g"):
        for push in parse(line.encode()).pushes:
            counters.apply(push, 0)
    assert counters.sample(0)[1]["network"]["signal_dbm"] == -56


@pytest.mark.parametrize("command", examples("sh"))
def test_commands_push(command: str, agent: socket.socket) -> None:
    """What the page says to type arrives."""
    if shutil.which("nc") is None:
        pytest.skip("nc is not installed")
    subprocess.run(["sh", "-ec", here(command, agent)], check=True, timeout=60)
    assert_counts(agent.recv(2000))


def test_the_stubs_push(agent: socket.socket) -> None:
    """The command that runs until stopped pushes, and stops."""
    (command,) = examples("sh", "until stopped")
    words = here(command, agent).split()
    stubs = subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL)
    try:
        assert_counts(agent.recv(2000))
    finally:
        stubs.terminate()
        assert stubs.wait(60) == 0


def test_the_c_example_pushes(tmp_path: Path, agent: socket.socket) -> None:
    """It compiles without a warning, and both of its datagrams count."""
    if (compiler := shutil.which("gcc")) is None:
        pytest.skip("gcc is not installed")
    (code,) = examples("c")
    source = tmp_path / "firmware.c"
    source.write_text(here(code, agent))
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I", str(ROOT / "firmware_stubs")]
    subprocess.run([compiler, *strict, source, "-o", tmp_path / "firmware"], check=True, timeout=120)
    subprocess.run([tmp_path / "firmware"], check=True, timeout=60)
    assert_counts(agent.recv(2000))
    assert_counts(agent.recv(2000))


def test_the_python_example_pushes(agent: socket.socket) -> None:
    """As the C example."""
    (code,) = examples("python")
    subprocess.run([sys.executable, "-c", here(code, agent)], check=True, timeout=60)
    assert_counts(agent.recv(2000))


def test_messages_can_be_read_along(mosquitto: Broker) -> None:
    """`mosquitto_sub` prints topics and messages as the page shows them."""
    if shutil.which("mosquitto_sub") is None:
        pytest.skip("mosquitto_sub is not installed")
    (command,) = examples("sh", "with a broker")
    topic, text = next(message for message in MESSAGES if message[0].endswith("hello"))
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    until("the broker has the message", client.publish(topic, text.strip(), qos=1, retain=True).is_published)
    client.disconnect()
    client.loop_stop()
    listen = f"{command.strip()} -p {mosquitto.port} -C 1 -W 30"
    heard = subprocess.run(["sh", "-ec", listen], capture_output=True, text=True, timeout=60)
    assert heard.stdout == f"{topic} {text}"


def test_limits_are_those_of_the_code() -> None:
    """The page's table has the figures that are enforced."""
    assert f"{wire.MAX_MESSAGE // 1024} KiB" in PAGE
    assert f"{wire.MAX_INFLATED // 1024**2} MiB" in PAGE
    assert f"| samples in a message | {wire.MAX_SAMPLES} |" in PAGE
    assert f"| metrics in a sample | {wire.MAX_METRICS:,} |" in PAGE
    assert f"{wire.MAX_STRING} bytes of UTF-8" in PAGE
    assert f"than {wire.COMPRESS_OVER // 1024} KiB" in PAGE


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", PAGE))
def test_links_lead_somewhere(target: str) -> None:
    """Every file that the page links to is there."""
    assert (ROOT / "docs" / target).exists()
