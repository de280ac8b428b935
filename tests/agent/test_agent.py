"""The real agent process over real brokers, with a collector that only stores and sends receipts."""

import json
from pathlib import Path

import pytest

from agent import wire
from tests.agent.process import Agent
from tests.agent.receiver import Receiver, Store, eventually
from tests.brokers import Broker, Mosquitto, Nats, SecureMosquitto

pytestmark = pytest.mark.system


def last(receiver: Receiver, robot: str = "r1") -> wire.Sample | None:
    """The newest sample received of the last epoch."""
    epochs = [hello.epoch for hello in receiver.hellos]
    numbers = receiver.numbers(robot, epochs[-1]) if epochs else []
    return receiver.samples[robot, epochs[-1], numbers[-1]] if numbers else None


def counted(receiver: Receiver, name: str) -> int | None:
    """A counter in the newest sample."""
    subsystem, _, short = name.partition(".")
    sample = last(receiver)
    return None if sample is None else sample.c.get(subsystem, {}).get(short)


def gauged(receiver: Receiver, name: str) -> float | None:
    """A gauge in the newest sample."""
    subsystem, _, short = name.partition(".")
    sample = last(receiver)
    return None if sample is None else sample.g.get(subsystem, {}).get(short)


def listening(agent: Agent) -> bool:
    """Whether the agent answers."""
    return bool(agent.status().get("running"))


def test_carries_pushes_to_the_collector(broker: Broker, tmp_path: Path) -> None:
    """StatsD and JSON, over both sockets, malformed lines among them, end in samples with true counts."""
    with (
        Receiver(broker.port) as receiver,
        Agent(tmp_path / "a", broker.url, "--label", "model=cruzr") as agent,
    ):
        eventually(lambda: listening(agent), "the agent answers")
        agent.push(b"navigation.relocalization_faults:1|c\nnonsense\nnavigation.relocalization_faults:2|c")
        agent.push_udp(b"network.rtt_ms:23|g\nasr.up:1|g")
        agent.push(b'{"subsystem":"tts","boot":"a1","counters":{"utterances":100,"unplayed":7}}')
        agent.push(b'{"subsystem":"tts","boot":"a1","counters":{"utterances":103}}')
        eventually(lambda: counted(receiver, "navigation.relocalization_faults") == 3, "3 faults")
        eventually(lambda: counted(receiver, "tts.utterances") == 103, "103 utterances")
        eventually(lambda: gauged(receiver, "network.rtt_ms") == 23, "the gauge that came by UDP")
        sample = last(receiver)
        assert sample is not None
        assert sample.c["agent"]["datagrams_bad"] == 1
        assert (sample.g["asr"]["up"], sample.g["tts"]["up"]) == (1, 1)
        assert "vision" not in sample.c
        hello = receiver.hellos[-1]
        assert (hello.labels, hello.interval_s, hello.first) == ({"model": "cruzr"}, 0.2, 1)
    assert receiver.refused == []


def test_first_event_shows_as_an_increase(nats: Broker, tmp_path: Path) -> None:
    """Before the first sample with an event lies one of the same epoch where its counter is zero."""
    with Receiver(nats.port) as receiver, Agent(tmp_path / "a", nats.url, interval_s=3600) as agent:
        eventually(lambda: listening(agent), "the agent answers")
        agent.push(b"navigation.goals:5|c")
        eventually(lambda: counted(receiver, "navigation.goals") == 0, "a sample with zero goals")
        assert agent.stop() == 0
        eventually(lambda: counted(receiver, "navigation.goals") == 5, "the last sample has 5 goals")


def test_stops_cleanly_on_sigterm(broker: Broker, tmp_path: Path) -> None:
    """It exits 0, says that it is offline, keeps its last sample, and leaves no socket behind."""
    with Receiver(broker.port) as receiver, Agent(tmp_path / "a", broker.url) as agent:
        eventually(lambda: last(receiver) is not None, "a first sample")
        assert agent.stop() == 0
        eventually(lambda: not receiver.statuses[-1].online, "status offline")
        assert receiver.statuses[-1].session == receiver.hellos[-1].session
        assert not agent.socket.exists()
        status = agent.status()
        assert (status["running"], status["epoch"]) == (False, receiver.hellos[-1].epoch)
        assert status["counters"]["agent"]["samples_taken"] == status["next"] - 1
        eventually(lambda: status["next"] - 1 in receiver.numbers("r1", status["epoch"]), "the last sample")


