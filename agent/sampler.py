"""Takes samples: what firmware pushed, and what the agent measures of machine and connection itself."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from agent.clock import Reading
from agent.counters import Counters
from agent.datagrams import Push
from agent.procfs import Machine
from agent.wire import Sample

OWN = ("system", "agent", "network")


@dataclass(frozen=True, slots=True)
class Connection:
    """What the connection to the broker is worth telling at the moment of a sample."""

    up: bool
    offline_ms: int  # since the sample before
    rtt_ms: float | None
    held: int


class Sampler:
    """One robot's counters, and what is measured into them at every sample."""

    def __init__(self, counters: Counters, machine: Machine, disk: Path, udp_port: int | None) -> None:
        self.counters = counters
        self._machine = machine
        self._disk = disk
        self._udp_port = udp_port
        self._run = secrets.token_hex(4)  # the kernel counts a socket's drops from its birth
        counters.booted(machine.boot)
        for subsystem in OWN:
            counters.introduce(subsystem)

    def push(self, push: Push, now_ms: int) -> list[str]:
        """Counts a push; returns the reasons for what of it was refused."""
        return self.counters.apply(push, now_ms)

    def take(self, now_ms: int, clocks: Reading, connection: Connection) -> Sample:
        """A sample of everything, now."""
        self._measure_traffic()
        self.counters.measure(self._gauges(connection))
        self.counters.add("network.offline_seconds", connection.offline_ms / 1000)
        self.counters.add("agent.samples_taken")
        counted, gauged = self.counters.sample(now_ms)
        sent = clocks.sent()
        return Sample(t=sent.t, up=sent.up, boot=sent.boot, synced=clocks.trusted, c=counted, g=gauged)

    def _gauges(self, connection: Connection) -> dict[str, float]:
        gauges = self._machine.gauges(self._disk)
        gauges["network.up"] = float(connection.up)
        gauges["agent.outbox_depth"] = float(connection.held)
        if connection.rtt_ms is not None:
            gauges["network.rtt_ms"] = round(connection.rtt_ms, 1)
        return gauges

    def _measure_traffic(self) -> None:
        for interface, (received, sent) in self._machine.traffic().items():
            volumes = {"network.rx_bytes": received, "network.tx_bytes": sent}
            self.counters.absolute(f"interface:{interface}", self._machine.boot, volumes)
        if self._udp_port is not None:
            dropped = self._machine.datagrams_dropped(self._udp_port)
            self.counters.absolute("udp", self._run, {"agent.datagrams_lost": dropped})
