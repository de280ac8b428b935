"""The queue for scripts: many alerts at once, what is counted, groups, silences, views, and precision."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from collector.http.api import alerts, v1
from collector.http.api.refusals import REFUSALS, TOKEN
from collector.http.api.v1 import AlertFilter, Given
from collector.http.fields import EmptyIsNone, GivenDuration, GivenInstant, Instant
from collector.http.problems import invalid, missing
from collector.http.signed import person_of, require, services_of
from collector.people import May
from collector.queue import RANK, Acknowledge, Action, Assign, Close, Note, Reason, Snooze
from collector.relational import CursorError
from collector.relational.queued import MOST_AT_ONCE, Outcome, Precision
from collector.relational.views import InvalidViewError, UnknownViewError, View

router = APIRouter(prefix="/api/v1", responses=REFUSALS, dependencies=[TOKEN])
PRECISION_MS: Final = 90 * 24 * 3_600_000


# --- many at once -----------------------------------------------------------------------------------------


class Meant(Given):
    """An alert, and its revision as it was read."""

    id: Annotated[int, Field(ge=1, le=2**53)]
    revision: Annotated[int | None, Field(ge=0, le=2**53)] = None


class BulkBody(Given):
    """The same action on many alerts; which other fields it needs is as for one alert."""

    alerts: Annotated[list[Meant], Field(min_length=1, max_length=MOST_AT_ONCE)]
    action: Literal["acknowledge", "snooze", "close", "assign", "note"]
    note: str | None = None
    until: GivenInstant | None = None
    length: Annotated[GivenDuration | None, Field(alias="for")] = None
    reason: str | None = None
    owner: Annotated[str | None, Field(max_length=100)] = None
    text: str | None = None


class LastItem(BaseModel):
    """What was last done about an alert."""

    who: str
    kind: str
    at: Instant


class OutcomeItem(BaseModel):
    """What became of one alert of many."""

    id: int
    done: bool
    work: str | None
    revision: int | None
    refusal: str | None
    last: LastItem | None


class BulkAnswer(BaseModel):
    """What became of each alert, in the order given."""

    done: int
    refused: int
    outcomes: list[OutcomeItem]


@router.post("/alerts/bulk")
def act_on_many(request: Request, body: BulkBody) -> BulkAnswer:
    """Does the same about many alerts, in one transaction; each is done or refused by itself."""
    services, who = services_of(request), require(request, May.WORK).id
    meant = {each.id: each.revision for each in body.alerts}
    outcomes = services.relational.queue.act_many(meant, _action(request, body), who, services.clock())
    services.changes.publish("alerts", [each.id for each in outcomes if each.refusal is None])
    items = [_outcome(each) for each in outcomes]
    done = sum(item.done for item in items)
    return BulkAnswer(done=done, refused=len(items) - done, outcomes=items)


def _action(request: Request, body: BulkBody) -> Action:
    match body.action:
        case "acknowledge":
            return Acknowledge(body.note)
        case "snooze":
            until = body.until
            if until is None and body.length is not None:
                until = services_of(request).clock() + body.length
            if until is None:
                raise invalid("until", "give either 'until', a time, or 'for', such as 2h")
            return Snooze(until, body.reason or "")
        case "close":
            if body.reason not in list(Reason):
                raise invalid("reason", f"{body.reason!r:.80} is no reason to close an alert")
            return Close(Reason(body.reason), body.note)
        case "assign":
            return Assign(body.owner)
        case "note":
            return Note(body.text or "")


def _outcome(outcome: Outcome) -> OutcomeItem:
    refusal, alert = outcome.refusal, outcome.alert
    last = getattr(refusal, "last", None)
    return OutcomeItem(
        id=outcome.id,
        done=refusal is None,
        work=None if alert is None else alert.work.value,
        revision=None if alert is None else alert.revision,
        refusal=None if refusal is None else alerts.refused(refusal).detail,
        last=None if last is None else LastItem(who=last.who, kind=last.kind.value, at=last.at),
    )


# --- counts and groups ------------------------------------------------------------------------------------


class CountItem(BaseModel):
    """Open alerts of one work and severity that nothing hides."""

    work: str
    severity: str
    count: int
    overdue: int
    unassigned: int


class CountsItem(BaseModel):
    """The open alerts, counted; `hidden`: those that something hides."""

    items: list[CountItem]
    hidden: int


class GroupItem(BaseModel):
    """The alerts of a customer or site; `name` is null for those of none that is known."""

    name: str | None
    count: int
    new: int
    overdue: int
    worst: str
    oldest_at: Instant


class GroupsItem(BaseModel):
    """Groups, the most pressing one first, and the cursor of those after them."""

    items: list[GroupItem]
    next: str | None


class GroupFilter(AlertFilter):
    """Which alerts to group, and by what."""

    by: Literal["customer", "site"] = "customer"


@router.get("/queue/counts")
def get_counts(request: Request, given: Annotated[AlertFilter, Query()]) -> CountsItem:
    """The open alerts by work and severity, through the other filters."""
    services = services_of(request)
    counts = services.relational.queue.counts(services.clock(), v1.query_of(request, given))
    cells = [
        CountItem(
            work=cell.work,
            severity=cell.severity,
            count=cell.count,
            overdue=cell.overdue,
            unassigned=cell.unassigned,
        )
        for cell in sorted(counts.cells, key=lambda cell: (RANK[cell.severity], cell.work))
    ]
    return CountsItem(items=cells, hidden=counts.hidden)


@router.get("/queue/groups")
def get_groups(request: Request, given: Annotated[GroupFilter, Query()]) -> GroupsItem:
    """Alerts by customer or site, with how many and the worst of them."""
    services = services_of(request)
    query = v1.query_of(request, given)
    queue, now = services.relational.queue, services.clock()
    try:
        page = queue.groups(given.by, now, query, after=given.after, limit=given.limit)
    except CursorError as error:
        raise invalid("after", str(error)) from None
    return GroupsItem(
        next=page.next,
        items=[
            GroupItem(
                name=group.name,
                count=group.count,
                new=group.new,
                overdue=group.overdue,
                worst=group.worst,
                oldest_at=group.oldest_at,
            )
            for group in page.items
        ],
    )


# --- precision --------------------------------------------------------------------------------------------


class PrecisionFilter(Given):
    """From when on."""

    since: Annotated[GivenInstant | None, EmptyIsNone, Field(description="If not given: 90 days ago.")] = None


class PrecisionItem(BaseModel):
    """How people closed the alerts of a rule; `precision` is null where nobody judged one yet."""

    rule: str
    precision: float | None
    right: int
    wrong: int
    reasons: dict[str, int]


class PrecisionAnswer(BaseModel):
    """Every rule of which a person closed an alert."""

    since: Instant
    items: list[PrecisionItem]


@router.get("/rules/precision")
def get_precision(request: Request, given: Annotated[PrecisionFilter, Query()]) -> PrecisionAnswer:
    """How many alerts of each rule were worth it: fixed, or the customer told, against false alarms."""
    services = services_of(request)
    since = given.since if given.since is not None else max(0, services.clock() - PRECISION_MS)
    found = services.relational.queue.precision(since)
    return PrecisionAnswer(since=since, items=[_precision(each) for each in found])


def _precision(of: Precision) -> PrecisionItem:
    reasons = {reason.value: count for reason, count in of.reasons.items()}
    return PrecisionItem(rule=of.rule, precision=of.share, right=of.right, wrong=of.wrong, reasons=reasons)


# --- views ------------------------------------------------------------------------------------------------


class ViewItem(BaseModel):
    """Filters of the queue that a person keeps, as an address has them after `?`."""

    name: str
    query: str
    chosen: bool


class ViewsItem(BaseModel):
    """The views of the person who asks."""

    items: list[ViewItem]


class ViewBody(Given):
    """A view to keep."""

    name: str
    query: str


class NamedView(Given):
    """Which view."""

    name: str


class ChosenView(Given):
    """The view to be shown at first; null: the whole queue."""

    name: str | None


@router.get("/views")
def list_views(request: Request) -> ViewsItem:
    """The views of the person who asks."""
    return _views(request)


@router.put("/views")
def save_view(request: Request, body: ViewBody) -> ViewsItem:
    """Keeps a view, in the place of one of the same name."""
    try:
        services_of(request).relational.views.save(person_of(request).id, body.name, body.query)
    except InvalidViewError as error:
        raise invalid(error.field, str(error)) from None
    return _views(request)


@router.post("/views/remove")
def remove_view(request: Request, body: NamedView) -> ViewsItem:
    """Forgets a view."""
    try:
        services_of(request).relational.views.remove(person_of(request).id, body.name)
    except UnknownViewError:
        raise missing("view", body.name) from None
    return _views(request)


@router.post("/views/choose")
def choose_view(request: Request, body: ChosenView) -> ViewsItem:
    """Chooses the view that is shown at first."""
    try:
        services_of(request).relational.views.choose(person_of(request).id, body.name)
    except UnknownViewError:
        raise missing("view", body.name) from None
    return _views(request)


def _views(request: Request) -> ViewsItem:
    views: Sequence[View] = services_of(request).relational.views.of(person_of(request).id)
    return ViewsItem(items=[ViewItem(name=v.name, query=v.query, chosen=v.chosen) for v in views])
