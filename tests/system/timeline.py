"""Timelines: what happens when to a broker, a collector and robots, read from a table.

    0s    start broker, collector, 3 agents
    3s    kill broker
    5s    kill collector; pause agent 2
    8s    start broker, collector; resume agent 2
    20s   end

A line is a time and what happens then: verbs with parts, one or several. Times only rise, and `end` comes
last. Parts are `broker`, `collector`, `robots` (the simulated load), `agent 2`, and `agents`: all there are.
`start 3 agents`, once and first, says how many.

| verb | does | wants it |
|---|---|---|
| `start` | starts the process | down |
| `stop` | SIGTERM, as an operator would | up or paused |
| `kill` | kill -9 | up or paused |
| `pause` | SIGSTOP: it lives, and does nothing | up |
| `resume` | SIGCONT | paused |
| `damage` | zeroes pages of an agent's spool, as a dying disk does | down |

Nothing here acts: a timeline is parsed, checked and done by whoever has processes.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, get_args

Verb = Literal["start", "stop", "kill", "pause", "resume", "damage"]
VERBS: Final[tuple[Verb, ...]] = get_args(Verb)
PARTS: Final = "broker, collector, robots, agents, agent N or, to start them, N agents"
_STEP: Final = re.compile(r"(?P<time>\S+)\s+(?P<what>\S.*)")
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)s")
_ONE_AGENT: Final = re.compile(r"agent (\d+)")
_SO_MANY: Final = re.compile(r"(\d+) agents?")
_MAX_AGENTS: Final = 100


class TimelineError(ValueError):
    """A timeline that cannot happen; the message is one line: where, and what was expected."""


class State(Enum):
    """How a part's process stands."""

    DOWN = "down"
    UP = "up"
    PAUSED = "paused"


TRANSITIONS: Final[dict[tuple[State, Verb], State]] = {
    (State.DOWN, "start"): State.UP,
    (State.DOWN, "damage"): State.DOWN,
    (State.UP, "stop"): State.DOWN,
    (State.UP, "kill"): State.DOWN,
    (State.UP, "pause"): State.PAUSED,
    (State.PAUSED, "stop"): State.DOWN,
    (State.PAUSED, "kill"): State.DOWN,
    (State.PAUSED, "resume"): State.UP,
}


@dataclass(frozen=True, slots=True)
class Step:
    """At `at_s` seconds, `verb` is done to `part`: broker, collector, robots or agent N."""

    at_s: float
    verb: Verb
    part: str

    def __str__(self) -> str:
        return f"{self.at_s:.1f}s {self.verb} {self.part}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Steps in the order in which they happen, and when the timeline ends. Raises `TimelineError`."""

    steps: tuple[Step, ...]
    end_s: float

    def __post_init__(self) -> None:
        _standing(self.steps)

    @classmethod
    def parse(cls, text: str) -> "Timeline":
        """Reads a table. Raises `TimelineError`."""
        steps: list[Step] = []
        end_s: float | None = None
        agents = _Agents()
        for number, line in _lines(text):
            if end_s is not None:
                raise _wrong(number, f"nothing comes after end, not {line!r}")
            at_s, what = _timed(number, line)
            if steps and at_s < steps[-1].at_s:
                raise _wrong(number, f"{at_s:g}s is before {steps[-1].at_s:g}s; times only rise")
            if what == "end":
                end_s = at_s
            else:
                steps += (Step(at_s, verb, part) for verb, part in _actions(number, what, agents))
                _check(number, steps)
        if end_s is None:
            raise TimelineError("timeline: has no end; expected a last line such as 20s end")
        return cls(tuple(steps), end_s)

    @property
    def parts(self) -> tuple[str, ...]:
        """Every part that something happens to, in the order of their first steps."""
        return tuple(dict.fromkeys(step.part for step in self.steps))

    @property
    def kills(self) -> int:
        """How many processes are killed."""
        return sum(step.verb == "kill" for step in self.steps)

    @property
    def standing(self) -> dict[str, State]:
        """How each part stands at the end."""
        return _standing(self.steps)


class _Agents:
    """How many agents there are; 0 until a line says so."""

    def __init__(self) -> None:
        self.count = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"agent {number}" for number in range(1, self.count + 1))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with something on them, with their numbers; `#` begins a comment."""
    for number, line in enumerate(text.strip("\n").splitlines(), 1):
        if said := line.partition("#")[0].strip():
            yield number, said


def _timed(number: int, line: str) -> tuple[float, str]:
    match = _STEP.fullmatch(line)
    time = _TIME.fullmatch(match["time"]) if match else None
    if match is None or time is None:
        raise _wrong(number, f"expected a time and what happens, such as 3s kill broker, not {line!r}")
    return float(time[1]), " ".join(match["what"].split())


def _actions(number: int, what: str, agents: _Agents) -> Iterator[tuple[Verb, str]]:
    for action in what.split(";"):
        said, _, parts = action.strip().partition(" ")
        verb = next((known for known in VERBS if known == said), None)
        if verb is None:
            raise _wrong(number, f"expected {', '.join(VERBS)} or end, not {said!r}")
        for part in parts.split(","):
            for name in _named(number, verb, part.strip(), agents):
                yield verb, name


def _named(number: int, verb: Verb, part: str, agents: _Agents) -> Iterable[str]:
    """The parts that a line means by a word."""
    if part in ("broker", "collector", "robots") and verb != "damage":
        return (part,)
    if part == "agents" and agents.count:
        return agents.names
    if (many := _SO_MANY.fullmatch(part)) is not None and verb == "start":
        return _first_agents(number, int(many[1]), agents)
    if (one := _ONE_AGENT.fullmatch(part)) is not None:
        if part in agents.names:
            return (part,)
        raise _wrong(number, f"there are {agents.count} agents, and no agent {one[1]}")
    raise _wrong(number, f"expected {PARTS} after {verb}, not {part!r}")


def _first_agents(number: int, count: int, agents: _Agents) -> Iterable[str]:
    if agents.count:
        raise _wrong(number, f"there are {agents.count} agents already; name them: agent 1, or agents")
    if not 1 <= count <= _MAX_AGENTS:
        raise _wrong(number, f"expected 1 to {_MAX_AGENTS} agents, not {count}")
    agents.count = count
    return agents.names


def _check(number: int, steps: Iterable[Step]) -> None:
    try:
        _standing(steps)
    except TimelineError as error:
        raise _wrong(number, str(error)) from None


def _standing(steps: Iterable[Step]) -> dict[str, State]:
    standing: dict[str, State] = {}
    for step in steps:
        before = standing.get(step.part, State.DOWN)
        after = TRANSITIONS.get((before, step.verb))
        if after is None:
            possible = " or ".join(verb for state, verb in TRANSITIONS if state is before)
            raise TimelineError(f"{step.verb} {step.part}: it is {before.value}; expected {possible}")
        standing[step.part] = after
    return standing


def _wrong(number: int, reason: str) -> TimelineError:
    return TimelineError(f"timeline:{number}: {reason}")
