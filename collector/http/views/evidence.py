"""What was measured: the comparisons of an alert's condition, in words, numbers and as bars."""

from collections.abc import Iterator
from dataclasses import dataclass

from collector.http.services import Services
from collector.http.views.rows import Bar, bar
from collector.http.views.subsystems import subsystem
from collector.queue import Alert
from collector.words import wording
from collector.words.i18n import Words
from rules.evaluation import Evidence
from rules.rule import (
    ActiveDays,
    Compare,
    Condition,
    Fluctuation,
    Leaf,
    Measure,
    OwnPast,
    Peers,
    Ratio,
    Rule,
    ShareOfRobots,
    Silent,
    leaves,
)
from rules.storm import MEASURE as STORM


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


def items(services: Services, alert: Alert, rule: Rule | None, t: Words) -> list[EvidenceItem]:
    """The evidence that says why: what the alert is named for, and what else held."""
    telling = [at for at, each in enumerate(alert.evidence) if at == 0 or each.holds]
    return [_item(services, alert, rule, at, t) for at in telling]


def leaf_of(rule: Rule | None, evidence: Evidence) -> Leaf | None:
    """The part of the rule's condition that the evidence is of, if the rule is still the same."""
    for leaf in leaves(rule.when) if rule is not None else ():
        text = str(leaf.measure) if isinstance(leaf, Compare) else str(leaf)
        if text == evidence.measure:
            return leaf
    return None


def plotted(leaf: Leaf | None) -> Measure | None:
    """What can be drawn over time; neither a silence nor a share of robots can."""
    return None if leaf is None or isinstance(leaf, Silent | ShareOfRobots) else leaf.measure


def name(services: Services, evidence: Evidence, leaf: Leaf | None, t: Words) -> str:
    """What people call a measure."""
    if evidence.measure == STORM:
        return t("alert.storm_share")
    if leaf is None:
        return _labels(services, evidence.metrics, t) or evidence.measure
    return _leaf_name(services, leaf, t) or evidence.measure


def _item(services: Services, alert: Alert, rule: Rule | None, index: int, t: Words) -> EvidenceItem:
    evidence = alert.evidence[index]
    leaf = leaf_of(rule, evidence)
    live = index == 0 and alert.is_open and alert.value is not None
    value = alert.value if live else evidence.value
    over = t.duration(evidence.over_ms) if evidence.over_ms and not isinstance(leaf, Silent) else ""
    return EvidenceItem(
        index=index,
        name=name(services, evidence, leaf, t),
        value=t.quantity(value, evidence.unit),
        limit=wording.comparison(evidence, t.language),
        over=over,
        when=_when(alert, evidence, live, t),
        bar=bar(value, evidence.thresholds),
        plotted=plotted(leaf) is not None,
        plot_hint=_plot_hint(leaf, over, t),
    )


def _when(alert: Alert, evidence: Evidence, live: bool, t: Words) -> str:
    then = t.quantity(evidence.value, evidence.unit)
    if not live:
        return t("alert.measured_then")
    if t.quantity(alert.value, evidence.unit) == then:
        return t("alert.measured_now")
    return t("alert.measured_since", value=then)


def _plot_hint(leaf: Leaf | None, over: str, t: Words) -> str:
    match plotted(leaf):
        case ActiveDays() | Fluctuation():
            return t("alert.plot_hint_days")
    if isinstance(leaf, Peers | OwnPast):
        return t("alert.plot_hint_inner", over=over)
    return t("alert.plot_hint", over=over) if over else t("alert.plot_hint_plain")


def _leaf_name(services: Services, leaf: Leaf, t: Words) -> str:
    match leaf:
        case Silent(source):
            return t("alert.silent", what=subsystem(services, source, t))
        case Compare(measure):
            return measure_name(services, measure, t)
        case Peers(measure, statistic=statistic):
            return t(f"alert.peers_{statistic}", what=measure_name(services, measure, t))
        case OwnPast(measure, weeks):
            return t("alert.own_past", what=measure_name(services, measure, t), n=weeks)
        case ShareOfRobots(condition):
            return t("alert.share_of_robots", what=", ".join(_parts(services, condition, t)))


def _parts(services: Services, condition: Condition, t: Words) -> Iterator[str]:
    for leaf in leaves(condition):
        if found := _leaf_name(services, leaf, t):
            yield found


def measure_name(services: Services, measure: Measure, t: Words) -> str:
    """What people call a number that is reckoned of counters."""
    match measure:
        case Ratio(of, to):
            return t("alert.ratio", of=_labels(services, of, t), to=_labels(services, to, t))
        case ActiveDays(of, at_least):
            return t("alert.active_days", what=_labels(services, of, t), least=f"{at_least:g}")
        case Fluctuation(of):
            return t("alert.fluctuation", what=_labels(services, of, t))
        case _:
            return _labels(services, measure.metrics, t)


def _labels(services: Services, metrics: tuple[str, ...], t: Words) -> str:
    known = (services.catalogue[each] for each in metrics if each in services.catalogue)
    return " + ".join(t.both(metric.label) for metric in known)
