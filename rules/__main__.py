"""`vitals-rules`: check rule files, run their tests, and try them on a recording."""

import argparse
import sys
from collections.abc import Sequence

from rules.commands import UsageError, backtest, check, explain, test
from rules.labels import LabelsError
from rules.load import RuleErrors
from rules.metrics import MetricsError
from rules.recording import RecordingError
from rules.rosters import RosterFileError

_EXAMPLE = """example:
  vitals-rules check rules/packs
  vitals-rules test rules/packs --json
  vitals-rules backtest --recording fleet.parquet --rules my-rules --out backtest
  vitals-rules explain --recording fleet.parquet --rule RobotSilent --robot lobby-07 --at 2026-11-22T08:00:00Z
"""
_REFUSED = (UsageError, MetricsError, RecordingError, RosterFileError, LabelsError, RuleErrors)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 fine, 1 something was found, 2 used wrongly."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except _REFUSED as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="vitals-rules", description=__doc__, epilog=_EXAMPLE, formatter_class=formatter
    )
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (check, test, backtest, explain):
        command.add(parsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
