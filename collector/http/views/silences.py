"""Silences and maintenance windows: in words, in a list, and as a form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from urllib.parse import urlencode

from collector.http.services import Services
from collector.http.views.filters import Filters
from collector.http.views.rows import Row, rows
from collector.http.views.subsystems import subsystem
from collector.http.views.times import recurring
from collector.queue import Alert, Severity
from collector.relational.listing import AlertQuery
from collector.silences import NAMES, OPS, Matcher, Silence
from collector.words.i18n import Words, zone
from collector.words.standing import person
from rules.storm import rule_named

SHOWN: Final = 8  # alerts of a preview
PAGE: Final = 50
FIELDS: Final = ("site", "customer", "robot", "rule", "severity", "subsystem")  # what is asked for most
STATES: Final = ("active", "waiting", "ended")


@dataclass(frozen=True, slots=True)
class Line:
    """One silence in the list."""

    silence: Silence
    words: str
    state: str
    when: str
    recurrence: str
    who: str
    later: list[str]  # who changed it last, and who ended it
    hidden: int
    may_change: bool
    url: str
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Late:
    """That somebody was quicker: who, when, and the silence as it is now."""

    text: str
    line: Line


@dataclass(frozen=True, slots=True)
class Section:
    """The silences of one state."""

    state: str
    lines: list[Line]
    more: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What matchers would hide now: how many alerts, and the first of them; `words` say what they match."""

    words: str
    count: int
    rows: list[Row]


def sections(
    services: Services, names: Mapping[str, str], clock: str | None, before: str, t: Words, now: int
) -> list[Section]:
    """What hides alerts, what will, and what no longer does; times are those of the reader's `clock`.

    Raises `CursorError`.
    """
    alive = services.relational.silences.page(now, ended=False, limit=10 * PAGE).items
    over = services.relational.silences.page(now, ended=True, after=before or None, limit=PAGE)
    found = {state: [one for one in alive if one.state(now) == state] for state in ("active", "waiting")}
    found["ended"] = list(over.items)
    more = f"/silences?{urlencode({'before': over.next})}#ended" if over.next else None
    return [
        Section(
            state,
            [_line(services, one, names, clock, t, now) for one in found[state]],
            more if state == "ended" else None,
        )
        for state in STATES
    ]


def late(
    services: Services, silence: Silence, names: Mapping[str, str], clock: str | None, t: Words, now: int
) -> Late:
    """What is told to who would change a silence that was changed, or ended, meanwhile."""
    line = _line(services, silence, names, clock, t, now)
    if line.state != "ended":
        key, by, at = "registry.late_changed", silence.changed_by, silence.changed_at
    else:
        key, by, at = "silence.late_ended", silence.ended_by, silence.ended_at
    if at is not None:
        return Late(t(key, who=person(names, by, t), ago=t.ago(at, now)), line)
    over = t("silence.late_over", ago=t.ago(silence.ends_at, now))
    return Late(over if line.state == "ended" else t("registry.late"), line)


def words(services: Services, matchers: Iterable[Matcher], t: Words) -> str:
    """In one sentence, what is hidden."""
    parts = [_matcher(services, matcher, t) for matcher in matchers]
    return t("silence.hides", what=t("silence.and").join(parts)) if parts else t("silence.hides_nothing")


def preview(services: Services, matchers: tuple[Matcher, ...], t: Words, now: int) -> Preview:
    """What the matchers hold of now."""
    matchers = tuple(matcher for matcher in matchers if matcher.op in OPS)
    if not matchers:
        return Preview(words(services, (), t), 0, [])
    found = services.relational.silences.preview(matchers, SHOWN)
    seen = services.relational.queue.by_ids([alert.id for alert in found.alerts])
    listed = [alert for alert in found.alerts if alert.id in seen]
    held = services.relational.silences.narrowed(matchers)
    return Preview(words(services, held, t), found.count, rows(services, listed, t, now))


def prefilled(alerts: Sequence[Alert], by: str) -> tuple[Matcher, ...]:
    """Matchers for what these alerts have in common: their site, customer, robots or rule."""
    if not alerts:
        return ()
    found = [_shared("rule", [alert.rule for alert in alerts])] if by == "rule" else []
    wanted = {"site": _sites, "customer": _customers}.get(by, _robots)
    return tuple(matcher for matcher in (*found, wanted(alerts)) if matcher is not None)


