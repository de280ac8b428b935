"""From what arrives to what is stored, evaluated and answered: the collector's heart, one step after another.

All of it runs in one thread. A message that breaks the contract is counted and logged, and harms no other.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import filterfalse
from typing import Final, TypeVar

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

from agent import wire
from collector.changes import Changes
from collector.conditions import Conditions
from collector.evaluation import Evaluator
from collector.inbox import Arrived, Connected, Disconnected, Incoming
from collector.intake import Accepted, Collected, Intake, Refusal
from collector.limited import Limited
from collector.listening import Listening
from collector.presence import PRESENCES, Fleet
from collector.receipts import Receipt, Receipts
from collector.relational import Relational
from collector.stores import Commit, Store, StoreError
from collector.telemetry import Telemetry

LOOK_ROUND_MS: Final = 3_000
RETRY_S: Final = 1.0
MAX_UNKNOWN: Final = 1_000
DEAF_MS: Final = 2_000
WARM: Final = 64  # messages whose numbers the processor's cache still holds after the last is decoded
REORDERED: Final = 50  # so many samples may overtake the hello that was sent before them
log = structlog.get_logger()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the ingest works on."""

    intake: Intake
    fleet: Fleet
    store: Store
    relational: Relational
    evaluator: Evaluator
    listening: Listening
    receipts: Receipts
    changes: Changes
    telemetry: Telemetry
    conditions: Conditions


class _Message(msgspec.Struct, frozen=True, gc=False):
    """A message that keeps the contract, and how it came."""

    received: wire.Received
    arrived: Arrived


