"""All customers on one page: who needs somebody first, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from collector.http.fields import whole_number
from collector.http.services import Services
from collector.http.views.rows import customer_url
from collector.http.views.score import Spark, number, spark, tone
from collector.queue import Severity
from collector.relational.portfolio import CustomerLine, PortfolioQuery, tiers
from collector.relational.scores import WEEK, earlier
from collector.words.i18n import Words

PAGE: Final = 50
SOON_DAYS: Final = 90
FIELDS: Final = ("industry", "region", "tier", "csm")
_TREND_WEEKS: Final = 8


@dataclass(frozen=True, slots=True)
class Filters:
    """Which customers are shown, and which page of them."""

    q: str = ""
    industry: str = ""
    region: str = ""
    tier: str = ""
    csm: str = ""
    below: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filters":
        """The filters of an address; what makes no sense there is left out."""
        known = {name: query.get(name, "")[:100] for name in FIELDS}
        return cls(
            q=query.get("q", "").strip()[:100],
            **known,
            below="1" if query.get("below") else "",
            page=max(whole_number(query.get("page", ""), 6) or 1, 1),
        )

    def url(self, **changes: str | int) -> str:
        """The address with some filters changed."""
        other = replace(self, **changes)  # type: ignore[arg-type]
        given = {name: getattr(other, name) for name in ("q", *FIELDS, "below")}
        given["page"] = "" if other.page == 1 else str(other.page)
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/customers?{query}" if query else "/customers"

    def query(self, seen_by: str | None) -> PortfolioQuery:
        """As the portfolio is asked."""
        known = {name: getattr(self, name) or None for name in ("q", *FIELDS)}
        return PortfolioQuery(**known, seen_by=seen_by, below=bool(self.below))


@dataclass(frozen=True, slots=True)
class Row:
    """One customer, ready to be written down."""

    id: str
    url: str
    about: str
    tier: str
    csm: str
    points: str
    tone: str
    change: str
    change_tone: str
    spark: Spark | None
    robots: int
    alerts: int
    alerts_url: str
    worst: str
    renewal: str
    renewal_tone: str
    below: str


@dataclass(frozen=True, slots=True)
class Tier:
    """The customers of one tier: their average, and how many are below it."""

    name: str
    average: str
    count: int
    below: str
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class CustomersPage:
    """All that the page shows."""

    filters: Filters
    here: str
    total: int
    first: str
    rows: list[Row]
    tiers: list[Tier]
    choices: dict[str, list[tuple[str, str]]]
    previous: str | None
    next: str | None
    shown: str


def page(services: Services, filters: Filters, seen_by: str | None, t: Words, now: int) -> CustomersPage:
    """Customers through these filters, the most urgent first."""
    portfolio = services.relational.portfolio
    lines = portfolio.customers(filters.query(seen_by), now)
    people, pages = services.relational.accounts.names(), max(-(-len(lines) // PAGE), 1)
    at = min(filters.page, pages)
    here = portfolio.with_alerts(lines[(at - 1) * PAGE : at * PAGE])
    sparks = _sparks(services, here, t)
    first = here[0] if here and at == 1 else None
    return CustomersPage(
        filters=filters,
        here=filters.url(),
        total=len(lines),
        first=_first(first, t) if first else "",
        rows=[_row(line, people, sparks, t) for line in here],
        tiers=_tiers(lines, filters, t),
        choices=_choices(portfolio.choices(), people, t),
        previous=filters.url(page=at - 1) if at > 1 else None,
        next=filters.url(page=at + 1) if at < pages else None,
        shown=t("customers.shown", first=(at - 1) * PAGE + 1, last=(at - 1) * PAGE + len(here), n=len(lines)),
    )


def renewal(days: int | None, t: Words) -> tuple[str, str]:
    """When the renewal is due, in words, and how near that is."""
    if days is None:
        return t("customers.no_renewal"), ""
    if days < 0:
        return t("customers.overdue", n=-days), "late"
    return t("customers.in_days", n=days), "soon" if days <= SOON_DAYS else ""


def moved(change: float | None) -> tuple[str, str]:
    """A change of points, and its direction."""
    if change is None:
        return "·", ""
    if not change:
        return "0", ""
    return (f"+{change:.1f}", "up") if change > 0 else (f"−{-change:.1f}", "down")


def _row(line: CustomerLine, people: Mapping[str, str], sparks: Mapping[str, Spark | None], t: Words) -> Row:
    change, change_tone = moved(line.change)
    words, near = renewal(line.days_to_renewal, t)
    industry = t.one_of("industry", line.industry) if line.industry else ""
    gap = round((line.average or 0) - (line.points or 0), 1)
    return Row(
        id=line.id,
        url=customer_url(line.id),
        about=" · ".join(filter(None, [industry, line.region or ""])),
        tier=t.one_of("tier", line.tier) if line.tier else "",
        csm=people.get(line.csm, line.csm) if line.csm else "",
        points=number(line.points),
        tone=tone(line.points),
        change=change,
        change_tone=change_tone,
        spark=sparks.get(line.id),
        robots=line.robots,
        alerts=line.open_alerts,
        alerts_url=f"/?{urlencode({'customer': line.id})}",
        worst=list(Severity)[line.worst].value if line.worst is not None else "",
        renewal=words,
        renewal_tone=near,
        below=t("customers.below_by", points=number(gap)) if line.is_below else "",
    )


def _first(line: CustomerLine, t: Words) -> str:
    """Why the first one is the first, in a sentence."""
    change, _ = moved(line.change)
    unknown = t("customers.why.unknown") if line.robots else ""
    reasons = [
        unknown if line.points is None else t("customers.why.score", points=number(line.points)),
        t("customers.why.fallen", points=change.removeprefix("−")) if (line.change or 0) < 0 else "",
        t("customers.why.renewal", when=renewal(line.days_to_renewal, t)[0])
        if line.days_to_renewal is not None and line.days_to_renewal <= SOON_DAYS
        else "",
        t("customers.why.alerts", n=line.open_alerts) if line.open_alerts else "",
    ]
    given = t("score.comma").join(filter(None, reasons))
    return t("customers.start_with", name=line.id, why=given) if given else ""


def _sparks(services: Services, lines: list[CustomerLine], t: Words) -> dict[str, Spark | None]:
    day = next((line.day for line in lines if line.day), None)
    if day is None:
        return {}
    since = earlier(day, WEEK * _TREND_WEEKS)
    found = services.relational.scores.histories("customer", [line.id for line in lines], since)
    return {id_: spark(history, t) for id_, history in found.items()}


def _tiers(lines: list[CustomerLine], filters: Filters, t: Words) -> list[Tier]:
    return [
        Tier(
            name=t.one_of("tier", tier),
            average=number(average),
            count=count,
            below=t("customers.below", n=below),
            url=filters.url(tier=tier, below="1", page=1),
            chosen=filters.tier == tier and bool(filters.below),
        )
        for tier, (average, count, below) in by_tier(tiers(lines))
    ]


def by_tier(found: Mapping[str, tuple[float, int, int]]) -> list[tuple[str, tuple[float, int, int]]]:
    """Tiers from the highest; those of the owner's making after them."""
    known = {name: place for place, name in enumerate(("strategic", "key", "standard", "long_tail"))}
    return sorted(found.items(), key=lambda item: (known.get(item[0], len(known)), item[0]))


def _choices(
    found: Mapping[str, list[str]], people: Mapping[str, str], t: Words
) -> dict[str, list[tuple[str, str]]]:
    def word(name: str, value: str) -> str:
        if name in ("industry", "tier"):
            return t.one_of(name, value)
        return people.get(value, value) if name == "csm" else value

    return {name: [(value, word(name, value)) for value in found[name]] for name in FIELDS}
