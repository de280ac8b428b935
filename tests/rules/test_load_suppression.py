"""The loader: time intervals, inhibit rules, flapping and storms."""

from pathlib import Path

import pytest

from rules.load import RuleErrors, load
from rules.metrics import Entry
from rules.rule import Flapping, InhibitRule, Matcher, Rule, Storm, TimeInterval, TimeSpans
from tests.rules.conftest import HEAD, Loading, Problems

RULE = """\
  - alert: A
    when: {silent: robot, over: 15m}
    labels: {severity: high, subsystem: network, team: north}
  - alert: B
    for_each: site
    when: {silent: robot, over: 15m}
    labels: {severity: low, subsystem: vision}
"""
WEEK = (0, 1, 2, 3, 4, 5, 6)


def with_spans(spans: str) -> str:
    """A file with an interval."""
    return f"{HEAD}{RULE}time_intervals:\n- name: office\n  spans: {spans}\n"


def with_rule(more: str) -> str:
    """A file whose second rule has one key more."""
    return f"{HEAD}{RULE}    {more}\n"


@pytest.mark.parametrize(
    ("spans", "meaning"),
    [
        (
            "[{weekdays: [mo-fr], times: [{from: 09:00, to: 18:00}]}]",
            [TimeSpans((0, 1, 2, 3, 4), ((540, 1080),))],
        ),
        (
            "[{weekdays: [fr-mo, we], times: [{from: 13:00, to: 24:00}, {from: 8:30, to: 12:00}]}]",
            [TimeSpans((0, 2, 4, 5, 6), ((510, 720), (780, 1440)))],
        ),
        ("[{weekdays: SU}]", [TimeSpans((6,), ())]),
        ("[{times: [{from: 00:00, to: 06:00}]}]", [TimeSpans(WEEK, ((0, 360),))]),
        (
            "[{dates: [2026-10-01, {from: 2026-12-24, to: 2027-01-02}]}, {weekdays: [mo]}]",
            [
                TimeSpans(WEEK, (), (("2026-10-01", "2026-10-01"), ("2026-12-24", "2027-01-02"))),
                TimeSpans((0,), ()),
            ],
        ),
    ],
)
def test_time_intervals(loading: Loading, spans: str, meaning: list[TimeSpans]) -> None:
    """Weekdays, times of day and dates; what is left out is any."""
    assert loading(with_spans(spans)).intervals == (TimeInterval("office", tuple(meaning)),)


@pytest.mark.parametrize(
    ("spans", "complaint"),
    [
        ("[]", '16:10: "spans" needs at least one'),
        ("[{}]", "16:11: a span needs weekdays, times or dates"),
        (
            "[{weekdays: [mon]}]",
            '16:23: must be a weekday (mo, tu, we, th, fr, sa, su) or a range such as mo-fr, not "mon"',
        ),
        ("[{weekdays: [mo-we, tu]}]", "16:22: a weekday stands twice"),
        (
            "[{times: [{from: 22:00, to: 02:00}]}]",
            "16:20: ends before it begins; over midnight, write two: {from: 22:00, to: 24:00} "
            "and {from: 00:00, to: 02:00}",
        ),
        (
            "[{times: [{from: 22:00, to: 00:00}]}]",
            "16:20: ends before it begins; the end of a day is to: 24:00",
        ),
        (
            "[{times: [{from: 9:00, to: 24:01}]}]",
            '16:37: must be a time from 00:00 to 24:00, not "24:01"',
        ),
        (
            "[{times: [{from: 9:00, to: 12:00}, {from: 11:00, to: 13:00}]}]",
            "16:19: the times overlap; join them",
        ),
        ("[{dates: [2026-02-29]}]", '16:20: must be a date such as 2026-10-01, not "2026-02-29"'),
        ("[{dates: [20260201]}]", '16:20: must be a date such as 2026-10-01, not "20260201"'),
        (
            "[{dates: [{from: 2026-02-02, to: 2026-02-01}]}]",
            "16:20: from 2026-02-02 is after to 2026-02-01; exchange them",
        ),
        ("[{days: [mo]}]", '16:12: unknown key "days"; did you mean "weekdays"?'),
    ],
)
def test_wrong_time_intervals(problems: Problems, spans: str, complaint: str) -> None:
    """Each mistake is told with its place."""
    assert problems(with_spans(spans)) == [complaint]


def test_rules_name_intervals(loading: Loading) -> None:
    """Those of their file, which may stand below them, and the one that is built in."""
    text = with_rule("active_time_intervals: [open_hours, office]\n    mute_time_intervals: office")
    found = loading(f"{text}time_intervals: [{{name: office, spans: [{{weekdays: mo-fr}}]}}]\n").rules[1]
    assert (found.active_intervals, found.mute_intervals) == (("open_hours", "office"), ("office",))