def test_a_killed_agent_is_declared_offline_by_its_will(broker: Broker, tmp_path: Path) -> None:
    """The will names the session that died, and the next session is a higher one."""
    with Receiver(broker.port) as receiver, Agent(tmp_path / "a", broker.url) as agent:
        eventually(lambda: any(status.online for status in receiver.statuses), "online")
        died = receiver.hellos[-1].session
        agent.kill()
        eventually(lambda: not receiver.statuses[-1].online, "the will")
        assert receiver.statuses[-1].session == died
        agent.start()
        eventually(lambda: receiver.statuses[-1].online, "online again")
        assert receiver.hellos[-1].session > died


def test_loses_nothing_whoever_is_killed(broker: Broker, tmp_path: Path) -> None:
    """Agent, broker and collector die in turn; in the end every sample is stored, and only then forgotten."""
    store: Store = {}
    agent = Agent(tmp_path / "a", broker.url, interval_s=0.1)
    with agent:
        for session in ("1", "2"):
            with Receiver(broker.port, session=session, store=store) as receiver:
                eventually(lambda r=receiver: last(r) is not None, "samples")  # type: ignore[misc]
                agent.push(b"asr.utterances:1|c")
                agent.kill()
                agent.start()
                eventually(lambda: listening(agent), "the agent answers")
            broker.kill()
            taken = agent.status()["next"]
            eventually(lambda n=taken: agent.status()["next"] > n, "it samples on")  # type: ignore[misc]
            agent.kill()
            agent.start()
            eventually(lambda: listening(agent), "the agent answers without a broker")
            broker.start()
        with Receiver(broker.port, session="3", store=store, receipts=False) as deaf:
            held = agent.status()
            wanted = {("r1", held["epoch"], number) for number in range(1, held["next"])}
            eventually(lambda: wanted <= store.keys(), "all that was taken")
            assert agent.status()["first"] == held["first"] < held["next"]
            deaf.receipts = True
            deaf.send_receipt("r1", held["epoch"], deaf.stored_until("r1", held["epoch"]))
            eventually(lambda: agent.status()["held"] <= 1, "it forgets")
    samples = [store[key] for key in sorted(store)]
    heard = [sample.c["asr"]["utterances"] for sample in samples if "asr" in sample.c]
    assert heard == sorted(heard)
    assert [number for _, _, number in sorted(store)] == list(range(1, len(store) + 1))


def test_holds_while_the_collector_is_offline(broker: Broker, tmp_path: Path) -> None:
    """Samples stay in the spool, not in the broker, until a collector listens; none is missing then."""
    with Agent(tmp_path / "a", broker.url) as agent:
        eventually(lambda: agent.status().get("held", 0) >= 5, "it holds")
        with Receiver(broker.port) as receiver:
            eventually(lambda: agent.status()["held"] <= 1, "it delivers")
            epoch = receiver.hellos[-1].epoch
            numbers = receiver.numbers("r1", epoch)
            assert numbers == list(range(1, len(numbers) + 1))
        eventually(lambda: agent.status()["collector_online"] is False, "the collector left")
        messages = receiver.messages
        eventually(lambda: agent.status()["held"] >= 5, "it holds again")
        assert receiver.messages == messages


def test_counts_its_own_connection(nats: Broker, tmp_path: Path) -> None:
    """Drops, failures and time offline are counted where the network fails."""
    with Agent(tmp_path / "a", nats.url) as agent:
        eventually(lambda: bool(agent.status().get("connected_since")), "connected")
        nats.kill()
        eventually(lambda: agent.status()["counters"]["network"]["connect_failures"] > 0, "a failure")
        eventually(lambda: agent.status()["gauges"]["network"]["up"] == 0, "a sample that says so")
        network = agent.status()["counters"]["network"]
        assert network["disconnects"] == 1
        assert network["connect_attempts"] >= 2


