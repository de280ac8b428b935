"""Kills agent, broker and collector at random under load, and takes the account: zeros, or what is missing.

    python -m tests.system.torture --kills 50 --broker nats --seed 7
    python -m tests.system.torture --only collector --rate 5000 --seconds 60

The exit status is 1 when a number is not zero that must be; then the folder stays, with all logs, spools,
the collector's data and the export. The same seed gives the same kills at the same times.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import pytest

from tests.brokers import Broker, Mosquitto, Nats
from tests.system.account import Account
from tests.system.parts import LoadPlan
from tests.system.rig import Rig
from tests.system.timeline import Step, Timeline

BROKERS: Final[dict[str, type[Broker]]] = {"nats": Nats, "mosquitto": Mosquitto}
WARM_UP_S: Final = 4.0
COOL_DOWN_S: Final = 2.0
GAP_S: Final = 0.3  # from one kill to the next, at least
DOWN_S: Final = (0.0, 4.0)  # from a kill to the start after it


@dataclass(frozen=True, slots=True)
class Plan:
    """What is killed, how often or for how long, and what runs meanwhile."""

    seed: int
    kills: int | None = None
    seconds: float | None = None  # no kill comes later; without it, the kills end it
    only: str | None = None  # broker, collector or agent; else all of them, each as often
    agents: int = 3
    robots: int = 20
    rate: float = 200.0  # samples a second, of these robots together
    gap: float = 7.0  # seconds from one kill to the next, at most
    max_age: str | None = None  # of what an agent holds: older samples are given up, and declared lost


def timeline(plan: Plan) -> Timeline:
    """Everything starts; then kill after kill, by the seed, and after each a start; several may be down."""
    chance = random.Random(plan.seed)
    agents = [f"agent {number}" for number in range(1, plan.agents + 1)]
    targets = {"broker": ["broker"], "collector": ["collector"], "agent": agents}
    steps = [Step(0.0, "start", part) for part in ("broker", "collector", *agents, "robots")]
    up_at = dict.fromkeys(("broker", "collector", *agents), 0.0)
    now, killed = WARM_UP_S, 0
    while plan.kills is None or killed < plan.kills:
        part = chance.choice(targets[plan.only or chance.choice(list(targets))])
        now = max(now + chance.uniform(GAP_S, plan.gap), up_at[part])
        if plan.seconds is not None and now > plan.seconds:
            break
        up_at[part] = now + chance.uniform(*DOWN_S)
        steps += [Step(now, "kill", part), Step(up_at[part], "start", part)]
        killed += 1
    steps.sort(key=lambda step: step.at_s)
    return Timeline(tuple(steps), max(steps[-1].at_s + COOL_DOWN_S, plan.seconds or 0.0))


def torture(broker: Broker, plan: Plan, folder: Path) -> Account:
    """One run over one broker that is down; prints as it goes."""
    happening = timeline(plan)
    load = LoadPlan(plan.robots, plan.rate, 0.8 * happening.end_s)
    flags = ("--spool-max-age", plan.max_age) if plan.max_age else ()
    _say(
        f"{broker.kind}, seed {plan.seed}: {happening.kills} kills in {happening.end_s:.0f} s, under the load"
    )
    _say(f"of {plan.agents} agents, and {plan.robots} robots with {plan.rate:g} samples/s; in {folder}")
    with Rig(broker, folder, load, agent_flags=flags, seed=plan.seed, tell=_say) as rig:
        rig.run(happening)
        begun = time.monotonic()
        rig.settle()
        _say(f"  everything delivered after {time.monotonic() - begun:.1f} s")
        account = rig.account()
    _say(_reached(plan, rig))
    _say(str(account))
    return account


def main(argv: Sequence[str] | None = None) -> int:
    """Runs it; 0 for zeros, 1 for anything else, 2 used wrongly."""
    asked = _parser().parse_args(argv)
    seed = random.randrange(1_000_000) if asked.seed is None else asked.seed
    kills = 50 if asked.kills is None and asked.seconds is None else asked.kills
    robots = max(20, int(asked.rate / 10)) if asked.robots is None else asked.robots
    plan = Plan(
        seed=seed,
        kills=kills,
        seconds=asked.seconds,
        only=asked.only,
        agents=asked.agents,
        robots=robots,
        rate=asked.rate,
        gap=asked.gap,
        max_age=asked.max_age,
    )
    signal.signal(signal.SIGTERM, _interrupted)
    kinds = list(BROKERS) if asked.broker == "both" else [asked.broker]
    if "mosquitto" in kinds and Mosquitto.program() is None:
        print("torture: mosquitto is not installed; add --broker nats", file=sys.stderr)
        return 2
    return max([_run(kind, plan, asked.folder) for kind in kinds])


def _run(kind: str, plan: Plan, parent: Path | None) -> int:
    folder = Path(tempfile.mkdtemp(prefix=f"torture-{kind}-", dir=parent))
    try:
        account = torture(BROKERS[kind](folder / kind), plan, folder)
    except KeyboardInterrupt:
        shutil.rmtree(folder)
        print("torture: interrupted; everything is stopped", file=sys.stderr)
        return 130
    except (RuntimeError, pytest.fail.Exception) as error:
        print(f"torture: {error}; all of it lies in {folder}", file=sys.stderr)
        return 1
    if not account.is_zero:
        print(f"torture: not zero; all of it lies in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _reached(plan: Plan, rig: Rig) -> str:
    taken = sum(said.taken for said in rig.load.robots.values())
    rate = taken / rig.load.seconds if rig.load.seconds else 0.0
    return f"  load: {rate:,.0f} samples/s taken for {rig.load.seconds:.0f} s, of {plan.rate:,.0f} asked for"


def _interrupted(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torture", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, metavar="N", help="default 50, or as many as --seconds gives")
    parser.add_argument("--seconds", type=_positive, metavar="S", help="no kill comes later")
    parser.add_argument("--broker", choices=[*BROKERS, "both"], default="both", help="default %(default)s")
    parser.add_argument("--seed", type=int, metavar="N", help="default: one by chance, which is printed")
    parser.add_argument("--only", choices=["agent", "broker", "collector"], help="kill nothing else")
    parser.add_argument("--agents", type=int, default=3, metavar="N", help="default %(default)s")
    parser.add_argument("--robots", type=_some, metavar="N", help="the load's; default a tenth of its rate")
    parser.add_argument(
        "--rate", type=_positive, default=200.0, help="samples/s of the load; default %(default)s"
    )
    parser.add_argument(
        "--gap", type=_positive, default=7.0, metavar="S", help="between kills, at most; %(default)s"
    )
    parser.add_argument("--max-age", metavar="AGE", help="agents give up what they hold for longer: 1m")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where to run; default: a temporary folder"
    )
    return parser


def _positive(text: str) -> float:
    if (number := float(text)) <= 0:
        raise ValueError
    return number


def _some(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


_positive.__name__, _some.__name__ = "number above 0", "number above 0"  # as argparse names them


if __name__ == "__main__":
    sys.exit(main())
