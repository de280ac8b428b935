"""The stubs as processes: they push, survive the agent's absence, are restarted, and all of them end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agent.catalogue import load
from agent.counters import Counters
from agent.datagrams import Absolute, Push, parse
from firmware_stubs.faults import NAMES
from tests.processes import Process, command, until


class Receiver:
    """The agent's end of the local interface."""

    def __init__(self, bound: socket.socket) -> None:
        self.socket = bound
        self.socket.settimeout(0.2)
        self.pushes: list[Push] = []
        self.refused: list[str] = []

    def receive(self) -> None:
        """Takes in what came."""
        while True:
            try:
                parsed = parse(self.socket.recv(65536))
            except TimeoutError:
                return
            self.pushes += parsed.pushes
            self.refused += parsed.refused

    def heard(self) -> set[str]:
        """Who was heard so far."""
        self.receive()
        return {p.subsystem if isinstance(p, Absolute) else p.name.split(".")[0] for p in self.pushes}

    def subsystems(self) -> set[str]:
        """Who was heard since the last look."""
        self.pushes.clear()
        return self.heard()

    def names(self, metric: str) -> bool:
        """Whether a metric was pushed so far."""
        self.receive()
        return any(getattr(push, "name", "") == metric for push in self.pushes)

    def boots(self, subsystem: str) -> set[str]:
        """The boot ids heard of a module."""
        self.receive()
        return {p.boot for p in self.pushes if isinstance(p, Absolute) and p.subsystem == subsystem}


def bind(path: Path) -> Receiver:
    """A Unix socket at `path`."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bound.bind(str(path))
    return Receiver(bound)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "v.sock"


@pytest.fixture
def receiver(path: Path) -> Iterator[Receiver]:
    receiver = bind(path)
    yield receiver
    receiver.socket.close()


def process_of(stubs: Process, module: str) -> int:
    """The id of a module's latest process, as the stubs say it."""
    found = re.findall(rf"{module}: started, process (\d+)", stubs.log)
    return int(found[-1]) if found else 0


def test_every_module_is_heard(tmp_path: Path, path: Path, receiver: Receiver) -> None:
    """All eight push, everything parses and counts in the agent, and SIGTERM leaves no process."""
    counters = Counters(load())
    with Process("vitals-stubs", ["run", "--socket", path, "--rate", "50"], tmp_path) as stubs:
        until("all modules pushed", lambda: receiver.heard() == set(NAMES))
        ids = [process_of(stubs, name) for name in NAMES]
        assert stubs.stop() == 0
    assert not [number for number in ids if psutil.pid_exists(number)]
    assert receiver.refused == []
    for push in receiver.pushes:
        counters.apply(push, 0)
    assert counters.unknown == {}


