"""The start page: what to do first."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from collector.http.i18n import Words
from collector.http.services import Services
from collector.http.views.rows import Row, rows, with_first
from collector.queue import Alert, Severity, Work
from collector.relational import AlertQuery
from rules.evaluation import SignalKey

VIEWS: Final[Mapping[str, frozenset[Work]]] = {
    "todo": frozenset({Work.NEW, Work.ACKNOWLEDGED}),
    "new": frozenset({Work.NEW}),
    "acknowledged": frozenset({Work.ACKNOWLEDGED}),
    "snoozed": frozenset({Work.SNOOZED}),
    "suppressed": frozenset({Work.NEW, Work.ACKNOWLEDGED, Work.SNOOZED}),
    "closed": frozenset({Work.CLOSED}),
}
PAGE: Final = 100
MOST: Final = 2_000  # open alerts that are looked at; a longer queue is no longer a queue
_CLOSED: Final = 500
_PORTION: Final = 500
_URGENT: Final = (Severity.CRITICAL, Severity.HIGH)


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the queue is shown."""

    view: str = "todo"
    severity: str = ""
    subsystem: str = ""
    q: str = ""
    show: int = PAGE
    by: int = 0  # of the suppressed ones only those that this alert hides

    @classmethod
    def read(cls, query: Mapping[str, str], subsystems: Mapping[str, object]) -> "Filters":
        """The filters of an address; what makes no sense there is left out."""
        view, severity, subsystem = (query.get(name, "") for name in ("view", "severity", "subsystem"))
        show, by = query.get("show", ""), query.get("by", "")
        return cls(
            view=view if view in VIEWS else "todo",
            severity=severity if severity in list(Severity) else "",
            subsystem=subsystem if subsystem in subsystems else "",
            q=query.get("q", "").strip()[:100],
            show=min(max(int(show), PAGE), MOST) if show.isascii() and show.isdecimal() else PAGE,
            by=int(by) if view == "suppressed" and by.isascii() and by.isdecimal() and len(by) < 16 else 0,
        )

    def url(self, **changes: str | int) -> str:
        """The address of the queue with some filters changed."""
        other = replace(self, **changes)  # type: ignore[arg-type]
        given = {
            "view": "" if other.view == "todo" else other.view,
            "severity": other.severity,
            "subsystem": other.subsystem,
            "q": other.q,
            "show": "" if other.show == PAGE else other.show,
            "by": other.by if other.view == "suppressed" else 0,
        }
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/?{query}" if query else "/"

    @property
    def narrowed(self) -> bool:
        """Whether anything but the view is asked for."""
        return bool(self.severity or self.subsystem or self.q or self.by)


@dataclass(frozen=True, slots=True)
class Tile:
    """How many alerts there are of one severity, and the address of those alone."""

    level: str
    count: int
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Tab:
    """One view; closed alerts are not counted."""

    name: str
    count: int | None
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class QueuePage:
    """All that the start page shows."""

    filters: Filters
    here: str
    waiting: int
    advice: str
    online: int
    robots: int
    tiles: list[Tile]
    tabs: list[Tab]
    subsystems: list[tuple[str, str]]
    rows: list[Row]
    more: str | None
    empty_title: str
    empty_text: str
    filtered: bool
    unfiltered: str


def page(services: Services, filters: Filters, t: Words, now: int) -> QueuePage:
    """The queue through these filters."""
    alerts = open_alerts(services, suppressed=False)
    works = Counter(alert.work for alert in alerts)
    viewed = _viewed(services, alerts, filters)
    lines = [line for line in rows(services, viewed, t, now) if _found(line, filters.q)]
    kept = [line for line in lines if filters.severity in ("", line.alert.severity)]
    presence = services.fleet.counts(services.fleet.robots, now)
    return QueuePage(
        filters=filters,
        here=filters.url(),
        waiting=works[Work.NEW],
        advice=_advice(alerts, works, t),
        online=presence["online"],
        robots=sum(presence.values()),
        tiles=_tiles(lines, filters),
        tabs=_tabs(works, services.relational.count_suppressed(), filters),
        subsystems=[(s.name, t.both(s.label)) for s in services.catalogue.subsystems.values()],
        rows=with_first(kept[: filters.show]),
        more=filters.url(show=filters.show + PAGE) if len(kept) > filters.show else None,
        empty_title=t(f"queue.{_empty(filters)}_title"),
        empty_text=t(f"queue.{_empty(filters)}_text"),
        filtered=filters.narrowed,
        unfiltered=Filters(view=filters.view).url(),
    )


def open_alerts(
    services: Services, *, suppressed: bool | None = None, hidden_by: SignalKey | None = None
) -> list[Alert]:
    """The open alerts in the order of the queue, as many as anybody could look at."""
    found: list[Alert] = []
    after: str | None = None
    query = AlertQuery(state="open", suppressed=suppressed, hidden_by=hidden_by)
    while len(found) < MOST:
        portion = services.relational.alerts(query, after=after, limit=_PORTION)
        found += portion.items
        after = portion.next
        if after is None:
            break
    return found


def _closed(services: Services, filters: Filters) -> list[Alert]:
    query = AlertQuery(state="closed", subsystem=filters.subsystem or None)
    return list(services.relational.alerts(query, limit=_CLOSED).items)


def _viewed(services: Services, shown: list[Alert], filters: Filters) -> list[Alert]:
    if filters.view == "closed":
        return _closed(services, filters)
    alerts = _suppressed(services, filters) if filters.view == "suppressed" else shown
    works = VIEWS[filters.view]
    return [a for a in alerts if a.work in works and filters.subsystem in ("", a.subsystem)]


def _suppressed(services: Services, filters: Filters) -> list[Alert]:
    by = services.relational.alert(filters.by) if filters.by else None
    return open_alerts(services, suppressed=True, hidden_by=None if by is None else by.key)


def _found(line: Row, text: str) -> bool:
    wanted = text.casefold()
    return not wanted or line.place.mentions(wanted) or wanted in line.about.casefold()


def _tiles(lines: list[Row], filters: Filters) -> list[Tile]:
    counts = Counter(line.alert.severity for line in lines)
    return [
        Tile(
            level=level.value,
            count=counts[level],
            url=filters.url(severity="" if filters.severity == level else level.value, show=PAGE),
            chosen=filters.severity == level,
        )
        for level in Severity
    ]


def _tabs(works: Counter[Work], suppressed: int, filters: Filters) -> list[Tab]:
    counts: dict[str, int | None] = {name: sum(works[work] for work in VIEWS[name]) for name in VIEWS}
    counts |= {"suppressed": suppressed, "closed": None}
    return [
        Tab(name, count, filters.url(view=name, show=PAGE, by=0), filters.view == name)
        for name, count in counts.items()
    ]


def _advice(alerts: list[Alert], works: Counter[Work], t: Words) -> str:
    """One sentence: where to begin."""
    counts = Counter(alert.severity for alert in alerts if alert.work is Work.NEW)
    worst = next((level for level in Severity if counts[level]), None)
    if worst is None:
        return t("queue.all_taken") if works[Work.ACKNOWLEDGED] else t("app.tagline_quiet")
    if worst not in _URGENT:
        return t("queue.start_rest")
    return t("queue.start_with", n=counts[worst], severity=t(f"severity_in_text.{worst}"))


def _empty(filters: Filters) -> str:
    if filters.narrowed:
        return "empty_filter"
    return f"empty_{filters.view}" if filters.view in ("snoozed", "suppressed", "closed") else "empty"
