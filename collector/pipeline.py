"""The running collector on one screen: broker → inbox → ingest → receipts, beside it the web.

It stops in order: no more intake; what was taken in is committed and answered; the status goes offline;
the web ends. A task that fails ends all of them.
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from collector.ingest import Arrived, Incoming, Ingest
from collector.mqtt import Link
from collector.telemetry import Telemetry

ROUND_S: Final = 0.5
MAX_MESSAGES: Final = 2_000
MAX_BYTES: Final = 8 * 1024 * 1024
INBOX: Final = 5_000


def clock() -> int:
    """Now, in ms UTC."""
    return time.time_ns() // 1_000_000


async def run(
    link: Link,
    inbox: asyncio.Queue[Incoming],
    ingest: Ingest,
    telemetry: Telemetry,
    serving: Coroutine[None, None, None],
    stopping: asyncio.Event,
) -> None:
    """Runs until `stopping` is set, then stops in order."""
    async with asyncio.TaskGroup() as tasks:
        web = tasks.create_task(serving)
        linking = tasks.create_task(link.run())
        committing = tasks.create_task(_commit(link, inbox, ingest, telemetry))
        await stopping.wait()
        link.stop_listening()
        await committing
        link.leave()
        await linking
        web.cancel()


async def _commit(link: Link, inbox: asyncio.Queue[Incoming], ingest: Ingest, telemetry: Telemetry) -> None:
    """Round after round, each in the one thread that writes."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="ingest") as thread:
        while not (link.quiet and inbox.empty()):
            incoming = await _gather(inbox)
            telemetry.intake_depth.set(len(incoming) + inbox.qsize())
            receipts = await loop.run_in_executor(thread, ingest.process, incoming, clock())
            telemetry.receipts_sent.inc(await link.send(receipts))
        await loop.run_in_executor(thread, ingest.close, clock())


async def _gather(inbox: asyncio.Queue[Incoming]) -> list[Incoming]:
    """What arrives within a round, or as much as one round can take."""
    incoming: list[Incoming] = []
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ROUND_S):
            while len(incoming) < MAX_MESSAGES and size < MAX_BYTES:
                event = await inbox.get()
                incoming.append(event)
                size += len(event.payload) if isinstance(event, Arrived) else 0
    return incoming
