"""Faults of simulated robots: what each does to a robot's metrics, and which shipped rule it should trigger.

A fault is told as `KIND:ROBOT[:START[:DURATION]]`, for example `relocalization_failing:3` or
`module_down.vision:rv-0007:-3h:90m`. ROBOT is a number from 1 or an id; START is a time after the run's
beginning (`2h`), before its now (`-3h`), or an instant (`2026-11-22T08:00:00Z`); without DURATION it lasts.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

MODULES = ("network", "vision", "touchscreen", "navigation", "asr", "nlp", "tts", "engagement")
_SPEC = re.compile(r"(?P<kind>[a-z_.]+):(?P<robot>[A-Za-z0-9_-]+)(?::(?P<when>.+))?")
_WHEN = re.compile(r"(?P<start>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)|[^:]+)(?::(?P<duration>[^:]+))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST_MS = 3_650 * 86_400_000
_MINUTE = 60_000


class FaultError(ValueError):
    """A fault cannot be understood; the message names the value and says what to write instead."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Events in bursts: `count` of them evenly within the first `minutes` of every `every` minutes."""

    count: int
    minutes: float
    every: float

    def events(self, since: int, after: NDArray[np.int64], until: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many events lie in (`after`, `until`], for a fault that began at `since`; all in ms."""
        return self._by(until - since) - self._by(after - since)

    def _by(self, age: NDArray[np.int64]) -> NDArray[np.int64]:
        rounds, rest = np.divmod(np.maximum(age, 0) / _MINUTE, self.every)
        begun = np.floor(np.minimum(rest / self.minutes, 1.0) * self.count)
        by: NDArray[np.int64] = (rounds * self.count + begun).astype(np.int64)
        return by


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: `chances` and `gauges` replace a healthy robot's, `bursts` come on top of events.

    `silent`: the robot is switched off. `module`: this firmware module does not run.
    """

    rule: str
    chances: Mapping[str, float] = field(default_factory=dict)
    bursts: Mapping[str, Burst] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    silent: bool = False
    module: str | None = None


KINDS: Mapping[str, Kind] = {
    "robot_silent": Kind("RobotSilent", silent=True),
    "network_unstable": Kind(
        "NetworkUnstable",
        bursts={
            "network.disconnects": Burst(6, 3, 60),
            "network.connect_attempts": Burst(9, 3, 60),
            "network.connect_failures": Burst(3, 3, 60),
            "network.offline_seconds": Burst(90, 3, 60),
        },
        gauges={"network.signal_dbm": -84.0, "network.rtt_ms": 240.0},
    ),
    "network_offline": Kind(
        "NetworkOffline",
        bursts={
            "network.disconnects": Burst(1, 2, 120),
            "network.connect_attempts": Burst(31, 25, 120),
            "network.connect_failures": Burst(30, 25, 120),
            "network.offline_seconds": Burst(1_500, 25, 120),
        },
        gauges={"network.signal_dbm": -91.0, "network.rtt_ms": 420.0},
    ),
    "faces_not_recognized": Kind("FacesNotRecognized", {"vision.faces_unrecognized": 0.52}),
    "face_errors": Kind("FaceRecognitionErrors", {"vision.face_errors": 0.34}),
    "touches_unanswered": Kind("TouchUnanswered", {"touchscreen.touches_unanswered": 0.44}),
    "wrong_commands": Kind("WrongTouchCommands", {"touchscreen.wrong_commands": 0.3}),
    "navigation_start_failing": Kind("NavigationStartFailing", {"navigation.start_failures": 0.55}),
    "navigation_interrupted": Kind("NavigationInterrupted", {"navigation.interruptions": 0.6}),
    "lidar_failing": Kind("LidarFailing", bursts={"navigation.lidar_faults": Burst(4, 1, 45)}),
    "localization_failing": Kind(
        "LocalizationFailing", bursts={"navigation.localization_faults": Burst(7, 2, 60)}
    ),
    "relocalization_failing": Kind(
        "RelocalizationFailing", bursts={"navigation.relocalization_faults": Burst(10, 0.5, 60)}
    ),
    "navigation_failing_otherwise": Kind("NavigationFailingOtherwise", {"navigation.other_failures": 0.5}),
    "speech_not_recognized": Kind("SpeechNotRecognized", {"asr.unrecognized": 0.54}),
    "speech_misrecognized": Kind("SpeechMisrecognized", {"asr.misrecognized": 0.42}),
    "queries_not_handled": Kind("QueriesNotHandled", {"nlp.unhandled": 0.52}),
    "queries_mishandled": Kind("QueriesMishandled", {"nlp.mishandled": 0.41}),
    "speech_not_played": Kind("SpeechNotPlayed", {"tts.unplayed": 0.38}),
    "speech_misplayed": Kind("SpeechMisplayed", {"tts.misplayed": 0.33}),
    **{f"module_down.{name}": Kind(f"{name.capitalize()}ModuleDown", module=name) for name in MODULES},
    "low_conversion": Kind("LowConversion", {"engagement.interactions": 0.3}),
    "low_satisfaction": Kind("LowSatisfaction", {"engagement.satisfied_ratings": 0.42}),
    "silent_customer": Kind(
        "SilentCustomer",
        {
            "engagement.recruits": 0.0,
            "engagement.tours": 0.0,
            "engagement.check_ins": 0.0,
            "engagement.escorts": 0.0,
            "engagement.deliveries": 0.0,
            "engagement.narrations": 0.0,
        },
    ),
    "battery_low": Kind("BatteryLow", gauges={"system.battery_percent": 9.0}),
    "overheating": Kind("Overheating", gauges={"system.temperature_c": 87.0}),
    "disk_nearly_full": Kind("DiskNearlyFull", gauges={"system.disk_free_bytes": 4.2e8}),
    "memory_short": Kind("MemoryShort", gauges={"system.memory_percent": 97.6}),
    "rebooting_repeatedly": Kind("RebootingRepeatedly", bursts={"system.reboots": Burst(1, 5, 180)}),
    "measurements_lost": Kind("MeasurementsLost", bursts={"agent.datagrams_lost": Burst(60, 10, 60)}),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One robot (a number from 1) has one kind of fault from `start` until `end` (None: for good), in ms."""

    kind: str
    robot: int
    start: int
    end: int | None = None

    def active(self, t: NDArray[np.int64]) -> NDArray[np.bool_]:
        """At which of the times it is there."""
        return (t >= self.start) & (t < self.until)

    @property
    def until(self) -> int:
        """Its end, or a time after all others."""
        return 2**62 if self.end is None else self.end


@dataclass(frozen=True, slots=True)
class Frame:
    """What a fault's START is told against: where a run begins, and its now (the end of a recording)."""

    begin: int
    now: int


def parse(text: str, frame: Frame) -> Fault:
    """Reads `KIND:ROBOT[:START[:DURATION]]`. Raises `FaultError`."""
    match = _SPEC.fullmatch(text)
    if match is None:
        raise FaultError(
            f"fault {text!r}: write KIND:ROBOT[:START[:DURATION]], for example lidar_failing:3:2h"
        )
    kind = _known(match["kind"], text)
    when = _WHEN.fullmatch(match["when"] or "0s")
    if when is None:
        raise FaultError(
            f"fault {text!r}: write START and DURATION like 2h, -3h, 90m or 2026-11-22T08:00:00Z"
        )
    start = _instant(when["start"], frame, text)
    end = None if when["duration"] is None else start + duration_ms(when["duration"], text)
    return Fault(kind, _number(match["robot"], text), start, end)


def spec(fault: Fault) -> str:
    """The fault as `parse` reads it."""
    lasts = "" if fault.end is None else f":{fault.end - fault.start}ms"
    return f"{fault.kind}:{fault.robot}:{_text(fault.start)}{lasts}"


def duration_ms(text: str, place: str) -> int:
    """`90s`, `1.5h` and so on in milliseconds. Raises `FaultError` naming `place`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise FaultError(f"{place!r}: {text!r} is no duration; write a number and ms, s, m, h or d")
    duration = round(float(match[1]) * _UNIT_MS[match[2]])
    if duration > _LONGEST_MS:
        raise FaultError(f"{place!r}: {text!r} is too long; 3650d is the most")
    return duration


def labels(faults: Iterable[Fault], names: Mapping[int, str], until: int) -> str:
    """The faults as CSV (robot, fault, start, end; RFC 3339), none beyond `until`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["robot", "fault", "start", "end"])
    for fault in sorted(faults, key=lambda fault: (fault.robot, fault.start, fault.kind)):
        if fault.start < until:
            writer.writerow(
                [names[fault.robot], fault.kind, _text(fault.start), _text(min(fault.until, until))]
            )
    return out.getvalue()


def _known(kind: str, spec: str) -> str:
    if kind in KINDS:
        return kind
    near = get_close_matches(kind, KINDS, 1)
    hint = f"did you mean {near[0]!r}?" if near else "`vitals-sim fleet --help` lists them"
    raise FaultError(f"fault {spec!r}: unknown kind {kind!r}; {hint}")


def _number(robot: str, spec: str) -> int:
    digits = robot.removeprefix("rv-")
    if not digits.isdecimal() or int(digits) < 1:
        raise FaultError(
            f"fault {spec!r}: {robot!r} is no robot; write a number from 1, or an id like rv-0003"
        )
    return int(digits)


def _instant(text: str, frame: Frame, spec: str) -> int:
    if text.startswith("-"):
        return frame.now - duration_ms(text[1:], spec)
    if "T" in text:
        try:
            return round(datetime.fromisoformat(text).timestamp() * 1_000)
        except ValueError:
            raise FaultError(f"fault {spec!r}: {text!r} is no instant; write 2026-11-22T08:00:00Z") from None
    return frame.begin + duration_ms(text.removeprefix("+"), spec)


def _text(t: int) -> str:
    return datetime.fromtimestamp(t / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
