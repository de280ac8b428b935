"""The commands of `vitals-collector` beside `run`, a module each, and what they share."""

import argparse
from pathlib import Path

from collector.config import parse_database
from collector.folder import Folder
from collector.relational import Relational


def command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str, example: str
) -> argparse.ArgumentParser:
    """Describes a command, with an example."""
    return commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"example:\n  vitals-collector {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Where the collector's data lie."""
    default = Path("data")
    parser.add_argument("--data", type=Path, default=default, metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--database",
        metavar="URL",
        help="PostgreSQL for registry and alerts, postgresql://user@host/db; default: SQLite in --data",
    )


def database(arguments: argparse.Namespace) -> str | None:
    """The database that was named; None: the one in `--data`."""
    return None if arguments.database is None else parse_database(arguments.database)


def relational(arguments: argparse.Namespace) -> Relational:
    """The relational part that was named, made where there is none yet; the caller closes it."""
    url = database(arguments)
    if url is None:
        folder = Folder(arguments.data)
        folder.create()
        url = folder.database
    return Relational(url)
