"""The console: pages for people, rendered here; a few scripts only keep them current."""

import hashlib
import json
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from collector.http import i18n
from collector.http.fields import duration, rfc3339
from collector.http.i18n import Words
from collector.http.problems import Problem
from collector.http.services import Services
from collector.http.views import alert as alert_view
from collector.http.views import alert_plots
from collector.http.views import fleet as fleet_view
from collector.http.views import queue as queue_view
from collector.http.views import robot as robot_view
from collector.http.views.notices import notices
from collector.http.views.plots import Plot
from collector.http.views.rows import Row, place, rows
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
from collector.wording import LANGUAGES

router = APIRouter(include_in_schema=False)
STATIC: Final = Path(str(files(__package__).joinpath("static")))
_YEAR_S: Final = 365 * 24 * 3_600
_COOKIE_AGE_S: Final = _YEAR_S
_LANGUAGE: Final = "robovitals_lang"
_WHO: Final = "robovitals_who"
_WHO_LENGTH: Final = 80
_TIMES: Final = ("now", "ago", "ahead")
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class UnknownPageError(Problem):
    """A page of something that does not exist; `key` and `names` make the text that says so."""

    def __init__(self, key: str, **names: object) -> None:
        self.key, self.names = key, names
        super().__init__(HTTPStatus.NOT_FOUND, Words(i18n.DEFAULT)(key, **names))


async def _form(request: Request) -> dict[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=50))


GivenForm = Annotated[dict[str, str], Depends(_form)]


# --- pages ------------------------------------------------------------------------------------------------


@router.get("/")
def queue(request: Request) -> Response:
    """What to do first."""
    services, t, now = _context(request)
    filters = queue_view.Filters.read(request.query_params, services.catalogue.subsystems)
    return _page(request, "queue.html", section="queue", page=queue_view.page(services, filters, t, now))


@router.get("/alerts/{id_}")
def alert(request: Request, id_: str) -> Response:
    """Everything about one alert."""
    services, t, now = _context(request)
    row = _row(request, id_)
    return _page(request, "alert.html", section="queue", row=row, page=alert_view.page(services, row, t, now))


@router.get("/alerts/{id_}/measure.json")
def measure(request: Request, id_: str, item: int = 0) -> JSONResponse:
    """The plot of what a rule measured."""
    services, t, now = _context(request)
    row = _row(request, id_)
    if not 0 <= item < len(row.alert.evidence):
        raise UnknownPageError("error.404_text")
    return _plot(alert_plots.measure_plot(services, row, item, t, now))


@router.get("/alerts/{id_}/counters.json")
def counters(request: Request, id_: str) -> JSONResponse:
    """The plot of the counters behind an alert."""
    services, t, now = _context(request)
    return _plot(alert_plots.counters_plot(services, _row(request, id_), t, now))


@router.get("/fleet")
def fleet(request: Request) -> Response:
    """All robots."""
    services, t, now = _context(request)
    filters = fleet_view.Filters.read(request.query_params)
    return _page(request, "fleet.html", section="fleet", page=fleet_view.page(services, filters, t, now))


@router.get("/robots/{id_}")
def robot(request: Request, id_: str) -> Response:
    """Everything about one robot."""
    services, t, now = _context(request)
    record = services.relational.robot(id_)
    if record is None:
        raise UnknownPageError("error.404_robot", id=id_[:64])
    page = robot_view.page(services, record, _range(request), t, now)
    return _page(request, "robot.html", section="fleet", page=page)


@router.get("/robots/{id_}/plot.json")
def robot_plot(request: Request, id_: str, subsystem: str = "") -> JSONResponse:
    """One plot of a robot."""
    services, t, now = _context(request)
    record = services.relational.robot(id_)
    if record is None:
        raise UnknownPageError("error.404_robot", id=id_[:64])
    where = place(id_, record, services.fleet.state(id_).tz)
    return _plot(robot_view.plot(services, where, subsystem, _range(request), t, now))


@router.get("/notices")
def notices_alone(request: Request) -> Response:
    """What is wrong with the collector, for the place on every page that says so."""
    return _page(request, "notices.html")


@router.post("/me")
def me(form: GivenForm) -> Response:
    """Remembers the reader's name."""
    to = form.get("to", "/")
    local = to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"
    response = RedirectResponse(local, HTTPStatus.SEE_OTHER)
    name = quote(form.get("who", "").strip()[:_WHO_LENGTH])
    response.set_cookie(_WHO, name, max_age=_COOKIE_AGE_S, samesite="lax", httponly=True)
    return response


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
    return _action_page(request, _row(request, id_), action)


@router.post("/alerts/{id_}/{action}")
def act(request: Request, id_: str, action: str, form: GivenForm) -> Response:
    """Does what a person asks; a refusal comes back as words for the place where it was asked."""
    services, t, _ = _context(request)
    row = _row(request, id_)
    try:
        wanted = _wanted(action, form, services.clock(), t)
        changed = services.relational.act(row.id, wanted, _signed(request, form, t), services.clock())
    except (IllegalActionError, InvalidActionError, UnknownAlertError, _RefusedError) as error:
        return _refusal(request, row, action, _reason(error, services.clock(), t), error)
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


def _signed(request: Request, form: dict[str, str], t: Words) -> str:
    return form.get("by", "").strip()[:_WHO_LENGTH] or _who(request) or t("action.nobody")


