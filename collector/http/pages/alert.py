"""One alert: its page, its plots, and what people do to it."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from collector.http.fields import duration
from collector.http.i18n import Words
from collector.http.pages.frame import (
    GivenForm,
    UnknownPageError,
    by_script,
    context,
    plotted,
    problem,
    render,
)
from collector.http.signed import require
from collector.http.views import alert as alert_view
from collector.http.views import alert_plots
from collector.http.views import peers as peers_view
from collector.http.views.rows import Row, rows
from collector.people import May
from collector.queue import (
    MAX_TEXT,
    REASONS,
    Acknowledge,
    Action,
    Alert,
    Close,
    IllegalActionError,
    InvalidActionError,
    Reason,
    Snooze,
    Work,
)
from collector.relational import UnknownAlertError

router = APIRouter(include_in_schema=False)


@router.get("/alerts/{id_}")
def alert(request: Request, id_: str) -> Response:
    """Everything about one alert."""
    services, t, now = context(request)
    row = _row(request, id_)
    return render(
        request, "alert.html", section="queue", row=row, page=alert_view.page(services, row, t, now)
    )


@router.get("/alerts/{id_}/measure.json")
def measure(request: Request, id_: str, item: int = 0) -> JSONResponse:
    """The plot of what a rule measured."""
    services, t, now = context(request)
    row = _row(request, id_)
    if not 0 <= item < len(row.alert.evidence):
        raise UnknownPageError("error.404_text")
    return plotted(alert_plots.measure_plot(services, row, item, t, now))


@router.get("/alerts/{id_}/counters.json")
def counters(request: Request, id_: str) -> JSONResponse:
    """The plot of the counters behind an alert."""
    services, t, now = context(request)
    return plotted(alert_plots.counters_plot(services, _row(request, id_), t, now))


@router.get("/alerts/{id_}/peers.json")
def peers(request: Request, id_: str) -> JSONResponse:
    """What an alert's robot and its peers measure."""
    services, t, now = context(request)
    found = peers_view.distribution(services, _row(request, id_).alert, t, now)
    if found is None:
        raise UnknownPageError("error.404_text")
    return JSONResponse(found.as_json(), headers={"Cache-Control": "no-store"})


@router.get("/alerts/{id_}/peers")
def peers_drawn(request: Request, id_: str) -> Response:
    """The same as a picture: for the alert's page, or by itself."""
    services, t, now = context(request)
    row = _row(request, id_)
    found = peers_view.distribution(services, row.alert, t, now)
    if found is None:
        raise UnknownPageError("error.404_text")
    return render(
        request, "peers.html", section="queue", row=row, found=found, picture=peers_view.picture(found, t)
    )


# --- actions ----------------------------------------------------------------------------------------------


@router.get("/alerts/{id_}/{action}")
def ask(request: Request, id_: str, action: str) -> Response:
    """The form of an action."""
    if action not in ("snooze", "close"):
        raise UnknownPageError("error.404_text")
    require(request, May.WORK)
    return _action_page(request, _row(request, id_), action)


@router.post("/alerts/{id_}/{action}")
def act(request: Request, id_: str, action: str, form: GivenForm) -> Response:
    """Does what a person asks; a refusal comes back as words for the place where it was asked."""
    services, t, _ = context(request)
    person = require(request, May.WORK)
    row = _row(request, id_)
    try:
        wanted = _wanted(action, form, services.clock(), t)
        changed = services.relational.act(row.id, wanted, person.id, services.clock())
    except (IllegalActionError, InvalidActionError, UnknownAlertError, _RefusedError) as error:
        why = _reason(error, services.clock(), t, services.relational.accounts.names())
        return _refusal(request, row, action, why, error)
    services.changes.publish("alerts", [row.id])
    return _done(request, row, changed, action, t)


class _RefusedError(Exception):
    """A form that cannot be acted on, in the reader's words."""


def _wanted(action: str, form: dict[str, str], now: int, t: Words) -> Action:
    match action:
        case "acknowledge":
            return Acknowledge(form.get("note", "").strip() or None)
        case "snooze":
            return Snooze(now + _length(form, t), form.get("reason", "").strip())
        case "close" if form.get("reason") in REASONS:
            return Close(Reason(form["reason"]), form.get("note", "").strip() or None)
        case "close":
            raise _RefusedError(t("problem.reason_unknown"))
    raise UnknownPageError("error.404_text")


def _length(form: dict[str, str], t: Words) -> int:
    try:
        return duration(form.get("for", ""))
    except ValueError:
        raise _RefusedError(t("problem.until_past")) from None


def _reason(error: Exception, now: int, t: Words, names: Mapping[str, str]) -> str:
    """Why an action was refused, in the reader's language."""
    match error:
        case IllegalActionError():
            return _illegal(error.alert, now, t, names)
        case InvalidActionError() if "are allowed" in str(error):
            return t("problem.too_long", n=MAX_TEXT)
        case InvalidActionError(field=field):
            return t(
                {"note": "problem.note_needed", "reason": "problem.reason_needed"}.get(
                    field, "problem.until_past"
                )
            )
        case UnknownAlertError():
            return t("problem.gone")
    return str(error)


def _illegal(alert: Alert, now: int, t: Words, names: Mapping[str, str]) -> str:
    if alert.work is Work.CLOSED and alert.closed_at is not None:
        return t(
            "problem.already_closed", who=_name(alert.closed_by, t, names), ago=t.ago(alert.closed_at, now)
        )
    if alert.work is Work.ACKNOWLEDGED and alert.acknowledged_at is not None:
        who, ago = _name(alert.acknowledged_by, t, names), t.ago(alert.acknowledged_at, now)
        return t("problem.already_acknowledged", who=who, ago=ago)
    return t("problem.already", work=t.one_of("work", alert.work))


def _name(who: str | None, t: Words, names: Mapping[str, str]) -> str:
    return t("alert.by_system") if who in (None, "", "system") else names.get(str(who), str(who))


def _refusal(request: Request, row: Row, action: str, text: str, error: Exception) -> Response:
    status = {IllegalActionError: HTTPStatus.CONFLICT, UnknownAlertError: HTTPStatus.NOT_FOUND}
    code = status.get(type(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    if by_script(request):
        return problem(text, code)
    if action == "acknowledge":
        return render(request, "error.html", code, section="", status=int(code), title=text, text="")
    return _action_page(request, row, action, text, code)


def _done(request: Request, row: Row, alert: Alert, action: str, t: Words) -> Response:
    """Tells the page that asked; without scripts, shows the alert."""
    if not by_script(request):
        return RedirectResponse(f"/alerts/{row.id}", HTTPStatus.SEE_OTHER)
    when = t.moment(alert.snoozed_until, row.place.zone) if alert.snoozed_until is not None else ""
    text = t(f"done.{action}", what=f"{row.about} · {row.place.name}", when=when)
    event = json.dumps({"done": {"text": text, "alert": row.id}})
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Trigger": event})


def _action_page(
    request: Request, row: Row, action: str, problem: str = "", status: int = HTTPStatus.OK
) -> Response:
    return render(
        request,
        "action.html",
        status,
        section="queue",
        row=row,
        action=action,
        reasons=REASONS,
        problem=problem,
    )


def _row(request: Request, id_: str) -> Row:
    services, t, now = context(request)
    known = id_.isascii() and id_.isdecimal() and len(id_) < 16
    found = services.relational.alert(int(id_)) if known else None
    if found is None:
        raise UnknownPageError("error.404_alert", id=id_[:16])
    return rows(services, [found], t, now)[0]
