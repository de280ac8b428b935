"""The messages whose bytes are kept in `v1/`: old agents stay in the field for years, and must be understood.

A file of `v1/` is one payload as it went over the wire; its name begins with the channel. Never change one:
add another, or another version's folder.
"""

from pathlib import Path

from agent.wire import (
    CollectorStatus,
    Command,
    End,
    Hello,
    Message,
    Receipt,
    Sample,
    Samples,
    Sent,
    Status,
)

FOLDER = Path(__file__).parent / "v1"
ROBOT = "vitals/v1/demo/lobby-07"
BOOT = "5c1b0c1e-0d5e-4b0e-9a3f-2f6f1f0a7a11"
EPOCH = "0193b1c8a5f07d2e"
NOON = 1_795_320_000_000  # 2026-11-22T04:00:00Z, noon in Shanghai


def topic(name: str) -> str:
    """The topic on which a golden message was published."""
    channel = name.split(".")[0]
    return "vitals/v1/demo/collector/status" if channel == "collector" else f"{ROBOT}/{channel}"


def sample(number: int, *, t: int = NOON, boot: str = BOOT, synced: bool = True) -> Sample:
    """A sample of a healthy robot, `number` intervals on."""
    later = 30_000 * number
    counters = {
        "network": {"connect_attempts": 3, "disconnects": 2, "rx_bytes": 8_123_456_789},
        "navigation": {"goals": 120 + number, "relocalization_faults": 0},
        "asr": {"utterances": 8123 + 4 * number, "unrecognized": 41},
        "agent": {"samples_taken": 1377 + number, "datagrams_bad": 0},
    }
    gauges = {
        "network": {"rtt_ms": 23.1, "signal_dbm": -56.0, "up": 1.0},
        "navigation": {"up": 1.0},
        "asr": {"up": 0.0},
        "system": {"battery_percent": 87.5, "disk_free_bytes": 12_884_901_888.0},
    }
    return Sample(t=t + later, up=86_400_000 + later, boot=boot, synced=synced, c=counters, g=gauges)


def samples(*taken: Sample, first: int = 1201, seq: int = 1377) -> Samples:
    """A message of these samples, sent 120 ms after the last was taken."""
    last = taken[-1]
    sent = Sent(t=last.t + 120, up=last.up + 120, boot=last.boot)
    return Samples(epoch=EPOCH, first=first, seq=seq, sent=sent, samples=list(taken))


def _hello() -> Hello:
    labels = {"model": "GreetBot 2", "firmware": "4.2.1", "位置": "一楼大厅"}
    return Hello(
        session=17,
        boot=BOOT,
        epoch=EPOCH,
        agent="0.1.0",
        interval_s=30.0,
        tz="Asia/Shanghai",
        labels=labels,
        first=1201,
        next=1378,
        at=NOON,
    )


def _new_robot() -> Hello:
    return Hello(
        session=1,
        boot="",
        epoch=EPOCH,
        agent="0.1.0",
        interval_s=0.5,
        tz="UTC",
        labels={},
        first=1,
        next=1,
        at=0,
    )


MESSAGES: dict[str, Message] = {
    "hello.json": _hello(),
    "hello.new-robot.json": _new_robot(),
    "status.online.json": Status(online=True, session=17, at=NOON),
    "status.will.json": Status(online=False, session=17, at=NOON),
    "samples.one.json": samples(sample(0)),
    "samples.backlog.json": samples(*(sample(number) for number in range(3)), seq=1201),
    "samples.boot-in-1970.json": samples(sample(0, t=12_000, synced=False), first=1, seq=1),
    "samples.earlier-boots.json": Samples(
        epoch=EPOCH,
        first=1,
        seq=1,
        sent=Sent(t=NOON, up=90_000, boot=BOOT),
        samples=[
            sample(0, t=12_000, boot="0e3f", synced=False),
            sample(1, t=12_000, boot="0e3f", synced=False),
        ],
        ends=[
            End(boot="0e3f", up=86_520_000),
            End(boot="", up=7_200_000),
            End(boot="77ac", up=3_600_000, began=NOON - 7_200_000),
        ],
    ),
    "samples.names-its-robot.json": Samples(
        robot="lobby-07",
        epoch=EPOCH,
        first=1,
        seq=2,
        sent=Sent(t=NOON, up=5, boot=BOOT),
        samples=[Sample(t=NOON, up=5, boot=BOOT, synced=True, c={}, g={})],
    ),
    "samples.long.json.zlib": samples(*(sample(number) for number in range(50)), seq=1201),
    "receipt.json": Receipt(epoch=EPOCH, stored_until=1377),
    "receipt.nothing-yet.json": Receipt(epoch=EPOCH, stored_until=0),
    "command.json": Command(id="c-1", kind="resend"),
    "collector.online.json": CollectorStatus(online=True, session="01JD", at=NOON),
    "collector.will.json": CollectorStatus(online=False, session="01JD", at=NOON),
}
