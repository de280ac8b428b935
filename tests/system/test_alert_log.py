"""The acceptance test of rules: the alert log of a live run, with the collector killed in the middle, and
that of a backtest over the recording of the run are the same bytes.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.brokers import Broker
from tests.processes import Collector, until
from tests.system.evidence import run
from tests.system.robots import Robot

pytestmark = pytest.mark.system
EVERY_S = 0.25
DELAY_S = 2
COUNTERS = ("goals", "lidar_faults", "interruptions", "relocalization_faults")
RULES = """
schema: robovitals-rules/1
defaults: {missing_data: keep_last_state}
groups:
- name: quick
  interval: 1s
  rules:
  - alert: Silent
    when: {silent: robot, over: 4s}
    labels: {severity: high, subsystem: network}
    rule_storm: off
  - alert: LidarFaults
    when: {increase: navigation.lidar_faults, over: 10s, is: at least 5}
    clear_when: {is: below 2}
    labels: {severity: high, subsystem: navigation}
    rule_storm: {share: 40%, min_entities: 4}
  - alert: Interrupted
    when: {ratio: {of: navigation.interruptions, to: navigation.goals, over: 5s}, is: above 50%}
    for: 2s
    labels: {severity: medium, subsystem: navigation}
    rule_storm: off
  - alert: Wavering
    when: {increase: navigation.relocalization_faults, over: 2s, is: at least 1}
    flapping: {history: 12, enter: 25%, leave: 10%}
    labels: {severity: low, subsystem: navigation}
    rule_storm: off
- name: sites
  interval: 2s
  rules:
  - alert: SiteSilent
    for_each: site
    when: {silent: robot, over: 5s}
    labels: {severity: critical, subsystem: network}
    rule_storm: off
  - alert: SiteOutOfStep
    for_each: customer
    when: {share_of_robots: {when: {silent: robot, over: 6s}, min_robots: 2, is: above 20%}}
    keep_firing_for: 2s
    labels: {severity: high, subsystem: network}
    rule_storm: off
  - alert: BelowPeers
    measure: {increase: navigation.goals, over: 8s}
    when: {peers: {same: [site], min_peers: 3, robust_z: below -2}}
    labels: {severity: low, subsystem: navigation}
    rule_storm: off
inhibit_rules:
- {source: {alert: SiteSilent}, target: {alert: Silent}, equal: [site]}
- {source: {alert: Silent}, target: {subsystem_not: network}, equal: [robot]}
"""
ROBOTS = [(f"rv-{number}", f"site-{number // 4}", "ACME" if number < 8 else "星夜") for number in range(12)]
ABOUT = "\n    about: {en: A thing, zh: 事}\n    summary: {en: '{value}', zh: '{value}'}"


class Fleet:
    """Robots that send a sample every quarter of a second; what each of them does can be changed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._silent: set[str] = set()
        self._rates: dict[str, dict[str, int]] = {}
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        assert kind is not None or not self._failed

    def silent(self, *robots: str) -> None:
        """These say nothing from now on; all others do."""
        with self._lock:
            self._silent = set(robots)

    def counts(self, robots: Sequence[str], **rates: int) -> None:
        """These count so much with every sample."""
        with self._lock:
            self._rates |= {robot: {"goals": 2, **rates} for robot in robots}

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                robots = [stack.enter_context(Robot(self._url, name)) for name, _, _ in ROBOTS]
                for robot in robots:
                    robot.hello()
                self._send_all(robots)
        except BaseException as error:
            self._failed.append(error)
            raise

    def _send_all(self, robots: Sequence[Robot]) -> None:
        counters = {robot.name: dict.fromkeys(COUNTERS, 0) for robot in robots}
        taken: Counter[str] = Counter()
        while not self._over.wait(EVERY_S):
            with self._lock:
                silent, rates = set(self._silent), dict(self._rates)
            for robot in robots:
                for name, rate in rates.get(robot.name, {"goals": 2}).items():
                    counters[robot.name][name] += rate
                if robot.name not in silent:
                    taken[robot.name] += 1
                    robot.samples(taken[robot.name], 1, counters[robot.name])


