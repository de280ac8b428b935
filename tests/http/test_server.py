"""The socket that the web listens on."""

import socket
from contextlib import closing

from collector.http import server


def test_answers_are_not_held_back() -> None:
    """What is written is sent at once, not kept until the peer has said that it got the rest."""
    with (
        closing(server.listen("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()[:2]),
        closing(listening.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
