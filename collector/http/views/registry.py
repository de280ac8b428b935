"""The registry as pages show it: tables of records, forms to change one, and what was changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, Literal
from urllib.parse import urlencode

from collector.http.services import Services
from collector.registry import (
    Contract,
    Customer,
    Kind,
    Lifecycle,
    Record,
    RobotRecord,
    Site,
    Stage,
    Tier,
    Value,
)
from collector.registry.records import client, values
from collector.relational import CursorError, Page, RobotQuery
from collector.relational.registry import ContractQuery, CustomerQuery, Registry, SiteQuery
from collector.words.i18n import Words, texts, zone

PAGE: Final = 100
_SOON_DAYS: Final = 60
MOST_CHOICES: Final = 500
FILTERS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.CUSTOMER: ("tier", "stage", "csm", "region", "industry"),
    Kind.CONTRACT: ("renewed", "csm"),
    Kind.SITE: ("region",),
    Kind.ROBOT: ("lifecycle", "industry"),
}
WORDS: Final[Mapping[str, Sequence[str]]] = {
    "tier": list(Tier), "stage": list(Stage), "lifecycle": list(Lifecycle), "renewed": ("yes", "no", "open"),
}  # fmt: skip
RENEWALS: Final[Mapping[str, Literal["yes", "no", "open"]]] = {"yes": "yes", "no": "no", "open": "open"}
WORDED: Final = ("industry", "scene")  # anything, but for what is common there are words
_COLUMNS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.CUSTOMER: ("tier", "stage", "csm", "contract", "region", "industry"),
    Kind.CONTRACT: ("customer", "ends_on", "renewed", "amount", "robots"),
    Kind.SITE: ("customer", "region", "tz", "open_hours"),
    Kind.ROBOT: ("site", "industry", "model", "installed_on", "lifecycle"),
}
Tone = Literal["", "bad", "soon", "good", "soft"]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which records of a kind are shown."""

    kind: Kind
    q: str = ""
    wishes: Mapping[str, str] = field(default_factory=dict)
    after: str | None = None

    @classmethod
    def read(cls, kind: Kind, query: Mapping[str, str]) -> "Filters":
        """The filters of an address; what makes no sense there is left out."""
        given = {name: query.get(name, "")[:256] for name in FILTERS[kind]}
        kept = {name: text for name, text in given.items() if name not in WORDS or text in WORDS[name]}
        return cls(kind, query.get("q", "").strip()[:100], kept, query.get("after", "")[:400] or None)

    def wish(self, name: str) -> str | None:
        """What is asked for of a field; None: anything."""
        return self.wishes.get(name) or None

    def url(self, after: str | None = None) -> str:
        """The address of this list, from the cursor on."""
        given = {"q": self.q, **self.wishes, "after": after or ""}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/registry/{self.kind.plural}{'?' if query else ''}{query}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a row; `sub` stands smaller below it."""

    text: str = ""
    sub: str = ""
    tone: Tone = ""
    chip: bool = False


@dataclass(frozen=True, slots=True)
class RegistryRow:
    """One record in a table."""

    name: str
    sub: str
    url: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter with its options."""

    name: str
    chosen: str
    any: str
    options: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ListPage:
    """All that a tab of the registry shows."""

    kind: Kind
    filters: Filters
    total: int
    tabs: list[tuple[Kind, str, int, str]]
    choices: list[Choice]
    columns: list[str]
    rows: list[RegistryRow]
    more: str | None


def edit_url(kind: Kind, id_: str) -> str:
    """The address of a record's form."""
    return f"/registry/{kind.plural}/edit?{urlencode({'id': id_})}"


def list_page(services: Services, filters: Filters, scope: str | None, t: Words, now: int) -> ListPage:
    """One kind of records through these filters; with `scope`, what that person sees."""
    registry, kind = services.relational.registry, filters.kind
    counts = registry.counts(scope)
    page = _found(services, filters, scope)
    names = services.relational.accounts.names()
    return ListPage(
        kind=kind,
        filters=filters,
        total=counts[kind],
        tabs=[
            (each, t(f"registry.kinds.{each.value}"), counts[each], f"/registry/{each.plural}")
            for each in Kind
        ],
        choices=[_choice(registry, filters, name, names, scope, t) for name in FILTERS[kind]],
        columns=[t(f"registry.field.{name}") for name in _COLUMNS[kind]],
        rows=_rows(services, page.items, names, t, now),
        more=filters.url(page.next) if page.next else None,
    )


def _found(services: Services, filters: Filters, scope: str | None) -> Page[Any]:
    """The page after the cursor; one that makes no sense begins anew."""
    try:
        return _page(services.relational.registry, filters, filters.after, scope)
    except CursorError:
        return _page(services.relational.registry, filters, None, scope)


