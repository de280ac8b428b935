"""How many samples a second one collector beside its broker takes in, stored and evaluated, over MQTT.

    python bench/ingest.py [--rate 15000] [--seconds 60] [--broker nats]
    python bench/ingest.py --climb          # ever faster, until it no longer keeps up

A fleet greets, then publishes samples at the given rate, each a message of its own with QoS 1. Measured is
until the last one is committed and evaluated. Afterwards every number published must be in the export exactly
once. (What the broker drops because its queue is full counts as lost here; an agent would send it again.)

Hold: 15,000 samples/s of 40 metrics. To compare with: what paho-mqtt takes to receive the same messages and
do nothing.
"""

import sys
from pathlib import Path

sys.path.pop(0)  # this folder, whose queue.py is not Python's
sys.path.insert(0, str(Path(__file__).parents[1]))

import argparse
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import duckdb
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from agent import wire
from tests.brokers import Broker, Mosquitto, Nats
from tests.processes import Collector, command

ROOT: Final = Path(__file__).parents[1]
FLEET: Final = "bench"
BEHIND_S: Final = 5.0  # what waits longer has fallen behind
DEADLINE_S: Final = 600.0
STAGES: Final = ("link", "decode", "intake", "store", "evaluate", "answer")
_TICK: Final = os.sysconf("SC_CLK_TCK")


class FleetMosquitto(Mosquitto):
    """With the settings of `deploy/mosquitto.conf` for a large fleet."""

    def _settings(self) -> list[str]:
        return [*super()._settings(), "autosave_interval 1800", *_deployed("mosquitto.conf", "max_")]


class FleetNats(Nats):
    """With the settings of `deploy/nats.conf` for a large fleet."""

    def _command(self) -> Sequence[str]:
        made = super()._command()
        config = self.folder / "nats.conf"
        (pending,) = _deployed("nats.conf", "max_ack_pending")
        config.write_text(config.read_text().replace("mqtt: {", f"mqtt: {{{pending}, "))
        return made


def _deployed(file: str, prefix: str) -> list[str]:
    lines = (ROOT / "deploy" / file).read_text().splitlines()
    return [line.strip() for line in lines if line.strip().startswith(prefix)]


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds and memory of a process so far."""

    cpu_s: float
    rss_mib: float
    peak_mib: float

    @staticmethod
    def of(pid: int) -> "Usage":
        """Read from /proc."""
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
        sizes = {
            key: int(size) / 1024
            for key, size in re.findall(r"^(VmHWM|VmRSS):\s+(\d+)", status, re.MULTILINE)
        }
        return Usage((int(ticks[11]) + int(ticks[12])) / _TICK, sizes["VmRSS"], sizes["VmHWM"])


@dataclass(frozen=True, slots=True)
class Moment:
    """How everything stands: the collector's own counts, and what each process has used."""

    at: float
    counts: dict[str, float]
    used: dict[str, Usage]

    @property
    def stored(self) -> int:
        """Samples committed."""
        return int(self.counts["robovitals_samples_stored_total"])

    def stage(self, name: str) -> float:
        """CPU seconds of one stage."""
        return self.counts.get(f'robovitals_cpu_seconds_total{{stage="{name}"}}', 0.0)


