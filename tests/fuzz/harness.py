"""What must hold of any bytes that a broker may hand over, whoever made them.

An input is one byte that chooses robot and channel, and the payload. `one` takes it all the way into
columns, and raises `AssertionError` where something is not as promised. Messages are read in both ways that
there are, the quick one for known metrics and the general one, into two intakes that must agree.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, get_args

import numpy as np

from agent import wire
from agent.catalogue import load
from collector.intake import Accepted, Collected, Intake, Refusal, RefusalReason
from collector.presence import Fleet
from collector.stores.rows import MISSING
from tests.wire import golden

NOW: Final = 1_795_000_000_000
ROBOTS: Final = 8
A_ROUND: Final = 500
LONGEST_DETAIL: Final = 2_000
_WIRE_REASONS: Final = frozenset(get_args(wire.Reason))
_REASONS: Final = frozenset(get_args(RefusalReason))
_CHANNELS: Final[tuple[wire.Channel, ...]] = ("samples", "samples", "samples", "hello", "status", "receipt")


class Harness:
    """An intake that is fed whatever comes, and checked after every message."""

    def __init__(self) -> None:
        self._intake = Intake(load())
        self._plain = Intake(load())  # the same, read in the general way only
        self._fleet = Fleet()
        self._at = NOW
        self.messages = 0
        self.stored = 0
        self.refused: Counter[str] = Counter()

    def one(self, data: bytes) -> None:
        """Takes one message in."""
        self.messages += 1
        self._at += 1
        chosen = data[0] if data else 0
        channel = _CHANNELS[chosen // ROBOTS % len(_CHANNELS)]
        topic = str(wire.Topic("fuzz", f"r{chosen % ROBOTS}", channel))
        received = wire.decode(topic, data[1:], self._intake.known.decoder)
        plainly = wire.decode(topic, data[1:])
        if isinstance(received, wire.Refused) or isinstance(plainly, wire.Refused):
            assert received == plainly
            self._refuse(received)
        else:
            assert self._take(received, self._intake) == self._take(plainly, self._plain)
        if self.messages % A_ROUND == 0:
            self.collect()

    def collect(self) -> None:
        """Ends a round."""
        collected, plainly = self._intake.collect(self._at), self._plain.collect(self._at)
        _check(collected, self._at)
        assert (collected.refusals, collected.watermarks) == (plainly.refusals, plainly.watermarks)
        assert list(collected.rows.samples()) == list(plainly.rows.samples())
        self._fleet.stored(collected.rows)
        self.stored += len(collected.rows)
        self._count(collected.refusals)

    def _take(self, received: wire.Received, intake: Intake) -> Accepted | None:
        robot = received.topic.robot if isinstance(received.topic, wire.Topic) else ""
        accepted: Accepted | None = None
        match received.message:
            case wire.Samples() as samples:
                self._fleet.heard(robot, self._at)
                accepted = intake.samples(robot, samples, self._at)
                count = len(samples.samples)
                assert accepted.refusals or accepted.fresh + accepted.duplicates == count, accepted
            case wire.Hello() as hello:
                self._fleet.hello(robot, hello, self._at)
                accepted = intake.hello(robot, hello, self._at)
            case wire.Status() as status:
                self._fleet.status(robot, status, self._at)
        if accepted is not None:
            assert accepted.missing >= 0, accepted
            self._count(accepted.refusals if intake is self._intake else ())
        return accepted

    def _refuse(self, refused: wire.Received | wire.Refused) -> None:
        assert isinstance(refused, wire.Refused)
        assert refused.reason in _WIRE_REASONS, refused
        assert 0 < len(refused.detail) <= LONGEST_DETAIL, refused
        self.refused[refused.reason] += 1

    def _count(self, refusals: Sequence[Refusal]) -> None:
        for refusal in refusals:
            assert refusal.reason in _REASONS, refusal
            assert 0 < len(refusal.detail) <= LONGEST_DETAIL, refusal
            self.refused[refusal.reason] += 1


def _check(collected: Collected, at: int) -> None:
    rows = collected.rows
    for column in (rows.epoch, rows.boot, rows.seq, rows.t, rows.received_at, rows.synced, rows.corrected):
        assert len(column) == len(rows)
    assert not len(rows) or int(rows.seq.min()) >= 1
    assert not len(rows) or (int(rows.t.min()) >= 0 and int(rows.t.max()) <= at + 5_000)
    for name, counter in rows.counters.items():
        assert bool(np.all(counter >= MISSING)), name
    for name, gauge in rows.gauges.items():
        assert not np.isinf(gauge).any(), name
    assert len(collected.losses) == len(collected.refusals)


def seeds() -> list[bytes]:
    """The golden messages, to begin with."""
    found = []
    for path in sorted(golden.FOLDER.iterdir()):
        channel = path.name.split(".")[0]
        if channel in _CHANNELS:
            found.append(bytes([ROBOTS * _CHANNELS.index(channel)]) + path.read_bytes())
    return found
