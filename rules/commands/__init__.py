"""The commands of `vitals-rules`, one a module: `add` describes it to the parser, `run` does it.

Exit status of each: 0 fine, 1 it found something, 2 it could not do what was asked.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rules import load, metrics, rosters, values
from rules.backtest import Progress
from rules.metrics import Entry
from rules.recording import Recording
from rules.roster import Roster
from rules.rule import RuleSet

__all__ = [
    "UsageError",
    "add_recording",
    "catalogue",
    "command",
    "eval_delay",
    "instant",
    "progress",
    "roster",
    "rules",
]


class UsageError(ValueError):
    """What was asked for cannot be done; the message says why, and what to write instead."""


def command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, help_: str, example: str
) -> argparse.ArgumentParser:
    """A command with its example."""
    return commands.add_parser(
        name,
        help=help_,
        description=help_[0].upper() + help_[1:] + ".",
        epilog=f"example:\n{example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def catalogue(files: Sequence[Path]) -> dict[str, Entry]:
    """The shipped metrics and those of the files. Raises `MetricsError`."""
    return metrics.read(metrics.shipped(), *files)


def rules(paths: Sequence[Path], known: dict[str, Entry]) -> RuleSet:
    """The rules of files and folders. Raises `UsageError`, `RuleErrors`."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or folder")
    found = load.find(paths)
    if not found:
        raise UsageError(f"no rules: {paths[0]} has no *.yaml")
    return load.load(found, known)


def roster(recording: Recording, path: Path | None) -> Roster:
    """The robots of a recording, as a file knows them. Raises `RecordingError`, `RosterFileError`."""
    known = Roster(recording.header.robots)
    return known if path is None else known.joined(rosters.read(path))


def add_recording(parser: argparse.ArgumentParser) -> None:
    """The arguments of commands that go through a recording."""
    parser.add_argument("--recording", type=Path, required=True, metavar="FILE", help="a Parquet file")
    parser.add_argument(
        "--rules",
        action="append",
        type=Path,
        default=[],
        metavar="PATH",
        help="a rule file or a folder of them; repeat it (default: the shipped rules)",
    )
    parser.add_argument("--catalogue", action="append", type=Path, default=[], metavar="FILE")
    parser.add_argument(
        "--roster",
        type=Path,
        metavar="FILE",
        help="robots in YAML or CSV, over what the recording says of them",
    )
    parser.add_argument(
        "--eval-delay",
        type=eval_delay,
        default=30_000,
        metavar="D",
        help="from a time to its evaluation; as the collector had it (default 30s)",
    )


def eval_delay(text: str) -> int:
    """An argument such as `30s` in ms."""
    delay = values.milliseconds(text)
    if delay is None or not 0 <= delay <= 3_600_000:
        raise argparse.ArgumentTypeError(f"{text!r}: write 0s to 1h, such as 30s")
    return delay


def instant(text: str) -> int:
    """An argument such as `2026-11-22T08:00:00Z` in ms; ms as a number are taken, too."""
    at = values.moment(text)
    if at is None:
        raise argparse.ArgumentTypeError(f"{text!r}: write a time with its zone, as 2026-11-22T08:00:00Z")
    return at


@contextmanager
def progress(recording: Recording) -> Iterator[Progress]:
    """Shows on a terminal how far a recording is gone through."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[at]}"))
    console = Console(file=sys.stderr)
    hidden = not console.is_terminal
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(recording.path.name, total=recording.rows, at="")

        def report(done: int, at: int) -> None:
            day = datetime.fromtimestamp(at / 1_000, UTC).date()
            bar.update(task, completed=done, at=day.isoformat())

        yield report
