"""A spool at every single write: killed there, torn there, refused there, and then on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TIMEOUT_S = 600


@pytest.mark.parametrize("how", ["kill", "torn", "ENOSPC", "EROFS", "EIO"])
def test_at_every_write(faulty_disk: Path, ram_path: Path, how: str) -> None:
    """Nothing that was taken is missing or different, no number is used twice, and the spool goes on.

    So it is in ordinary life and while a damaged spool is read, whether the process ends at that write, ends
    in the middle of it, or the disk refuses it and some after it.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.agent.faulty_disk", how, str(ram_path)],
        cwd=HERE.parents[1],
        env={**os.environ, "LD_PRELOAD": str(faulty_disk)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    writes = [int(count) for count in done.stdout.split()]
    assert writes[0] > 100
    assert writes[1] > 40
