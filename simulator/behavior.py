"""What a simulated robot does: from opening hours, weekdays and faults to cumulative counters and gauges.

Every random number is drawn by counter: Philox keyed by (seed, interval, robot) and read at the position of
the sample's step since 1970. So a sample does not depend on which others were made before it, with it or for
whom: a fleet may grow, a past may be made in one go or continued sample by sample, and nothing changes.

Counters follow from one another as they do on a robot: of `n` attempts a share fails, so no more fail than
were made. A count with expectation x is floor(x + u), with u uniform in [0, 1): never more than one off, and
on average x.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from simulator.faults import KINDS, MODULES, Fault
from simulator.fleet import Robot
from simulator.profiles import PROFILES, SCENES

HOUR = 3_600_000
DAY = 24 * HOUR
COUNTERS = tuple(
    f"{subsystem}.{name}"
    for subsystem, names in {
        "network": "connect_attempts connect_failures disconnects offline_seconds rx_bytes tx_bytes",
        "vision": "face_attempts faces_unrecognized face_errors",
        "touchscreen": "touches touches_unanswered wrong_commands",
        "navigation": "goals start_failures interruptions lidar_faults localization_faults"
        " relocalization_faults other_failures distance_m",
        "asr": "utterances unrecognized misrecognized",
        "nlp": "queries unhandled mishandled",
        "tts": "utterances unplayed misplayed",
        "engagement": "visitors recruits wakeups interactions ratings satisfied_ratings tours check_ins"
        " escorts deliveries narrations",
        "system": "reboots",
        "agent": "samples_taken samples_dropped datagrams_bad datagrams_lost",
    }.items()
    for name in names.split()
)
GAUGES = (
    *(f"{module}.up" for module in MODULES),
    "network.rtt_ms",
    "network.signal_dbm",
    "system.uptime_s",
    "system.cpu_percent",
    "system.memory_percent",
    "system.disk_free_bytes",
    "system.battery_percent",
    "system.temperature_c",
    "agent.outbox_depth",
)
_COLUMN = {name: column for column, name in enumerate(COUNTERS)}
_DRAWS = 64  # random numbers of a step; a multiple of the four that Philox makes at a time
_WEEK = 7 * DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Numbers = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class State:
    """Where a robot stands after its sample number `seq`, taken at `t`; `counters` ordered as `COUNTERS`."""

    epoch: str
    seq: int
    t: int
    counters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive samples of one robot; counters are cumulative, `booted` is when it was last switched on."""

    seq: Ints
    t: Ints
    booted: Ints
    counters: Mapping[str, Ints]
    gauges: Mapping[str, Floats]
    after: State


@dataclass(frozen=True, slots=True)
class Traits:
    """What makes a robot different from others of its kind; each in [0, 1)."""

    liveliness: float
    memory: float
    disk: float
    reception: float
    restart: float


