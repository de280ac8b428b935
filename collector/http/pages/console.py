"""The console: pages for people, rendered here; a few scripts only keep them current."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response

from collector.http.fields import duration
from collector.http.i18n import Words
from collector.http.pages.frame import (
    STATIC,
    GivenForm,
    UnknownPageError,
    by_script,
    context,
    problem,
    render,
)
from collector.http.signed import require
from collector.http.views import alert as alert_view
from collector.http.views import alert_plots
from collector.http.views import fleet as fleet_view
from collector.http.views import queue as queue_view
from collector.http.views import robot as robot_view
from collector.http.views.plots import Plot
from collector.http.views.rows import Row, place, rows
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
_YEAR_S: Final = 365 * 24 * 3_600
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


# --- pages ------------------------------------------------------------------------------------------------


@router.get("/")
def queue(request: Request) -> Response:
    """What to do first."""
    services, t, now = context(request)
    filters = queue_view.Filters.read(request.query_params, services.catalogue.subsystems)
    return render(request, "queue.html", section="queue", page=queue_view.page(services, filters, t, now))


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
    return _plot(alert_plots.measure_plot(services, row, item, t, now))


@router.get("/alerts/{id_}/counters.json")
def counters(request: Request, id_: str) -> JSONResponse:
    """The plot of the counters behind an alert."""
    services, t, now = context(request)
    return _plot(alert_plots.counters_plot(services, _row(request, id_), t, now))


@router.get("/fleet")
def fleet(request: Request) -> Response:
    """All robots."""
    services, t, now = context(request)
    filters = fleet_view.Filters.read(request.query_params)
    return render(request, "fleet.html", section="fleet", page=fleet_view.page(services, filters, t, now))


@router.get("/robots/{id_}")
def robot(request: Request, id_: str) -> Response:
    """Everything about one robot."""
    services, t, now = context(request)
    record = services.relational.robot(id_)
    if record is None:
        raise UnknownPageError("error.404_robot", id=id_[:64])
    page = robot_view.page(services, record, _range(request), t, now)
    return render(request, "robot.html", section="fleet", page=page)


@router.get("/robots/{id_}/plot.json")
def robot_plot(request: Request, id_: str, subsystem: str = "") -> JSONResponse:
    """One plot of a robot."""
    services, t, now = context(request)
    record = services.relational.robot(id_)
    if record is None:
        raise UnknownPageError("error.404_robot", id=id_[:64])
    where = place(id_, record, services.fleet.state(id_).tz)
    return _plot(robot_view.plot(services, where, subsystem, _range(request), t, now))


@router.get("/notices")
def notices_alone(request: Request) -> Response:
    """What is wrong with the collector, for the place on every page that says so."""
    return render(request, "notices.html")


@router.get("/static/{name:path}")
def static(name: str) -> Response:
    """Styles, scripts and pictures; an address with the file's hash never changes its content."""
    file = (STATIC / name).resolve()
    if not file.is_relative_to(STATIC.resolve()) or not file.is_file():
        raise UnknownPageError("error.404_text")
    cached = {"Cache-Control": f"public, max-age={_YEAR_S}, immutable"}
    return FileResponse(file, media_type=_TYPES.get(file.suffix, "text/plain"), headers=cached)


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


def _range(request: Request) -> str:
    wish = request.query_params.get("range", "")
    return wish if wish in robot_view.RANGES else robot_view.DEFAULT_RANGE


def _plot(plot: Plot | None) -> JSONResponse:
    if plot is None:
        raise UnknownPageError("error.404_text")
    return JSONResponse(plot.as_json(), headers={"Cache-Control": "no-store"})
