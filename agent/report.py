"""What an agent tells of itself: a running one over a socket in its spool folder, a stopped one's spool."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from agent import folder as folders
from agent.folder import SpoolError
from agent.ledger import Account
from agent.spool import view

SOCKET = "status.sock"
PATIENCE_S = 10.0


class Receipt(msgspec.Struct, frozen=True):
    """The last receipt: samples up to `stored_until` are in the collector's store."""

    stored_until: int
    at: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's state; all instants are wall-clock ms."""

    running: bool
    pid: int | None = None
    fleet: str | None = None
    robot: str | None = None
    at: int | None = None
    started_at: int | None = None
    interval_s: float | None = None
    broker: str | None = None
    connected_since: int | None = None
    problem: str | None = None
    collector_online: bool | None = None
    receipt: Receipt | None
    spool: str
    epoch: str
    first: int
    next: int
    held: int
    dropped: dict[str, int] = {}  # samples given up, by reason
    bytes: int | None = None
    max_bytes: int | None = None
    damaged: list[str] = []  # what was set aside
    disk_refuses_since: int | None = None
    disk_problem: str | None = None
    socket: str | None = None
    udp: str | None = None
    last_push_at: int | None = None
    last_refused: str | None = None
    unknown: dict[str, int] = {}
    counters: dict[str, dict[str, int]]
    gauges: dict[str, dict[str, float]] = {}


_DECODER = msgspec.json.Decoder(Report)
_ENCODER = msgspec.json.Encoder()


def encode(report: Report) -> bytes:
    """The report as JSON."""
    return _ENCODER.encode(report)


def receipt_of(account: Account) -> Receipt | None:
    """The last receipt that a spool has seen."""
    return None if account.receipt_at is None else Receipt(account.stored_until, account.receipt_at)


def listen(folder: Path) -> socket.socket:
    """Opens the folder's status socket. The folder must be locked. Raises `SpoolError`."""
    (folder / SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(folder) as path:
            listener.bind(path)
        (folder / SOCKET).chmod(0o666)
        listener.listen(8)
    except OSError as error:
        listener.close()
        raise SpoolError(f"{folder / SOCKET} cannot be made: {error.strerror or error}") from None
    listener.setblocking(False)
    return listener


def close(listener: socket.socket, folder: Path) -> None:
    """Closes the status socket and removes its file."""
    listener.close()
    (folder / SOCKET).unlink(missing_ok=True)


def answer(listener: socket.socket, report: Report) -> None:
    """Tells one caller; whoever does not listen misses it."""
    try:
        caller, _ = listener.accept()
    except OSError:
        return
    with caller:
        caller.setblocking(False)
        try:
            caller.sendall(encode(report))
        except OSError:
            return


def read(folder: Path) -> Report | None:
    """The folder's state, whether its agent runs or not; None: there never was one. Raises `SpoolError`."""
    pid = folders.holder(folder)
    if pid is not None:
        return _ask(folder, pid)
    account = view(folder)
    return None if account is None else _of_spool(folder, account)


def _ask(folder: Path, pid: int) -> Report:
    received = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller, _short(folder) as path:
            caller.settimeout(PATIENCE_S)
            caller.connect(path)
            while part := caller.recv(65_536):
                received += part
        return _DECODER.decode(received)
    except (OSError, msgspec.MsgspecError) as error:
        raise SpoolError(f"the agent of {folder} (pid {pid}) does not answer: {error}") from None


def _of_spool(folder: Path, account: Account) -> Report:
    counters: dict[str, dict[str, int]] = {}
    for name, total in sorted(account.state.totals.items()):
        subsystem, _, short = name.partition(".")
        counters.setdefault(subsystem, {})[short] = total
    return Report(
        running=False,
        receipt=receipt_of(account),
        spool=str(folder),
        epoch=account.epoch,
        first=account.first,
        next=account.next,
        held=account.next - account.first,
        dropped=account.dropped,
        bytes=folders.size([folder]),
        damaged=[str(path) for path in folders.damaged(folder)],
        counters=counters,
    )


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """The status socket's path in a form that fits the 107 bytes of a socket's address."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
