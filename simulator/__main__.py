"""`vitals-sim`: robots that are not there. A demo, a fleet over MQTT, or a fleet's past as a recording."""

import argparse
import asyncio
import contextlib
import errno
import json
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from aiomqtt import MqttError

from agent import wire
from agent.mqtt import AddressError, parse_url
from rules.recording import RecordingError
from simulator import demo, record
from simulator.behavior import Behavior, State
from simulator.faults import KINDS, Fault, FaultError, Frame, labels, parse
from simulator.fleet import Robot, robot_id, robots
from simulator.mqtt import Broker, Fleet, wall_ms
from simulator.virtual import PastContinued, VirtualRobot

_REPORT_S = 10.0
_FAULT_HELP = "KIND:ROBOT[:START[:DURATION]], as in lidar_failing:3:-2h; repeat it"
_KINDS = "kinds of fault:\n" + "\n".join(f"  {name:30}triggers {kind.rule}" for name, kind in KINDS.items())
_FORMATTER = argparse.RawDescriptionHelpFormatter


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; 0 when all went well, 1 when something was found wrong, 2 when used wrongly."""
    options = _parser().parse_args(argv)
    commands = {"demo": _demo, "fleet": _fleet, "record": _record}
    try:
        return commands[options.command](options)
    except (FaultError, AddressError, demo.UsageError) as error:
        print(f"vitals-sim: {error}", file=sys.stderr)
        return 2
    except (RecordingError, PastContinued, demo.DemoError, OSError) as error:
        print(f"vitals-sim: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("vitals-sim", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_fleet(commands)
    _add_record(commands)
    return parser


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    epilog = "example: vitals-sim demo --robots 60 --http 127.0.0.1:8090 --duration 600"
    command = commands.add_parser("demo", help="everything at once, with robots in trouble", epilog=epilog)
    command.add_argument("--robots", type=_count, default=60, metavar="N", help="default %(default)s")
    command.add_argument("--http", default="127.0.0.1:8080", metavar="HOST:PORT", help="default %(default)s")
    command.add_argument("--data", type=Path, metavar="DIR", help=demo.DATA_HELP)
    command.add_argument(
        "--duration", type=_seconds, default=0.0, metavar="S", help="end after S seconds (default 0: Ctrl-C)"
    )
    command.add_argument(
        "--interval", type=_interval, default=5.0, metavar="S", help="a sample each S (default 5)"
    )
    command.add_argument("--seed", type=int, default=1, metavar="K", help="default %(default)s")


def _add_fleet(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    epilog = (
        "example: vitals-sim fleet --mqtt mqtt://127.0.0.1:1883 --robots 100 --interval 10 "
        f"--fault lidar_failing:3\n\n{_KINDS}"
    )
    command = commands.add_parser(
        "fleet", help="virtual robots over MQTT", epilog=epilog, formatter_class=_FORMATTER
    )
    command.add_argument("--mqtt", required=True, metavar="URL", help="the broker")
    command.add_argument(
        "--fleet", type=_fleet_name, default="demo", metavar="NAME", help="default %(default)s"
    )
    command.add_argument("--robots", type=_count, default=20, metavar="N", help="default %(default)s")
    command.add_argument(
        "--interval", type=_interval, default=30.0, metavar="S", help="a sample each S (default 30)"
    )
    command.add_argument(
        "--seed", type=int, default=1, metavar="K", help="same seed, same robots (default 1)"
    )
    command.add_argument("--fault", action="append", default=[], metavar="SPEC", help=_FAULT_HELP)
    command.add_argument("--duration", type=_seconds, default=0.0, metavar="S", help="end after S seconds")
    command.add_argument("--connections", type=_count, metavar="K", help="share K (default: one each)")
    command.add_argument(
        "--start-from", type=Path, metavar="FILE", help="go on where the robots of this recording stand"
    )


def _add_record(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    epilog = (
        "example: vitals-sim record --robots 60 --days 8 --seed 7 --out past.parquet "
        f"--fault low_conversion:5:3d --labels faults.csv\n\n{_KINDS}"
    )
    command = commands.add_parser(
        "record", help="a fleet's past as a recording", epilog=epilog, formatter_class=_FORMATTER
    )
    command.add_argument("--robots", type=_count, default=20, metavar="N", help="default %(default)s")
    command.add_argument(
        "--days", type=_days, default=7.0, metavar="D", help="until now (default %(default)g)"
    )
    command.add_argument(
        "--seed", type=int, default=1, metavar="K", help="same seed, same robots (default 1)"
    )
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="a Parquet file")
    command.add_argument(
        "--interval", type=_interval, default=300.0, metavar="S", help="a sample each S (default 300)"
    )
    command.add_argument("--fault", action="append", default=[], metavar="SPEC", help=_FAULT_HELP)
    command.add_argument("--labels", type=Path, metavar="FILE", help="also write the faults as CSV")
    command.add_argument("--json", action="store_true", help="report as JSON")


def _demo(options: argparse.Namespace) -> int:
    return demo.run(
        demo.Options(
            robots=options.robots,
            http=options.http,
            data=options.data,
            duration_s=options.duration,
            interval_s=options.interval,
            seed=options.seed,
        )
    )


def _record(options: argparse.Namespace) -> int:
    fleet = robots(options.robots)
    interval_ms = round(options.interval * 1_000)
    past = record.Past.ending(wall_ms(), options.days, fleet, (), options.seed, interval_ms)
    frame = Frame(past.begin, past.end)
    past = record.with_faults(past, _faults(options.fault, frame, fleet))
    began = time.monotonic()
    samples = record.write(past, options.out)
    if options.labels is not None:
        names = {robot.number: robot.id for robot in fleet}
        options.labels.write_text(labels(past.faults, names, past.end), encoding="utf-8")
    if options.json:
        report = {"samples": samples, "robots": len(fleet), "from": past.begin, "to": past.end}
        print(json.dumps(report))
    else:
        took = time.monotonic() - began
        print(
            f"{options.out}: {samples} samples of {len(fleet)} robots, {options.days:g} days ({took:.1f} s)"
        )
    return 0


def _fleet(options: argparse.Namespace) -> int:
    broker = Broker(parse_url(options.mqtt))
    now = wall_ms()
    members = robots(options.robots)
    faults = _faults(options.fault, Frame(now, now), members)
    known = record.last_states(options.start_from) if options.start_from else {}
    interval_ms = round(options.interval * 1_000)
    virtual = list(_virtual(options, members, faults, known, now, interval_ms))
    _allow_connections(len(virtual))
    print(f"vitals-sim: {len(virtual)} robots of fleet {options.fleet!r} to {broker.address}", flush=True)
    fleet = Fleet(broker, virtual, options.connections or len(virtual))
    asyncio.run(_until_stopped(fleet, options.duration))
    return 0


def _virtual(
    options: argparse.Namespace,
    members: Sequence[Robot],
    faults: Sequence[Fault],
    known: dict[str, State],
    now: int,
    interval_ms: int,
) -> Iterator[VirtualRobot]:
    for position, robot in enumerate(members):
        life = Behavior(options.seed, robot, faults, interval_ms)
        state = known.get(robot.id) or life.born(now)
        yield VirtualRobot(life, state, interval_ms, options.fleet, position / len(members))


async def _until_stopped(fleet: Fleet, duration_s: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_handle)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if duration_s:
        loop.call_later(duration_s, stop.set)
    report = asyncio.create_task(_report(fleet))
    try:
        await fleet.run(stop)
    finally:
        report.cancel()


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Passes over what aiomqtt does with a connection that is gone: it watches its socket a turn of the loop
    late, and leaves the reason in a future that nobody asks."""
    error = context.get("exception")
    closed = isinstance(error, OSError) and error.errno == errno.EBADF
    if not closed and not isinstance(error, MqttError):
        loop.default_exception_handler(context)


