"""One robot: who it is, how each subsystem does today, its plots and its alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from typing import Final

from collector.http.reading import readable
from collector.http.services import Services
from collector.http.views.delivery import Section, account, section, stored
from collector.http.views.plots import Line, Plot, Values, step_for
from collector.http.views.rows import Place, Row, place, rows
from collector.http.views.score import Brief, brief
from collector.http.views.subsystems import Cell, cells, subsystem, worst
from collector.http.views.watched import Watched, gauges, watched
from collector.presence import Presence, RobotState
from collector.queue import RANK
from collector.relational import Lifecycle, RobotRecord
from collector.stores import Series
from collector.words.i18n import Words

RANGES: Final[Mapping[str, int]] = {"6h": 6 * 3_600_000, "24h": 24 * 3_600_000, "7d": 7 * 24 * 3_600_000}
DEFAULT_RANGE: Final = "24h"
SPARK_STEP_MS: Final = 1_800_000
_SPARK_BARS: Final = 48
_SPARK_HEIGHT: Final = 30.0
_LINES: Final = 5
_PAST: Final = 10
_POINTS: Final = 84
_VITALS: Final = ("system", "network")


@dataclass(frozen=True, slots=True)
class CounterLine:
    """How often something happened today, and which share of all that is."""

    label: str
    value: str
    share: str
    raw: float


@dataclass(frozen=True, slots=True)
class SparkBar:
    """One bar of the small plot."""

    x: float
    y: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class Part:
    """One subsystem's card; `unread`: what it counted cannot be read now."""

    name: str
    label: str
    cell: Cell
    lines: list[CounterLine]
    spark: list[SparkBar]
    spark_title: str
    unread: bool


@dataclass(frozen=True, slots=True)
class RobotPage:
    """All that a robot's page shows."""

    place: Place
    here: str
    presence: Presence
    presence_words: str
    lifecycle: str
    lifecycle_shown: bool
    score: Brief | None
    specs: list[tuple[str, str]]
    delivery: Section | None
    heard: bool
    parts: list[Part]
    vitals: list[tuple[str, str]]
    range: str
    ranges: list[tuple[str, str]]
    plots: list[tuple[str, str, str]]
    open: list[Row]
    past: list[Row]


def page(services: Services, record: RobotRecord, range_: str, t: Words, now: int) -> RobotPage:
    """Everything about one robot."""
    state = services.fleet.state(record.id)
    where = place(record.id, record, state.tz)
    presence = services.fleet.presence(record.id, now)
    listed = rows(services, services.relational.alerts_of(record.id), t, now)
    heard = state.last_sample_at is not None
    opened = [row for row in listed if row.alert.is_open]
    shown = cells(services, record.id, presence, worst(row.alert for row in opened), t)
    return RobotPage(
        place=where,
        here=address(record.id, range_),
        presence=presence,
        presence_words=_presence_words(presence, state, t, now),
        lifecycle=t.one_of("lifecycle", record.lifecycle),
        lifecycle_shown=record.lifecycle is not Lifecycle.LIVE,
        score=brief(services.relational.scores.one("robot", record.id)),
        specs=_specs(record, state, where, t, now),
        delivery=_delivery(services, where, now, t) if state.session is not None or heard else None,
        heard=heard,
        parts=_parts(services, where, shown, t, now) if heard else [],
        vitals=_vitals(services, state, t),
        range=range_,
        ranges=[(name, address(record.id, name)) for name in RANGES],
        plots=[(name, label, hint) for name, (label, hint, _) in plot_groups(services, range_, t).items()],
        open=sorted(opened, key=lambda row: (RANK[row.alert.severity], row.alert.since)),
        past=[row for row in listed if not row.alert.is_open][:_PAST],
    )


def address(robot: str, range_: str) -> str:
    """Where a robot's page is."""
    return f"/robots/{robot}" if range_ == DEFAULT_RANGE else f"/robots/{robot}?range={range_}"


def plot_groups(services: Services, range_: str, t: Words) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Label, hint and metrics of every plot: one for each module's counters, one for each watched gauge."""
    per = t("plot.per", step=t.duration(_step(range_)))
    groups = {}
    for name in services.catalogue.modules:
        if shown := _plotted(services, name):
            groups[name] = (subsystem(services, name, t), per, shown)
    for metric in gauges(services.rules):
        if metric in services.catalogue:
            groups[metric] = (t.both(services.catalogue[metric].label), "", (metric,))
    return groups


