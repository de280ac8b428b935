"""The loader: what a rule file means, and what is said about one that means nothing."""

from pathlib import Path

import pytest

from rules.load import RuleErrors, find, load, shipped
from rules.metrics import Entry
from rules.rule import (
    AllOf,
    CallToAction,
    Compare,
    Comparison,
    Gauge,
    Increase,
    Not,
    OneOf,
    Prefix,
    Ratio,
    Silent,
    Text,
    Within,
)
from tests.rules.conftest import HEAD, Loading, Problems

LABELS = "    labels: {severity: low, subsystem: vision}\n"
WHEN = "    when: {increase: vision.face_errors, over: 1h, is: at least 5}\n"


def test_a_whole_rule(loading: Loading) -> None:
    """Every key of the language arrives in the record."""
    (rule,) = loading(
        HEAD
        + """\
  - alert: FacesNotRecognized
    about: {en: Faces, zh: 人脸}
    for_each: robot
    where: {lifecycle: live, industry: [bank, no], model: {prefix: x-}, days_since_install: {from: 7}}
    when:
      ratio:
        of: [vision.faces_unrecognized, vision.face_errors]
        to: vision.face_attempts
        over: 1h
        min_samples: 30
      is: above 25%
    clear_when: {is: below 15%}
    for: 1h30m
    keep_firing_for: 90s
    missing_data: unknown
    labels: {severity: medium, subsystem: vision, team: north}
    summary: {en: "{robot}: {value}", zh: "{robot}：{value}"}
    call_to_action: {next_step: {en: Look, zh: 看}, playbook: faces, ack_within: 2h, resolve_within: 1d}
"""
    ).rules
    of = ("vision.faces_unrecognized", "vision.face_errors")
    ratio = Ratio(of, ("vision.face_attempts",), 3_600_000, 30)
    assert rule.when == Compare(ratio, Comparison("above", 0.25))
    assert rule.clear_when == Compare(ratio, Comparison("below", 0.15))
    assert (rule.for_ms, rule.keep_firing_for_ms, rule.interval_ms) == (5_400_000, 90_000, 60_000)
    assert (rule.severity, rule.subsystem, rule.labels) == ("medium", "vision", {"team": "north"})
    assert (rule.about, rule.summary.en, rule.missing_data) == (
        Text("Faces", "人脸"),
        "{robot}: {value}",
        "unknown",
    )
    assert rule.call_to_action == CallToAction(Text("Look", "看"), "faces", 7_200_000, 86_400_000)
    assert rule.where == (
        OneOf("lifecycle", ("live",)),
        OneOf("industry", ("bank", "no")),
        Prefix("model", "x-"),
        Within("days_since_install", 7, None),
    )
    assert rule.place.endswith("rules.yaml:7")
    assert rule.metrics == (*of, "vision.face_attempts")


@pytest.mark.parametrize(
    ("when", "meaning"),
    [
        (
            "{increase: network.offline_seconds, over: 6h, is: at least 1h}",
            Compare(Increase(("network.offline_seconds",), 21_600_000, "s"), Comparison("at least", 3600)),
        ),
        (
            "{gauge: network.rtt_ms, reduce: mean, over: 10m, is: above 1.5s}",
            Compare(Gauge("network.rtt_ms", "mean", 600_000, "ms"), Comparison("above", 1500)),
        ),
        (
            "{gauge: system.cpu_percent, reduce: min, over: 10m, is: between 90% and 100%}",
            Compare(Gauge("system.cpu_percent", "min", 600_000, "%"), Comparison("between", 90, 100)),
        ),
        (
            "{gauge: network.signal_dbm, reduce: last, over: 10m, is: below -80}",
            Compare(Gauge("network.signal_dbm", "last", 600_000, "dBm"), Comparison("below", -80)),
        ),
        ("{silent: vision, over: 15m}", Silent("vision", 900_000)),
        (
            "{all: [{silent: asr, over: 5m}, {not: {silent: robot, over: 5m}}]}",
            AllOf((Silent("asr", 300_000), Not(Silent("robot", 300_000)))),
        ),
    ],
)
def test_conditions(loading: Loading, when: str, meaning: object) -> None:
    """Each form of a condition, with units turned into the metric's own."""
    (rule,) = loading(f"{HEAD}  - alert: A\n    when: {when}\n{LABELS}").rules
    assert rule.when == meaning


