'''The rig: a broker, a collector, agents and load as real processes, to which a timeline happens.

    with Rig(Nats(folder / "nats"), folder) as rig:
        rig.run(Timeline.parse("""
            0s   start broker, collector, 3 agents
            3s   kill broker
            5s   start broker
            9s   end
        """))
        rig.settle()
        print(rig.account())

Each agent's firmware counts on, whatever happens to the agent. A step takes as long as it takes: the next
one comes at its time or later. A process that ends by itself is a complaint, and so is a traceback.
'''

import contextlib
import os
import random
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from tests.brokers import Broker
from tests.system import evidence
from tests.system.account import Account, Evidence, Fired, Numbering
from tests.system.firmware import Firmware
from tests.system.load import Summary
from tests.system.parts import SAMPLING_S, EagerCollector, Load, LoadPlan, Part, QuickAgent, last_line
from tests.system.timeline import TRANSITIONS, State, Step, Timeline

RULES: Final = """
schema: robovitals-rules/1
defaults: {missing_data: keep_last_state}
groups:
- name: torture
  interval: 2s
  rules:
  - alert: Faulty
    about: {en: The lidar fails, zh: 雷达异常}
    for_each: robot
    when: {increase: navigation.lidar_faults, over: 10m, is: at least 10}
    labels: {severity: high, subsystem: navigation}
    rule_storm: off
    summary: {en: "{robot} has faults", zh: "{robot} 故障"}
    call_to_action: {next_step: {en: Look, zh: 查看}}
  - alert: CountedTwice
    about: {en: More lidar faults than there were, zh: 雷达异常重复计数}
    for_each: robot
    when: {increase: navigation.lidar_faults, over: 10m, is: at least 11}
    labels: {severity: high, subsystem: navigation}
    rule_storm: off
    summary: {en: "{robot} was counted twice", zh: "{robot} 重复计数"}
    call_to_action: {next_step: {en: Look, zh: 查看}}
"""
DELIVER_S: Final = 420.0  # longer than an agent waits for a receipt before it sends again
VISIT_S: Final = 12.0  # for a quiet agent to deliver, before it is started and says hello again
SOON_S: Final = 60.0
_TRACEBACK: Final = "Traceback (most recent call last)"
_ERROR: Final = re.compile(r"^[\w.]*(?:Error|Exception)\b.*", re.MULTILINE)


