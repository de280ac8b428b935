"""Silences and maintenance windows for scripts."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from collector.http.api import alerts
from collector.http.api.refusals import REFUSALS, TOKEN
from collector.http.api.v1 import Given
from collector.http.fields import EmptyIsNone, GivenInstant, Instant, Limit, rfc3339
from collector.http.problems import Problem, invalid, missing
from collector.http.services import Services
from collector.http.signed import require, services_of
from collector.people import May
from collector.relational import CursorError
from collector.relational.silencing import (
    Changed,
    EndedSilenceError,
    StaleSilenceError,
    UnknownSilenceError,
)
from collector.silences import (
    MAX_MATCHERS,
    MAX_VALUES,
    Draft,
    InvalidSilenceError,
    Matcher,
    Recurrence,
    Silence,
    SilenceKind,
)

router = APIRouter(prefix="/api/v1", responses=REFUSALS, dependencies=[TOKEN])
SilenceId = Annotated[int, Path(ge=1, le=2**53, description="The silence's number.")]


class MatcherItem(Given):
    """What one fact of an alert must be: `=`, `!=`, one of these (`in`), or begin so (`prefix`)."""

    name: Annotated[str, Field(max_length=64, description="Such as rule, severity, robot, site, customer.")]
    op: Literal["=", "!=", "in", "prefix"] = "="
    values: Annotated[list[str], Field(min_length=1, max_length=MAX_VALUES)]


class RecurrenceItem(Given):
    """The times of a week in which it holds, on the clock of a zone."""

    times: Annotated[str, Field(max_length=200, examples=["sa,su 00:00-24:00"])]
    tz: Annotated[str, Field(max_length=64, examples=["Asia/Shanghai"])]


class MatchersBody(Given):
    """What a silence would match."""

    matchers: Annotated[
        list[MatcherItem],
        Field(
            min_length=1,
            max_length=MAX_MATCHERS + 1,
            description=f"At most {MAX_MATCHERS}, and beside them `csm` `=` one person.",
        ),
    ]


class SilenceBody(MatchersBody):
    """A silence, or a maintenance window. It begins now if it does not say when."""

    kind: Literal["silence", "maintenance"] = "silence"
    begins_at: GivenInstant | None = None
    ends_at: GivenInstant
    comment: str
    recurrence: RecurrenceItem | None = None


class ChangeBody(SilenceBody):
    """A silence as it is to be."""

    revision: Annotated[
        int | None,
        Field(
            ge=0, le=2**53, description="The silence's as it was read; refused if it was changed meanwhile."
        ),
    ] = None


class EndBody(Given):
    """There is nothing to say."""


class SilenceFilter(Given):
    """Which silences to list."""

    state: Annotated[Literal["current", "ended", "all"] | None, EmptyIsNone] = None
    after: Annotated[str | None, EmptyIsNone, Field(description="`next` of the page before.")] = None
    limit: Limit = 100


class SilenceItem(BaseModel):
    """A silence; `state` says whether it hides alerts now, will do so, or never will again."""

    id: int
    kind: str
    state: Literal["active", "waiting", "ended"]
    matchers: list[MatcherItem]
    begins_at: Instant
    ends_at: Instant
    recurrence: RecurrenceItem | None
    comment: str
    creator: str
    created_at: Instant
    ended_at: Instant | None
    ended_by: str | None
    revision: int
    changed_at: Instant | None
    changed_by: str | None


class SilencePage(BaseModel):
    """Silences, and the cursor of those after them."""

    items: list[SilenceItem]
    next: str | None


class ChangedItem(BaseModel):
    """A silence as it is now, and how many alerts it hides or shows again by that."""

    silence: SilenceItem
    alerts_changed: int


class PreviewItem(BaseModel):
    """How many open alerts a silence would hide now, and the first of them."""

    count: int
    items: list[alerts.AlertItem]


@router.get("/silences")
def list_silences(request: Request, given: Annotated[SilenceFilter, Query()]) -> SilencePage:
    """Silences and maintenance windows that go on or are to come, the newest first."""
    services = services_of(request)
    ended = {"current": False, "ended": True, "all": None}[given.state or "current"]
    silences, now = services.relational.silences, services.clock()
    try:
        page = silences.page(now, ended=ended, after=given.after, limit=given.limit)
    except CursorError as error:
        raise invalid("after", str(error)) from None
    return SilencePage(items=[_item(services, each) for each in page.items], next=page.next)


@router.post("/silences/preview")
def preview_silence(request: Request, body: MatchersBody) -> PreviewItem:
    """What a silence with these matchers would hide now."""
    require(request, May.WORK)
    services = services_of(request)
    found = services.relational.silences.preview(_matchers(body.matchers))
    return PreviewItem(count=found.count, items=alerts.items(services, found.alerts))


@router.post("/silences")
def add_silence(request: Request, body: SilenceBody) -> ChangedItem:
    """Hides alerts from now or later on; the answer says how many it hides at once."""
    services, who = services_of(request), require(request, May.WORK).id
    try:
        changed = services.relational.silences.add(_draft(services, body), who, services.clock())
    except InvalidSilenceError as error:
        raise _wrong(error) from None
    return _told(services, changed)


@router.get("/silences/{silence}")
def get_silence(request: Request, silence: SilenceId) -> SilenceItem:
    """One silence."""
    services = services_of(request)
    found = services.relational.silences.one(silence)
    if found is None:
        raise missing("silence", silence)
    return _item(services, found)


@router.put("/silences/{silence}")
def change_silence(request: Request, silence: SilenceId, body: ChangeBody) -> ChangedItem:
    """Makes a silence another one, while it has not ended."""
    services, who = services_of(request), require(request, May.WORK).id
    try:
        changed = services.relational.silences.change(
            silence, _draft(services, body), who, services.clock(), revision=body.revision
        )
    except InvalidSilenceError as error:
        raise _wrong(error) from None
    except (UnknownSilenceError, EndedSilenceError, StaleSilenceError) as error:
        raise _refused(error, silence) from None
    return _told(services, changed)


@router.post("/silences/{silence}/end")
def end_silence(request: Request, silence: SilenceId, _body: EndBody) -> ChangedItem:
    """Ends a silence before its time: what it hid is shown again."""
    services, who = services_of(request), require(request, May.WORK).id
    try:
        changed = services.relational.silences.end(silence, who, services.clock())
    except (UnknownSilenceError, EndedSilenceError) as error:
        raise _refused(error, silence) from None
    return _told(services, changed)


def _matchers(given: list[MatcherItem]) -> tuple[Matcher, ...]:
    return tuple(Matcher(each.name, each.op, tuple(each.values)) for each in given)


def _draft(services: Services, body: SilenceBody) -> Draft:
    recurrence = body.recurrence
    return Draft(
        kind=SilenceKind(body.kind),
        matchers=_matchers(body.matchers),
        begins_at=services.clock() if body.begins_at is None else body.begins_at,
        ends_at=body.ends_at,
        comment=body.comment,
        recurrence=None if recurrence is None else Recurrence(recurrence.times, recurrence.tz),
    )


def _wrong(error: InvalidSilenceError) -> Problem:
    errors = [{"field": field, "message": message} for field, message in error.errors]
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), errors=errors)


def _refused(error: UnknownSilenceError | EndedSilenceError | StaleSilenceError, id_: int) -> Problem:
    if isinstance(error, UnknownSilenceError):
        return missing("silence", id_)
    found = error.silence
    if isinstance(error, StaleSilenceError):
        kind, who, when = "changed", found.changed_by, found.changed_at
    else:
        kind, who, when = "ended", found.ended_by, found.ended_at
    last = {"who": who or "system", "kind": kind, "at": rfc3339(found.ends_at if when is None else when)}
    detail = f"{error}: {kind} by {last['who']} at {last['at']}"
    return Problem(HTTPStatus.CONFLICT, detail, revision=found.revision, last=last)


def _told(services: Services, changed: Changed) -> ChangedItem:
    services.changes.publish("alerts", changed.alerts)
    return ChangedItem(silence=_item(services, changed.silence), alerts_changed=len(changed.alerts))


def _item(services: Services, silence: Silence) -> SilenceItem:
    recurrence = silence.recurrence
    return SilenceItem(
        id=silence.id,
        kind=silence.kind,
        state=silence.state(services.clock()),
        matchers=[MatcherItem(name=m.name, op=m.op, values=list(m.values)) for m in silence.matchers],
        begins_at=silence.begins_at,
        ends_at=silence.ends_at,
        recurrence=None if recurrence is None else RecurrenceItem(times=recurrence.times, tz=recurrence.tz),
        comment=silence.comment,
        creator=silence.creator,
        created_at=silence.created_at,
        ended_at=silence.ended_at,
        ended_by=silence.ended_by,
        revision=silence.revision,
        changed_at=silence.changed_at,
        changed_by=silence.changed_by,
    )
