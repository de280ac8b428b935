"""An alert as a line in a list: what, where, how far beyond its limit, and in whose hands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Final
from urllib.parse import quote, urlencode

from collector.http.services import Services
from collector.queue import Acknowledge, Action, Alert, Assign, Close, Snooze, Work, possible
from collector.relational import RobotRecord
from collector.subjects import Subject, of_robot, subjects
from collector.words import wording
from collector.words.i18n import Words, zone
from collector.words.standing import Due, Why, due, person, whys
from rules.evaluation import By, Entity, Evidence
from rules.rule import Rule
from rules.storm import KIND as STORM
from rules.storm import rule_named

ACTIONS: Final[tuple[tuple[str, type[Action]], ...]] = (
    ("acknowledge", Acknowledge),
    ("assign", Assign),
    ("snooze", Snooze),
    ("close", Close),
)
_HEADROOM: Final = 1.25


@dataclass(frozen=True, slots=True)
class Place:
    """Where an alert is: a robot (site, customer, rule), its site and customer, and its time zone."""

    id: str
    name: str
    site: str | None
    customer: str | None
    zone: tzinfo
    kind: str = "robot"

    @property
    def url(self) -> str | None:
        """The page about it: a robot's own, or the fleet's part of it."""
        match self.kind:
            case "robot":
                return f"/robots/{self.id}"
            case "customer":
                return customer_url(self.id)
            case "site":
                return f"/fleet?{urlencode([(self.kind, self.id)])}"
        return None

    @property
    def customer_url(self) -> str | None:
        """The page about the customer."""
        return customer_url(self.customer) if self.customer else None

    def mentions(self, text: str) -> bool:
        """Whether any part of it contains the (case-folded) text."""
        return any(text in part.casefold() for part in (self.id, self.name, self.site, self.customer) if part)


def customer_url(customer: str) -> str:
    """Where a customer's page is."""
    return f"/customers/{quote(customer, safe='')}"


@dataclass(frozen=True, slots=True)
class Bar:
    """A value on a scale of 0 to 100, and where its limit stands."""

    from_: float
    width: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class Measure:
    """A value, what it is held against, and both as a bar; without a bar there is no value to draw."""

    value: str
    limit: str
    hint: str
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class Row:
    """One alert, ready to be written down."""

    alert: Alert
    place: Place
    about: str
    next_step: str | None
    measure: Measure
    work_note: str
    outcome: str
    actions: tuple[str, ...]
    hidden_by: str = ""
    summary: str = ""
    whys: tuple[Why, ...] = ()
    due: Due | None = None
    owner: str = ""  # the name
    relapse: str = ""

    @property
    def id(self) -> int:
        """The alert's id."""
        return self.alert.id


def place(robot: str, record: RobotRecord | None, reported_tz: str | None) -> Place:
    """Where a robot is, as far as roster and robot say."""
    return _place(Subject("robot", robot) if record is None else of_robot(record), reported_tz)


def _place(about: Subject, reported_tz: str | None = None) -> Place:
    site = None if about.kind == "site" else about.site
    customer = None if about.kind == "customer" else about.customer
    return Place(about.id, about.shown, site, customer, zone(about.tz or reported_tz), about.kind)


@dataclass(frozen=True, slots=True)
class _Known:
    """What lines need to know beside their alerts."""

    subjects: Mapping[Entity, Subject]
    names: Mapping[str, str]  # of people


def rows(services: Services, alerts: Sequence[Alert], t: Words, now: int) -> list[Row]:
    """Alerts as lines, in their order."""
    if not alerts:
        return []
    hiding = [alert.hidden_by.entity for alert in alerts if alert.hidden_by is not None]
    found = subjects(services.relational, [*(alert.entity for alert in alerts), *hiding])
    known = _Known(found, services.relational.accounts.names())
    return [_row(services, alert, known, t, now) for alert in alerts]


def about(rule: Rule | None, alert: Alert, t: Words) -> str:
    """What an alert is about, in a few words."""
    return t.both(rule.about) if rule is not None else alert.rule


