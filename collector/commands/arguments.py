"""What the arguments of several commands share."""

import argparse
from pathlib import Path
from typing import TypeAlias

from collector.config import parse_database
from collector.folder import Folder

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def command(commands: Commands, name: str, about: str, example: str) -> argparse.ArgumentParser:
    """A command, with what it is for and an example."""
    return commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"example:\n  vitals-collector {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """`--data` and `--database`."""
    default = Path("data")
    parser.add_argument("--data", type=Path, default=default, metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--database",
        metavar="URL",
        help="PostgreSQL for roster, alerts and people, postgresql://user@host/db; default: SQLite in --data",
    )


def database(arguments: argparse.Namespace) -> str | None:
    """The URL given with `--database`. Raises `ConfigError`."""
    return None if arguments.database is None else parse_database(arguments.database)


def own_database(data: Path) -> str:
    """The URL of the database in a data folder, which is made if need be. Raises `FolderError`."""
    folder = Folder(data)
    folder.create()
    return folder.database
