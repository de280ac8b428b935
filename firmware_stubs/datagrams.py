"""The two forms of the local interface, as bytes: StatsD lines, and JSON with absolute counters."""

import json
from collections.abc import Iterable, Iterator, Mapping

MAX_DATAGRAM = 1400  # fits one Ethernet frame


def statsd(subsystem: str, counts: Mapping[str, int], gauges: Mapping[str, float]) -> Iterator[bytes]:
    """Increases since the last push, and gauges, one a line, in as few datagrams as they fit."""
    lines = [f"{subsystem}.{name}:{count}|c" for name, count in counts.items() if count]
    lines += [_gauge(f"{subsystem}.{name}", value) for name, value in gauges.items()]
    return _packed(line.encode() for line in lines)


def absolute(subsystem: str, boot: str, totals: Mapping[str, int], gauges: Mapping[str, float]) -> bytes:
    """Everything counted since the module's start; a new `boot` says that it began from zero again."""
    message = {"subsystem": subsystem, "boot": boot, "counters": dict(totals), "gauges": dict(gauges)}
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()


def _gauge(name: str, value: float) -> str:
    """In StatsD a signed gauge is a change: a negative one is set by going down from zero."""
    line = f"{name}:{value!r}|g"
    return f"{name}:0|g\n{line}" if f"{value!r}".startswith("-") else line


def _packed(lines: Iterable[bytes]) -> Iterator[bytes]:
    datagram = b""
    for line in lines:
        if datagram and len(datagram) + 1 + len(line) > MAX_DATAGRAM:
            yield datagram
            datagram = b""
        datagram = datagram + b"\n" + line if datagram else line
    if datagram:
        yield datagram
