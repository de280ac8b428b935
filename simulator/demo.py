"""`vitals-sim demo`: broker, collector, real agents on firmware stubs, and a virtual fleet with a past.

Every part is a process, as it would be in earnest. This one starts them, watches over them, and ends them.
"""

import json
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from urllib.error import URLError
from urllib.request import Request, urlopen

from simulator import record, scenario, stage
from simulator.faults import KINDS, Fault
from simulator.fleet import Robot, robots
from simulator.mqtt import wall_ms
from simulator.people import ADMIN, EVERYBODY, PeopleError
from simulator.processes import Child, stop
from simulator.registry import registry_yaml
from simulator.stage import Folder, FolderError, Note, Places

DATA_HELP = (
    "keep everything in DIR, and go on from there where an earlier demo left it "
    "(default: a new folder that is removed at the end)"
)
RESTART_AFTER_S = 2.0
_PAST_INTERVAL_MS = 300_000
_APPEARS_AFTER_MS = 12_000
_PATIENCE_S = 90.0
_IMPORT_PATIENCE_S = 900.0
_LOOK_S = 0.2
_IN_USE = re.compile(r"in use by pid (\d+)")


class UsageError(Exception):
    """The demo cannot be run so; the message says what to do instead."""


class DemoError(Exception):
    """A part of the demo does not work; the message says which, and where its log is."""


class _Ended(BaseException):
    """Ctrl-C or SIGTERM."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for; `data` None: a folder that is removed at the end; `duration_s` 0: until Ctrl-C."""

    robots: int
    http: str
    data: Path | None
    duration_s: float
    interval_s: float
    seed: int


def run(options: Options) -> int:
    """Runs the demo until it is told to end, or its time is over. Raises `UsageError` and `DemoError`."""
    if options.robots < scenario.FEWEST_ROBOTS:
        raise UsageError(f"--robots {options.robots}: a demo needs {scenario.FEWEST_ROBOTS} at least")
    _check_free(options.http)
    with ExitStack() as stack:
        folder = _folder(options, stack)
        demo = Demo(options, folder, _known(folder))
        stack.callback(demo.end)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _raise_ended)
        try:
            demo.begin()
            demo.watch()
        except _Ended:
            _say("")
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # it is ending already
    _say(
        "Ended: no process and no port is left."
        + (f" The data stays in {folder.path}." if options.data else "")
    )
    return 0


