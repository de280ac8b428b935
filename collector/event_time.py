"""When a sample was really taken, whatever the robot's wall clock said.

Every sample carries the boot clock, which neither jumps nor stops in suspend: so the samples of one boot
lie rightly towards one another, and one instant is enough to place them all. That instant is, for

- the boot that sent the message, its newest sample whose clock was synchronized and can be right; without
  one, the moment of sending, which is the time of receipt but for the transit;
- an earlier boot, its newest sample whose clock was synchronized and that leaves later boots their time;
- an earlier boot without one, the beginning of the next: its last sample lies there, no later, and as
  late as that allows.

A sample keeps the robot's own time where its clock was synchronized and agrees with its place.

What can be right is bounded by cause and effect. Nothing arrives before it is sent, so no clock is ahead
of ours. A message may lie in a broker's queue, so a clock that was not set between sample and sending may
seem behind by that long; one further behind shows another zone's time, which is an hour off at least.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from agent.wire import End, Sample, Samples, Sent

LEAD_MS: Final = 5_000  # two clocks that are both right differ by no more
LAG_MS: Final = 60_000  # how long a message is under way, where nothing shows that it waited
QUEUE_MS: Final = 1_800_000  # how long it may wait in a broker


class EventTime(msgspec.Struct, frozen=True, gc=False):
    """When a sample was taken (ms UTC), and whether that is not what the robot said."""

    t: int
    corrected: bool


def event_times(message: Samples, received_at: int) -> list[EventTime]:
    """The event time of every sample of a message that arrived at `received_at`.

    The robot's own times may be ahead of `received_at` by `LEAD_MS`; corrected ones never are.
    """
    samples, sent = message.samples, message.sent
    sender_began = _sender_began(samples, sent, received_at)
    if len(samples) == 1 and samples[0].boot == sent.boot:  # nearly all messages
        return [_event_time(samples[0], sender_began, received_at)]
    began = {sent.boot: sender_began}
    if message.ends or any(sample.boot != sent.boot for sample in samples):
        _place_earlier_boots(began, message)
    return [_event_time(sample, began[sample.boot], received_at) for sample in samples]


def _event_time(sample: Sample, began: int, received_at: int) -> EventTime:
    place = min(began + sample.up, received_at)
    if sample.synced and -LEAD_MS <= sample.t - place <= LEAD_MS:
        return EventTime(sample.t, False)
    return EventTime(max(0, place), True)


def _sender_began(samples: Sequence[Sample], sent: Sent, received_at: int) -> int:
    """When the boot that sent the message began."""
    sending_began = sent.t - sent.up
    latest = received_at - sent.up
    for sample in reversed(samples):
        if sample.synced and sample.boot == sent.boot:
            began = sample.t - sample.up
            unset = -LEAD_MS <= sending_began - began <= LEAD_MS
            if -LEAD_MS <= latest - began <= (QUEUE_MS if unset else LAG_MS):
                return began
    return latest


def _place_earlier_boots(began: dict[str, int], message: Samples) -> None:
    """Adds when each earlier boot of the message began, from the newest to the oldest."""
    ends = {end.boot: end for end in message.ends}
    samples: dict[str, list[Sample]] = {}
    for sample in message.samples:
        samples.setdefault(sample.boot, []).append(sample)
    following = began[message.sent.boot]
    for boot in reversed([*ends, *(boot for boot in samples if boot not in ends)]):
        if boot not in began:
            began[boot] = _earlier_began(samples.get(boot, ()), ends.get(boot), following)
        following = min(following, began[boot])


def _earlier_began(samples: Sequence[Sample], end: End | None, following: int) -> int:
    """When a boot began, of which this is known, and which another followed at that time."""
    length = max([sample.up for sample in samples] + ([end.up] if end else []))
    known = [sample.t - sample.up for sample in samples if sample.synced]
    if end is not None and end.began is not None:
        known.append(end.began)  # the newest of it, beyond this message
    can_be = (began for began in reversed(known) if began + length <= following + LEAD_MS)
    return next(can_be, following - length)
