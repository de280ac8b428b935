"""What a value may be: text as it comes in, a value as it is kept, or `RegistryError` with what would do."""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.wire import is_robot
from collector.registry.problems import RegistryError, shown
from collector.registry.records import (
    FIELDS,
    REQUIRED,
    Contract,
    Customer,
    Kind,
    Lifecycle,
    Record,
    RobotRecord,
    Site,
    Stage,
    Tier,
    Value,
)
from rules.intervals import parse_holidays, parse_open_hours
from rules.roster import Robot

MAX_TEXT: Final = 256
MAX_NOTE: Final = 2_000
MAX_LIST: Final = 8_000  # of holidays
_MAX_ROBOTS: Final = 1_000_000
_MAX_AMOUNT: Final = 1e15
_EXTRA: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DAY: Final = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})")  # with slashes, as spreadsheets like it
_TEXT_EXTRAS: Final = ("open_hours", "holidays")  # of robots
_YES: Final = ("yes", "true", "1", "是")
_NO: Final = ("no", "false", "0", "否")
_ALSO: Final[Mapping[str, str]] = {
    "战略": "strategic", "重点": "key", "标准": "standard", "长尾": "long_tail", "long tail": "long_tail",
    "签约": "signing", "启动": "launch", "成长": "growth", "成熟": "maturity", "衰退": "decline",
    "续费": "renewal", "流失": "churn",
}  # fmt: skip


def checked_id(kind: Kind, raw: object) -> str:
    """The id, if it can be one. Raises `RegistryError`."""
    id_ = "" if raw is None else str(raw).strip()
    if kind is Kind.ROBOT:
        if not is_robot(id_):
            raise RegistryError("robot_id", "id", value=shown(id_))
        return id_
    if not 1 <= len(id_) <= MAX_TEXT or id_ in (".", "..") or not _is_plain(id_):
        raise RegistryError("id", "id", value=shown(id_))
    return id_


def checked(kind: Kind, name: str, raw: Value) -> Value:
    """A field's value; None where nothing is given. Raises `RegistryError`."""
    if name not in FIELDS[kind]:
        return _own(kind, name, raw)
    text = "" if raw is None else str(raw).strip()
    if text == "":
        return None
    return _CHECKS.get(name, _text)(name, text)


def check_field(kind: Kind, name: str) -> None:
    """Raises `RegistryError` where there is no such field; a robot may have any in lower case."""
    if name in FIELDS[kind] or (kind is Kind.ROBOT and _EXTRA.fullmatch(name)):
        return
    if kind is Kind.ROBOT:
        raise RegistryError("attribute", name, value=shown(name))
    known = ("id", *FIELDS[kind])
    close = get_close_matches(name, known, n=1)
    names: dict[str, object] = {"what": kind.plural, "value": shown(name), "known": ", ".join(known)}
    if close:
        raise RegistryError("meant", name, close=close[0], **names)
    raise RegistryError("unknown_field", name, **names)


def is_text(kind: Kind, name: str) -> bool:
    """Whether what stands there is meant as it is written, number or not."""
    return name == "id" or name in FIELDS[kind] or name in _TEXT_EXTRAS


def made(kind: Kind, id_: str, known: Mapping[str, Value]) -> Record:
    """The record of values that were each checked. Raises `RegistryError` where they do not agree."""
    for name in REQUIRED[kind]:
        if known.get(name) is None:
            raise RegistryError("required", name)
    named = {name: known.get(name) for name in FIELDS[kind]}
    return _MAKERS[kind](id_, named, known)


def record_of(robot: Robot) -> RobotRecord:
    """A robot as a recording's header has it; hours are taken as they are. Raises `RegistryError`."""
    given = {
        name: value if name in _TEXT_EXTRAS else checked(Kind.ROBOT, name, value)
        for name, value in robot.attributes.items()
    }
    record = made(Kind.ROBOT, checked_id(Kind.ROBOT, robot.id), given)
    assert isinstance(record, RobotRecord)  # noqa: S101 - that is what robots are made to
    return record


