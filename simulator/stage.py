"""The parts of the demo: what is started with which command, and the folder in which it all lies."""

import json
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from simulator.faults import Fault, spec
from simulator.fleet import Robot
from simulator.people import People
from simulator.processes import Child

FLEET = "demo"
STUB_FAULT = "lidar_failing"  # of the second real robot
_LONGEST_SOCKET = 100  # bytes of a Unix socket's path; the kernel takes 107


class FolderError(Exception):
    """The folder cannot hold this demo; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a folder remembers of its demo, so that a later one goes on from there."""

    robots: int
    seed: int
    faults: tuple[Fault, ...]

    def encode(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def decode(cls, text: str) -> Self:
        """From JSON. Raises `ValueError`, `KeyError` or `TypeError`."""
        document = json.loads(text)
        faults = tuple(Fault(**fault) for fault in document["faults"])
        return cls(int(document["robots"]), int(document["seed"]), faults)


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the demo keeps everything."""

    path: Path

    @property
    def collector(self) -> Path:
        """The collector's data."""
        return self.path / "collector"

    @property
    def past(self) -> Path:
        """The recording from which the virtual robots go on."""
        return self.path / "past.parquet"

    @property
    def registry(self) -> Path:
        """Customers, contracts, sites and robots of the fleet."""
        return self.path / "registry.yaml"

    def log(self, name: str) -> Path:
        """Where a part's output goes."""
        return self.path / "log" / f"{name}.log"

    def prepare(self) -> Note | None:
        """Makes the folder; answers what an earlier demo left there. Raises `FolderError`."""
        if self._ready.exists():
            return self._note()
        if self.path.exists() and any(self.path.iterdir()):
            self._clear()
        self._part("log").mkdir(parents=True, exist_ok=True)
        return None

    def keep(self, note: Note) -> None:
        """Remembers the demo, before anything else is put there."""
        self._note_file.write_text(note.encode(), encoding="utf-8")

    def ready(self) -> None:
        """From here on the folder's past is whole, and a later demo goes on from it."""
        self._ready.touch()

    def _note(self) -> Note:
        try:
            return Note.decode(self._note_file.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FolderError(f"{self._note_file}: damaged ({error}); give another --data") from None

    def _clear(self) -> None:
        """Removes what a demo left that was ended before its past was whole; touches nothing else."""
        if not self._note_file.exists():
            raise FolderError(f"{self.path} holds something else; give a new folder with --data")
        for name in ("collector", "broker", "agents", "log"):
            shutil.rmtree(self._part(name), ignore_errors=True)

    @property
    def _note_file(self) -> Path:
        return self._part("demo.json")

    @property
    def _ready(self) -> Path:
        return self._part("ready")

    def _part(self, name: str) -> Path:
        return self.path / name


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts listen."""

    http: str
    mqtt_port: int
    nats_port: int

    @property
    def mqtt(self) -> str:
        """The broker's URL."""
        return f"mqtt://127.0.0.1:{self.mqtt_port}"

    @property
    def console(self) -> str:
        """What to open in a browser."""
        return f"http://{self.http}"


def broker(folder: Folder, places: Places) -> Child:
    """The NATS server with its MQTT listener; what it must not lose lies in the folder."""
    store = folder.path / "broker"
    store.mkdir(exist_ok=True)
    config = store / "nats.conf"
    config.write_text(
        'server_name: "robovitals-demo"\n'
        f'listen: "127.0.0.1:{places.nats_port}"\n'
        f"jetstream: {{store_dir: {json.dumps(str(store))}}}\n"
        f'mqtt: {{listen: "127.0.0.1:{places.mqtt_port}"}}\n',
        encoding="utf-8",
    )
    return Child("broker", [_program("nats-server"), "-c", str(config)], folder.log("broker"))


def collector(folder: Folder, places: Places) -> Child:
    """`vitals-collector run`."""
    data = ["--data", str(folder.collector), "--mqtt", places.mqtt, "--fleet", FLEET, "--http", places.http]
    return Child("collector", [_program("vitals-collector"), "run", *data], folder.log("collector"))


def collector_task(folder: Folder, *arguments: str) -> Child:
    """A `vitals-collector` command that ends by itself, on the same data."""
    command = [_program("vitals-collector"), *arguments, "--data", str(folder.collector)]
    return Child(f"collector-{arguments[0]}", command, folder.log(f"collector-{arguments[0]}"))


def people(folder: Folder) -> People:
    """`vitals-collector people`, on the same data."""
    return People([_program("vitals-collector"), "people"], ["--data", str(folder.collector)])


def fleet(
    folder: Folder, places: Places, count: int, seed: int, interval_s: float, faults: Sequence[Fault]
) -> Child:
    """`vitals-sim fleet`, going on from the folder's recording."""
    told = [argument for fault in faults for argument in ("--fault", spec(fault))]
    options = ["--robots", str(count), "--seed", str(seed), "--interval", str(interval_s), *told]
    where = ["--mqtt", places.mqtt, "--fleet", FLEET, "--start-from", str(folder.past)]
    return Child("fleet", [_program("vitals-sim"), "fleet", *where, *options], folder.log("fleet"))


def real_robots(
    folder: Folder, places: Places, members: Sequence[Robot], interval_s: float
) -> Iterator[tuple[Child, Child]]:
    """For each robot its agent, and the firmware stubs that push to it; the second robot has a fault."""
    for position, robot in enumerate(members):
        home = folder.path / "agents" / robot.id
        home.mkdir(parents=True, exist_ok=True)
        unix, udp = home / "vitals.sock", f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
        fits = len(str(unix).encode()) <= _LONGEST_SOCKET
        config = home / "agent.yaml"
        settings = {
            "fleet": FLEET,
            "robot": robot.id,
            "mqtt": places.mqtt,
            "interval_s": interval_s,
            "spool": str(home / "spool"),
            "socket": str(unix) if fits else "off",
            "udp": udp,
            "tz": robot.tz,
            "labels": robot.labels,
        }
        config.write_text(
            json.dumps(settings, indent=1, ensure_ascii=False), encoding="utf-8"
        )  # JSON is YAML
        (home / "spool").mkdir(exist_ok=True)
        agent = [_program("vitals-agent"), "run", "--config", str(config)]
        by = ["--socket", str(unix)] if fits and position != 0 else ["--udp", udp]
        faults = ["--fault", STUB_FAULT] if position == 1 else []
        stubs = [_program("vitals-stubs"), "run", *by, "--seed", str(robot.number), *faults]
        yield (
            Child(f"agent {robot.id}", agent, folder.log(f"agent-{robot.id}")),
            Child(f"stubs {robot.id}", stubs, folder.log(f"stubs-{robot.id}")),
        )


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _program(name: str) -> str:
    """A command of this installation."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else (shutil.which(name) or name)
