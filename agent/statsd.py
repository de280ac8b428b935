"""The sockets that firmware pushes to: a Unix datagram socket and a UDP port."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

MAX_DATAGRAM = 65_536
_BUFFER = 1 << 20


class SocketError(Exception):
    """A socket cannot be opened; the message says why and what to do."""


def open_unix(path: Path) -> socket.socket:
    """Binds the socket, open to every local user; one that a dead agent left behind is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        listener.bind(str(path))
        path.chmod(0o666)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise SocketError(
            f"socket {path} cannot be used: {reason}; give another with --socket PATH"
        ) from None
    return _ready(listener)


def open_udp(host: str, port: int) -> socket.socket:
    """Binds the port."""
    hint = "give another with --udp HOST:PORT, or --udp off"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SocketError(f"udp {host}:{port} cannot be used: {error.strerror or error}; {hint}") from None
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SocketError(f"udp {host}:{port} cannot be used: {error.strerror or error}; {hint}") from None
    return _ready(listener)


def drain(listener: socket.socket, at_most: int = 1_000) -> Iterator[bytes]:
    """The datagrams that wait, oldest first; never more than `at_most`, so that nothing else starves."""
    for _ in range(at_most):
        try:
            yield listener.recv(MAX_DATAGRAM)
        except BlockingIOError:
            return
        except OSError:
            continue  # an ICMP error of some earlier datagram


def close(listener: socket.socket) -> None:
    """Closes it, and removes a Unix socket's file."""
    name = listener.getsockname()
    listener.close()
    if isinstance(name, str) and name:
        Path(name).unlink(missing_ok=True)


def _ready(listener: socket.socket) -> socket.socket:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    listener.setblocking(False)
    return listener


def _remove_stale(path: Path) -> None:
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise FileExistsError(None, "a file of that name is there already")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(None, f"another agent listens on it (this one has pid {os.getpid()})")
