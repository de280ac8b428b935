"""Starts a command whose packages may not be installed: the base of a robot has none of the extras."""

import sys
from importlib import import_module
from importlib.util import find_spec


def start(command: str, package: str, extra: str) -> int:
    """Runs `package.__main__`; where a library of the extra is missing, says which extra to install."""
    try:
        module = import_module(f"{package}.__main__")
    except ModuleNotFoundError as missing:
        if missing.name is None or find_spec(missing.name.partition(".")[0]) is not None:
            raise
        print(f"{command}: {missing.name} is missing: install robovitals[{extra}]", file=sys.stderr)  # noqa: T201
        return 2
    status: int = module.main()
    return status


def main() -> int:
    """`vitals-rules`."""
    return start("vitals-rules", "rules", "collector")
