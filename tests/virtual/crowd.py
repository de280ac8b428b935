"""A fleet that comes back, in virtual time: ten thousand back-offs and outboxes, a broker, one collector.

The parts are the real ones (`Backoff`, `Outbox`, the collector's `Receipts`); what lies between them takes no
time, save that the collector takes in so many samples a second. Whatever happens is counted by the second.
"""

import heapq
import random
from collections import Counter, deque
from dataclasses import dataclass, field

from agent.backoff import STEADY_MS, Backoff
from agent.outbox import Outbox, Settings
from collector.receipts import Receipts

TICK_MS = 100
NEVER = 2**62


@dataclass(slots=True)
class Robot:
    """One robot's back-off and outbox, and what of its samples is stored."""

    outbox: Outbox
    backoff: Backoff = field(default_factory=Backoff)
    connected: bool = True
    wake: int = NEVER
    stored: int = 0


@dataclass(slots=True)
class Tally:
    """What happened, by the second."""

    attempts: Counter[int] = field(default_factory=Counter)
    hellos: Counter[int] = field(default_factory=Counter)
    messages: Counter[int] = field(default_factory=Counter)
    duplicates: int = 0
    most_queued: int = 0  # samples between a robot and the store, at once

    def busiest(self, what: str, since_s: int = 0) -> int:
        """How often something happened in its busiest second."""
        counter: Counter[int] = getattr(self, what)
        return max((count for second, count in counter.items() if second >= since_s), default=0)


class Crowd:
    """Robots that all are connected at time 0, with so many samples held and none published."""

    def __init__(self, count: int, held: int, *, samples_per_s: int = 15_000, answers: bool = True) -> None:
        self._random = random.Random(7)
        self.robots = [
            Robot(Outbox(1, 1 + held, Settings(), jitter=self._random.random())) for _ in range(count)
        ]
        self.tally = Tally()
        self.now = 0
        self._samples_per_tick = samples_per_s * TICK_MS // 1000
        self._answers = answers
        self._broker_up_at = 0
        self._session: str | None = None
        self._receipts = Receipts()
        self._inbox: deque[tuple[int, int, int]] = deque()  # robot, first number, count; count 0: a hello
        self._queued = 0
        self._due: list[tuple[int, int]] = []
        for robot in self.robots:
            robot.outbox.connected(0)

    @property
    def delivered(self) -> bool:
        """Whether every robot knows that all its samples are stored."""
        return all(robot.outbox.depth == 0 for robot in self.robots)

    def start_collector(self, session: str) -> None:
        """A collector says that it listens; all that are connected hear it, and it reads all hellos."""
        self._session = session
        for number, robot in enumerate(self.robots):
            if robot.connected:
                self._inbox.append((number, 0, 0))
                robot.outbox.collector(True, session, self.now)
                self._attend(number)

    def lose_broker(self, for_ms: int) -> None:
        """Every connection is lost in one instant; nobody is accepted for so long."""
        self._broker_up_at = self.now + for_ms
        self._inbox.clear()
        self._queued = 0
        self._receipts.forget()
        for number, robot in enumerate(self.robots):
            robot.connected = False
            robot.outbox.disconnected()
            robot.backoff = robot.backoff.lost(STEADY_MS)
            self._retry(number)

    def run(self, for_ms: int) -> None:
        """Lets virtual time pass, until then or until all is delivered."""
        end = self.now + for_ms
        while self.now < end and not (self.now % 1000 == 0 and self.delivered):
            self.now += TICK_MS
            while self._due and self._due[0][0] <= self.now:
                at, number = heapq.heappop(self._due)
                if self.robots[number].wake == at:
                    self.robots[number].wake = NEVER
                    self._step(number, at)
            self._collect()

    def _attend(self, number: int, at: int | None = None) -> None:
        robot = self.robots[number]
        robot.wake = self.now if at is None else at
        heapq.heappush(self._due, (robot.wake, number))

    def _step(self, number: int, at: int) -> None:
        robot = self.robots[number]
        if not robot.connected and not self._connect(number, at):
            return
        while (publish := robot.outbox.next_publish(at)) is not None:
            self.tally.messages[at // 1000] += 1
            self._inbox.append((number, publish.seq, publish.count))
            self._queued += publish.count
        self.tally.most_queued = max(self.tally.most_queued, self._queued)
        wake_at = robot.outbox.wake_at(at)
        if wake_at is not None:
            self._attend(number, max(wake_at, at + 1))

    def _connect(self, number: int, at: int) -> bool:
        robot = self.robots[number]
        self.tally.attempts[at // 1000] += 1
        if at < self._broker_up_at:
            robot.backoff = robot.backoff.failed()
            self._retry(number, at)
            return False
        robot.connected = True
        self.tally.hellos[at // 1000] += 1
        self._inbox.append((number, 0, 0))
        robot.outbox.connected(at)
        if self._session is not None:
            robot.outbox.collector(True, self._session, at)
        return True

    def _retry(self, number: int, at: int | None = None) -> None:
        delay = self.robots[number].backoff.delay(self._random.random())
        self._attend(number, (self.now if at is None else at) + delay)

    def _collect(self) -> None:
        """One round of the collector: what it can take in, and the receipts that are due."""
        room = self._samples_per_tick
        while self._inbox and room > 0:
            number, seq, count = self._inbox.popleft()
            room -= max(count, 1)
            self._queued -= count
            self._store(number, seq, count)
        if not self._answers:
            return
        for receipt in self._receipts.due(self.now):
            number = int(receipt.robot)
            self.robots[number].outbox.receipt(receipt.stored_until, self.now)
            self._attend(number)

    def _store(self, number: int, seq: int, count: int) -> None:
        robot = self.robots[number]
        if count == 0:
            self._receipts.hello(str(number), "e", robot.stored)
            return
        assert seq <= robot.stored + 1, "a backlog goes oldest first"
        last = seq + count - 1
        self.tally.duplicates += min(count, max(0, robot.stored - seq + 1))
        robot.stored = max(robot.stored, last)
        self._receipts.stored(str(number), "e", robot.stored, count)
