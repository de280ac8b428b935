"""vmalert over VictoriaMetrics: started, fed with a day, asked what it found, and ended again."""

import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np

from bench.conditions import series
from bench.day import Day
from tests.brokers import free_port

PROGRAMS: Final = ("victoria-metrics", "vmalert")
_TICK: Final = os.sysconf("SC_CLK_TCK")
_DEADLINE_S: Final = 60.0
_SERIES_AT_ONCE: Final = 200  # robots in one request of the import


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took."""

    wall_s: float
    cpu_s: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)


def missing() -> list[str]:
    """The programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


class Program:
    """One of the programs at work on a port of its own; its output goes to a file."""

    def __init__(self, name: str, flags: Sequence[str], folder: Path) -> None:
        self.port = free_port()
        self.log = folder / f"{name}-{self.port}.log"
        with self.log.open("wb") as log:
            command = [name, f"-httpListenAddr=127.0.0.1:{self.port}", *flags]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def await_ready(self) -> None:
        """Returns once it answers. Raises `RuntimeError`."""
        end = time.monotonic() + _DEADLINE_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self.get("/health")
                return
            except (URLError, ConnectionError):
                time.sleep(0.05)
        raise RuntimeError(f"{self._process.args!r} does not answer: {_last_lines(self.log)}")

    def wait(self) -> int:
        """Returns its exit status once it has ended, and CPU seconds are told by `cpu_s`."""
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._cpu_s = used.ru_utime + used.ru_stime
        return self._process.returncode

    @property
    def cpu_s(self) -> float:
        """User and system time so far."""
        if self._process.returncode is not None:
            return self._cpu_s
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def get(self, path: str) -> bytes:
        """The body of the answer."""
        with urlopen(self.url + path, timeout=600) as answer:
            body: bytes = answer.read()
            return body


