"""Rule tests over the whole language: small worlds, what people see of them, and a crash in each."""

from dataclasses import replace
from pathlib import Path

import pytest

from rules import scenario, testing
from rules.engine import Engine, Evaluation
from rules.metrics import Entry
from tests.rules.conftest import HEAD

LABELS = "    labels: {severity: low, subsystem: engagement}\n"
TEST = "schema: robovitals-rules-test/1\nrules: [rules.yaml]\ntests:\n- name: a\n"


def failures(folder: Path, catalogue: dict[str, Entry], rules: str, test: str) -> list[str]:
    """What is not as the test expects it."""
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    path = folder / "a.test.yaml"
    path.write_text(TEST + test, encoding="utf-8")
    (result,) = testing.run(scenario.read(path, catalogue))
    return [str(failure).replace(f"{path}:", "") for failure in result.failures]


def hourly(interval: str) -> str:
    """The head of a rule file whose group has this interval."""
    return HEAD.replace("interval: 1m", f"interval: {interval}")


OPENING = f"""{HEAD}\
  - alert: SilentWhileOpen
    when: {{silent: robot, over: 15m}}
    active_time_intervals: [open_hours]
{LABELS}"""

# Up to 18:00 in Shanghai (10:00 UTC) a hall is open; it is Monday, and Tuesday is a holiday of one robot.
OPENING_TEST = """\
  interval: 5m
  start: 2026-01-05T17:00:00+08:00
  robots:
    off: {tz: Asia/Shanghai, open_hours: "mo-fr 09:00-18:00", holidays: 2026-01-06}
    late: {tz: Asia/Shanghai, open_hours: "mo-fr 09:00-18:00"}
    always: {tz: Asia/Shanghai}
  series:
    off: {system.uptime_s: 0x11}              # until 17:55
    late: {system.uptime_s: 0x11 _x182 0x12}  # and again from 09:10 on
    always: {system.uptime_s: 0x11}
  crash_at: [50m, 5h, 16h5m]
  expect:
  - {at: 69m, alerts: {}}
  - {at: 70m, alerts: {SilentWhileOpen: [always]}}
  - {at: 15h59m, alerts: {SilentWhileOpen: [always]}}
  - {at: 16h14m, alerts: {SilentWhileOpen: [always]}}    # 09:14 on the day of rest
  - {at: 17h20m, alerts: {SilentWhileOpen: [always]}}
"""


