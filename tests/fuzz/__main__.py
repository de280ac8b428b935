"""Fuzzes the collector's intake: `python -m tests.fuzz --messages 1000000 --seed 1`.

Guided by coverage (atheris), from the golden messages; mostly by changing their JSON, else their bytes.
Prints how many messages came, were stored and were refused, by reason, and how large a plain process was that
took the same messages. What the intake must know of epochs and numbers is in that, and is little; anything
kept of each message would be found. Exit status 1 where something escaped, or memory was not flat after the
first fifth: atheris prints the exception and keeps the input.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

from tests.fuzz.mutation import mutated

WATCHED = ["agent.wire", "collector.intake", "collector.event_time", "collector.tray", "collector.known"]
with atheris.instrument_imports(include=[*WATCHED, "collector.heights"]):
    from tests.fuzz.harness import ROBOTS, Harness, seeds
    from tests.fuzz.witness import FLAT, Look, Witness, fifths


class Run:
    """One run: the harness, and the witness of its messages."""

    def __init__(self, messages: int) -> None:
        self.harness = Harness()
        self._witness = Witness()
        self._last = messages

    def one(self, data: bytes) -> None:
        """Takes one input; after the last the process ends, since the fuzzer would not return."""
        if self.harness.messages >= self._last:
            return
        self.harness.one(data)
        self._witness.show(data)
        if self.harness.messages == self._last:
            self.harness.collect()
            self._report(self._witness.looks())

    def _report(self, looks: list[Look]) -> None:
        harness, held = self.harness, fifths(looks)
        refused = ", ".join(f"{reason} {count:,}" for reason, count in harness.refused.most_common())
        print(f"\n{harness.messages:,} messages, {harness.stored:,} samples stored; refused: {refused}")
        print(f"memory: {', '.join(f'{size / 2**20:.1f}' for size in held)} MiB after each fifth of the way")
        sys.stdout.flush()
        grown = held[-1] - held[0]
        assert grown <= FLAT, f"that is no flat memory: at most {FLAT / 2**20:g} MiB more are allowed"


def change(data: bytes, max_size: int, seed: int) -> bytes:
    """Mostly JSON is changed, else bytes are."""
    if seed % 4 and len(data) > 1:
        payload = mutated(bytes(data[1:]), seed)
        if payload is not None:
            chosen = data[0] if seed % 16 > 1 else data[0] ^ (seed // 16 % ROBOTS)
            return bytes([chosen]) + payload[: max_size - 1]
    return bytes(atheris.Mutate(data, max_size))


def main() -> None:
    """Reads the flags, and fuzzes until the number is reached."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(), help="folder for an input that fails")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            (Path(corpus) / f"golden-{number}").write_bytes(seed)
        flags = [f"-runs={arguments.messages + 10_000}", f"-seed={arguments.seed}", "-max_len=65536"]
        flags += ["-verbosity=0", "-len_control=0", f"-artifact_prefix={arguments.keep}/", "-rss_limit_mb=0"]
        run = Run(arguments.messages)
        atheris.Setup([sys.argv[0], *flags, corpus], run.one, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
