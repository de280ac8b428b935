"""The socket that the web listens on."""

import socket
from contextlib import closing

from collector.http import server


def test_answers_are_not_held_back() -> None:
    """What is written to a connection is sent at once, not kept until the peer has the rest."""
    listening = server.listen("127.0.0.1", 0)
    with closing(listening), socket.create_connection(listening.getsockname()[:2]):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
