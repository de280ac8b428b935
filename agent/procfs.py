"""What any Linux box tells of itself: clocks, load, memory, disk, temperature, battery, network.

Whatever a machine does not have, or shows in a form nobody expected, is left out; nothing here raises.
"""

import ctypes
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from agent.clock import Reading

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized
_TIMEX_BYTES = 512  # struct timex has 208 at most
_VIRTUAL = ("lo", "veth", "docker", "br-", "virbr", "tun", "tap")
_INTERFACE = re.compile(r"^ *([^:\s]+): *(\d+)(?: +\d+){7} +(\d+)", re.MULTILINE)
_UDP_SOCKET = re.compile(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) .* (\d+) *$", re.MULTILINE)
_CPU = re.compile(r"cpu +((?:\d+ +){4,}\d+)")
_MEMORY = re.compile(r"^(MemTotal|MemAvailable): +(\d+) kB", re.MULTILINE)
_SIGNAL = re.compile(r"^ *[^:\s]+: +\w+ +[-\d.]+ +(-\d+)", re.MULTILINE)


class Machine:
    """The files of one machine below `root`; remembers what percentages are computed from."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._cpu: tuple[int, int] | None = None
        self.boot = self._text("proc/sys/kernel/random/boot_id") or "unknown"

    def clocks(self) -> Reading:
        """All clocks now."""
        return Reading(
            wall=time.time_ns() // 1_000_000,
            up=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000,
            boot=self.boot,
            synced=is_synchronized(),
        )

    def gauges(self, disk: Path) -> dict[str, float]:
        """Load, memory, free bytes of the file system of `disk`, uptime, and what sensors there are."""
        found = {
            "system.uptime_s": round(time.clock_gettime(time.CLOCK_BOOTTIME), 1),
            "system.cpu_percent": self._cpu_percent(),
            "system.memory_percent": self._memory_percent(),
            "system.disk_free_bytes": _free_bytes(disk),
            "system.temperature_c": max(self._temperatures(), default=None),
            "system.battery_percent": self._battery_percent(),
            "network.signal_dbm": max(self._signals(), default=None),
        }
        return {name: value for name, value in found.items() if value is not None}

    def traffic(self) -> dict[str, tuple[int, int]]:
        """Bytes received and sent since boot, by network interface."""
        found = _INTERFACE.findall(self._text("proc/net/dev") or "")
        return {
            name: (int(received), int(sent))
            for name, received, sent in found
            if not name.startswith(_VIRTUAL)
        }

    def datagrams_dropped(self, port: int) -> int:
        """How many datagrams the kernel dropped because the UDP socket at `port` was full."""
        tables = [self._text(path) or "" for path in ("proc/net/udp", "proc/net/udp6")]
        found = [match for table in tables for match in _UDP_SOCKET.findall(table)]
        return sum(int(drops) for bound, drops in found if int(bound, 16) == port)

    def _cpu_percent(self) -> float | None:
        match = _CPU.match(self._text("proc/stat") or "")
        if match is None:
            return None
        fields = [int(field) for field in match[1].split()[:8]]
        total, idle = sum(fields), fields[3] + fields[4]
        before, self._cpu = self._cpu, (total, idle)
        if before is None or total <= before[0]:
            return None
        busy = 1 - (idle - before[1]) / (total - before[0])
        return round(100 * min(1.0, max(0.0, busy)), 1)

    def _memory_percent(self) -> float | None:
        sizes = {name: int(size) for name, size in _MEMORY.findall(self._text("proc/meminfo") or "")}
        total, available = sizes.get("MemTotal", 0), sizes.get("MemAvailable", 0)
        return round(100 * (1 - available / total), 1) if total > 0 else None

    def _temperatures(self) -> Iterator[float]:
        for zone in self._glob("sys/class/thermal", "thermal_zone*/temp"):
            celsius = _number(_read(zone))
            if celsius is not None and -50 < celsius / 1000 < 200:
                yield celsius / 1000

    def _battery_percent(self) -> float | None:
        levels = [
            level
            for supply in self._glob("sys/class/power_supply", "*")
            if _read(supply / "type") == "Battery" and _read(supply / "scope") != "Device"
            if (level := _number(_read(supply / "capacity"))) is not None
        ]
        return sum(levels) / len(levels) if levels else None

    def _signals(self) -> Iterator[float]:
        for level in _SIGNAL.findall(self._text("proc/net/wireless") or ""):
            yield float(level)

    def _glob(self, folder: str, pattern: str) -> list[Path]:
        try:
            return sorted((self._root / folder).glob(pattern))
        except OSError:
            return []

    def _text(self, path: str) -> str | None:
        return _read(self._root / path)


def is_synchronized() -> bool:
    """Whether the kernel says that something (NTP, chrony, PTP) keeps the wall clock right."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # all zero: it only reads
    try:
        answer: int = ctypes.CDLL(None).adjtimex(timex)
    except (OSError, AttributeError):
        return False
    return 0 <= answer < _TIME_ERROR


def _free_bytes(disk: Path) -> float | None:
    try:
        found = os.statvfs(disk)
    except OSError:
        return None
    return float(found.f_bavail * found.f_frsize)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
