"""The plots of an alert: what its rule measured, and the counters behind it."""

from typing import Final

from collector.http.services import Services
from collector.http.views.evidence import leaf_of, measure_name, plotted
from collector.http.views.plots import Line, Plot, Rolling, Values, daily, earlier, rolling, step_for
from collector.http.views.rows import Row
from collector.http.views.sources import series
from collector.queue import Alert, Signal
from collector.subjects import Subject, subject
from collector.words.i18n import Words
from rules.rule import WEEK_MS, ActiveDays, Compare, Fluctuation, OwnPast
from rules.storm import rule_named

HEARD: Final = "agent.samples_taken"  # rises by one with every sample heard
_HOUR: Final = 3_600_000
_LEAD: Final = 6 * _HOUR
_LONGEST_LEAD: Final = 4 * 24 * _HOUR


def counted(about: Subject) -> bool:
    """Whether there are counters behind what an alert is about."""
    return bool(about.robots)


def measure_plot(services: Services, row: Row, index: int, t: Words, now: int) -> Plot | None:
    """What the rule makes of the counters as time goes on; None where that cannot be drawn.

    Its limit is beside it, unless the rule holds it against something else: peers, or its own past.
    """
    alert = row.alert
    about = subject(services.relational, alert.entity)
    leaf = leaf_of(rule_named(services.rules, alert.rule), alert.evidence[index])
    measure = plotted(leaf)
    if measure is None or not counted(about):
        return None
    label = measure_name(services, measure, t)
    if isinstance(measure, ActiveDays | Fluctuation):
        return _days(services, row, about, measure, label, now)
    limits = alert.evidence[index].thresholds if isinstance(leaf, Compare) else ()
    weeks = 1 if isinstance(leaf, OwnPast) else 0
    times, values, before = _rolled(services, alert, about, measure, weeks, now)
    lines = [Line(label, measure.unit, values, tone=True)]
    if weeks:
        lines.append(Line(t("alert.week_before"), measure.unit, before))
    return Plot(times, lines, row.place.zone, limits, _firing(alert, now))


def counters_plot(services: Services, row: Row, t: Words, now: int) -> Plot | None:
    """The counters behind an alert, as they rose: those of a robot, or summed over a site's or customer's."""
    alert = row.alert
    about = subject(services.relational, alert.entity)
    if not counted(about):
        return None
    since, until = _range(alert, now)
    wanted = _counters(alert)
    found = series(services, about, wanted, since, until, step_for(until - since))
    known = [services.catalogue[each] for each in wanted if each in services.catalogue]
    kind = "bars" if len(known) == 1 and known[0].kind == "counter" else "line"
    lines = [Line(t.both(m.label), m.unit, found.values[m.name], kind) for m in known]
    return Plot(found.times, lines, row.place.zone, (), _firing(alert, now))


def counters_title(services: Services, alert: Alert, t: Words) -> str:
    """What the plot of the counters is called."""
    wanted = _counters(alert)
    if wanted == [HEARD]:
        return t("alert.heard_title")
    gauges = all(each in services.catalogue.gauges for each in wanted)
    return t("alert.gauges_title" if gauges else "alert.counters_title")


def step_of(alert: Alert, now: int) -> int:
    """The step of the plot of the counters."""
    since, until = _range(alert, now)
    return step_for(until - since)


def _rolled(
    services: Services, alert: Alert, about: Subject, measure: Rolling, weeks: int, now: int
) -> tuple[list[int], Values, Values]:
    """Times, the measure at them, and what it was so many weeks before."""
    since, until = _range(alert, now)
    step = step_for(until - since, measure.over_ms)
    begin = since - measure.over_ms - weeks * WEEK_MS
    found = series(services, about, measure.metrics, begin, until, step)
    values = rolling(measure, found.values, step)
    first = next((at for at, time in enumerate(found.times) if time >= since), 0)
    before = earlier(found.times, values, since, weeks * WEEK_MS)
    return list(found.times[first:]), values[first:], before


def _days(
    services: Services, row: Row, about: Subject, measure: ActiveDays | Fluctuation, label: str, now: int
) -> Plot:
    """What was counted on each day of the window, with how much makes a day an active one."""
    alert = row.alert
    until = ended(alert, now)
    found = series(services, about, measure.of, alert.since - measure.over_ms, until, _HOUR)
    times, values = daily(found.times, found.values, measure.of, row.place.zone)
    limits = (measure.at_least,) if isinstance(measure, ActiveDays) else ()
    return Plot(
        times, [Line(label, "", values, "bars", tone=True)], row.place.zone, limits, _firing(alert, now)
    )


def _range(alert: Alert, now: int) -> tuple[int, int]:
    end = ended(alert, now)
    over = max((e.over_ms or 0 for e in alert.evidence), default=0)
    lead = min(max(_LEAD, over, (end - alert.since) // 2), _LONGEST_LEAD)
    return alert.since - lead, min(now, end + lead // 2)


def _firing(alert: Alert, now: int) -> tuple[int, int]:
    return alert.since, ended(alert, now)


def ended(alert: Alert, now: int) -> int:
    """When the condition ceased to hold; now, while it holds."""
    if alert.signal is Signal.RESOLVED:
        return alert.signal_at
    return alert.closed_at if alert.closed_at is not None else now


def _counters(alert: Alert) -> list[str]:
    named = dict.fromkeys(metric for each in alert.evidence for metric in each.metrics)
    known = [metric for metric in named if not metric.endswith(".up")]
    return known or list(named) or [HEARD]
