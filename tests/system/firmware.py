"""Firmware that counts on, whatever happens to its agent: modules with absolute counters, pushed over UDP."""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

FAULTS: Final = 10
PUSH_EVERY_S: Final = 0.05
LOOK_EVERY: Final = 10  # pushes
SETTLED_IN: Final = 25  # samples: a fault comes later than a rule's first step


@dataclass(slots=True)
class _Module:
    port: int
    faulty_after: int  # samples of its agent
    goals: int = 0
    faults: int = 0

    @property
    def push(self) -> bytes:
        counters = {"goals": self.goals, "lidar_faults": self.faults}
        return json.dumps({"subsystem": "navigation", "boot": "firmware", "counters": counters}).encode()


class Firmware:
    """One navigation module a robot. `goals` rise all the time; `lidar_faults` jump to `FAULTS`, once.

    A push that no agent hears is no loss: the next one says the same and more. `taken` says how many samples
    a robot's agent took so far.
    """

    def __init__(
        self, ports: Mapping[str, int], taken: Callable[[str], int], spread: int, chance: random.Random
    ) -> None:
        self._modules = {
            robot: _Module(port, SETTLED_IN + chance.randrange(spread)) for robot, port in ports.items()
        }
        self._taken = taken
        self._frozen = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="firmware")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    @property
    def all_faulty(self) -> bool:
        """Whether every robot has had its faults."""
        return all(module.faults for module in self._modules.values())

    def hurry(self) -> None:
        """Robots turn faulty as soon as they can."""
        for module in self._modules.values():
            module.faulty_after = SETTLED_IN

    def freeze(self) -> dict[str, int]:
        """Nothing more happens, and all is told again and again. Returns each robot's goals."""
        self._frozen.set()
        time.sleep(4 * PUSH_EVERY_S)  # a round that was under way has ended
        return {robot: module.goals for robot, module in self._modules.items()}

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            rounds = 0
            while not self._done.wait(PUSH_EVERY_S):
                rounds += 1
                for robot, module in self._modules.items():
                    if not self._frozen.is_set():
                        self._live(robot, module, rounds)
                    sender.sendto(module.push, ("127.0.0.1", module.port))

    def _live(self, robot: str, module: _Module, rounds: int) -> None:
        module.goals += 1
        if not module.faults and rounds % LOOK_EVERY == 0 and self._taken(robot) >= module.faulty_after:
            module.faults = FAULTS
