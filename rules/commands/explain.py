"""`vitals-rules explain`: why a rule holds, or not, at a time."""

import argparse


def add(parsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describes the command."""
