"""What firmware pushes: a datagram's bytes → pushes, and the reasons for what is refused.

Two forms, told apart by the first byte. StatsD, one metric a line:

    navigation.relocalization_faults:1|c        counter, also |@0.1 for a sampled one
    network.rtt_ms:23|g                         gauge; a sign (+3, -3) shifts it, as in any StatsD
    network.rtt_ms:23|ms                        a timing, kept as a gauge

JSON with absolute counters, for modules that keep their own:

    {"subsystem":"asr","boot":"a1","counters":{"utterances":8123},"gauges":{"up":1}}

A bad line is refused alone: the other lines of its datagram count.
"""

import math
import re
from dataclasses import dataclass

import msgspec

MAX_AMOUNT = 2**53
_SHOWN = 80
_LINE = re.compile(r"([A-Za-z0-9_.\-]+):([^|]+)\|([A-Za-z]+)((?:\|.*)?)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Add:
    """A counter rises by `amount`."""

    name: str
    amount: float


@dataclass(frozen=True, slots=True)
class Put:
    """A gauge becomes `value`."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Shift:
    """A gauge changes by `delta`."""

    name: str
    delta: float


class Absolute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A module's own counters since its `boot`, by short name, and its gauges."""

    subsystem: str
    boot: str = ""
    counters: dict[str, int] = {}
    gauges: dict[str, float] = {}


Push = Add | Put | Shift | Absolute


@dataclass(frozen=True, slots=True)
class Parsed:
    """A datagram taken apart; `refused` says why of each part that is no push."""

    pushes: tuple[Push, ...]
    refused: tuple[str, ...]


_DECODER = msgspec.json.Decoder(Absolute)


def parse(data: bytes) -> Parsed:
    """Reads a datagram of whatever bytes; never raises."""
    if data.lstrip()[:1] == b"{":
        return _parse_json(data)
    try:
        lines = [line.strip() for line in data.decode().splitlines() if line.strip()]
    except UnicodeDecodeError:
        return Parsed((), (f"neither StatsD nor JSON: {data[:_SHOWN]!r}",))
    if not lines:
        return Parsed((), ("empty datagram",))
    results = [_parse_line(line) for line in lines]
    return Parsed(
        tuple(result for result in results if not isinstance(result, str)),
        tuple(result for result in results if isinstance(result, str)),
    )


def _parse_json(data: bytes) -> Parsed:
    try:
        push = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Parsed((), (f"JSON form: {error}: {data[:_SHOWN]!r}",))
    for name, count in push.counters.items():
        if not 0 <= count <= MAX_AMOUNT:
            return Parsed((), (f"JSON form: counter {name[:_SHOWN]!r} is {count}, not 0 … 2^53",))
    return Parsed((push,), ())


def _parse_line(line: str) -> Push | str:
    match = _LINE.fullmatch(line)
    if match is None:
        return f"no line of the form name:value|c or |g: {line[:_SHOWN]!r}"
    name, written, kind, rest = match.groups()
    value = float(written) if _NUMBER.fullmatch(written) else math.nan
    if not math.isfinite(value):
        return f"{written[:_SHOWN]!r} is no number: {line[:_SHOWN]!r}"
    if kind == "c":
        return _counter(name, value, rest, line)
    if kind == "ms":
        return Put(name, value)
    if kind != "g":
        return f"type {kind!r} is not taken, only c, g and ms: {line[:_SHOWN]!r}"
    return Shift(name, value) if written[0] in "+-" else Put(name, value)


def _counter(name: str, value: float, rest: str, line: str) -> Add | str:
    rate = _sample_rate(rest)
    if rate is None:
        return f"a sample rate is @ and a number in (0, 1]: {line[:_SHOWN]!r}"
    if not 0 <= value / rate <= MAX_AMOUNT:
        return f"a counter only rises, and by at most 2^53: {line[:_SHOWN]!r}"
    return Add(name, value / rate)


def _sample_rate(rest: str) -> float | None:
    """1 without a rate, None for a wrong one; tags and whatever else clients append are passed over."""
    for part in rest.split("|"):
        if part.startswith("@"):
            rate = float(part[1:]) if _NUMBER.fullmatch(part[1:]) else 0.0
            return rate if 1e-6 <= rate <= 1 else None
    return 1.0
