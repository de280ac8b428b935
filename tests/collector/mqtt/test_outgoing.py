"""Receipts on their way out: one a robot, no more under way than the broker shall hold."""

from agent import wire
from collector.mqtt.framing import Cutter
from collector.mqtt.outgoing import IN_FLIGHT, Outgoing
from collector.receipts import Receipt


def read(packets: list[bytes]) -> list[tuple[str, int]]:
    """Robot and number of each receipt, and that they are what an agent understands."""
    found = []
    for message in Cutter().cut(b"".join(packets), 0).arrived:
        received = wire.decode(message.topic, message.payload)
        assert isinstance(received, wire.Received)
        assert isinstance(received.topic, wire.Topic)
        assert isinstance(received.message, wire.Receipt)
        found.append((received.topic.robot, received.message.stored_until))
    return found


def test_a_newer_receipt_takes_the_older_ones_place() -> None:
    """A robot needs the last one only."""
    outgoing = Outgoing("main")
    outgoing.put([Receipt("r1", "e", 1), Receipt("r2", "e", 5)])
    outgoing.put([Receipt("r1", "e", 9)])
    assert read(outgoing.packets()) == [("r1", 9), ("r2", 5)]
    assert outgoing.packets() == []


def test_the_broker_is_not_flooded() -> None:
    """The rest waits until the broker has acknowledged; then it is idle."""
    outgoing = Outgoing("main")
    outgoing.put([Receipt(f"r{number}", "e", number) for number in range(IN_FLIGHT + 10)])
    assert len(outgoing.packets()) == IN_FLIGHT
    assert outgoing.packets() == []
    outgoing.settle(4)
    assert len(outgoing.packets()) == 4
    outgoing.settle(IN_FLIGHT)
    assert len(outgoing.packets()) == 6
    assert not outgoing.idle
    outgoing.settle(6)
    assert outgoing.idle


def test_a_new_connection_begins_empty() -> None:
    """Agents ask anew at its sight; what the old one owed settles nothing."""
    outgoing = Outgoing("main")
    outgoing.put([Receipt("r1", "e", 1)])
    outgoing.packets()
    outgoing.put([Receipt("r2", "e", 1)])
    outgoing.clear()
    assert outgoing.idle
    assert outgoing.packets() == []
