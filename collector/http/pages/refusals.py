"""Why an action was refused, in the reader's language: by whom, when, and what to do."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import Response

from collector.http.pages.frame import by_script, problem, render
from collector.queue import (
    MAX_TEXT,
    Alert,
    Entry,
    IllegalActionError,
    InvalidActionError,
    StaleActionError,
    Work,
)
from collector.relational import UnknownAlertError
from collector.words.i18n import Words
from collector.words.standing import person


class RefusedError(Exception):
    """A form that cannot be acted on, in the reader's words."""


REFUSALS = (IllegalActionError, InvalidActionError, UnknownAlertError, RefusedError)
_FIELDS: Mapping[str, str] = {
    "note": "problem.note_needed",
    "text": "problem.text_needed",
    "reason": "problem.reason_needed",
    "owner": "problem.owner_unknown",
}


def code(error: Exception) -> HTTPStatus:
    """The status of a refusal."""
    if isinstance(error, IllegalActionError):
        return HTTPStatus.CONFLICT
    return HTTPStatus.NOT_FOUND if isinstance(error, UnknownAlertError) else HTTPStatus.UNPROCESSABLE_ENTITY


def reason(error: Exception, names: Mapping[str, str], now: int, t: Words) -> str:
    """Why, in a sentence or two."""
    match error:
        case StaleActionError():
            return " ".join(part for part in (told(error.last, names, now, t), t("stale.look")) if part)
        case IllegalActionError():
            return told(error.last, names, now, t) or _illegal(error.alert, names, now, t)
        case InvalidActionError() if "are allowed" in str(error):
            return t("problem.too_long", n=MAX_TEXT)
        case InvalidActionError(field=field):
            return t(_FIELDS.get(field, "problem.until_past"))
        case UnknownAlertError():
            return t("problem.gone")
    return str(error)


def told(entry: Entry | None, names: Mapping[str, str], now: int, t: Words) -> str:
    """What happened to an alert last: who did what, when."""
    if entry is None or not t.has(f"stale.{entry.kind}"):
        return ""
    owner = entry.detail.get("owner")
    return t(
        f"stale.{entry.kind}",
        who=person(names, entry.who, t),
        ago=t.ago(entry.at, now),
        reason=t.one_of("reason", str(entry.detail.get("reason") or "other")),
        owner=person(names, str(owner), t) if owner else t("owner.none"),
    )


def refused(request: Request, text: str, error: Exception) -> Response:
    """The refusal as a page, or for a script as words."""
    if by_script(request):
        return problem(text, code(error))
    status = code(error)
    return render(request, "error.html", status, section="queue", status=int(status), title=text, text="")


def _illegal(alert: Alert, names: Mapping[str, str], now: int, t: Words) -> str:
    if alert.work is Work.CLOSED and alert.closed_at is not None:
        who, ago = person(names, alert.closed_by, t), t.ago(alert.closed_at, now)
        return t("problem.already_closed", who=who, ago=ago)
    if alert.work is Work.ACKNOWLEDGED and alert.acknowledged_at is not None:
        who, ago = person(names, alert.acknowledged_by, t), t.ago(alert.acknowledged_at, now)
        return t("problem.already_acknowledged", who=who, ago=ago)
    return t("problem.already", work=t.one_of("work", alert.work))
