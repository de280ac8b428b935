"""`vitals-sim`, or one line that says what it needs."""

from rules.entry import start


def main() -> int:
    """Runs the command."""
    return start("vitals-sim", "simulator", "simulator")