class Ingest:
    """Takes what arrived, commits it, evaluates, and says which receipts are due."""

    def __init__(self, parts: Parts, last_commit_at: int, giving_up: Callable[[], bool]) -> None:
        self._parts = parts
        self._now = last_commit_at  # no commit before this, nor at it
        self._giving_up = giving_up
        self._limited = Limited()
        self._unknown: Counter[str] = Counter()
        self._received: Counter[str] = Counter()  # messages of this round, by channel
        self._looked_at = 0
        self._roster_revision = -1
        self._online: NDArray[np.int8] = np.empty(0, dtype=np.int8)

    def process(self, incoming: Sequence[Incoming], now: int) -> list[Receipt]:
        """One round: everything that arrived is committed and evaluated when it returns."""
        self._now = max(now, self._now + 1)
        accepted: list[Accepted] = []
        for begin in range(0, len(incoming), WARM):
            accepted += self._taken_in(incoming[begin : begin + WARM])
        with self._spent_on("intake"):
            collected = self._parts.intake.collect(self._now)
            self._claim(accepted)
        with self._spent_on("store"):
            self._commit(accepted, collected)
            self._persist("listening", lambda: self._parts.listening.extend(self._now))
        with self._spent_on("evaluate"):
            self._evaluate(collected)
        with self._spent_on("answer"):
            self._report(accepted, collected)
            self._answer(accepted)
            self._look_round()
            return list(self._parts.receipts.due(self._now))

    def _taken_in(self, incoming: Sequence[Incoming]) -> list[Accepted]:
        """A few messages at a time: to fetch a whole round's numbers from memory again costs a third more."""
        with self._spent_on("decode"):
            decoded = [self._decoded(event) for event in incoming]
        with self._spent_on("intake"):
            return [taken for event in decoded if (taken := self._guarded(event)) is not None]

    def close(self, now: int) -> None:
        """The end of listening; everything that arrived was processed. What is due by now is evaluated."""
        self._now = max(now, self._now)
        self._parts.listening.end(self._now)
        self._guard_engine(lambda: self._parts.evaluator.advance(self._now))

    @contextmanager
    def _spent_on(self, stage: str) -> Iterator[None]:
        begun = time.thread_time()
        try:
            yield
        finally:
            self._parts.telemetry.cpu_seconds.labels(stage).inc(time.thread_time() - begun)

    def _decoded(self, event: Incoming) -> "_Message | Connected | Disconnected | None":
        """A message that keeps the contract, or None; what breaks it is counted and logged."""
        if not isinstance(event, Arrived):
            return event
        received = wire.decode(event.topic, event.payload, self._parts.intake.known.decoder)
        if isinstance(received, wire.Received):
            return _Message(received, event)
        self._parts.telemetry.messages_refused.labels(received.reason).inc()
        self._limited.warning("message refused", event.topic, reason=received.reason, detail=received.detail)
        return None

    def _guarded(self, event: "_Message | Connected | Disconnected | None") -> Accepted | None:
        """A message that nobody foresaw harms no other."""
        if isinstance(event, _Message):  # nearly all of them
            try:
                return self._take(event.received, event.arrived)
            except Exception as error:
                self._parts.telemetry.messages_refused.labels("fault").inc()
                topic = event.arrived.topic
                self._limited.warning("a message could not be read", topic, error=repr(error), exc_info=True)
        elif isinstance(event, Connected):
            begun_at = event.at
            self._parts.receipts.forget()
            self._persist("listening", lambda: self._parts.listening.begin(begun_at))
        elif isinstance(event, Disconnected):
            ended_at = event.at
            self._persist("listening", lambda: self._parts.listening.end(ended_at))
        return None

    def _take(self, received: wire.Received, arrived: Arrived) -> Accepted | None:
        if isinstance(received.topic, wire.CollectorTopic):
            return None
        robot, fleet = received.topic.robot, self._parts.fleet
        self._received[received.topic.channel] += 1
        match received.message:
            case wire.Samples() as samples:
                fleet.heard(robot, arrived.at)
                return self._parts.intake.samples(robot, samples, arrived.at)
            case wire.Hello() as hello:
                self._greet(robot, hello, arrived)
                return self._parts.intake.hello(robot, hello, arrived.at)
            case wire.Status() as status:
                fleet.status(robot, status, arrived.at, retained=arrived.retained)
        return None

    def _greet(self, robot: str, hello: wire.Hello, arrived: Arrived) -> None:
        clash = self._parts.fleet.hello(robot, hello, arrived.at, retained=arrived.retained)
        if clash is not None:
            self._limited.warning("two agents report under one name", robot, epoch=hello.epoch)
        highest = self._parts.intake.watermark(robot, hello.epoch).highest
        if not arrived.retained and hello.next + REORDERED <= highest:
            self._limited.warning(
                "an agent counts its samples from an earlier number: those up to it are taken for duplicates",
                robot,
                epoch=hello.epoch,
                next=hello.next,
                stored=highest,
            )

    def _claim(self, accepted: Iterable[Accepted]) -> None:
        """Robots nobody registered come into the roster as unclaimed, before their samples are stored."""
        evaluator = self._parts.evaluator
        robots = {taken.robot for taken in accepted}
        unknown = set(filterfalse(evaluator.roster.__contains__, robots))
        if unknown:
            self._persist("roster", lambda: self._parts.relational.claim_unknown(sorted(unknown)))
            evaluator.enrol(self._persist("roster", self._parts.relational.roster))
            self._parts.changes.publish("robots", unknown)

    def _commit(self, accepted: Sequence[Accepted], collected: Collected) -> None:
        if not collected.watermarks:
            return
        losses = [*(loss for taken in accepted for loss in taken.losses), *collected.losses]
        commit = Commit(self._now, collected.rows, losses, collected.watermarks)
        begun = time.monotonic()
        with self._parts.telemetry.commit_seconds.time():
            self._persist("store", lambda: self._parts.store.append(commit))
        self._was_deaf(round(1000 * (time.monotonic() - begun)))

    def _was_deaf(self, waited_ms: int) -> None:
        """While the store was away nothing was heard, so nobody was silent."""
        if waited_ms >= DEAF_MS and self._parts.listening.since is not None:
            self._persist("listening", lambda: self._parts.listening.end(self._now))
            self._persist("listening", lambda: self._parts.listening.begin(self._now + waited_ms))

    def _persist(self, part: str, action: Callable[[], T]) -> T:
        """Tries until it succeeds: what was taken in is nowhere else, and nobody is told before."""
        while True:
            try:
                done = action()
            except (StoreError, SQLAlchemyError) as error:
                cause = " ".join(str(getattr(error, "orig", None) or error).split())
                self._parts.conditions.ill(part, f"cannot be written: {cause}")
                self._limited.warning("cannot be written; trying again", part, error=cause)
                if self._giving_up():
                    raise
                time.sleep(RETRY_S)
            else:
                self._parts.conditions.well(part, "up to date")
                return done

    def _evaluate(self, collected: Collected) -> None:
        evaluator = self._parts.evaluator
        if len(collected.rows):
            self._guard_engine(lambda: evaluator.take(collected.rows, self._now))
        else:
            self._guard_engine(lambda: evaluator.advance(self._now))

    def _guard_engine(self, action: Callable[[], None]) -> None:
        """A fault of the engine must not keep samples from being stored."""
        try:
            action()
        except Exception as error:
            self._parts.conditions.ill("engine", repr(error))
            log.exception("the engine failed", error=repr(error))
        else:
            self._parts.conditions.well("engine", "evaluating")

    def _report(self, accepted: Sequence[Accepted], collected: Collected) -> None:
        """What is known only now that it is stored: to telemetry, to pages, into the log."""
        telemetry, fleet = self._parts.telemetry, self._parts.fleet
        for channel, count in self._received.items():
            telemetry.messages_received.labels(channel).inc(count)
        self._received.clear()
        telemetry.samples_stored.inc(len(collected.rows))
        telemetry.samples_duplicate.inc(sum([taken.duplicates for taken in accepted]))
        for taken in accepted:
            if taken.losses:
                self._lost(taken.robot, taken.epoch, taken.lost)
            for refusal in taken.refusals:
                self._refused(refusal)
        for refusal in collected.refusals:
            self._refused(refusal)
            fleet.declared_refused(refusal.robot, 1)
        self._note_unknown(collected.unknown)
        fleet.stored(collected.rows)
        self._parts.changes.publish("robots", {taken.robot for taken in accepted})

    def _lost(self, robot: str, epoch: str, count: int) -> None:
        self._parts.telemetry.samples_lost.inc(count)
        self._parts.fleet.declared_lost(robot, count)
        log.warning("samples declared lost", robot=robot, epoch=epoch, count=count)

    def _refused(self, refusal: Refusal) -> None:
        self._parts.telemetry.samples_rejected.labels(refusal.reason).inc()
        self._limited.warning("sample refused", refusal.robot, reason=refusal.reason, detail=refusal.detail)

    def _note_unknown(self, unknown: Mapping[str, int]) -> None:
        if not unknown:
            return
        self._parts.telemetry.metrics_unknown.inc(sum(unknown.values()))
        for name, count in unknown.items():
            if name in self._unknown or len(self._unknown) < MAX_UNKNOWN:
                self._unknown[name] += count
        most = ", ".join(f"{name} ({count})" for name, count in self._unknown.most_common(5))
        text = f"{len(self._unknown)} in no catalogue, not stored: {most}"
        self._parts.conditions.well("unknown metrics", text)

    def _answer(self, accepted: Sequence[Accepted]) -> None:
        """Now that it is stored, robots may be told."""
        receipts, robots = self._parts.receipts, [taken.robot for taken in accepted]
        self._parts.fleet.all_holding(robots, [taken.missing for taken in accepted], self._now)
        for taken in accepted:
            count = taken.fresh + taken.duplicates + len(taken.refusals)
            if count:
                receipts.stored(taken.robot, taken.epoch, taken.stored_until, count)
            else:
                receipts.hello(taken.robot, taken.epoch, taken.stored_until)

    def _look_round(self) -> None:
        """What changes without a message: roster, snoozes, robots that have fallen silent."""
        if self._now - self._looked_at < LOOK_ROUND_MS:
            return
        self._looked_at = self._now
        try:
            self._parts.changes.publish("alerts", self._parts.relational.queue.advance(self._now))
            self._follow_roster()
        except SQLAlchemyError as error:
            self._limited.warning("the roster cannot be read; trying again", "roster", error=str(error))
        self._follow_presence()

    def _follow_roster(self) -> None:
        revision = self._parts.relational.roster_revision()
        if revision == self._roster_revision:
            return
        roster = self._parts.relational.roster()
        self._roster_revision = revision
        if roster.robots != self._parts.evaluator.roster.robots:
            self._parts.evaluator.enrol(roster)
            self._parts.changes.publish("robots", roster.ids)
            self._parts.changes.publish("alerts", [0])  # whose they are may have changed with it
            log.info("roster changed", robots=len(roster))

    def _follow_presence(self) -> None:
        before, self._online = self._online, self._parts.fleet.presences(self._now)
        now, robots = self._online, self._parts.fleet.robots
        changed = np.ones(len(now), dtype=np.bool_)
        changed[: len(before)] = now[: len(before)] != before
        self._parts.telemetry.robots_online.set(int(np.count_nonzero(now == PRESENCES.index("online"))))
        self._parts.changes.publish("robots", [robots[at] for at in np.flatnonzero(changed).tolist()])