async def _report(fleet: Fleet) -> None:
    said = None
    while True:
        tally = fleet.tally
        if (tally.connected, tally.trouble) != said:
            said = tally.connected, tally.trouble
            why = f" ({tally.trouble})" if tally.trouble else ""
            print(f"vitals-sim: {tally.connected} connected, {tally.held} samples held{why}", flush=True)
        await asyncio.sleep(_REPORT_S)


def _faults(specs: Sequence[str], frame: Frame, members: Sequence[Robot]) -> tuple[Fault, ...]:
    faults = tuple(parse(spec, frame) for spec in specs)
    for fault, spec in zip(faults, specs, strict=True):
        if fault.robot > len(members):
            raise FaultError(
                f"fault {spec!r}: there is no robot {robot_id(fault.robot)} among {len(members)}"
            )
    return faults


def _allow_connections(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 256:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return int(text)


def _seconds(text: str) -> float:
    return _number(text, 0.0, 1e9, "seconds, 0 or more")


def _interval(text: str) -> float:
    return _number(text, 0.1, 86_400.0, "seconds from 0.1 to 86400")


def _days(text: str) -> float:
    return _number(text, 0.01, 3_660.0, "days from 0.01 to 3660")


def _number(text: str, low: float, high: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: give {what}")
    return number


def _fleet_name(text: str) -> str:
    if not wire.is_fleet(text):
        raise argparse.ArgumentTypeError(f"{text!r}: give 1 to 32 of a-z, 0-9 and -")
    return text


if __name__ == "__main__":
    sys.exit(main())
