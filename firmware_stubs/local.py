"""The way to the agent: a datagram socket that never waits, and outlives the agent's absence."""

import socket
from dataclasses import dataclass
from pathlib import Path


class AddressError(ValueError):
    """Not an address that datagrams can be sent to; the message says what to give instead."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the agent listens: the path of a Unix socket, or host and port."""

    family: socket.AddressFamily
    target: str | tuple[str, int]

    def __str__(self) -> str:
        return self.target if isinstance(self.target, str) else f"{self.target[0]}:{self.target[1]}"


def unix(path: Path) -> Address:
    """The Unix socket at `path`, which need not be there yet."""
    if len(str(path).encode()) > 107:
        raise AddressError(f"--socket {path}: longer than the 107 bytes that a Unix socket's path may have")
    return Address(socket.AF_UNIX, str(path))


def udp(text: str) -> Address:
    """`HOST:PORT`, or `[HOST]:PORT` for IPv6. Names are looked up once."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise AddressError(f"--udp {text!r}: write HOST:PORT, for example 127.0.0.1:8125")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError) as error:
        raise AddressError(f"--udp {text!r}: the host cannot be found: {error}") from None
    return Address(found[0], (str(found[4][0]), int(port)))


class Local:
    """Sends datagrams, or counts them as lost where the agent is away or slow."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.lost = 0
        self._socket = socket.socket(address.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def send(self, datagram: bytes) -> bool:
        """Whether the agent took it. Every datagram finds the agent anew, so its restart is no event."""
        try:
            self._socket.sendto(datagram, self.address.target)
        except OSError:
            self.lost += 1
            return False
        return True

    def close(self) -> None:
        """Gives the socket back."""
        self._socket.close()
