"""From what arrives to what is stored, evaluated and answered: the collector's heart, one step after another.

All of it runs in one thread. A message that breaks the contract is counted and logged, and harms no other.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from agent import wire
from collector.conditions import Conditions
from collector.evaluation import Evaluator
from collector.http.changes import Changes
from collector.intake import Accepted, Intake
from collector.limited import Limited
from collector.listening import Listening
from collector.presence import Fleet, Presence
from collector.receipts import Receipt, Receipts
from collector.relational import Relational
from collector.stores import Commit, Store, StoreError
from collector.telemetry import Telemetry

LOOK_ROUND_MS: Final = 3_000
RETRY_S: Final = 1.0
MAX_UNKNOWN: Final = 1_000
log = structlog.get_logger()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message from the broker."""

    topic: str
    payload: bytes
    at: int
    retained: bool


@dataclass(frozen=True, slots=True)
class Connected:
    """From now on the broker gives us everything."""

    at: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The broker gives us nothing any more."""

    at: int


Incoming = Arrived | Connected | Disconnected


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


class Ingest:
    """Takes what arrived, commits it, evaluates, and says which receipts are due."""

    def __init__(self, parts: Parts, last_commit_at: int, giving_up: Callable[[], bool]) -> None:
        self._parts = parts
        self._now = last_commit_at  # no commit before this, nor at it
        self._giving_up = giving_up
        self._limited = Limited()
        self._unknown: Counter[str] = Counter()
        self._looked_at = 0
        self._presence: dict[str, Presence] = {}

    def process(self, incoming: Sequence[Incoming], now: int) -> list[Receipt]:
        """One round: everything that arrived is committed and evaluated when it returns."""
        self._now = max(now, self._now + 1)
        accepted = [taken for event in incoming if (taken := self._take(event)) is not None]
        self._claim(accepted)
        commit = self._commit(accepted)
        self._persist("listening", lambda: self._parts.listening.extend(self._now))
        self._evaluate(commit)
        self._answer(accepted)
        self._look_round()
        return list(self._parts.receipts.due(self._now))

    def close(self, now: int) -> None:
        """The end of listening; everything that arrived was processed."""
        self._parts.listening.end(max(now, self._now))

    def _take(self, event: Incoming) -> Accepted | None:
        match event:
            case Connected(at):
                self._parts.receipts.forget()
                self._persist("listening", lambda: self._parts.listening.begin(at))
            case Disconnected(at):
                self._persist("listening", lambda: self._parts.listening.end(at))
            case Arrived():
                try:
                    return self._read(event)
                except Exception as error:
                    self._parts.telemetry.messages_refused.labels("fault").inc()
                    log.exception("a message could not be read", topic=event.topic, error=repr(error))
        return None

    def _read(self, arrived: Arrived) -> Accepted | None:
        received = wire.decode(arrived.topic, arrived.payload)
        if isinstance(received, wire.Refused):
            self._parts.telemetry.messages_refused.labels(received.reason).inc()
            self._limited.warning(
                "message refused", arrived.topic, reason=received.reason, detail=received.detail
            )
            return None
        if isinstance(received.topic, wire.CollectorTopic):
            return None
        robot, fleet = received.topic.robot, self._parts.fleet
        self._parts.telemetry.messages_received.labels(received.topic.channel).inc()
        match received.message:
            case wire.Hello() as hello:
                fleet.hello(robot, hello, arrived.at, retained=arrived.retained)
                self._warn_of_reused_numbers(robot, hello, arrived)
                return self._parts.intake.hello(robot, hello, arrived.at)
            case wire.Status() as status:
                fleet.status(robot, status, arrived.at, retained=arrived.retained)
            case wire.Samples() as samples:
                fleet.heard(robot, arrived.at)
                return self._parts.intake.samples(robot, samples, arrived.at)
        return None

    def _warn_of_reused_numbers(self, robot: str, hello: wire.Hello, arrived: Arrived) -> None:
        highest = self._parts.intake.watermark(robot, hello.epoch).highest
        if not arrived.retained and hello.next <= highest:
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
        unknown = {taken.robot for taken in accepted if taken.robot not in evaluator.roster}
        if unknown:
            self._persist("roster", lambda: self._parts.relational.claim_unknown(sorted(unknown)))
            evaluator.enrol(self._persist("roster", self._parts.relational.roster))
            self._parts.changes.publish("robots", unknown)

    def _commit(self, accepted: Sequence[Accepted]) -> Commit:
        intake = self._parts.intake
        touched = {(taken.robot, taken.epoch) for taken in accepted if taken.samples or taken.losses}
        commit = Commit(
            at=self._now,
            samples=[sample for taken in accepted for sample in taken.samples],
            losses=[loss for taken in accepted for loss in taken.losses],
            watermarks={key: intake.watermark(*key) for key in touched},
        )
        if touched:
            with self._parts.telemetry.commit_seconds.time():
                self._persist("store", lambda: self._parts.store.append(commit))
        return commit

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

    def _evaluate(self, commit: Commit) -> None:
        """A fault of the engine must not keep samples from being stored."""
        try:
            if commit.samples:
                self._parts.evaluator.take(commit.samples, commit.at)
            else:
                self._parts.evaluator.advance(commit.at)
        except Exception as error:
            self._parts.conditions.ill("engine", repr(error))
            log.exception("the engine failed", error=repr(error))
        else:
            self._parts.conditions.well("engine", "evaluating")

    def _answer(self, accepted: Sequence[Accepted]) -> None:
        """Everything that is known only now that it is stored: fleet, counts, receipts."""
        for taken in accepted:
            self._count(taken)
            self._parts.fleet.stored(taken.samples)
            until = self._parts.intake.stored_until(taken.robot, taken.epoch)
            count = len(taken.samples) + taken.duplicates + len(taken.refusals)
            if count:
                self._parts.receipts.stored(taken.robot, taken.epoch, until, count)
            else:
                self._parts.receipts.hello(taken.robot, taken.epoch, until)
        self._parts.changes.publish("robots", {taken.robot for taken in accepted})

    def _count(self, taken: Accepted) -> None:
        telemetry, fleet = self._parts.telemetry, self._parts.fleet
        telemetry.samples_stored.inc(len(taken.samples))
        telemetry.samples_duplicate.inc(taken.duplicates)
        telemetry.metrics_unknown.inc(sum(taken.unknown.values()))
        for refusal in taken.refusals:
            telemetry.samples_rejected.labels(refusal.reason).inc()
            self._limited.warning("sample refused", taken.robot, reason=refusal.reason, detail=refusal.detail)
        if taken.refusals:
            fleet.declared_refused(taken.robot, len(taken.refusals))
        if taken.lost:
            telemetry.samples_lost.inc(taken.lost)
            fleet.declared_lost(taken.robot, taken.lost)
            log.warning("samples declared lost", robot=taken.robot, epoch=taken.epoch, count=taken.lost)
        if taken.unknown:
            self._note_unknown(taken)

    def _note_unknown(self, taken: Accepted) -> None:
        for name, count in taken.unknown.items():
            if name in self._unknown or len(self._unknown) < MAX_UNKNOWN:
                self._unknown[name] += count
        most = ", ".join(f"{name} ({count})" for name, count in self._unknown.most_common(5))
        text = f"{len(self._unknown)} in no catalogue, not stored: {most}"
        self._parts.conditions.well("unknown metrics", text)

    def _look_round(self) -> None:
        """What changes without a message: roster, snoozes, robots that have fallen silent."""
        if self._now - self._looked_at < LOOK_ROUND_MS:
            return
        self._looked_at = self._now
        try:
            self._parts.changes.publish("alerts", self._parts.relational.wake(self._now))
            self._follow_roster()
        except SQLAlchemyError as error:
            self._limited.warning("the roster cannot be read; trying again", "roster", error=str(error))
        self._follow_presence()

    def _follow_roster(self) -> None:
        roster = self._parts.relational.roster()
        if roster.robots != self._parts.evaluator.roster.robots:
            self._parts.evaluator.enrol(roster)
            self._parts.changes.publish("robots", roster.ids)
            log.info("roster changed", robots=len(roster))

    def _follow_presence(self) -> None:
        fleet = self._parts.fleet
        presence = {robot: fleet.presence(robot, self._now) for robot in fleet.robots}
        changed = [robot for robot, now in presence.items() if self._presence.get(robot) != now]
        self._presence = presence
        self._parts.telemetry.robots_online.set(sum(now == "online" for now in presence.values()))
        self._parts.changes.publish("robots", changed)
