"""Alerts as API and pages show them, and what people do to them."""

from collections.abc import Iterable
from http import HTTPStatus

from pydantic import BaseModel

from collector.http.fields import Instant, rfc3339
from collector.http.problems import Problem, invalid, missing
from collector.http.services import Services
from collector.queue import Action, Alert, Entry, IllegalActionError, InvalidActionError
from collector.ranking import ranked
from collector.relational import UnknownAlertError
from collector.relational.queued import Refusal
from collector.subjects import Subject, subject, subjects
from collector.words import wording
from rules.evaluation import By
from rules.rule import Rule
from rules.storm import rule_named


class Text(BaseModel):
    """The same in English and Chinese."""

    en: str
    zh: str


class EntityItem(BaseModel):
    """What an alert is about."""

    kind: str
    id: str


class SuppressorItem(BaseModel):
    """What suppresses an alert: another one, a storm of its rule, its own flapping, or a silence."""

    reason: str
    rule: str
    entity: EntityItem


class PointItem(BaseModel):
    """One reason for an alert's rank, and what it follows from."""

    key: str
    points: float
    values: dict[str, str | int | float | None]


class RankItem(BaseModel):
    """Why an alert stands where it stands: points by now, the weightiest first."""

    points: float
    reasons: list[PointItem]


class AlertItem(BaseModel):
    """An alert in a list."""

    id: int
    rule: str
    entity: EntityItem
    severity: str
    subsystem: str
    signal: str
    work: str
    value: float | None
    threshold: float | None
    unit: str
    opened_at: Instant
    since: Instant
    summary: Text
    robot_name: str | None
    customer: str | None
    site: str | None
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    snoozed_until: Instant | None
    snooze_reason: str | None
    closed_at: Instant | None
    closed_by: str | None
    close_reason: str | None
    close_note: str | None
    suppressed_by: SuppressorItem | None
    owner: str | None
    ack_due_at: Instant | None
    resolve_due_at: Instant | None
    overdue: bool
    escalated: int
    relapse_of: int | None
    relapses: int
    rank: RankItem
    revision: int


class EvidenceItem(BaseModel):
    """One comparison of the condition, as it was when the alert opened."""

    measure: str
    metrics: list[str]
    value: float | None
    comparison: str
    thresholds: list[float]
    over_s: float | None
    unit: str
    text: Text


class EntryItem(BaseModel):
    """One line of an alert's history."""

    at: Instant
    kind: str
    who: str
    detail: dict[str, str | int | float | None]


class Suggestion(BaseModel):
    """What to do next, and by when."""

    next_step: Text | None
    playbook: str | None
    ack_within_s: float | None
    resolve_within_s: float | None


class AlertDetail(AlertItem):
    """An alert with its evidence, its history and what the rule suggests."""

    opened_value: float | None
    about: Text | None
    metrics: list[str]
    hides: int  # how many open alerts it suppresses
    evidence: list[EvidenceItem]
    call_to_action: Suggestion | None
    checked: list[str]
    history: list[EntryItem]


def items(services: Services, alerts: Iterable[Alert]) -> list[AlertItem]:
    """Alerts with what roster and rules say about them."""
    listed = list(alerts)
    found = subjects(services.relational, [alert.entity for alert in listed])
    return [_item(services, alert, found[alert.entity]) for alert in listed]


def detail(services: Services, id_: int) -> AlertDetail:
    """All of one alert. Raises `Problem` (404)."""
    alert = services.relational.alert(id_)
    if alert is None:
        raise missing("alert", id_)
    return _detail(services, alert)


def _detail(services: Services, alert: Alert) -> AlertDetail:
    rule = rule_named(services.rules, alert.rule)
    listed = _item(services, alert, subject(services.relational, alert.entity))
    return AlertDetail(
        **dict(listed),
        opened_value=alert.opened_value,
        about=Text(en=rule.about.en, zh=rule.about.zh) if rule else None,
        metrics=list(rule.metrics) if rule else [],
        hides=services.relational.count_hidden(alert.key) if alert.is_open else 0,
        evidence=_evidence(alert),
        call_to_action=_suggestion(rule),
        checked=list(alert.checked),
        history=[_entry(entry) for entry in services.relational.history(alert.id)],
    )


