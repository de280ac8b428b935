"""Every message that keeps the contract comes back as it was sent."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agent import wire
from agent.wire import (
    CollectorStatus,
    Command,
    End,
    Hello,
    Message,
    Receipt,
    Received,
    Sample,
    Samples,
    Sent,
    Status,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=256).filter(
    lambda text: len(text.encode()) <= wire.MAX_STRING
)
IDENTITY = TEXT.filter(bool)
ROBOTS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True).filter(wire.is_robot)
FLEETS = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True)
MS = st.integers(0, 2**53)
NUMBERS = st.integers(1, 2**53)
COUNTS = st.integers(0, 2**62)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def metrics(values: st.SearchStrategy[float]) -> st.SearchStrategy[dict[str, dict[str, float]]]:
    return st.dictionaries(NAMES, st.dictionaries(NAMES, values, max_size=5), max_size=4)


HELLOS = st.builds(
    lambda first, next_, **fields: Hello(first=min(first, next_), next=max(first, next_), **fields),
    first=NUMBERS,
    next_=NUMBERS,
    session=COUNTS,
    boot=TEXT,
    epoch=IDENTITY,
    agent=TEXT,
    interval_s=st.floats(0, 86_400, exclude_min=True),
    tz=TEXT,
    labels=st.dictionaries(TEXT, TEXT, max_size=4),
    at=MS,
)
SAMPLE = st.builds(Sample, t=MS, up=MS, boot=TEXT, synced=st.booleans(), c=metrics(COUNTS), g=metrics(FINITE))
SAMPLES = st.builds(
    lambda first, seq, **fields: Samples(first=min(first, seq), seq=max(first, seq), **fields),
    first=NUMBERS,
    seq=NUMBERS,
    epoch=IDENTITY,
    sent=st.builds(Sent, t=MS, up=MS, boot=TEXT),
    samples=st.lists(SAMPLE, min_size=1, max_size=5),
    ends=st.lists(st.builds(End, boot=TEXT, up=MS, began=st.none() | MS), max_size=3),
)
MESSAGES: dict[wire.Channel, st.SearchStrategy[Message]] = {
    "hello": HELLOS,
    "status": st.builds(Status, online=st.booleans(), session=COUNTS, at=MS),
    "samples": SAMPLES,
    "receipt": st.builds(Receipt, epoch=IDENTITY, stored_until=COUNTS),
    "command": st.builds(Command, id=IDENTITY, kind=IDENTITY),
}


@given(FLEETS, ROBOTS, st.sampled_from(wire.CHANNELS), st.data())
@settings(deadline=None)
def test_messages_of_robots_round_trip(
    fleet: str, robot: str, channel: wire.Channel, data: st.DataObject
) -> None:
    """Any message on any robot's topic."""
    topic = wire.Topic(fleet, robot, channel)
    message = data.draw(MESSAGES[channel])
    assert wire.decode(str(topic), wire.encode(message)) == Received(topic, message)


@given(FLEETS, st.builds(CollectorStatus, online=st.booleans(), session=TEXT, at=MS))
def test_the_status_of_a_collector_round_trips(fleet: str, status: CollectorStatus) -> None:
    """The collector's one message, on its one topic."""
    topic = wire.CollectorTopic(fleet)
    assert wire.decode(str(topic), wire.encode(status)) == Received(topic, status)


@given(st.integers(1, wire.MAX_SAMPLES), SAMPLE)
@settings(deadline=None, max_examples=30)
def test_long_messages_are_compressed_and_round_trip(count: int, sample: Sample) -> None:
    """A message is never longer than its plain form, and plain while it is short."""
    message = Samples(epoch="e", first=1, seq=1, sent=Sent(t=1, up=1, boot=""), samples=[sample] * count)
    payload = wire.encode(message)
    if payload[:1] == b"{":
        assert len(payload) <= wire.COMPRESS_OVER or count == 1
    assert wire.decode("vitals/v1/f/r/samples", payload) == Received(wire.Topic("f", "r", "samples"), message)
