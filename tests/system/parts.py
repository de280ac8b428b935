"""The processes of a rig: what a timeline starts, stops, kills and pauses."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from agent import report
from agent.folder import SpoolError
from tests.processes import Agent, Collector, Process

SAMPLING_S: Final = 0.2
QUIET_S: Final = 3_600
PAGE: Final = 4_096


class Part(Protocol):
    """A process, or what starts one."""

    @property
    def pid(self) -> int:
        """Its process id, while it runs."""

    @property
    def running(self) -> bool:
        """Whether it lives."""

    @property
    def log(self) -> str:
        """What it printed so far."""

    def start(self) -> None:
        """Starts it."""

    def stop(self) -> object:
        """SIGTERM, and waits; its exit status, where it has one."""

    def kill(self) -> object:
        """kill -9, and waits."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How many robots take how many samples a second; they turn faulty within some seconds."""

    robots: int
    rate: float
    fault_within_s: float


class _PartProcess(Process):
    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid if self.popen is not None else 0

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self.popen is not None and self.popen.poll() is None


class EagerCollector(_PartProcess, Collector):
    """A collector that nobody waits for: it may be killed while it starts."""

    def start(self) -> None:
        """Starts it."""
        Process.start(self)


class QuickAgent(_PartProcess, Agent):
    """An agent that samples quickly, until it is told to be quiet."""

    def __init__(self, folder: Path, mqtt: str, robot: str, *more: object) -> None:
        super().__init__(folder, mqtt, robot, "--interval-s", SAMPLING_S, *more)

    def be_quiet(self) -> None:
        """From its next start on it takes a sample when it starts and when it ends, and none between."""
        self.arguments[self.arguments.index("--interval-s") + 1] = str(QUIET_S)

    def damage(self, chance: random.Random) -> None:
        """Zeroes a third of the pages of its database, and of the log beside it; it must be down."""
        for path in self.spool.glob("spool.db*"):
            content = bytearray(path.read_bytes())
            for place in range(0, len(content), PAGE):
                if chance.random() < 1 / 3:
                    content[place : place + PAGE] = bytes(len(content[place : place + PAGE]))
            path.write_bytes(content)

    @property
    def says(self) -> report.Report | None:
        """How it stands, running or not; None while it is between two lives."""
        try:
            return report.read(self.spool)
        except SpoolError:
            return None

    @property
    def held(self) -> int | None:
        """How many samples it holds; None while it does not say."""
        said = self.says
        return None if said is None else said.held

    @property
    def goals(self) -> int | None:
        """How many goals it counted; None while it does not say."""
        said = self.says
        return None if said is None else said.counters.get("navigation", {}).get("goals")

    @property
    def taken(self) -> int:
        """How many samples it took; 0 while it does not say."""
        said = self.says
        return 0 if said is None else said.next - 1


class Load(_PartProcess):
    """The simulated robots; told to stop, they end by themselves once they hold nothing more."""

    def __init__(self, folder: Path, mqtt: str, plan: LoadPlan) -> None:
        self.report = folder / "load.json"  # written when it ends
        script = Path(__file__).with_name("load.py")
        size = ["--robots", plan.robots, "--rate", plan.rate, "--fault-within-s", plan.fault_within_s]
        super().__init__("python", ["-P", script, "--mqtt", mqtt, "--report", self.report, *size], folder)


def last_line(log: str) -> str:
    """What a process said last."""
    said = (line.strip()[:300] for line in reversed(log.splitlines()) if line.strip())
    return next(said, "it said nothing")