def number_or_text(text: str) -> str | float:
    """A robot's own attribute as a spreadsheet means it."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


# --- making -----------------------------------------------------------------------------------------------


def _customer(id_: str, named: Mapping[str, Value], _all: Mapping[str, Value]) -> Record:
    tier, stage = named["tier"], named["stage"]
    rest = {name: _or_none(named[name]) for name in ("csm", "region", "industry", "note")}
    return Customer(id_, Tier(str(tier)) if tier else None, Stage(str(stage)) if stage else None, **rest)


def _contract(id_: str, named: Mapping[str, Value], _all: Mapping[str, Value]) -> Record:
    begins_on, ends_on = str(named["begins_on"]), str(named["ends_on"])
    if ends_on < begins_on:
        raise RegistryError("order", "ends_on", value=ends_on, begins_on=begins_on)
    amount, robots, renewed = (named[name] for name in ("amount", "robots", "renewed"))
    return Contract(
        id_,
        str(named["customer"]),
        begins_on,
        ends_on,
        None if amount is None else float(amount),
        _or_none(named["currency"]),
        None if robots is None else int(robots),
        None if renewed is None else bool(renewed),
    )


def _site(id_: str, named: Mapping[str, Value], _all: Mapping[str, Value]) -> Record:
    return Site(id_, **{name: _or_none(named[name]) for name in FIELDS[Kind.SITE]})


def _robot(id_: str, named: Mapping[str, Value], known: Mapping[str, Value]) -> Record:
    lifecycle = Lifecycle(str(named["lifecycle"] or Lifecycle.LIVE.value))
    rest = {name: _or_none(named[name]) for name in FIELDS[Kind.ROBOT] if name != "lifecycle"}
    extra = {name: value for name, value in known.items() if name not in named and value is not None}
    return RobotRecord(id_, lifecycle, **rest, extra=extra)


_MAKERS: Final[Mapping[Kind, Callable[[str, Mapping[str, Value], Mapping[str, Value]], Record]]] = {
    Kind.CUSTOMER: _customer,
    Kind.CONTRACT: _contract,
    Kind.SITE: _site,
    Kind.ROBOT: _robot,
}


def _or_none(value: Value) -> Any:
    """The text of a field that has one."""
    return None if value is None else str(value)


# --- checking ---------------------------------------------------------------------------------------------


def _text(name: str, text: str, most: int = MAX_TEXT) -> str:
    if len(text) > most or not _is_plain(text, "\n\t" if most > MAX_TEXT else ""):
        raise RegistryError("text", name, value=shown(text), most=f"{most:,}")
    return text


def _is_plain(text: str, allowed: str = "") -> bool:
    """Without control characters and halves of surrogate pairs."""
    return all(letter in allowed or unicodedata.category(letter) not in ("Cc", "Cs") for letter in text)


def _note(name: str, text: str) -> str:
    return _text(name, text.replace("\r\n", "\n").replace("\r", "\n"), MAX_NOTE)


def _member(known: type[StrEnum]) -> Callable[[str, str], str]:
    def check(name: str, text: str) -> str:
        word = text.casefold()
        try:
            return known(_ALSO.get(word, word)).value
        except ValueError:
            raise RegistryError("one_of", name, value=shown(text), known=", ".join(known)) from None

    return check


def _tz(name: str, text: str) -> str:
    try:
        ZoneInfo(_text(name, text))
    except RegistryError:
        raise
    except (LookupError, ValueError, OSError):
        raise RegistryError("tz", name, value=shown(text)) from None
    return text


def _date(name: str, text: str) -> str:
    with suppress(ValueError):
        found = _DAY.fullmatch(text)
        day = date(*map(int, found.groups())) if found else date.fromisoformat(text)
        return day.isoformat()
    raise RegistryError("date", name, value=shown(text))


def _open_hours(name: str, text: str) -> str:
    try:
        parse_open_hours(_text(name, text))
    except RegistryError:
        raise
    except ValueError as error:
        raise RegistryError(name, name, value=shown(text), reason=str(error)) from None
    return text


def _holidays(name: str, text: str) -> str:
    try:
        parse_holidays(_text(name, " ".join(text.split()), MAX_LIST))
    except RegistryError:
        raise
    except ValueError as error:
        raise RegistryError(name, name, value=shown(text), reason=str(error)) from None
    return " ".join(text.split())


def _amount(name: str, text: str) -> float:
    with suppress(ValueError):
        if 0 <= (number := float(text)) <= _MAX_AMOUNT and text.isascii() and "_" not in text:
            return number + 0.0  # no -0
    raise RegistryError("amount", name, value=shown(text))


def _count(name: str, text: str) -> int:
    with suppress(ValueError):
        number = float(text)
        if 0 <= number <= _MAX_ROBOTS and number.is_integer() and text.isascii() and "_" not in text:
            return int(number)
    raise RegistryError("count", name, value=shown(text))


def _currency(name: str, text: str) -> str:
    if not re.fullmatch("[A-Za-z]{3}", text):
        raise RegistryError("currency", name, value=shown(text))
    return text.upper()


def _yes_or_no(name: str, text: str) -> bool:
    word = text.casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise RegistryError("yes_or_no", name, value=shown(text))


def _own(kind: Kind, name: str, raw: Value) -> Value:
    """An attribute of a robot that its owner added."""
    check_field(kind, name)
    if raw is None or raw == "":
        return None
    if name in _TEXT_EXTRAS:
        return _CHECKS[name](name, str(raw).strip())
    if isinstance(raw, str):
        return _text(name, raw.strip()) or None
    if not math.isfinite(raw):
        raise RegistryError("number", name, value=raw)
    return float(raw)


_CHECKS: Final[Mapping[str, Callable[[str, str], Value]]] = {
    "tier": _member(Tier),
    "stage": _member(Stage),
    "lifecycle": _member(Lifecycle),
    "note": _note,
    "tz": _tz,
    "installed_on": _date,
    "begins_on": _date,
    "ends_on": _date,
    "open_hours": _open_hours,
    "holidays": _holidays,
    "amount": _amount,
    "robots": _count,
    "currency": _currency,
    "renewed": _yes_or_no,
}