class Driver:
    """The load process."""

    def __init__(self, port: int, robots: int, connections: int, metrics: int) -> None:
        flags = {"port": port, "fleet": FLEET, "robots": robots, "connections": connections}
        given = [f"--{name}={value}" for name, value in {**flags, "metrics": metrics}.items()]
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "bench" / "load.py"), *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    def await_greetings(self) -> None:
        """Returns once the broker has every robot's hello."""
        if self._line() != "ready":
            raise RuntimeError("the load process failed; see above")

    def go(self, rate: float, seconds: float) -> dict[str, Any]:
        """Publishes; returns once the broker has everything."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"go {rate} {seconds}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything that runs."""

    broker: Broker
    collector: Collector
    driver: Driver
    empty: Usage  # the collector's, before it knew any robot

    def now(self) -> Moment:
        """How it stands."""
        try:
            with self.collector.ask("metrics") as response:
                lines = response.read().decode().splitlines()
        except OSError as error:
            raise RuntimeError(
                f"no answer: {error}; the collector said: {self.collector.log[-3000:]}"
            ) from None
        counts = {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
        }
        assert self.collector.popen is not None
        pids = {"collector": self.collector.popen.pid, "broker": self.broker.pid, "load": self.driver.pid}
        used = {name: Usage.of(pid) for name, pid in pids.items()}
        return Moment(time.monotonic(), counts, used)

    def until_stored(self, samples: int) -> Moment:
        """When so many are committed and evaluated, or the last of them, where nothing comes any more."""
        moment = self.now()
        progress = moment
        while moment.stored < samples or moment.counts["robovitals_intake_depth"]:
            if moment.at > progress.at + 60:
                return progress
            time.sleep(0.1)
            moment = self.now()
            progress = moment if moment.stored > progress.stored else progress
        return moment


@contextmanager
def started(arguments: argparse.Namespace, folder: Path) -> Iterator[Setting]:
    """Broker, collector and load, with every robot known."""
    kind = FleetNats if arguments.broker == "nats" else FleetMosquitto
    with ExitStack() as stack:
        broker = stack.enter_context(kind(folder / "broker"))
        collector = stack.enter_context(Collector(folder, broker.url, fleet=FLEET))
        assert collector.popen is not None
        empty = Usage.of(collector.popen.pid)
        driver = stack.enter_context(
            Driver(broker.port, arguments.robots, arguments.connections, arguments.metrics)
        )
        setting = Setting(broker, collector, driver, empty)
        driver.await_greetings()
        deadline = time.monotonic() + DEADLINE_S
        while setting.now().counts["robovitals_robots_online"] < arguments.robots:
            if time.monotonic() > deadline:
                raise RuntimeError(f"not every robot is known after {DEADLINE_S:g} s")
            time.sleep(0.5)
        yield setting


class Watch:
    """Asks meanwhile how long the oldest message waits."""

    def __init__(self, setting: Setting) -> None:
        self.longest_s = 0.0
        self._setting = setting
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(2.0):
            age = self._setting.now().counts["robovitals_intake_age_seconds"]
            self.longest_s = max(self.longest_s, age)


@dataclass(frozen=True, slots=True)
class Leg:
    """One stretch at one rate."""

    rate: float
    published: dict[str, Any]
    before: Moment
    after: Moment
    longest_s: float

    @property
    def stored(self) -> int:
        """Samples committed in it."""
        return self.after.stored - self.before.stored

    @property
    def sustained(self) -> float:
        """Samples a second, from the first one's publication to the last one's evaluation."""
        return self.stored / (self.after.at - self.before.at)

    @property
    def offered(self) -> float:
        """Samples a second that were published."""
        return float(self.published["sent"] / self.published["seconds"])

    @property
    def kept_up(self) -> bool:
        """Whether nothing waited long, and the load could publish what it wanted."""
        return self.longest_s <= BEHIND_S and self.offered > 0.95 * self.rate


def run(setting: Setting, rate: float, seconds: float) -> Leg:
    """Publishes at a rate, and waits until everything is evaluated."""
    before = setting.now()
    with Watch(setting) as watch:
        published = setting.driver.go(rate, seconds)
        after = setting.until_stored(before.stored + published["sent"])
    return Leg(rate, published, before, after, watch.longest_s)


def report(leg: Leg, robots: int, empty: Usage) -> None:
    """Prints one leg."""
    stored = max(1, leg.stored)
    print(f"offered    {leg.offered:,.0f} samples/s for {leg.published['seconds']:.0f} s")
    print(
        f"sustained  {leg.sustained:,.0f} samples/s, committed and evaluated; the oldest waited "
        f"at most {leg.longest_s:.1f} s"
    )
    print(
        "CPU        us a sample, by process:",
        _listed(
            {
                name: 1e6 * (used.cpu_s - leg.before.used[name].cpu_s) / stored
                for name, used in leg.after.used.items()
            }
        ),
    )
    print(
        "           us a sample, by stage:  ",
        _listed({name: 1e6 * (leg.after.stage(name) - leg.before.stage(name)) / stored for name in STAGES}),
    )
    used = leg.after.used["collector"]
    growth = 1024 * (used.rss_mib - empty.rss_mib) / robots
    print(
        f"memory     {used.peak_mib:,.0f} MiB at its peak, {used.rss_mib:,.0f} at the end; "
        f"{growth:.1f} KiB a robot"
    )
    counted = (
        leg.after.counts["robovitals_receipts_sent_total"]
        - leg.before.counts["robovitals_receipts_sent_total"]
    )
    print(f"receipts   {counted:,.0f} sent, {leg.published['receipts']:,} delivered by the end of publishing")


