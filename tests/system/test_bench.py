"""The benchmarks, small: they run through, and what they find of right and wrong is right."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.brokers import Mosquitto

pytestmark = pytest.mark.system
BENCH = Path(__file__).parents[2] / "bench"


@pytest.mark.parametrize("kind", ["nats", "mosquitto"])
def test_ingest_benchmark(kind: str) -> None:
    """It prints what was stored, and that nothing is lost or there twice."""
    if kind == "mosquitto" and Mosquitto.program() is None:
        pytest.skip("mosquitto is not installed")
    flags = ["--robots", "50", "--rate", "500", "--seconds", "3", "--connections", "2", "--broker", kind]
    done = _run("ingest.py", *flags)
    assert "sustained" in done.stdout, done.stderr
    assert "lost 0, twice 0" in done.stdout


def test_rules_benchmark() -> None:
    """Thirty rules go by without an error, and it prints times and memory."""
    done = _run("rules.py", "--robots", "500", "--minutes", "7")
    assert "milliseconds" in done.stdout, done.stderr
    assert "bytes a robot" in done.stdout


def test_rules_against_vmalert() -> None:
    """On 40 robots and eight hours our alerts are those of vmalert, but for differences with a reason."""
    if shutil.which("victoria-metrics") is None or shutil.which("vmalert") is None:
        pytest.skip("victoria-metrics is not installed")
    done = _run("rules_vs_vmalert.py", "--robots", "40", "--minutes", "480", "--evaluations", "2")
    assert " 0 differences unexplained" in done.stdout, done.stdout + done.stderr
    assert "live" in done.stdout


def _run(bench: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / bench), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