def written(folder: Path) -> tuple[Path, Path]:
    """Rules and roster."""
    (folder / "rules").mkdir()
    text = "".join(
        f"{line}{ABOUT}\n" if line.startswith("  - alert:") else f"{line}\n" for line in RULES.splitlines()
    )
    (folder / "rules" / "quick.yaml").write_text(text, encoding="utf-8")
    lines = ["id,site,customer,tz", *(",".join((*robot, "Asia/Shanghai")) for robot in ROBOTS)]
    (folder / "robots.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "rules", folder / "robots.csv"


def log_of(collector: Collector) -> list[dict[str, Any]]:
    """The alert log by now."""
    with collector.ask("api/v1/alert-log") as response:
        return [json.loads(line) for line in response]


def await_lines(collector: Collector, *wanted: Mapping[str, str]) -> None:
    """Waits until the log has a line with these values each; `reason` is that of a suppression."""

    def there() -> bool:
        lines = [{**line, **line.get("by", {"reason": ""}), **line} for line in log_of(collector)]
        return all(any(each.items() <= line.items() for line in lines) for each in wanted)

    until(f"lines with {wanted}", there)


def test_live_and_backtest_are_the_same_bytes(broker: Broker, tmp_path: Path) -> None:
    """Faults, silence, a silent site, a storm and flapping, with the collector killed twice meanwhile."""
    rules, roster = written(tmp_path)
    collector = Collector(tmp_path, broker.url, "--rules", rules, "--eval-delay", DELAY_S)
    run("vitals-collector", "roster", "import", roster, "--data", collector.data)
    ids = [name for name, _, _ in ROBOTS]
    early, live, recording, out = (
        tmp_path / name for name in ("early.jsonl", "live.jsonl", "R.parquet", "out")
    )
    with collector, Fleet(broker.url) as fleet:
        fleet.counts(ids[:1], interruptions=2)
        await_lines(collector, {"rule": "Interrupted", "event": "firing"})
        fleet.counts(ids[:6], lidar_faults=2, interruptions=1)
        await_lines(
            collector, {"rule": "RuleStorm", "event": "firing"}, {"rule": "LidarFaults", "reason": "storm"}
        )
        collector.kill()
        fleet.counts(ids[:5])
        fleet.silent(*ids[4:8], ids[9])
        collector.start()
        await_lines(collector, {"rule": "Silent", "reason": "inhibited"})
        await_lines(collector, {"rule": "LidarFaults", "entity": ids[5], "reason": "inhibited"})
        collector.kill()
        collector.start()
        fleet.silent()
        await_lines(collector, {"rule": "SiteSilent", "event": "resolved"})
        waver(fleet, collector, ids[10])
        fleet.counts(ids)
        await_lines(collector, {"rule": "RuleStorm", "event": "resolved"})
        run("vitals-collector", "export", "--data", collector.data, "--alerts", early)
    run("vitals-collector", "export", "--data", collector.data, "--out", recording, "--alerts", live)
    delay = ("--eval-delay", f"{DELAY_S}s")
    run("vitals-rules", "backtest", "--recording", recording, "--rules", rules, "--out", out, *delay)
    assert (out / "alerts.jsonl").read_bytes() == live.read_bytes()
    assert live.read_bytes().startswith(early.read_bytes())
    check_what_happened([json.loads(line) for line in live.read_text(encoding="utf-8").splitlines()])


def waver(fleet: Fleet, collector: Collector, robot: str) -> None:
    """A fault that comes and goes until its alert flaps."""

    def flaps() -> bool:
        fires = [line for line in log_of(collector) if line["rule"] == "Wavering"]
        fleet.counts([robot], relocalization_faults=not (fires and fires[-1]["event"] == "firing"))
        return any(line["event"] == "suppressed" for line in fires)

    until("the alert flaps", flaps)


def check_what_happened(lines: Sequence[dict[str, Any]]) -> None:
    """The log is of something: alerts of every kind of entity, and every kind of suppression."""
    assert {line["kind"] for line in lines} == {"robot", "site", "customer", "rule"}
    assert {line["event"] for line in lines} == {"firing", "resolved", "suppressed", "unsuppressed"}
    reasons = {line["by"]["reason"] for line in lines if line["event"] == "suppressed"}
    assert reasons == {"flapping", "inhibited", "storm"}
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    fired = [(line["rule"], line["entity"]) for line in lines if line["event"] == "firing"]
    assert len(fired) > 10
