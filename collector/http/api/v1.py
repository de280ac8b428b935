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
from collector.http.signed import require, services_of
from collector.people import May
from collector.queue import Acknowledge, Close, Reason, Severity, Snooze, Work
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


class _Given(BaseModel):
    """What a client sends: nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid")


class AlertFilter(_Given):
    """Which alerts to list."""

    state: Annotated[Literal["open", "closed", "all"] | None, EmptyIsNone] = None
    rule: Annotated[str | None, EmptyIsNone] = None
    robot: Annotated[str | None, EmptyIsNone] = None
    severity: Annotated[SeverityName | None, EmptyIsNone] = None
    subsystem: Annotated[str | None, EmptyIsNone] = None
    work: Annotated[Literal["new", "acknowledged", "snoozed", "closed"] | None, EmptyIsNone] = None
    suppressed: Annotated[
        Literal["yes", "no", "all"] | None,
        EmptyIsNone,
        Field(description="Those that are suppressed; left out of open alerts if not asked for."),
    ] = None
    after: Annotated[str | None, EmptyIsNone, Field(description="`next` of the page before.")] = None
    limit: Limit = 100


class RobotFilter(_Given):
    """Which robots to list."""

    customer: Annotated[str | None, EmptyIsNone] = None
    site: Annotated[str | None, EmptyIsNone] = None
    industry: Annotated[str | None, EmptyIsNone] = None
    lifecycle: Annotated[Literal["live", "onboarding", "unclaimed", "retired"] | None, EmptyIsNone] = None
    after: Annotated[str | None, EmptyIsNone, Field(description="`next` of the page before.")] = None
    limit: Limit = 100


class SeriesQuery(_Given):
    """Which metrics, from when to when, and in which steps."""

    metric: Annotated[list[str], Field(description="A metric's full name; may be repeated.")] = []
    since: Annotated[GivenInstant | None, EmptyIsNone, Field(alias="from")] = None
    until: Annotated[GivenInstant | None, EmptyIsNone, Field(alias="to")] = None
    step: Annotated[GivenDuration | None, EmptyIsNone, Field(description="Seconds, or such as 15m.")] = None


class AcknowledgeBody(_Given):
    """Somebody takes the alert."""

    note: str | None = None


class SnoozeBody(_Given):
    """Nobody wants to see the alert for a while: `until` a time, or `for` so long."""

    until: GivenInstant | None = None
    length: Annotated[GivenDuration | None, Field(alias="for")] = None
    reason: str

    @model_validator(mode="after")
    def _one_end(self) -> "SnoozeBody":
        if (self.until is None) == (self.length is None):
            raise ValueError("give either 'until', a time, or 'for', such as 2h")
        return self


class CloseBody(_Given):
    """Somebody is done with the alert."""

    reason: CloseReason
    note: str | None = None


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
    """Alerts: the open ones worst first, then oldest first; others the newest first."""
    services = services_of(request)
    try:
        page = services.relational.alerts(_query(services, given), after=given.after, limit=given.limit)
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
    return alerts.act(services_of(request), alert, Acknowledge(body.note), require(request, May.WORK).id)


@router.post("/alerts/{alert}/snooze")
def snooze(request: Request, alert: AlertId, body: SnoozeBody) -> alerts.AlertDetail:
    """Hides an alert for a while."""
    person, services = require(request, May.WORK), services_of(request)
    until = body.until if body.until is not None else services.clock() + (body.length or 0)
    return alerts.act(services, alert, Snooze(until, body.reason), person.id)


@router.post("/alerts/{alert}/close")
def close(request: Request, alert: AlertId, body: CloseBody) -> alerts.AlertDetail:
    """Ends an alert, with a reason."""
    return alerts.act(
        services_of(request), alert, Close(Reason(body.reason), body.note), require(request, May.WORK).id
    )


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
    stream = events.stream(services.changes, services.health, welcome=still_signed_in(request))
    return StreamingResponse(stream, headers=events.HEADERS, media_type=events.MEDIA_TYPE)


def _query(services: Services, given: AlertFilter) -> AlertQuery:
    if given.subsystem is not None:
        try:
            one_of(given.subsystem, [*services.catalogue.subsystems, storm.RULE.subsystem], "subsystem")
        except ValueError as error:
            raise invalid("subsystem", str(error)) from None
    state = given.state or ("closed" if given.work == "closed" else "open")
    suppressed = given.suppressed or ("no" if state == "open" else "all")
    return AlertQuery(
        state=state,
        suppressed={"yes": True, "no": False}.get(suppressed),
        rule=given.rule,
        robot=given.robot,
        severity=Severity(given.severity) if given.severity else None,
        subsystem=given.subsystem,
        work=Work(given.work) if given.work else None,
    )
