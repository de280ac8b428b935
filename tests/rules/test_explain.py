"""Explanations: every leaf with its value, window and bounds; what is unknown, and why."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rules.__main__ import main
from tests.rules.fleets import BEGIN, MINUTE, record, rising

LENGTH = 300
NAN = math.nan
HEAD = """\
schema: robovitals-rules/1
defaults: {missing_data: unknown}
groups:
- name: g
  interval: 1m
  rules:
  - alert: R
    about: {en: It, zh: 它}
    summary: {en: "it", zh: "它"}
    labels: {severity: low, subsystem: network}
"""
ATTRIBUTES = {
    f"r{number}": {"site": "hall" if number < 4 else "bank", "industry": "ktv" if number < 6 else "hotel"}
    for number in range(8)
}
ATTRIBUTES["r0"] |= {"tz": "Asia/Shanghai", "open_hours": "mo-fr 09:00-18:00"}
ATTRIBUTES["r7"] |= {"lifecycle": "retired"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight robots for five hours: r0 drops off at minute 100, robot n recognizes n of 10 faces badly."""
    robots: dict[str, Mapping[str, Sequence[float]]] = {}
    for number in range(8):
        drops = rising((100, 5), length=LENGTH) if number == 0 else rising(length=LENGTH)
        attempts = rising(*((minute, 10) for minute in range(200, 230)), length=LENGTH)
        missed = rising(*((minute, number) for minute in range(200, 230)), length=LENGTH)
        battery = [80.0 - number] * 150 + [NAN] * 150
        robots[f"r{number}"] = {
            "network.disconnects": [*drops[:250], *([NAN] * 50)] if number == 1 else drops,
            "vision.face_attempts": [*attempts[:250], *([NAN] * 50)] if number == 1 else attempts,
            "vision.faces_unrecognized": [*missed[:250], *([NAN] * 50)] if number == 1 else missed,
            "system.battery_percent": battery,
        }
    return record(tmp_path_factory.mktemp("fleet") / "fleet.parquet", robots, ATTRIBUTES)