def act(services: Services, id_: int, action: Action, who: str, revision: int | None) -> AlertDetail:
    """Does what a person asks, and tells the open pages. Raises `Problem` (404, 409, 422)."""
    try:
        alert = services.relational.queue.act(id_, action, who, services.clock(), revision=revision)
    except (UnknownAlertError, IllegalActionError, InvalidActionError) as refusal:
        raise refused(refusal) from None
    services.changes.publish("alerts", [id_])
    return _detail(services, alert)  # which may be out of sight now


def refused(refusal: Refusal) -> Problem:
    """A refusal as an answer: who did what when, where somebody was quicker."""
    match refusal:
        case UnknownAlertError():
            return Problem(HTTPStatus.NOT_FOUND, str(refusal))
        case InvalidActionError():
            return invalid(refusal.field, str(refusal))
    last, alert = refusal.last, refusal.alert
    told = None if last is None else {"who": last.who, "kind": last.kind.value, "at": rfc3339(last.at)}
    text = str(refusal) if last is None else f"{refusal}: {last.kind} by {last.who} at {rfc3339(last.at)}"
    return Problem(HTTPStatus.CONFLICT, text, work=alert.work.value, revision=alert.revision, last=told)


def rules_with(services: Services, text: str) -> tuple[str, ...]:
    """The rules in whose words a text stands."""
    wanted = text.casefold()
    told = ((rule.name, f"{rule.about.en} {rule.about.zh}".casefold()) for rule in services.rules.rules)
    return tuple(name for name, words in told if wanted in words)


def _item(services: Services, alert: Alert, about: Subject) -> AlertItem:
    summary = wording.summary(alert, rule_named(services.rules, alert.rule), about)
    now = services.clock()
    return AlertItem(
        id=alert.id,
        rule=alert.rule,
        entity=EntityItem(kind=alert.entity.kind, id=alert.entity.id),
        severity=alert.severity,
        subsystem=alert.subsystem,
        signal=alert.signal,
        work=alert.work,
        value=alert.value,
        threshold=alert.threshold,
        unit=alert.unit,
        opened_at=alert.opened_at,
        since=alert.since,
        summary=Text(en=summary.en, zh=summary.zh),
        robot_name=about.name,
        customer=alert.customer or about.customer,
        site=alert.site or about.site,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=alert.acknowledged_by,
        snoozed_until=alert.snoozed_until,
        snooze_reason=alert.snooze_reason,
        closed_at=alert.closed_at,
        closed_by=alert.closed_by,
        close_reason=alert.close_reason,
        close_note=alert.close_note,
        suppressed_by=_suppressor(alert.hidden_by),
        owner=alert.owner,
        ack_due_at=alert.ack_due_at,
        resolve_due_at=alert.resolve_due_at,
        overdue=alert.due_at is not None and alert.due_at < now,
        escalated=alert.escalated,
        relapse_of=alert.relapse_of,
        relapses=alert.relapses,
        rank=rank(alert, now),
        revision=alert.revision,
    )


def rank(alert: Alert, now: int) -> RankItem:
    """The reasons for an alert's rank."""
    reasons = ranked(alert.reasons, alert.opened_at, now)
    listed = [PointItem(key=each.key, points=each.points, values=dict(each.values)) for each in reasons]
    return RankItem(points=sum(point.points for point in reasons), reasons=listed)


def _suppressor(by: By | None) -> SuppressorItem | None:
    if by is None:
        return None
    return SuppressorItem(
        reason=by.reason, rule=by.rule, entity=EntityItem(kind=by.entity.kind, id=by.entity.id)
    )


def _evidence(alert: Alert) -> list[EvidenceItem]:
    return [
        EvidenceItem(
            measure=each.measure,
            metrics=list(each.metrics),
            value=each.value,
            comparison=each.comparison,
            thresholds=list(each.thresholds),
            over_s=None if each.over_ms is None else each.over_ms / 1_000,
            unit=each.unit,
            text=Text(en=wording.comparison(each, "en"), zh=wording.comparison(each, "zh")),
        )
        for each in alert.evidence
    ]


def _entry(entry: Entry) -> EntryItem:
    return EntryItem(at=entry.at, kind=entry.kind, who=entry.who, detail=dict(entry.detail))


def _suggestion(rule: Rule | None) -> Suggestion | None:
    if rule is None:
        return None
    call = rule.call_to_action
    return Suggestion(
        next_step=Text(en=call.next_step.en, zh=call.next_step.zh) if call.next_step else None,
        playbook=call.playbook,
        ack_within_s=call.ack_within_ms / 1_000 if call.ack_within_ms else None,
        resolve_within_s=call.resolve_within_ms / 1_000 if call.resolve_within_ms else None,
    )
