"""The start page: what to do first, and why; then the rest in its order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from collector.http.services import Services
from collector.http.views.counted import counted
from collector.http.views.filters import NOBODY, TODO, VIEWS, WHOSE, Filters
from collector.http.views.groups import CustomerGroup, groups
from collector.http.views.people import Reader
from collector.http.views.rows import Row, rows
from collector.queue import Alert, Severity, Work
from collector.relational.listing import AlertQuery, Counts
from collector.words.i18n import Words
from rules.storm import rule_named

PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Tab:
    """A choice of whose alerts, or which; closed ones are not counted."""

    name: str
    count: int | None
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """Filters that the reader keeps."""

    name: str
    url: str
    chosen: bool
    current: bool


@dataclass(frozen=True, slots=True)
class QueuePage:
    """All that the start page shows."""

    filters: Filters
    here: str
    query: str
    kept: list[tuple[str, str]]  # filters that the form of the others does not ask for
    waiting: int
    headline: str
    advice: str
    online: int
    robots: int
    whose: list[Tab]
    tabs: list[Tab]
    first: Row | None
    first_kicker: str
    rows: list[Row]
    groups: list[CustomerGroup]
    group_url: str
    next: str | None
    top: str | None
    severities: list[tuple[str, str]]
    subsystems: list[tuple[str, str]]
    owners: list[tuple[str, str]]
    customers: list[str]
    saved: list[Saved]
    saved_name: str
    empty_title: str
    empty_text: str
    filtered: bool
    unfiltered: str


def page(services: Services, filters: Filters, reader: Reader, t: Words, now: int) -> QueuePage:
    """The queue through these filters. Raises `CursorError`."""
    base = _base(services, filters, reader, now)
    counts = None if filters.q else counted(services, query_of(services, filters, reader, t, now), now)
    found, grouped, following = _found(services, filters, reader, t, now)
    shown = rows(services, found, t, now)
    first = None if filters.after or filters.grouped else _first(filters, shown)
    waiting = base.waiting
    presence = services.fleet.counts(services.fleet.robots, now)
    empty = _empty(filters)
    saved = _saved(filters, reader)
    return QueuePage(
        filters=filters,
        here=filters.url(after=filters.after),
        query=filters.query(),
        kept=_kept(filters),
        waiting=waiting,
        headline=t(f"todo.{filters.whose}", n=waiting) if waiting else t(f"todo.none_{filters.whose}"),
        advice=_advice(base, filters, t),
        online=presence["online"],
        robots=sum(presence.values()),
        whose=[Tab(name, base.tabs[name], filters.url(whose=name), filters.whose == name) for name in WHOSE],
        tabs=_tabs(counts, filters),
        first=first,
        first_kicker=t("first.kicker" if first and first.alert.work is Work.NEW else "first.taken_kicker"),
        rows=[row for row in shown if row is not first],
        groups=grouped,
        group_url=filters.url(grouped=not filters.grouped),
        next=filters.url(after=following) if following else None,
        top=filters.url() if filters.after else None,
        severities=[(level.value, _level(level, counts, filters, t)) for level in Severity],
        subsystems=[(s.name, t.both(s.label)) for s in services.catalogue.subsystems.values()],
        owners=[(NOBODY, t("owner.none")), *reader.people] if filters.whose == "all" else [],
        customers=sorted({row.place.customer for row in shown if row.place.customer}),
        saved=saved,
        saved_name=next((view.name for view in saved if view.current), ""),
        empty_title=t(f"queue.{empty}_title"),
        empty_text=t(f"queue.{empty}_text"),
        filtered=filters.narrowed,
        unfiltered=Filters(whose=filters.whose, view=filters.view, grouped=filters.grouped).url(),
    )


@dataclass(frozen=True, slots=True)
class _Base:
    """How much there is to do for whom, whatever else is asked for."""

    tabs: dict[str, int]
    waiting: int
    late: int
    in_hand: int


def _base(services: Services, filters: Filters, reader: Reader, now: int) -> _Base:
    every = counted(services, AlertQuery(csm=reader.scope), now)
    own = counted(services, AlertQuery(owner=reader.id, csm=reader.scope), now)
    tabs = {
        "mine": own.of(*TODO),
        "all": every.of(*TODO),
        "unassigned": every.unassigned(*TODO),
        "overdue": every.overdue(*TODO),
    }
    chosen = own if filters.whose == "mine" else every
    waiting = {"unassigned": every.unassigned(Work.NEW), "overdue": tabs["overdue"]}
    alone = filters.whose in waiting
    return _Base(
        tabs,
        waiting.get(filters.whose, chosen.of(Work.NEW)),
        0 if alone else chosen.overdue(*TODO),
        0 if alone else chosen.of(Work.ACKNOWLEDGED),
    )


def home(chosen: str | None, reader: Reader, services: Services) -> Filters:
    """What is shown to somebody who asks for nothing: the view chosen for that, else what is theirs."""
    query = dict(parse_qsl(chosen or ""))
    return Filters.read(query, services.catalogue.subsystems, "mine" if reader.owns else "all")


def query_of(services: Services, filters: Filters, reader: Reader, t: Words, now: int) -> AlertQuery:
    """The filters as the database understands them."""
    closed = filters.view == "closed"
    by = services.relational.alert(filters.by) if filters.by else None
    owner = reader.id if filters.whose == "mine" else filters.owner if filters.owner != NOBODY else ""
    return AlertQuery(
        state="closed" if closed else "open",
        severity=Severity(filters.severity) if filters.severity else None,
        subsystem=filters.subsystem or None,
        works=VIEWS[filters.view],
        suppressed=None if closed else filters.view == "suppressed",
        hidden_by=None if by is None else by.key,
        silence=filters.silence or None,
        owner=owner or None,
        unassigned=filters.whose == "unassigned" or filters.owner == NOBODY,
        customer=filters.customer if filters.customer not in ("", NOBODY) else None,
        of_no_customer=filters.customer == NOBODY,
        site=filters.site or None,
        overdue_at=now if filters.whose == "overdue" else None,
        text=filters.q or None,
        rules=_rules(services, filters.q, t),
        csm=reader.scope,
    )


def _rules(services: Services, text: str, t: Words) -> tuple[str, ...]:
    """The rules in whose words the text is."""
    wanted = text.casefold()
    if not wanted:
        return ()
    return tuple(rule.name for rule in services.rules.rules if wanted in t.both(rule.about).casefold())


def _found(
    services: Services, filters: Filters, reader: Reader, t: Words, now: int
) -> tuple[list[Alert], list[CustomerGroup], str | None]:
    query = query_of(services, filters, reader, t, now)
    if filters.grouped and filters.view != "closed":
        found = groups(services, query, filters, t, now)
        return [], list(found.items), found.next
    page_ = services.relational.alerts(query, after=filters.after or None, limit=PAGE)
    return list(page_.items), [], page_.next


def _first(filters: Filters, shown: Sequence[Row]) -> Row | None:
    """The alert to begin with: the highest that nobody has taken, else the highest."""
    if filters.view not in ("todo", "new"):
        return None
    return next((row for row in shown if row.alert.work is Work.NEW), next(iter(shown), None))


def _advice(base: _Base, filters: Filters, t: Words) -> str:
    """How much of it is late, and what is in hand."""
    if filters.whose not in ("mine", "all"):
        return ""
    parts = (
        t("todo.late", n=base.late) if base.late and base.waiting else "",
        t("todo.late_none") if base.waiting and not base.late else "",
        t("todo.in_hand", n=base.in_hand) if base.in_hand else "",
    )
    return " ".join(part for part in parts if part)


def _tabs(counts: Counts | None, filters: Filters) -> list[Tab]:
    """Which of them; a search is not counted, since that would take longer than to find."""
    found: dict[str, int | None] = dict.fromkeys(VIEWS)
    if counts is not None:
        of = counts.overdue if filters.whose == "overdue" else counts.of
        found |= {name: of(*works) for name, works in VIEWS.items()}
        found |= {"suppressed": None if filters.whose == "overdue" else counts.hidden, "closed": None}
    return [
        Tab(name, count, filters.url(view=name, by=0, silence=0), filters.view == name)
        for name, count in found.items()
    ]


def _level(level: Severity, counts: Counts | None, filters: Filters, t: Words) -> str:
    word = t.one_of("severity", level)
    if counts is None or filters.view in ("suppressed", "closed"):
        return word
    return f"{word} ({t.count(counts.of(*VIEWS[filters.view], severity=level))})"


def _kept(filters: Filters) -> list[tuple[str, str]]:
    asked = {"severity", "subsystem", "owner", "customer", "q"}
    return [(name, value) for name, value in parse_qsl(filters.query()) if name not in asked]


def _saved(filters: Filters, reader: Reader) -> list[Saved]:
    here = filters.query()
    return [Saved(view.name, f"/?{view.query}", view.chosen, view.query == here) for view in reader.views]


def _empty(filters: Filters) -> str:
    if filters.narrowed:
        return "empty_filter"
    return f"empty_{filters.view}" if filters.view in ("snoozed", "suppressed", "closed") else "empty"


def about(services: Services, rule: str, t: Words) -> str:
    """What a rule is about, in a few words."""
    found = rule_named(services.rules, rule)
    return rule if found is None else t.both(found.about)