def test_what_a_rule_need_not_say(loading: Loading) -> None:
    """Texts fall back on the name; nothing else has a silent default."""
    (rule,) = loading(f"{HEAD}  - alert: A\n{WHEN}{LABELS}").rules
    assert (rule.about, rule.summary) == (Text("A", "A"), Text("{robot}: A", "{robot}：A"))
    assert (rule.for_ms, rule.clear_when, rule.where) == (0, None, ())


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        (f"{WHEN}", '7:5: a rule needs "labels": {severity: …, subsystem: …}'),
        (f"{LABELS}", '7:5: a rule needs "when"'),
        (
            "    when: {increase: vision.face_erors, over: 1h, is: at least 5}\n" + LABELS,
            '8:22: unknown metric "vision.face_erors"; did you mean "vision.face_errors"?',
        ),
        (
            "    when: {increase: network.rtt_ms, over: 1h, is: at least 5}\n" + LABELS,
            '8:22: "network.rtt_ms" is a gauge, not a counter; use gauge for it',
        ),
        (
            "    when: {gauge: vision.face_errors, reduce: max, over: 1h, is: above 5}\n" + LABELS,
            '8:19: "vision.face_errors" is a counter, not a gauge; use increase or ratio for it',
        ),
        (
            "    when: {increase: vision.face_errors, over: -1h, is: at least 5}\n" + LABELS,
            '8:48: must be a duration such as 90s, 15m, 6h or 7d, not "-1h"',
        ),
        (
            "    when: {increase: vision.face_errors, over: 0s, is: at least 5}\n" + LABELS,
            "8:48: must be longer than nothing",
        ),
        (
            "    when: {increase: vision.face_errors, over: 99w, is: at least 5}\n" + LABELS,
            '8:48: "99w" is longer than 90d, the longest there is',
        ),
        (
            "    when: {increase: vision.face_errors, over: 1h, is: at least .nan}\n" + LABELS,
            '8:56: ".nan" is no number, percentage or duration',
        ),
        (
            "    when: {increase: vision.face_errors, over: 1h, is: at least 25%}\n" + LABELS,
            "8:56: 25% does not fit increase of vision.face_errors over 1h, which is measured in faces",
        ),
        (
            "    when: {increase: vision.face_errors, over: 1h, is: between 4 and 2}\n" + LABELS,
            "8:56: 4 is above 2; exchange them",
        ),
        (
            "    when: {increase: vision.face_errors, over: 1h, is: more than 5}\n" + LABELS,
            '8:56: must be such as above 25%, at least 5, at most 10m or between 2 and 4, not "more than 5"',
        ),
        (
            "    when: {increase: vision.face_errors, over: 1h}\n" + LABELS,
            '8:11: a condition needs "is", such as is: at least 5',
        ),
        (
            "    when: {silent: visoin, over: 1h}\n" + LABELS,
            '8:20: unknown subsystem "visoin"; did you mean "vision"?',
        ),
        (
            "    when: {silent: robot, all: []}\n" + LABELS,
            "8:11: silent and all in one condition; join them with all or any",
        ),
        ("    when: {all: []}\n" + LABELS, '8:17: "all" needs at least one condition'),
        (f"{WHEN}{LABELS}    fro: 5m\n", '10:5: unknown key "fro"; did you mean "for"?'),
        (
            f"{WHEN}{LABELS}    for: 5m\n    for: 6m\n",
            '11:5: key "for" stands twice; the first is in line 10',
        ),
        (
            f"{WHEN}{LABELS}    missing_data: drop\n",
            '10:19: must be one of keep_last_state, resolve, fire, unknown, not "drop"',
        ),
        (
            f"{WHEN}    labels: {{severity: hihg, subsystem: vision}}\n",
            '9:24: must be one of critical, high, medium, low, info, not "hihg"; did you mean "high"?',
        ),
        (
            f"{WHEN}    labels: {{severity: high, subsystem: visoin}}\n",
            '9:41: unknown subsystem "visoin"; did you mean "vision"?',
        ),
        (
            f'{WHEN}{LABELS}    summary: {{en: "{{robto}}", zh: ok}}\n',
            '10:19: unknown placeholder "{robto}"; did you mean "robot"?',
        ),
        (f"{WHEN}{LABELS}    about: {{en: only}}\n", '10:12: a text for people needs "zh"'),
        (
            f"{WHEN}{LABELS}    about: {{en: a, b, zh: c}}\n",
            '10:20: unknown key "b"; a text with a comma or colon in it needs quotes',
        ),
        (
            f"{WHEN}{LABELS}    where: {{lifecyle: live}}\n",
            '10:13: unknown attribute "lifecyle"; did you mean "lifecycle"?',
        ),
        (
            f"{WHEN}{LABELS}    where: {{days_since_install: {{from: 9, to: 3}}}}\n",
            "10:33: from 9 is above to 3; exchange them",
        ),
        (
            f"    when: {{silent: robot, over: 5m}}\n{LABELS}    clear_when: {{is: below 3}}\n",
            '10:17: "when" has no measures; say which one is meant',
        ),
    ],
)
def test_one_thing_wrong(problems: Problems, rule: str, complaint: str) -> None:
    """Each mistake is told with its place, and what to write instead; and nothing else is."""
    assert problems(f"{HEAD}  - alert: A\n{rule}") == [complaint]


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """In the order of the files and lines; names must be unique over all of them."""
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(f"{HEAD}  - alert: A\n{WHEN}  - alert: B\n{LABELS}", encoding="utf-8")
    second.write_text(f"{HEAD}  - alert: A\n{WHEN}{LABELS}", encoding="utf-8")
    with pytest.raises(RuleErrors) as caught:
        load([first, second, tmp_path / "c.yaml"], catalogue)
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        'a.yaml:7:5: a rule needs "labels": {severity: …, subsystem: …}',
        'a.yaml:9:5: a rule needs "when"',
        'b.yaml:4:9: group "g" is already in a.yaml:4; every group needs its own name',
        'b.yaml:7:12: alert "A" is already in a.yaml:7; every alert needs its own name',
        "c.yaml: cannot be read: No such file or directory",
    ]


