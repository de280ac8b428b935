"""One customer: how it does and why, what its robots are used for, its contract, and what happened."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from urllib.parse import urlencode

from collector.http.services import Services
from collector.http.views import registry_form
from collector.http.views.customers import moved, renewal
from collector.http.views.rows import Row, customer_url, rows
from collector.http.views.score import ScoreView, number, span, tone, url, view, written
from collector.presence import Presence
from collector.queue import Alert
from collector.relational import AlertQuery, RobotRecord
from collector.relational.journal import PULSE, Change
from collector.relational.portfolio import Contract, Registered, next_renewal, today_in
from collector.relational.scores import WEEK, earlier
from collector.scores.score import Score
from collector.scores.usual import ROBOTS
from collector.words.i18n import Words, zone

FUNNEL: Final = ("visitors", "recruits", "wakeups", "interactions")
FUNCTIONS: Final = ("tours", "check_ins", "escorts", "deliveries", "narrations")
ALERTS: Final = 20
_EVENTS: Final = 40
_FIGURES: Final = {"funnel": FUNNEL, "functions": FUNCTIONS, "satisfaction": ("ratings", "satisfied_ratings")}


@dataclass(frozen=True, slots=True)
class Step:
    """One volume of the funnel: how many, its bar, its share of the step before, and what is usual."""

    label: str
    count: str
    width: float
    rate: str
    peers: str
    tone: str


@dataclass(frozen=True, slots=True)
class Used:
    """How often a function was used this week, and how that moved."""

    label: str
    count: str
    before: str
    change: str
    tone: str


@dataclass(frozen=True, slots=True)
class RobotRow:
    """A robot of the customer."""

    name: str
    url: str
    scene: str
    presence: Presence
    points: str
    tone: str
    change: str
    change_tone: str
    score_url: str
    alerts: int


@dataclass(frozen=True, slots=True)
class Site:
    """A site, and its robots."""

    name: str
    points: str
    tone: str
    url: str
    robots: list[RobotRow]


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A contract, ready to be written down."""

    id: str
    span: str
    amount: str
    robots: str
    state: str
    tone: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    at: int
    kind: str
    text: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the CSM thinks of the customer."""

    value: int | None
    at: int | None
    choices: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """All that a customer's page shows."""

    id: str
    url: str
    chips: list[str]
    facts: list[tuple[str, str, str, str]]  # label, value, tone, url
    score: ScoreView | None
    span: str
    funnel: list[Step]
    funnel_peers: str
    functions: list[Used]
    satisfaction: list[str]
    contracts: list[ContractRow]
    sites: list[Site]
    pulse: Pulse
    open: list[Row]
    open_more: str
    past: list[Row]
    events: list[Event]
    zone: tzinfo
    note: str


def page(services: Services, given: Registered, t: Words, now: int) -> CustomerPage:
    """Everything about one customer."""
    relational = services.relational
    found = relational.scores.one("customer", given.id)
    records = relational.robots_where("customer", [given.id])
    contracts = relational.portfolio.contracts(given.id)
    tz = next((record.tz for record in records if record.tz), None)
    opened = relational.alerts(AlertQuery(customer=given.id), limit=ALERTS).items
    closed = relational.alerts(AlertQuery(state="closed", customer=given.id), limit=ALERTS).items
    total = relational.queue.count(AlertQuery(customer=given.id, suppressed=False))
    average = relational.scores.tier_averages().get(given.tier or "")
    people = relational.accounts.names()
    return CustomerPage(
        id=given.id,
        url=customer_url(given.id),
        chips=_chips(given, people, t),
        facts=_facts(given, records, contracts, tz, total, t, now),
        score=view(services, found, t, average) if found else None,
        span=span(found.day, t) if found else "",
        funnel=_funnel(services, found, t) if found and _used(found) else [],
        funnel_peers=_peers(found, t) if found else "",
        functions=_functions(services, found, t) if found and _used(found) else [],
        satisfaction=_satisfaction(found, t) if found and _used(found) else [],
        contracts=[_contract(contract, tz, t, now) for contract in contracts],
        sites=_sites(services, given.id, records, found, t, now),
        pulse=Pulse(
            given.pulse, given.pulse_at, [(value, t(f"customers.pulse.{value}")) for value in range(1, 6)]
        ),
        open=rows(services, list(opened), t, now),
        open_more=f"/?{urlencode({'customer': given.id})}" if opened else "",
        past=rows(services, list(closed), t, now),
        events=_events(services, given.id, [*opened, *closed], people, t, now),
        zone=zone(tz),
        note=given.note or "",
    )


def _chips(given: Registered, people: Mapping[str, str], t: Words) -> list[str]:
    words = [
        t.one_of("tier", given.tier) if given.tier else "",
        t.one_of("stage", given.stage) if given.stage else "",
        t.one_of("industry", given.industry) if given.industry else "",
        given.region or "",
        t("customers.csm_is", name=people.get(given.csm, given.csm)) if given.csm else t("customers.no_csm"),
    ]
    return [word for word in words if word]