def _page(registry: Registry, filters: Filters, after: str | None, scope: str | None) -> Page[Any]:
    q, csm = filters.q or None, filters.wish("csm")
    match filters.kind:
        case Kind.CUSTOMER:
            tier, stage = filters.wish("tier"), filters.wish("stage")
            words = (Tier(tier) if tier else None, Stage(stage) if stage else None)
            query = CustomerQuery(q, *words, csm, filters.wish("region"), filters.wish("industry"), scope)
            return registry.customers(query, after=after, limit=PAGE)
        case Kind.CONTRACT:
            renewed = RENEWALS.get(filters.wish("renewed") or "")
            contracts = ContractQuery(q, csm=csm, renewed=renewed, scope=scope)
            return registry.contracts(contracts, after=after, limit=PAGE)
        case Kind.SITE:
            sites = SiteQuery(q, region=filters.wish("region"), scope=scope)
            return registry.sites(sites, after=after, limit=PAGE)
    lifecycle = filters.wish("lifecycle")
    kept = Lifecycle(lifecycle) if lifecycle else None
    robots = RobotQuery(industry=filters.wish("industry"), lifecycle=kept, q=q, csm=scope)
    return registry.robots(robots, after=after, limit=PAGE)


def _choice(
    registry: Registry, filters: Filters, name: str, names: Mapping[str, str], scope: str | None, t: Words
) -> Choice:
    known: Sequence[str] = WORDS.get(name, ())
    if not known:
        of = Kind.CUSTOMER if name == "csm" else filters.kind
        known = registry.choices(of, name, MOST_CHOICES, scope=scope)
    options = [(value, names.get(value, value) if name == "csm" else word(name, value, t)) for value in known]
    return Choice(name, filters.wishes.get(name, ""), t(f"registry.any.{name}"), options)


# --- rows -------------------------------------------------------------------------------------------------


def _rows(
    services: Services, records: Sequence[Record], names: Mapping[str, str], t: Words, now: int
) -> list[RegistryRow]:
    clients = {client(record) for record in records} - {None}
    zones = services.relational.registry.zones_of([client for client in clients if client])
    ends = _ends(services, [record.id for record in records if isinstance(record, Customer)])

    def cell(record: Record, name: str) -> Cell:
        today = local_day(zones.get(client(record) or ""), now)
        if name == "contract":
            contract = ends.get(record.id)
            return _end(contract, today, t) if contract else Cell()
        if name == "ends_on" and isinstance(record, Contract):
            return _end(record, today, t)
        return _cell(record, name, names, t)

    return [
        RegistryRow(
            title(record),
            record.id if isinstance(record, RobotRecord) and record.name else "",
            edit_url(_kind(record), record.id),
            tuple(cell(record, name) for name in _COLUMNS[_kind(record)]),
        )
        for record in records
    ]


def _ends(services: Services, ids: Sequence[str]) -> dict[str, Contract]:
    """The contract that counts: the one that ends last."""
    found = services.relational.registry.contracts_of(ids) if ids else {}
    return {id_: contracts[-1] for id_, contracts in found.items() if contracts}


def _end(contract: Contract, today: date, t: Words) -> Cell:
    days = contract.days_left(today)
    if contract.renewed is not None:
        return Cell(contract.ends_on, t(f"registry.renewed_{'yes' if contract.renewed else 'no'}"), "soft")
    if days < 0:
        return Cell(contract.ends_on, t("registry.over", n=-days), "bad")
    return Cell(contract.ends_on, t("registry.days_left", n=days), "soon" if days <= _SOON_DAYS else "soft")


def _cell(record: Record, name: str, names: Mapping[str, str], t: Words) -> Cell:
    value = values(record)[name]
    if name == "csm":
        return Cell(names.get(str(value), str(value))) if value else Cell()
    if name == "site" and isinstance(record, RobotRecord):
        return Cell(record.site or record.customer or "", (record.customer or "") if record.site else "")
    if name == "amount" and isinstance(record, Contract):
        return Cell(shown(name, value, t), record.currency or "")
    if name in ("tier", "stage", "lifecycle"):
        return Cell(shown(name, value, t), chip=True) if value else Cell()
    return Cell(shown(name, value, t)) if value is not None else Cell()


def title(record: Record) -> str:
    """What people call it."""
    return record.name or record.id if isinstance(record, RobotRecord) else record.id


def _kind(record: Record) -> Kind:
    return {Customer: Kind.CUSTOMER, Contract: Kind.CONTRACT, Site: Kind.SITE}.get(type(record), Kind.ROBOT)


def local_day(tz: str | None, now: int) -> date:
    """Today, where the customer is; in UTC where nobody knows."""
    return datetime.fromtimestamp(now / 1_000, UTC).astimezone(zone(tz)).date()


def word(name: str, value: str, t: Words) -> str:
    """The word for one of a field's values; the value itself where it is anything."""
    if name == "renewed":
        return t(f"registry.renewed_{value}")
    return t.one_of(name, value) if value and name in ("tier", "stage", "lifecycle", *WORDED) else value


def value_of(name: str, text: str, kept: str, t: Words) -> str:
    """The value that a reader's word stands for; `kept` where the word is still its own."""
    if name not in WORDED or text == word(name, kept, t):
        return kept if name in WORDED else text
    meant = (key for key, known in texts(t.language).items() if key.startswith(f"{name}.") and known == text)
    return next((key.partition(".")[2] for key in meant), text)


def shown(name: str, value: Value, t: Words) -> str:
    """A value as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return word("renewed", "yes" if value else "no", t)
    if isinstance(value, int | float):
        return f"{value:,.2f}".removesuffix(".00") if isinstance(value, float) else f"{value:,}"
    return word(name, value, t)
