"""What a person reads about an alert, in English and Chinese: values, durations, instants, summaries."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from math import isfinite
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from collector.queue import Alert, Signal
from collector.subjects import Subject
from rules.evaluation import Evidence
from rules.rule import Rule, Text

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_UNITS_MS: Final = (
    (86_400_000, "d", "天"),
    (3_600_000, "h", "小时"),
    (60_000, "min", "分钟"),
    (1_000, "s", "秒"),
)
_BYTES: Final = ("B", "kB", "MB", "GB", "TB")
_SHOWN_UNITS: Final = frozenset({"ms", "dBm", "°C", "m"})
_COMPARISONS: Final[Mapping[str, Mapping[Language, str]]] = {
    "above": {"en": "above", "zh": "高于"},
    "below": {"en": "below", "zh": "低于"},
    "at least": {"en": "at least", "zh": "不少于"},
    "at most": {"en": "at most", "zh": "不多于"},
    "between": {"en": "between", "zh": "介于"},
}
_UNKNOWN: Final[Mapping[str, Mapping[Language, str]]] = {
    "site": {"en": "an unregistered site", "zh": "未登记地点"},
    "customer": {"en": "an unregistered customer", "zh": "未登记客户"},
    "value": {"en": "no data", "zh": "无数据"},
    "threshold": {"en": "no threshold", "zh": "无阈值"},
    "over": {"en": "the period", "zh": "该时段"},
}
_PLAIN: Final = Text(
    "{rule} on {robot} at {site} since {since}", "{site} 的 {robot} 自 {since} 起触发 {rule}"
)
_PLAIN_GROUP: Final = Text("{rule} on {entity} since {since}", "{entity} 自 {since} 起触发 {rule}")


def summary(alert: Alert, rule: Rule | None, subject: Subject) -> Text:
    """The rule's summary of this alert, or plain words where the rule is gone.

    While the signal fires the value is the latest; afterwards it is that which opened the alert.
    """
    plain = _PLAIN if subject.kind == "robot" else _PLAIN_GROUP
    template = rule.summary if rule else plain
    return Text(
        _fill(template.en, _facts(alert, subject, "en")), _fill(template.zh, _facts(alert, subject, "zh"))
    )


def duration(ms: float, language: Language) -> str:
    """A length of time in at most two units: `2 h 30 min`, `2 小时 30 分钟`."""
    rest = round(max(ms, 0) / 1_000) * 1_000
    parts = []
    for size, en, zh in _UNITS_MS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {en if language == 'en' else zh}")
        if parts and (len(parts) == 2 or not count):
            break
    return " ".join(parts) or ("0 s" if language == "en" else "0 秒")


def value(number: float | None, unit: str, language: Language) -> str:
    """A value as people say it: ratios as a percentage, times as a duration, counts bare."""
    if number is None or not isfinite(number):
        return _UNKNOWN["value"][language]
    match unit:
        case "ratio":
            return f"{_number(number * 100)}%"
        case "%":
            return f"{_number(number)}%"
        case "s":
            return duration(number * 1_000, language)
        case "B":
            return _bytes(number)
        case "d":
            return f"{_number(number)} {'d' if language == 'en' else '天'}"
    return f"{_number(number)} {unit}" if unit in _SHOWN_UNITS else _number(number)


def instant(ms: int, tz: str | None, language: Language) -> str:
    """A time on the clock of the robot's site; in UTC, and saying so, where its zone is not known."""
    zone = _zone(tz)
    local = datetime.fromtimestamp(ms / 1_000, zone or UTC)
    day = f"{local.day} {local:%b}" if language == "en" else f"{local.month}月{local.day}日"
    return f"{day} {local:%H:%M}" + ("" if zone else " UTC")


def comparison(evidence: Evidence, language: Language) -> str:
    """What a measure was held against: `above 25%`, `高于 25%`."""
    word = _COMPARISONS.get(evidence.comparison, {}).get(language, evidence.comparison)
    bounds = [value(bound, evidence.unit, language) for bound in evidence.thresholds]
    return f"{word} {(' and ' if language == 'en' else ' 和 ').join(bounds)}".strip()


def _fill(template: str, facts: Mapping[str, str]) -> str:
    """Nothing but whole known names is replaced: a template cannot reach anything else."""
    return _PLACEHOLDER.sub(lambda found: facts.get(found[1], found[0]), template)


def _facts(alert: Alert, subject: Subject, language: Language) -> dict[str, str]:
    first = alert.evidence[0] if alert.evidence else None
    shown = alert.value if alert.signal is Signal.FIRING else alert.opened_value
    return {
        "rule": alert.rule,
        "entity": subject.shown,
        "robot": subject.shown,
        "site": subject.site or _UNKNOWN["site"][language],
        "customer": subject.customer or _UNKNOWN["customer"][language],
        "since": instant(alert.since, subject.tz, language),
        "value": value(shown, alert.unit, language),
        "threshold": _bound(alert, language),
        "over": duration(first.over_ms, language) if first and first.over_ms else _UNKNOWN["over"][language],
    }


def _bound(alert: Alert, language: Language) -> str:
    if alert.threshold is None:
        return _UNKNOWN["threshold"][language]
    return value(alert.threshold, alert.unit, language)


def _number(number: float) -> str:
    """Whole numbers whole, with a comma at the thousands; others with three figures that mean something."""
    if number == int(number) or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 1 else f"{number:.2g}"


def _bytes(number: float) -> str:
    for unit in _BYTES[:-1]:
        if abs(number) < 1_000:
            return f"{_number(number)} {unit}"
        number /= 1_000
    return f"{_number(number)} {_BYTES[-1]}"


@lru_cache(maxsize=512)
def _zone(name: str | None) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