def _reason(error: Exception, now: int, t: Words) -> str:
    """Why an action was refused, in the reader's language."""
    match error:
        case IllegalActionError():
            return _illegal(error.alert, now, t)
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


def _illegal(alert: Alert, now: int, t: Words) -> str:
    if alert.work is Work.CLOSED and alert.closed_at is not None:
        return t("problem.already_closed", who=_name(alert.closed_by, t), ago=t.ago(alert.closed_at, now))
    if alert.work is Work.ACKNOWLEDGED and alert.acknowledged_at is not None:
        who, ago = _name(alert.acknowledged_by, t), t.ago(alert.acknowledged_at, now)
        return t("problem.already_acknowledged", who=who, ago=ago)
    return t("problem.already", work=t.one_of("work", alert.work))


def _name(who: str | None, t: Words) -> str:
    return t("alert.by_system") if who in (None, "", "system") else str(who)


def _refusal(request: Request, row: Row, action: str, text: str, error: Exception) -> Response:
    status = {IllegalActionError: HTTPStatus.CONFLICT, UnknownAlertError: HTTPStatus.NOT_FOUND}
    code = status.get(type(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    if _by_script(request):
        return _problem(text, code)
    if action == "acknowledge":
        return _page(request, "error.html", code, section="", status=int(code), title=text, text="")
    return _action_page(request, row, action, text, code)


def _problem(text: str, status: int) -> Response:
    return HTMLResponse(_templates().get_template("problem.html").render(problem=text, asset=asset), status)


def _done(request: Request, row: Row, alert: Alert, action: str, t: Words) -> Response:
    """Tells the page that asked; without scripts, shows the alert."""
    if not _by_script(request):
        return RedirectResponse(f"/alerts/{row.id}", HTTPStatus.SEE_OTHER)
    when = t.moment(alert.snoozed_until, row.place.zone) if alert.snoozed_until is not None else ""
    text = t(f"done.{action}", what=f"{row.about} · {row.place.name}", when=when)
    event = json.dumps({"done": {"text": text, "alert": row.id}})
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Trigger": event})


def _action_page(
    request: Request, row: Row, action: str, problem: str = "", status: int = HTTPStatus.OK
) -> Response:
    return _page(
        request,
        "action.html",
        status,
        section="queue",
        row=row,
        action=action,
        reasons=REASONS,
        problem=problem,
    )


# --- errors -----------------------------------------------------------------------------------------------


def wants_page(request: Request) -> bool:
    """Whether a person would read the answer: everything but the API and what scripts fetch."""
    path = request.url.path
    elsewhere = path.startswith(("/api/", "/static/", "/events", "/metrics")) or path.endswith(".json")
    return not elsewhere and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, status: int, error: Exception | None = None) -> Response:
    """A refusal or a fault in the console's own look; for a script, as words for where it asked."""
    t = _words(request)
    known = t.has(f"error.{int(status)}_title")
    title = t(f"error.{int(status)}_title" if known else "error.other_title")
    text = t(f"error.{int(status)}_text") if known else str(getattr(error, "detail", "") or "")
    if isinstance(error, UnknownPageError):
        text = t(error.key, **error.names)
    if _by_script(request):
        return _problem(text, status)
    return _page(request, "error.html", status, section="", status=int(status), title=title, text=text)


# --- what all pages share -----------------------------------------------------------------------------------


def _context(request: Request) -> tuple[Services, Words, int]:
    services: Services = request.app.state.services
    return services, _words(request), services.clock()


def _words(request: Request) -> Words:
    wish = (request.query_params.get("lang"), request.cookies.get(_LANGUAGE))
    return Words(i18n.chosen(*wish, request.headers.get("accept-language")))


def _row(request: Request, id_: str) -> Row:
    services, t, now = _context(request)
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


def _page(request: Request, template: str, status_code: int = HTTPStatus.OK, /, **values: Any) -> Response:
    services, t, now = _context(request)
    shown = {
        "t": t,
        "notices": notices(services.health(), t),
        "now": now,
        "who": _who(request),
        "here": _here(request),
        "in_language": lambda language: _here(request, lang=language),
        "times": _times(t),
        "asset": asset,
        "rfc3339": rfc3339,
    }
    html = _templates().get_template(template).render(**shown, **values)
    response = HTMLResponse(
        html, status_code, headers={"Cache-Control": "no-store", "Vary": "Accept-Language, Cookie"}
    )
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(_LANGUAGE, t.language, max_age=_COOKIE_AGE_S, samesite="lax", httponly=True)
    return response


def _here(request: Request, **changes: str) -> str:
    query = {name: value for name, value in request.query_params.items() if name != "lang"} | changes
    return f"{request.url.path}?{urlencode(query)}" if query else request.url.path


def _times(t: Words) -> dict[str, str]:
    """The phrases of relative times, for the script that keeps them true."""
    plain = i18n.texts(t.language)
    units = {unit: str(plain[f"time.{unit}"]) for unit in ("second", "minute", "hour", "day")}
    return units | {name: str(plain[f"time.{name}"]) for name in _TIMES}


def _who(request: Request) -> str:
    return unquote(request.cookies.get(_WHO, "")).strip()[:_WHO_LENGTH]


def _by_script(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


@cache
def asset(name: str) -> str:
    """The address of a static file, with its content's hash."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("collector.http"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
