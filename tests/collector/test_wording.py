"""What people read: values, durations, instants and summaries, in English and Chinese."""

from dataclasses import replace

import pytest

from collector import queue
from collector.queue import Signal
from collector.subjects import Subject
from collector.words import wording
from collector.words.wording import Language
from rules.evaluation import Entity, Event, Evidence
from rules.lifecycle import State
from tests.collector.evaluations import HOUR, RULES, evidence

NIGHT = 1_795_371_723_000  # 2026-11-22 18:22:03 in UTC, the 23rd in Shanghai
RULE = RULES.by_name["Relocalization"]
FIRED = Event(
    NIGHT,
    RULE.name,
    Entity("robot", "r1"),
    State.PENDING,
    State.FIRING,
    NIGHT,
    1234.0,
    5.0,
    evidence(1234.0),
)
ALERT = queue.opened(FIRED, RULE).alert
ROBOT = Subject("robot", "r1", name="小智", site="Hall 2", tz="Asia/Shanghai")
UNKNOWN = Subject("robot", "r1")


def test_a_summary_tells_the_rules_words_about_this_alert() -> None:
    """Every placeholder is filled, in either language, with times on the clock of the site."""
    text = wording.summary(ALERT, RULE, ROBOT)
    assert text.en == "小智 at Hall 2: 1,234 faults in 6 h, 5 allowed, since 23 Nov 02:22"
    assert text.zh == "Hall 2 的 小智 在 6 小时 内重定位异常 1,234 次"


def test_a_summary_of_a_robot_nobody_registered() -> None:
    """What is not known is said so, and the time is in UTC."""
    text = wording.summary(ALERT, RULE, UNKNOWN)
    assert text.en == "r1 at an unregistered site: 1,234 faults in 6 h, 5 allowed, since 22 Nov 18:22 UTC"


def test_a_summary_without_a_rule() -> None:
    """An alert whose rule is gone still says what it was about."""
    text = wording.summary(ALERT, None, ROBOT)
    assert text.en == "Relocalization on 小智 at Hall 2 since 23 Nov 02:22"
    assert text.zh == "Hall 2 的 小智 自 11月23日 02:22 起触发 Relocalization"


def test_what_is_over_is_told_with_the_value_it_had() -> None:
    """Once the signal no longer fires, the summary shows the value that opened the alert."""
    over = replace(ALERT, value=0.0, signal=Signal.RESOLVED)
    assert "1,234 faults" in wording.summary(over, RULE, ROBOT).en


def test_names_cannot_smuggle_placeholders() -> None:
    """A robot that is called like a placeholder, or like a format string, is shown as it is called."""
    odd = Subject("robot", "r1", name="{site} {0.__class__}", site="{value}")
    text = wording.summary(ALERT, None, odd)
    assert text.en.startswith("Relocalization on {site} {0.__class__} at {value} since")


@pytest.mark.parametrize(
    ("number", "unit", "en", "zh"),
    [
        (0.254, "ratio", "25.4%", "25.4%"),
        (0.25, "ratio", "25%", "25%"),
        (0.0042, "ratio", "0.42%", "0.42%"),
        (12.0, "drops", "12", "12"),
        (1_234_567.0, "faults", "1,234,567", "1,234,567"),
        (0.0, "", "0", "0"),
        (2.5, "goals", "2.5", "2.5"),
        (123.4, "ms", "123 ms", "123 ms"),
        (-71.5, "dBm", "-71.5 dBm", "-71.5 dBm"),
        (86.0, "°C", "86 °C", "86 °C"),
        (18.5, "%", "18.5%", "18.5%"),
        (5_400.0, "s", "1 h 30 min", "1 小时 30 分钟"),
        (1_500_000_000.0, "B", "1.5 GB", "1.5 GB"),
        (999.0, "B", "999 B", "999 B"),
        (None, "ratio", "no data", "无数据"),
        (float("nan"), "", "no data", "无数据"),
        (float("inf"), "B", "no data", "无数据"),
    ],
)
def test_values(number: float | None, unit: str, en: str, zh: str) -> None:
    """A value is written as people say it, by its unit."""
    assert (wording.value(number, unit, "en"), wording.value(number, unit, "zh")) == (en, zh)


@pytest.mark.parametrize(
    ("ms", "en", "zh"),
    [
        (0, "0 s", "0 秒"),
        (499, "0 s", "0 秒"),
        (1_000, "1 s", "1 秒"),
        (60_000, "1 min", "1 分钟"),
        (90_000, "1 min 30 s", "1 分钟 30 秒"),
        (6 * HOUR, "6 h", "6 小时"),
        (24 * HOUR, "1 d", "1 天"),
        (26 * HOUR + 60_000, "1 d 2 h", "1 天 2 小时"),
        (24 * HOUR + 60_000, "1 d", "1 天"),
        (-5, "0 s", "0 秒"),
    ],
)
def test_durations(ms: int, en: str, zh: str) -> None:
    """A length of time has at most two neighbouring units."""
    assert (wording.duration(ms, "en"), wording.duration(ms, "zh")) == (en, zh)


@pytest.mark.parametrize("tz", [None, "", "Mars/Olympus", "../../etc/passwd", "x" * 5_000])
def test_a_time_zone_nobody_knows(tz: str | None) -> None:
    """The time is told in UTC, and says so."""
    assert wording.instant(NIGHT, tz, "en") == "22 Nov 18:22 UTC"


@pytest.mark.parametrize(
    ("words", "bounds", "language", "text"),
    [
        ("above", (0.25,), "en", "above 25%"),
        ("at least", (0.25,), "zh", "不少于 25%"),
        ("between", (0.1, 0.2), "en", "between 10% and 20%"),
        ("between", (0.1, 0.2), "zh", "介于 10% 和 20%"),
        ("unheard of", (), "en", "unheard of"),
    ],
)
def test_comparisons(words: str, bounds: tuple[float, ...], language: Language, text: str) -> None:
    """What a value was held against, in words."""
    assert wording.comparison(Evidence("", (), 0.3, words, bounds, HOUR, "ratio", True), language) == text