class Behavior:
    """One robot's life, for samples that are `interval_ms` apart."""

    def __init__(self, seed: int, robot: Robot, faults: Iterable[Fault], interval_ms: int) -> None:
        self.robot = robot
        self.faults = tuple(fault for fault in faults if fault.robot == robot.number)
        self._seed = seed
        self.interval_ms = interval_ms
        self.profile = PROFILES[robot.industry]
        self._zone = ZoneInfo(robot.tz)
        self.traits = Traits(*_uniform(seed, "traits", robot.number, 0, 1)[0, :5].tolist())

    def born(self, at: int) -> State:
        """Before its first sample: a new agent with a new spool at that time."""
        digest = blake2b(f"{self._seed}/{self.robot.number}/{at}".encode(), digest_size=8)
        return State(digest.hexdigest(), 0, at, (0,) * len(COUNTERS))

    def on(self, t: Ints) -> NDArray[np.bool_]:
        """When the robot is switched on: whenever no fault silences it."""
        off = [fault.active(t) for fault in self.faults if KINDS[fault.kind].silent]
        return ~np.any(off, axis=0) if off else np.ones(len(t), np.bool_)

    def activity(self, t: Ints) -> Floats:
        """How lively its site is: 0 closed, about 1 in full swing."""
        local = t + self._offsets(t)
        return self._open(local) * self._swing(local) * self._mood(local)

    def is_open(self, t: Ints) -> NDArray[np.bool_]:
        """Whether its site is open."""
        return self._open(t + self._offsets(t)) > 0

    def booted(self, t: Ints) -> Ints:
        """When it was last switched on: it restarts once a week, and after each silent fault."""
        booted = t - (t - int(self.traits.restart * _WEEK)) % _WEEK
        for fault in self.faults:
            if KINDS[fault.kind].silent:
                booted = np.where(t >= fault.until, np.maximum(booted, fault.until), booted)
        return booted

    def battery(self, t: Ints) -> Floats:
        """Percent: discharged and charged in turns while its site is open, charged and full when closed."""
        local = t + self._offsets(t)
        turn = (self._business(local)[1] - self.profile.hours.opens + self.traits.restart) % 5
        working = np.where(turn < 4, 98 - 15 * turn, 38 + 60 * (turn - 4))
        return np.where(self._open(local) > 0, working, 97.0)

    def run(self, state: State, times: Ints) -> Run:
        """The samples at `times` (ascending, after the state's), save those at which the robot is off."""
        t = times[self.on(times)]
        if not len(t):
            return _nothing(state)
        before = np.concatenate(([state.t], t[:-1]))
        moment = _Moment(self, t, before, self._draws(t))
        moment.live()
        steps = np.stack([moment.increases[name] for name in COUNTERS], axis=1)
        counters = np.array(state.counters, np.int64) + np.cumsum(steps, axis=0)
        seq = np.arange(state.seq + 1, state.seq + 1 + len(t), dtype=np.int64)
        after = replace(state, seq=int(seq[-1]), t=int(t[-1]), counters=tuple(counters[-1].tolist()))
        columns = {name: counters[:, column] for name, column in _COLUMN.items()}
        return Run(seq, t, moment.booted, columns, moment.gauges, after)

    def _draws(self, t: Ints) -> Floats:
        steps = t // self.interval_ms
        first = int(steps[0])
        purpose = f"steps/{self.interval_ms}"
        drawn = _uniform(self._seed, purpose, self.robot.number, first, int(steps[-1]) - first + 1)
        return drawn[steps - first]

    def _offsets(self, t: Ints) -> Ints:
        """What local time is ahead of UTC, in ms; clocks change on the hour."""
        hours, place = np.unique(t // HOUR, return_inverse=True)
        return np.array([self._offset(hour) for hour in hours.tolist()], np.int64)[place]

    def _offset(self, hour: int) -> int:
        ahead = datetime.fromtimestamp(hour * 3_600, UTC).astimezone(self._zone).utcoffset()
        return 0 if ahead is None else round(ahead.total_seconds() * 1_000)

    def _business(self, local: Ints) -> tuple[Ints, Floats]:
        """The business day (days since 1970, beginning when the site opens) and the hour in it."""
        opens = self.profile.hours.opens
        day, rest = np.divmod(local - round(opens * HOUR), DAY)
        return day, opens + rest / HOUR

    def _open(self, local: Ints) -> Floats:
        day, hour = self._business(local)
        weights = np.array(self.profile.hours.week)
        weighed: Floats = np.where(hour < self.profile.hours.closes, weights[(day + 3) % 7], 0.0)
        return weighed

    def _swing(self, local: Ints) -> Floats:
        _, hour = self._business(local)
        peaks = [np.exp(-(((hour - peak) / 2.2) ** 2)) for peak in self.profile.hours.peaks]
        quiet = 0.25 if self.profile.hours.closes - self.profile.hours.opens == 24 else 0.45
        swing: Floats = quiet + (1.0 - quiet) * np.minimum(np.sum(peaks, axis=0), 1.0)
        return swing

    def _mood(self, local: Ints) -> Floats:
        """Some robots are livelier than others, and some days livelier than others."""
        days, place = np.unique(self._business(local)[0], return_inverse=True)
        first = int(days[0])
        drawn = _uniform(self._seed, "days", self.robot.number, first, int(days[-1]) - first + 1)[:, 0]
        return (0.8 + 0.5 * self.traits.liveliness) * (0.85 + 0.3 * drawn[days - first])[place]


class _Moment:
    """The increases and gauges of a run, made one after the other in a fixed order of random numbers."""

    def __init__(self, of: Behavior, t: Ints, before: Ints, draws: Floats) -> None:
        self.increases: dict[str, Ints] = {}
        self.gauges: dict[str, Floats] = {}
        self.booted = of.booted(t)
        self._of, self._t = of, t
        self._before = np.maximum(np.maximum(before, self.booted), t - max(HOUR // 4, of.interval_ms))
        self._restarted = self.booted > before
        self._hours = (t - self._before) / HOUR
        self._activity = of.activity((t + self._before) // 2)
        self._draws = iter(draws.T)
        self._active = [(KINDS[fault.kind], fault, fault.active(t)) for fault in of.faults]

    def live(self) -> None:
        """All of it. The order is part of what a seed means."""
        self._funnel()
        self._functions()
        self._speech()
        self._screen_and_camera()
        self._navigation()
        self._network()
        self._machine()
        self._faulty_events()
        self._faulty_modules()
        self._faulty_gauges()

    def _funnel(self) -> None:
        funnel = self._of.profile.funnel
        self._count("engagement.visitors", funnel.visitors * self._activity * self._hours)
        self._share("engagement.visitors", {"engagement.recruits": funnel.recruit})
        self._share("engagement.recruits", {"engagement.wakeups": funnel.wake})
        self._share("engagement.wakeups", {"engagement.interactions": funnel.interact})
        self._share("engagement.interactions", {"engagement.ratings": 0.22})
        self._share("engagement.ratings", {"engagement.satisfied_ratings": 0.94})

    def _functions(self) -> None:
        functions = self._of.profile.functions
        favoured = SCENES[self._of.robot.scene]
        for name in ("tours", "check_ins", "escorts", "deliveries", "narrations"):
            rate = getattr(functions, name) * (1.5 if name in favoured else 1.0)
            expected = rate * self._activity * self._hours
            self._count(f"engagement.{name}", expected * self._chance(f"engagement.{name}", 1.0))

    def _speech(self) -> None:
        talks = self.increases["engagement.interactions"]
        self._count("asr.utterances", talks * 3.6)
        self._share("asr.utterances", {"asr.unrecognized": 0.06, "asr.misrecognized": 0.03})
        self.increases["nlp.queries"] = self.increases["asr.utterances"] - self.increases["asr.unrecognized"]
        self._share("nlp.queries", {"nlp.unhandled": 0.06, "nlp.mishandled": 0.03})
        told = self.increases["engagement.narrations"] + self.increases["engagement.recruits"]
        self.increases["tts.utterances"] = self.increases["nlp.queries"] + told
        self._share("tts.utterances", {"tts.unplayed": 0.004, "tts.misplayed": 0.005})

    def _screen_and_camera(self) -> None:
        self._count("touchscreen.touches", self.increases["engagement.interactions"] * 1.9)
        astray = {"touchscreen.touches_unanswered": 0.012, "touchscreen.wrong_commands": 0.003}
        self._share("touchscreen.touches", astray)
        self._count("vision.face_attempts", self.increases["engagement.visitors"] * 0.8)
        self._share("vision.face_attempts", {"vision.faces_unrecognized": 0.06, "vision.face_errors": 0.008})

    def _navigation(self) -> None:
        patrols = self._counted(1.5 * self._activity * self._hours)
        trips = [self.increases[f"engagement.{name}"] for name in ("tours", "escorts", "deliveries")]
        self.increases["navigation.goals"] = patrols + np.sum(trips, axis=0)
        self._share(
            "navigation.goals",
            {
                "navigation.start_failures": 0.008,
                "navigation.interruptions": 0.035,
                "navigation.other_failures": 0.008,
            },
        )
        moving_days = self._activity * self._hours / 10
        self._count("navigation.lidar_faults", 0.03 * moving_days)
        self._count("navigation.localization_faults", 0.4 * moving_days)
        self._count("navigation.relocalization_faults", 0.3 * moving_days)
        self._count("navigation.distance_m", self.increases["navigation.goals"] * 31.0)

    def _network(self) -> None:
        self._count("network.disconnects", 0.4 * self._hours / 24)
        self._share("network.disconnects", {"network.connect_failures": 0.15})
        drops, failures = self.increases["network.disconnects"], self.increases["network.connect_failures"]
        self.increases["network.connect_attempts"] = drops + failures + self._restarted
        self._count("network.offline_seconds", drops * 27.0)
        talks = self.increases["engagement.interactions"]
        self._count("network.rx_bytes", self._hours * 4.2e6 + talks * 52_000.0)
        self._count("network.tx_bytes", self._hours * 6.1e6 + talks * 88_000.0)

    def _machine(self) -> None:
        now = np.minimum(self._activity, 1.5)
        self.increases["system.reboots"] = self._restarted.astype(np.int64)
        self.increases["agent.samples_taken"] = np.ones(len(self._t), np.int64)
        for name in ("samples_dropped", "datagrams_bad", "datagrams_lost"):
            self.increases[f"agent.{name}"] = np.zeros(len(self._t), np.int64)
        self._gauge("network.rtt_ms", 22.0, 9.0)
        self._gauge("network.signal_dbm", -57.0 - 6 * self._of.traits.reception, 3.0)
        self._gauge("system.cpu_percent", 14.0 + 28.0 * now, 6.0)
        self._gauge("system.memory_percent", 42.0 + 18 * self._of.traits.memory, 2.0)
        self._gauge("system.disk_free_bytes", 9e9 + 2e10 * self._of.traits.disk, 2e7)
        self._gauge("system.temperature_c", 36.0 + 9.0 * now, 1.5)
        self._gauge("system.battery_percent", self._of.battery(self._t), 0.8)
        self.gauges["system.uptime_s"] = (self._t - self.booted) / 1_000
        self.gauges["agent.outbox_depth"] = np.zeros(len(self._t))

    def _faulty_events(self) -> None:
        for kind, fault, _ in self._active:
            after = np.clip(self._before, fault.start, fault.until)
            until = np.clip(self._t, fault.start, fault.until)
            for name, burst in kind.bursts.items():
                self.increases[name] = self.increases[name] + burst.events(fault.start, after, until)

    def _faulty_modules(self) -> None:
        down = {module: np.zeros(len(self._t), np.bool_) for module in MODULES}
        for kind, _, active in self._active:
            if kind.module is not None:
                down[kind.module] |= active
        for module, when in down.items():
            self.gauges[f"{module}.up"] = np.where(when, 0.0, 1.0)
            for name in COUNTERS if when.any() else ():
                if name.startswith(f"{module}."):
                    self.increases[name] = np.where(when, 0, self.increases[name])

    def _faulty_gauges(self) -> None:
        for kind, _, active in self._active:
            for name, value in kind.gauges.items():
                self.gauges[name] = np.where(active, value, self.gauges[name])

    def _chance(self, name: str, healthy: float) -> Floats | float:
        chance: Floats | float = healthy
        for kind, _, active in self._active:
            if name in kind.chances:
                chance = np.where(active, kind.chances[name], chance)
        return chance

    def _count(self, name: str, expected: Numbers) -> None:
        self.increases[name] = self._counted(expected)

    def _counted(self, expected: Numbers) -> Ints:
        counted: Ints = np.floor(expected + next(self._draws)).astype(np.int64)
        return counted

    def _share(self, of: str, shares: Mapping[str, float]) -> None:
        """Each of `of` ends in at most one of `shares`, by its chance."""
        rest = self.increases[of]
        left: Floats | float = 1.0
        for name, healthy in shares.items():
            chance = self._chance(name, healthy)
            self._count(name, rest * np.minimum(chance / left, 1.0))
            rest, left = rest - self.increases[name], np.maximum(left - chance, 1e-9)

    def _gauge(self, name: str, middle: Floats | float, spread: float) -> None:
        self.gauges[name] = np.round(middle + spread * (2 * next(self._draws) - 1), 1)


def _nothing(state: State) -> Run:
    none = np.zeros(0, np.int64)
    counters = dict.fromkeys(COUNTERS, none)
    return Run(none, none, none, counters, dict.fromkeys(GAUGES, np.zeros(0)), state)


def _uniform(seed: int, purpose: str, robot: int, first: int, count: int) -> Floats:
    """Numbers in [0, 1) as `count` rows of `_DRAWS`: rows `first` on of what (seed, purpose, robot) holds."""
    digest = blake2b(f"{seed}/{purpose}/{robot}".encode(), digest_size=16).digest()
    source = np.random.Philox(key=np.frombuffer(digest, np.uint64), counter=first * (_DRAWS // 4))
    raw = source.random_raw(count * _DRAWS)
    return (raw >> np.uint64(11)).astype(np.float64).reshape(count, _DRAWS) * 2.0**-53
