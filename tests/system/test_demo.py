"""The demo as its users meet it: what it shows, what it survives, and what it leaves behind."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import URLError

import duckdb
import httpx
import psutil
import pytest

from tests.brokers import free_port
from tests.processes import Process, command, until

pytestmark = pytest.mark.system
STARTS_WITHIN_S = 300.0  # on a machine that is busy with other tests
SUBSYSTEMS = {"network", "vision", "touchscreen", "navigation", "asr", "nlp", "tts"}


class Demo(Process):
    """`vitals-sim demo` on a folder and a port."""

    def __init__(self, folder: Path, http_port: int) -> None:
        self.data = folder / "demo"
        self.http_port = http_port
        where = ["--http", f"127.0.0.1:{http_port}", "--data", self.data]
        super().__init__("vitals-sim", ["demo", "--robots", 36, "--interval", 2, *where], folder)

    def start(self) -> None:
        """Starts it, and waits for the console's address."""
        super().start()
        until(f"the console's address: {self.log}", self._shown, STARTS_WITHIN_S)

    def said(self, pattern: str) -> re.Match[str]:
        """What it printed, as a match."""
        found = re.search(pattern, self.log)
        assert found, self.log
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """The open alerts; none while there is no answer."""
        try:
            with self.ask("alerts?state=open&limit=200") as response:
                return list(json.load(response)["items"])
        except (URLError, ConnectionError, TimeoutError):
            return []

    def acknowledge(self, alert: object) -> None:
        """As a CSM would."""
        with self.ask(f"alerts/{alert}/acknowledge", b"{}") as response:
            assert response.status == 200

    def ask(self, path: str, body: bytes | None = None) -> HTTPResponse:
        """An answer of the API, with the token that the demo printed."""
        token = self.said(r"Bearer (rv_[\w-]+)")[1]
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.http_port}/api/v1/{path}"
        request = urllib.request.Request(url, body, headers)
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=30)
        return answer

    def signs_in(self, person: str) -> str:
        """The queue, as somebody sees it who opens the printed link and presses the button."""
        link = self.said(rf"{person} +(http\S+/sign-in/link/\S+)")[1]
        with httpx.Client(follow_redirects=True, timeout=60) as browser:
            assert browser.get(link).status_code == 200
            page = browser.post(link)
            assert page.url.path == "/"
            return page.text

    def family(self) -> list[psutil.Process]:
        """All of its processes."""
        assert self.popen is not None
        return [psutil.Process(self.popen.pid), *psutil.Process(self.popen.pid).children(recursive=True)]

    def _shown(self) -> bool:
        assert self.popen is not None
        if self.popen.poll() is not None:
            pytest.fail(f"the demo ended: {self.log}")
        return "Ctrl-C ends everything" in self.log


def as_people_left_it(alerts: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """What of each alert must survive a restart."""
    return {
        (
            alert["id"],
            alert["rule"],
            alert["entity"]["id"],
            alert["work"],
            alert["signal"],
            alert["opened_at"],
        )
        for alert in alerts
    }


def gaps(data: Path, out: Path) -> list[tuple[Any, ...]]:
    """Robots and epochs in the export of which a number is missing or stands twice."""
    export = [command("vitals-collector"), "export", "--data", str(data / "collector"), "--out", str(out)]
    done = subprocess.run(export, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    query = (
        "SELECT robot, epoch, count(*), count(DISTINCT seq), min(seq), max(seq) FROM read_parquet(?) "
        "GROUP BY ALL HAVING count(*) <> count(DISTINCT seq) OR count(*) <> max(seq) OR min(seq) <> 1"
    )
    return duckdb.execute(query, [str(out)]).fetchall()


def listening(port: int) -> bool:
    """Whether anything listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_demo_from_its_start_to_its_end(tmp_path: Path) -> None:
    """Alerts of every kind, a new one while one watches, a killed collector, no traces, and a sequel."""
    demo = Demo(tmp_path, free_port())
    with demo:
        shows_robots_in_trouble(demo)
        lets_people_in(demo)
        shows_a_new_alert(demo)
        survives_a_killed_collector(demo, tmp_path / "first.parquet")
        before = as_people_left_it(demo.alerts())
        leaves_nothing_behind(demo, signal.SIGINT)
    with demo:
        after = as_people_left_it(demo.alerts())
        assert {alert[:3] for alert in before} <= {alert[:3] for alert in after}
        until("no sample is missing in the sequel", lambda: not gaps(demo.data, tmp_path / "second.parquet"))
        leaves_nothing_behind(demo, signal.SIGTERM)


def shows_robots_in_trouble(demo: Demo) -> None:
    """Each of the seven subsystems, a silent robot, low conversion."""

    def enough() -> bool:
        alerts = demo.alerts()
        rules = {alert["rule"] for alert in alerts if alert["signal"] == "firing"}
        return {"RobotSilent", "LowConversion"} <= rules and {
            alert["subsystem"] for alert in alerts
        } >= SUBSYSTEMS

    until("alerts of all subsystems, a silent robot and low conversion", enough)


def lets_people_in(demo: Demo) -> None:
    """Each by a link, in the language of that person."""
    chinese, english = demo.signs_in("csm-zh"), demo.signs_in("csm-en")
    assert '<html lang="zh-CN">' in chinese
    assert "客户成功经理（华东）" in chinese
    assert '<html lang="en">' in english
    assert "CSM International" in english


def shows_a_new_alert(demo: Demo) -> None:
    """The robot it told to watch has one soon, and the demo says so."""
    robot = demo.said(r"Watch (rv-\d+)")[1]
    until("the new alert", lambda: any(alert["entity"]["id"] == robot for alert in demo.alerts()), 180.0)
    until("the demo says so", lambda: "New alert" in demo.log)


def survives_a_killed_collector(demo: Demo, out: Path) -> None:
    """kill -9 in the middle: it is back by itself, with the same alerts, and every sample once."""
    demo.acknowledge(demo.alerts()[0]["id"])
    before = as_people_left_it(demo.alerts())
    os.kill(int(demo.said(r"collector (\d+)")[1]), signal.SIGKILL)
    until("another collector is started", lambda: "Started the collector again" in demo.log)
    until("it answers", demo.alerts)
    assert before <= as_people_left_it(demo.alerts())
    assert "acknowledged" in {alert["work"] for alert in demo.alerts()}
    until("no sample is missing", lambda: not gaps(demo.data, out))


def leaves_nothing_behind(demo: Demo, how: signal.Signals) -> None:
    """No process of it lives, nothing listens where it did, and it ended well."""
    family = demo.family()
    broker_port = int(demo.said(r"mqtt://127\.0\.0\.1:(\d+)")[1])
    assert demo.end(how) == 0, demo.log
    assert [process for process in family if process.is_running()] == []
    assert not listening(demo.http_port)
    assert not listening(broker_port)
    demo.output.write_text("")
