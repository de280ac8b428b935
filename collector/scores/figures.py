"""What scores are reckoned from: of every robot and local day, hours heard and sums of counters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from collector.scores.settings import HEARD_SECONDS, INTERACTIONS, VISITORS, Floats, Integers, Settings
from collector.stores import HOUR_MS, Spans
from rules.intervals import Calendar
from rules.roster import Robot, Roster
from rules.rule import OPEN_HOURS

_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Function:
    """A subsystem's failures and attempts, and what must have risen for it to be known; [robot, day]."""

    failures: Floats
    attempts: Floats
    needed: Floats | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Of robots and local days, [robot, day]; sums are NaN where no sample tells of them.

    `counted` are the opening hours in which the robot was heard, or the collector would have heard it;
    `heard` are those of them in which it was.
    """

    counted: Integers
    heard: Integers
    visitors: Floats
    interactions: Floats
    functions: Mapping[str, Function]

    @classmethod
    def joined(cls, parts: Sequence["Figures"]) -> "Figures":
        """The robots of all parts, one after another."""
        return cls(
            counted=np.concatenate([part.counted for part in parts]),
            heard=np.concatenate([part.heard for part in parts]),
            visitors=np.concatenate([part.visitors for part in parts]),
            interactions=np.concatenate([part.interactions for part in parts]),
            functions={
                name: _joined([part.functions[name] for part in parts]) for name in parts[0].functions
            },
        )


def _joined(parts: Sequence[Function]) -> Function:
    needed = [part.needed for part in parts if part.needed is not None]
    return Function(
        np.concatenate([part.failures for part in parts]),
        np.concatenate([part.attempts for part in parts]),
        np.concatenate(needed) if needed else None,
    )


def figures(
    spans: Spans, opened: Integers, listened: Integers, since: Integers, settings: Settings
) -> Figures:
    """From what a store has of the days.

    Bits of hours: `opened` [robot, day], `listened` [day] (when the collector was there). Before the day
    `since` [robot], counted from the first of these, a robot was not in use, and nothing is expected of it.
    """
    used = np.arange(opened.shape[1]) >= since[:, None]
    counted = np.where(used, opened & (spans.hours | listened), 0)
    found = spans.increases
    return Figures(
        counted=ones(counted),
        heard=ones(counted & spans.hours),
        visitors=found[VISITORS],
        interactions=found[INTERACTIONS],
        functions={
            name: Function(
                failures=np.sum([found[metric] for metric in function.failures], axis=0),
                attempts=(
                    _heard_seconds(spans.hours)
                    if function.attempts == HEARD_SECONDS
                    else found[function.attempts]
                ),
                needed=found[function.only_if] if function.only_if else None,
            )
            for name, function in settings.functions.items()
        },
    )


def _heard_seconds(hours: Integers) -> Floats:
    return ones(hours).astype(np.float64) * _HOUR_S


def ones(bits: Integers) -> Integers:
    """How many bits of each number are 1."""
    packed = np.ascontiguousarray(bits).view(np.uint8).reshape(*bits.shape, 8)
    counts: Integers = np.unpackbits(packed, axis=-1).sum(axis=-1, dtype=np.int64)
    return counts


def open_hours(robots: Sequence[Robot], bounds: Sequence[int]) -> Integers:
    """[robot, day]: bit k is 1 if the site is open in the middle of the day's k-th hour.

    `bounds` are the beginnings of the days and the end of the last one, in ms UTC, at whole hours.
    """
    schedules: dict[object, int] = {}
    number = [schedules.setdefault(_schedule(robot), len(schedules)) for robot in robots]
    shown = dict(zip(number, robots, strict=True))
    roster = Roster(Robot(str(at), shown[at].attributes) for at in range(len(schedules)))
    middles = np.arange(bounds[0], bounds[-1], HOUR_MS) + HOUR_MS // 2
    inside, _ = Calendar([], roster).state((OPEN_HOURS,), middles, np.arange(len(roster)))
    bits = [_bits(inside[(middles >= begin) & (middles < end)]) for begin, end in pairwise(bounds)]
    return np.stack(bits, axis=1)[np.array(number, dtype=np.intp)]


def _schedule(robot: Robot) -> tuple[object, ...]:
    return tuple(robot.attributes.get(name) for name in ("tz", "open_hours", "holidays"))


def listened_hours(intervals: Sequence[tuple[int, int]], bounds: Sequence[int]) -> Integers:
    """[day]: bit k is 1 if the collector was listening in all of the day's k-th hour."""
    begins = np.arange(bounds[0], bounds[-1], HOUR_MS)
    whole = np.zeros(len(begins), dtype=np.bool_)
    for since, until in _united(intervals):
        whole |= (begins >= since) & (begins + HOUR_MS <= until)
    return np.array(
        [_bits(whole[(begins >= begin) & (begins < end), None])[0] for begin, end in pairwise(bounds)]
    )


def _united(intervals: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for since, until in sorted(intervals):
        if united and since <= united[-1][1]:
            united[-1] = (united[-1][0], max(until, united[-1][1]))
        else:
            united.append((since, until))
    return united


def _bits(flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Integers:
    """Flags [hour, …] as one number each: the first hour is the lowest bit."""
    weights = np.int64(1) << np.arange(len(flags), dtype=np.int64)
    found: Integers = (flags * weights.reshape(-1, *[1] * (flags.ndim - 1))).sum(axis=0, dtype=np.int64)
    return found
