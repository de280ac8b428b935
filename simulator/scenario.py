"""What goes wrong in the demo: which robot has which fault since when.

Faults that show in a share (of faces, of trips) need people, so one begins while its site was open, and long
enough ago for its rule to have seen it. The rules keep such a state over a closed night.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from simulator.behavior import DAY, HOUR, Behavior
from simulator.faults import Fault
from simulator.fleet import Robot

PAST_DAYS = 8.5
REAL_AGENTS = 3
FEWEST_ROBOTS = REAL_AGENTS + 4
APPEARS = "relocalization_failing"  # the fault that begins while one watches
_BUSY_HOURS = 7.0  # hours of full swing that a share needs to show
_GRID_MS = 300_000

_MUST_SHOW = 9  # of these, however few robots there are; the others as far as there are robots
_LASTING = (
    "robot_silent",
    "low_conversion",
    "network_unstable",
    "faces_not_recognized",
    "touches_unanswered",
    "navigation_interrupted",
    "speech_not_recognized",
    "queries_not_handled",
    "speech_not_played",
    "silent_customer",
    "low_satisfaction",
    "lidar_failing",
    "face_errors",
    "wrong_commands",
    "navigation_start_failing",
    "localization_failing",
    "navigation_failing_otherwise",
    "speech_misrecognized",
    "queries_mishandled",
    "speech_misplayed",
    "module_down.vision",
    "battery_low",
    "relocalization_failing",
)
_AGO_MS = {
    "robot_silent": 2 * HOUR,
    "low_conversion": 5 * DAY,
    "low_satisfaction": 6 * DAY,
    "silent_customer": 7 * DAY + 8 * HOUR,
    "network_unstable": 9 * HOUR,
    "lidar_failing": 3 * HOUR,
    "localization_failing": 7 * HOUR,
    "relocalization_failing": 11 * HOUR,
    "module_down.vision": 4 * HOUR,
    "battery_low": 6 * HOUR,
}
# (kind, ago, lasted): what came and went before.
_OVER = (
    ("network_unstable", 3 * DAY, 5 * HOUR),
    ("lidar_failing", 5 * DAY, 2 * HOUR),
    ("module_down.tts", 2 * DAY, 3 * HOUR),
    ("robot_silent", 4 * DAY, 2 * HOUR),
)


def faults(robots: Sequence[Robot], seed: int, now: int) -> tuple[Fault, ...]:
    """The faults of the virtual robots: those that last, and those that are over. The last robot has none."""
    sick = [robot for robot in robots[:-1] if robot.number > 1]
    lasting = list(_lasting(sick, seed, now))
    faulty = {fault.robot for fault in lasting}
    healthy = [robot for robot in robots[:-1] if robot.number not in faulty]
    return (*lasting, *_over(healthy, now))


def appearing(robots: Sequence[Robot], known: Iterable[Fault], at: int) -> Fault:
    """The fault that begins while one watches, on the last robot that had none so far."""
    faulty = {fault.robot for fault in known}
    healthy = [robot for robot in robots if robot.number not in faulty]
    return Fault(APPEARS, (healthy or list(robots))[-1].number, at)


def _lasting(robots: Sequence[Robot], seed: int, now: int) -> Iterator[Fault]:
    silent = _of_an_open_site(robots, seed, now - _AGO_MS["robot_silent"], now + HOUR)
    others = _spread([robot for robot in robots if robot is not silent])
    for position, kind in enumerate(_LASTING[: max(_MUST_SHOW, len(robots))]):
        robot = silent if kind == "robot_silent" else others[(position - 1) % len(others)]
        ago = _AGO_MS.get(kind)
        yield Fault(kind, robot.number, _busy_since(robot, seed, now) if ago is None else now - ago)


def _over(robots: Sequence[Robot], now: int) -> Iterator[Fault]:
    for robot, (kind, ago, lasted) in zip(robots, _OVER, strict=False):
        yield Fault(kind, robot.number, now - ago, now - ago + lasted)


def _spread(robots: Sequence[Robot]) -> list[Robot]:
    """Every second robot first, so that few sites have two in trouble."""
    return [*robots[::2], *robots[1::2]]


def _of_an_open_site(robots: Sequence[Robot], seed: int, begin: int, end: int) -> Robot:
    """The first whose site is open all that time: at another, nobody would miss it."""
    grid = np.arange(begin, end, _GRID_MS, dtype=np.int64)
    is_open = (robot for robot in robots if Behavior(seed, robot, (), _GRID_MS).is_open(grid).all())
    return next(is_open, robots[0])


def _busy_since(robot: Robot, seed: int, now: int) -> int:
    """The latest time since which its site has been busy for long enough."""
    grid = np.arange(now - 6 * DAY, now, _GRID_MS, dtype=np.int64)
    busy = Behavior(seed, robot, (), _GRID_MS).activity(grid) * _GRID_MS / HOUR
    since_then = np.cumsum(busy[::-1])[::-1]
    return int(grid[max(0, int(np.count_nonzero(since_then >= _BUSY_HOURS)) - 1)])