class Demo:
    """The parts, and what is known of them."""

    def __init__(self, options: Options, folder: Folder, known: Note | None) -> None:
        self._options = options
        self._folder = folder
        self._known = known
        self._places = Places(options.http, stage.free_port(), stage.free_port())
        count = known.robots if known else options.robots
        self._seed = known.seed if known else options.seed
        everyone = robots(count)
        self._virtual = everyone[: -scenario.REAL_AGENTS]
        self._real = everyone[-scenario.REAL_AGENTS :]
        self._broker = stage.broker(folder, self._places)
        self._collector = Watched(stage.collector(folder, self._places))
        self._people = stage.people(folder)
        self._token = ""
        self._robots: list[Watched] = []
        self._appears: Fault | None = None

    def begin(self) -> None:
        """Starts everything; returns when the console shows the fleet."""
        total = len(self._virtual) + len(self._real)
        _say(f"Demo of {total} robots; everything lies in {self._folder.path}", "")
        faults = self._go_on(self._known) if self._known else self._make_past()
        self._make_people()
        self._start_broker()
        self._start_collector()
        self._start_robots(faults)
        self._introduce()

    def watch(self) -> None:
        """Keeps the parts running, and tells of the alert that arrives, until the time is over."""
        end = time.monotonic() + self._options.duration_s if self._options.duration_s else float("inf")
        while time.monotonic() < end:
            for part in (self._collector, *self._robots):
                part.keep_running()
            if not self._broker.running:
                raise DemoError(f"the broker ended: {self._broker.last_words}")
            self._look_for_alert()
            time.sleep(_LOOK_S)

    def end(self) -> None:
        """Ends every part: first those that send, then those that listen."""
        stop(part.child for part in reversed(self._robots))
        stop([self._collector.child])
        stop([self._broker])
        if self._collector.foreign:
            _say(f"The collector you started (pid {self._collector.foreign}) is left alone.")

    def _make_past(self) -> tuple[Fault, ...]:
        now = wall_ms()
        faults = scenario.faults(self._virtual, self._seed, now)
        self._folder.keep(Note(len(self._virtual) + len(self._real), self._seed, faults))
        today = datetime.fromtimestamp(now / 1_000, UTC).date()
        registered = registry_yaml([*self._virtual, *self._real], today)
        self._folder.registry.write_text(registered, encoding="utf-8")
        with _Step(
            f"Recording {scenario.PAST_DAYS:g} days of past of {len(self._virtual)} virtual robots"
        ) as step:
            past = record.Past.ending(
                now, scenario.PAST_DAYS, self._virtual, faults, self._seed, _PAST_INTERVAL_MS
            )
            step.result = f"{record.write(past, self._folder.past)} samples"
        with _Step("Importing registry and past through store, rules and queue"):
            self._do("registry", "import", str(self._folder.registry))
            self._do("import", str(self._folder.past))
        self._folder.ready()
        return faults

    def _go_on(self, known: Note) -> tuple[Fault, ...]:
        with _Step("Going on from an earlier demo: exporting what its collector has"):
            self._do("export", "--out", str(self._folder.past))
        return known.faults

    def _do(self, *arguments: str) -> None:
        task = stage.collector_task(self._folder, *arguments)
        if task.run(_IMPORT_PATIENCE_S) != 0:
            raise DemoError(f"vitals-collector {' '.join(arguments)}: {task.last_words}")

    def _make_people(self) -> None:
        with _Step(f"Making {len(EVERYBODY)} people who may sign in, and a token for this program"):
            try:
                self._people.add()
                self._token = self._people.token()
            except PeopleError as error:
                raise DemoError(f"vitals-collector people: {error}") from None

    def _start_broker(self) -> None:
        with _Step(f"Starting the broker, a NATS server with MQTT, on port {self._places.mqtt_port}"):
            self._broker.start()
            _wait("the broker", self._broker, lambda: _listens("127.0.0.1", self._places.mqtt_port))

    def _start_collector(self) -> None:
        with _Step("Starting the collector"):
            self._collector.child.start()
            _wait("the collector", self._collector.child, lambda: self._get("health") is not None)

    def _start_robots(self, faults: tuple[Fault, ...]) -> None:
        self._appears = scenario.appearing(self._virtual, faults, wall_ms() + _APPEARS_AFTER_MS)
        seed, interval_s = self._seed, self._options.interval_s
        every_fault = (*faults, self._appears)
        fleet = stage.fleet(self._folder, self._places, len(self._virtual), seed, interval_s, every_fault)
        with _Step(
            f"Starting {len(self._real)} agents on firmware stubs, and {len(self._virtual)} virtual robots"
        ):
            self._robots.append(Watched(fleet))
            for agent, stubs in stage.real_robots(self._folder, self._places, self._real, interval_s):
                self._robots += [Watched(agent), Watched(stubs)]
            for part in self._robots:
                part.child.start()
            _wait("the fleet", fleet, self._fleet_is_here)

    def _fleet_is_here(self) -> bool:
        answer = self._get("robots?limit=500") or {"items": []}
        online = [robot for robot in answer["items"] if robot["presence"] == "online"]
        return len(online) >= min(len(self._virtual) // 2, 100)

    def _introduce(self) -> None:
        port = self._places.mqtt_port
        parts = [self._broker, self._collector.child, *(part.child for part in self._robots)]
        appears = self._robot_of(self._appears)
        _say(
            "",
            f"  Console     {self._places.console}; each of these links signs in once, within 15 minutes:",
            *self._links(),
            f"              another one: {self._people.link_command(ADMIN)}",
            f"  API         curl -H 'Authorization: Bearer {self._token}' \\",
            f"                {self._places.console}/api/v1/alerts",
            f"  Broker      {self._places.mqtt}",
            f"              mosquitto_sub -p {port} -t 'vitals/v1/#' -v",
            f"  Processes   {', '.join(f'{part.name} {part.pid}' for part in parts)}",
            f"  Collector   after kill -9 {self._collector.child.pid} it comes back by itself; by hand:",
            f"              {' '.join(self._collector.child.command)}",
            f"  Logs        {self._folder.log('*')}",
            "",
            f"Watch {appears.id} ({appears.name}, {appears.site}):",
            "it is losing its place, which is an alert in about a minute.",
            "Ctrl-C ends everything."
            if not self._options.duration_s
            else f"Ends in {self._options.duration_s:g} s.",
            "",
        )

    def _links(self) -> list[str]:
        try:
            links = zip(EVERYBODY, self._people.links(EVERYBODY), strict=True)
            return [f"  {person.id:11} {link}   {person.name}" for person, link in links]
        except PeopleError as error:
            raise DemoError(f"vitals-collector people link: {error}") from None

    def _look_for_alert(self) -> None:
        if self._appears is None or int(time.monotonic() / _LOOK_S) % 5:
            return
        robot, rule = self._robot_of(self._appears), KINDS[self._appears.kind].rule
        answer = self._get(f"alerts?state=open&robot={robot.id}&rule={rule}")
        if answer is not None and answer["items"]:
            self._appears = None
            _tell(f"New alert: {answer['items'][0]['summary']['en']}")

    def _robot_of(self, fault: Fault | None) -> Robot:
        return self._virtual[fault.robot - 1 if fault else 0]

    def _get(self, path: str) -> Any:
        """An answer of the collector's API; None while there is none."""
        try:
            address, headers = (
                f"{self._places.console}/api/v1/{path}",
                {"Authorization": f"Bearer {self._token}"},
            )
            with urlopen(Request(address, headers=headers), timeout=5) as response:  # noqa: S310 - http
                return json.load(response)
        except (URLError, OSError, ValueError):
            return None

    def _request(self, path: str) -> Request:
        headers = {"Authorization": f"Bearer {self._token}"}
        return Request(f"{self._places.console}/api/v1/{path}", headers=headers)  # noqa: S310 - http


class Watched:
    """A part that is started again when it ends; unless somebody else has taken its place."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.foreign = 0  # a process that we did not start holds its data
        self._ended_at: float | None = None

    def keep_running(self) -> None:
        """Looks after it once."""
        now = time.monotonic()
        if self.child.running or (self.foreign and _lives(self.foreign)):
            self._ended_at = None
        elif self._ended_at is None:
            self._ended(now)
        elif now - self._ended_at >= RESTART_AFTER_S:
            self._ended_at = None
            self.foreign = 0
            self.child.start()
            _tell(f"Started the {self.child.name} again: pid {self.child.pid}")

    def _ended(self, now: float) -> None:
        self._ended_at = now
        held = _IN_USE.search(self.child.last_words) if self.child.exit_code else None
        if held and int(held[1]) != self.child.pid and _lives(int(held[1])):
            self.foreign = int(held[1])
            _tell(f"Somebody runs the {self.child.name} by hand (pid {self.foreign}): it is left alone")
        else:
            which = "run by hand " if self.foreign else ""
            how = "" if self.foreign else f" (exit code {self.child.exit_code})"
            _tell(f"The {self.child.name} {which}ended{how}; it is started again")


class _Step:
    """One line of what the demo is doing, with how long it took."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.result = "done"

    def __enter__(self) -> "_Step":
        self._began = time.monotonic()
        print(f"  {self._text} … ", end="", flush=True)  # noqa: T201
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        took = time.monotonic() - self._began
        _say(f"{self.result if kind is None else 'stopped'} ({took:.1f} s)")


def _folder(options: Options, stack: ExitStack) -> Folder:
    if options.data is not None:
        return Folder(options.data.resolve())
    path = Path(tempfile.mkdtemp(prefix="robovitals-demo-"))
    stack.callback(shutil.rmtree, path, ignore_errors=True)
    return Folder(path)


def _known(folder: Folder) -> Note | None:
    try:
        return folder.prepare()
    except FolderError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{folder.path}: {error.strerror}; give another --data") from None


def _check_free(http: str) -> None:
    host, _, port = http.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise UsageError(f"--http {http!r}: write HOST:PORT, for example 127.0.0.1:8080")
    if _listens(host.strip("[]"), int(port)):
        raise UsageError(
            f"{http} is taken; choose another with --http, for example 127.0.0.1:{stage.free_port()}"
        )


def _wait(what: str, child: Child, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not ready():
        if not child.running or time.monotonic() > deadline:
            why = child.last_words or "it says nothing"
            raise DemoError(f"{what} does not come up: {why}")
        time.sleep(0.1)


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _raise_ended(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Ended


def _tell(news: str) -> None:
    _say(f"{time.strftime('%H:%M:%S')}  {news}")


def _say(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stdout, flush=True)  # noqa: T201
