"""Two robots under one name, told by their hellos.

A spool copied with a disk image, or a configuration with it: two agents then take turns, as the broker throws
out the one whenever the other connects. An agent is known by its epoch and its boot. One that restarts comes
with its boot and epoch, one that reboots with a new boot, one that is replaced with a new epoch: none of them
ever comes back to what another took over from. Two agents do, over and over.

One return is no proof: somebody may have tried a spare. Several within the hour are.

Of a robot only the marks of its last agents are kept, a number each; more only of those that came back.
"""

from dataclasses import dataclass, replace
from typing import Final

from agent.wire import Hello

RETURNS: Final = 3  # of agents that another had taken over from
QUIET_MS: Final = 3_600_000
_AGENTS: Final = 4  # under one name that are told apart


@dataclass(frozen=True, slots=True)
class Agent:
    """One of those that report under the same name."""

    epoch: str
    boot: str


@dataclass(frozen=True, slots=True)
class Clash:
    """Several agents take turns under one robot's name. Times are ms UTC."""

    robot: str
    since: int  # the first return of an agent
    last_at: int  # the latest one
    count: int  # of returns
    agents: tuple[Agent, ...]  # that returned, the latest one last


class Identities:
    """Who spoke under each robot's name. Tell it of live hellos, not of retained ones."""

    def __init__(self) -> None:
        self._marks: dict[str, int | tuple[int, ...]] = {}  # of a robot's agents, the latest one last
        self._clashes: dict[str, Clash] = {}

    def __len__(self) -> int:
        return len(self._marks)

    def hello(self, robot: str, message: Hello, at: int) -> Clash | None:
        """Takes a hello; answers what `clash` would if an agent came back with it, else None."""
        mark = hash((message.epoch, message.boot))
        known = self._marks.get(robot)
        if known is None:
            self._marks[robot] = mark
            return None
        before = known if isinstance(known, tuple) else (known,)
        if before[-1] == mark:
            return None
        returned = mark in before
        self._marks[robot] = (*(other for other in before if other != mark), mark)[-_AGENTS:]
        return self._returned(robot, Agent(message.epoch, message.boot), at) if returned else None

    def clash(self, robot: str, now: int) -> Clash | None:
        """The clash under a robot's name, unless it was quiet for an hour."""
        clash = self._clashes.get(robot)
        if clash is None or clash.count < RETURNS or now - clash.last_at > QUIET_MS:
            return None
        return clash

    def _returned(self, robot: str, agent: Agent, at: int) -> Clash | None:
        before = self._clashes.get(robot)
        if before is None or at - before.last_at > QUIET_MS:
            self._clashes[robot] = Clash(robot, at, at, 1, (agent,))
        else:
            agents = (*(other for other in before.agents if other != agent), agent)[-_AGENTS:]
            self._clashes[robot] = replace(before, last_at=at, count=before.count + 1, agents=agents)
        return self.clash(robot, at)