def _listed(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in figures.items())


def exactly_once(collector: Collector, folder: Path, expected: int) -> int:
    """Counts the export: what is lost and what is there twice; prints both."""
    out = folder / "out.parquet"
    subprocess.run(
        [command("vitals-collector"), "export", "--data", str(collector.data), "--out", str(out)],
        check=True,
        capture_output=True,
    )
    query = "SELECT count(*), count(DISTINCT (robot, epoch, seq)) FROM read_parquet(?)"
    with duckdb.connect() as connection:
        rows, different = connection.execute(query, [str(out)]).fetchall()[0]
    lost, twice = expected - different, rows - different
    print(f"export     {rows:,} samples of {expected:,} published; lost {lost:,}, twice {twice:,}")
    return int(lost != 0) + int(twice != 0)


def bare_receive(setting: Setting, rate: float, seconds: float) -> float:
    """CPU us a message of paho-mqtt that receives the same and does nothing with it."""
    received = 0

    def count(_client: Client, _data: object, _message: MQTTMessage) -> None:
        nonlocal received
        received += 1

    client = Client(CallbackAPIVersion.VERSION2, client_id="bare")
    client.on_message = count
    client.connect("127.0.0.1", setting.broker.port)
    client.subscribe(wire.subscription(FLEET, "samples"), qos=1)
    client.loop_start()
    time.sleep(1)
    before = time.process_time()
    sent = setting.driver.go(rate, seconds)["sent"]
    deadline = time.monotonic() + 60
    while received < sent and time.monotonic() < deadline:
        time.sleep(0.05)
    used = time.process_time() - before
    client.disconnect()
    client.loop_stop()
    return 1e6 * used / max(1, received)


def measure(setting: Setting, arguments: argparse.Namespace) -> tuple[bool, int]:
    """One rate, or ever higher ones; whether the first was kept up with, and how much was published."""
    print(
        f"{arguments.robots:,} robots on {arguments.connections} connections, {arguments.metrics} metrics, "
        f"{arguments.broker}"
    )
    leg = run(setting, arguments.rate, arguments.seconds)
    report(leg, arguments.robots, setting.empty)
    held, published = leg.kept_up, leg.published["sent"]
    while arguments.climb and leg.kept_up:
        leg = run(setting, leg.rate * 1.1, arguments.seconds)
        published += leg.published["sent"]
        kept = "kept up" if leg.kept_up else "fell behind"
        print(f"climbing   {leg.offered:,.0f} samples/s offered: {leg.sustained:,.0f} sustained, {kept}")
    return held, published


def main() -> int:
    """Measures and prints; 1 if it fell behind, or something is lost or twice."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as name:
        folder = Path(name)
        with started(arguments, folder) as setting:
            held, published = measure(setting, arguments)
            setting.collector.stop()
            wrong = exactly_once(setting.collector, folder, published)
            bare = bare_receive(setting, arguments.rate, min(5, arguments.seconds))
        print(f"bare       {bare:.1f} us a message for paho-mqtt to receive the same and drop it")
    print("kept up" if held else "fell behind")
    return int(wrong or not held)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--robots", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=15_000, help="samples a second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--broker", choices=("mosquitto", "nats"), default="mosquitto")
    parser.add_argument("--connections", type=int, default=8, help="of the load")
    parser.add_argument("--metrics", type=int, default=40, help="in a sample")
    parser.add_argument("--climb", action="store_true", help="raise the rate by 10 %% until it falls behind")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
