"""`vitals-collector`: stores what agents send, evaluates rules over it, and keeps the alert queue."""

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import SQLAlchemyError

from agent.catalogue import CatalogueError
from agent.wire import is_fleet
from collector import assembly, evaluation, transfer
from collector.assembly import Opened
from collector.commands import notify, people, registry
from collector.commands.arguments import add_data as _add_data
from collector.commands.arguments import command as _command
from collector.commands.arguments import database as _database
from collector.config import (
    Config,
    ConfigError,
    Evaluation,
    Tls,
    parse_age,
    parse_broker,
    parse_http,
)
from collector.folder import Folder, FolderError
from collector.http.server import AddressError
from collector.notifying.load import SettingsErrors
from collector.registry_files import RegistryFileError
from collector.relational import UnusableDatabaseError
from collector.scores.loading import WeightsError
from collector.stores import Retention, StoreError
from collector.stores.address import StoreAddressError, parse_store
from rules.load import RuleErrors
from rules.recording import RecordingError

_USED_WRONGLY = (
    ConfigError,
    AddressError,
    FolderError,
    CatalogueError,
    StoreAddressError,
    people.PasswordError,
)
_WRONG = (
    UnusableDatabaseError,
    StoreError,
    RuleErrors,
    RecordingError,
    RegistryFileError,
    transfer.TransferError,
    SettingsErrors,
    WeightsError,
    *people.REFUSALS,
)
_EXAMPLE = """example:
  vitals-collector run --data data --mqtt mqtt://127.0.0.1:1883 --fleet main --http 127.0.0.1:8080
  vitals-collector registry import registry.yaml --data data
  vitals-collector people add admin --role admin --data data
  vitals-collector export --data data --out fleet.parquet
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 fine, 1 something is wrong, 2 used wrongly."""
    arguments = _parser().parse_args(argv)
    _configure_log()
    try:
        status: int = arguments.run(arguments)
    except _USED_WRONGLY as error:
        return _refuse(error, 2)
    except _WRONG as error:
        return _refuse(error, 1)
    except SQLAlchemyError as error:
        return _refuse(_lost(error), 1)
    except ExceptionGroup as group:
        return _refuse(*_first(group))
    except KeyboardInterrupt:
        return 130
    return status


def _refuse(error: BaseException, status: int) -> int:
    print(f"{error}", file=sys.stderr)
    return status


def _lost(error: SQLAlchemyError) -> UnusableDatabaseError:
    """The database was there, and then failed; what was committed is safe."""
    cause = str(getattr(error, "orig", None) or error).partition("\n")[0]
    return UnusableDatabaseError(f"the database failed: {cause}; when it is well, run the same command again")


def _first(group: ExceptionGroup[Exception]) -> tuple[BaseException, int]:
    """The cause that ended all tasks; one that nobody foresaw is shown whole in the log."""
    error = group.exceptions[0]
    if isinstance(error, SQLAlchemyError):
        return _lost(error), 1
    if not isinstance(error, _WRONG):
        structlog.get_logger().error("the collector failed", exc_info=error)
    return error, 1


def _run(arguments: argparse.Namespace) -> int:
    if not is_fleet(arguments.fleet):
        raise ConfigError(f"--fleet {arguments.fleet!r}: use 1 to 32 lower-case letters, digits and -")
    config = Config(
        data=arguments.data,
        broker=parse_broker(arguments.mqtt),
        fleet=arguments.fleet,
        http=parse_http(arguments.http),
        evaluation=_evaluation(arguments),
        tls=Tls(arguments.ca, arguments.cert, arguments.key),
        database=_database(arguments),
        retention=_retention(arguments),
        store=parse_store(arguments.store),
        notify=arguments.notify,
    )

    def ready(url: str, parts: Opened) -> None:
        rules = f"{len(parts.rules.rules)} rules"
        print(
            f"Robovitals at {url} (fleet {config.fleet} at {config.broker}, {rules}, data in {config.data})"
        )
        sys.stdout.flush()

    assembly.run(config, ready)
    return 0


def _evaluation(arguments: argparse.Namespace) -> Evaluation:
    if not 1 <= arguments.eval_delay <= 3600:
        raise ConfigError(f"--eval-delay {arguments.eval_delay:g}: use 1 to 3600 seconds")
    delay_ms = round(arguments.eval_delay * 1000)
    return Evaluation(tuple(arguments.rules), tuple(arguments.catalogue), delay_ms, arguments.scores)


def _retention(arguments: argparse.Namespace) -> Retention:
    return Retention(
        samples_ms=parse_age("--keep-samples", arguments.keep_samples),
        hours_ms=parse_age("--keep-hours", arguments.keep_hours),
        days_ms=parse_age("--keep-days", arguments.keep_days),
    )


def _export(arguments: argparse.Namespace) -> int:
    if arguments.out is None and arguments.alerts is None:
        raise ConfigError("nothing to export; give --out FILE.parquet, --alerts FILE.jsonl, or both")
    store = parse_store(arguments.store)
    transfer.export(Folder(arguments.data), arguments.out, arguments.alerts, _database(arguments), store)
    sizes = {path: path.stat().st_size for path in (arguments.out, arguments.alerts) if path is not None}
    if not arguments.json:
        print("\n".join(f"{path}: {size:,} bytes" for path, size in sizes.items()))
        return 0
    report: dict[str, object] = {}
    if arguments.out is not None:
        report |= {"file": str(arguments.out), "bytes": sizes[arguments.out]}
    if arguments.alerts is not None:
        report["alerts"] = {"file": str(arguments.alerts), "bytes": sizes[arguments.alerts]}
    print(json.dumps(report))
    return 0


