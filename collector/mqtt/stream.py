"""The socket to the broker: the link reads and writes large pieces, paho sees what the link leaves to it.

Everything that goes out, from paho or from the link, goes through one buffer, so that packets never mix.
"""

import contextlib
import socket
import ssl
from typing import Final

READ_BYTES: Final = 1024 * 1024
_CLOSE_WAIT_S: Final = 1.0
_NOT_NOW: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Stream:
    """Takes a connected socket over; to paho it is the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._for_paho = b""
        self._outgoing = bytearray()
        self._more = False
        with contextlib.suppress(OSError):  # not every socket is a TCP one
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def has_more(self) -> bool:
        """Whether there may be more to receive than the last time gave, though the socket may not say so."""
        return self._more

    @property
    def unsent(self) -> int:
        """How many bytes wait to go out."""
        return len(self._outgoing)

    @property
    def has_for_paho(self) -> bool:
        """Whether paho has something to read."""
        return bool(self._for_paho)

    def receive(self) -> bytes:
        """What is there, up to about `READ_BYTES`; empty: nothing. Raises `ConnectionError` at the end."""
        parts: list[bytes] = []
        size = 0
        self._more = True
        while size < READ_BYTES:  # TLS gives a record at a time
            try:
                part = self._socket.recv(READ_BYTES)
            except _NOT_NOW:
                self._more = False
                break
            if not part:
                if parts:
                    break
                raise ConnectionResetError("the broker closed the connection")
            parts.append(part)
            size += len(part)
            if not isinstance(self._socket, ssl.SSLSocket):
                self._more = size >= READ_BYTES
                break
        return b"".join(parts)

    def leave_to_paho(self, packets: bytes) -> None:
        """Whole packets that paho shall read."""
        self._for_paho += packets

    def flush(self) -> bool:
        """Sends what can be sent without waiting; whether that was all."""
        while self._outgoing:
            try:
                sent = self._socket.send(self._outgoing)
            except _NOT_NOW:
                return False
            del self._outgoing[:sent]
        return True

    def recv(self, size: int) -> bytes:
        """For paho: what was left to it."""
        if not self._for_paho:
            raise BlockingIOError
        given, self._for_paho = self._for_paho[:size], self._for_paho[size:]
        return given

    def send(self, data: bytes | bytearray) -> int:
        """Takes all of it; it goes out with the next `flush`."""
        self._outgoing += data
        return len(data)

    def close(self) -> None:
        """Sends the rest, if the broker takes it within a second, and closes."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(_CLOSE_WAIT_S)
            self._socket.sendall(self._outgoing)
        self._outgoing.clear()
        self._socket.close()

    def fileno(self) -> int:
        """The socket's."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        """For paho."""
        self._socket.setblocking(flag)