def hidden_by(services: Services, by: By | None, known: Mapping[Entity, Subject], t: Words) -> str:
    """In a few words, what suppresses an alert; nothing where it is not. `known`: that and where it is."""
    if by is None:
        return ""
    if by.reason in ("flapping", "silenced", "maintenance"):
        return t(f"suppressed.{by.reason}")
    about = rule_named(services.rules, by.entity.id if by.reason == "storm" else by.rule)
    what = t.both(about.about) if about is not None else by.rule
    if by.reason == "storm":
        return t("suppressed.storm", rule=what)
    return t("suppressed.inhibited", rule=what, where=known[by.entity].shown)


def bar(value: float | None, limits: tuple[float, ...]) -> Bar | None:
    """The value and the limit nearest to it, on a scale that holds both and zero."""
    if value is None:
        return None
    limit = min(limits, key=lambda bound: abs(bound - value), default=None)
    shown = [0.0, value, *([] if limit is None else [limit])]
    low, high = min(shown) * _HEADROOM, max(shown) * _HEADROOM
    span = (high - low) or 1.0
    start, end = sorted(((0 - low) / span * 100, (value - low) / span * 100))
    mark = None if limit is None else round((limit - low) / span * 100, 2)
    return Bar(round(start, 2), round(max(end - start, 0.6), 2), mark)


def _row(services: Services, alert: Alert, known: _Known, t: Words, now: int) -> Row:
    rule = rule_named(services.rules, alert.rule)
    step = rule.call_to_action.next_step if rule else None
    subject = known.subjects[alert.entity]
    return Row(
        alert=alert,
        place=_place_of(services, subject, t),
        about=about(rule, alert, t),
        next_step=t.both(step) if step else None,
        measure=_measure(alert, t),
        work_note=_work_note(alert, known.names, t, now),
        outcome=_outcome(alert, known.names, t, now),
        actions=tuple(name for name, action in ACTIONS if action in possible(alert)),
        hidden_by=hidden_by(services, alert.hidden_by, known.subjects, t) if alert.is_open else "",
        summary=t.both(wording.summary(alert, rule, subject)),
        whys=whys(alert, t, now) if alert.is_open else (),
        due=due(alert, t, now),
        owner=person(known.names, alert.owner, t) if alert.owner else "",
        relapse=t("why.relapse", n=alert.relapses) if alert.relapses else "",
    )


def _place_of(services: Services, about_: Subject, t: Words) -> Place:
    """A rule is called by what it is about."""
    if about_.kind == "robot":
        return _place(about_, services.fleet.state(about_.id).tz)
    rule = rule_named(services.rules, about_.id) if about_.kind == STORM else None
    return _place(about_ if rule is None else replace(about_, name=t.both(rule.about)))


def _measure(alert: Alert, t: Words) -> Measure:
    first = alert.evidence[0] if alert.evidence else None
    value = alert.value if alert.is_open else alert.opened_value
    if first is None or value is None:
        return Measure("–", wording.comparison(first, t.language) if first else "", "", None)
    limit = wording.comparison(first, t.language)
    return Measure(t.quantity(value, alert.unit), limit, _hint(first, t), bar(value, first.thresholds))


def _hint(evidence: Evidence, t: Words) -> str:
    return t("queue.over", over=t.duration(evidence.over_ms)) if evidence.over_ms else ""


def _work_note(alert: Alert, names: Mapping[str, str], t: Words, now: int) -> str:
    """In whose hands the alert is, or until when it waits."""
    match alert.work:
        case Work.ACKNOWLEDGED if alert.acknowledged_by:
            return t("queue.taken_by", who=person(names, alert.acknowledged_by, t))
        case Work.SNOOZED if alert.snoozed_until is not None:
            return t("queue.until", when=t.ago(alert.snoozed_until, now))
        case Work.CLOSED:
            return _closing(alert, names, t)
    return ""


def _outcome(alert: Alert, names: Mapping[str, str], t: Words, now: int) -> str:
    if alert.work is Work.CLOSED:
        return _closing(alert, names, t)
    note = _work_note(alert, names, t, now)
    return " · ".join(part for part in (t.one_of("work", alert.work), note) if part)


def _closing(alert: Alert, names: Mapping[str, str], t: Words) -> str:
    reason = t.one_of("reason", alert.close_reason or "other")
    if by_system(alert.closed_by):
        return reason
    return t("queue.closed_by", reason=reason, who=person(names, alert.closed_by, t))


def by_system(who: str | None) -> bool:
    """Whether nobody in person did it."""
    return who in (None, "", "system")
