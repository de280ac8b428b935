"""One alert: what it is, what was measured, what to do, and what was done."""

from dataclasses import dataclass
from typing import Final

from collector import wording
from collector.http.i18n import Words
from collector.http.services import Services
from collector.http.views.plots import Line, Plot, rolling, step_for
from collector.http.views.rows import Bar, Row, bar, by_system, rows
from collector.http.views.subsystems import subsystem
from collector.queue import Alert, Entry, Kind, Signal, Work
from rules.engine import Evidence
from rules.rule import Compare, Leaf, Measure, Ratio, Rule, Silent, leaves

HEARD: Final = "agent.samples_taken"  # rises by one with every sample heard
_HOUR: Final = 3_600_000
_LEAD: Final = 6 * _HOUR
_LONGEST_LEAD: Final = 4 * 24 * _HOUR
_OTHERS: Final = 8


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One comparison of the condition, in words, numbers and as a bar."""

    index: int
    name: str
    value: str
    limit: str
    over: str
    when: str
    bar: Bar | None
    plotted: bool
    plot_hint: str


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
class AlertPage:
    """All that an alert's page shows beside its row."""

    summary: str
    subsystem: str
    banner: str
    banner_tone: str
    playbook: str
    deadlines: list[Deadline]
    evidence: list[EvidenceItem]
    counters_title: str
    counters_hint: str
    lasted: str
    history: list[HistoryItem]
    others: list[Row]


def page(services: Services, row: Row, t: Words, now: int) -> AlertPage:
    """Everything about one alert."""
    alert, rule = row.alert, services.rules.by_name.get(row.alert.rule)
    record = services.relational.robot(alert.entity.id)
    others = [other for other in services.relational.alerts_of(alert.entity.id) if other.id != alert.id]
    return AlertPage(
        summary=t.both(wording.summary(alert, rule, record)),
        subsystem=subsystem(services, alert.subsystem, t),
        banner=_banner(alert, t, now),
        banner_tone="good" if alert.signal is Signal.RESOLVED else "",
        playbook=(rule.call_to_action.playbook or "") if rule else "",
        deadlines=_deadlines(alert, rule, t, now),
        evidence=[_evidence(services, alert, rule, at, t) for at in _telling(alert)],
        counters_title=_counters_title(services, alert, t),
        counters_hint=t("alert.counters_hint", step=t.duration(step_for(_span(alert, now)))),
        lasted=t.duration(alert.signal_at - alert.since) if alert.signal is Signal.RESOLVED else "",
        history=[_history(row, entry, t) for entry in reversed(services.relational.history(alert.id))],
        others=rows(services, others[:_OTHERS], t, now),
    )


def measure_plot(services: Services, row: Row, index: int, t: Words, now: int) -> Plot | None:
    """What the rule makes of the counters as time goes on, beside its limit; None of a silence."""
    alert = row.alert
    measure = _measure(services.rules.by_name.get(alert.rule), alert.evidence[index])
    if measure is None:
        return None
    since, until = _range(alert, now)
    step = step_for(until - since, measure.over_ms)
    found = services.store.series(alert.entity.id, measure.metrics, since - measure.over_ms, until, step)
    values = rolling(measure, found.values, step)
    first = next((at for at, time in enumerate(found.times) if time >= since), 0)
    line = Line(_name(services, alert.evidence[index], measure, t), measure.unit, values[first:], tone=True)
    limits = alert.evidence[index].thresholds
    return Plot(found.times[first:], [line], row.place.zone, limits, _firing(alert, now))


def counters_plot(services: Services, row: Row, t: Words, now: int) -> Plot:
    """The counters behind an alert, as they rose."""
    alert = row.alert
    since, until = _range(alert, now)
    wanted = _counters(alert)
    found = services.store.series(alert.entity.id, wanted, since, until, step_for(until - since))
    known = [services.catalogue[name] for name in wanted if name in services.catalogue]
    kind = "bars" if len(known) == 1 and known[0].kind == "counter" else "line"
    lines = [Line(t.both(m.label), m.unit, found.values[m.name], kind) for m in known]
    return Plot(found.times, lines, row.place.zone, (), _firing(alert, now))


