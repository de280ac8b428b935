"""The running pipeline: it says how far behind it is and what fails beside it, and stops in order."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from collector.conditions import Conditions
from collector.config import BrokerAddress
from collector.inbox import Arrived, Inbox, Incoming
from collector.ingest import Ingest
from collector.mqtt import Link
from collector.notifying.worker import Notifier
from collector.pipeline import Pipeline, clock
from collector.receipts import Receipt
from collector.relational.notifications import Notifications
from collector.relational.queued import Queue
from collector.scores.scoring import Scoring
from collector.stores import Retention, Store, StoreError
from collector.telemetry import Telemetry
from tests.brokers import free_port

pytestmark = pytest.mark.system


class Slow:
    """An ingest that hangs in its first round until it is let go, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.let_go = threading.Event()
        self.taken: list[Incoming] = []
        self.closed = False
        self._error = error

    def process(self, incoming: Sequence[Incoming], _now: int) -> list[Receipt]:
        """One round."""
        if self._error is not None:
            raise self._error
        self.let_go.wait(30)
        self.taken += incoming
        return []

    def close(self, _now: int) -> None:
        """The end."""
        self.closed = True


class Broken:
    """A store whose upkeep fails."""

    def maintain(self, _now: int, _retention: Retention) -> None:
        """As if the disk were full."""
        raise StoreError("no space left")


class Unscored:
    """Health scores that cannot be reckoned."""

    def bring_up_to_date(self, _now: int, _stopping: Callable[[], bool]) -> list[str]:
        """As if the store were away."""
        raise StoreError("the store is away")


class Endless:
    """Health scores that are reckoned until the collector ends."""

    def __init__(self) -> None:
        self.began = threading.Event()

    def bring_up_to_date(self, _now: int, stopping: Callable[[], bool]) -> list[str]:
        """As after a long outage, over a large fleet."""
        self.began.set()
        until = time.monotonic() + 60
        while not stopping():
            assert time.monotonic() < until, "is not told that the collector ends"
            time.sleep(0.01)
        return []


class Notifying:
    """A notifier that works until it is stopped, and upkeep that lasts as long."""

    def __init__(self) -> None:
        self.began, self.stopped, self.in_time = threading.Event(), threading.Event(), False

    def run(self) -> None:
        """Until it is stopped."""
        self.stopped.wait(60)

    def stop(self) -> None:
        """The end."""
        self.stopped.set()

    def wait(self) -> bool:
        """Nothing is being sent."""
        return True

    def maintain(self, _now: int, _retention: Retention) -> None:
        """Upkeep, in place of a store's."""
        self.began.set()
        self.in_time = self.stopped.wait(10)


class Outbox:
    """What happened long ago, in three portions."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def forget_happenings(self, before: int) -> bool:
        """One portion; whether there are more."""
        self.asked.append(before)
        return len(self.asked) < 3


class Ranks:
    """A queue that ranks nothing."""

    def rerank(self, _now: int) -> int:
        """Nothing moved."""
        return 0


async def serve_for_ever() -> None:
    """In place of the web."""
    await asyncio.Event().wait()


def built(ingest: Slow) -> Pipeline:
    """A pipeline without a broker, over a broken store."""
    inbox, conditions, telemetry = Inbox(), Conditions(), Telemetry()
    address = BrokerAddress("127.0.0.1", free_port())
    link = Link(address, None, "test", inbox, conditions, telemetry, clock)
    store = cast(Store, cast(Any, Broken()))
    scoring = cast(Scoring, cast(Any, Unscored()))
    ranks = cast(Queue, cast(Any, Ranks()))
    outbox = cast(Notifications, cast(Any, Outbox()))
    taking = cast(Ingest, cast(Any, ingest))
    return Pipeline(link, inbox, taking, store, Retention(), scoring, ranks, outbox, telemetry, conditions)


async def said(pipeline: Pipeline, part: str, what: str) -> bool:
    """Waits until a part says so, with a generous deadline; whether it is ill then."""
    async with asyncio.timeout(30):
        while what not in (health := pipeline.conditions.health()).parts.get(part, ""):
            await asyncio.sleep(0.02)
    return part in health.ill


def test_falling_behind_shows_and_everything_is_committed_before_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a round hangs, health counts what waits; told to stop, it works all of it off."""
    monkeypatch.setattr("collector.pipeline._WATCH_EVERY_S", 0.05)
    message = Arrived("t", b"x", clock() - 14_000, False)

    async def live() -> Slow:
        ingest, stopping = Slow(), asyncio.Event()
        pipeline = built(ingest)
        pipeline.inbox.put([message] * 1_500)
        running = asyncio.create_task(pipeline.run(serve_for_ever(), stopping))
        assert await said(pipeline, "ingest", "behind: 1,500 messages wait, the oldest for 1")
        assert b"robovitals_intake_depth 1500.0" in pipeline.telemetry.render({})
        ingest.let_go.set()
        assert not await said(pipeline, "ingest", "up to date")
        ingest.let_go.clear()
        pipeline.inbox.put([message])
        stopping.set()
        ingest.let_go.set()
        await asyncio.wait_for(running, 30)
        return ingest

    ingest = asyncio.run(live())
    assert len(ingest.taken) == 1_501
    assert ingest.closed


