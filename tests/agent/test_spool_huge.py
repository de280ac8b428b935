"""A huge spool at boot: the agent is up before anybody could have read it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from agent import folder as folders
from agent.counters import State
from agent.folder import DATABASE
from agent.ledger import seal
from agent.spool import connect, new_row, open_spool, transaction
from tests.agent.process import Agent
from tests.agent.receiver import Receiver, eventually
from tests.brokers import Broker

COUNT = 2_000_000
MOST_BYTES = 8 * 1024 * 1024  # a program's own files included
MOST_KIB = 60 * 1024
BODY = b'{"t":%d,"up":1,"boot":"b","synced":true,"c":{},"g":{}}'


def make_huge(folder: Path) -> str:
    """A spool of so many samples, written past the spool's own door, since that one waits for the disk."""
    with closing(open_spool(folder)) as spool:
        account = replace(spool.account, revision=5, next=COUNT + 1, state=State())
    epoch = account.epoch

    def rows() -> Iterator[tuple[int, int, str, int, bytes]]:
        return (new_row(epoch, seq, 0, BODY % seq) for seq in range(1, COUNT + 1))

    with closing(connect(folder / DATABASE)) as database:
        for pragma in ("journal_mode = DELETE", "synchronous = OFF"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        with transaction(database):
            database.executemany("INSERT INTO sample VALUES (?, ?, ?, ?, ?)", rows())
            database.execute("UPDATE account SET sealed = ?", (seal(account),))
    return epoch


def bytes_read(pid: int) -> int:
    """How much a process has read from files so far, caches included."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


def peak_kib(pid: int) -> int:
    """How much memory a process has had at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def test_is_up_at_once(ram_path: Path, nats: Broker) -> None:
    """With two million samples held it answers, samples and delivers, having read next to nothing of them."""
    agent = Agent(ram_path, nats.url, "--spool-max-age", "off")
    agent.spool.mkdir()
    epoch = make_huge(agent.spool)
    assert (agent.spool / DATABASE).stat().st_size > 150_000_000
    with agent:
        eventually(lambda: agent.status().get("next", 0) > COUNT + 3, "it samples")
        status = agent.status()
        assert (status["epoch"], status["first"], status["dropped"]) == (epoch, 1, {})
        assert bytes_read(status["pid"]) < MOST_BYTES
        with Receiver(nats.port) as receiver:
            eventually(lambda: receiver.stored_until("r1", epoch) >= 400, "the oldest arrive")
            eventually(lambda: receiver.numbers("r1", epoch)[-1] > COUNT, "live ones, too")
        assert peak_kib(status["pid"]) < MOST_KIB
    assert not folders.damaged(agent.spool)
