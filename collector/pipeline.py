"""The running collector on one screen: broker → inbox → ingest → receipts, beside it the web.

Five threads: the link's (reads and writes the broker's socket), the ingest's (decodes, stores, evaluates),
one for the store's upkeep, one for health scores, and the main one, with the web. Where people are notified,
one for that, and one for each channel that is just sending.

It stops in order: no more intake; what was taken in is committed and answered; the status goes offline;
what is being sent, and the portion that is being cleared away or scored, may end; the web ends. A task that
fails ends all of them.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog

from collector.conditions import Conditions
from collector.inbox import Inbox
from collector.ingest import Ingest
from collector.mqtt import GOODBYE_S, Link
from collector.notifying.worker import Notifier
from collector.relational.notifications import Notifications
from collector.relational.queued import Queue
from collector.scores.scoring import Scoring
from collector.stores import Retention, Store
from collector.telemetry import Telemetry

ROUND_S: Final = 0.5
BEHIND_MS: Final = 5_000
UPKEEP_EVERY_S: Final = 60.0
SCORE_EVERY_S: Final = 60.0
HAPPENINGS_KEPT_MS: Final = 7 * 86_400_000  # a notifier tells nothing so old; without one nobody reads them
_WATCH_EVERY_S: Final = 1.0
_HANGING_S: Final = 0.5  # for a connection that is just being tried
log = structlog.get_logger()


def clock() -> int:
    """Now, in ms UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What runs, and what it reports to."""

    link: Link
    inbox: Inbox
    ingest: Ingest
    store: Store
    retention: Retention
    scoring: Scoring
    queue: Queue
    outbox: Notifications
    telemetry: Telemetry
    conditions: Conditions
    notifier: Notifier | None = None  # None: nobody is notified

    async def run(self, serving: Coroutine[None, None, None], stopping: asyncio.Event) -> None:
        """Runs until `stopping` is set, then stops in order."""
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(serving), tasks.create_task(self._watch())]
                linking = tasks.create_task(_in_thread("link", self.link.run))
                committing = tasks.create_task(self._commit())
                upkeep = tasks.create_task(self._upkeep(stopping))
                notifying = tasks.create_task(self._notify())
                scoring = tasks.create_task(self._score(stopping))
                await stopping.wait()
                self.inbox.close()
                await committing
                self.link.leave()
                await asyncio.wait([linking], timeout=GOODBYE_S if self.link.connected else _HANGING_S)
                self._stop_notifying()
                await upkeep
                await notifying
                await scoring
                for task in (*beside, linking):
                    task.cancel()
        finally:
            self.inbox.close()
            self.link.leave()
            self._stop_notifying()

    async def _commit(self) -> None:
        """Round after round, each in the one thread that writes."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="ingest") as thread:
            while not self.inbox.exhausted:
                await loop.run_in_executor(thread, self._round)
            await loop.run_in_executor(thread, self.ingest.close, clock())

    def _round(self) -> None:
        incoming = self.inbox.take(ROUND_S)
        self.link.send(self.ingest.process(incoming, clock()))

    async def _notify(self) -> None:
        """What is being sent when it stops may end, for a short while; the next start sends it again."""
        if self.notifier is None:
            return
        await _in_thread("notify", self.notifier.run)
        await asyncio.to_thread(self.notifier.wait)

    def _stop_notifying(self) -> None:
        if self.notifier is not None:
            self.notifier.stop()

    async def _upkeep(self, stopping: asyncio.Event) -> None:
        """What is done beside the rounds, each in a thread of its own."""
        while not stopping.is_set():
            await self._kept_up("upkeep", "roll-ups and retention", lambda: self._maintain(stopping.is_set))
            await self._kept_up("ranks", "ranking the queue", self._rerank)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), UPKEEP_EVERY_S)

    async def _score(self, stopping: asyncio.Event) -> None:
        """Health scores once a day is over, in a thread of their own."""
        while not stopping.is_set():
            await self._kept_up("scores", "health scores", lambda: self._bring_scores(stopping.is_set))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), SCORE_EVERY_S)

    def _bring_scores(self, stopping: Callable[[], bool]) -> None:
        if days := self.scoring.bring_up_to_date(clock(), stopping):
            log.info("health scores", days=len(days), last=days[-1])

    async def _kept_up(self, part: str, what: str, work: Callable[[], object]) -> None:
        """A failure is shown and tried again."""
        try:
            await asyncio.to_thread(work)
        except Exception as error:
            self.conditions.ill(part, f"{what} failed: {error}")
            log.warning(f"{what} failed; trying again", error=repr(error))
        else:
            self.conditions.well(part, "up to date")

    def _maintain(self, stopping: Callable[[], bool]) -> None:
        before = clock() - HAPPENINGS_KEPT_MS
        while not stopping() and self.outbox.forget_happenings(before):
            pass
        self.store.maintain(clock(), self.retention)

    def _rerank(self) -> None:
        self.queue.rerank(clock())

    async def _watch(self) -> None:
        """Says how far behind the ingest is, also while it hangs."""
        while True:
            depth, oldest_at = self.inbox.depth, self.inbox.oldest_at
            age_ms = max(0, clock() - oldest_at) if oldest_at is not None else 0
            self.telemetry.intake_depth.set(depth)
            self.telemetry.intake_age_seconds.set(age_ms / 1000)
            if age_ms > BEHIND_MS:
                text = f"behind: {depth:,} messages wait, the oldest for {age_ms / 1000:.0f} s"
                self.conditions.ill("ingest", text)
            else:
                self.conditions.well("ingest", "up to date")
            await asyncio.sleep(_WATCH_EVERY_S)


async def _in_thread(name: str, work: Callable[[], None]) -> None:
    """Runs it in a thread that may be left hanging: on the network one never knows."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    await done
