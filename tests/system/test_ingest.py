"""The collector over real brokers: whatever is published is stored once and answered, kill -9 included."""

import itertools
import json
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import duckdb
import pytest

from tests.brokers import Broker
from tests.processes import Collector, Process, command, until
from tests.system.robots import Robot

pytestmark = pytest.mark.system
RULES = """
schema: robovitals-rules/1
defaults: {missing_data: keep_last_state}
groups:
- name: quick
  interval: 1s
  rules:
  - alert: ManyFaults
    about: {en: Many faults, zh: 故障多}
    for_each: robot
    when: {increase: navigation.lidar_faults, over: 10m, is: at least 5}
    labels: {severity: high, subsystem: navigation}
    summary: {en: "{robot} has faults", zh: "{robot} 故障"}
    call_to_action: {next_step: {en: Look, zh: 查看}}
"""
FAULTY = {"lidar_faults": 10_000}


@pytest.fixture
def quick(tmp_path: Path) -> tuple[str, ...]:
    """Flags for a collector with one rule that fires within seconds."""
    (tmp_path / "rules.yaml").write_text(RULES)
    return ("--rules", str(tmp_path / "rules.yaml"), "--eval-delay", "1")


def exported(collector: Collector, folder: Path) -> list[tuple[Any, ...]]:
    """(robot, epoch, samples, different numbers, lowest, highest) of the export."""
    out = folder / "out.parquet"
    vitals("export", "--data", collector.data, "--out", out)
    query = """
        SELECT robot, epoch, count(*), count(DISTINCT seq), min(seq), max(seq)
        FROM read_parquet(?) GROUP BY robot, epoch ORDER BY robot, epoch
    """
    with duckdb.connect() as connection:
        return connection.execute(query, [str(out)]).fetchall()


def fail_until_alert(robot: Robot, collector: Collector) -> tuple[list[dict[str, Any]], int]:
    """Publishes ever more faults until an alert is open; answers the alerts and the next number."""
    numbers = itertools.count(1)

    def fail() -> list[dict[str, Any]]:
        number = next(numbers)
        robot.samples(number, 1, {"lidar_faults": min(5 * number, FAULTY["lidar_faults"])})
        time.sleep(0.2)
        alerts: list[dict[str, Any]] = collector.get("alerts")["items"]
        return alerts

    alerts = until("an alert opens", fail)
    return alerts, next(numbers)