class Rig:
    """Processes on one broker, which must not run yet, and what became of them."""

    def __init__(
        self,
        broker: Broker,
        folder: Path,
        load: LoadPlan | None = None,
        *,
        agent_flags: Sequence[str] = (),
        seed: int = 1,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._folder = folder
        self._url = broker.url
        self._chance = random.Random(seed)
        self._tell = tell
        (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
        self._rules = ("--rules", folder / "rules.yaml", "--eval-delay", "1")
        self._collector = EagerCollector(folder, broker.url, *self._rules)
        self._agent_flags = agent_flags
        self._load = None if load is None else Load(folder, broker.url, load)
        self._agents: dict[str, QuickAgent] = {}
        self._firmware = Firmware({}, lambda _: 0, 1, self._chance)
        self._parts: dict[str, Part] = {"broker": broker, "collector": self._collector}
        self._states: dict[str, State] = {}
        self._before_damage: dict[Numbering, int] = {}
        self._goals: Mapping[str, int] = {}
        self._summary = Summary({}, 0.0)
        self._complaints: list[str] = []
        self._begun = 0.0
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()
        for part in reversed(self._parts.values()):
            if part.running:
                part.kill()

    @property
    def load(self) -> Summary:
        """What the load says it took; empty before the rig has settled."""
        return self._summary

    def run(self, timeline: Timeline) -> None:
        """Lets a timeline happen."""
        self._prepare(timeline)
        self._begun = time.monotonic()
        for step in timeline.steps:
            self._wait_until(step.at_s)
            self.do(step)
        self._wait_until(timeline.end_s)

    def do(self, step: Step) -> None:
        """Does it now, whatever its time."""
        self._tell(f"{time.monotonic() - self._begun:7.1f}s  {step.verb} {step.part}")
        part, before = self._parts[step.part], self._states.get(step.part, State.DOWN)
        match step.verb:
            case "start":
                part.start()
            case "stop":
                self._stop(step.part)
            case "kill":
                part.kill()
            case "pause":
                os.kill(part.pid, signal.SIGSTOP)
            case "resume":
                os.kill(part.pid, signal.SIGCONT)
            case "damage":
                self._before_damage |= self._taken_by(self._agents[step.part])
                self._agents[step.part].damage(self._chance)
        self._states[step.part] = TRANSITIONS[before, step.verb]

    def settle(self, *, by_themselves: bool = True) -> None:
        """Brings everything up, and waits until whatever is held is delivered; nothing more is taken then.

        Agents that were not damaged must deliver `by_themselves`, before any of them is started again.
        """
        self._end_load()
        self._bring_up()
        self._freeze()
        if by_themselves:
            self._await_agents()
        self._empty_agents()
        self._await_load()

    def account(self) -> Account:
        """Takes the account; the collector is stopped for it. The rig must have settled."""
        expected = frozenset(Fired("Faulty", robot) for robot in self._faulty())
        self._wait(SOON_S, lambda: expected <= {alert.fired for alert in evidence.alerts(self._collector)})
        alerts = evidence.alerts(self._collector)
        self._stop("collector")
        recording = evidence.export(self._collector.data, self._folder / "export.parquet")
        goals = evidence.last_goals(recording, list(self._goals))
        return Account.of(
            Evidence(
                taken=self._taken(),
                stored=evidence.stored(recording),
                losses=evidence.losses(self._collector.data),
                expected=expected,
                alerts=alerts,
                reckoned_again=evidence.alerts_by(recording, self._folder / "again", self._rules, self._url),
                counted={robot: (count, goals.get(robot, -1)) for robot, count in self._goals.items()},
                complaints=[*self._complaints, *self._tracebacks()],
            )
        )

    def _prepare(self, timeline: Timeline) -> None:
        names = [part for part in timeline.parts if part.startswith("agent ")]
        self._agents = {
            name: QuickAgent(self._folder, self._url, name.replace(" ", "-"), *self._agent_flags)
            for name in names
        }
        self._parts |= self._agents
        if self._load is not None:
            self._parts["robots"] = self._load
        by_robot = {agent.robot: agent for agent in self._agents.values()}
        ports = {robot: agent.udp_port for robot, agent in by_robot.items()}
        spread = max(1, int(timeline.end_s / SAMPLING_S / 2))
        self._firmware = Firmware(ports, lambda robot: by_robot[robot].taken, spread, self._chance)
        self._exits.enter_context(self._firmware)

    def _stop(self, name: str) -> None:
        """SIGTERM, which a paused process heeds when it goes on; an error's status is a complaint."""
        part = self._parts[name]
        if self._states.get(name) is State.PAUSED:
            os.kill(part.pid, signal.SIGCONT)
        if (status := part.stop()) not in (0, None, -signal.SIGTERM):  # the last: while it was starting
            self._complain(f"{name} ended with status {status} on SIGTERM: {last_line(part.log)}")
        self._states[name] = State.DOWN

    def _wait_until(self, at_s: float) -> None:
        while (left := self._begun + at_s - time.monotonic()) > 0:
            self._watch()
            time.sleep(min(left, 0.1))

    def _wait(self, seconds: float, probe: Callable[[], bool], every_s: float = 0.1) -> bool:
        """Whether something is so within some seconds; asks ever more rarely."""
        deadline = time.monotonic() + seconds
        while not probe():
            if time.monotonic() > deadline:
                return False
            self._watch()
            time.sleep(every_s)
            every_s = min(every_s * 1.3, 5.0)
        return True

    def _watch(self) -> None:
        """What ended by itself is a complaint, and is started again."""
        for name, state in self._states.items():
            part = self._parts[name]
            if state is not State.DOWN and not part.running:
                self._complain(f"{name} ended by itself: {last_line(part.log)}")
                part.start()
                self._states[name] = State.UP

    def _complain(self, line: str) -> None:
        self._complaints.append(line)
        self._tell(f"  ! {line}")

    def _bring_up(self) -> None:
        for name, part in self._parts.items():
            state = self._states.get(name, State.DOWN)
            if state is State.PAUSED:
                os.kill(part.pid, signal.SIGCONT)
            elif state is State.DOWN and part is not self._load:
                part.start()
            else:
                continue
            self._states[name] = State.UP
        self._wait(SOON_S, lambda: self._collector.try_get("health") is not None)

    def _freeze(self) -> None:
        """The firmware falls still, and every agent has heard its last count."""
        self._firmware.hurry()
        self._wait(SOON_S, lambda: self._firmware.all_faulty)
        self._goals = self._firmware.freeze()
        agents = self._agents.values()
        self._wait(SOON_S, lambda: all(agent.goals == self._goals[agent.robot] for agent in agents))

    def _await_agents(self) -> None:
        """Whatever agents took by now gets into the store by itself: nobody is started again for it."""
        begun, taken = time.monotonic(), self._taken_by(*self._agents.values())
        if self._wait(DELIVER_S, lambda: not self._lacking(taken), every_s=0.5):
            self._tell(f"  what agents held was stored after {time.monotonic() - begun:.1f} s")
        else:
            lacking = ", ".join(f"{count} of {of}" for of, count in self._lacking(taken).items())
            self._complain(f"not stored within {DELIVER_S:.0f} s while the agents ran: {lacking}")

    def _lacking(self, taken: Mapping[Numbering, int]) -> dict[Numbering, int]:
        """How many of the first so many samples are neither in the store nor, by the API, lost."""
        if not taken:
            return {}
        stored = evidence.stored(evidence.export(self._collector.data, self._folder / "look.parquet"))
        settled = {
            of: sum(seq <= last for seq in set(stored.get(of, []))) + evidence.lost(self._collector, of.robot)
            for of, last in taken.items()
        }
        return {of: last - settled[of] for of, last in taken.items() if settled[of] < last}

    def _empty_agents(self) -> None:
        """Lets agents deliver what they hold, and take next to nothing meanwhile."""
        for agent in self._agents.values():
            agent.be_quiet()
        deadline = time.monotonic() + DELIVER_S
        holding = list(self._agents)
        while holding and time.monotonic() < deadline:
            for name in holding:
                self._stop(name)
                self._parts[name].start()
                self._states[name] = State.UP
            self._wait(VISIT_S, lambda: not self._holding())
            holding = self._holding()
        for name in holding:
            self._complain(f"{name} still holds {self._agents[name].held} samples after {DELIVER_S:.0f} s")

    def _holding(self) -> list[str]:
        return [name for name, agent in self._agents.items() if agent.held != 0]

    def _end_load(self) -> None:
        """Tells the load to sample no more; it ends when it holds nothing."""
        if self._load is not None and self._load.running:
            os.kill(self._load.pid, signal.SIGTERM)
            os.kill(self._load.pid, signal.SIGCONT)  # should it be paused
            self._states["robots"] = State.DOWN

    def _await_load(self) -> None:
        load = self._load
        if load is None:
            return
        if not self._wait(DELIVER_S, lambda: not load.running):
            self._complain(f"robots still hold samples after {DELIVER_S:.0f} s: {last_line(load.log)}")
        if load.report.exists():
            self._summary = msgspec.json.decode(load.report.read_bytes(), type=Summary)
        else:
            self._complain(f"robots left no report: {last_line(load.log)}")

    def _faulty(self) -> Iterator[str]:
        yield from (agent.robot for agent in self._agents.values())
        yield from (name for name, said in self._summary.robots.items() if said.faulty)

    def _taken(self) -> dict[Numbering, int]:
        robots = self._summary.robots.items()
        of_load = {Numbering(name, said.epoch): said.taken for name, said in robots}
        return {**self._before_damage, **self._taken_by(*self._agents.values()), **of_load}

    @staticmethod
    def _taken_by(*agents: QuickAgent) -> dict[Numbering, int]:
        """The last number of each agent's epoch, by its own word."""
        said = {agent.robot: evidence.status(agent.spool) for agent in agents}
        return {Numbering(robot, str(one["epoch"])): int(one["next"]) - 1 for robot, one in said.items()}

    def _tracebacks(self) -> Iterator[str]:
        for name, part in self._parts.items():
            before, found, after = part.log.rpartition(_TRACEBACK)
            if found:
                error = _ERROR.search(after)
                count = before.count(_TRACEBACK) + 1
                yield f"{name} printed {count} tracebacks, the last: {error[0][:200] if error else '…'}"
