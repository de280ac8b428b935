"""What an agent costs a robot: resident memory and CPU of a real one, installed from the base alone.

    python bench/agent_memory.py [--seconds 60]

Hold: 40 MiB, with a sample every second (30 times the default) and 50 pushes a second.
"""

import sys
from pathlib import Path

sys.path.pop(0)  # this folder, whose queue.py is not Python's
sys.path.insert(0, str(Path(__file__).parents[1]))

import argparse
import re
import shutil
import socket
import subprocess
import tempfile
import time
import venv
from importlib.metadata import distribution

from agent.catalogue import load
from tests.agent.receiver import Receiver
from tests.brokers import Nats

ROOT = Path(__file__).parents[1]

HOLD_MIB = 40
PUSHES_A_SECOND = 50


def main() -> int:
    """Measures and prints; 1 if the agent holds more memory than it may."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60, help="how long to measure (default 60)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="agent-memory-") as name:
        folder = Path(name)
        python = base_alone(folder / "venv")
        with Nats(folder / "nats") as broker, Receiver(broker.port) as receiver:
            peak, current, cpu = measure(python, folder, broker.url, seconds)
            stored = len(receiver.samples)
    print(f"agent, base alone, a sample a second, {PUSHES_A_SECOND} pushes a second, for {seconds} s:")
    print(f"  memory  {peak:.1f} MiB at its peak, {current:.1f} MiB at the end (hold: {HOLD_MIB} MiB)")
    print(f"  CPU     {100 * cpu:.2f} % of a core")
    print(f"  stored  {stored} samples")
    return int(peak > HOLD_MIB)


def base_alone(folder: Path) -> Path:
    """An environment with the agent and the pinned base, copied from this one. Returns its Python."""
    venv.create(folder, with_pip=False)
    (site,) = (folder / "lib").glob("python*/site-packages")
    pinned = (ROOT / "requirements" / "base.txt").read_text()
    for name in re.findall(r"^([A-Za-z0-9._-]+)==", pinned, flags=re.MULTILINE):
        installed = distribution(name)
        for file in installed.files or []:
            if ".." not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(installed.locate_file(file)), site / file)
    shutil.copytree(ROOT / "agent", site / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "bin" / "python"


def measure(python: Path, folder: Path, url: str, seconds: int) -> tuple[float, float, float]:
    """Peak and final resident MiB, and the share of a core, of an agent under load."""
    command = [str(python), "-I", "-m", "agent", "run", "--fleet", "test", "--robot", "r1", "--mqtt", url]
    places = ["--spool", str(folder / "spool"), "--socket", str(folder / "v.sock"), "--udp", "off"]
    agent = subprocess.Popen([*command, *places, "--interval-s", "1"], stderr=subprocess.DEVNULL, cwd=folder)
    try:
        while not (folder / "v.sock").exists():
            time.sleep(0.05)
        push_for(seconds, str(folder / "v.sock"))
        status = Path(f"/proc/{agent.pid}/status").read_text()
        ticks = Path(f"/proc/{agent.pid}/stat").read_text().rpartition(")")[2].split()
        sizes = {
            key: int(size) / 1024
            for key, size in re.findall(r"^(VmHWM|VmRSS):\s+(\d+)", status, re.MULTILINE)
        }
        return sizes["VmHWM"], sizes["VmRSS"], (int(ticks[11]) + int(ticks[12])) / 100 / seconds
    finally:
        agent.terminate()
        agent.wait()


def push_for(seconds: int, path: str) -> None:
    """Pushes every counter of the catalogue in turn, steadily."""
    counters = [name for name in load().counters if not name.startswith(("agent.", "system."))]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as firmware:
        for number in range(seconds * PUSHES_A_SECOND):
            firmware.sendto(f"{counters[number % len(counters)]}:1|c".encode(), path)
            time.sleep(1 / PUSHES_A_SECOND)


if __name__ == "__main__":
    sys.exit(main())