def test_udp_takes_the_same(tmp_path: Path) -> None:
    """With --udp the modules push to a port."""
    receiver = Receiver(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    receiver.socket.bind(("127.0.0.1", 0))
    port = receiver.socket.getsockname()[1]
    with Process("vitals-stubs", ["run", "--udp", f"127.0.0.1:{port}", "--modules", "asr,nlp"], tmp_path):
        until("both pushed", lambda: receiver.heard() == {"asr", "nlp"})
    receiver.socket.close()


def test_a_killed_module_comes_back_with_a_new_boot(tmp_path: Path, path: Path, receiver: Receiver) -> None:
    """As under an init system; its counters begin at zero again."""
    with Process("vitals-stubs", ["run", "--socket", path, "--modules", "asr"], tmp_path) as stubs:
        until("it pushed", lambda: receiver.boots("asr"))
        os.kill(process_of(stubs, "asr"), signal.SIGKILL)
        until("a second boot pushed", lambda: len(receiver.boots("asr")) == 2)
        assert "asr: killed by SIGKILL; starts again in 1 s" in stubs.log
    boots = receiver.boots("asr")
    first = {
        boot: next(p for p in receiver.pushes if isinstance(p, Absolute) and p.boot == boot) for boot in boots
    }
    assert all(push.counters["utterances"] <= 3 for push in first.values())


def test_faults_begin_and_end_with_the_file(tmp_path: Path, path: Path, receiver: Receiver) -> None:
    """A file that changes while the stubs run takes a module away, and gives it back."""
    faults = tmp_path / "faults"
    faults.write_text("relocalization_failing\n")
    arguments = [
        "run",
        "--socket",
        path,
        "--modules",
        "navigation,asr",
        "--fault-file",
        faults,
        "--rate",
        "20",
    ]
    with Process("vitals-stubs", arguments, tmp_path) as stubs:
        until("the fault shows", lambda: receiver.names("navigation.relocalization_faults"))
        faults.write_text("module_down:asr\n")
        until("asr is stopped", lambda: "asr: stopped" in stubs.log)
        receiver.subsystems()
        until("only navigation is heard", lambda: receiver.subsystems() == {"navigation"})
        faults.write_text("")
        until("asr is back", lambda: "asr" in receiver.subsystems())


def test_an_agent_that_comes_late_and_restarts_is_found(tmp_path: Path, path: Path) -> None:
    """Without a socket, with a stale one and with a new one in its place, the modules go on."""
    with Process("vitals-stubs", ["run", "--socket", path, "--modules", "nlp"], tmp_path) as stubs:
        until("the loss is said", lambda: "nlp: the agent at" in stubs.log)
        first = bind(path)
        until("it is heard", lambda: first.subsystems() == {"nlp"})
        first.socket.close()
        until("the loss is said again", lambda: stubs.log.count("does not listen") == 2)
        second = bind(path)
        until("it is heard again", lambda: second.subsystems() == {"nlp"})
        second.socket.close()
        assert "nlp: started" in stubs.log
        assert "ended" not in stubs.log


def test_no_module_outlives_a_killed_parent(tmp_path: Path, path: Path, receiver: Receiver) -> None:
    """kill -9 of the parent ends its modules too."""
    with Process("vitals-stubs", ["run", "--socket", path, "--modules", "asr,tts"], tmp_path) as stubs:
        until("both pushed", lambda: receiver.boots("asr") and receiver.boots("tts"))
        ids = [process_of(stubs, name) for name in ("asr", "tts")]
        stubs.kill()
        until("they end", lambda: not any(psutil.pid_exists(number) for number in ids))


def test_ctrl_c_ends_all_without_a_traceback(tmp_path: Path, path: Path, receiver: Receiver) -> None:
    """SIGINT, even to the whole process group, is a clean end."""
    output = (tmp_path / "out").open("wb")
    run = [command("vitals-stubs"), "run", "--socket", str(path), "--modules", "asr"]
    stubs = subprocess.Popen(run, stdout=output, stderr=output, process_group=0)
    until("it pushed", lambda: receiver.boots("asr"))
    os.killpg(stubs.pid, signal.SIGINT)
    assert stubs.wait(30) == 0
    output.close()
    assert "Traceback" not in (tmp_path / "out").read_text()


def test_a_closed_output_is_no_traceback(path: Path) -> None:
    """`vitals-stubs run | head -1` ends, and the modules with it."""
    shell = f"{command('vitals-stubs')} run --socket {path} --modules asr | head -1"
    result = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in result.stderr
    assert "push to" in result.stdout


def vitals_stubs(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "firmware_stubs", *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--fault", "nonsense"], "'nonsense' is no fault"),
        (["run", "--modules", "lidar"], "no module is called 'lidar'"),
        (
            ["run", "--modules", "asr", "--fault", "face_errors"],
            "concerns vision, which --modules leaves out",
        ),
        (["run", "--udp", "somewhere"], "write HOST:PORT"),
        (["run", "--rate", "-1"], "give a number above 0"),
        (["run", "--seed", "x"], "invalid int value"),
        ([], "COMMAND"),
    ],
)
def test_wrong_use_is_answered_in_a_line(arguments: list[str], says: str) -> None:
    """Exit 2, and what to do, without a traceback."""
    result = vitals_stubs(*arguments)
    assert result.returncode == 2
    assert says in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_help_and_list() -> None:
    """--help has examples; `faults` lists what there is, as JSON too."""
    assert "vitals-stubs run --udp 127.0.0.1:8125" in vitals_stubs("--help").stdout
    listed = json.loads(vitals_stubs("faults", "--json").stdout)
    assert {"fault": "face_errors", "module": "vision", "changes": ["face_errors"]} in listed
    assert "relocalization_failing" in vitals_stubs("faults").stdout
