"""One module as a process: works, pushes, and obeys the lines on its standard input.

A line `faults KIND KIND …` replaces the faults that are on. The end of the input ends the process, so that
no module outlives the parent that started it, whatever happened to that parent.
"""

import argparse
import os
import select
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from firmware_stubs.behavior import Faults, Module, Work, work
from firmware_stubs.datagrams import absolute, statsd
from firmware_stubs.local import Address, Local, udp, unix

PERIOD_S = 1.0
HEARTBEAT_S = 5.0
_INPUT = 0


class Orders:
    """What the parent says."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._rest = b""

    def wait(self, seconds: float) -> bool:
        """Lets time pass, obeying meanwhile; False once the parent is gone."""
        end = time.monotonic() + seconds
        while select.select([_INPUT], [], [], max(0.0, end - time.monotonic()))[0]:
            if not self._obey(os.read(_INPUT, 4096)):
                return False
        return True

    def _obey(self, received: bytes) -> bool:
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            match line.decode().split():
                case ["faults", *kinds]:
                    self.faults = frozenset(kinds)
        return received != b""


class Pusher:
    """Pushes what a module did, in the module's form: at once what was counted, else a heartbeat."""

    def __init__(self, module: Module, local: Local) -> None:
        self.module = module
        self.boot = os.urandom(4).hex()
        self._local = local
        self._totals: Counter[str] = Counter({source.counter: 0 for source in module.counts})
        self._heartbeat_at = 0.0
        self._heard = True

    def push(self, done: Work, now_s: float) -> None:
        """Sends the work, unless there was none and the next heartbeat is not due."""
        self._totals.update(done.counts)
        if not any(done.counts.values()) and now_s < self._heartbeat_at:
            return
        self._heartbeat_at = now_s + HEARTBEAT_S
        gauges = {**done.gauges, "up": 1.0}
        if self.module.form == "json":
            datagrams = [absolute(self.module.name, self.boot, self._totals, gauges)]
        else:
            datagrams = list(statsd(self.module.name, done.counts, gauges))
        taken = [self._local.send(datagram) for datagram in datagrams]
        self._say(all(taken))

    def _say(self, heard: bool) -> None:
        if heard == self._heard:
            return
        self._heard = heard
        where = f"{self.module.name}: the agent at {self._local.address}"
        news = "listens again" if heard else "does not listen; pushes are lost until it does"
        print(f"{where} {news} ({self._local.lost} lost so far)", file=sys.stderr, flush=True)  # noqa: T201


def run(module: Module, address: Address, orders: Orders, random: Random, rate: float) -> None:
    """Works and pushes until the parent is gone. Steps are even, so the same seed has the same events."""
    pusher = Pusher(module, Local(address))
    next_at = time.monotonic()
    pusher.push(work(module, 0, orders.faults, random), next_at)
    while True:
        now = time.monotonic()
        next_at = max(next_at + PERIOD_S, now)  # what the machine slept through is not made up for
        if not orders.wait(next_at - now):
            return
        pusher.push(work(module, PERIOD_S, orders.faults, random, rate=rate), next_at)


def main(module: Module, argv: Sequence[str] | None = None) -> int:
    """The process that `vitals-stubs run` starts for each module."""
    parser = argparse.ArgumentParser(prog=f"python -m firmware_stubs.{module.name}", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", type=Path, metavar="PATH")
    where.add_argument("--udp", metavar="HOST:PORT")
    parser.add_argument("--seed", default="", help="any text; the same text, the same events")
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--fault", action="append", default=[], metavar="KIND")
    options = parser.parse_args(argv)
    address = unix(options.socket) if options.socket else udp(options.udp)
    run(module, address, Orders(frozenset(options.fault)), Random(options.seed), options.rate)  # noqa: S311
    return 0