def test_missing_data_has_no_silent_default(problems: Problems) -> None:
    """Without `defaults`, each rule must say it."""
    text = f"{HEAD}  - alert: A\n{WHEN}{LABELS}".replace("defaults: {missing_data: keep_last_state}\n", "")
    (problem,) = problems(text)
    assert problem.startswith('6:5: a rule needs "missing_data", here or in "defaults"')


def test_too_many_rules(problems: Problems) -> None:
    """A file takes 500."""
    rules = "".join(f"  - alert: A{number}\n{WHEN}{LABELS}" for number in range(501))
    assert problems(HEAD + rules) == ["1:1: more than 500 rules; split the file"]


def test_shipped_rules_load(catalogue: dict[str, Entry]) -> None:
    """What we ship is right, and folders are searched without tests."""
    rules = load(shipped(), catalogue)
    assert len(rules.rules) == len(rules.by_name) > 20
    assert not [path for path in find([shipped()[0].parent]) if path.name.endswith(".test.yaml")]


def test_reading_stops_where_all_is_wrong(problems: Problems) -> None:
    """A file full of mistakes is told to be so after the first hundred."""
    found = problems("".join(f"key{number}: 1\n" for number in range(20_000)))
    assert len(found) == 101
    assert found[-1] == "100:1: 100 problems by here; reading stopped, mend these first"
