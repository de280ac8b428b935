"""A collector whose relational part is a real PostgreSQL, which goes away and comes back."""

import itertools
import json
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.brokers import Broker
from tests.postgres import Postgres
from tests.processes import Collector, until
from tests.system.robots import Robot
from tests.system.test_ingest import FAULTY, RULES, exported, fail_until_alert, vitals

pytestmark = pytest.mark.system


@pytest.fixture
def quick(tmp_path: Path) -> tuple[str, ...]:
    """Flags for a collector with one rule that fires within seconds."""
    (tmp_path / "rules.yaml").write_text(RULES)
    return ("--rules", str(tmp_path / "rules.yaml"), "--eval-delay", "1")


def complaint(collector: Collector) -> str | None:
    """What health says while the collector is not well; None: no answer, or it is well."""
    try:
        collector.get("health")
    except HTTPError as refusal:
        return str(json.load(refusal)["parts"]) if refusal.code == 503 else None
    except OSError:
        return None
    return None


def acknowledge(collector: Collector, alert: int) -> None:
    """Somebody takes an alert, over the API."""
    collector.post(f"alerts/{alert}/acknowledge", {})


def told(collector: Collector) -> list[tuple[Any, ...]]:
    """Every alert with its history, as the API has it."""
    alerts = collector.get("alerts?state=all")["items"]
    histories = [collector.get(f"alerts/{alert['id']}")["history"] for alert in alerts]
    return [
        (alert["id"], alert["rule"], alert["opened_at"], alert["work"], [entry["kind"] for entry in history])
        for alert, history in zip(alerts, histories, strict=True)
    ]


def fail(robot: Robot, collector: Collector) -> None:
    """Publishes ever more faults until the robot has an alert."""
    numbers = itertools.count(1)

    def alerted() -> bool:
        number = next(numbers)
        robot.samples(number, 1, {"lidar_faults": 5 * number})
        time.sleep(0.2)
        return bool(collector.get(f"alerts?robot={robot.name}")["items"])

    until(f"an alert on {robot.name} opens", alerted)


def test_everything_goes_on(
    nats: Broker, own_postgres: Postgres, tmp_path: Path, quick: tuple[str, ...]
) -> None:
    """PostgreSQL killed, then the collector and PostgreSQL restarted: nothing twice, nothing missing."""
    flags = ("--database", own_postgres.url())
    roster = tmp_path / "robots.csv"
    roster.write_text("id,site\nr1,HQ\n")
    vitals("roster", "import", roster, *flags)
    with Collector(tmp_path, nats.url, *quick, *flags) as collector, Robot(nats.url, "r1") as robot:
        robot.hello()
        [alert], seq = fail_until_alert(robot, collector)
        acknowledge(collector, alert["id"])
        before = told(collector)

        own_postgres.kill()
        assert "cannot be written" in until("it says so", lambda: complaint(collector))
        robot.samples(seq, 5, FAULTY)
        own_postgres.start()
        until("it is well again", lambda: collector.try_get("health"))
        robot.hello(next=seq + 5, session=2)  # which is answered at once
        until("what came meanwhile is stored", lambda: robot.stored_until == seq + 4 or None)

        collector.kill()
        own_postgres.stop()
        own_postgres.start()
        robot.samples(seq + 5, 5, FAULTY)  # nobody is there
        collector.start()
        robot.samples(1, seq + 9, FAULTY)  # as an agent would: again from the oldest it holds
        until("all of it is answered", lambda: robot.stored_until == seq + 9 or None)
        assert told(collector) == before
        assert exported(collector, tmp_path) == [("r1", "e1", seq + 9, seq + 9, 1, seq + 9)]
        assert collector.get("robots/r1")["site"] == "HQ"
        with Robot(nats.url, "r2") as other:
            other.hello()
            fail(other, collector)
        assert not (collector.data / "collector.sqlite").exists()
        assert "Traceback" not in collector.log


def test_a_database_has_one_collector(nats: Broker, postgres: Postgres, tmp_path: Path) -> None:
    """A second one, on a folder of its own, names the process that is there; so does an import."""
    flags = ["--database", postgres.url(postgres.new_database())]
    with Collector(tmp_path, nats.url, *flags) as collector:
        assert collector.popen is not None
        own = ["--data", tmp_path / "other", "--mqtt", nats.url, "--fleet", "test", "--http", "127.0.0.1:0"]
        refused = vitals("run", *own, *flags, status=1)
        assert f"pid {collector.popen.pid}" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1


def test_a_server_that_takes_no_changes(postgres: Postgres, tmp_path: Path) -> None:
    """As a standby, say: what fails after the opening is one line as well."""
    name = postgres.new_database()
    roster = tmp_path / "robots.csv"
    roster.write_text("id\nr1\n")
    vitals("roster", "import", roster, "--database", postgres.url(name))
    postgres.query(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    roster.write_text("id\nr2\n")
    said = vitals("roster", "import", roster, "--database", postgres.url(name), status=1).stderr
    assert "read-only transaction" in said
    assert len(said.splitlines()) == 1


def test_a_server_that_is_away(tmp_path: Path, own_postgres: Postgres) -> None:
    """Every command that needs it says so in one line, without the password."""
    own_postgres.stop()
    flags = ["--data", tmp_path / "data", "--database", own_postgres.url()]
    roster = tmp_path / "robots.csv"
    roster.write_text("id\nr1\n")
    for command in (
        ["run", "--mqtt", "mqtt://127.0.0.1:1", "--fleet", "test", "--http", "127.0.0.1:0"],
        ["roster", "import", roster],
    ):
        said = vitals(*command, *flags, status=1).stderr
        assert "onnection refused" in said
        assert len(said.splitlines()) == 1
        assert "sesame" not in said
