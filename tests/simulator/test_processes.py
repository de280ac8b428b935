"""Processes of the demo never outlive it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from simulator.processes import Child, stop
from tests.processes import until

SLEEPER = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
STUBBORN = [sys.executable, "-c", DEAF + SLEEPER[-1]]
PARENT = """
import sys, time
from pathlib import Path
from simulator.processes import Child
child = Child("child", sys.argv[2:], Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""


def started(child: Child) -> Child:
    """The child, once it is at work."""
    child.start()
    until("the child is at work", lambda: child.last_words == "here")
    return child


def test_children_are_stopped_together(tmp_path: Path) -> None:
    """One that obeys ends by SIGTERM; one that does not is killed after a while."""
    obedient = started(Child("obedient", SLEEPER, tmp_path / "a.log"))
    stubborn = started(Child("stubborn", STUBBORN, tmp_path / "b.log"))
    stop([obedient, stubborn], patience_s=1.0)
    until("both have ended", lambda: not obedient.running and not stubborn.running)
    assert obedient.exit_code == -signal.SIGTERM
    assert stubborn.exit_code == -signal.SIGKILL


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    """kill -9 of the parent, and the kernel ends what it started."""
    arguments = [sys.executable, "-c", PARENT, str(tmp_path / "log"), *SLEEPER]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until("the child is at work", lambda: "here" in (tmp_path / "log").read_text())
        parent.kill()
    until("the child has ended", lambda: not psutil.pid_exists(child))


def test_a_child_has_a_group_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C in a terminal reaches the demo only, which ends its parts in order."""
    child = started(Child("child", SLEEPER, tmp_path / "log"))
    assert os.getpgid(child.pid) == child.pid
    stop([child])
