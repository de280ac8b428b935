"""Samples as InfluxDB line protocol, which VictoriaMetrics takes as well.

A sample is two lines. Everything lies in measurement `vitals`, tagged with the ledger it belongs to, the
robot and the epoch; only `up`, which counts from a boot, is tagged with the boot too: a reboot starts one
new series, not one for every metric. Robots and epochs come from outside and may be any text, but line
protocol knows no line break in a tag, nor a backslash at its end: so tags are percent-encoded.

**The point's time is not quite the sample's.** A server keeps one value a series and time, yet two samples
of one robot may have the same event time. So the finest digits of a point's time belong to the sample's
number and to the run that stored it (`stamps`), and the event time itself is the field `t`.

**Every number comes back as it was.** InfluxDB keeps integers and floats whole. VictoriaMetrics turns a
block of values into decimals of one scale, twelve digits of each and eighteen in all. Counters below 2^53
and gauges of up to four decimals survive that. Any other number is also written as two halves of 32 bits,
`<metric>.high` and `<metric>.low`, which are read in its stead.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

import numpy as np

from collector.stores import MISSING, Rows
from collector.stores.rows import Flags, Floats, Integers

MEASUREMENT: Final = "vitals"
HIGH, LOW = ".high", ".low"
EXACT_BELOW: Final = 2**53  # integers that a float holds
SHOWN_BELOW: Final = 1e14  # larger gauges would cost the others of their block their decimals
_DECIMALS, _FINE_BELOW = 1e4, 1e8  # four decimals, of at most so large a number: twelve digits
_EMPTY: Final = "%"  # a tag must have a value; encoding never gives a lone percent sign


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server keeps time and numbers."""

    precision: str  # the name of its unit of time
    per_ms: int  # so many units are a millisecond
    grain_ms: int  # within so long, the digits of a point's time are the sample's number
    slots: int  # so many points fit there; a prime, so that no step of a clock lines numbers up
    exact: bool  # it keeps every integer and float


NANOSECONDS: Final = Dialect("ns", 1_000_000, 1, 999_983, exact=True)
MILLISECONDS: Final = Dialect("ms", 1, 1_000, 997, exact=False)


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """What the store adds to samples: whose they are, in which commit they came, and their points' times."""

    ledger: str
    number: int
    committed_at: Integers
    stamps: Integers


def stamps(dialect: Dialect, near_ms: Integers, seq: Integers, run: int) -> Integers:
    """The points' times, in the dialect's unit, less than a grain away from `near_ms`.

    Within a run, samples of an epoch get different ones unless their times lie in the same grain and their
    numbers differ by a multiple of `slots`; the same sample, stored again by a later run, another one.
    """
    grains = near_ms // dialect.grain_ms * dialect.grain_ms
    return grains * dialect.per_ms + (seq * 31 + run) % dialect.slots


def encode(rows: Rows, marks: Marks, dialect: Dialect) -> bytes:
    """The lines of all rows; what a sample does not have is left out, and so are gauges without a value."""
    tags = [
        f"epoch={tag(epoch)},ledger={marks.ledger},robot={tag(robot)} "
        for robot, epoch in zip(rows.robot, rows.epoch, strict=True)
    ]
    times = [f" {stamp}\n" for stamp in marks.stamps.tolist()]
    columns = [
        [f"{MEASUREMENT},{tags_}seq={seq}i" for tags_, seq in zip(tags, rows.seq.tolist(), strict=True)],
        [f",commit={marks.number}i"] * len(rows),
        *([f",{name}={value}i" for value in column.tolist()] for name, column in _own(rows, marks)),
        *(pieces for name, column in rows.counters.items() for pieces in _counter(name, column, dialect)),
        *(pieces for name, column in rows.gauges.items() for pieces in _gauge(name, column, dialect)),
        times,
        [f"{MEASUREMENT},boot={tag(boot)},{tags_}" for boot, tags_ in zip(rows.boot, tags, strict=True)],
        [f"up={up}i" for up in rows.up.tolist()],
        times,
    ]
    return "".join(map("".join, zip(*columns, strict=True))).encode()


def joined(high: Integers, low: Integers) -> Integers:
    """The integers whose halves these are; of a gauge, they are the bits."""
    return (high << 32) | low


@lru_cache(65_536)
def tag(text: str) -> str:
    """Any text as the value of a tag."""
    return quote(text, safe="") or _EMPTY


def untag(text: str) -> str:
    """What `tag` was given."""
    if "%" not in text:
        return text
    return "" if text == _EMPTY else unquote(text)


def _own(rows: Rows, marks: Marks) -> Iterable[tuple[str, Integers]]:
    yield "committed_at", marks.committed_at
    yield "received_at", rows.received_at
    yield "t", rows.t
    yield "robot_t", rows.robot_t
    yield "synced", rows.synced.astype(np.int64)
    yield "corrected", rows.corrected.astype(np.int64)


def _counter(name: str, column: Integers, dialect: Dialect) -> Iterable[list[str]]:
    large = column >= EXACT_BELOW if not dialect.exact else np.zeros(len(column), dtype=np.bool_)
    if (column != MISSING).any():
        yield _present(name, np.where(large, MISSING, column))
    if large.any():
        yield from _halves(name, column, large)


def _gauge(name: str, column: Floats, dialect: Dialect) -> Iterable[list[str]]:
    known = np.isfinite(column)
    if dialect.exact:
        yield from _floats(name, column, known)
        return
    shown = known & (np.abs(column) < SHOWN_BELOW)
    with np.errstate(over="ignore", invalid="ignore"):
        kept = (np.rint(column * _DECIMALS) / _DECIMALS == column) & (np.abs(column) <= _FINE_BELOW)
        kept |= np.rint(column) == column
    kept &= shown & ~((column == 0) & np.signbit(column))
    yield from _floats(name, column, shown)
    if (rest := known & ~kept).any():
        yield from _halves(name, column.view(np.int64), rest)


def _floats(name: str, column: Floats, known: Flags) -> Iterable[list[str]]:
    if known.any():
        pairs = zip(column.tolist(), known.tolist(), strict=True)
        yield [f",{name}={value!r}" if has else "" for value, has in pairs]


def _halves(name: str, column: Integers, has: Flags) -> Iterable[list[str]]:
    yield _present(name + HIGH, np.where(has, (column >> 32) & 0xFFFFFFFF, MISSING))
    yield _present(name + LOW, np.where(has, column & 0xFFFFFFFF, MISSING))


def _present(name: str, column: Integers) -> list[str]:
    return [f",{name}={value}i" if value >= 0 else "" for value in column.tolist()]