def test_a_spool_set_back_begins_a_new_epoch(nats: Broker, tmp_path: Path) -> None:
    """A receipt beyond what was ever taken means that numbers would be used twice."""
    with Receiver(nats.port) as receiver, Agent(tmp_path / "a", nats.url) as agent:
        eventually(lambda: last(receiver) is not None, "samples")
        old = receiver.hellos[-1].epoch
        receiver.send_receipt("r1", old, 10**6)
        eventually(lambda: receiver.hellos[-1].epoch != old, "a new epoch")
        new = receiver.hellos[-1].epoch
        eventually(lambda: receiver.stored_until("r1", new) >= 3, "samples of the new epoch")
        assert "set back" in agent.log


def test_a_damaged_spool_is_set_aside(nats: Broker, tmp_path: Path) -> None:
    """The agent starts all the same, says so loudly, and keeps the damaged file."""
    agent = Agent(tmp_path / "a", nats.url)
    agent.spool.mkdir(parents=True)
    (agent.spool / "spool.db").write_bytes(b"no database at all" * 1_000)
    with Receiver(nats.port) as receiver, agent:
        eventually(lambda: last(receiver) is not None, "samples")
        assert "SPOOL DAMAGED" in agent.log
        assert len(list(agent.spool.glob("damaged-*/spool.db"))) == 1


def test_status_is_readable(nats: Broker, tmp_path: Path) -> None:
    """A person sees who runs, what is connected, what was counted, held and refused; also once it stopped."""
    with Receiver(nats.port), Agent(tmp_path / "a", nats.url) as agent:
        eventually(lambda: bool(agent.status().get("receipt")), "a receipt")
        agent.push(b"navigation.goals:7|c\nnonsense\nfoo.bar:1|c")
        eventually(lambda: "foo.bar" in agent.status()["unknown"], "the push")
        running = agent.printed_status()
        assert f"broker     {nats.url}, connected since 2" in running
        assert "robot r1 of fleet test: agent running (pid " in running
        assert "collector  online" in running
        assert "'nonsense'" in running
        assert "unknown    foo.bar: 1 times" in running
        agent.stop()
        assert json.loads(agent.printed_status("--json"))["held"] == agent.status()["held"]
    stopped = agent.printed_status()
    assert stopped.startswith("agent not running\n")
    for line in stopped.splitlines(), running.splitlines():
        assert any(part.split() == ["navigation.goals", "7"] for part in line)
        assert any(part.startswith("receipt    up to ") for part in line)


def test_a_spool_has_one_agent(tmp_path: Path) -> None:
    """The second is told in one line who holds the folder."""
    with Agent(tmp_path / "a", "mqtt://127.0.0.1:1") as first:
        eventually(lambda: listening(first), "the first runs")
        second = Agent(tmp_path / "b", "mqtt://127.0.0.1:1", "--spool", str(first.spool))
        second.start()
        assert second.wait() == 1
        assert f"spool folder {first.spool} is in use by the agent with pid" in second.log
        assert second.log.count("\n") == 1


def test_waits_for_a_broker_that_is_not_there_yet(tmp_path: Path) -> None:
    """An agent that boots before its broker samples, and delivers once it can."""
    broker = Nats(tmp_path / "nats")
    with Agent(tmp_path / "a", broker.url) as agent:
        eventually(lambda: agent.status().get("held", 0) >= 3, "it holds")
        assert "Connection refused" in agent.status()["problem"]
        with broker, Receiver(broker.port):
            eventually(lambda: agent.status()["held"] <= 1, "it delivers")


def test_speaks_tls_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    """`mqtts://` with authority, certificate and key; a broker of another authority is not spoken to."""
    if Mosquitto.program() is None:
        pytest.skip("mosquitto is not installed")
    with SecureMosquitto(tmp_path / "broker") as broker, SecureMosquitto(tmp_path / "other") as other:
        flags = ("--tls-ca", str(broker.ca), "--tls-cert", str(broker.cert), "--tls-key", str(broker.key))
        with Agent(tmp_path / "a", broker.url, *flags) as agent:
            eventually(lambda: bool(agent.status().get("connected_since")), "connected")
        with Agent(tmp_path / "b", other.url, *flags) as agent:
            eventually(lambda: "certificate verify failed" in str(agent.status().get("problem")), "refusal")
