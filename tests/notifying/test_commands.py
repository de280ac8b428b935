"""`vitals-collector notify check` and `test`, and a collector that notifies: the real commands."""

import json
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.brokers import Broker
from tests.notifying.receivers import Hook, hook, mailbox
from tests.processes import Collector, command, until
from tests.system.robots import Robot
from tests.system.test_ingest import RULES, fail_until_alert

SETTINGS = """
schema: robovitals-notify/1
console: https://vitals.example.com
channels:
  hook: json://127.0.0.1:{port}/
  mail: mailto://127.0.0.1:{mail}?from=robovitals@example.com&to=ops@example.com
routes:
- {{severity: low, channels: hook}}
- {{tier: key, kind: escalated, channels: [owner, hook]}}
quiet_hours:
- {{from: "23:59", to: "00:01", tz: UTC, except: high}}
digest: {{at: "08:30", tz: Asia/Shanghai, days: mo-fr, channels: owner}}
"""


def settings(folder: Path, port: int, mail: int = 25) -> Path:
    """A file of settings with a web server and an SMTP server."""
    file = folder / "notify.yaml"
    file.write_text(SETTINGS.format(port=port, mail=mail))
    return file


def notify(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Runs the command."""
    words = [command("vitals-collector"), "notify", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_check_says_what_it_understood(tmp_path: Path) -> None:
    """Channels, routes and times, in words."""
    found = notify("check", settings(tmp_path, 9))
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines() == [
        "channel hook: json, in en",
        "channel mail: mailto, in en",
        "route 1: low and worse; escalated or opened or relapsed or returned → hook",
        "route 2: all severities; tier key; escalated → owner, hook",
        "quiet: 23:59 to 00:01 UTC, but high and worse passes",
        "digest: 08:30 Asia/Shanghai → owner",
    ]
    told = json.loads(notify("check", tmp_path / "notify.yaml", "--json").stdout)
    assert told == {"channels": ["hook", "mail"], "routes": 2, "quiet_hours": 1}


def test_check_says_what_owners_are_told_unasked(tmp_path: Path) -> None:
    """What they are given; other channels of the route are not."""
    file = settings(tmp_path, 9)
    file.write_text(f"{file.read_text().partition('routes:')[0]}routes: [{{channels: [owner, hook]}}]\n")
    said = notify("check", file).stdout.splitlines()[2]
    assert said.endswith("opened or relapsed or returned; assigned, to owners → owner, hook")


def test_check_names_every_mistake(tmp_path: Path) -> None:
    """Each in a line of its own, with status 1; so does `run`, before it starts anything."""
    file = tmp_path / "bad.yaml"
    file.write_text("schema: robovitals-notify/1\nchannels: {a: 'feishu://'}\nroutes: [{channels: b}]\n")
    found = notify("check", file)
    assert (found.returncode, found.stdout) == (1, "")
    assert [line.split(": ")[0] for line in found.stderr.splitlines()] == [f"{file}:2:15", f"{file}:3:21"]
    run = [command("vitals-collector"), "run", "--data", str(tmp_path / "data"), "--mqtt", "mqtt://127.0.0.1"]
    refused = subprocess.run(
        [*run, "--fleet", "main", "--notify", str(file)], capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stderr) == (1, found.stderr)
    assert not (tmp_path / "data").exists()


def test_test_sends_one_message(tmp_path: Path) -> None:
    """Through the channel, or says why it did not arrive."""
    with hook() as web, mailbox() as box:
        file = settings(tmp_path, web.port, box.port)
        assert notify("test", file, "--channel", "hook").returncode == 0
        assert web.calls[0].body["title"] == "[Test] Robovitals can reach you here"
        assert notify("test", file, "--channel", "mail", "--to", "li@example.com").returncode == 0
        assert box.recipients == ["li@example.com"]
        web.status = 404
        failed = notify("test", file, "--channel", "hook")
        assert (failed.returncode, len(web.calls)) == (1, 2)
        assert failed.stdout.startswith("hook: not sent: ")
        assert "error=404" in failed.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--channel", "hok"), '--channel hok: the file has no such channel; did you mean "hook"?'),
        (("--channel", "owner"), "--channel owner: owners are written to through the channel mail"),
        (("--channel", "hook", "--to", "x@y.z"), "--to x@y.z: the channel hook is no e-mail"),
    ],
)
def test_test_refuses_what_makes_no_sense(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    """With status 2, in one line."""
    found = notify("test", settings(tmp_path, 9), *arguments)
    assert found.returncode == 2
    assert found.stderr.startswith(reason)


@pytest.mark.system
def test_a_collector_tells_also_what_it_could_not_before(nats: Broker, tmp_path: Path) -> None:
    """The receiver fails, then the collector is killed and restarted: the alert is told, health is well."""
    with hook() as web:
        web.status = 500
        (tmp_path / "rules.yaml").write_text(RULES)
        file = settings(tmp_path, web.port)
        flags = ("--rules", str(tmp_path / "rules.yaml"), "--eval-delay", "1", "--notify", str(file))
        with Collector(tmp_path, nats.url, *flags) as collector, Robot(nats.url, "r1") as robot:
            robot.hello()
            [alert], _ = fail_until_alert(robot, collector)
            until("it was tried", lambda: web.calls)
            item = until("the reason is shown", lambda: _failed(collector))
            assert (item["state"], item["alert"], item["attempts"]) == ("waiting", alert["id"], 1)
            collector.kill()
            web.status = 200
            collector.start()
            with suppress(HTTPError):  # 409: it was sent already
                collector.post(f"notifications/{item['id']}/retry", {})
            until("it arrived", lambda: _sent(collector))
            assert set(web.keys) == {item["key"]}
            assert until("health is well", lambda: collector.try_get("health"))["ok"]


@pytest.mark.system
def test_a_collector_stops_while_a_receiver_hangs(nats: Broker, tmp_path: Path) -> None:
    """SIGTERM does not wait for it; the message is kept, and comes after the next start."""
    with hook() as web:
        (tmp_path / "rules.yaml").write_text(RULES)
        told = str(settings(tmp_path, web.port))
        flags = ("--rules", str(tmp_path / "rules.yaml"), "--eval-delay", "1", "--notify", told)
        with Collector(tmp_path, nats.url, *flags) as collector, Robot(nats.url, "r1") as robot:
            _hang(web)
            robot.hello()
            fail_until_alert(robot, collector)
            until("it is being sent", lambda: web.calls)
            assert collector.popen is not None
            collector.popen.send_signal(signal.SIGTERM)
            assert collector.popen.wait(60) == 0
            assert "Traceback" not in collector.log


def _hang(web: Hook) -> None:
    web.hold = threading.Event()


def _failed(collector: Collector) -> "dict[str, object] | None":
    items = [item for item in collector.get("notifications")["items"] if item["error"]]
    return items[0] if items else None


def _sent(collector: Collector) -> bool:
    return bool(collector.get("notifications?state=sent")["items"])
