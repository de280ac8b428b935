"""A person out of what was typed into a form or a command: everything wrong is told at once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from collector.people import Person, Role, Sees
from collector.words.wording import LANGUAGES
from rules.intervals import parse_holidays, parse_open_hours

FIELDS: Final = ("name", "role", "sees", "email", "language", "tz", "work_hours", "holidays")
_TEXT: Final = 256
_RESERVED: Final = frozenset({"system", "nobody", "api", "new"})  # the last is an address of the console
_EMAIL: Final = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}")


class InvalidPersonError(ValueError):
    """Some of what was given of a person cannot be used; `problems` says of each field why."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = problems


def is_name(id_: str) -> bool:
    """Whether somebody may sign in with that name: letters of any script, digits, and . _ - @."""
    plain = all(letter.isalnum() or letter in "._-@" for letter in id_)
    return plain and 0 < len(id_) <= 64 and id_ == id_.lower() and id_ not in _RESERVED


def enrol(id_: str, given: Mapping[str, str], before: Person | None = None) -> Person:
    """A person out of texts; what is not given is as before. Raises `InvalidPersonError`."""
    known = {} if before is None else {name: str(getattr(before, name) or "") for name in FIELDS}
    fields = {"role": "", "sees": Sees.ALL.value, **known, **given}
    texts = {name: " ".join(fields.get(name, "").split()) for name in FIELDS}
    problems = {name: problem for name in FIELDS if (problem := _problem(name, texts[name]))}
    if not is_name(id_):
        allowed = "use 1 to 64 lower-case letters, digits and . _ - @"
        problems = {"id": f"{id_[:70]!r} is no name to sign in with; {allowed}"} | problems
    if problems:
        raise InvalidPersonError(problems)
    changed = replace(before or Person(id_, id_, Role(texts["role"])), role=Role(texts["role"]))
    email, language, tz, work_hours, holidays = (texts[name] or None for name in FIELDS[3:])
    return replace(
        changed,
        name=texts["name"] or id_,
        sees=Sees(texts["sees"]),
        email=email,
        language=language,
        tz=tz,
        work_hours=work_hours,
        holidays=holidays,
    )


def _problem(name: str, text: str) -> str | None:
    if len(text) > _TEXT or not text.isprintable():
        return f"{name} {text[:32]!r}… is no text of at most {_TEXT} characters"
    if name in _CHOICES:
        return None if text in _CHOICES[name] else f"{name} {text!r}: use one of {', '.join(_CHOICES[name])}"
    if not text or name not in _CHECKS:
        return None
    try:
        _CHECKS[name](text)
    except (LookupError, ValueError, OSError) as error:
        return f"{name} {text!r}: {_ADVICE[name]}" if name in _ADVICE else f"{name}: {error}"
    return None


def _check_email(text: str) -> None:
    if not _EMAIL.fullmatch(text):
        raise ValueError(text)


_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "role": tuple(Role),
    "sees": tuple(Sees),
    "language": ("", *LANGUAGES),
}
_CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "email": _check_email,
    "tz": ZoneInfo,
    "work_hours": parse_open_hours,
    "holidays": parse_holidays,
}
_ADVICE: Final = {
    "email": "write one address, such as mei@example.com",
    "tz": "write a time zone such as Asia/Shanghai",
}
