"""Server-sent events: open pages hear what has changed, and fetch it themselves."""

import json
from collections.abc import AsyncIterator
from typing import Final

from collector.http.changes import Change, Changes

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_RETRY_MS: Final = 2_000


async def stream(changes: Changes) -> AsyncIterator[bytes]:
    """Events `alerts` and `robots` with `{"revision", "ids"}`; no ids means too many to name."""
    yield f"retry: {_RETRY_MS}\n\n".encode()
    async for change in changes.listen():
        yield b": still here\n\n" if change is None else _event(change)


def _event(change: Change) -> bytes:
    data = json.dumps({"revision": change.revision, "ids": change.ids}, separators=(",", ":"))
    return f"event: {change.topic}\nid: {change.revision}\ndata: {data}\n\n".encode()
