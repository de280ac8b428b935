"""The running agent: one thread that waits for datagrams, the broker and the time of the next sample."""

import contextlib
import logging
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from agent import datagrams, report, statsd
from agent import folder as folders
from agent.backoff import Backoff
from agent.catalogue import Catalogue
from agent.config import Config
from agent.counters import Counters
from agent.courier import Courier, Identity, Remote
from agent.folder import SpoolDamagedError, SpoolFullError, SpoolSetBackError
from agent.holdings import Holdings
from agent.limited import Limited
from agent.outbox import Settings
from agent.procfs import Machine
from agent.quota import Reason
from agent.report import Report
from agent.sampler import Connection, Sampler
from agent.wire import Sample

LEAVE_PATIENCE_S = 3.0

log = logging.getLogger("agent")


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sockets of the local interface; None: not listened on."""

    unix: socket.socket | None
    udp: socket.socket | None

    @property
    def udp_address(self) -> tuple[str, int] | None:
        """Where the UDP socket is really bound."""
        return None if self.udp is None else self.udp.getsockname()[:2]

    def close(self) -> None:
        """Closes them, and removes the Unix socket's file."""
        for listener in (self.unix, self.udp):
            if listener is not None:
                statsd.close(listener)


def listen(config: Config) -> Listeners:
    """Opens the configured sockets. Raises `statsd.SocketError`."""
    unix = None if config.socket is None else statsd.open_unix(config.socket)
    try:
        return Listeners(unix, None if config.udp is None else statsd.open_udp(*config.udp))
    except statsd.SocketError:
        if unix is not None:
            statsd.close(unix)
        raise


