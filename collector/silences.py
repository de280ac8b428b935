"""Silences and maintenance windows: which alerts people do not want to see, from when to when.

A silence hides every alert of which all its matchers hold, while it is active: from its begin to its end, or
where it recurs, in the times of the week that it names, on the clock of its zone. Maintenance is a silence
by another name: somebody works there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal
from zoneinfo import ZoneInfo

from collector.calendar import WorkCalendar
from collector.queue import SILENCE, Alert
from rules.evaluation import By, Entity
from rules.intervals import parse_open_hours

MAX_MATCHERS: Final = 20  # beside one that names a CSM, as the scope of a person does
MAX_VALUES: Final = 200
MAX_LENGTH_MS: Final = 366 * 24 * 3_600_000
MAX_TEXT: Final = 500
Facts = Mapping[str, str]
Op = Literal["=", "!=", "in", "prefix"]
OPS: Final[tuple[Op, ...]] = ("=", "!=", "in", "prefix")
OF_ALERTS: Final = ("rule", "severity", "subsystem", "kind", "entity", "robot", "site", "customer")
OF_PLACES: Final = ("industry", "scene", "model", "lifecycle", "region", "tier", "stage", "csm")
NAMES: Final = (*OF_ALERTS, *OF_PLACES)  # what is offered; any attribute of robots will do


class SilenceKind(StrEnum):
    """Why alerts are not wanted."""

    SILENCE = "silence"
    MAINTENANCE = "maintenance"


class InvalidSilenceError(ValueError):
    """What is wrong with a silence: all of it, as (field, message)."""

    def __init__(self, errors: Iterable[tuple[str, str]]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{field}: {message}" for field, message in self.errors))


@dataclass(frozen=True, slots=True)
class Matcher:
    """What one fact of an alert must be: equal, not equal, one of, or begin so."""

    name: str
    op: Op
    values: tuple[str, ...]

    def holds(self, facts: Facts) -> bool:
        """Whether it holds of an alert; what an alert lacks equals nothing."""
        found = facts.get(self.name)
        match self.op:
            case "=" | "in":
                return found in self.values
            case "!=":
                return found not in self.values
            case "prefix":
                return found is not None and found.startswith(self.values)

    @property
    def is_scope(self) -> bool:
        """Whether it keeps a silence to the customers of one CSM."""
        return self.name == "csm" and self.op == "="

    def __str__(self) -> str:
        shown = ", ".join(self.values)
        return f"{self.name}{self.op}{shown}" if self.op in ("=", "!=") else f"{self.name} {self.op} {shown}"


def scope_of(csm: str) -> Matcher:
    """What keeps a silence to the customers of that CSM."""
    return Matcher("csm", "=", (csm,))


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The times of a week, such as `sa,su 00:00-24:00`, on the clock of a zone."""

    times: str
    tz: str

    def covers(self, at: int) -> bool:
        """Whether a moment is within these times."""
        return WorkCalendar(self.tz, self.times).open_at(at) == at


