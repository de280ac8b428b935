"""The loader: measures of days, peers, past weeks and shares of robots, and what need not be said twice."""

import pytest

from rules.rule import (
    ActiveDays,
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Fluctuation,
    Gauge,
    Increase,
    Not,
    OwnPast,
    Peers,
    Ratio,
    Rule,
    ShareOfRobots,
    Silent,
)
from tests.rules.conftest import HEAD, Loading, Problems

LABELS = "    labels: {severity: low, subsystem: engagement}\n"
MEASURE = (
    "    measure: {ratio: {of: engagement.interactions, to: engagement.visitors,"
    " over: 7d, min_samples: 200}}\n"
)
RATIO = Ratio(("engagement.interactions",), ("engagement.visitors",), 7 * 86_400_000, 200)
HOUR = 3_600_000
TOURS = Increase(("engagement.tours",), 7 * 86_400_000, "tours")


def rule(loading: Loading, body: str) -> Rule:
    """The rule with these keys."""
    return loading(f"{HEAD}  - alert: A\n{body}{LABELS}").rules[0]


@pytest.mark.parametrize(
    ("when", "meaning"),
    [
        (
            "{active_days: {of: engagement.tours, at_least: 2, over: 14d}, is: at most 3}",
            Compare(ActiveDays(("engagement.tours",), 2, 14), Comparison("at most", 3)),
        ),
        (
            "{active_days: {of: engagement.tours, at_least: 2, over: 2w}, is: below 3d}",
            Compare(ActiveDays(("engagement.tours",), 2, 14), Comparison("below", 3)),
        ),
        (
            "{fluctuation: {of: [engagement.tours, engagement.escorts], per: day, over: 30d}, is: above 80%}",
            Compare(Fluctuation(("engagement.tours", "engagement.escorts"), 30), Comparison("above", 0.8)),
        ),
        (
            "{peers: {measure: {increase: engagement.tours, over: 7d}, same: [industry, scene],"
            " min_peers: 12, robust_z: below -2.5}}",
            Peers(TOURS, ("industry", "scene"), 12, "robust_z", Comparison("below", -2.5)),
        ),
        (
            "{peers: {measure: {increase: engagement.tours, over: 7d}, same: [], min_peers: 3,"
            " percentile: below 10%}}",
            Peers(TOURS, (), 3, "percentile", Comparison("below", 0.1)),
        ),
        (
            "{peers: {measure: {gauge: network.rtt_ms, reduce: mean, over: 1h}, same: site, min_peers: 3,"
            " percentile: between 0.9 and 1}}",
            Peers(
                Gauge("network.rtt_ms", "mean", HOUR, "ms"),
                ("site",),
                3,
                "percentile",
                Comparison("between", 0.9, 1),
            ),
        ),
        (
            "{own_past: {measure: {increase: engagement.tours, over: 7d}, weeks: 4, change: below -20%}}",
            OwnPast(TOURS, 4, Comparison("below", -0.2)),
        ),
        (
            "{own_past: {measure: {increase: engagement.tours, over: 7d}, weeks: 8, change: above 150%}}",
            OwnPast(TOURS, 8, Comparison("above", 1.5)),
        ),
    ],
)
def test_of_robots(loading: Loading, when: str, meaning: object) -> None:
    """Each measure that compares over days, robots or weeks, with a measure of its own."""
    assert rule(loading, f"    when: {when}\n").when == meaning


