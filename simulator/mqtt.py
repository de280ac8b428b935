"""Virtual robots over MQTT, from one process: a connection each, or several robots on one connection.

One task beats: it lets each robot sample when its time has come. One task a connection connects, greets,
publishes and listens, and begins again when the connection is lost; meanwhile robots sample and hold.
A will speaks for one robot only: where robots share a connection and the process is killed, nobody says so.
"""

import asyncio
import contextlib
import heapq
import random
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiomqtt

from agent import wire
from agent.mqtt import Address
from simulator.virtual import PastContinued, VirtualRobot

BACKOFF_S = (0.5, 15.0)
STARTS_PER_S = 100
GOODBYE_S = 2.0
_CANCEL_AGAIN_S = 2 * GOODBYE_S  # not sooner: a goodbye would be cut short
_OFF_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to connect, and with which certificates."""

    address: Address
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How a fleet stands: robots connected, samples that nobody has confirmed yet, and what is wrong."""

    connected: int
    held: int
    trouble: str | None = None


class Fleet:
    """Robots, and their connections to one broker."""

    def __init__(self, broker: Broker, robots: Sequence[VirtualRobot], connections: int) -> None:
        links = min(connections, len(robots))
        self._robots = robots
        self._links = [Link(broker, robots[n::links], n / STARTS_PER_S) for n in range(links)]
        self._link_of = {robot.id: link for link in self._links for robot in link.robots}

    @property
    def tally(self) -> Tally:
        """How it stands now."""
        connected = sum(len(link.greeted) for link in self._links)
        held = sum(robot.outbox.depth for robot in self._robots)
        return Tally(connected, held, next((link.trouble for link in self._links if link.trouble), None))

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set, then says goodbye. Raises `PastContinued`."""
        tasks = [asyncio.create_task(link.keep()) for link in self._links]
        tasks.append(asyncio.create_task(self._beat()))
        told = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([*tasks, told], return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            await self._end(tasks)
        errors = [error for task in tasks if not task.cancelled() and (error := task.exception())]
        if errors:  # of several robots, the first speaks for all
            raise errors[0]

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Cancels again what goes on: a connection that is just lost or made can swallow a cancellation."""
        for link in self._links:
            link.stopping = True
        while going := [task for task in tasks if not task.done()]:
            for task in going:
                task.cancel()
            await asyncio.wait(going, timeout=_CANCEL_AGAIN_S)

    async def _beat(self) -> None:
        beats = [(robot.next_beat(wall_ms()), number) for number, robot in enumerate(self._robots)]
        heapq.heapify(beats)
        while beats:
            at, number = beats[0]
            await asyncio.sleep(max(0.0, (at - wall_ms()) / 1_000))
            robot = self._robots[number]
            robot.sample(wall_ms())
            heapq.heapreplace(beats, (robot.next_beat(wall_ms()), number))
            self._link_of[robot.id].attend(robot)


