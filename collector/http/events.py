"""Server-sent events: open pages hear what has changed, and fetch it themselves."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from collector.changes import Change, Changes
from collector.conditions import Health

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LOOK_S: Final = 5.0
_RETRY_MS: Final = 2_000
_HEALTH: Final = b"event: health\ndata: {}\n\n"


async def stream(
    changes: Changes,
    health: Callable[[], Health],
    look_s: float = LOOK_S,
    welcome: Callable[[], Awaitable[bool]] | None = None,
    named: bool = True,
) -> AsyncIterator[bytes]:
    """Events, named by their topic, with `{"revision", "ids"}`; no ids means too many to name, or
    that the reader may not hear of all of them (not `named`).

    The event `health` says that another part of the collector fails, falls behind or has recovered. Ends
    when the reader is no longer `welcome`.
    """
    yield f"retry: {_RETRY_MS}\n\n".encode()
    known = health().ill
    async for change in changes.listen(look_s):
        if welcome is not None and not await welcome():
            return
        if (now := health().ill) != known:
            known = now
            yield _HEALTH
        yield b": still here\n\n" if change is None else _event(change, named)


def _event(change: Change, named: bool) -> bytes:
    ids = change.ids if named else ()
    data = json.dumps({"revision": change.revision, "ids": ids}, separators=(",", ":"))
    return f"event: {change.topic}\nid: {change.revision}\ndata: {data}\n\n".encode()
