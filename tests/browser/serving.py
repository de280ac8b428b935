"""The app as a browser meets it: uvicorn in a thread, on a free port of this machine."""

import asyncio
import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from collector.http import app
from collector.http.server import listen, serve
from collector.http.services import Services


class Serving:
    """Serves the services while the block lasts; it can be stopped and started again at the same address."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._port = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The address of the start page, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, services: Services | None = None) -> None:
        """Serves, perhaps other services than before, until it is stopped."""
        self._services = services or self._services
        listening = listen("127.0.0.1", self._port)
        self._port = listening.getsockname()[1]
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listening, started), daemon=True)
        self._thread.start()
        started.wait()

    def stop(self) -> None:
        """Ends serving; once more does nothing."""
        if self._thread is None or self._loop is None or self._task is None:
            return
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()
        self._thread = None

    def _run(self, listening: socket.socket, started: threading.Event) -> None:
        self._loop = asyncio.new_event_loop()
        serving = serve(app.create(self._services), self._services.changes, listening)
        self._task = self._loop.create_task(serving)
        self._loop.call_soon(started.set)
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.close()