@pytest.mark.parametrize(
    ("when", "meaning"),
    [
        (
            "{increase: network.disconnects, over: 1h, is: above 9}",
            Compare(Increase(("network.disconnects",), HOUR, "drops"), Comparison("above", 9)),
        ),
        ("{silent: robot, over: 15m}", Silent("robot", 900_000)),
        (
            "{share_of_robots: {when: {silent: asr, over: 1h}, is: above 50%}}",
            ShareOfRobots(Silent("asr", HOUR), 1, Comparison("above", 0.5)),
        ),
        (
            "{share_of_robots: {when: {not: {gauge: system.cpu_percent, reduce: max, over: 1h, is: below 9}},"
            " min_robots: 3, is: at least 0.5}}",
            ShareOfRobots(
                Not(Compare(Gauge("system.cpu_percent", "max", HOUR, "%"), Comparison("below", 9))),
                3,
                Comparison("at least", 0.5),
            ),
        ),
    ],
)
@pytest.mark.parametrize("entity", ["site", "customer"])
def test_of_sites_and_customers(loading: Loading, entity: str, when: str, meaning: object) -> None:
    """Counters are summed, a gauge stands in a share of robots."""
    found = rule(loading, f"    for_each: {entity}\n    when: {when}\n")
    assert (found.entity, found.when) == (entity, meaning)
    assert found.summary.en == f"{{{entity}}}: A"


PEERS = Peers(RATIO, ("industry",), 12, "robust_z", Comparison("below", -2.5))
PAST = OwnPast(RATIO, 4, Comparison("below", -0.2))
WHEN = f"""\
{MEASURE}    when:
      all:
      - peers: {{same: [industry], min_peers: 12, robust_z: below -2.5}}
      - own_past: {{weeks: 4, change: below -20%}}
      - is: below 30%
"""


def test_a_measure_is_said_once(loading: Loading) -> None:
    """`measure` of the rule is that of `peers`, of `own_past`, and of `is` alone."""
    assert rule(loading, WHEN).when == AllOf((PEERS, PAST, Compare(RATIO, Comparison("below", 0.3))))


@pytest.mark.parametrize(
    ("clear_when", "meaning"),
    [
        (
            "{peers: {robust_z: above -1.5}}",
            Peers(RATIO, ("industry",), 12, "robust_z", Comparison("above", -1.5)),
        ),
        (
            "{peers: {same: [scene], percentile: above 30%}}",
            Peers(RATIO, ("scene",), 12, "percentile", Comparison("above", 0.3)),
        ),
        ("{own_past: {change: above -5%}}", OwnPast(RATIO, 4, Comparison("above", -0.05))),
        ("{is: above 40%}", Compare(RATIO, Comparison("above", 0.4))),
        (
            "{any: [{is: above 40%}, {not: {own_past: {change: below 0%}}}]}",
            AnyOf((Compare(RATIO, Comparison("above", 0.4)), Not(OwnPast(RATIO, 4, Comparison("below", 0))))),
        ),
    ],
)
def test_clear_when_takes_from_when(loading: Loading, clear_when: str, meaning: object) -> None:
    """What it leaves out, at whatever depth, is that of the same in `when`."""
    assert rule(loading, f"{WHEN}    clear_when: {clear_when}\n").clear_when == meaning


def test_clear_when_of_a_share(loading: Loading) -> None:
    """`is` alone is about the share, and a share without `when` about the same condition."""
    share = (
        "    for_each: site\n"
        "    when: {share_of_robots: {when: {silent: robot, over: 1h}, min_robots: 3, is: above 50%}}\n"
    )
    cleared = ShareOfRobots(Silent("robot", HOUR), 3, Comparison("at most", 0.2))
    for clear_when in ("{is: at most 20%}", "{share_of_robots: {is: at most 20%}}"):
        assert rule(loading, f"{share}    clear_when: {clear_when}\n").clear_when == cleared


def own(measure: str) -> str:
    """A change of the measure against four weeks."""
    return f"    when: {{own_past: {{measure: {measure}, weeks: 4, change: below -20%}}}}\n"


def peers(inside: str) -> str:
    """The rule's measure among peers."""
    return f"{MEASURE}    when: {{peers: {{{inside}}}}}\n"


