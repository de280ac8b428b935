"""Samples and messages to test with."""

from collections.abc import Mapping, Sequence

from agent import wire
from agent.catalogue import Catalogue, load
from collector.stores import Commit, Rows, StoredSample, Watermark

CATALOGUE: Catalogue = load()
NOW = 1_795_000_000_000
BOOT_UP = 3_600_000


def sample(
    seq: int = 1,
    *,
    robot: str = "r1",
    epoch: str = "e1",
    t: int | None = None,
    counters: Mapping[str, int] | None = None,
    gauges: Mapping[str, float] | None = None,
) -> StoredSample:
    """A stored sample; one every 30 s from NOW on."""
    at = NOW + 30_000 * seq if t is None else t
    return StoredSample(
        robot=robot,
        epoch=epoch,
        seq=seq,
        t=at,
        robot_t=at,
        received_at=at,
        up=BOOT_UP + 30_000 * seq,
        boot="b1",
        synced=True,
        corrected=False,
        counters={"network.disconnects": seq} if counters is None else counters,
        gauges={"network.rtt_ms": 20.5} if gauges is None else gauges,
    )


def rows(*samples: StoredSample, catalogue: Catalogue = CATALOGUE) -> Rows:
    """Samples as columns."""
    return Rows.of(samples, catalogue)


def commit(
    samples: Sequence[StoredSample], at: int, until: int | None = None, catalogue: Catalogue = CATALOGUE
) -> Commit:
    """A commit of samples of one epoch, with the watermark at the last of them."""
    last = samples[-1]
    mark = Watermark(last.seq if until is None else until)
    return Commit(at, rows(*samples, catalogue=catalogue), watermarks={(last.robot, last.epoch): mark})


def hello(
    *,
    first: int = 1,
    next: int = 1,  # noqa: A002 - the wire's word
    epoch: str = "e1",
    session: int = 1,
    at: int = NOW,
) -> wire.Hello:
    """What an agent says on connecting."""
    return wire.Hello(
        session=session,
        boot="b1",
        epoch=epoch,
        agent="0.1.0",
        interval_s=30,
        tz="Asia/Shanghai",
        labels={"model": "m1"},
        first=first,
        next=next,
        at=at,
    )


def message(
    seq: int,
    count: int = 1,
    *,
    first: int = 1,
    epoch: str = "e1",
    step: int = 1,
    counters: Sequence[Mapping[str, Mapping[str, int]]] | None = None,
) -> wire.Samples:
    """Samples `seq` … `seq + count - 1`, whose counter grows by `step` a sample."""
    taken = [
        wire.Sample(
            t=NOW + 30_000 * number,
            up=BOOT_UP + 30_000 * number,
            boot="b1",
            synced=True,
            c=counters[number - seq] if counters else {"network": {"disconnects": number * step}},  # type: ignore[arg-type]
            g={"network": {"rtt_ms": 20.5}},
        )
        for number in range(seq, seq + count)
    ]
    sent = wire.Sent(t=taken[-1].t, up=taken[-1].up, boot="b1")
    return wire.Samples(epoch=epoch, first=first, seq=seq, sent=sent, samples=taken)


def arrival(text: wire.Samples) -> int:
    """When a message arrives that was sent at once over a quick line."""
    return text.sent.t + 20