def _sites(alerts: Sequence[Alert]) -> Matcher | None:
    return _shared("site", [alert.site for alert in alerts])


def _customers(alerts: Sequence[Alert]) -> Matcher | None:
    return _shared("customer", [alert.customer for alert in alerts])


def _robots(alerts: Sequence[Alert]) -> Matcher | None:
    kinds = {alert.entity.kind for alert in alerts}
    name = kinds.pop() if len(kinds) == 1 else "entity"
    return _shared(name if name in ("robot", "site", "customer") else "entity", [a.entity.id for a in alerts])


def _shared(name: str, values: Sequence[str | None]) -> Matcher | None:
    known = tuple(dict.fromkeys(value for value in values if value))
    if not known:
        return None
    return Matcher(name, "=" if len(known) == 1 else "in", known)


def names(t: Words, asked: Iterable[Matcher] = ()) -> list[tuple[str, str]]:
    """What matchers may ask of, those asked for most first; what some ask of already is among them."""
    found = dict.fromkeys((*FIELDS, *NAMES, *(matcher.name for matcher in asked)))
    return [(name, t.one_of("attribute", name)) for name in found]


def known_values(services: Services, t: Words) -> list[tuple[str, str]]:
    """Values that a person would not type by heart: rules, severities and subsystems."""
    rules = [(rule.name, t.both(rule.about)) for rule in services.rules.rules]
    levels = [(level.value, t.one_of("severity", level)) for level in Severity]
    parts = [(each.name, t.both(each.label)) for each in services.catalogue.subsystems.values()]
    return [*levels, *parts, *rules]


def _line(
    services: Services, silence: Silence, names_: Mapping[str, str], clock: str | None, t: Words, now: int
) -> Line:
    state = silence.state(now)
    tz = zone(silence.recurrence.tz if silence.recurrence else clock)
    url = Filters(view="suppressed", silence=silence.id).url()
    hidden = services.relational.queue.count(AlertQuery(silence=silence.id)) if state == "active" else 0
    return Line(
        silence=silence,
        words=words(services, silence.matchers, t),
        state=state,
        when=_when(silence, tz, t, now) + ("" if clock or silence.recurrence else " UTC"),
        recurrence=recurring(silence.recurrence, t) if silence.recurrence else "",
        who=person(names_, silence.creator, t),
        later=_later(silence, names_, t, now),
        hidden=hidden,
        may_change=state != "ended" and services.relational.silences.may_change(silence),
        url=url,
        zone=tz,
    )


def _later(silence: Silence, names_: Mapping[str, str], t: Words, now: int) -> list[str]:
    done = (
        ("changed_by", silence.changed_by, silence.changed_at),
        ("ended_by", silence.ended_by, silence.ended_at),
    )
    return [
        t(f"silence.{what}", who=person(names_, who, t), ago=t.ago(at, now))
        for what, who, at in done
        if at is not None
    ]


def _when(silence: Silence, tz: tzinfo, t: Words, now: int) -> str:
    match silence.state(now):
        case "active":
            return t("silence.until", when=t.moment(silence.ends_at, tz), ahead=t.ago(silence.ends_at, now))
        case "waiting" if silence.begins_at > now:
            begins = t.moment(silence.begins_at, tz)
            return t("silence.from", when=begins, ahead=t.ago(silence.begins_at, now))
    return t.span(silence.begins_at, silence.ends_at, tz)


def _matcher(services: Services, matcher: Matcher, t: Words) -> str:
    shown = [_value(services, matcher.name, value, t) for value in matcher.values]
    op = {"=": "is", "in": "is", "!=": "is_not", "prefix": "begins"}[matcher.op]
    values = t("silence.or").join(shown)
    return t(f"silence.{op}", name=t.one_of("attribute", matcher.name), values=values)


def _value(services: Services, name: str, value: str, t: Words) -> str:
    match name:
        case "severity" | "tier" | "stage" | "industry" | "scene" | "lifecycle":
            return t.one_of(name, value)
        case "subsystem":
            return subsystem(services, value, t)
        case "rule":
            rule = rule_named(services.rules, value)
            return value if rule is None else t("silence.quoted", text=t.both(rule.about))
    return value