INTERACTIONS = "engagement.interactions of engagement.visitors over 7d"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("    when: {is: above 3}\n", '8:11: "is" alone needs a measure beside "when"'),
        (
            "    when: {peers: {same: [industry], min_peers: 3, robust_z: below -2}}\n",
            '8:19: "peers" needs "measure": its own, or one beside when',
        ),
        (
            peers("min_peers: 3, robust_z: below -2"),
            '9:19: "peers" needs "same": [industry, scene]',
        ),
        (
            peers("same: [industry], robust_z: below -2"),
            '9:19: "peers" needs "min_peers", such as min_peers: 12',
        ),
        (
            peers("same: [industry], min_peers: 3"),
            '9:19: "peers" needs one of robust_z and percentile, such as robust_z: below -2.5',
        ),
        (
            peers("same: [industry], min_peers: 3, robust_z: below -2, percentile: below 1%"),
            '9:19: "peers" has both robust_z and percentile, such as robust_z: below -2.5',
        ),
        (
            peers("same: [industri], min_peers: 3, robust_z: below -2"),
            '9:27: unknown attribute "industri"; did you mean "industry"?',
        ),
        (
            peers("same: [industry, industry], min_peers: 3, robust_z: below -2"),
            "9:26: the same attribute stands twice",
        ),
        (
            peers("same: days_since_install, min_peers: 3, robust_z: below -2"),
            "9:26: days_since_install changes every day; use another attribute",
        ),
        (
            peers("same: [industry], min_peers: 1, robust_z: below -2"),
            '9:49: must be a whole number from 2 to 100000, not "1"',
        ),
        (
            peers("same: [industry], min_peers: 3, robust_z: below 10%"),
            "9:62: 10% does not fit a robust z, which is a plain number",
        ),
        (
            peers("same: [industry], min_peers: 3, percentile: below 10"),
            "9:64: 10 does not fit a percentile, which is from 0% to 100%",
        ),
        (
            peers("same: [industry], min_peers: 3, robust: below -2"),
            '9:52: unknown key "robust"; did you mean "robust_z"?',
        ),
        (
            own("{gauge: network.rtt_ms, reduce: last, over: 1h}"),
            '8:22: "own_past" takes an increase or a ratio, not last of network.rtt_ms over 1h',
        ),
        (
            own("{increase: engagement.tours, over: 70d}"),
            "8:22: looks back more than 90d; take fewer weeks, or a shorter window",
        ),
        (
            f"{MEASURE}    when: {{own_past: {{weeks: 9, change: below -20%}}}}\n",
            '9:30: must be a whole number from 1 to 8, not "9"',
        ),
        (
            f"{MEASURE}    when: {{own_past: {{weeks: 4, change: below -20}}}}\n",
            "9:41: -20 does not fit a change, which is a fraction; write -20%, or a number from -1 to 1",
        ),
        (
            f"{MEASURE}    when: {{own_past: {{weeks: 4, change: below -120%}}}}\n",
            "9:41: -120% does not fit a change, which is never below -100%",
        ),
        (
            f"{MEASURE}    when: {{is: above 25}}\n",
            f"9:16: 25 does not fit {INTERACTIONS}, which is a fraction; write 25%, or a number from 0 to 1",
        ),
        (
            f"{MEASURE}    when: {{is: above 2h}}\n",
            f"9:16: 2h does not fit {INTERACTIONS}, which is a fraction",
        ),
        (
            "    when: {increase: engagement.tours, over: 1d, is: at most -1}\n",
            "8:54: -1 does not fit increase of engagement.tours over 1d, which is never below 0",
        ),
        (
            "    when: {increase: engagement.tours, over: 1d, is: at most 2h}\n",
            "8:54: 2h does not fit increase of engagement.tours over 1d, which is measured in tours",
        ),
        (
            "    when: {active_days: {of: engagement.tours, at_least: 1, over: 14d}, is: at most 20%}\n",
            "8:77: 20% does not fit days of the last 14 with engagement.tours of at least 1, "
            "which is a number of days",
        ),
        (
            "    when: {active_days: {of: engagement.tours, at_least: 1, over: 14d}, is: at most 15}\n",
            "8:77: 15 does not fit days of the last 14 with engagement.tours of at least 1, "
            "which is from 0 to 14",
        ),
        (
            "    when: {active_days: {of: engagement.tours, at_least: 0, over: 14d}, is: at most 5}\n",
            '8:58: must be above 0, and is "0"',
        ),
        (
            "    when: {active_days: {of: engagement.tours, at_least: 1, over: 36h}, is: at most 1}\n",
            '8:67: must be whole days from 1d to 35d, not "36h"',
        ),
        (
            "    when: {fluctuation: {of: engagement.tours, over: 36d}, is: above 80%}\n",
            '8:54: must be whole days from 1d to 35d, not "36d"',
        ),
        (
            "    when: {fluctuation: {of: engagement.tours, per: hour, over: 7d}, is: above 80%}\n",
            '8:53: must be one of day, not "hour"',
        ),
        (
            "    when: {share_of_robots: {when: {silent: robot, over: 1h}, is: above 50%}}\n",
            '8:11: "share_of_robots" is of a site or customer; for_each says which',
        ),
        (
            "    for_each: site\n"
            "    when: {gauge: system.cpu_percent, reduce: max, over: 1h, is: above 90%}\n",
            "9:11: a gauge cannot be summed over a site; put it in share_of_robots",
        ),
        (
            "    for_each: customer\n    when: {silent: vision, over: 1h}\n",
            "9:11: a customer has no module vision; put this in share_of_robots",
        ),
        (
            "    for_each: site\n    when: {share_of_robots: {is: above 50%}}\n",
            '9:29: "share_of_robots" needs "when": a condition of each robot',
        ),
        (
            "    for_each: site\n"
            "    when: {share_of_robots: {when: {silent: robot, over: 1h}, is: above 120%}}\n",
            "9:67: 120% does not fit a share of robots, which is from 0% to 100%",
        ),
        (
            "    for_each: site\n    when: {silent: robot, over: 1h}\n"
            '    summary: {en: "{robot}", zh: "{site}"}\n',
            "10:19: an alert of a site has no {robot}; use {site}",
        ),
        (
            "    for_each: customer\n    when: {silent: robot, over: 1h}\n"
            '    summary: {en: "{customer}", zh: "{site}"}\n',
            "10:37: an alert of a customer has no {site}; use {customer}",
        ),
        (
            "    for_each: sight\n    when: {silent: robot, over: 1h}\n",
            '8:15: must be one of robot, site, customer, not "sight"; did you mean "site"?',
        ),
        (
            "    measure: {increase: engagement.tours, over: 7d, is: above 3}\n    when: {is: above 3}\n",
            '8:53: unknown key "is"; one of: increase, over',
        ),
        (
            "    measure: {over: 7d, peers: {}}\n    when: {is: above 3}\n",
            '8:25: unknown key "peers"; one of: '
            "active_days, fluctuation, gauge, increase, over, ratio, reduce",
        ),
        (
            f"{WHEN}    clear_when: {{share_of_robots: {{is: above 1%}}}}\n",
            '14:17: "share_of_robots" is of a site or customer; for_each says which',
        ),
        (
            "    when:\n      all:\n"
            "      - {increase: engagement.tours, over: 1d, is: below 3}\n"
            "      - {increase: engagement.escorts, over: 1d, is: below 3}\n"
            "    clear_when: {is: above 3}\n",
            '12:17: "when" has 2 measures; say which one is meant',
        ),
    ],
)
def test_one_thing_wrong(problems: Problems, body: str, complaint: str) -> None:
    """Each mistake is told with its place, and what to write instead; and nothing else is."""
    assert problems(f"{HEAD}  - alert: A\n{body}{LABELS}") == [complaint]


def test_what_is_lacking_because_of_another_mistake_is_not_told(problems: Problems) -> None:
    """A measure that is wrong is one problem, not one more for each condition that takes it."""
    body = WHEN.replace("engagement.visitors", "engagement.visitor") + "    clear_when: {is: above 40%}\n"
    (problem,) = problems(f"{HEAD}  - alert: A\n{body}{LABELS}")
    assert 'unknown metric "engagement.visitor"; did you mean "engagement.visitors"?' in problem
