"""The queue by customer and site: folded, with how many there are, how bad, and how many are late."""

import hashlib
from dataclasses import dataclass
from typing import Final

from collector.http.services import Services
from collector.http.views.filters import NOBODY, Filters
from collector.http.views.rows import Row, rows
from collector.relational.listing import AlertQuery, Group, Page
from collector.words.i18n import Words

CUSTOMERS: Final = 60  # of a page; first those with the most pressing alert
READ: Final = 100  # alerts of one that are read when it is unfolded


@dataclass(frozen=True, slots=True)
class CustomerGroup:
    """The alerts of one customer, folded; `rows` is the address of what is under the fold."""

    key: str
    name: str
    worst: str
    count: int
    new: int
    overdue: int
    rows: str
    url: str


@dataclass(frozen=True, slots=True)
class SiteGroup:
    """The alerts of one site of a customer."""

    name: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Unfolded:
    """What is under a customer's fold."""

    sites: list[SiteGroup]
    url: str
    more: int


def groups(
    services: Services, query: AlertQuery, filters: Filters, t: Words, now: int
) -> Page[CustomerGroup]:
    """The customers with alerts, first the one with the most pressing. Raises `CursorError`."""
    queue = services.relational.queue
    found = queue.groups("customer", now, query, after=filters.after or None, limit=CUSTOMERS)
    return Page(tuple(_group(group, filters, t) for group in found.items), found.next)


def unfolded(services: Services, query: AlertQuery, filters: Filters, t: Words, now: int) -> Unfolded:
    """The alerts of the customer that the filters name, by site, in the order of the queue."""
    found = services.relational.alerts(query, limit=READ)
    sites: dict[str, list[Row]] = {}
    for row in rows(services, list(found.items), t, now):
        sites.setdefault(row.alert.site or t("group.site_none"), []).append(row)
    more = services.relational.queue.count(query) - len(found.items) if found.next else 0
    return Unfolded([SiteGroup(*site) for site in sites.items()], filters.url(grouped=False), max(more, 0))


def _group(group: Group, filters: Filters, t: Words) -> CustomerGroup:
    name = group.name or ""
    own = filters.query(customer=name or NOBODY, grouped=False)
    return CustomerGroup(
        key=hashlib.sha256(name.encode()).hexdigest()[:12],
        name=name or t("group.customer_none"),
        worst=group.worst,
        count=group.count,
        new=group.new,
        overdue=group.overdue,
        rows=f"/queue/group?{own}",
        url=f"/?{own}",
    )
