"""Which of a recording's samples are new, and the watermarks once they are stored."""

from collections.abc import Mapping

import numpy as np

from collector.stores import Watermark
from collector.stores.duckdb.recordings import after
from collector.stores.numbers import runs
from collector.stores.rows import Flags
from collector.stores.strands import Scan

Key = tuple[str, str]  # robot, epoch
Run = tuple[int, int]  # numbers from … to …


class Taking:
    """Goes through a recording portion by portion; a sample is new once."""

    def __init__(self, before: Mapping[Key, Watermark]) -> None:
        self._before = before
        self._runs: dict[Key, list[Run]] = {}  # taken so far; in order, apart
        self.added = 0

    def new(self, portion: Scan) -> Flags:
        """Which rows are not stored, nor taken from the recording before."""
        none = Watermark()
        flags = np.zeros(len(portion), dtype=np.bool_)
        seen: set[tuple[str, str, int]] = set()
        columns = (portion.rows.robot, portion.rows.epoch, portion.rows.seq.tolist())
        for row, (robot, epoch, seq) in enumerate(zip(*columns, strict=True)):
            key = (robot, epoch)
            if seq in self._before.get(key, none) or (*key, seq) in seen or self._taken(key, seq):
                continue
            seen.add((*key, seq))
            flags[row] = True
        return flags

    def take(self, portion: Scan) -> Flags:
        """Which rows are new; they are taken from now on."""
        flags = self.new(portion)
        fresh: dict[Key, list[int]] = {}
        for row in np.flatnonzero(flags).tolist():
            key = (portion.rows.robot[row], portion.rows.epoch[row])
            fresh.setdefault(key, []).append(int(portion.rows.seq[row]))
        for key, numbers in fresh.items():
            self._runs[key] = _united([*self._runs.get(key, ()), *runs(numbers)])
        self.added += int(flags.sum())
        return flags

    def watermarks(self) -> dict[Key, Watermark]:
        """The watermarks once everything taken is stored."""
        return {key: after(numbers, self._before.get(key)) for key, numbers in self._runs.items()}

    def _taken(self, key: Key, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self._runs.get(key, ()))


def _united(pieces: list[Run]) -> list[Run]:
    """Runs in order; those that meet are one."""
    united: list[Run] = []
    for first, last in sorted(pieces):
        if united and first <= united[-1][1] + 1:
            united[-1] = (united[-1][0], max(last, united[-1][1]))
        else:
            united.append((first, last))
    return united