class Asking:
    """`vitals-rules explain` with a rule of one's own."""

    def __init__(self, fleet: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._fleet, self._folder, self._capsys = fleet, folder, capsys

    def json(self, rule: str, entity: str, minute: int) -> dict[str, Any]:
        """The answer as JSON; `entity` is such as `robot r1`."""
        found: dict[str, Any] = json.loads(self._asked(rule, entity, minute, "--json"))
        return found

    def text(self, rule: str, entity: str, minute: int) -> str:
        """The answer in sentences."""
        return self._asked(rule, entity, minute)

    def _asked(self, rule: str, entity: str, minute: int, *more: str) -> str:
        path = self._folder / "rules.yaml"
        body = "".join(f"    {line}\n" for line in rule.splitlines())
        path.write_text(HEAD + body, encoding="utf-8")
        kind, id_ = entity.split()
        at = datetime.fromtimestamp((BEGIN + minute * MINUTE) / 1_000, UTC).isoformat()
        asked = ["explain", "--recording", str(self._fleet), "--rules", str(path), "--rule", "R"]
        status = main([*asked, f"--{kind}", id_, "--at", at, *more])
        printed = self._capsys.readouterr()
        assert (status, printed.err) == (0, "")
        return printed.out


@pytest.fixture
def asking(fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Asking:
    """Asks about the fleet."""
    return Asking(fleet, tmp_path, capsys)


DROPS = "for_each: robot\nwhen: {increase: network.disconnects, over: 1h, is: at least 3}"
NO_QUERIES = DROPS.replace("network.disconnects", "nlp.queries")
OPEN = "\nactive_time_intervals: [open_hours]"
BATTERY = "for_each: robot\nwhen: {gauge: system.battery_percent, reduce: last, over: 1h, is: below 5}"
DAYS = "for_each: robot\nwhen: {active_days: {of: vision.face_attempts, at_least: 1, over: 7d}, is: below 3}"
WOBBLE = "for_each: robot\nwhen: {fluctuation: {of: vision.face_attempts, per: day, over: 7d}, is: above 1}"
SHARE = """\
for_each: site
when:
  share_of_robots:
    when: {increase: network.disconnects, over: 1h, is: COMPARED 3}
    min_robots: 2
    is: above 20%"""
FEW_DROPS = DROPS.replace("at least", "below")
MANY_FACES = """\
for_each: robot
when:
  ratio: {of: vision.faces_unrecognized, to: vision.face_attempts, over: 1h, min_samples: 20}
  is: above 25%"""
FACES = (
    "for_each: robot\n"
    "measure: {ratio: {of: vision.faces_unrecognized, to: vision.face_attempts, over: 1h, min_samples: 20}}\n"
)
PAST = FACES + "when: {own_past: {weeks: 2, change: below -20%}}"
SILENT = "for_each: robot\nwhen: {silent: robot, over: 15m}"
PEERS = FACES + "when: {peers: {same: [industry, site], min_peers: MIN, robust_z: above 1}}"


@pytest.mark.parametrize(
    ("rule", "entity", "minute", "state", "why"),
    [
        (NO_QUERIES, "robot r0", 99, "unknown", "Whether `when` holds cannot be said; the signal is unknown"),
        (DROPS, "robot r0", 101, "firing", "It fires, since `when` holds."),
        (
            DROPS,
            "robot r0",
            200,
            "resolved",
            "since `when` does not hold. It fired before, until 2026-09-21 02:40",
        ),
        (DROPS, "robot r2", 200, "inactive", "It does not fire, since `when` does not hold."),
        (DROPS + "\nfor: 30m", "robot r0", 110, "pending", "once it has held for 30m, at 2026-09-21 02:10"),
        (DROPS + "\nkeep_firing_for: 1h", "robot r0", 170, "recovering", "keep_firing_for (1h) until"),
        (
            DROPS + "\nclear_when: {is: below 0}",
            "robot r0",
            200,
            "firing",
            "It fires on: `when` does not hold",
        ),
        (DROPS + OPEN, "robot r0", 700, "unknown", "It is not judged at this time (open_hours)"),
    ],
)
def test_why(asking: Asking, rule: str, entity: str, minute: int, state: str, why: str) -> None:
    """The state of the signal, and a sentence that says what brought it there."""
    found = asking.json(rule, entity, minute)
    assert found["state"] == state
    assert why in " ".join(found["why"])
    assert why in asking.text(rule, entity, minute)


@pytest.mark.parametrize(
    ("rule", "entity", "minute", "because"),
    [
        (DROPS, "robot r0", 30, None),
        (FEW_DROPS, "robot r0", 30, "the window is not covered: the first sample is of 2026-09-21 00:00:00"),
        (
            FEW_DROPS,
            "robot r1",
            270,
            "the window is not covered: the newest sample is of 2026-09-21 04:09:00",
        ),
        (DROPS, "robot r1", 320, "no sample is in the window; the newest is of 2026-09-21 04:09:00 UTC"),
        (NO_QUERIES, "robot r0", 90, "the newest sample lacks nlp.queries"),
        (MANY_FACES, "robot r3", 100, "vision.face_attempts rose by 0 only, 20 are needed"),
        (MANY_FACES, "robot r3", 220, None),
        (BATTERY, "robot r3", 250, "no sample in the window has it"),
        (BATTERY, "robot r3", 100, None),
        (SILENT, "robot r3", 100, None),
        (SILENT.replace("robot,", "nlp,"), "robot r3", 100, "it was never heard, or too long ago to tell"),
        (DAYS, "robot r3", 100, "the window is not covered: the first sample is of 2026-09-21 00:00:00 UTC"),
        (WOBBLE, "robot r3", 100, "too few of the 7 days were heard of, or nothing rose"),
        (PEERS.replace("MIN", "9"), "robot r3", 229, "too few peers: it is known of 7, 9 are needed"),
        (PEERS.replace("MIN", "3"), "robot r3", 100, "vision.face_attempts rose by 0 only, 20 are needed"),
        (PEERS.replace("MIN", "3"), "robot r3", 229, None),
        (PAST, "robot r3", 229, "too little is known of the 2 weeks before"),
        (
            SHARE.replace("COMPARED", "below"),
            "site hall",
            30,
            "it can be said of 0 robots only, 2 are needed",
        ),
    ],
)
def test_why_it_is_unknown(asking: Asking, rule: str, entity: str, minute: int, because: str | None) -> None:
    """No samples, not covered, too few samples, peers or weeks; or nothing, where it is known."""
    (leaf,) = asking.json(rule, entity, minute)["conditions"][0]["leaves"]
    assert (leaf["holds"] is None) is (because is not None)
    if because is None:
        assert leaf["unknown_because"] is None
    else:
        assert leaf["unknown_because"].startswith(because)
        assert f"because {because}" in asking.text(rule, entity, minute)


def test_a_window_on_both_clocks(asking: Asking) -> None:
    """From and to, in UTC and on the robot's own clock; and how many samples are in it."""
    told = asking.text(DROPS, "robot r0", 120)
    assert "increase of network.disconnects over 1h = 5" in told
    assert (
        "window: 2026-09-21 01:00:00 to 2026-09-21 02:00:00 UTC "
        "(2026-09-21 09:00:00 to 2026-09-21 10:00:00 Asia/Shanghai)"
    ) in told
    leaf = asking.json(DROPS, "robot r0", 120)["conditions"][0]["leaves"][0]
    assert leaf["window"] == [BEGIN + 60 * MINUTE, BEGIN + 120 * MINUTE]
    assert (leaf["samples_in_window"], leaf["newest_sample"]) == (60, BEGIN + 120 * MINUTE)
    assert (leaf["value"], leaf["thresholds"], leaf["holds"]) == (5.0, [3.0], True)


def test_both_sides_of_a_ratio(asking: Asking) -> None:
    """What is above and below the line, and how much is needed below it."""
    told = asking.text(MANY_FACES, "robot r3", 229)
    assert "over 1h = 30 %; above 25 % holds" in told
    assert "vision.faces_unrecognized rose by 90" in told
    assert "vision.face_attempts rose by 300 (at least 20 needed)" in told


@pytest.mark.parametrize(
    ("least", "same", "count", "median"),
    [
        ("3", {"site": "hall", "industry": "ktv"}, 4, 0.15),
        ("5", {"industry": "ktv"}, 6, 0.25),
    ],
)
def test_peers(asking: Asking, least: str, same: dict[str, str], count: int, median: float) -> None:
    """How many there are, what they have in common, their median and MAD; too few of a site: the industry.

    Robot n misses n of 10 faces; r7 is retired.
    """
    (leaf,) = asking.json(PEERS.replace("MIN", least), "robot r3", 229)["conditions"][0]["leaves"]
    peers = leaf["peers"]
    assert (peers["same"], peers["count"]) == (same, count)
    assert peers["median"] == pytest.approx(median)
    z = 0.6745 * (0.3 - median) / max(peers["mad"], 0.05 * median)
    assert leaf["value"] == pytest.approx(z)
    assert leaf["own"] == {"value": pytest.approx(0.3), "covered": True}


def test_robots_of_a_site(asking: Asking) -> None:
    """A share names the robots of which its condition holds."""
    rule = SHARE.replace("COMPARED", "at least")
    (leaf,) = asking.json(rule, "site hall", 110)["conditions"][0]["leaves"]
    assert leaf["robots"] == {"r0": True, "r1": False, "r2": False, "r3": False}
    assert (leaf["value"], leaf["holds"]) == (0.25, True)
    told = asking.text(rule, "site hall", 110)
    assert "holds of 1 robots: r0" in told
    assert "does not hold of 3 robots: r1, r2, r3" in told


def test_a_sum_over_a_site(asking: Asking) -> None:
    """Of the robots of the site that count, together."""
    rule = "for_each: site\nwhen: {increase: network.disconnects, over: 1h, is: at least 3}"
    (leaf,) = asking.json(rule, "site hall", 110)["conditions"][0]["leaves"]
    assert (leaf["value"], leaf["samples_in_window"]) == (5.0, 4 * 60)


@pytest.mark.parametrize(
    ("rule", "entity", "minute", "told"),
    [
        (
            DROPS,
            "robot r7",
            100,
            "The rule is not about this robot: it is retired, or does not pass `where`.",
        ),
        (DROPS + "\nwhere: {industry: ktv}", "robot r6", 100, "The rule is not about this robot"),
        (DROPS, "robot r0", -100, "Nothing was evaluated by then: the recording begins later."),
    ],
)
def test_what_was_not_evaluated(asking: Asking, rule: str, entity: str, minute: int, told: str) -> None:
    """Robots that the rule is not about, and times before the recording."""
    assert told in asking.text(rule, entity, minute)
    found = asking.json(rule, entity, minute)
    assert (found["state"], found["conditions"]) == (None, [])


def test_clear_when_is_told_of_what_fires(asking: Asking) -> None:
    """And left out where nothing fires; JSON always has it."""
    rule = DROPS + "\nclear_when: {is: at most 1}"
    assert "\nclear_when: does not hold\n" in asking.text(rule, "robot r0", 110)
    assert "\nclear_when" not in asking.text(rule, "robot r2", 110)
    assert [one["name"] for one in asking.json(rule, "robot r2", 110)["conditions"]] == ["when", "clear_when"]
