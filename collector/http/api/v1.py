"""The API for scripts: `/api/v1`, and what monitoring asks for."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from collector import telemetry
from collector.http import events
from collector.http.api import alerts, delivery, export, playbooks, robots, series
from collector.http.api.refusals import REFUSALS, TOKEN
from collector.http.fields import EmptyIsNone, GivenDuration, GivenInstant, Limit, one_of
from collector.http.gate import still_signed_in
from collector.http.problems import invalid
from collector.http.services import Services
from collector.http.signed import person_of, require, scope, services_of
from collector.people import May
from collector.queue import (
    Acknowledge,
    Action,
    Assign,
    Check,
    Close,
    Note,
    Reason,
    Severity,
    Snooze,
    Work,
)
from collector.relational import AlertQuery, CursorError, Lifecycle, RobotQuery
from rules import storm

router = APIRouter(prefix="/api/v1", responses=REFUSALS, dependencies=[TOKEN])
health = APIRouter(prefix="/api/v1")
monitoring = APIRouter()
AlertId = Annotated[int, Path(ge=1, le=2**53, description="The alert's number.")]
RobotId = Annotated[str, Path(max_length=64)]
SeverityName = Literal["critical", "high", "medium", "low", "info"]
CloseReason = Literal[
    "fixed_remotely", "fixed_on_site", "customer_informed", "false_alarm", "expected", "other"
]


class Given(BaseModel):
    """What a client sends: nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid")


_Number = Annotated[int, Field(ge=1, le=2**53)]
_Words = Annotated[str, Field(max_length=100)]


class AlertFilter(Given):
    """Which alerts to list."""

    state: Annotated[Literal["open", "closed", "all"] | None, EmptyIsNone] = None
    rule: Annotated[str | None, EmptyIsNone] = None
    robot: Annotated[str | None, EmptyIsNone] = None
    severity: Annotated[SeverityName | None, EmptyIsNone] = None
    subsystem: Annotated[str | None, EmptyIsNone] = None
    work: Annotated[Literal["new", "acknowledged", "snoozed", "closed"] | None, EmptyIsNone] = None
    owner: Annotated[str | None, EmptyIsNone, Field(description="A person's id; `me` for who asks.")] = None
    customer: Annotated[str | None, EmptyIsNone] = None
    site: Annotated[str | None, EmptyIsNone] = None
    unassigned: Annotated[bool | None, EmptyIsNone, Field(description="Those without an owner.")] = None
    overdue: Annotated[bool | None, EmptyIsNone, Field(description="Those past a deadline.")] = None
    silence: Annotated[_Number | None, EmptyIsNone, Field(description="Hidden by it.")] = None
    text: Annotated[
        _Words | None,
        EmptyIsNone,
        Field(description="In entity, its name, customer, site, rule or owner."),
    ] = None
    suppressed: Annotated[
        Literal["yes", "no", "all"] | None,
        EmptyIsNone,
        Field(description="Those that are suppressed; left out of open alerts if not asked for."),
    ] = None
    after: Annotated[str | None, EmptyIsNone, Field(description="`next` of the page before.")] = None
    limit: Limit = 100


class RobotFilter(Given):
    """Which robots to list."""

    customer: Annotated[str | None, EmptyIsNone] = None
    site: Annotated[str | None, EmptyIsNone] = None
    industry: Annotated[str | None, EmptyIsNone] = None
    lifecycle: Annotated[Literal["live", "onboarding", "unclaimed", "retired"] | None, EmptyIsNone] = None
    after: Annotated[str | None, EmptyIsNone, Field(description="`next` of the page before.")] = None
    limit: Limit = 100


class SeriesQuery(Given):
    """Which metrics, from when to when, and in which steps."""

    metric: Annotated[list[str], Field(description="A metric's full name; may be repeated.")] = []
    since: Annotated[GivenInstant | None, EmptyIsNone, Field(alias="from")] = None
    until: Annotated[GivenInstant | None, EmptyIsNone, Field(alias="to")] = None
    step: Annotated[GivenDuration | None, EmptyIsNone, Field(description="Seconds, or such as 15m.")] = None


class ActionBody(Given):
    """On what somebody acts."""

    revision: Annotated[
        int | None,
        Field(ge=0, le=2**53, description="The alert's as it was read; refused if it was changed meanwhile."),
    ] = None


