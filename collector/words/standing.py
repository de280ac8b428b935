"""Why an alert stands where it stands in the queue, by when it wants an answer, and whose it is: in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from collector import ranking
from collector.queue import SYSTEM, Alert
from collector.ranking import Point
from collector.words.i18n import Words

COMMAND: Final = "command"  # who did something by a command on the machine, and gave no name
_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_SIGNS: Final[Mapping[str, str]] = {"CNY": "¥", "RMB": "¥", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "JP¥"}
_MYRIAD: Final = 10_000  # how Chinese counts large sums


@dataclass(frozen=True, slots=True)
class Why:
    """One reason for the rank, in words."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Due:
    """The next deadline: `answer` or `solve`, by when, and how that is said."""

    kind: str
    at: int
    late: bool
    text: str


def whys(alert: Alert, t: Words, now: int) -> tuple[Why, ...]:
    """The reasons for the rank, the severity first, then the weightiest."""
    ranked = ranking.ranked(alert.reasons, alert.opened_at, now)
    ordered = sorted(ranked, key=lambda point: point.key != "severity")
    found = [Why(point.key, text) for point in ordered if (text := _reason(point, t))]
    return tuple(found)


def due(alert: Alert, t: Words, now: int) -> Due | None:
    """The next deadline; None where there is none, or where it stands still."""
    at = alert.due_at
    if at is None:
        return None
    kind = "answer" if alert.acknowledged_at is None and at == alert.ack_due_at else "solve"
    late = at <= now
    text = t(f"due.{kind}_late", by=span(now - at, t)) if late else t(f"due.{kind}", within=span(at - now, t))
    return Due(kind, at, late, text)


def span(ms: int, t: Words) -> str:
    """A length of time as somebody who waits for it would say it: minutes of an hour, hours of a day."""
    unit = _MINUTE if ms < _DAY else _HOUR if ms < 4 * _DAY else _DAY
    return t.duration(max(ms // unit * unit, _MINUTE))


def money(amount: float, currency: str | None, t: Words) -> str:
    """A sum as the language counts it: `¥480,000`, `¥48万`."""
    code = (currency or "CNY").upper()
    number = t.count(amount)
    if t.language == "zh" and amount >= _MYRIAD:
        number = f"{amount / _MYRIAD:,.1f}".removesuffix(".0") + "万"
    return f"{_SIGNS[code]}{number}" if code in _SIGNS else f"{number} {code}"


def person(names: Mapping[str, str], id_: str | None, t: Words) -> str:
    """What somebody is called; the system by its own name, and who had the machine."""
    if id_ in (None, "", SYSTEM):
        return t("alert.by_system")
    if id_ == COMMAND:
        return t("registry.by_command")
    return names.get(str(id_)) or str(id_)


def _reason(point: Point, t: Words) -> str:
    values = point.values
    match point.key:
        case "severity":
            return t.one_of("severity", str(values.get("severity")))
        case "contract":
            return t(
                "why.contract", amount=money(_number(values.get("amount")), _text(values.get("currency")), t)
            )
        case "renewal":
            return _renewal(int(_number(values.get("days"))), t)
        case "share":
            of = int(_number(values.get("robots")))
            return t("why.share", n=of, affected=int(_number(values.get("affected"))), of=of)
        case "age":
            days = int(_number(values.get("days")))
            return t("why.age", n=days) if days >= 1 else ""
    return t(f"why.{point.key}") if t.has(f"why.{point.key}") else point.key


def _renewal(days: int, t: Words) -> str:
    if days < 0:
        return t("why.renewal_past", n=-days)
    return t("why.renewal", n=days) if days else t("why.renewal_today")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _text(value: object) -> str | None:
    return None if value is None else str(value)