def test_failing_upkeep_is_shown_and_stops_nothing() -> None:
    """Roll-ups can wait; samples are still taken in."""

    async def live() -> Slow:
        ingest, stopping = Slow(), asyncio.Event()
        ingest.let_go.set()
        pipeline = built(ingest)
        running = asyncio.create_task(pipeline.run(serve_for_ever(), stopping))
        assert await said(pipeline, "upkeep", "no space left")
        pipeline.inbox.put([Arrived("t", b"x", clock(), False)])
        stopping.set()
        await asyncio.wait_for(running, 30)
        return ingest

    assert len(asyncio.run(live()).taken) == 1


def test_an_ingest_that_fails_ends_everything() -> None:
    """Better no collector than one that takes messages and stores none."""

    async def live() -> None:
        pipeline = built(Slow(StoreError("the file is gone")))
        await asyncio.wait_for(pipeline.run(serve_for_ever(), asyncio.Event()), 30)

    with pytest.raises(ExceptionGroup) as failed:
        asyncio.run(live())
    assert "the file is gone" in str(failed.value.exceptions[0])


def test_what_happened_long_ago_is_forgotten_where_nobody_is_notified() -> None:
    """All of it, though the store's upkeep fails."""

    async def live() -> list[int]:
        stopping, outbox = asyncio.Event(), Outbox()
        ingest = Slow()
        ingest.let_go.set()
        pipeline = replace(built(ingest), outbox=cast(Notifications, cast(Any, outbox)))
        running = asyncio.create_task(pipeline.run(serve_for_ever(), stopping))
        assert await said(pipeline, "upkeep", "no space left")
        stopping.set()
        await asyncio.wait_for(running, 30)
        return outbox.asked

    asked = asyncio.run(live())
    assert len(asked) == 3
    assert all(clock() - before >= 7 * 86_400_000 for before in asked)


def test_scores_that_take_long_do_not_hold_up_the_end() -> None:
    """They are told of it; the next start makes up for the rest."""

    async def live() -> None:
        ingest, stopping, endless = Slow(), asyncio.Event(), Endless()
        ingest.let_go.set()
        pipeline = replace(built(ingest), scoring=cast(Scoring, cast(Any, endless)))
        running = asyncio.create_task(pipeline.run(serve_for_ever(), stopping))
        assert await asyncio.to_thread(endless.began.wait, 30)
        stopping.set()
        await asyncio.wait_for(running, 30)
        assert "failed" not in pipeline.conditions.health().parts["scores"]

    asyncio.run(live())


def test_nothing_new_is_sent_while_the_end_waits_for_upkeep() -> None:
    """The notifier stops first."""

    async def live() -> Notifying:
        ingest, stopping, notifying = Slow(), asyncio.Event(), Notifying()
        ingest.let_go.set()
        store, notifier = cast(Store, cast(Any, notifying)), cast(Notifier, cast(Any, notifying))
        pipeline = replace(built(ingest), store=store, notifier=notifier)
        running = asyncio.create_task(pipeline.run(serve_for_ever(), stopping))
        assert await asyncio.to_thread(notifying.began.wait, 30)
        stopping.set()
        await asyncio.wait_for(running, 30)
        return notifying

    assert asyncio.run(live()).in_time
