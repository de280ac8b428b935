"""The benchmark of the ingest, small: it runs through, and finds every number exactly once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.brokers import Mosquitto

pytestmark = pytest.mark.system
INGEST = Path(__file__).parents[2] / "bench" / "ingest.py"


@pytest.mark.parametrize("kind", ["nats", "mosquitto"])
def test_ingest_benchmark(kind: str) -> None:
    """It prints what was stored, and that nothing is lost or there twice."""
    if kind == "mosquitto" and Mosquitto.program() is None:
        pytest.skip("mosquitto is not installed")
    flags = ["--robots", "50", "--rate", "500", "--seconds", "3", "--connections", "2", "--broker", kind]
    done = subprocess.run(
        [sys.executable, str(INGEST), *flags], capture_output=True, text=True, timeout=300, check=False
    )
    assert "sustained" in done.stdout, done.stderr
    assert "lost 0, twice 0" in done.stdout
