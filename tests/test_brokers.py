"""The brokers that other tests rely on."""

import socket

import pytest

from tests.brokers import Broker


def accepts(broker: Broker) -> bool:
    """Whether somebody listens on the broker's port."""
    try:
        socket.create_connection(("127.0.0.1", broker.port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_restarts_on_its_port(broker: Broker, end: str) -> None:
    """A broker that was stopped or killed comes back where its clients look for it."""
    url = broker.url
    getattr(broker, end)()
    assert (broker.running, accepts(broker)) == (False, False)
    broker.start()
    assert (broker.running, accepts(broker), broker.url) == (True, True, url)
