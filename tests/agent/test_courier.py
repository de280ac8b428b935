"""The courier over real brokers: more messages than packet ids, and a broker that dies a hundred times."""

import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.client import Client

from agent.outbox import Settings
from tests.agent.carrier import Carrier
from tests.agent.receiver import Receiver
from tests.brokers import Broker, Mosquitto, Nats
from tests.processes import until

pytestmark = pytest.mark.system
EAGER = Settings(
    first_in_flight=4_000,
    backlog_interval_ms=0,
    backlog_spread_ms=0,
    fleet_spread_ms=0,
    hello_patience_ms=500,
    resend_after_ms=1_000,
    resend_at_most_ms=1_000,
)


class Eager(Receiver):
    """A receiver that is back as soon as its broker is."""

    def _on_connect(self, client: Client, *_: object) -> None:
        client._reconnect_min_delay = client._reconnect_max_delay = 0.05  # type: ignore[assignment]
        super()._on_connect(client)


def arrived(receiver: Receiver, carrier: Carrier) -> list[int]:
    """The numbers that arrived, in the order in which they first did, each with the content it was given."""
    found = []
    for (_, epoch, number), sample in receiver.samples.items():
        assert epoch == carrier.epoch
        assert sample.c["asr"]["utterances"] == number
        found.append(number)
    return found


def test_more_samples_than_packet_ids(broker: Broker, ram_path: Path) -> None:
    """A message each, over one connection: ids begin anew after 65,535; all arrive, in order, and once."""
    count = 66_000
    one_by_one = replace(
        EAGER,
        max_batch=1,
        first_in_flight=count,
        max_in_flight=count,
        resend_at_most_ms=10**9,
        resend_after_ms=10**9,
    )
    with (
        Carrier(ram_path / "a", broker.url, one_by_one, held=count) as carrier,
        Receiver(broker.port, receipts=False) as receiver,
    ):
        until("all arrive", lambda: receiver.messages >= count, deadline_s=300)
        assert arrived(receiver, carrier) == list(range(1, count + 1))
        assert receiver.messages == count
        assert carrier.held == count
        receiver.send_receipt("r1", carrier.epoch, count)
        until("it forgets them", carrier.is_empty)
        assert {hello.session for hello in receiver.hellos} == {1}


@pytest.mark.parametrize(("kind", "times"), [(Mosquitto, 100), (Nats, 100)])
def test_a_broker_that_dies_over_and_over(kind: type[Broker], times: int, ram_path: Path) -> None:
    """Killed at any moment, under load: every sample arrives, and none is forgotten before."""
    if kind is Mosquitto and Mosquitto.program() is None:
        pytest.skip("mosquitto is not installed")
    moments = random.Random(times)
    with (
        kind(ram_path / "broker") as broker,
        Eager(broker.port) as receiver,
        Carrier(ram_path / "a", broker.url, EAGER, interval_s=0.01) as carrier,
    ):
        for round_ in range(times):
            if round_ % 5 == 0:
                until_something_new(receiver, carrier)
            time.sleep(moments.uniform(0, 0.3))
            broker.kill()
            broker.start()
        carrier.stop_sampling()
        until("all is delivered", carrier.is_empty)
        assert sorted(arrived(receiver, carrier)) == list(range(1, carrier.taken + 1))
        assert receiver.refused == []


def until_something_new(receiver: Receiver, carrier: Carrier) -> None:
    """Waits for a sample that was not taken yet."""
    newest = carrier.taken

    def came() -> bool:
        return bool(receiver.numbers("r1", carrier.epoch)[-1:] > [newest])

    until("a new sample arrives", came)