def _facts(
    given: Registered,
    records: Sequence[RobotRecord],
    contracts: Sequence[Contract],
    tz: str | None,
    alerts: int,
    t: Words,
    now: int,
) -> list[tuple[str, str, str, str]]:
    today = today_in(tz, now)
    due = next_renewal(contracts, today)
    words, near = renewal(due.days_left(today) if due else None, t)
    fleet = f"/fleet?{urlencode({'customer': given.id})}"
    sites = len({record.site for record in records if record.site})
    return [
        (t("customers.renewal"), words, near, "#contracts"),
        (
            t("customers.alerts"),
            t.count(alerts),
            "late" if alerts else "",
            f"/?{urlencode({'customer': given.id})}",
        ),
        (t("customers.robots"), t.count(len(records)), "", fleet),
        (t("customers.sites"), t.count(sites), "", "#sites"),
    ]


# --- use --------------------------------------------------------------------------------------------------


def _used(score: Score) -> bool:
    """Whether anything was counted, this week or the one before."""
    return any(now or before for now, before in score.use.values())


def _week(score: Score, name: str) -> tuple[float, float | None]:
    return score.use.get(f"engagement.{name}", (0.0, 0.0))


def _label(services: Services, name: str, t: Words) -> str:
    metric = f"engagement.{name}"
    return t.both(services.catalogue[metric].label) if metric in services.catalogue else name


def _funnel(services: Services, score: Score, t: Words) -> list[Step]:
    most = max(_week(score, name)[0] for name in FUNNEL) or 1.0
    steps = []
    for at, name in enumerate(FUNNEL):
        count, whole = _week(score, name)[0], _week(score, FUNNEL[at - 1])[0] if at else 0.0
        rate = count / whole if whole else None
        usual = score.peers.get(name)
        steps.append(
            Step(
                label=_label(services, name, t),
                count=t.count(count),
                width=round(100 * count / most, 1),
                rate="" if rate is None else _percent(rate),
                peers="" if usual is None or not at else t("customers.peers_rate", rate=_percent(usual)),
                tone="" if rate is None or usual is None else "down" if rate < usual else "up",
            )
        )
    return steps


def _peers(score: Score, t: Words) -> str:
    """How the whole funnel is against peers."""
    visitors, interactions = _week(score, "visitors")[0], _week(score, "interactions")[0]
    usual = score.peers.get("conversion")
    if not visitors:
        return ""
    rate = _percent(interactions / visitors)
    if usual is None:
        return t("customers.conversion_alone", rate=rate)
    return t("customers.conversion", rate=rate, usual=_percent(usual), n=round(score.peers.get(ROBOTS, 0)))


def _functions(services: Services, score: Score, t: Words) -> list[Used]:
    found = []
    for name in FUNCTIONS:
        now, before = _week(score, name)
        share = now / before - 1 if before else None
        words = "" if share is None else f"{'+' if share >= 0 else '−'}{_percent(abs(share))}"
        direction = "" if not share else "up" if share > 0 else "down"
        shown = "–" if before is None else t.count(before)
        found.append(Used(_label(services, name, t), t.count(now), shown, words, direction))
    return found


def _satisfaction(score: Score, t: Words) -> list[str]:
    rated, satisfied = _week(score, "ratings")[0], _week(score, "satisfied_ratings")[0]
    if not rated:
        return [t("customers.unrated")]
    words = [t("customers.satisfied", rate=_percent(satisfied / rated), rated=t.count(rated))]
    usual = score.peers.get("satisfaction")
    return words if usual is None else [*words, t("customers.peers_rate", rate=_percent(usual))]


def _percent(share: float) -> str:
    return f"{share * 100:.0f}%" if share >= 0.1 or not share else f"{share * 100:.1f}%"


# --- robots, contracts, events ----------------------------------------------------------------------------


def _sites(
    services: Services, customer: str, records: Sequence[RobotRecord], score: Score | None, t: Words, now: int
) -> list[Site]:
    """Sites with their robots, the lowest score first."""
    day = score.day if score else ""
    ids = [record.id for record in records]
    own = services.relational.scores.many("robot", ids, day) if day else {}
    before = services.relational.scores.many("robot", ids, earlier(day, WEEK)) if day else {}
    counts = services.relational.open_by_robot()
    by_site: dict[str, list[RobotRecord]] = {
        name: [] for name in services.relational.portfolio.sites(customer)
    }
    for record in records:
        by_site.setdefault(record.site or "", []).append(record)
    scored = services.relational.scores.many("site", list(by_site), day) if day else {}
    sites = [
        Site(
            name=name,
            points=number(scored[name].points if name in scored else None),
            tone=tone(scored[name].points if name in scored else None),
            url=url("site", name) if name in scored else "",
            robots=[
                _robot(
                    services,
                    record,
                    own.get(record.id),
                    before.get(record.id),
                    counts.get(record.id, 0),
                    t,
                    now,
                )
                for record in _lowest_first(there, own)
            ],
        )
        for name, there in by_site.items()
    ]
    return sorted(
        sites, key=lambda site: (site.points == "–", float(site.points) if site.points != "–" else 0)
    )