def plot(services: Services, where: Place, group: str, range_: str, t: Words, now: int) -> Plot | None:
    """One plot of a robot; None if there is no such group of metrics."""
    found = plot_groups(services, range_, t).get(group)
    if found is None:
        return None
    since, step = now - RANGES[range_], _step(range_)
    series = services.store.series(where.id, found[2], since // step * step, now, step)
    kind = "bars" if len(found[2]) == 1 and services.catalogue[found[2][0]].kind == "counter" else "line"
    metrics = [services.catalogue[name] for name in found[2]]
    lines = [Line(t.both(m.label), m.unit, series.values[m.name], kind) for m in metrics]
    return Plot(series.times, lines, where.zone)


def _step(range_: str) -> int:
    """Coarse enough that rare events make a picture."""
    return step_for(RANGES[range_], points=_POINTS)


def _plotted(services: Services, module: str) -> tuple[str, ...]:
    """What a module's plot shows: its trouble, or what people do with it."""
    trouble = [name for name in watched(services.rules, module).trouble if name in services.catalogue]
    unit = services.catalogue[trouble[0]].unit if trouble else ""
    alike = tuple(name for name in trouble if (services.catalogue[name].unit == "s") == (unit == "s"))
    return (alike or _counters(services, module)[:4])[:6]


def _counters(services: Services, module: str) -> tuple[str, ...]:
    return tuple(name for name in services.catalogue.counters if name.startswith(f"{module}."))


def _presence_words(presence: Presence, state: RobotState, t: Words, now: int) -> str:
    heard = state.last_seen_at or state.last_sample_at
    return t(f"presence_words.{presence}", ago=t.ago(heard, now) if heard is not None else "–")


def _delivery(services: Services, where: Place, now: int, t: Words) -> Section:
    found = readable(partial(stored, services, where.id, now))
    return section(account(services, where.id, found, now), t, where.zone)


def _specs(record: RobotRecord, state: RobotState, where: Place, t: Words, now: int) -> list[tuple[str, str]]:
    model = record.model or state.labels.get("model")
    interval = t.duration(state.interval_s * 1_000) if state.session is not None else None
    sampled = t.ago(state.last_sample_at, now) if state.last_sample_at is not None else None
    named = [
        ("industry", t.one_of("industry", record.industry) if record.industry else None),
        ("scene", t.one_of("scene", record.scene) if record.scene else None),
        ("model", model),
        ("firmware", state.labels.get("firmware")),
        ("agent", state.agent),
        ("interval", interval),
        ("installed", _installed(record, t)),
        ("site_time", f"{t.moment(now, where.zone)} ({where.zone})"),
        ("last_sample", sampled),
    ]
    return [(t(f"robot.{name}"), value) for name, value in named if value]


def _installed(record: RobotRecord, t: Words) -> str | None:
    try:
        day = datetime.fromisoformat(f"{record.installed_on}T12:00:00+00:00")
    except ValueError:
        return record.installed_on
    return t.day(int(day.timestamp() * 1_000))


def _vitals(services: Services, state: RobotState, t: Words) -> list[tuple[str, str]]:
    found = []
    for name in services.catalogue.gauges:
        metric = services.catalogue[name]
        value = state.values.get(name)
        if metric.subsystem in _VITALS and value is not None and metric.short != "up":
            found.append((t.both(metric.label), t.quantity(value, metric.unit)))
    return found


def _parts(services: Services, where: Place, shown: Mapping[str, Cell], t: Words, now: int) -> list[Part]:
    until = (now // SPARK_STEP_MS + 1) * SPARK_STEP_MS
    since = until - _SPARK_BARS * SPARK_STEP_MS
    metrics = [name for module in shown for name in _counters(services, module)]
    series = readable(partial(services.store.series, where.id, metrics, since, until, SPARK_STEP_MS))
    midnight = _midnight(now, where.zone)
    return [_part(services, name, cell, series, midnight, t) for name, cell in shown.items()]


def _midnight(now: int, zone: tzinfo) -> int:
    local = datetime.fromtimestamp(now / 1_000, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(local.timestamp() * 1_000)


def _part(services: Services, name: str, cell: Cell, series: Series | None, midnight: int, t: Words) -> Part:
    known = watched(services.rules, name)
    read = series or Series((), SPARK_STEP_MS, {})
    today = {metric: _since(read, metric, midnight) for metric in _counters(services, name)}
    spark = known.trouble or _sparked(services, name, known)
    return Part(
        name=name,
        label=subsystem(services, name, t),
        cell=cell,
        lines=_lines(services, known, today, t) if any(v is not None for v in today.values()) else [],
        spark=_spark([read.values.get(m, ()) for m in spark], "bar-bad" if known.trouble else "bar-ok"),
        spark_title=f"{t('robot.spark')}: {', '.join(t.both(services.catalogue[m].label) for m in spark)}",
        unread=series is None,
    )


def _sparked(services: Services, name: str, known: Watched) -> tuple[str, ...]:
    return (known.other or _counters(services, name))[:1]


def _since(series: Series, metric: str, start: int) -> float | None:
    values = zip(series.times, series.values.get(metric, ()), strict=True)
    known = [value for time, value in values if time >= start and value is not None]
    return sum(known) if known else None


def _lines(
    services: Services, known: Watched, today: Mapping[str, float | None], t: Words
) -> list[CounterLine]:
    """What it did, then its trouble, the most first; without trouble, the first of its counters."""
    wholes = dict.fromkeys(known.whole.values())
    trouble = sorted((m for m in known.trouble if m in today), key=lambda m: -(today[m] or 0))
    chosen = [m for m in wholes if m in today] + trouble if trouble else list(today)
    return [_line(services, known, metric, today, t) for metric in chosen[:_LINES]]


def _line(
    services: Services, known: Watched, metric: str, today: Mapping[str, float | None], t: Words
) -> CounterLine:
    value, whole = today[metric] or 0, today.get(known.whole.get(metric, "")) or 0
    share = t.quantity(value / whole, "ratio") if value and whole else ""
    unit = services.catalogue[metric].unit
    return CounterLine(t.both(services.catalogue[metric].label), t.quantity(value, unit), share, value)


def _spark(columns: Sequence[Values], tone: str) -> list[SparkBar]:
    totals = [sum(value for value in step if value is not None) for step in zip(*columns, strict=True)]
    highest = max(totals, default=0)
    if not highest:
        return []
    bars = []
    for at, total in enumerate(totals[-_SPARK_BARS:]):
        height = round(total / max(highest, 3) * _SPARK_HEIGHT, 2)
        if total:
            bars.append(SparkBar(at * 2, round(34 - height, 2), height, tone))
    return bars
