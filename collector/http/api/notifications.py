"""What was told to people outside of the console, over the API."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from collector.http.api.refusals import REFUSALS, TOKEN
from collector.http.fields import EmptyIsNone, Instant, Limit
from collector.http.problems import Problem, invalid, missing
from collector.http.signed import require, scope, services_of
from collector.notifying.letter import Notification, State
from collector.notifying.message import as_text
from collector.people import May
from collector.relational import CursorError
from collector.relational.notifications import (
    NotificationQuery,
    NotRetriableError,
    UnknownNotificationError,
)

router = APIRouter(prefix="/api/v1", responses=REFUSALS, dependencies=[TOKEN])
NotificationId = Annotated[int, Path(ge=1, le=2**53, description="The notification's number.")]
StateName = Literal["waiting", "held", "sent", "bundled", "given_up", "withdrawn"]


class NotificationFilter(BaseModel):
    """Which notifications to list."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[StateName | None, EmptyIsNone] = None
    channel: Annotated[Annotated[str, Field(max_length=64)] | None, EmptyIsNone] = None
    alert: Annotated[Annotated[int, Field(ge=1, le=2**53)] | None, EmptyIsNone] = None
    after: Annotated[str | None, EmptyIsNone, Field(description="`next` of the page before.")] = None
    limit: Limit = 100


class RetryBody(BaseModel):
    """Nothing is to be said: send `{}`."""

    model_config = ConfigDict(extra="forbid")


class NotificationItem(BaseModel):
    """A message to one channel. `key` is sent along: whoever has seen it has seen the message."""

    id: int
    key: str
    kind: str
    channel: str
    person: str | None
    alert: int | None
    title: str
    text: str
    state: str
    attempts: int
    error: str | None
    created_at: Instant
    due_at: Instant
    sent_at: Instant | None


class NotificationPage(BaseModel):
    """Notifications, and the cursor of those after them."""

    items: list[NotificationItem]
    next: str | None


@router.get("/notifications")
def list_notifications(request: Request, given: Annotated[NotificationFilter, Query()]) -> NotificationPage:
    """What is to be told, was told, or could not be; the newest first."""
    require(request, May.WORK)
    state = None if given.state is None else State(given.state)
    query = NotificationQuery(state, given.channel, given.alert, scope(request))
    try:
        page = services_of(request).relational.notifications.page(query, after=given.after, limit=given.limit)
    except CursorError as error:
        raise invalid("after", str(error)) from None
    return NotificationPage(items=[_item(each) for each in page.items], next=page.next)


@router.post("/notifications/{notification}/retry")
def retry_notification(request: Request, notification: NotificationId, _body: RetryBody) -> NotificationItem:
    """Has one that was given up, or waits, tried again now."""
    return _item(retry(request, notification))


def retry(request: Request, id_: int) -> Notification:
    """Tries it again, and tells the open pages. Raises `Problem` (403, 404, 409)."""
    services, person = services_of(request), require(request, May.WORK)
    outbox, now = services.relational.notifications, services.clock()
    try:
        found = outbox.retry(id_, person.id, now, csm=scope(request))
    except UnknownNotificationError:
        raise missing("notification", id_) from None
    except NotRetriableError as error:
        raise Problem(HTTPStatus.CONFLICT, str(error), state=error.found.state.value) from None
    services.changes.publish("notifications", [id_])
    return found


def _item(found: Notification) -> NotificationItem:
    return NotificationItem(
        id=found.id,
        key=found.key,
        kind=found.kind,
        channel=found.channel,
        person=found.person,
        alert=found.alert,
        title=found.message.title,
        text=as_text(found.message),
        state=found.state.value,
        attempts=found.attempts,
        error=found.error,
        created_at=found.created_at,
        due_at=found.due_at,
        sent_at=found.sent_at,
    )