def vitals(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs `vitals-collector`, which must end with that status and print no traceback."""
    done = subprocess.run(
        [command("vitals-collector"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_samples_are_stored_once_and_answered(broker: Broker, tmp_path: Path) -> None:
    """Hello, samples, duplicates and a backlog: a receipt for all, each number once, and the robot known."""
    with Collector(tmp_path, broker.url) as collector, Robot(broker.url, "r1") as robot:
        robot.hello(next=301)
        until("hello is answered", lambda: robot.stored_until == 0 or None)
        robot.samples(301, 1)
        robot.samples(1, 150)
        robot.samples(100, 201)
        robot.samples(1, 150)
        until("all of it is answered", lambda: robot.stored_until == 301 or None)
        assert exported(collector, tmp_path) == [("r1", "e1", 301, 301, 1, 301)]
        found = collector.get("robots/r1")
        assert (found["lifecycle"], found["presence"]) == ("unclaimed", "online")
        assert collector.get("health")["ok"]


def test_kill_9_keeps_samples_and_alerts(broker: Broker, tmp_path: Path, quick: tuple[str, ...]) -> None:
    """Killed amid a stream and started again: every number once, the same alerts with the same ids."""
    with Collector(tmp_path, broker.url, *quick) as collector, Robot(broker.url, "r1") as robot:
        robot.hello()
        before, seq = fail_until_alert(robot, collector)
        for number in range(seq, seq + 20):
            robot.samples(number, 1, FAULTY)
        collector.kill()
        robot.samples(seq + 20, 5, FAULTY)  # nobody is there
        collector.start()
        robot.samples(1, seq + 24, FAULTY)  # as an agent would: again from the oldest it holds
        last = seq + 24
        until("all of it is answered", lambda: robot.stored_until == last or None)
        assert exported(collector, tmp_path) == [("r1", "e1", last, last, 1, last)]
        after = collector.get("alerts?state=all")["items"]
        assert [(a["id"], a["rule"], a["opened_at"], a["signal"]) for a in after] == [
            (a["id"], a["rule"], a["opened_at"], a["signal"]) for a in before
        ]


def test_losses_are_declared(nats: Broker, tmp_path: Path) -> None:
    """What the agent gave up is stepped over, counted, and known after a restart."""
    with Collector(tmp_path, nats.url) as collector, Robot(nats.url, "r1") as robot:
        robot.hello()
        robot.samples(1, 3)
        robot.samples(14, 1, first=14)
        until("the hole is settled", lambda: robot.stored_until == 14 or None)
        assert collector.get("robots/r1")["samples_lost"] == 10
        collector.kill()
        collector.start()
        assert collector.get("robots/r1")["samples_lost"] == 10


def test_garbage_is_refused_and_counted(nats: Broker, tmp_path: Path) -> None:
    """Malformed messages stop nothing: the next good one is stored."""
    with Collector(tmp_path, nats.url) as collector, Robot(nats.url, "r1") as robot:
        for payload in (b"", b"\x78\x9c garbage", b"{}", b"[1,2", b'{"epoch":1}', b"\xff" * 1000):
            for channel in ("hello", "status", "samples"):
                robot.raw(channel, payload)
        robot.hello()
        robot.samples(1, 2)
        until("the good ones are stored", lambda: robot.stored_until == 2 or None)
        assert collector.get("health")["ok"]
        assert "Traceback" not in collector.log


class Impatient(Collector):
    """A collector that nobody waits for."""

    def start(self) -> None:
        """Starts it, well or not."""
        Process.start(self)


def ailing(collector: Collector) -> str | None:
    """What health says of the broker while the collector is not well; None: no answer, or it is well."""
    try:
        collector.get("health")
    except HTTPError as refusal:
        return str(json.load(refusal)["parts"]["broker"]) if refusal.code == 503 else None
    except OSError:
        return None
    return None


def test_broker_that_is_away_is_waited_for(nats: Broker, tmp_path: Path) -> None:
    """The API answers meanwhile and says so; samples come once the broker does."""
    nats.stop()
    with Impatient(tmp_path, nats.url) as collector:
        said = until("the API says that the broker is away", lambda: ailing(collector))
        assert nats.url in said
        nats.start()
        until("it is well", lambda: collector.try_get("health"))
        with Robot(nats.url, "r1") as robot:
            robot.hello()
            until("hello is answered", lambda: robot.stored_until == 0 or None)


def test_stop_is_clean(nats: Broker, tmp_path: Path) -> None:
    """On SIGTERM what was taken in is committed, the status is offline, the exit status 0."""
    with Collector(tmp_path, nats.url) as collector, Robot(nats.url, "r1") as robot:
        robot.hello()
        until("hello is answered", lambda: robot.stored_until == 0 or None)
        robot.samples(1, 50)
        until("the first are answered", lambda: robot.stored_until == 50 or None)
        assert collector.stop() == 0
        assert "Traceback" not in collector.log
        assert not (collector.data / "collector.json").exists()
        assert exported(collector, tmp_path) == [("r1", "e1", 50, 50, 1, 50)]


def test_a_folder_has_one_process(nats: Broker, tmp_path: Path) -> None:
    """A second collector, and an import, name the process that is there."""
    with Collector(tmp_path, nats.url) as collector:
        assert collector.popen is not None
        flags = ["--data", collector.data, "--mqtt", nats.url, "--fleet", "test", "--http", "127.0.0.1:0"]
        done = vitals("run", *flags, status=2)
        assert f"is in use by pid {collector.popen.pid}" in done.stderr


def test_roster_import_reaches_a_running_collector(nats: Broker, tmp_path: Path) -> None:
    """Robots registered while it runs appear in its API."""
    roster = tmp_path / "robots.csv"
    roster.write_text("id,name,customer,site\nlobby-1,Lobby,Acme,HQ\n")
    with Collector(tmp_path, nats.url) as collector:
        done = vitals("roster", "import", roster, "--data", collector.data, "--json")
        assert json.loads(done.stdout)["added"] == 1
        found = until("the robot is there", lambda: collector.try_get("robots/lobby-1"))
        assert (found["site"], found["presence"]) == ("HQ", "never")


def test_import_takes_the_past_in_once(nats: Broker, tmp_path: Path, quick: tuple[str, ...]) -> None:
    """An exported fleet imported elsewhere has the same alerts; again, nothing changes; then it lives on."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    with Collector(tmp_path / "a", nats.url, *quick) as first, Robot(nats.url, "r1") as robot:
        robot.hello()
        [alert], seq = fail_until_alert(robot, first)
        exported(first, tmp_path)
        first.stop()
        second = Collector(tmp_path / "b", nats.url, *quick)
        done = vitals("import", tmp_path / "out.parquet", "--data", second.data, *quick, "--json")
        assert json.loads(done.stdout)["samples"] == seq - 1
        again = vitals("import", tmp_path / "out.parquet", "--data", second.data, *quick, "--json")
        assert json.loads(again.stdout) == {
            "samples": 0,
            "duplicates": seq - 1,
            "ignored": [],
            "robots": 0,
            "open_alerts": 1,
        }
        with second:
            [imported] = second.get("alerts")["items"]
            assert (imported["rule"], imported["opened_at"]) == (alert["rule"], alert["opened_at"])
            robot.samples(seq, 1, FAULTY, first=seq)
            until("the next number is taken", lambda: robot.stored_until == seq or None)
            assert exported(second, tmp_path) == [("r1", "e1", seq, seq, 1, seq)]
            assert second.get("robots/r1")["samples_lost"] == 0
