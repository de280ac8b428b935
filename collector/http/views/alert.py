"""One alert: what it is, what was measured, what to do, and what was done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from collector.http.services import Services
from collector.http.views.alert_plots import counted, counters_title, step_of
from collector.http.views.evidence import EvidenceItem, items
from collector.http.views.filters import Filters
from collector.http.views.history import HistoryItem, history
from collector.http.views.notifications import Told, told
from collector.http.views.peers import held_against
from collector.http.views.playbook import PlaybookView, playbook_view
from collector.http.views.rows import Row, rows
from collector.http.views.silences import words as silence_words
from collector.http.views.sources import ROBOTS
from collector.http.views.subsystems import subsystem
from collector.queue import SILENCE, Alert, Signal, Work
from collector.relational.listing import AlertQuery
from collector.subjects import Subject, subject
from collector.words.i18n import Words
from collector.words.standing import person, span
from rules.evaluation import By
from rules.storm import rule_named

_OTHERS: Final = 8


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when something should have been done."""

    text: str
    late: bool


@dataclass(frozen=True, slots=True)
class Hiding:
    """What keeps an alert out of the queue: in words, with the comment of who wants it so, and where."""

    text: str
    comment: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """Some of several alerts, how many there are, and the address of all."""

    count: int
    rows: list[Row]
    url: str


@dataclass(frozen=True, slots=True)
class AlertPage:
    """All that an alert's page shows beside its row."""

    subsystem: str
    banner: str
    banner_tone: str
    hidden: Hiding | None
    hides: Listed | None
    around: Listed | None  # other open alerts of its site
    relapse_of: int | None
    play: PlaybookView | None
    deadlines: list[Deadline]
    evidence: list[EvidenceItem]
    peers: bool  # whether it is held against peers that can be drawn
    counters_title: str
    counters_hint: str
    lasted: str
    history: list[HistoryItem]
    told: list[Told]  # to whom, outside of the console
    same: list[Row]  # earlier alerts of the rule
    others_title: str
    others_none: str
    others: list[Row]


def page(services: Services, row: Row, names: Mapping[str, str], t: Words, now: int) -> AlertPage:
    """Everything about one alert; `names` are those of people."""
    alert, rule = row.alert, rule_named(services.rules, row.alert.rule)
    about = subject(services.relational, alert.entity)
    listed = services.relational.alerts_of(alert.entity.id, kind=alert.entity.kind)
    others = [other for other in listed if other.id != alert.id]
    same = [other for other in others if other.rule == alert.rule]
    whose = alert.entity.kind if t.has(f"alert.others_{alert.entity.kind}") else "robot"
    return AlertPage(
        subsystem=subsystem(services, alert.subsystem, t),
        banner=_banner(alert, names, t, now),
        banner_tone="good" if alert.signal is Signal.RESOLVED else "",
        hidden=_hidden(services, row, names, t),
        hides=_hides(services, alert, t, now),
        around=_around(services, alert, t, now),
        relapse_of=alert.relapse_of,
        play=playbook_view(services, alert, t),
        deadlines=_deadlines(alert, t, now),
        evidence=items(services, alert, rule, t),
        peers=held_against(rule, alert) is not None,
        counters_title=counters_title(services, alert, t),
        counters_hint=_counters_hint(alert, about, t, now),
        lasted=t.duration(alert.signal_at - alert.since) if alert.signal is Signal.RESOLVED else "",
        history=history(services, row, names, t),
        told=told(services, alert.id, t, now),
        same=rows(services, same[:_OTHERS], t, now),
        others_title=t(f"alert.others_{whose}"),
        others_none=t(f"alert.others_none_{whose}"),
        others=rows(services, [other for other in others if other.rule != alert.rule][:_OTHERS], t, now),
    )