class AcknowledgeBody(ActionBody):
    """Somebody takes the alert."""

    note: str | None = None


class SnoozeBody(ActionBody):
    """Nobody wants to see the alert for a while: `until` a time, or `for` so long."""

    until: GivenInstant | None = None
    length: Annotated[GivenDuration | None, Field(alias="for")] = None
    reason: str

    @model_validator(mode="after")
    def _one_end(self) -> "SnoozeBody":
        if (self.until is None) == (self.length is None):
            raise ValueError("give either 'until', a time, or 'for', such as 2h")
        return self


class CloseBody(ActionBody):
    """Somebody is done with the alert."""

    reason: CloseReason
    note: str | None = None


class AssignBody(ActionBody):
    """The alert gets another owner, a person's id, or none."""

    owner: Annotated[str | None, Field(max_length=100)]


class NoteBody(ActionBody):
    """Somebody writes something down."""

    text: str


class CheckBody(ActionBody):
    """A step of the playbook is done, or is not after all."""

    step: str
    done: bool = True


class AlertPage(BaseModel):
    """Alerts, and the cursor of those after them."""

    items: list[alerts.AlertItem]
    next: str | None


class RobotPage(BaseModel):
    """Robots, and the cursor of those after them."""

    items: list[robots.RobotItem]
    next: str | None


class HealthReport(BaseModel):
    """Whether the collector does its work, how each part is, and which do not do theirs."""

    ok: bool
    parts: dict[str, str]
    ill: list[str]


@router.get("/alerts")
def list_alerts(request: Request, given: Annotated[AlertFilter, Query()]) -> AlertPage:
    """Alerts: the open ones by priority, the highest first; others the newest first."""
    services = services_of(request)
    query = query_of(request, given)
    try:
        page = services.relational.alerts(query, after=given.after, limit=given.limit)
    except CursorError as error:
        raise invalid("after", str(error)) from None
    return AlertPage(items=alerts.items(services, page.items), next=page.next)


@router.get("/alerts/{alert}")
def get_alert(request: Request, alert: AlertId) -> alerts.AlertDetail:
    """All of one alert."""
    return alerts.detail(services_of(request), alert)


@router.post("/alerts/{alert}/acknowledge")
def acknowledge(request: Request, alert: AlertId, body: AcknowledgeBody) -> alerts.AlertDetail:
    """Takes an alert."""
    return _act(request, alert, Acknowledge(body.note), body)


@router.post("/alerts/{alert}/snooze")
def snooze(request: Request, alert: AlertId, body: SnoozeBody) -> alerts.AlertDetail:
    """Hides an alert for a while; its deadlines stand still meanwhile."""
    until = body.until if body.until is not None else services_of(request).clock() + (body.length or 0)
    return _act(request, alert, Snooze(until, body.reason), body)


@router.post("/alerts/{alert}/close")
def close(request: Request, alert: AlertId, body: CloseBody) -> alerts.AlertDetail:
    """Ends an alert, with a reason."""
    return _act(request, alert, Close(Reason(body.reason), body.note), body)


@router.post("/alerts/{alert}/assign")
def assign(request: Request, alert: AlertId, body: AssignBody) -> alerts.AlertDetail:
    """Gives an alert to somebody else; its deadlines go on in that person's working time."""
    return _act(request, alert, Assign(body.owner), body)


@router.post("/alerts/{alert}/note")
def note(request: Request, alert: AlertId, body: NoteBody) -> alerts.AlertDetail:
    """Adds a note to an alert, open or closed."""
    return _act(request, alert, Note(body.text), body)


@router.post("/alerts/{alert}/check")
def check(request: Request, alert: AlertId, body: CheckBody) -> alerts.AlertDetail:
    """Checks a step of the playbook off, or not."""
    return _act(request, alert, Check(body.step, body.done), body)


def _act(request: Request, alert: int, action: Action, body: ActionBody) -> alerts.AlertDetail:
    who = require(request, May.WORK).id
    return alerts.act(services_of(request), alert, action, who, body.revision)


