"""A virtual robot: what an agent and its firmware would send, without a process of its own. Holds no clock.

It keeps the contract as a real agent does, by the agent's own outbox; its spool is memory, and ends with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent import wire
from agent.outbox import Outbox, Settings
from simulator.behavior import COUNTERS, GAUGES, Behavior, State
from simulator.record import boots

SPOOL_SAMPLES = 5_000  # beyond that the oldest are given up, and declared lost
_AGENT = "0.1.0"
_DROPPED = COUNTERS.index("agent.samples_dropped")


class PastContinued(Exception):  # noqa: N818 - it is what happened, and no fault of the program
    """The collector holds samples of this epoch that the robot never took: its past was continued before."""


@dataclass(frozen=True, slots=True)
class _Kept:
    t: int
    booted: int
    boot: str
    counters: tuple[int, ...]
    gauges: tuple[float, ...]


class VirtualRobot:
    """One robot that samples, holds, sends and forgets. Wall times and monotonic times are both in ms."""

    def __init__(self, life: Behavior, state: State, interval_ms: int, fleet: str, jitter: float) -> None:
        self.id = life.robot.id
        self.fleet = fleet
        self._life = life
        self._state = state
        self._interval_ms = interval_ms
        self._phase = int(jitter * interval_ms)
        self._spool: dict[int, _Kept] = {}
        self._outbox = Outbox(state.seq + 1, state.seq + 1, Settings(), jitter=jitter)

    def __repr__(self) -> str:
        return f"<VirtualRobot {self.id} {self._outbox!r}>"

    @property
    def outbox(self) -> Outbox:
        """What it holds, and how it stands towards broker and collector."""
        return self._outbox

    def next_beat(self, after: int) -> int:
        """When it samples next; robots of a fleet are spread over the interval."""
        return (
            (after - self._phase) // self._interval_ms * self._interval_ms + self._interval_ms + self._phase
        )

    def is_on(self, t: int) -> bool:
        """Whether it is switched on."""
        return bool(self._life.on(_one(t))[0])

    def sample(self, t: int) -> None:
        """Takes a sample, if it is on."""
        run = self._life.run(self._state, _one(t))
        if not len(run.t):
            return
        self._state = run.after
        gauges = {name: float(column[0]) for name, column in run.gauges.items()}
        gauges["agent.outbox_depth"] = float(self._outbox.depth)
        booted = int(run.booted[0])
        values = tuple(gauges[name] for name in GAUGES)
        self._spool[run.after.seq] = _Kept(t, booted, self._boot(booted), run.after.counters, values)
        self._outbox.take()
        if self._outbox.depth > SPOOL_SAMPLES:
            self._drop()

    def hello(self, session: int, t: int) -> tuple[str, bytes]:
        """What it says on every connect."""
        message = wire.Hello(
            session=session,
            boot=self._boot(self._booted(t)),
            epoch=self._state.epoch,
            agent=_AGENT,
            interval_s=self._interval_ms / 1_000,
            tz=self._life.robot.tz,
            labels=self._life.robot.labels,
            first=self._outbox.first,
            next=self._outbox.next,
            at=t,
        )
        return self._topic("hello"), wire.encode(message)

    def status(self, online: bool, session: int, t: int) -> tuple[str, bytes]:
        """Whether it is connected."""
        return self._topic("status"), wire.encode(wire.Status(online=online, session=session, at=t))

    def messages(self, now: int, t: int) -> Iterator[tuple[str, bytes]]:
        """The samples to be published at monotonic time `now`, wall time `t`."""
        while (publish := self._outbox.next_publish(now)) is not None:
            yield self._topic("samples"), wire.encode(self._samples(publish.seq, publish.count, t))

    def received(self, message: wire.Message, now: int) -> None:
        """Takes what the collector says. Raises `PastContinued`."""
        if isinstance(message, wire.CollectorStatus):
            self._outbox.collector(message.online, message.session, now)
        elif isinstance(message, wire.Receipt) and message.epoch == self._state.epoch:
            if message.stored_until >= self._outbox.next:
                raise PastContinued(
                    f"{self.id}: the collector has samples up to {message.stored_until}, this recording to "
                    f"{self._outbox.next - 1}; continue a recording that was exported just now"
                )
            self._forget(self._outbox.receipt(message.stored_until, now))

    def _samples(self, seq: int, count: int, t: int) -> wire.Samples:
        booted = self._booted(t)
        return wire.Samples(
            epoch=self._state.epoch,
            first=self._outbox.first,
            seq=seq,
            sent=wire.Sent(t, t - booted, self._boot(booted)),
            samples=[_on_the_wire(self._spool[number]) for number in range(seq, seq + count)],
        )

    def _forget(self, below: int | None) -> None:
        for seq in [seq for seq in self._spool if below is not None and seq < below]:
            del self._spool[seq]

    def _drop(self) -> None:
        dropped = self._outbox.drop_oldest(SPOOL_SAMPLES // 10)
        self._forget(self._outbox.first)
        counters = list(self._state.counters)
        counters[_DROPPED] += dropped
        self._state = State(self._state.epoch, self._state.seq, self._state.t, tuple(counters))

    def _booted(self, t: int) -> int:
        return int(self._life.booted(_one(t))[0])

    def _boot(self, booted: int) -> str:
        return str(boots(self._state.epoch, _one(booted))[0])

    def _topic(self, channel: wire.Channel) -> str:
        return str(wire.Topic(self.fleet, self.id, channel))


def _on_the_wire(kept: _Kept) -> wire.Sample:
    c: dict[str, dict[str, int]] = {}
    for name, count in zip(COUNTERS, kept.counters, strict=True):
        subsystem, _, short = name.partition(".")
        c.setdefault(subsystem, {})[short] = count
    g: dict[str, dict[str, float]] = {}
    for name, value in zip(GAUGES, kept.gauges, strict=True):
        subsystem, _, short = name.partition(".")
        g.setdefault(subsystem, {})[short] = value
    return wire.Sample(t=kept.t, up=kept.t - kept.booted, boot=kept.boot, synced=True, c=c, g=g)


def _one(t: int) -> NDArray[np.int64]:
    return np.array([t], np.int64)
