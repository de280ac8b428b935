"""`vitals-agent`: run the agent, or see what it counted and holds."""

import argparse
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from agent import VERSION, report
from agent import folder as folders
from agent.catalogue import CatalogueError, load
from agent.config import (
    ConfigError,
    Given,
    Settings,
    check,
    check_spool,
    read_file,
)
from agent.folder import SpoolError
from agent.mqtt import TlsError, tls_context
from agent.procfs import Machine
from agent.quota import MB
from agent.report import Report
from agent.service import Service, listen
from agent.statsd import SocketError

_FLAGS = (
    ("--fleet", "NAME", "the fleet the robot belongs to: a-z, 0-9 and -"),
    ("--robot", "NAME", "the robot's name, unique in the fleet: A-Z, a-z, 0-9, _ and -"),
    ("--mqtt", "URL", "the broker: mqtt://[user:password@]host[:port], or mqtts://"),
    ("--interval-s", "SECONDS", "from one sample to the next (default 30)"),
    ("--spool", "FOLDER", "where samples are kept until the collector has them (/var/lib/robovitals)"),
    ("--spool-max-bytes", "SIZE", "the most the spool may take; the oldest samples make room (256MB)"),
    ("--spool-max-age", "AGE", "how old a sample may get before it is given up: 12h, 30d, or off (30d)"),
    ("--disk-keep-free-bytes", "SIZE", "below so much free the spool stops growing (auto: 64MB, or 5 %%)"),
    ("--disk-keep-free-inodes", "COUNT", "the same for the file system's inodes (64)"),
    ("--socket", "PATH", "Unix socket that firmware pushes to, or off (/run/robovitals/vitals.sock)"),
    ("--udp", "HOST:PORT", "UDP address that firmware pushes to, or off (127.0.0.1:8125)"),
    ("--tz", "ZONE", "the robot's time zone, like Asia/Shanghai (default: the machine's)"),
    ("--reconnect-within-s", "SECONDS", "longest wait after a first failure; later ones double it (5)"),
    ("--resend-after-s", "SECONDS", "how long a sample waits for its receipt; some take 3 minutes (300)"),
)
_TLS_FLAGS = (
    ("ca", "certificate of the broker's authority (default: the system's)"),
    ("cert", "the robot's certificate"),
    ("key", "its key"),
)
_RUN_EXAMPLE = """\
examples:
  vitals-agent run --config /etc/robovitals/agent.yaml
  vitals-agent run --fleet demo --robot r1 --mqtt mqtt://127.0.0.1 --spool ./spool --socket ./vitals.sock

agent.yaml:
  fleet: demo
  robot: r1
  mqtt: mqtts://broker.example.com
  labels: {model: cruzr, firmware: 4.2.0}
  tls: {ca: ca.pem, cert: r1.pem, key: r1.key}
"""
_WHY = {
    "bytes": "the oldest, for --spool-max-bytes",
    "age": "the oldest, for --spool-max-age",
    "disk": "the oldest, as the disk was nearly full",
    "damaged": "they could not be read any more",
    "full": "the disk took nothing",
}
_STATUS_EXAMPLE = """\
examples:
  vitals-agent status
  vitals-agent status --spool ./spool --json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 1 something is wrong, 2 used wrongly."""
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments) if arguments.command == "run" else _status(arguments)
    except ConfigError as error:
        for problem in error.problems:
            _complain(problem)
        return 2
    except (CatalogueError, TlsError) as error:
        _complain(str(error))
        return 2
    except (SocketError, SpoolError) as error:
        _complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(arguments: argparse.Namespace) -> int:
    config = check(_settings(arguments))
    catalogue = load(*config.catalogue)
    secure = config.mqtt.secure
    tls = tls_context(config.tls.ca, config.tls.cert, config.tls.key) if secure else None
    _log_to_stderr()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, folders.acquire(config.spool))
        listeners = stack.enter_context(contextlib.closing(listen(config)))
        service = Service(config, VERSION, catalogue, tls, listeners, Machine())
        stack.enter_context(contextlib.closing(service))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: service.stop())
        logging.info(
            "robot %s of fleet %s, a sample every %g s", config.robot, config.fleet, config.interval_s
        )
        service.run()
    return 0