def _counters_hint(alert: Alert, about: Subject, t: Words, now: int) -> str:
    """What the plot of the counters shows; nothing where there is none."""
    if not counted(about):
        return ""
    hint = t("alert.counters_hint", step=t.duration(step_of(alert, now)))
    if about.kind == "robot":
        return hint
    shown = min(len(about.robots), ROBOTS)
    every = "counters_of_some" if shown < len(about.robots) else "counters_of_all"
    return f"{hint} · {t(f'alert.{every}', n=shown, of=len(about.robots))}"


def _hidden(services: Services, row: Row, names: Mapping[str, str], t: Words) -> Hiding | None:
    by = row.alert.hidden_by
    if by is None or not row.alert.is_open:
        return None
    if by.entity.kind != SILENCE:
        return Hiding(t("suppressed.banner", by=row.hidden_by), "", _address(services, by))
    silence = services.relational.silences.one(int(by.entity.id))
    if silence is None:
        return Hiding(t("suppressed.banner", by=row.hidden_by), "", None)
    until = t.moment(silence.ends_at, row.place.zone)
    text = t("suppressed.silence_banner", by=row.hidden_by, until=until)
    said = t("suppressed.said", who=person(names, silence.creator, t), comment=silence.comment)
    comment = f"{silence_words(services, silence.matchers, t)} {said}"
    return Hiding(text, comment, f"/silences#silence-{silence.id}")


def _address(services: Services, by: By) -> str | None:
    """The page of the alert that suppresses this one, while it is open; what flaps suppresses itself."""
    if by.reason == "flapping":
        return None
    found = services.relational.open_alert((by.rule, by.entity.kind, by.entity.id))
    return None if found is None else f"/alerts/{found.id}"


def _hides(services: Services, alert: Alert, t: Words, now: int) -> Listed | None:
    """What this one keeps out of the queue."""
    if not alert.is_open:
        return None
    query = AlertQuery(suppressed=True, hidden_by=alert.key)
    return _listed(services, query, Filters(view="suppressed", by=alert.id).url(), t, now)


def _around(services: Services, alert: Alert, t: Words, now: int) -> Listed | None:
    """The other open alerts of its site: perhaps they have one cause."""
    if alert.site is None or not alert.is_open:
        return None
    query = AlertQuery(site=alert.site, suppressed=False)
    found = _listed(services, query, Filters(site=alert.site).url(), t, now)
    if found is None:
        return None
    other = [row for row in found.rows if row.id != alert.id and row.alert.entity != alert.entity]
    return Listed(found.count, other, found.url) if other else None


def _listed(services: Services, query: AlertQuery, url: str, t: Words, now: int) -> Listed | None:
    count = services.relational.queue.count(query)
    if not count:
        return None
    some = services.relational.alerts(query, limit=_OTHERS).items
    return Listed(count, rows(services, some, t, now), url)


def _banner(alert: Alert, names: Mapping[str, str], t: Words, now: int) -> str:
    if alert.work is Work.CLOSED and alert.closed_at is not None:
        reason, who = t.one_of("reason", alert.close_reason or "other"), person(names, alert.closed_by, t)
        said = t("alert.closed_banner", ago=t.ago(alert.closed_at, now), who=who, reason=reason)
        return " · ".join(part for part in (said, alert.close_note) if part)
    return t("alert.resolved_banner") if alert.signal is Signal.RESOLVED else ""


def _deadlines(alert: Alert, t: Words, now: int) -> list[Deadline]:
    """In the owner's working time; while the alert is snoozed, they stand still."""
    if not alert.is_open:
        return []
    wanted = [("solve", alert.resolve_due_at)]
    if alert.acknowledged_at is None:
        wanted.insert(0, ("answer", alert.ack_due_at))
    known = [_deadline(kind, at, t, now) for kind, at in wanted if at is not None]
    if alert.work is Work.SNOOZED and known:
        return [Deadline(t("due.paused"), False)]
    return known


def _deadline(kind: str, at: int, t: Words, now: int) -> Deadline:
    if at <= now:
        return Deadline(t(f"due.{kind}_late", by=span(now - at, t)), True)
    return Deadline(t(f"due.{kind}", within=span(at - now, t)), False)