class Service:
    """An agent on a locked spool folder. `run` returns once `stop` was called, from wherever."""

    def __init__(
        self,
        config: Config,
        version: str,
        catalogue: Catalogue,
        tls: ssl.SSLContext | None,
        listeners: Listeners,
        machine: Machine,
    ) -> None:
        self._config = config
        self._identity = Identity(
            config.fleet, config.robot, version, config.interval_s, config.tz, config.labels
        )
        self._remote = Remote(config.mqtt, tls)
        self._listeners = listeners
        self._machine = machine
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._stopping = False
        self._questions = report.listen(config.spool)
        self._holdings = Holdings(config.spool, config.quota)
        udp_port = listeners.udp_address[1] if listeners.udp_address is not None else None
        counters = Counters(catalogue, self._holdings.live.state)
        self._sampler = Sampler(counters, machine, config.spool, udp_port)
        self._courier = self._new_courier()
        self._bad = Limited(log, "datagram refused")
        self._full = Limited(log, "sample not kept")
        self._given_up = Limited(log, "quota")
        self._refused_since: int | None = None  # wall-clock ms; the disk takes nothing
        self._unknown = Limited(log, "unknown metric")
        self._unknown_told = 0
        self._sample_at = 0
        self._last_push_at: int | None = None
        self._started_at = machine.clocks().wall

    def stop(self) -> None:
        """Ends `run` soon; safe in a signal handler."""
        self._stopping = True
        self._wake()

    def run(self) -> None:
        """Samples and publishes until stopped; then takes a last sample and says goodbye."""
        handlers: dict[socket.socket, Callable[[socket.socket], None]] = {
            self._wake_in: self._on_wake,
            self._questions: self._on_question,
        }
        for listener in (self._listeners.unix, self._listeners.udp):
            if listener is not None:
                handlers[listener] = self._on_datagrams
        with selectors.DefaultSelector() as selector:
            for waiting, handler in handlers.items():
                selector.register(waiting, selectors.EVENT_READ, handler)
            while not self._stopping:
                for key, _ in selector.select(self._patience()):
                    key.data(key.fileobj)
                self._guarded(self._step)
        self._guarded(self._last_step)

    def close(self) -> None:
        """Gives files and sockets back."""
        self._holdings.close()
        report.close(self._questions, self._config.spool)
        self._wake_in.close()
        self._wake_out.close()

    def _step(self) -> None:
        now = _now()
        if now >= self._sample_at:
            interval_ms = int(self._config.interval_s * 1000)
            self._sample_at = now + interval_ms - (now - self._sample_at) % interval_ms
            self._sample(now)
        self._courier.step(now)
        if self._holdings.former is not None and self._courier.is_delivered:
            self._courier.abandon()
            self._holdings.leave_former()
            self._courier = self._new_courier()

    def _last_step(self) -> None:
        self._sample(_now())
        self._courier.leave(_now(), LEAVE_PATIENCE_S)
        log.info("stopped; %d samples held", self._courier.outbox.depth)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except SpoolDamagedError as damage:
            self._recover(damage)
        except SpoolFullError as full:
            self._full.warn(str(full), _now())

    def _recover(self, damage: SpoolDamagedError) -> None:
        """Goes on with what can be read, in the same epoch or in a new one; the counters go on."""
        self._courier.abandon()
        if isinstance(damage, SpoolSetBackError) and self._holdings.former is not None:
            self._holdings.leave_former()  # the collector has more of that epoch than can be read
        else:
            self._sampler.counters.add("agent.samples_dropped", self._holdings.recover(damage))
        self._courier = self._new_courier()
        self._sample_at = _now()

    def _new_courier(self) -> Courier:
        return Courier(
            self._identity,
            self._remote,
            self._holdings.carried,
            self._machine.clocks,
            lambda name, amount: self._sampler.counters.add(name, amount),
            self._wake,
            Settings(resend_after_ms=self._config.pace.resend_after_ms),
            backoff=Backoff(first_ms=self._config.pace.reconnect_within_ms),
        )

    def _sample(self, now: int) -> None:
        courier = self._courier
        connection = Connection(
            up=courier.connected,
            offline_ms=courier.offline_ms(now),
            rtt_ms=courier.rtt_ms,
            held=courier.outbox.depth,
        )
        try:
            self._make_room(now)
            self._hold(self._sampler.take(now, self._machine.clocks(), connection))
            self._refused_since = None
        except SpoolFullError as full:
            self._lose("full", 1)
            self._refused_since = self._refused_since or self._machine.clocks().wall
            self._full.warn(str(full), now)

    def _make_room(self, now: int) -> None:
        for given_up in self._holdings.make_room(self._machine.clocks()):
            self._sampler.counters.add("agent.samples_dropped", given_up.count)
            self._given_up.warn(str(given_up), now)
        self._courier.follow()

    def _hold(self, sample: Sample) -> None:
        live, state = self._holdings.live, self._sampler.counters.state
        if self._holdings.carried is live:
            self._courier.hold(sample, state)
        else:
            live.append(sample, state)

    def _lose(self, reason: Reason, count: int) -> None:
        self._sampler.counters.add("agent.samples_dropped", count)
        self._holdings.live.note_dropped(count, reason)

    def _on_datagrams(self, listener: socket.socket) -> None:
        for data in statsd.drain(listener):
            self._on_datagram(data)

    def _on_question(self, listener: socket.socket) -> None:
        report.answer(listener, self._report())

    def _on_datagram(self, data: bytes) -> None:
        now = _now()
        parsed = datagrams.parse(data)
        newcomers = self._sampler.counters.newcomers(parsed.pushes)
        if newcomers:
            for push in newcomers:
                self._sampler.counters.meet(push, now)
            self._guarded(lambda: self._sample(now))
        refused = list(parsed.refused)
        for push in parsed.pushes:
            refused += self._sampler.push(push, now)
        self._tell_unknown(now)
        if refused:
            self._sampler.counters.add("agent.datagrams_bad")
            self._bad.warn("; ".join(refused[:3]), now)
        self._last_push_at = self._machine.clocks().wall

    def _tell_unknown(self, now: int) -> None:
        unknown = self._sampler.counters.unknown
        if len(unknown) > self._unknown_told:
            self._unknown_told = len(unknown)
            self._unknown.warn(f"{list(unknown)[-1][:80]!r} is in no catalogue, and not sampled", now)

    def _on_wake(self, _: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_in.recv(4096):
                pass

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is awake; closed: it is gone
            self._wake_out.send(b"\0")

    def _patience(self) -> float:
        now = _now()
        times = [self._sample_at, self._courier.wake_at(now)]
        return max(0, min(at for at in times if at is not None) - now) / 1000

    def _report(self) -> Report:
        standing = self._courier.standing
        counted, gauged = self._sampler.counters.sample(_now())
        udp = self._listeners.udp_address
        return Report(
            running=True,
            pid=os.getpid(),
            fleet=self._config.fleet,
            robot=self._config.robot,
            at=self._machine.clocks().wall,
            started_at=self._started_at,
            interval_s=self._config.interval_s,
            broker=str(self._config.mqtt),
            connected_since=standing.connected_since,
            problem=standing.problem,
            collector_online=standing.collector_online,
            receipt=report.receipt_of(self._holdings.carried.account),
            spool=str(self._config.spool),
            epoch=self._holdings.live.epoch,
            first=self._holdings.live.first,
            next=self._holdings.live.next,
            held=sum(spool.held for spool in self._holdings.spools),
            dropped=dict(self._holdings.live.account.dropped),
            bytes=self._holdings.size(),
            max_bytes=self._config.quota.max_bytes,
            damaged=[str(path) for path in folders.damaged(self._config.spool)],
            disk_refuses_since=self._refused_since,
            disk_problem=self._full.last if self._refused_since else None,
            socket=None if self._config.socket is None else str(self._config.socket),
            udp=None if udp is None else f"{udp[0]}:{udp[1]}",
            last_push_at=self._last_push_at,
            last_refused=self._bad.last,
            unknown=self._sampler.counters.unknown,
            counters=counted,
            gauges=gauged,
        )


def _now() -> int:
    return time.monotonic_ns() // 1_000_000
