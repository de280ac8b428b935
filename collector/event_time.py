"""When a sample was really taken, whatever the robot's wall clock said.

A message carries the robot's clocks at the moment of sending, so a sample of the same boot has an age by
the boot clock, and `received - age` is when it was taken, up to the time in transit. The robot's own time
is kept where its clock was synchronized and agrees with that: it is the finer of the two, and it does not
suffer from transit. It may lag by the length of a queue, and lead by next to nothing.

A sample of an earlier boot has no age. Its own time counts if its clock was synchronized. Else it is
placed by another sample of its boot that was synchronized, or, failing that, so that its boot's last
sample lies where the next boot begins: no later, and as late as that allows.
"""

from dataclasses import dataclass
from typing import Final

from agent.wire import Sample, Samples, Sent

LEAD_MS: Final = 5_000
LAG_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class EventTime:
    """When a sample was taken (ms UTC), and whether that is not what the robot said."""

    t: int
    corrected: bool


def event_times(message: Samples, received_at: int) -> list[EventTime]:
    """The event time of every sample of a message that arrived at `received_at`."""
    boots = _boots_began(message, received_at)
    return [_event_time(sample, message.sent, boots[sample.boot], received_at) for sample in message.samples]


def _event_time(sample: Sample, sent: Sent, boot_began: int, received_at: int) -> EventTime:
    by_boot_clock = min(boot_began + sample.up, received_at)
    earliest = by_boot_clock - LAG_MS if sample.boot == sent.boot else 0
    latest = by_boot_clock if sample.boot == sent.boot else received_at
    if sample.synced and earliest <= sample.t <= latest + LEAD_MS:
        return EventTime(sample.t, corrected=False)
    return EventTime(max(0, by_boot_clock), corrected=True)


def _boots_began(message: Samples, received_at: int) -> dict[str, int]:
    """When each boot of the message began by the wall clock; the newest samples are at its end."""
    began = {message.sent.boot: received_at - message.sent.up}
    next_boot_began = began[message.sent.boot]
    for sample in reversed(message.samples):
        if sample.boot not in began:
            began[sample.boot] = _began(sample.boot, message.samples, next_boot_began, received_at)
        next_boot_began = began[sample.boot]
    return began


def _began(boot: str, samples: list[Sample], next_boot_began: int, received_at: int) -> int:
    of_boot = [sample for sample in samples if sample.boot == boot]
    synced = [sample for sample in of_boot if sample.synced and sample.t <= received_at + LEAD_MS]
    if synced:
        return synced[-1].t - synced[-1].up
    return next_boot_began - max(sample.up for sample in of_boot)
