"""A folder in memory, for tests that write much and are not about the disk."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def ram_path(tmp_path: Path) -> Iterator[Path]:
    """Like `tmp_path`, but where a write does not wait for a disk; where there is no such place, the same."""
    if not _IN_MEMORY.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="robovitals-", dir=_IN_MEMORY))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