@dataclass(frozen=True, slots=True)
class Draft:
    """A silence as somebody asks for it; times in ms UTC."""

    kind: SilenceKind
    matchers: tuple[Matcher, ...]
    begins_at: int
    ends_at: int
    comment: str
    recurrence: Recurrence | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence as it is kept; `ended_at` where a person ended it before its time.

    `revision` counts how often it was changed, `changed_at` and `changed_by` tell of the last time.
    """

    id: int
    kind: SilenceKind
    matchers: tuple[Matcher, ...]
    begins_at: int
    ends_at: int
    comment: str
    creator: str
    created_at: int
    recurrence: Recurrence | None = None
    ended_at: int | None = None
    ended_by: str | None = None
    active: bool = False  # whether alerts are hidden by it, as of the last look
    revision: int = 0
    changed_at: int | None = None
    changed_by: str | None = None

    def is_active(self, at: int) -> bool:
        """Whether it hides alerts at that time."""
        if self.ended_at is not None or not self.begins_at <= at < self.ends_at:
            return False
        return self.recurrence is None or self.recurrence.covers(at)

    def state(self, now: int) -> Literal["active", "waiting", "ended"]:
        """Whether it hides alerts now, will do so, or never will again."""
        if self.ended_at is not None or now >= self.ends_at:
            return "ended"
        return "active" if self.is_active(now) else "waiting"

    def matches(self, facts: Facts) -> bool:
        """Whether all its matchers hold of an alert."""
        return all(matcher.holds(facts) for matcher in self.matchers)

    @property
    def by(self) -> By:
        """As what suppresses an alert."""
        reason = "maintenance" if self.kind is SilenceKind.MAINTENANCE else "silenced"
        return By(reason, "", Entity(SILENCE, str(self.id)))


def facts(alert: Alert, attributes: Mapping[str, str | float]) -> Facts:
    """What matchers can ask of an alert: itself, and the attributes of its robot, site and customer."""
    told = {name: value if isinstance(value, str) else f"{value:g}" for name, value in attributes.items()}
    own = {
        "rule": alert.rule,
        "severity": alert.severity.value,
        "subsystem": alert.subsystem,
        "kind": alert.entity.kind,
        "entity": alert.entity.id,
        "robot": alert.entity.id if alert.entity.kind == "robot" else None,
        "site": alert.site,
        "customer": alert.customer,
    }
    return told | {name: value for name, value in own.items() if value is not None}


def first(silences: Iterable[Silence], found: Facts) -> By | None:
    """What of these hides an alert: the oldest that matches."""
    return next((silence.by for silence in silences if silence.matches(found)), None)


def check(draft: Draft, now: int) -> None:
    """Raises `InvalidSilenceError`, with all that is wrong."""
    errors = [*_matcher_errors(draft.matchers), *_time_errors(draft, now)]
    if not draft.comment.strip():
        errors.append(("comment", "is empty; say why these alerts are not wanted"))
    elif len(draft.comment) > MAX_TEXT:
        errors.append(("comment", f"{len(draft.comment)} characters; {MAX_TEXT} are allowed"))
    if draft.recurrence is not None:
        errors += _recurrence_errors(draft.recurrence)
    if errors:
        raise InvalidSilenceError(errors)


def _matcher_errors(matchers: tuple[Matcher, ...]) -> Iterable[tuple[str, str]]:
    counted = len(matchers) - any(matcher.is_scope for matcher in matchers)
    if not matchers or counted > MAX_MATCHERS:
        yield "matchers", f"{counted} given; give from 1 to {MAX_MATCHERS}: none would hide everything"
    for number, matcher in enumerate(matchers):
        place = f"matchers.{number}"
        if not matcher.name.strip() or len(matcher.name) > 64:
            yield f"{place}.name", f"{matcher.name[:64]!r} is no attribute; such are {', '.join(NAMES)}"
        if matcher.op not in OPS:
            yield f"{place}.op", f"{matcher.op!r} is not known; use one of {' '.join(OPS)}"
        elif not 1 <= len(matcher.values) <= (MAX_VALUES if matcher.op == "in" else 1):
            most = f"from 1 to {MAX_VALUES}" if matcher.op == "in" else "one"
            yield f"{place}.values", f"{len(matcher.values)} given; {matcher.op!r} takes {most}"
        elif not all(value.strip() and len(value) <= MAX_TEXT for value in matcher.values):
            yield f"{place}.values", f"a value is empty, or longer than {MAX_TEXT} characters"


def _time_errors(draft: Draft, now: int) -> Iterable[tuple[str, str]]:
    if draft.ends_at <= draft.begins_at:
        yield "ends_at", "is not after the begin"
    elif draft.ends_at <= now:
        yield "ends_at", "has passed; give a later time"
    elif draft.ends_at - draft.begins_at > MAX_LENGTH_MS:
        yield "ends_at", "is more than a year after the begin; nobody would remember it"


def _recurrence_errors(recurrence: Recurrence) -> Iterable[tuple[str, str]]:
    try:
        parse_open_hours(recurrence.times)
    except ValueError as error:
        yield "recurrence.times", str(error).removeprefix("open_hours").lstrip(": ")
    try:
        ZoneInfo(recurrence.tz)
    except (LookupError, ValueError, OSError):
        yield "recurrence.tz", f"{recurrence.tz[:64]!r} is no time zone; write such as Asia/Shanghai"
