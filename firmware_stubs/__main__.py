"""`vitals-stubs`: firmware modules that count and push, with the faults that you ask for."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from firmware_stubs.behavior import Faults
from firmware_stubs.faults import MODULES, NAMES, FaultError, choose, concerned, kinds, parse
from firmware_stubs.local import Address, AddressError, udp, unix
from firmware_stubs.supervisor import FaultFile, Supervisor

_SOCKET = Path("/run/robovitals/vitals.sock")
_DESCRIPTION = "Stand-ins for a robot's firmware modules, which push to its agent as firmware would."
_EXAMPLES = """examples:
  vitals-stubs run                                     eight healthy modules, to the agent of this machine
  vitals-stubs run --udp 127.0.0.1:8125 --modules navigation --fault relocalization_failing
  vitals-stubs run --fault-file faults.txt             faults come and go as you edit the file:
                                                       one a line, for example module_down:vision
  vitals-stubs faults                                  which faults there are
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; 0 when all went well, 2 when it was used wrongly."""
    options = _parser().parse_args(argv)
    try:
        return _faults(options) if options.command == "faults" else _run(options)
    except (FaultError, AddressError) as error:
        print(f"vitals-stubs: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has gone; the modules are stopped
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("vitals-stubs", description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.formatter_class = formatter
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run", help="run the modules until Ctrl-C", epilog=_EXAMPLES, formatter_class=formatter
    )
    where = run.add_mutually_exclusive_group()
    where.add_argument("--socket", type=Path, default=_SOCKET, metavar="PATH", help="default %(default)s")
    where.add_argument("--udp", metavar="HOST:PORT", help="push by UDP instead")
    run.add_argument("--modules", type=_list, default=NAMES, metavar="A,B", help=f"of {', '.join(NAMES)}")
    run.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same events (default 1)")
    run.add_argument(
        "--rate", type=_rate, default=1.0, metavar="FACTOR", help="times as busy as usual (default 1)"
    )
    run.add_argument("--fault", action="append", default=[], metavar="KIND", help="from the start; repeat it")
    run.add_argument("--fault-file", type=Path, metavar="FILE", help="read again whenever it changes")
    faults = commands.add_parser(
        "faults",
        help="list the faults, and what each changes",
        epilog="example: vitals-stubs faults --json",
    )
    faults.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _list(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number above 0, and at most 1000")
    return rate


def _faults(options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps([asdict(kind) for kind in kinds()], indent=2))
        return 0
    for kind in kinds():
        print(f"{kind.fault:30}{kind.module:13}{', '.join(kind.changes)}")
    return 0


def _run(options: argparse.Namespace) -> int:
    address = udp(options.udp) if options.udp else unix(options.socket)
    modules = [module.name for module in choose(options.modules)]
    faults = _sources(options, modules)
    where = ["--udp", options.udp] if options.udp else ["--socket", str(options.socket)]
    supervisor = Supervisor(modules, [*where, "--rate", str(options.rate)], options.seed, _say)
    _say(f"{len(modules)} of {len(MODULES)} modules push to {_to(address)}; Ctrl-C stops them")
    supervisor.run(faults, _stop_on_signal())
    return 0


def _to(address: Address) -> str:
    return f"UDP {address}" if isinstance(address.target, tuple) else str(address)


def _sources(options: argparse.Namespace, modules: Sequence[str]) -> Callable[[], Faults]:
    fixed = frozenset(parse(fault) for fault in options.fault)
    for fault in sorted(fixed):
        if not concerned(fault) & set(modules):
            names = " or ".join(sorted(concerned(fault)))
            raise FaultError(f"--fault {fault} concerns {names}, which --modules leaves out")
    if options.fault_file is None:
        return lambda: fixed
    file = FaultFile(options.fault_file, _say)
    return lambda: fixed | file.look()


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def _say(line: str) -> None:
    print(f"vitals-stubs: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
