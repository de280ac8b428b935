"""All robots on one page: who is there, and how each of their subsystems does."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from collector.http.services import Services
from collector.http.views.rows import Place, place
from collector.http.views.subsystems import Cell, Worst, cells, subsystem, worst
from collector.presence import Presence, RobotState
from collector.queue import RANK, Alert, Severity
from collector.relational import Lifecycle, RobotRecord
from collector.words.i18n import Words

PAGE: Final = 100
MOST: Final = 2_000
PRESENCES: Final[tuple[Presence, ...]] = ("online", "late", "lost", "never")
DELIVERIES: Final = ("clash", "lost", "held")
_FIELDS: Final = ("customer", "site", "industry")
_PORTION: Final = 500  # alerts that are read at once


@dataclass(frozen=True, slots=True)
class Filters:
    """Which robots are shown."""

    q: str = ""
    customer: str = ""
    site: str = ""
    industry: str = ""
    presence: str = ""
    delivery: str = ""
    show: int = PAGE

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filters":
        """The filters of an address; what makes no sense there is left out."""
        show, presence, delivery = (query.get(name, "") for name in ("show", "presence", "delivery"))
        return cls(
            q=query.get("q", "").strip()[:100],
            customer=query.get("customer", ""),
            site=query.get("site", ""),
            industry=query.get("industry", ""),
            presence=presence if presence in PRESENCES else "",
            delivery=delivery if delivery in DELIVERIES else "",
            show=min(max(int(show[:9]), PAGE), MOST) if show.isascii() and show.isdecimal() else PAGE,
        )

    def url(self, **changes: str | int) -> str:
        """The address of the fleet with some filters changed."""
        other = replace(self, **changes)  # type: ignore[arg-type]
        given = {name: getattr(other, name) for name in ("q", *_FIELDS, "presence", "delivery")}
        given["show"] = "" if other.show == PAGE else str(other.show)
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/fleet?{query}" if query else "/fleet"

    def keeps(self, row: "RobotRow") -> bool:
        """Whether a robot passes all but the filter on presence."""
        given = (getattr(self, name) for name in _FIELDS)
        fields_fit = all(
            not wish or wish == getattr(row.record, name) for name, wish in zip(_FIELDS, given, strict=True)
        )
        found = not self.q or row.place.mentions(self.q.casefold())
        return fields_fit and found and (not self.delivery or self.delivery in row.flags)


@dataclass(frozen=True, slots=True)
class RobotRow:
    """One robot, ready to be written down."""

    record: RobotRecord
    place: Place
    industry: str
    lifecycle: str
    presence: Presence
    seen_at: int | None
    flags: Mapping[str, str]  # what is to be said of its delivery, in a word or two
    cells: tuple[Cell, ...]
    alerts: int


@dataclass(frozen=True, slots=True)
class Tab:
    """The robots of one presence; the first tab, without a name, is all of them."""

    name: str
    count: int
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class FleetPage:
    """All that the fleet's page shows."""

    filters: Filters
    here: str
    total: int
    tabs: list[Tab]
    customers: list[tuple[str, str]]
    sites: list[tuple[str, str]]
    industries: list[tuple[str, str]]
    deliveries: list[tuple[str, str]]
    columns: list[tuple[str, str]]
    rows: list[RobotRow]
    more: str | None
    legend: list[Cell]


def open_alerts(services: Services) -> list[Alert]:
    """The open alerts, hidden or not, as many as anybody could look at; the most pressing first."""
    found: list[Alert] = []
    after: str | None = None
    while len(found) < MOST:
        portion = services.relational.alerts(after=after, limit=_PORTION)
        found += portion.items
        after = portion.next
        if after is None:
            break
    return found


def page(services: Services, filters: Filters, t: Words, now: int) -> FleetPage:
    """The fleet through these filters; robots with trouble come first."""
    records = [record for record in services.relational.robots() if record.lifecycle is not Lifecycle.RETIRED]
    alerts = [alert for alert in open_alerts(services) if alert.entity.kind == "robot"]
    severities, counts = worst(alerts), Counter(alert.entity.id for alert in alerts)
    every = [_row(services, record, severities, counts[record.id], t, now) for record in records]
    found = [row for row in every if filters.keeps(row)]
    kept = _by_trouble([row for row in found if filters.presence in ("", row.presence)], alerts)
    return FleetPage(
        filters=filters,
        here=filters.url(),
        total=len(every),
        tabs=_tabs(found, filters),
        customers=_choices(records, "customer"),
        sites=_choices([r for r in records if filters.customer in ("", r.customer)], "site"),
        industries=[(value, t.one_of("industry", value)) for value, _ in _choices(records, "industry")],
        deliveries=_deliveries(every, filters, t),
        columns=[(name, subsystem(services, name, t)) for name in services.catalogue.modules],
        rows=kept[: filters.show],
        more=filters.url(show=filters.show + PAGE) if len(kept) > filters.show else None,
        legend=_legend(t),
    )


def _row(
    services: Services, record: RobotRecord, severities: Worst, alerts: int, t: Words, now: int
) -> RobotRow:
    state = services.fleet.state(record.id)
    presence = services.fleet.presence(record.id, now)
    return RobotRow(
        record=record,
        place=place(record.id, record, state.tz),
        industry=t.one_of("industry", record.industry) if record.industry else "",
        lifecycle=t.one_of("lifecycle", record.lifecycle),
        presence=presence,
        seen_at=state.last_seen_at,
        flags=_flags(state, t),
        cells=tuple(cells(services, record.id, presence, severities, t).values()),
        alerts=alerts,
    )


def _flags(state: RobotState, t: Words) -> dict[str, str]:
    counts = {"clash": 1 if state.clash else 0, "lost": state.lost, "held": state.held or 0}
    return {name: t(f"fleet.flag.{name}", n=counts[name]) for name in DELIVERIES if counts[name]}


def _deliveries(every: list[RobotRow], filters: Filters, t: Words) -> list[tuple[str, str]]:
    """What there is to choose from; where all is well, nothing."""
    there = {name for row in every for name in row.flags} | {filters.delivery}
    return [(name, t(f"fleet.deliveries.{name}")) for name in DELIVERIES if name in there]


def _by_trouble(rows: list[RobotRow], alerts: list[Alert]) -> list[RobotRow]:
    """The worst alert first, then the most alerts, then by name."""
    ranks: dict[str, int] = {}
    for alert in alerts:
        rank = RANK[alert.severity]
        ranks[alert.entity.id] = min(rank, ranks.get(alert.entity.id, rank))
    return sorted(rows, key=lambda row: (ranks.get(row.record.id, len(RANK)), -row.alerts, row.place.name))


def _tabs(found: list[RobotRow], filters: Filters) -> list[Tab]:
    counts = Counter(row.presence for row in found)
    named = [
        Tab(name, counts[name], filters.url(presence=name, show=PAGE), filters.presence == name)
        for name in PRESENCES
    ]
    every = Tab("", len(found), filters.url(presence="", show=PAGE), not filters.presence)
    return [every, *(tab for tab in named if tab.count or tab.chosen)]


def _choices(records: list[RobotRecord], field: str) -> list[tuple[str, str]]:
    values = {getattr(record, field) for record in records}
    return [(value, value) for value in sorted(filter(None, values))]


def _legend(t: Words) -> list[Cell]:
    words = {state: t.one_of("state", state) for state in ("ok", "down", "unknown")}
    alerted = [Cell("alert", level.value, word := t.one_of("severity", level), word) for level in Severity]
    others = {state: Cell(state, None, word, word) for state, word in words.items()}
    return [others["ok"], *alerted, others["down"], others["unknown"]]
