"""Real processes for the system tests: the installed commands, started, watched, killed by their own id."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.error import URLError

import pytest

from tests.brokers import free_port

DEADLINE_S = 120.0
PERSON = "tester"
_T = TypeVar("_T")


def command(name: str) -> str:
    """Where a command of this installation lies."""
    return str(Path(sys.executable).with_name(name))


def until(what: str, probe: Callable[[], _T | None], deadline_s: float = DEADLINE_S) -> _T:
    """Asks until `probe` answers with something true, and returns that; fails, naming `what`, too late."""
    end = time.monotonic() + deadline_s
    while not (answer := probe()):
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline_s:g} s: {what}")
        time.sleep(0.05)
    return answer


class Process:
    """One command running, its output in a file."""

    def __init__(self, name: str, arguments: Sequence[object], folder: Path) -> None:
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self.output = folder / f"{name}-{time.monotonic_ns()}.log"
        self.popen: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it, again if need be."""
        with self.output.open("ab") as output:
            self.popen = subprocess.Popen(
                [command(self.name), *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    @property
    def log(self) -> str:
        """What it printed so far."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def stop(self) -> int:
        """Ends it as an operator would, and returns its exit code."""
        return self.end(signal.SIGTERM)

    def kill(self) -> int:
        """kill -9."""
        return self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> int:
        """Sends a signal and waits; what does not obey in time is killed."""
        if self.popen is None:
            return 0
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        try:
            return self.popen.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            pytest.fail(f"{self.name} does not end on {how.name}: {self.log[-2000:]}")


class Collector(Process):
    """A collector on a folder of its own; its API answers once `start` has returned."""

    def __init__(self, folder: Path, mqtt: str, *more: object, fleet: str = "test") -> None:
        self.data = folder / "collector"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.database = _database(more)
        self._token: str | None = None
        base = ["run", "--data", self.data, "--mqtt", mqtt, "--fleet", fleet, "--http", self.url[7:]]
        super().__init__("vitals-collector", [*base, *more], folder)

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        super().start()
        until(f"the collector answers; it said: {self.log[-2000:]}", self._answers)

    def get(self, path: str) -> Any:
        """An answer of the API, as JSON."""
        with self.ask(f"api/v1/{path}") as response:
            return json.load(response)

    def post(self, path: str, body: object) -> Any:
        """What the API answers to JSON."""
        with self.ask(f"api/v1/{path}", body) as response:
            return json.load(response)

    def ask(self, path: str, body: object = None) -> HTTPResponse:
        """The answer to a request of a script with a token of the API; health needs none."""
        headers = {} if path == "api/v1/health" else {"Authorization": f"Bearer {self.token()}"}
        data = None if body is None else json.dumps(body).encode()
        headers |= {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/{path}", data, headers)
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=60)
        return answer

    def token(self) -> str:
        """A token of the API, made by the command that makes them."""
        if self._token is None:
            self._people("add", PERSON, "--role", "admin")
            made = self._people("token", PERSON, "--name", "tests", "--json")
            self._token = str(json.loads(made)["token"])
        return self._token

    def _people(self, *arguments: str) -> str:
        where = ["--data", str(self.data), *self.database]
        done = subprocess.run(
            [command("vitals-collector"), "people", *arguments, *where],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        known = "there is a person named" in done.stderr
        if done.returncode and not known:
            pytest.fail(f"vitals-collector people {arguments[0]}: {done.stderr}")
        return done.stdout

    def try_get(self, path: str) -> Any:
        """The same, or None where there is no answer (yet)."""
        try:
            return self.get(path)
        except (URLError, ConnectionError, TimeoutError):
            return None

    def _answers(self) -> bool:
        assert self.popen is not None
        if self.popen.poll() is not None:
            pytest.fail(f"the collector ended: {self.log[-2000:]}")
        return self.try_get("health") is not None


def _database(arguments: Sequence[object]) -> list[str]:
    """`--database URL`, where the collector has it."""
    told = [str(argument) for argument in arguments]
    at = told.index("--database") if "--database" in told else len(told)
    return told[at : at + 2]


class Agent(Process):
    """A robot's agent with a spool and sockets of its own."""

    def __init__(self, folder: Path, mqtt: str, robot: str, *more: object, fleet: str = "test") -> None:
        self.robot = robot
        self.spool = folder / robot / "spool"
        self.spool.mkdir(parents=True, exist_ok=True)
        self.socket = folder / robot / "vitals.sock"
        self.udp_port = free_port()
        local = ["--spool", self.spool, "--socket", self.socket, "--udp", f"127.0.0.1:{self.udp_port}"]
        far = ["run", "--fleet", fleet, "--robot", robot, "--mqtt", mqtt]
        super().__init__("vitals-agent", [*far, *local, *more], folder)