class Link:
    """One connection, and the robots that share it."""

    def __init__(self, broker: Broker, robots: Sequence[VirtualRobot], start_after_s: float) -> None:
        self.robots = {robot.id: robot for robot in robots}.values()
        self.greeted: dict[str, int] = {}  # robots that are connected, and their sessions
        self.trouble: str | None = None  # why the last connection failed or ended
        self.stopping = False  # told beside the cancellation, which what aiomqtt awaits may swallow
        self._by_id = {robot.id: robot for robot in robots}
        self._broker = broker
        self._start_after_s = start_after_s
        self._collector: wire.CollectorStatus | None = None
        self._due: list[tuple[int, str]] = []
        self._scheduled: dict[str, int] = {}
        self._wake = asyncio.Event()

    def attend(self, robot: VirtualRobot, at: int = 0) -> None:
        """Asks that the robot be looked after, at a monotonic time; at once without."""
        if at < self._scheduled.get(robot.id, 2**62):
            self._scheduled[robot.id] = at
            heapq.heappush(self._due, (at, robot.id))
            self._wake.set()

    async def keep(self) -> None:
        """Connects whenever a robot is on, and connects again when the connection is lost."""
        await asyncio.sleep(self._start_after_s)
        delay_s = BACKOFF_S[0]
        while not self.stopping:
            if not any(robot.is_on(wall_ms()) for robot in self.robots):
                await asyncio.sleep(_OFF_LOOK_S)
                continue
            began = time.monotonic()
            await self._connection()
            delay_s = (
                BACKOFF_S[0] if time.monotonic() - began > BACKOFF_S[1] else min(delay_s * 2, BACKOFF_S[1])
            )
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load

    async def _connection(self) -> None:
        session = wall_ms()
        try:
            async with self._client(session) as client:
                for topic in self._topics():
                    await client.subscribe(topic, qos=1)
                try:
                    await self._talk(client, session)
                finally:
                    await self._say_goodbye(client)
        except* PastContinued as errors:
            raise PastContinued(str(_first(errors))) from None
        except* _AllOff:
            pass
        except* aiomqtt.MqttError as errors:
            self.trouble = str(_first(errors))
        finally:
            self._collector = None
            self.greeted.clear()
            for robot in self.robots:
                robot.outbox.disconnected()

    async def _talk(self, client: aiomqtt.Client, session: int) -> None:
        self.trouble = None
        for robot in self.robots:
            self.attend(robot)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(client))
            group.create_task(self._serve(client, session))

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload if isinstance(message.payload, bytes) else b""
            match wire.decode(str(message.topic), payload):
                case wire.Received(wire.CollectorTopic(), wire.CollectorStatus() as status):
                    self._collector = status
                    for robot in self.robots:
                        self._hear(robot, status)
                case wire.Received(wire.Topic(robot=id_), said) if id_ in self.greeted:
                    self._hear(self._by_id[id_], said)

    def _hear(self, robot: VirtualRobot, said: wire.Message) -> None:
        robot.received(said, monotonic_ms())
        self.attend(robot)

    async def _serve(self, client: aiomqtt.Client, session: int) -> None:
        while not self.stopping:
            self._wake.clear()
            while self._due and self._due[0][0] <= monotonic_ms():
                at, id_ = heapq.heappop(self._due)
                if self._scheduled.get(id_) == at:
                    del self._scheduled[id_]
                    await self._look_after(client, self._by_id[id_], session)
            wait_s = (self._due[0][0] - monotonic_ms()) / 1_000 if self._due else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _look_after(self, client: aiomqtt.Client, robot: VirtualRobot, session: int) -> None:
        if not robot.is_on(wall_ms()):
            await self._switched_off(client, robot)
            return
        if robot.id not in self.greeted:
            await self._greet(client, robot, session)
        for topic, payload in robot.messages(monotonic_ms(), wall_ms()):
            await client.publish(topic, payload, qos=1)
        wake_at = robot.outbox.wake_at(monotonic_ms())
        if wake_at is not None:
            self.attend(robot, max(wake_at, 1))

    async def _greet(self, client: aiomqtt.Client, robot: VirtualRobot, session: int) -> None:
        self.greeted[robot.id] = session
        robot.outbox.connected(monotonic_ms())
        for topic, payload in (robot.status(True, session, wall_ms()), robot.hello(session, wall_ms())):
            await client.publish(topic, payload, qos=1, retain=True)
        if self._collector is not None:
            robot.received(self._collector, monotonic_ms())

    async def _switched_off(self, client: aiomqtt.Client, robot: VirtualRobot) -> None:
        session = self.greeted.pop(robot.id, None)
        if session is not None:
            robot.outbox.disconnected()
            await self._publish_offline(client, robot, session)
        if not self.greeted and not any(other.is_on(wall_ms()) for other in self.robots):
            raise _AllOff

    async def _say_goodbye(self, client: aiomqtt.Client) -> None:
        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                for id_, session in self.greeted.items():
                    await self._publish_offline(client, self._by_id[id_], session)

    async def _publish_offline(self, client: aiomqtt.Client, robot: VirtualRobot, session: int) -> None:
        topic, payload = robot.status(False, session, wall_ms())
        await client.publish(topic, payload, qos=1, retain=True)

    def _topics(self) -> list[str]:
        fleet = next(iter(self.robots)).fleet
        receipts = [str(wire.Topic(fleet, robot.id, "receipt")) for robot in self.robots]
        return [str(wire.CollectorTopic(fleet)), *receipts]

    def _client(self, session: int) -> aiomqtt.Client:
        first = next(iter(self.robots))
        will = aiomqtt.Will(*first.status(False, session, wall_ms()), qos=1, retain=True)
        address = self._broker.address
        return aiomqtt.Client(
            address.host,
            address.port,
            identifier=f"vitals-{first.fleet}-{first.id}",
            username=address.user,
            password=address.password,
            tls_context=self._broker.tls,
            will=will if len(self.robots) == 1 else None,
            keepalive=30,
            timeout=20,
        )


class _AllOff(Exception):  # noqa: N818 - no error: nobody is left who would need the connection
    """Every robot of the connection is switched off."""


def wall_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """A clock that only goes forward."""
    return time.monotonic_ns() // 1_000_000


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
