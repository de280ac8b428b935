"""What was told to people outside of the console: the page about all of it, and the list on an alert's."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final
from urllib.parse import urlencode

from collector.http.services import Services
from collector.notifying.letter import Notification, State
from collector.notifying.routing import NO_OWNER
from collector.notifying.settings import OWNER
from collector.relational.notifications import NotificationQuery
from collector.words.i18n import Words

TABS: Final[Mapping[str, State | None]] = {
    "failed": State.GIVEN_UP,
    "waiting": State.WAITING,
    "held": State.HELD,
    "sent": State.SENT,
    "all": None,
}
PAGE: Final = 50
_OF_AN_ALERT: Final = 50
_RETRIABLE: Final = (State.GIVEN_UP, State.WAITING)
_NO_ADDRESS: Final = re.compile(r"(?P<who>\S+) has no e-mail address")


@dataclass(frozen=True, slots=True)
class Told:
    """One message to one channel, in the reader's words."""

    id: int
    title: str
    to: str
    kind: str
    state: State
    said: str
    at: int
    error: str
    alert: int | None
    retriable: bool
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Tab:
    """The messages in one state, and how many there are."""

    name: str
    count: int | None
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class NotificationsPage:
    """All that the page shows; `turned_on` is whether anybody is notified at all."""

    tab: str
    here: str
    turned_on: bool
    headline: str
    advice: str
    failing: list[str]
    tabs: list[Tab]
    rows: list[Told]
    more: str | None


def page(
    services: Services, tab: str, after: str | None, csm: str | None, t: Words, now: int
) -> NotificationsPage:
    """The messages of one tab, the newest first; of what `csm` sees, or all. Raises `CursorError`."""
    outbox = services.relational.notifications
    counts = outbox.counts(NotificationQuery(csm=csm))
    chosen = tab if tab in TABS else _first(counts)
    found = outbox.page(NotificationQuery(state=TABS[chosen], csm=csm), after=after, limit=PAGE)
    failed = counts.get(State.GIVEN_UP, 0)
    return NotificationsPage(
        tab=chosen,
        here=_url(chosen, after),
        turned_on="notifications" in services.health().parts,
        headline=t("told.headline_failed", n=failed) if failed else t("told.headline"),
        advice=t("told.advice_failed") if failed else t("told.advice"),
        failing=[_failing(each.channel, each.waiting, each.error, t) for each in outbox.failing()],
        tabs=[_tab(name, counts, chosen) for name in TABS],
        rows=_rows(services, found.items, t, now),
        more=_url(chosen, found.next) if found.next else None,
    )


def told(services: Services, alert: int, t: Words, now: int) -> list[Told]:
    """What was told of an alert, and to whom, the newest first."""
    query = NotificationQuery(alert=alert)
    return _rows(services, services.relational.notifications.page(query, limit=_OF_AN_ALERT).items, t, now)


def _first(counts: Mapping[State, int]) -> str:
    """Where somebody has something to do, that; else everything."""
    return "failed" if counts.get(State.GIVEN_UP) else "all"


def _tab(name: str, counts: Mapping[State, int], chosen: str) -> Tab:
    state = TABS[name]
    count = None if state in (None, State.SENT) else counts.get(state, 0)
    return Tab(name, count, _url(name, None), name == chosen)


def _url(tab: str, after: str | None) -> str:
    given = {"show": tab, **({"after": after} if after else {})}
    return f"/notifications?{urlencode(given)}"


def _failing(channel: str, waiting: int, error: str, t: Words) -> str:
    name = t("told.owners") if channel == OWNER else channel
    return t("told.failing", channel=name, n=waiting, error=_reason(error, {}, t))


def _rows(services: Services, found: tuple[Notification, ...], t: Words, now: int) -> list[Told]:
    names = {id_: _name(services, id_) for id_ in {each.person for each in found if each.person is not None}}
    return [_row(each, names, t, now) for each in found]


def _name(services: Services, id_: str) -> str:
    person = services.relational.briefings.person(id_)
    return id_ if person is None else person.name


def _row(found: Notification, names: Mapping[str, str], t: Words, now: int) -> Told:
    owner = t("told.owner") if found.person is None else names[found.person]
    return Told(
        id=found.id,
        title=found.message.title,
        to=owner if found.channel == OWNER else found.channel,
        kind=t.one_of("told.kinds", found.kind),
        state=found.state,
        said=_said(found, t, now),
        at=found.created_at if found.sent_at is None else found.sent_at,
        error=_reason(found.error, names, t) if found.error else "",
        alert=found.alert,
        retriable=found.state in _RETRIABLE,
    )


def _said(found: Notification, t: Words, now: int) -> str:
    """Where it is on its way."""
    match found.state:
        case State.WAITING if found.attempts and found.due_at > now:
            return t("told.tried", n=found.attempts, when=t.ago(found.due_at, now))
        case State.WAITING if found.due_at > now:
            return t("told.later", when=t.ago(found.due_at, now))
        case State.SENT if found.attempts > 1:
            return t("told.sent_after", n=found.attempts)
    return t(f"told.states.{found.state}")


def _reason(error: str, names: Mapping[str, str], t: Words) -> str:
    """Our own reasons in the reader's language; a service's in its own words."""
    if error == NO_OWNER:
        return t("told.no_owner")
    nobody = _NO_ADDRESS.fullmatch(error)
    return error if nobody is None else t("told.no_address", who=names.get(nobody["who"], nobody["who"]))