def test_a_closed_hall_is_not_silent(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """Nor is it when the doors open, nor on a holiday; a robot without opening hours always is."""
    assert failures(tmp_path, catalogue, OPENING, OPENING_TEST) == []


def test_silence_begins_when_the_doors_open(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """A robot that is not switched on in the morning is silent 15 minutes later, and not before."""
    test = OPENING_TEST.replace(", holidays: 2026-01-06", "")
    test = test.replace(
        "{at: 17h20m, alerts: {SilentWhileOpen: [always]}}",
        "{at: 16h15m, alerts: {SilentWhileOpen: [off, always]}}",
    )
    assert failures(tmp_path, catalogue, OPENING, test) == []


PEERS = f"""{hourly("1h")}\
  - alert: BehindPeers
    where: {{lifecycle: live}}
    measure: {{increase: engagement.interactions, over: 1d}}
    when: {{peers: {{same: [industry, scene], min_peers: 5, robust_z: below -2.5}}}}
    clear_when: {{peers: {{robust_z: above -1.5}}}}
{LABELS}\
  - alert: LowestTenth
    where: {{lifecycle: live}}
    measure: {{increase: engagement.interactions, over: 1d}}
    when: {{peers: {{same: [industry], min_peers: 5, percentile: below 10%}}}}
{LABELS}"""

# Per day: 240, 264, 216, 240, 264 and 24; the median 240, the MAD 24 (of 0 0 24 24 24 216), so 24 is at a
# robust z of -6.07. The bar has no peers of its industry. By its nature a percentile always
# finds somebody: once `low` has caught up it is c, with 216 a day.
PEERS_TEST = """\
  interval: 1h
  robots:
    a: {industry: bank, scene: tour, lifecycle: live}
    b: {industry: bank, scene: tour, lifecycle: live}
    c: {industry: bank, scene: tour, lifecycle: live}
    d: {industry: bank, scene: check_in, lifecycle: live}
    e: {industry: bank, scene: check_in, lifecycle: live}
    low: {industry: bank, scene: tour, lifecycle: live}
    old: {industry: bank, scene: tour, lifecycle: retired}
    bar: {industry: ktv, scene: tour, lifecycle: live}
  series:
    a: {engagement.interactions: 0+10x50}
    b: {engagement.interactions: 0+11x50}
    c: {engagement.interactions: 0+9x50}
    d: {engagement.interactions: 0+10x50}
    e: {engagement.interactions: 0+11x50}
    low: {engagement.interactions: 0+1x27 37+10x22}
    old: {engagement.interactions: 0x50}
    bar: {engagement.interactions: 0x50}
  crash_at: [1d, 30h]
  expect:
  - {at: 23h, alerts: {}}                    # a window of a day is not known yet
  - {at: 1d, alerts: {BehindPeers: [low], LowestTenth: [low]}}
  - {at: 1d, alert: BehindPeers, robot: low, value: -6.07}
  - {at: 1d, alert: BehindPeers, robot: bar, signal: inactive}
  - {at: 1d, alert: LowestTenth, robot: b, value: 90%}
  - {at: 1d, alert: LowestTenth, robot: a, value: 50%}
  - {at: 50h, alerts: {LowestTenth: [c]}}
"""


def test_peers(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """A robot far below its peers; who has too few of the same scene is compared with the industry."""
    assert failures(tmp_path, catalogue, PEERS, PEERS_TEST) == []


PAST = f"""{hourly("6h")}\
  - alert: CustomerLosingInterest
    for_each: customer
    measure: {{increase: engagement.interactions, over: 7d}}
    when: {{own_past: {{weeks: 3, change: below -40%}}}}
    clear_when: {{own_past: {{change: above -20%}}}}
{LABELS}"""

# Two robots of acme: together 14 a quarter of a day, from the fifth week on 7; zero's never did anything.
PAST_TEST = """\
  interval: 6h
  robots: {a1: {customer: acme}, a2: {customer: acme}, z: {customer: zero}}
  series:
    a1: {engagement.interactions: 0+10x112 1125+5x120}
    a2: {engagement.interactions: 0+4x112 450+2x120}
    z: {engagement.interactions: 0x220}
  crash_at: [30d, 36d]
  expect:
  - {at: 28d, alerts: {}}
  - {at: 28d, alert: CustomerLosingInterest, customer: acme, value: 0%, signal: inactive}
  - {at: 31d, alert: CustomerLosingInterest, customer: acme, value: -21%, signal: inactive}
  - {at: 35d, alerts: {CustomerLosingInterest: [acme]}}
  - {at: 35d, alert: CustomerLosingInterest, customer: acme, value: -50%}
  - {at: 42d, alert: CustomerLosingInterest, customer: acme, value: -40%, signal: firing}
  - {at: 49d, alert: CustomerLosingInterest, customer: acme, value: -25%, signal: firing}
  - {at: 56d, alert: CustomerLosingInterest, customer: acme, value: 0%, signal: resolved}
"""


def test_own_past(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """A customer's robots together against the mean of three weeks, which catches up in time."""
    assert failures(tmp_path, catalogue, PAST, PAST_TEST) == []


DAYS = f"""{hourly("1h")}\
  - alert: Inactive
    when: {{active_days: {{of: engagement.tours, at_least: 3, over: 4d}}, is: at most 1}}
{LABELS}\
  - alert: Uneven
    when: {{fluctuation: {{of: engagement.tours, per: day, over: 4d}}, is: above 50%}}
{LABELS}"""

# Midnight in Shanghai is 16:00 UTC, 16 hours from the start. The tours of a day are told by its first sample,
# at 00:00 local time: 4 0 4 0, of which mean and deviation are 2; and 2 2 2 2, of which no day is active.
DAYS_TEST = """\
  interval: 8h
  start: 2026-01-05T00:00:00Z
  robots: {some: {tz: Asia/Shanghai}, even: {tz: Asia/Shanghai}, utc: {}}
  series:
    some: {engagement.tours: 0x1 4x5 8x12}
    even: {engagement.tours: 0x1 2x2 4x2 6x2 8x10}
    utc: {engagement.tours: 0x2 4x16}         # 0 4 0 0
  crash_at: [80h, 112h]
  expect:
  - {at: 39h, alerts: {}}                    # two days are needed to tell a fluctuation
  - {at: 40h, alerts: {Uneven: [some, even]}}
  - {at: 95h, alerts: {Uneven: [some, even, utc]}}
  - {at: 96h, alerts: {Inactive: [utc], Uneven: [some, even, utc]}}
  - {at: 96h, alert: Uneven, robot: utc, value: 173%}
  - {at: 112h, alert: Inactive, robot: even, value: 0}
  - {at: 112h, alert: Inactive, robot: some, value: 2, signal: inactive}
  - {at: 112h, alert: Uneven, robot: some, value: 100%, signal: firing}
  - {at: 112h, alert: Uneven, robot: even, value: 0%, signal: resolved}
  - {at: 112h, alerts: {Inactive: [even, utc], Uneven: [some, utc]}}
"""


def test_days(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """Days begin at the robot's own midnight, and today does not count."""
    assert failures(tmp_path, catalogue, DAYS, DAYS_TEST) == []


STORM = f"""{HEAD}\
  - alert: Rebooting
    when: {{increase: system.reboots, over: 10m, is: at least 2}}
    rule_storm: {{share: 50%, min_entities: 3}}
    flapping: {{history: 10, enter: 40%, leave: 10%}}
{LABELS}"""

STORM_TEST = """\
  interval: 1m
  robots: {a: {}, b: {}, c: {}, d: {}, e: {}, f: {}}
  series:
    a: {system.reboots: 0x2 2x30}
    b: {system.reboots: 0x4 2x30}
    c: {system.reboots: 0x5 2x30}
    d: {system.reboots: 0x30}
    e: {system.reboots: 0x30}
    f: {system.reboots: 0x30}
  crash_at: [5m, 9m]
  expect:
  - {at: 5m, alerts: {Rebooting: [a, b]}}
  - {at: 5m, alert: RuleStorm, rule: Rebooting, signal: inactive}
  - {at: 6m, alerts: {RuleStorm: [Rebooting]}}
  - {at: 6m, firing: {RuleStorm: [Rebooting], Rebooting: [a, b, c]}}
  - {at: 6m, alert: Rebooting, robot: a, suppressed_by: storm}
  - {at: 6m, alert: RuleStorm, rule: Rebooting, signal: firing, since: 6m, value: 50%, suppressed_by: nothing}
  - {at: 20m, alert: RuleStorm, rule: Rebooting, signal: resolved}
  - {at: 20m, alerts: {}}
"""


def test_a_storm_is_one_alert(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """Where half of the fleet begins to fire, the rule is the news."""
    assert failures(tmp_path, catalogue, STORM, STORM_TEST) == []


FLAPS = f"""{HEAD}\
  - alert: Dropping
    when: {{increase: network.disconnects, over: 1m, is: at least 1}}
    flapping: {{history: 10, enter: 40%, leave: 10%}}
{LABELS}"""

# It drops at 1m, 3m, 5m and 7m, and resolves a minute later each time.
FLAPS_TEST = """\
  interval: 1m
  robots: {a: {}}
  series:
    a: {network.disconnects: 0 1x1 2x1 3x1 4x1 4x30}
  crash_at: [3m, 5m, 12m]
  expect:
  - {at: 1m, alerts: {Dropping: [a]}}
  - {at: 3m, alert: Dropping, robot: a, signal: firing, suppressed_by: nothing}
  - {at: 4m, alert: Dropping, robot: a, signal: resolved, suppressed_by: flapping}
  - {at: 5m, alert: Dropping, robot: a, signal: firing, suppressed_by: flapping}
  - {at: 5m, alerts: {}}
  - {at: 5m, firing: {Dropping: [a]}}
  - {at: 16m, alert: Dropping, robot: a, suppressed_by: flapping}   # two changes, 7m and 8m, in the last ten
"""


def test_what_comes_and_goes_is_not_shown(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """From the fourth change within ten evaluations on, until there is but one."""
    assert failures(tmp_path, catalogue, FLAPS, FLAPS_TEST) == []
    calm = FLAPS_TEST + "  - {at: 17m, alert: Dropping, robot: a, suppressed_by: flapping}\n"
    (failure,) = failures(tmp_path, catalogue, FLAPS, calm)
    assert failure.splitlines() == [
        "18:5: expected Dropping on a at 17m: suppressed by flapping",
        "    got resolved since 8m, value 0",
        "        increase of network.disconnects over 1m = 0; at least 1 does not hold",
    ]


def test_failures_name_suppression_and_kind(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """What was shown and should not have been, and why something was not shown."""
    test = STORM_TEST.replace("suppressed_by: storm", "suppressed_by: nothing")
    test = test.replace(
        "firing: {RuleStorm: [Rebooting], Rebooting: [a, b, c]}", "firing: {Rebooting: [a, b, c, d]}"
    )
    assert failures(tmp_path, catalogue, STORM, test)[:3] == [
        "19:5: expected an alert Rebooting on d at 6m, suppressed or not\n"
        "    got inactive since the start, value 0\n"
        "        increase of system.reboots over 10m = 0; at least 2 does not hold",
        "19:5: expected no alert RuleStorm on rule Rebooting at 6m, suppressed or not\n"
        "    got firing since 6m, value 0.5\n"
        "        share of entities that began to fire within 1h = 0.5; at least 0.5 holds",
        "20:5: expected Rebooting on a at 6m: suppressed by nothing\n"
        "    got firing since 3m, value 2, suppressed by storm\n"
        "        increase of system.reboots over 10m = 2; at least 2 holds",
    ]


def test_an_error_in_the_engine_is_a_failure(
    tmp_path: Path, catalogue: dict[str, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that could not be evaluated is told, though nothing was expected of it."""

    class Broken(Engine):
        def tick(self, now: int) -> list[Evaluation]:
            error = ("Dropping", "ArithmeticError: no such number")
            return [replace(evaluation, errors=(error,)) for evaluation in super().tick(now)]

    monkeypatch.setattr(testing, "Engine", Broken)
    (failure,) = failures(
        tmp_path,
        catalogue,
        FLAPS,
        FLAPS_TEST.partition("  crash_at")[0] + "  expect: [{at: 1m, alerts: {Dropping: [a]}}]\n",
    )
    assert failure == "4: expected Dropping evaluated\n    got ArithmeticError: no such number"
