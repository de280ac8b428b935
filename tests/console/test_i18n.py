"""The console's words: both languages say everything, and say it the same way."""

import re
import string
from datetime import UTC
from pathlib import Path

import pytest

import collector.http
from collector.queue import Kind, Reason, Severity, Signal, Work
from collector.words.i18n import Words, chosen, texts, zone

FOLDER = Path(str(collector.http.__file__)).parent
EN, ZH = Words("en"), Words("zh")
NOW = 1_795_160_400_000  # 20 November 2026, 07:40 UTC
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def names(text: object) -> set[str]:
    """The {names} of a text, without what is taken of them."""
    forms = [text] if isinstance(text, str) else list(text.values())  # type: ignore[attr-defined]
    found = (name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name)
    return {name.partition(".")[0] for name in found}


def test_both_languages_have_the_same_texts() -> None:
    """No key is missing in either language."""
    assert set(texts("en")) == set(texts("zh"))


def test_both_languages_name_the_same_things() -> None:
    """A text takes the same {names} in both languages."""
    different = {key for key in texts("en") if names(texts("en")[key]) != names(texts("zh")[key])}
    assert {key for key in different if not key.startswith("time.")} == set()


def test_every_text_that_templates_ask_for_exists() -> None:
    """`t('key')` in a template, or `t("key"` in code, never meets a missing text."""
    sources = [*FOLDER.glob("templates/*.html"), *FOLDER.glob("views/*.py"), *FOLDER.glob("pages/*.py")]
    asked = {
        key
        for source in sources
        for key in re.findall(r"\bt\(['\"]([a-z_]+\.[a-z0-9_]+)['\"][,)]", source.read_text(encoding="utf-8"))
    }
    assert asked
    assert asked <= set(texts("en"))


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("severity", Severity),
        ("severity_in_text", Severity),
        ("work", Work),
        ("signal", Signal),
        ("signal_hint", Signal),
        ("reason", Reason),
        ("presence", ("online", "late", "lost", "never")),
        ("presence_words", ("online", "late", "lost", "never")),
        ("state", ("ok", "alert", "down", "unknown")),
        ("delivery", ("dropped", "refused")),
        ("delivery.why", ("dropped", "refused")),
        ("fleet.deliveries", ("clash", "lost", "held")),
        ("fleet.flag", ("clash", "lost", "held")),
        ("notice", ("store", "broker", "database", "queue", "rules", "engine", "upkeep", "ingest", "other")),
        ("lifecycle", ("live", "onboarding", "unclaimed", "retired")),
    ],
)
def test_every_value_has_a_word(group: str, values: list[str]) -> None:
    """Whatever a page may have to show has its word."""
    assert [value for value in values if not EN.has(f"{group}.{value}")] == []


def test_every_kind_of_entry_can_be_told() -> None:
    """The history has a sentence for every kind of entry."""
    assert all(EN.has(f"alert.history_{kind}") for kind in Kind)


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "language"),
    [
        ("zh", "en", "en", "zh"),
        (None, "zh", "en-GB,en;q=0.9", "zh"),
        (None, None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, None, "en;q=0.5, zh;q=0.9", "zh"),
        (None, None, "fr-FR, zh-TW;q=0.4, en;q=0.3", "zh"),
        (None, None, "fr", "en"),
        ("xx", "yy", ";;q=,", "en"),
        (None, None, None, "en"),
    ],
)
def test_the_language_is_chosen(
    query: str | None, cookie: str | None, accept: str | None, language: str
) -> None:
    """The address first, then what was chosen before, then the browser, then English."""
    assert chosen(query, cookie, accept) == language


@pytest.mark.parametrize(
    ("distance", "en", "zh"),
    [
        (4_000, "just now", "刚刚"),
        (45_000, "45 s ago", "45 秒前"),
        (3 * MINUTE, "3 min ago", "3 分钟前"),
        (5 * HOUR, "5 h ago", "5 小时前"),
        (47 * HOUR, "47 h ago", "47 小时前"),
        (3 * DAY, "3 d ago", "3 天前"),
        (-20 * HOUR, "in 20 h", "20 小时后"),
    ],
)
def test_times_are_told_from_now(distance: int, en: str, zh: str) -> None:
    """How long ago, in one unit."""
    assert (EN.ago(NOW - distance, NOW), ZH.ago(NOW - distance, NOW)) == (en, zh)


def test_dates_are_written_as_each_language_does() -> None:
    """On the robot's own clock, the zone named where it matters."""
    shanghai = zone("Asia/Shanghai")
    assert EN.moment(NOW, shanghai) == "20 Nov 2026, 15:40"
    assert ZH.moment(NOW, shanghai) == "2026年11月20日 15:40"
    assert EN.exactly(NOW, shanghai) == "20 Nov 2026, 15:40:00 (Asia/Shanghai)"
    assert ZH.day(NOW, UTC) == "2026年11月20日"


def test_an_unknown_zone_is_utc() -> None:
    """A robot may call its zone what it likes."""
    assert zone("Moon/Sea") is UTC
    assert zone("../etc/passwd") is UTC
    assert zone(None) is UTC


def test_singular_and_thousands() -> None:
    """One is one, and many are readable."""
    assert EN("queue.headline", n=1) == "One alert is waiting"
    assert EN("queue.headline", n=12_345) == "12,345 alerts are waiting"
    assert ZH("queue.headline", n=1) == "有 1 条告警待处理"


def test_a_value_without_a_word_is_shown_as_it_is() -> None:
    """An industry of the customer's own making stays readable."""
    assert EN.one_of("industry", "petting_zoo") == "petting zoo"


def test_a_text_nobody_wrote_is_a_fault() -> None:
    """A typing error in a template does not become an empty place."""
    with pytest.raises(KeyError):
        EN("queue.nothing_like_it")