def _range(alert: Alert, now: int) -> tuple[int, int]:
    end = _ended(alert, now)
    over = max((e.over_ms or 0 for e in alert.evidence), default=0)
    lead = min(max(_LEAD, over, (end - alert.since) // 2), _LONGEST_LEAD)
    return alert.since - lead, min(now, end + lead // 2)


def _span(alert: Alert, now: int) -> int:
    since, until = _range(alert, now)
    return until - since


def _firing(alert: Alert, now: int) -> tuple[int, int]:
    return alert.since, _ended(alert, now)


def _ended(alert: Alert, now: int) -> int:
    """When the condition ceased to hold; now, while it holds."""
    if alert.signal is Signal.RESOLVED:
        return alert.signal_at
    return alert.closed_at if alert.closed_at is not None else now


def _counters(alert: Alert) -> list[str]:
    named = dict.fromkeys(metric for each in alert.evidence for metric in each.metrics)
    counted = [metric for metric in named if not metric.endswith(".up")]
    return counted or list(named) or [HEARD]


def _counters_title(services: Services, alert: Alert, t: Words) -> str:
    wanted = _counters(alert)
    if wanted == [HEARD]:
        return t("alert.heard_title")
    gauges = all(name in services.catalogue.gauges for name in wanted)
    return t("alert.gauges_title" if gauges else "alert.counters_title")


def _leaf(rule: Rule | None, evidence: Evidence) -> Leaf | None:
    """The part of the rule's condition that the evidence is of, if the rule is still the same."""
    for leaf in leaves(rule.when) if rule is not None else ():
        text = str(leaf.measure) if isinstance(leaf, Compare) else str(leaf)
        if text == evidence.measure:
            return leaf
    return None


def _measure(rule: Rule | None, evidence: Evidence) -> Measure | None:
    leaf = _leaf(rule, evidence)
    return leaf.measure if isinstance(leaf, Compare) else None


def _telling(alert: Alert) -> list[int]:
    """The evidence that says why: what the alert is named for, and what else held."""
    return [at for at, each in enumerate(alert.evidence) if at == 0 or each.holds]


def _evidence(services: Services, alert: Alert, rule: Rule | None, index: int, t: Words) -> EvidenceItem:
    evidence = alert.evidence[index]
    leaf = _leaf(rule, evidence)
    live = index == 0 and alert.is_open and alert.value is not None
    value = alert.value if live else evidence.value
    over = t.duration(evidence.over_ms) if evidence.over_ms and not isinstance(leaf, Silent) else ""
    return EvidenceItem(
        index=index,
        name=_name(services, evidence, leaf.measure if isinstance(leaf, Compare) else leaf, t),
        value=t.quantity(value, evidence.unit),
        limit=wording.comparison(evidence, t.language),
        over=over,
        when=_when(alert, evidence, live, t),
        bar=bar(value, evidence.thresholds),
        plotted=isinstance(leaf, Compare),
        plot_hint=t("alert.plot_hint", over=over) if over else t("alert.plot_hint_plain"),
    )


def _when(alert: Alert, evidence: Evidence, live: bool, t: Words) -> str:
    then = t.quantity(evidence.value, evidence.unit)
    if not live:
        return t("alert.measured_then")
    if t.quantity(alert.value, evidence.unit) == then:
        return t("alert.measured_now")
    return t("alert.measured_since", value=then)


def _name(services: Services, evidence: Evidence, source: Measure | Silent | None, t: Words) -> str:
    match source:
        case Ratio(of, to):
            return t("alert.ratio", of=_labels(services, of, t), to=_labels(services, to, t))
        case Silent(what):
            return t("alert.silent", what=subsystem(services, what, t))
    return _labels(services, evidence.metrics, t) or evidence.measure


def _labels(services: Services, metrics: tuple[str, ...], t: Words) -> str:
    known = (services.catalogue[name] for name in metrics if name in services.catalogue)
    return " + ".join(t.both(metric.label) for metric in known)


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


def _history(row: Row, entry: Entry, t: Words) -> HistoryItem:
    who = "" if by_system(entry.who) else entry.who
    note = str(entry.detail.get("reason" if entry.kind is Kind.SNOOZED else "note") or "")
    return HistoryItem(entry.kind, entry.at, _entry_text(row, entry, t), who, note)


def _entry_text(row: Row, entry: Entry, t: Words) -> str:
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
        case Kind.CLOSED:
            return t("alert.history_closed", reason=t.one_of("reason", str(detail.get("reason"))))
    return t(f"alert.history_{entry.kind}")


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _who(who: str | None, t: Words) -> str:
    return t("alert.by_system") if by_system(who) else str(who)