def _lowest_first(records: Iterable[RobotRecord], own: Mapping[str, Score]) -> list[RobotRecord]:
    def points(record: RobotRecord) -> float:
        score = own.get(record.id)
        return 101.0 if score is None or score.points is None else score.points

    return sorted(records, key=lambda record: (points(record), record.id))


def _robot(
    services: Services,
    record: RobotRecord,
    score: Score | None,
    before: Score | None,
    alerts: int,
    t: Words,
    now: int,
) -> RobotRow:
    points = score.points if score else None
    known = points is not None and before is not None and before.points is not None
    change, direction = moved(round(points - before.points, 1) if known else None)  # type: ignore[operator, union-attr]
    return RobotRow(
        name=record.name or record.id,
        url=f"/robots/{record.id}",
        scene=t.one_of("scene", record.scene) if record.scene else "",
        presence=services.fleet.presence(record.id, now),
        points=number(points),
        tone=tone(points),
        change=change,
        change_tone=direction,
        score_url=url("robot", record.id) if score else "",
        alerts=alerts,
    )


def _contract(contract: Contract, tz: str | None, t: Words, now: int) -> ContractRow:
    left = contract.days_left(today_in(tz, now))
    words, near = renewal(left, t)
    decided = {True: t("customers.renewed"), False: t("customers.not_renewed")}
    amount = "" if contract.amount is None else f"{contract.amount:,.0f} {contract.currency or ''}".strip()
    return ContractRow(
        id=contract.id,
        span=f"{written(contract.begins_on, t)} – {written(contract.ends_on, t)}",
        amount=amount,
        robots="" if contract.robots is None else t("customers.robots_n", n=contract.robots),
        state=words if contract.renewed is None else decided[contract.renewed],
        tone=near if contract.renewed is None else "",
    )


def _events(
    services: Services, customer: str, alerts: Sequence[Alert], people: Mapping[str, str], t: Words, now: int
) -> list[Event]:
    """What happened, the newest first."""
    events = [_journal(change, people, t) for change in services.relational.portfolio.journal(customer)]
    for row in rows(services, list(alerts), t, now):
        address, name = f"/alerts/{row.id}", f"{row.about} · {row.place.name}"
        events.append(
            Event(row.alert.opened_at, "alert", t("customers.event.opened", what=name), "", address)
        )
        if row.alert.closed_at is not None:
            told = t("customers.event.closed", what=name)
            events.append(Event(row.alert.closed_at, "closed", told, row.outcome, address))
    return sorted(events, key=lambda event: -event.at)[:_EVENTS]


def _journal(change: Change, people: Mapping[str, str], t: Words) -> Event:
    who = registry_form.name_of(change.who, people, t)
    if change.what == PULSE:
        text = t("customers.event.pulse", who=who, value=change.fields[PULSE][1])
        return Event(change.at, PULSE, text, change.note or "", "")
    what = t.one_of("customers.subject", change.kind)
    text = t(f"customers.event.{change.what}", who=who, what=what, subject=change.subject)
    fields = change.fields if change.what == "changed" else {}
    names = [registry_form.label(name, t) for name in fields]
    return Event(change.at, "journal", text, t("score.comma").join(names), "")


# --- what is behind a figure ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BehindPage:
    """A figure, robot by robot."""

    customer: str
    back: str
    title: str
    span: str
    counters: str
    columns: list[str]
    robots: list[tuple[str, str, list[str]]]
    total: list[str]


def behind(services: Services, customer: str, figure: str, t: Words) -> BehindPage | None:
    """The counters behind a figure, of each robot; None if there is no such figure."""
    names = _FIGURES.get(figure)
    found = services.relational.scores.one("customer", customer)
    if names is None or found is None:
        return None
    records = {record.id: record for record in services.relational.robots_where("customer", [customer])}
    scores = services.relational.scores.many("robot", list(records), found.day)
    lines = [
        (
            records[id_].name or id_,
            f"/robots/{id_}?range=7d",
            [t.count(_week(own, name)[0]) for name in names],
        )
        for id_, own in sorted(scores.items(), key=lambda item: -_week(item[1], names[-1])[0])
    ]
    return BehindPage(
        customer=customer,
        back=customer_url(customer),
        title=t(f"customers.figure.{figure}"),
        span=span(found.day, t),
        counters=t("score.behind_counters", counters=", ".join(f"engagement.{name}" for name in names)),
        columns=[_label(services, name, t) for name in names],
        robots=lines,
        total=[t.count(_week(found, name)[0]) for name in names],
    )
