"""Serving the app: on a socket bound beforehand, stopped by cancellation, open event streams included."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from collector.changes import Changes

MAX_PORT: Final = 65_535


class AddressError(Exception):
    """The HTTP address cannot be listened on; the message says why."""


def listen(host: str, port: int) -> socket.socket:
    """A socket to serve on; port 0 takes a free one. Raises `AddressError`."""
    try:
        if not 0 <= port <= MAX_PORT:
            raise OSError(f"a port is at most {MAX_PORT}")
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server((str(address[0]), port), family=family, backlog=512)
        # Connections inherit it. Without, the body of an answer waits up to 40 ms behind its headers.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        cause = error.strerror or error
        raise AddressError(
            f"cannot listen on {host}:{port}: {cause}; give another --http HOST:PORT"
        ) from None


async def serve(app: ASGIApp, changes: Changes, listening: socket.socket) -> None:
    """Serves until cancelled; then lets running requests end, for a short while."""
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = _Server(config, changes)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Ends the event streams first, which no client would end; leaves signals to the process."""

    def __init__(self, config: uvicorn.Config, changes: Changes) -> None:
        super().__init__(config)
        self._changes = changes

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._changes.close()
        await super().shutdown(sockets)
