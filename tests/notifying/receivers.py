"""Real receivers on loopback: an SMTP server and a web server that remember what came."""

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Mailbox:
    """Takes every mail, or refuses all with `refusal`; `port` is where it listens."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refusal: str | None = None

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """A mail came."""
        if self.refusal is not None:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        self.recipients += envelope.rcpt_tos
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


class _Server(Controller):
    """Listens on a socket that is bound already, so that the port is free for certain."""

    def __init__(self, box: Mailbox, listening: socket.socket) -> None:
        self._listening = listening
        super().__init__(box, hostname="127.0.0.1", port=listening.getsockname()[1])

    def _create_server(self) -> Coroutine[Any, Any, asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listening)


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """An SMTP server on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        box = Mailbox(listening.getsockname()[1])
        server = _Server(box, listening)
        server.start()
        try:
            yield box
        finally:
            server.stop()


@dataclass(frozen=True)
class Call:
    """One request to the web server."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Hook:
    """Answers every request with `status`; with `hold`, only once that is set."""

    port: int = 0
    status: int = 200
    calls: list[Call] = field(default_factory=list)
    hold: threading.Event | None = None

    @property
    def keys(self) -> list[str]:
        """The keys of what came, in order."""
        return [call.headers["X-Robovitals-Key"] for call in self.calls]


@contextmanager
def hook() -> Iterator[Hook]:
    """A web server on a free port."""
    found = Hook()

    class Handler(BaseHTTPRequestHandler):
        """Remembers, then answers."""

        def do_POST(self) -> None:
            """A message came."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.calls.append(Call(self.path, dict(self.headers), json.loads(body)))
            if found.hold is not None:
                found.hold.wait(30)
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield found
    finally:
        if found.hold is not None:
            found.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