class VictoriaMetrics(Program):
    """The store."""

    def __init__(self, folder: Path) -> None:
        flags = (
            f"-storageDataPath={folder / 'data'}",
            "-retentionPeriod=100y",
            "-search.maxUniqueTimeseries=10000000",
            "-search.maxSamplesPerQuery=100000000000",
            "-search.maxQueryDuration=10m",
            "-search.maxQueueDuration=5m",
        )
        super().__init__("victoria-metrics", flags, folder)

    def take(self, day: Day) -> None:
        """Imports the day; a series is a metric of a robot."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        for begin in range(0, day.robots, _SERIES_AT_ONCE):
            rows = range(begin, min(begin + _SERIES_AT_ONCE, day.robots))
            body = "\n".join(line for row in rows for line in _lines(day, row))
            connection.request("POST", "/api/v1/import", body.encode())
            answer = connection.getresponse()
            answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"the import was answered by {answer.status}")
        connection.close()
        self.settle()

    def settle(self) -> None:
        """Makes everything taken in visible to queries, and forgets answers given before."""
        self.get("/internal/force_flush")
        self.get("/internal/resetRollupResultCache")

    def query(self, expression: str, at_ms: int) -> list[Any]:
        """The answer of an instant query."""
        path = f"/api/v1/query?nocache=1&time={at_ms / 1000}&query={quote(expression)}"
        found: list[Any] = json.loads(self.get(path))["data"]["result"]
        return found

    def firing(self, day: Day, rules: Sequence[str]) -> dict[str, np.ndarray[Any, np.dtype[np.bool_]]]:
        """By rule, [evaluation, robot]: whether it fired; the first is a minute after the start."""
        self.settle()
        fired = {rule: np.zeros((day.minutes, day.robots), dtype=np.bool_) for rule in rules}
        match = quote('ALERTS{alertstate="firing"}')
        for line in self.get(f"/api/v1/export?match[]={match}").splitlines():
            found = json.loads(line)
            row = day.roster.index(found["metric"]["robot"])
            slots = (np.array(found["timestamps"]) - day.start) // 60_000 - 1
            fired[found["metric"]["alertname"]][slots[(slots >= 0) & (slots < day.minutes)], row] = True
        return fired


def replay(store: VictoriaMetrics, rules: Path, day: Day, folder: Path) -> Cost:
    """What vmalert and the store took to judge the whole day after the fact; the alerts are in the store."""
    before, began = store.cpu_s, time.monotonic()
    flags = (
        f"-rule={rules}",
        f"-datasource.url={store.url}",
        f"-remoteWrite.url={store.url}",
        f"-replay.timeFrom={_rfc3339(day.start + 60_000)}",
        f"-replay.timeTo={_rfc3339(day.end)}",
        "-replay.rulesDelay=0",
        f"-replay.maxDatapointsPerQuery={day.minutes + 60}",  # one query a rule
        "-replay.disableProgressBar",
        "-datasource.queryStep=1m",  # else it replays in steps of 5m, and no `for` is ever over
        "-remoteWrite.maxQueueSize=10000000",
        "-remoteWrite.maxBatchSize=10000",
    )
    vmalert = Program("vmalert", flags, folder)
    if vmalert.wait() != 0:
        raise RuntimeError(f"vmalert -replay failed: {_last_lines(vmalert.log)}")
    return Cost(time.monotonic() - began, vmalert.cpu_s + store.cpu_s - before)


def evaluations(store: VictoriaMetrics, rules: Path, at: int, count: int, folder: Path) -> list[Cost]:
    """What each of so many evaluations of the group took, the first one at `at`: wall time as vmalert tells.

    Its clock is told to lag, so that the day seems to be now.
    """
    with _sink() as notifier:
        lag_ms = int(time.time() * 1000) - at
        flags = (
            f"-rule={rules}",
            f"-datasource.url={store.url}",
            f"-remoteWrite.url={store.url}",
            f"-notifier.url={notifier}",
            f"-datasource.lookback={lag_ms}ms",
        )
        with Program("vmalert", flags, folder) as vmalert:
            vmalert.await_ready()
            return list(islice(_costs(vmalert, store), count))


def _costs(vmalert: Program, store: VictoriaMetrics) -> Iterator[Cost]:
    """Of each evaluation, from the sums over all of them."""
    total, count, used = 0.0, 0, vmalert.cpu_s + store.cpu_s
    while True:
        time.sleep(0.2)
        text = vmalert.get("/metrics").decode()
        now = _value(text, "vmalert_iteration_duration_seconds_sum")
        done = int(_value(text, "vmalert_iteration_duration_seconds_count"))
        if done > count:
            now_used = vmalert.cpu_s + store.cpu_s
            yield Cost((now - total) / (done - count), (now_used - used) / (done - count))
            total, count, used = now, done, now_used


def _value(text: str, name: str) -> float:
    found = re.search(rf"^{name}{{[^}}]*}} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@contextmanager
def _sink() -> Iterator[str]:
    """An Alertmanager that takes everything and does nothing."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Sink(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is the base class's
        pass


def _lines(day: Day, row: int) -> Iterator[str]:
    present = day.present[:, row]
    timestamps = _joined(day.t[present, row])
    labels = f'"robot":"{day.roster.ids[row]}","site":"{day.roster.robots[row].attributes["site"]}"'
    for metric, column in day.values.items():
        values = _joined(column[present, row])
        yield (
            f'{{"metric":{{"__name__":"{series(metric)}",{labels}}},'
            f'"values":[{values}],"timestamps":[{timestamps}]}}'
        )


def _joined(column: np.ndarray[Any, Any]) -> str:
    return json.dumps(column.tolist())[1:-1]


def _rfc3339(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _last_lines(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-5:])


def version() -> str:
    """Of the Debian package; the programs themselves are built without one."""
    found = subprocess.run(
        ["dpkg-query", "-W", "-f=${Version}", "victoria-metrics"], capture_output=True, text=True, check=False
    )
    return found.stdout or "unknown"


def median(costs: Sequence[Cost]) -> Cost:
    """Of the evaluations, but for the first one, which finds cold caches."""
    counted = costs[1:] if len(costs) > 1 else costs
    walls, cpus = [cost.wall_s for cost in counted], [cost.cpu_s for cost in counted]
    return Cost(statistics.median(walls), statistics.median(cpus))
