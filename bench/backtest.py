"""How long `vitals-rules backtest` takes, with the shipped rules: `python bench/backtest.py --days 2`.

The recording (a sample a minute, 3 % of the robots with a fault) is made once and kept in --folder.
"""

import sys
from pathlib import Path

sys.path.pop(0)  # this folder, whose queue.py is not Python's
sys.path.insert(0, str(Path(__file__).parents[1]))

import argparse
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.fleets import recording
from rules import metrics
from rules.load import load, shipped
from rules.recording import Recording
from rules.roster import Roster

_TOLD = re.compile(r"(\d+) samples in ([\d.]+) s, ([\d.]+) s of it waiting")


def main(argv: Sequence[str] | None = None) -> int:
    """Prints what the command cost as a process, and what reading alone costs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--robots", type=int, default=1_000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "robovitals-bench"))
    arguments = parser.parse_args(argv)
    path, labels = recording(arguments.folder, arguments.robots, arguments.days)
    with tempfile.TemporaryDirectory() as folder:
        run = Run.of(["backtest", "--recording", str(path), "--labels", str(labels)], Path(folder))
    samples, waited_s = run.samples, run.waited_s
    size = path.stat().st_size / 1e6
    print(f"{arguments.robots} robots, {arguments.days} days, {samples} samples, {size:.0f} MB")
    print(run.summary, end="")
    a_day, rate = run.took_s / arguments.days, samples / run.took_s
    print(f"{run.took_s:.1f} s, {a_day:.2f} s a day, {rate:,.0f} samples/s")
    print(f"{run.cpu_s:.1f} s of CPU, {run.memory_mib:.0f} MiB at most")
    share = 100 * waited_s / run.took_s
    print(f"{share:.0f} % of the time waiting for the recording; reading alone {read(path):.1f} s")
    return 0


@dataclass(frozen=True)
class Run:
    """The command as a process, and what it took."""

    summary: str
    samples: int
    waited_s: float
    took_s: float
    cpu_s: float
    memory_mib: float

    @classmethod
    def of(cls, words: Sequence[str], folder: Path) -> "Run":
        """Runs it; its results go into the folder."""
        said, told = folder / "stdout", folder / "stderr"
        began = time.perf_counter()
        with said.open("w") as stdout, told.open("w") as stderr:
            command = [sys.executable, "-m", "rules", *words, "--out", str(folder / "out")]
            process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
            _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        found = _TOLD.search(told.read_text())
        if status or found is None:
            raise SystemExit(f"the backtest failed: {told.read_text()}")
        cpu = usage.ru_utime + usage.ru_stime
        return cls(said.read_text(), int(found[1]), float(found[3]), took, cpu, usage.ru_maxrss / 1_024)


def read(path: Path) -> float:
    """Seconds that reading alone takes, with the metrics of the shipped rules."""
    rules = load(shipped(), metrics.read(metrics.shipped()))
    began = time.perf_counter()
    found = Recording(path)
    for _ in found.portions(Roster(found.header.robots), rules.metrics):
        pass
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
