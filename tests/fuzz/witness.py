"""A plain process that takes the same messages as the fuzzer's, and looks at its memory on the way.

In the fuzzer's own process the intake's memory cannot be told: libFuzzer keeps inputs there, atheris never
lets go of the arrays that comparisons give, and tracing every allocation made all of it six times slower.
"""

import gc
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import IO, Final, NamedTuple

from tests.fuzz.harness import A_ROUND, Harness

FLAT: Final = 8 * 2**20  # bytes by which a process may grow, whose memory is called flat
LOOK_EVERY: Final = 2 * A_ROUND
_LENGTH: Final = struct.Struct("<I")
_MODULE: Final = "tests.fuzz.witness"


class Look(NamedTuple):
    """What the process held after so many messages."""

    messages: int
    resident: int  # bytes


class Witness:
    """The process, as the fuzzer sees it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def show(self, data: bytes) -> None:
        """Gives it the message that was just taken. Raises `BrokenPipeError` if it has failed on one."""
        assert self._process.stdin is not None
        self._process.stdin.write(told(data))

    def looks(self) -> list[Look]:
        """What it saw; it ends. Raises `CalledProcessError` if it has failed on a message."""
        said, _ = self._process.communicate()
        if self._process.returncode:
            raise subprocess.CalledProcessError(self._process.returncode, _MODULE)
        return [Look(*look) for look in json.loads(said)]


def fifths(looks: list[Look]) -> list[int]:
    """The bytes that it held after each fifth of the way."""
    last = looks[-1].messages
    return [next(look.resident for look in looks if 5 * look.messages >= n * last) for n in range(1, 6)]


def told(data: bytes) -> bytes:
    """A message as it goes to the process."""
    return _LENGTH.pack(len(data)) + data


def watch(messages: IO[bytes], harness: Harness) -> list[Look]:
    """Takes every message, and looks at the memory every `LOOK_EVERY`, when a round is over."""
    looks: list[Look] = []
    while head := messages.read(_LENGTH.size):
        harness.one(messages.read(_LENGTH.unpack(head)[0]))
        if harness.messages % LOOK_EVERY == 0:
            gc.collect()
            looks.append(Look(harness.messages, _resident()))
    return looks


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Takes what comes at the standard input, and says at its end what was seen."""
    harness = Harness()
    gc.freeze()  # what was imported need not be gone through at each look
    json.dump(watch(sys.stdin.buffer, harness), sys.stdout)


if __name__ == "__main__":
    main()
