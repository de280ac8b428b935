"""What the registry looks like over the API: what is sent, and what is answered."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from collector.http.fields import EmptyIsNone, Instant, Limit

Tier = Literal["strategic", "key", "standard", "long_tail"]
Stage = Literal["signing", "launch", "growth", "maturity", "decline", "renewal", "churn"]
KindName = Literal["customer", "contract", "site", "robot"]
Revision = Annotated[
    int | None, Field(ge=0, le=2**31 - 1, description="As it was read, 0: not there yet; none: as it is now.")
]
_Short = Annotated[str, Field(max_length=256)]
_Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$", examples=["2026-12-31"])]
_Mark = Annotated[str, Field(max_length=400)]
Cursor = Annotated[_Mark | None, EmptyIsNone, Field(description="`next` of the page before.")]
Wish = Annotated[_Short | None, EmptyIsNone]


class Given(BaseModel):
    """What a client sends: nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid")


class Sent(Given):
    """A body: JSON says what is a number, a text, or yes and no, so nothing is taken for another."""

    model_config = ConfigDict(strict=True)


class CustomerBody(Sent):
    """What is known of a customer."""

    tier: Tier | None = None
    stage: Stage | None = None
    csm: str | None = None
    region: str | None = None
    industry: str | None = None
    note: str | None = None
    revision: Revision = None


class ContractBody(Sent):
    """What is known of a contract; a new one needs customer, begins_on and ends_on."""

    customer: str | None = None
    begins_on: Annotated[str | None, Field(examples=["2026-01-01"])] = None
    ends_on: Annotated[str | None, Field(examples=["2026-12-31"])] = None
    amount: float | None = None
    currency: Annotated[str | None, Field(examples=["CNY"])] = None
    robots: int | None = None
    renewed: bool | None = None
    revision: Revision = None


class SiteBody(Sent):
    """What is known of a site."""

    customer: str | None = None
    tz: Annotated[str | None, Field(examples=["Asia/Shanghai"])] = None
    open_hours: Annotated[str | None, Field(examples=["mo-fr 09:00-18:00; sa,su 10:00-16:00"])] = None
    holidays: Annotated[str | None, Field(examples=["2026-10-01 2026-10-02"])] = None
    region: str | None = None
    revision: Revision = None


class RobotBody(Sent):
    """What is known of a robot; `extra` are attributes of the owner's making."""

    lifecycle: Literal["live", "onboarding", "unclaimed", "retired"] | None = None
    name: str | None = None
    customer: str | None = None
    site: str | None = None
    industry: str | None = None
    scene: str | None = None
    model: str | None = None
    tz: str | None = None
    installed_on: Annotated[str | None, Field(examples=["2026-05-01"])] = None
    extra: dict[str, str | float | None] = Field(default_factory=dict)
    revision: Revision = None


class CustomerItem(BaseModel):
    """A customer."""

    id: str
    tier: Tier | None
    stage: Stage | None
    csm: str | None
    region: str | None
    industry: str | None
    note: str | None
    pulse: int | None
    pulse_at: Instant | None
    revision: int


class ContractItem(BaseModel):
    """A contract; days are included, `renewed` is null until it is decided."""

    id: str
    customer: str
    begins_on: str
    ends_on: str
    amount: float | None
    currency: str | None
    robots: int | None
    renewed: bool | None
    revision: int


class SiteItem(BaseModel):
    """A site."""

    id: str
    customer: str | None
    tz: str | None
    open_hours: str | None
    holidays: str | None
    region: str | None
    revision: int


class RegisteredRobot(BaseModel):
    """A robot, as it is registered."""

    id: str
    lifecycle: str
    name: str | None
    customer: str | None
    site: str | None
    industry: str | None
    scene: str | None
    model: str | None
    tz: str | None
    installed_on: str | None
    extra: dict[str, str | float]
    revision: int


class CustomerPage(BaseModel):
    """Customers, and the cursor of those after them."""

    items: list[CustomerItem]
    next: str | None


class ContractPage(BaseModel):
    """Contracts, and the cursor of those after them."""

    items: list[ContractItem]
    next: str | None


class SitePage(BaseModel):
    """Sites, and the cursor of those after them."""

    items: list[SiteItem]
    next: str | None


class FieldChange(BaseModel):
    """What a field was, and is now; null where nothing is known."""

    before: str | float | bool | None
    after: str | float | bool | None


class ChangeItem(BaseModel):
    """Who changed what, and when."""

    id: int
    at: Instant
    who: str
    what: str
    kind: str
    subject: str
    fields: dict[str, FieldChange]


class HistoryPage(BaseModel):
    """Changes, the newest first, and the cursor of the older ones."""

    items: list[ChangeItem]
    next: str | None


class CustomerFilter(Given):
    """Which customers to list."""

    q: Annotated[Wish, Field(description="Stands in the name.")] = None
    tier: Annotated[Tier | None, EmptyIsNone] = None
    stage: Annotated[Stage | None, EmptyIsNone] = None
    csm: Wish = None
    region: Wish = None
    industry: Wish = None
    after: Cursor = None
    limit: Limit = 100


class ContractFilter(Given):
    """Which contracts to list."""

    q: Annotated[Wish, Field(description="Stands in the id, or in the customer's name.")] = None
    customer: Wish = None
    csm: Wish = None
    renewed: Annotated[Literal["yes", "no", "open"] | None, EmptyIsNone] = None
    ends_from: Annotated[_Day | None, EmptyIsNone] = None
    ends_until: Annotated[_Day | None, EmptyIsNone] = None
    after: Cursor = None
    limit: Limit = 100


class SiteFilter(Given):
    """Which sites to list."""

    q: Annotated[Wish, Field(description="Stands in the name, or in the customer's.")] = None
    customer: Wish = None
    csm: Wish = None
    region: Wish = None
    after: Cursor = None
    limit: Limit = 100


class HistoryFilter(Given):
    """Whose changes to list; of everything, where nothing is given."""

    kind: Annotated[KindName | None, EmptyIsNone] = None
    id: Wish = None
    after: Cursor = None
    limit: Limit = 100


class ExportFilter(Given):
    """YAML holds everything; CSV one kind."""

    format: Literal["yaml", "csv"] = "yaml"
    kind: Annotated[KindName | None, EmptyIsNone] = None


class ImportBody(Sent):
    """A file's text; its kind and form are told by its name, or given."""

    text: str
    name: Annotated[str, Field(max_length=256, description="Such as customers.csv; `problems` name it.")]
    kind: KindName | None = None
    dry_run: Annotated[bool, Field(description="Tell what would change, and do nothing.")] = True
    skip_bad: Annotated[bool, Field(description="Leave out rows that are wrong.")] = False


class DifferenceItem(BaseModel):
    """What an import changes of one record."""

    what: Literal["added", "changed"]
    kind: KindName
    id: str
    fields: dict[str, FieldChange]


class ProblemItem(BaseModel):
    """A row that cannot be used; `line` 0 is the file as a whole."""

    file: str
    line: int
    field: str
    message: str


class ImportReport(BaseModel):
    """What was done, or would be; of differences and problems, the first thousand."""

    done: bool
    added: int
    changed: int
    unchanged: int
    bad: int
    differences: list[DifferenceItem]
    problems: list[ProblemItem]
    notes: list[str]