@router.get("/robots")
def list_robots(request: Request, given: Annotated[RobotFilter, Query()]) -> RobotPage:
    """The robots of the roster, by id."""
    services = services_of(request)
    lifecycle = Lifecycle(given.lifecycle) if given.lifecycle else None
    query = RobotQuery(given.customer, given.site, given.industry, lifecycle)
    page = services.relational.robots_page(query, after=given.after, limit=given.limit)
    return RobotPage(items=robots.items(services, page.items), next=page.next)


@router.get("/robots/{robot}")
def get_robot(request: Request, robot: RobotId) -> robots.RobotDetail:
    """All of one robot, with its latest values."""
    return robots.detail(services_of(request), robot)


@router.get("/robots/{robot}/series")
def get_series(
    request: Request, robot: RobotId, given: Annotated[SeriesQuery, Query()]
) -> series.RobotSeries:
    """Metrics of a robot over time."""
    return series.read(services_of(request), robot, given.metric, given.since, given.until, given.step)


@router.get("/robots/{robot}/delivery")
def get_delivery(request: Request, robot: RobotId) -> delivery.RobotDelivery:
    """How a robot's samples came in the last 7 days, in figures and in words; and what was lost, ever."""
    return delivery.read(services_of(request), robot)


@router.get("/playbooks/{name}")
def get_playbook(request: Request, name: Annotated[str, Path(max_length=64)]) -> playbooks.PlaybookItem:
    """What to do about an alert whose rule names this playbook: Markdown, in both languages."""
    return playbooks.detail(services_of(request), name)


@router.get("/export", response_class=StreamingResponse)
def get_export(request: Request) -> StreamingResponse:
    """A recording of everything stored: one Parquet file."""
    require(request, May.EXPORT)
    return export.recording(services_of(request))


@router.get("/alert-log", response_class=StreamingResponse)
def get_alert_log(request: Request) -> StreamingResponse:
    """What every evaluation said of alerts, the oldest first: a line of JSON each."""
    require(request, May.EXPORT)
    return export.alert_log(services_of(request))


@health.get("/health", response_model=HealthReport)
def get_health(request: Request) -> JSONResponse:
    """200 while the collector does its work, else 503."""
    services: Services = request.app.state.services
    found = services.health()
    report = HealthReport(ok=found.ok, parts=dict(found.parts), ill=sorted(found.ill))
    return JSONResponse(report.model_dump(), 200 if found.ok else 503)


@monitoring.get("/metrics", include_in_schema=False)
def get_metrics(request: Request) -> Response:
    """For Prometheus."""
    services: Services = request.app.state.services  # whole, whoever monitors
    text = services.telemetry.render(services.relational.open_by_severity())
    return Response(text, media_type=telemetry.CONTENT_TYPE)


@monitoring.get("/events", include_in_schema=False)
async def get_events(request: Request) -> StreamingResponse:
    """For open pages: what has changed."""
    services = services_of(request)
    stream = events.stream(
        services.changes, services.health, welcome=still_signed_in(request), named=scope(request) is None
    )
    return StreamingResponse(stream, headers=events.HEADERS, media_type=events.MEDIA_TYPE)


def query_of(request: Request, given: AlertFilter) -> AlertQuery:
    """What a filter asks for, of that which the person who asks is shown. Raises `Problem` (422)."""
    services, person = services_of(request), person_of(request)
    if given.subsystem is not None:
        try:
            one_of(given.subsystem, [*services.catalogue.subsystems, storm.RULE.subsystem], "subsystem")
        except ValueError as error:
            raise invalid("subsystem", str(error)) from None
    state = given.state or ("closed" if given.work == "closed" else "open")
    hidden = given.silence is not None
    suppressed = given.suppressed or ("no" if state == "open" and not hidden else "all")
    return AlertQuery(
        state=state,
        suppressed={"yes": True, "no": False}.get(suppressed),
        rule=given.rule,
        robot=given.robot,
        severity=Severity(given.severity) if given.severity else None,
        subsystem=given.subsystem,
        work=Work(given.work) if given.work else None,
        owner=person.id if given.owner == "me" else given.owner,
        unassigned=bool(given.unassigned),
        customer=given.customer,
        site=given.site,
        overdue_at=services.clock() if given.overdue else None,
        silence=given.silence,
        text=given.text,
        rules=alerts.rules_with(services, given.text) if given.text else (),
    )
