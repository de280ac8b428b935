"""What is registered: customers, their contracts and sites, and the robots that stand there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

Value = str | float | bool | None  # of one field; None: not known


class Kind(StrEnum):
    """What a record is of."""

    CUSTOMER = "customer"
    CONTRACT = "contract"
    SITE = "site"
    ROBOT = "robot"

    @property
    def plural(self) -> str:
        """As files, pages and addresses call many of them."""
        return f"{self.value}s"


class Tier(StrEnum):
    """How much a customer matters to us."""

    STRATEGIC = "strategic"
    KEY = "key"
    STANDARD = "standard"
    LONG_TAIL = "long_tail"


class Stage(StrEnum):
    """Where a customer is in its life with us."""

    SIGNING = "signing"
    LAUNCH = "launch"
    GROWTH = "growth"
    MATURITY = "maturity"
    DECLINE = "decline"
    RENEWAL = "renewal"
    CHURN = "churn"


class Lifecycle(StrEnum):
    """Where a robot is in its life with us; `unclaimed` has been heard, but nobody registered it."""

    LIVE = "live"
    ONBOARDING = "onboarding"
    UNCLAIMED = "unclaimed"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer; its id is its name, as robots name it. Two are equal if files say the same of them."""

    id: str
    tier: Tier | None = None
    stage: Stage | None = None
    csm: str | None = None  # a person's id
    region: str | None = None
    industry: str | None = None
    note: str | None = None
    pulse: int | None = field(default=None, compare=False)  # what its CSM thinks of it, 1 to 5
    pulse_at: int | None = field(default=None, compare=False)
    revision: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract; `renewed` is None while nobody has decided. Days are YYYY-MM-DD, both included."""

    id: str
    customer: str
    begins_on: str
    ends_on: str
    amount: float | None = None
    currency: str | None = None  # ISO 4217: CNY
    robots: int | None = None
    renewed: bool | None = None
    revision: int = field(default=0, compare=False)

    def days_left(self, today: date) -> int:
        """Days to the renewal; negative once it is over."""
        return (date.fromisoformat(self.ends_on) - today).days


@dataclass(frozen=True, slots=True)
class Site:
    """A place where robots stand; its id is its name, as robots name it."""

    id: str
    customer: str | None = None
    tz: str | None = None
    open_hours: str | None = None  # mo-fr 09:00-18:00; sa,su 10:00-16:00
    holidays: str | None = None  # 2026-10-01 2026-10-02
    region: str | None = None
    revision: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RobotRecord:
    """A robot of the roster; what is not known is None. `extra` holds attributes of the owner's making."""

    id: str
    lifecycle: Lifecycle = Lifecycle.LIVE
    name: str | None = None
    customer: str | None = None
    site: str | None = None
    industry: str | None = None
    scene: str | None = None
    model: str | None = None
    tz: str | None = None
    installed_on: str | None = None  # YYYY-MM-DD
    extra: Mapping[str, str | float] = field(default_factory=dict)
    revision: int = field(default=0, compare=False)

    @property
    def attributes(self) -> dict[str, str | float]:
        """What rules can ask for, by name."""
        known = {name: getattr(self, name) for name in FIELDS[Kind.ROBOT] if name != "lifecycle"}
        given = {name: value for name, value in known.items() if value is not None}
        return {**self.extra, "lifecycle": self.lifecycle.value, **given}


Record = Customer | Contract | Site | RobotRecord

FIELDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.CUSTOMER: ("tier", "stage", "csm", "region", "industry", "note"),
    Kind.CONTRACT: ("customer", "begins_on", "ends_on", "amount", "currency", "robots", "renewed"),
    Kind.SITE: ("customer", "tz", "open_hours", "holidays", "region"),
    Kind.ROBOT: (
        "lifecycle", "name", "customer", "site", "industry", "scene", "model", "tz", "installed_on",
    ),
}  # fmt: skip
REQUIRED: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.CUSTOMER: (),
    Kind.CONTRACT: ("customer", "begins_on", "ends_on"),
    Kind.SITE: (),
    Kind.ROBOT: (),
}
_KINDS: Final[Mapping[type[Record], Kind]] = {
    Customer: Kind.CUSTOMER,
    Contract: Kind.CONTRACT,
    Site: Kind.SITE,
    RobotRecord: Kind.ROBOT,
}


def kind_of(record: Record) -> Kind:
    """What the record is of."""
    return _KINDS[type(record)]


def client(record: Record) -> str | None:
    """The customer that it belongs to."""
    return record.id if isinstance(record, Customer) else record.customer


def values(record: Record) -> dict[str, Value]:
    """All that files say of it, by field; of a robot, what its owner added, too. Not the id."""
    named = {name: _plain(getattr(record, name)) for name in FIELDS[kind_of(record)]}
    return {**named, **dict(sorted(record.extra.items()))} if isinstance(record, RobotRecord) else named


def _plain(value: Value) -> Value:
    return value.value if isinstance(value, StrEnum) else value