@pytest.mark.parametrize(
    ("key", "meaning"),
    [
        ("flapping: {history: 21, enter: 50%, leave: 25%}", {"flapping": Flapping(21, 0.5, 0.25)}),
        ("rule_storm: off", {"storm": None}),
        ("rule_storm: {share: 50%}", {"storm": Storm(0.5, 20)}),
        ("rule_storm: {share: 0.5, min_entities: 5}", {"storm": Storm(0.5, 5)}),
        ("for: 0s", {"storm": Storm(0.3, 20), "flapping": None}),
    ],
)
def test_flapping_and_storms(loading: Loading, key: str, meaning: dict[str, object]) -> None:
    """A rule flaps only where it says so; every rule has a storm, unless it is off."""
    found: Rule = loading(with_rule(key)).rules[1]
    assert {name: getattr(found, name) for name in meaning} == meaning


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("active_time_intervals: [ofice]", '14:29: unknown time interval "ofice"; one of: open_hours'),
        ("mute_time_intervals: []", "14:26: needs at least one time interval"),
        ("flapping: {history: 21, enter: 25%, leave: 50%}", "14:15: leave 50% must be below enter 25%"),
        ("flapping: {history: 2, enter: 50%, leave: 25%}", "14:25: must be a whole number from 3 to 1000"),
        ("flapping: {history: 21, enter: 150%, leave: 25%}", "14:36: must be a percentage from 0% to 100%"),
        ("flapping: {history: 21, enter: 50%}", '14:15: "flapping" needs "leave", such as leave: 25%'),
        ("rule_storm: on", "14:17: must be off, or such as {share: 30%, min_entities: 20}"),
        ("rule_storm: {share: 0%}", "14:17: a share of 0% would be a storm of every alert; use off for none"),
    ],
)
def test_wrong_keys_of_rules(problems: Problems, key: str, complaint: str) -> None:
    """Each mistake is told with its place, and nothing else is."""
    (problem,) = problems(with_rule(key))
    assert problem.startswith(complaint)


def with_inhibition(*rules: str) -> str:
    """A file with inhibit rules."""
    return f"{HEAD}{RULE}inhibit_rules:\n" + "".join(f"- {rule}\n" for rule in rules)


def test_inhibit_rules(loading: Loading) -> None:
    """Alerts are meant by name, severity, subsystem and labels; one or several of each."""
    found = loading(
        with_inhibition(
            "{source: {alert: B}, target: {alert: [A, B]}, equal: [site]}",
            "{source: {severity: [critical, high], labels: {team: north}},"
            " target: {subsystem_not: network}, equal: robot}",
            "{source: {subsystem: network}, target: {severity: low}, equal: [customer, hall_number]}",
        )
    ).inhibit_rules
    assert [(rule.source, rule.target, rule.equal) for rule in found] == [
        (Matcher(("B",)), Matcher(("A", "B")), ("site",)),
        (
            Matcher(severities=("critical", "high"), labels=(("team", "north"),)),
            Matcher(subsystem_not=("network",)),
            ("robot",),
        ),
        (Matcher(subsystems=("network",)), Matcher(severities=("low",)), ("customer", "hall_number")),
    ]
    assert [rule.place.rpartition(":")[2] for rule in found] == ["15", "16", "17"]


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        (
            "{source: {alert: Bb}, target: {alert: A}, equal: [site]}",
            '15:20: unknown alert "Bb"; did you mean "B"?',
        ),
        (
            "{source: {alert: B}, target: {alert: A}}",
            '15:3: an inhibit rule needs "equal", such as equal: [site]',
        ),
        (
            "{source: {alert: B}, target: {alert: A}, equal: []}",
            "15:51: needs at least one of robot, site, customer or another attribute",
        ),
        (
            "{source: {alert: B}, target: {alert: A}, equal: [sitee]}",
            '15:52: unknown attribute "sitee"; did you mean "site"?',
        ),
        (
            "{source: {}, target: {alert: A}, equal: site}",
            "15:12: a matcher needs one of alert, severity, subsystem, subsystem_not, labels",
        ),
        (
            "{source: {severity: hihg}, target: {alert: A}, equal: site}",
            '15:23: must be one of critical, high, medium, low, info, not "hihg"; did you mean "high"?',
        ),
        (
            "{source: {subsystem: netwrok}, target: {alert: A}, equal: site}",
            '15:24: unknown subsystem "netwrok"; did you mean "network"?',
        ),
        (
            "{source: {labels: {severity: high}}, target: {alert: A}, equal: site}",
            '15:22: "severity" stands beside "labels", not in it',
        ),
        (
            "{sources: {alert: A}, source: {alert: B}, target: {alert: A}, equal: site}",
            '15:4: unknown key "sources"; did you mean "source"?',
        ),
    ],
)
def test_wrong_inhibit_rules(problems: Problems, rule: str, complaint: str) -> None:
    """Each mistake is told with its place, and nothing else is."""
    assert problems(with_inhibition(rule)) == [complaint]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (RULE.replace("alert: B", "alert: RuleStorm"), '10:12: the name "RuleStorm" is taken'),
        (
            f"{RULE}time_intervals: [{{name: open_hours, spans: [{{weekdays: mo}}]}}]\n",
            '14:25: the name "open_hours" is taken',
        ),
    ],
)
def test_reserved_names(problems: Problems, text: str, complaint: str) -> None:
    """What the engine calls its own, no file can."""
    assert problems(HEAD + text) == [f"{complaint} by the engine itself; use another"]


def test_names_over_all_files(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """An inhibit rule may name an alert of another file; intervals have names of their own over all files."""
    interval = "time_intervals: [{name: office, spans: [{weekdays: mo}]}]\n"
    inhibition = "inhibit_rules: [{source: {alert: B}, target: {alert: C}, equal: site}]\n"
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(f"{HEAD}{RULE}{inhibition}{interval}", encoding="utf-8")
    other = f"{HEAD}{RULE}".replace("alert: A", "alert: C").replace("alert: B", "alert: D")
    second.write_text(other.replace("name: g", "name: h"), encoding="utf-8")
    (found,) = load([first, second], catalogue).inhibit_rules
    assert found == InhibitRule(Matcher(("B",)), Matcher(("C",)), ("site",), f"{first}:14")
    second.write_text(second.read_text(encoding="utf-8") + interval, encoding="utf-8")
    with pytest.raises(RuleErrors, match=r'time interval "office" is already in .*a\.yaml:15; every time'):
        load([first, second], catalogue)
