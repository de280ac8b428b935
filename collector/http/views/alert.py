"""One alert: what it is, what was measured, what to do, and what was done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from collector import wording
from collector.http.i18n import Words
from collector.http.services import Services
from collector.http.views.alert_plots import counted, counters_title, step_of
from collector.http.views.evidence import EvidenceItem, items
from collector.http.views.queue import Filters
from collector.http.views.rows import Row, by_system, hidden_by, rows
from collector.http.views.sources import ROBOTS
from collector.http.views.subsystems import subsystem
from collector.queue import Alert, Entry, Kind, Signal, Work
from collector.relational import AlertQuery
from collector.subjects import Subject, subject, subjects
from rules.evaluation import By, Entity
from rules.rule import Rule
from rules.storm import rule_named

_OTHERS: Final = 8


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One line of the audit trail."""

    kind: str
    at: int
    text: str
    who: str
    note: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when something should have been done."""

    text: str
    late: bool


@dataclass(frozen=True, slots=True)
class Hiding:
    """What an alert hides: how many others, some of them, and the address of all."""

    count: int
    rows: list[Row]
    url: str


@dataclass(frozen=True, slots=True)
class AlertPage:
    """All that an alert's page shows beside its row."""

    summary: str
    subsystem: str
    banner: str
    banner_tone: str
    hidden_by_url: str | None
    hides: Hiding | None
    playbook: str
    deadlines: list[Deadline]
    evidence: list[EvidenceItem]
    counters_title: str
    counters_hint: str
    lasted: str
    history: list[HistoryItem]
    others_title: str
    others_none: str
    others: list[Row]


def page(services: Services, row: Row, t: Words, now: int) -> AlertPage:
    """Everything about one alert."""
    alert, rule = row.alert, rule_named(services.rules, row.alert.rule)
    about = subject(services.relational, alert.entity)
    listed = services.relational.alerts_of(alert.entity.id, kind=alert.entity.kind)
    others = [other for other in listed if other.id != alert.id]
    whose = alert.entity.kind if t.has(f"alert.others_{alert.entity.kind}") else "robot"
    return AlertPage(
        summary=t.both(wording.summary(alert, rule, about)),
        subsystem=subsystem(services, alert.subsystem, t),
        banner=_banner(alert, t, now),
        banner_tone="good" if alert.signal is Signal.RESOLVED else "",
        hidden_by_url=_address(services, alert.suppressed_by) if row.hidden_by else None,
        hides=_hiding(services, alert, t, now),
        playbook=(rule.call_to_action.playbook or "") if rule else "",
        deadlines=_deadlines(alert, rule, t, now),
        evidence=items(services, alert, rule, t),
        counters_title=counters_title(services, alert, t),
        counters_hint=_counters_hint(alert, about, t, now),
        lasted=t.duration(alert.signal_at - alert.since) if alert.signal is Signal.RESOLVED else "",
        history=_histories(services, row, t),
        others_title=t(f"alert.others_{whose}"),
        others_none=t(f"alert.others_none_{whose}"),
        others=rows(services, others[:_OTHERS], t, now),
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


def _address(services: Services, by: By | None) -> str | None:
    """The page of the alert that suppresses this one, while it is open; what flaps suppresses itself."""
    if by is None or by.reason == "flapping":
        return None
    found = services.relational.open_alert((by.rule, by.entity.kind, by.entity.id))
    return None if found is None else f"/alerts/{found.id}"


def _hiding(services: Services, alert: Alert, t: Words, now: int) -> Hiding | None:
    count = services.relational.count_hidden(alert.key) if alert.is_open else 0
    if not count:
        return None
    query = AlertQuery(suppressed=True, hidden_by=alert.key)
    some = services.relational.alerts(query, limit=_OTHERS).items
    return Hiding(count, rows(services, list(some), t, now), Filters(view="suppressed", by=alert.id).url())


def _banner(alert: Alert, t: Words, now: int) -> str:
    if alert.work is Work.CLOSED and alert.closed_at is not None:
        reason = t.one_of("reason", alert.close_reason or "other")
        names = {"ago": t.ago(alert.closed_at, now), "who": _who(alert.closed_by, t), "reason": reason}
        return " · ".join(part for part in (t("alert.closed_banner", **names), alert.close_note) if part)
    return t("alert.resolved_banner") if alert.signal is Signal.RESOLVED else ""


def _deadlines(alert: Alert, rule: Rule | None, t: Words, now: int) -> list[Deadline]:
    if rule is None or not alert.is_open:
        return []
    call = rule.call_to_action
    wanted = [("resolve_within", call.resolve_within_ms)]
    if alert.acknowledged_at is None:
        wanted.insert(0, ("ack_within", call.ack_within_ms))
    return [_deadline(name, alert.opened_at, within, t, now) for name, within in wanted if within]


def _deadline(name: str, opened_at: int, within: int, t: Words, now: int) -> Deadline:
    due = opened_at + within
    task = t(f"alert.{name}", within=t.duration(within))
    if due < now:
        return Deadline(f"{task} · {t('alert.overdue', by=t.duration(_coarse(now - due)))}", True)
    return Deadline(f"{task} · {t('alert.due', when=t.ago(due, now))}", False)


def _coarse(ms: int) -> int:
    return ms // 60_000 * 60_000


def _histories(services: Services, row: Row, t: Words) -> list[HistoryItem]:
    names = services.relational.accounts.names()
    entries = reversed(services.relational.history(row.id))
    return [_history(services, row, entry, t, names) for entry in entries]


def _history(services: Services, row: Row, entry: Entry, t: Words, names: Mapping[str, str]) -> HistoryItem:
    who = "" if by_system(entry.who) else names.get(entry.who, entry.who)
    note = str(entry.detail.get("reason" if entry.kind is Kind.SNOOZED else "note") or "")
    return HistoryItem(entry.kind, entry.at, _entry_text(services, row, entry, t), who, note)


def _entry_text(services: Services, row: Row, entry: Entry, t: Words) -> str:
    detail, unit = entry.detail, row.alert.unit
    match entry.kind:
        case Kind.OPENED if isinstance(detail.get("value"), int | float):
            shown = {name: t.quantity(_float(detail.get(name)), unit) for name in ("value", "threshold")}
            return t("alert.history_opened", **shown)
        case Kind.OPENED:
            return t("alert.history_opened_plain")
        case Kind.SIGNAL:
            before, after = (t.one_of("signal", str(detail.get(name))) for name in ("before", "after"))
            return t("alert.history_signal", before=before, after=after)
        case Kind.SNOOZED:
            return t(
                "alert.history_snoozed", until=t.moment(int(_float(detail.get("until")) or 0), row.place.zone)
            )
        case Kind.SUPPRESSED:
            by = By(str(detail.get("reason")), str(detail.get("rule")), _entity(entry))
            return t(
                "alert.history_suppressed",
                by=hidden_by(services, by, subjects(services.relational, [by.entity]), t),
            )
        case Kind.CLOSED:
            return t("alert.history_closed", reason=t.one_of("reason", str(detail.get("reason"))))
    return t(f"alert.history_{entry.kind}")


def _entity(entry: Entry) -> Entity:
    return Entity(str(entry.detail.get("kind")), str(entry.detail.get("entity")))


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _who(who: str | None, t: Words) -> str:
    return t("alert.by_system") if by_system(who) else str(who)