def _status(arguments: argparse.Namespace) -> int:
    folder = check_spool(_settings(arguments))
    found = report.read(folder)
    if found is None:
        raise SpoolError(f"no agent has run on {folder}; name its folder with --spool or --config")
    print(report.encode(found).decode() if arguments.json else _readable(found))
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    given = vars(arguments)
    flags = Settings()
    for flag, _, _ in _FLAGS:
        key = flag.removeprefix("--").replace("-", "_")
        if given.get(key) is not None:
            flags.simple[key] = Given(given[key], flag)
    for name, _ in _TLS_FLAGS:
        if given.get(f"tls_{name}") is not None:
            flags.tls[name] = Given(given[f"tls_{name}"], f"--tls-{name}")
    for label in given.get("label") or []:
        name, equals, value = label.partition("=")
        if not equals:
            raise ConfigError([f"--label: {label!r} is not NAME=VALUE"])
        flags.labels[name] = Given(value, "--label")
    flags.catalogue = [Given(path, "--catalogue") for path in given.get("catalogue") or []]
    return flags if arguments.config is None else read_file(arguments.config).under(flags)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vitals-agent", description=__doc__, epilog=_RUN_EXAMPLE)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--version", action="version", version=f"vitals-agent {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="run | status")
    run = _command(commands, "run", "counts what firmware pushes, and publishes it", _RUN_EXAMPLE)
    for flag, metavar, about in _FLAGS:
        run.add_argument(flag, metavar=metavar, help=about)
    run.add_argument(
        "--label", action="append", metavar="NAME=VALUE", help="a label of the robot; repeatable"
    )
    for name, about in _TLS_FLAGS:
        run.add_argument(f"--tls-{name}", metavar="FILE", help=about)
    run.add_argument(
        "--catalogue", action="append", metavar="FILE", help="a vendor's own metrics; repeatable"
    )
    status = _command(commands, "status", "what the agent counted, what it holds", _STATUS_EXAMPLE)
    status.add_argument("--spool", metavar="FOLDER", help="the agent's spool folder (/var/lib/robovitals)")
    status.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str, example: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=about, description=about, epilog=example)
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.add_argument("--config", type=Path, metavar="FILE", help="YAML file; flags go before it")
    return command


def _readable(found: Report) -> str:
    lines = [*(_of_running(found) if found.running else ["agent not running"]), *_of_spool(found)]
    if found.last_refused:
        lines.append(f"refused    {found.last_refused}")
    lines += [f"unknown    {name}: {count} times" for name, count in found.unknown.items()]
    for title, values in (("counters", found.counters), ("gauges", found.gauges)):
        named = {f"{s}.{short}": value for s, metrics in values.items() for short, value in metrics.items()}
        if named:
            lines += ["", f"{title}:", *(f"  {name:36} {value:>18,}" for name, value in named.items())]
    return "\n".join(lines)


def _of_running(found: Report) -> list[str]:
    broker = f"connected since {_instant(found.connected_since)}"
    if found.connected_since is None:
        broker = f"not connected: {found.problem or 'still trying'}"
    collector = {True: "online", False: "offline", None: "not heard of yet"}[found.collector_online]
    return [
        f"robot {found.robot} of fleet {found.fleet}: agent running (pid {found.pid}) "
        f"since {_instant(found.started_at)}",
        f"broker     {found.broker}, {broker}",
        f"collector  {collector}",
        f"listening  socket {found.socket or 'off'}, udp {found.udp or 'off'}",
        f"last push  {_instant(found.last_push_at)}",
    ]


def _of_spool(found: Report) -> list[str]:
    receipt = found.receipt
    stored = f"up to {receipt.stored_until}, at {_instant(receipt.at)}" if receipt else "none yet"
    most = f" of {found.max_bytes / MB:,.1f}" if found.max_bytes else ""
    lines = [
        f"spool      {found.spool}, epoch {found.epoch}",
        f"samples    {found.next - 1} taken, {found.held} held, in {(found.bytes or 0) / MB:,.1f}{most} MB",
        f"receipt    {stored}",
    ]
    lines += [f"given up   {count} samples: {_WHY.get(why, why)}" for why, count in found.dropped.items()]
    lines += [f"set aside  {path}: files of a damaged spool" for path in found.damaged]
    if found.disk_problem:
        lines.append(f"disk       since {_instant(found.disk_refuses_since)}: {found.disk_problem}")
    return lines


def _instant(wall_ms: int | None) -> str:
    if wall_ms is None:
        return "never"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall_ms / 1000))


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)


def _complain(problem: str) -> None:
    print(f"vitals-agent: {problem}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
