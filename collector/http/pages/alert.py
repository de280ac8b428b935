"""One alert: its page, its plots, and what people do to it."""

import json
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from collector.http.pages.frame import (
    GivenForm,
    UnknownPageError,
    alert_of,
    by_script,
    context,
    plotted,
    problem,
    render,
)
from collector.http.pages.refusals import REFUSALS, code, reason
from collector.http.pages.wanted import revision_of, wanted
from collector.http.signed import person_of, require
from collector.http.views import alert as alert_view
from collector.http.views import alert_plots
from collector.http.views import peers as peers_view
from collector.http.views.people import reader
from collector.http.views.rows import Row, rows
from collector.people import May
from collector.queue import REASONS, Alert
from collector.words.i18n import Words

router = APIRouter(include_in_schema=False)
_ASKED: Final = ("assign", "snooze", "close")  # actions with a form of their own


@router.get("/alerts/{id_}")
def alert(request: Request, id_: str) -> Response:
    """Everything about one alert."""
    services, t, now = context(request)
    row, who = _row(request, id_), reader(request, services)
    page = alert_view.page(services, row, who.names, t, now)
    return render(request, "alert.html", section="queue", row=row, page=page, reader=who)


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
    if action not in _ASKED:
        raise UnknownPageError("error.404_text")
    require(request, May.WORK)
    return _action_page(request, _row(request, id_), action)


@router.post("/alerts/{id_}/{action}")
def act(request: Request, id_: str, action: str, form: GivenForm) -> Response:
    """Does what a person asks; a refusal comes back as words for the place where it was asked."""
    services, t, _ = context(request)
    person = require(request, May.WORK)
    row, now = _row(request, id_), services.clock()
    try:
        meant = wanted(action, form, now, t)
        changed = services.relational.queue.act(row.id, meant, person.id, now, revision=revision_of(form))
    except REFUSALS as error:
        why = reason(error, services.relational.accounts.names(), now, t)
        return _refusal(request, row, action, why, error, form)
    services.changes.publish("alerts", [row.id])
    return _done(request, row, changed, action, t)


def _refusal(
    request: Request, row: Row, action: str, text: str, error: Exception, form: dict[str, str]
) -> Response:
    if by_script(request):
        return problem(text, code(error))
    if action not in _ASKED:
        status = code(error)
        return render(request, "error.html", status, section="", status=int(status), title=text, text="")
    return _action_page(request, row, action, text, code(error), form)


def _done(request: Request, row: Row, alert: Alert, action: str, t: Words) -> Response:
    """Tells the page that asked; without scripts, shows the alert, or the queue where it is out of sight."""
    if not by_script(request):
        seen = context(request)[0].relational.alert(row.id) is not None
        return RedirectResponse(f"/alerts/{row.id}" if seen else "/", HTTPStatus.SEE_OTHER)
    when = t.moment(alert.snoozed_until, row.place.zone) if alert.snoozed_until is not None else ""
    text = t(f"done.{action}", what=f"{row.about} · {row.place.name}", when=when)
    event = json.dumps({"done": {"text": text, "alert": row.id}})
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Trigger": event})


def _action_page(
    request: Request,
    row: Row,
    action: str,
    problem: str = "",
    status: int = HTTPStatus.OK,
    given: dict[str, str] | None = None,
) -> Response:
    services, _, _ = context(request)
    return render(
        request,
        "action.html",
        status,
        section="queue",
        row=row,
        action=action,
        given=given or {},
        reasons=REASONS,
        people=reader(request, services).people,
        reader=person_of(request).id,
        problem=problem,
    )


def _row(request: Request, id_: str) -> Row:
    """An alert that the reader may see. Raises `UnknownPageError`."""
    services, t, now = context(request)
    return rows(services, [alert_of(request, id_)], t, now)[0]