def _import(arguments: argparse.Namespace) -> int:
    with _progress(f"Importing {arguments.file.name}") as progress:
        outcome = transfer.import_recording(
            arguments.file,
            Folder(arguments.data),
            _evaluation(arguments),
            progress,
            _database(arguments),
            parse_store(arguments.store),
        )
    taken = outcome.imported
    if arguments.json:
        counts = {"samples": taken.added, "duplicates": taken.duplicates, "ignored": list(taken.ignored)}
        print(json.dumps({**counts, "robots": outcome.robots, "open_alerts": outcome.open_alerts}))
        return 0
    print(
        f"{taken.added:,} samples, {outcome.robots} new robots, {outcome.open_alerts} alerts open at the end"
    )
    if taken.duplicates:
        print(f"{taken.duplicates:,} samples were there already, and were left as they were")
    if taken.ignored:
        print(f"not in the catalogue, so not taken: {', '.join(taken.ignored)}")
    return 0


@contextmanager
def _progress(about: str) -> Iterator[evaluation.Progress]:
    """A bar, and the day it has come to; on a terminal only."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[at]}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(about, total=1.0, at="")

        def report(done: float, at: int) -> None:
            day = datetime.fromtimestamp(at / 1000, UTC).date()
            bar.update(task, completed=done, at=day.isoformat())

        yield report


def _configure_log() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vitals-collector",
        description=__doc__,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_export(commands)
    _add_import(commands)
    registry.add_to(commands)
    notify.add_to(commands)
    people.add_to(commands)
    return parser


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    example = "run --data data --mqtt mqtt://127.0.0.1:1883 --fleet main --http 127.0.0.1:8080"
    run = _command(commands, "run", "run the collector, with console and API", example)
    _add_data(run)
    _add_store(run)
    run.add_argument("--mqtt", required=True, metavar="URL", help="the broker: mqtt://host:1883, mqtts://…")
    run.add_argument("--fleet", required=True, metavar="NAME", help="the fleet that the agents name")
    run.add_argument("--http", default="127.0.0.1:8080", metavar="HOST:PORT", help="default %(default)s")
    _add_rules(run)
    _add_retention(run)
    run.add_argument(
        "--notify",
        type=Path,
        metavar="FILE",
        help="who is notified of alerts, and how; docs/notifications.md",
    )
    run.add_argument("--ca", type=Path, metavar="FILE", help="the broker's CA, for mqtts://")
    run.add_argument("--cert", type=Path, metavar="FILE", help="our certificate, for mqtts://")
    run.add_argument("--key", type=Path, metavar="FILE", help="its key")
    run.set_defaults(run=_run)


def _add_retention(run: argparse.ArgumentParser) -> None:
    kept = (("samples", "400d"), ("hours", "1098d"), ("days", "forever"))
    for name, default in kept:
        about = f"how long {name} are kept, in days or forever; default %(default)s"
        run.add_argument(f"--keep-{name}", default=default, metavar="AGE", help=about)


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "write everything stored as a recording, and the alert log; the collector may be running"
    export = _command(commands, "export", about, "export --data data --out fleet.parquet --alerts live.jsonl")
    _add_data(export)
    _add_store(export)
    export.add_argument("--out", type=Path, metavar="FILE.parquet", help="the recording")
    export.add_argument(
        "--alerts", type=Path, metavar="FILE.jsonl", help="the alert log, as vitals-rules backtest writes it"
    )
    export.add_argument("--json", action="store_true", help="report as JSON")
    export.set_defaults(run=_export)


def _add_import(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "take in a recording in its own time: samples, evaluations, alerts; the collector must not run"
    import_ = _command(commands, "import", about, "import fleet.parquet --data data")
    import_.add_argument("file", type=Path, metavar="FILE.parquet")
    _add_data(import_)
    _add_store(import_)
    _add_rules(import_)
    import_.add_argument("--json", action="store_true", help="report as JSON")
    import_.set_defaults(run=_import)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        default="duckdb",
        metavar="URL",
        help="where samples are: duckdb (in --data), victoriametrics://host:8428, "
        "influxdb://host:8086/ORG/BUCKET (token: INFLUXDB_TOKEN); default %(default)s",
    )


def _add_rules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rules",
        action="append",
        type=Path,
        default=[],
        metavar="PATH",
        help="a rule file or a folder of them, instead of the shipped packs; may be repeated",
    )
    parser.add_argument(
        "--catalogue",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a vendor's metrics, beside the shipped ones; may be repeated",
    )
    parser.add_argument(
        "--scores",
        type=Path,
        metavar="FILE",
        help="what health scores are made of, in place of the shipped weights",
    )
    parser.add_argument(
        "--eval-delay",
        type=float,
        default=30,
        metavar="SECONDS",
        help="how long an evaluation waits for late samples; default %(default)s",
    )


if __name__ == "__main__":
    sys.exit(main())
