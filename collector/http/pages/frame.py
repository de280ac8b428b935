"""What all pages share: language, frame, refusals, and where their files lie."""

import hashlib
import re
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from collector.http.fields import rfc3339, whole_number
from collector.http.problems import Problem
from collector.http.services import Services
from collector.http.signed import FORM_FIELD, services_of, signed_in
from collector.http.views.notices import notices
from collector.http.views.plots import Plot
from collector.people import May
from collector.queue import Alert
from collector.words import i18n
from collector.words.i18n import Words
from collector.words.wording import LANGUAGES

STATIC: Final = Path(str(files("collector.http").joinpath("static")))
COOKIE_AGE_S: Final = 365 * 24 * 3_600
_LANGUAGE: Final = "robovitals_lang"
_POSTING: Final = re.compile(r"""<form\b[^>]*\bmethod="post"[^>]*>""")
_TIMES: Final = ("now", "ago", "ahead")


class UnknownPageError(Problem):
    """A page of something that does not exist; `key` and `names` make the text that says so."""

    def __init__(self, key: str, **names: object) -> None:
        self.key, self.names = key, names
        super().__init__(HTTPStatus.NOT_FOUND, Words(i18n.DEFAULT)(key, **names))


async def _form(request: Request) -> dict[str, str]:
    given = dict(await _sent(request, 100))
    return {name: value for name, value in given.items() if name != FORM_FIELD}


async def _fields(request: Request) -> list[tuple[str, str]]:
    return await _sent(request, 600)


async def _sent(request: Request, most: int) -> list[tuple[str, str]]:
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return parse_qsl(body, keep_blank_values=True, max_num_fields=most)
    except ValueError:
        raise Problem(HTTPStatus.BAD_REQUEST, f"this form has more than {most} fields") from None


GivenForm = Annotated[dict[str, str], Depends(_form)]
GivenFields = Annotated[list[tuple[str, str]], Depends(_fields)]  # where a name may stand twice


def wants_page(request: Request) -> bool:
    """Whether a person would read the answer: everything but the API and what scripts fetch."""
    path = request.url.path
    elsewhere = path.startswith(("/api/", "/static/", "/events", "/metrics")) or path.endswith(".json")
    return not elsewhere and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, status: int, error: Exception | None = None) -> Response:
    """A refusal or a fault in the console's own look; for a script, as words for where it asked."""
    t = words(request)
    known = t.has(f"error.{int(status)}_title")
    title = t(f"error.{int(status)}_title" if known else "error.other_title")
    text = t(f"error.{int(status)}_text") if known else str(getattr(error, "detail", "") or "")
    if isinstance(error, UnknownPageError):
        text = t(error.key, **error.names)
    if by_script(request):
        return problem(text, status)
    return render(request, "error.html", status, section="", status=int(status), title=title, text=text)


def context(request: Request) -> tuple[Services, Words, int]:
    """What a page works with, as its reader sees it, the reader's language, and now."""
    services = services_of(request)
    return services, words(request), services.clock()


def words(request: Request) -> Words:
    """The reader's language."""
    wish = (request.query_params.get("lang"), request.cookies.get(_LANGUAGE))
    signed = signed_in(request)
    known = signed.person.language if signed else None
    return Words(i18n.chosen(*wish, request.headers.get("accept-language"), known))


def render(request: Request, template: str, status_code: int = HTTPStatus.OK, /, **values: Any) -> Response:
    """A page in the frame that all of them have; its forms carry the session's token."""
    services, t, now = context(request)
    signed = signed_in(request)
    person = signed.person if signed else None
    form_token = signed.form_token if signed else ""
    shown = {
        "t": t,
        "notices": notices(services.health(), t),
        "now": now,
        "person": person,
        "may": lambda what: person is not None and person.may(May(what)),
        "form_token": form_token,
        "here": _here(request),
        "in_language": lambda language: _here(request, lang=language),
        "times": _times(t),
        "asset": asset,
        "rfc3339": rfc3339,
    }
    html = templates().get_template(template).render(**shown, **values)
    response = HTMLResponse(
        _POSTING.sub(rf'\g<0><input type="hidden" name="{FORM_FIELD}" value="{form_token}">', html),
        status_code,
        headers={"Cache-Control": "no-store", "Vary": "Accept-Language, Cookie"},
    )
    if request.query_params.get("lang") in LANGUAGES:
        remember_language(response, t.language)
    return response


def remember_language(response: Response, language: str) -> None:
    """This browser's pages are in that language from now on."""
    response.set_cookie(_LANGUAGE, language, max_age=COOKIE_AGE_S, samesite="lax", httponly=True)


def _here(request: Request, **changes: str) -> str:
    query = {name: value for name, value in request.query_params.items() if name != "lang"} | changes
    return f"{request.url.path}?{urlencode(query)}" if query else request.url.path


def _times(t: Words) -> dict[str, str]:
    """The phrases of relative times, for the script that keeps them true."""
    plain = i18n.texts(t.language)
    units = {unit: str(plain[f"time.{unit}"]) for unit in ("second", "minute", "hour", "day")}
    return units | {name: str(plain[f"time.{name}"]) for name in _TIMES}


def alert_of(request: Request, id_: str) -> Alert:
    """An alert that the reader may see. Raises `UnknownPageError`."""
    services, _, _ = context(request)
    known = whole_number(id_)
    found = None if known is None else services.relational.alert(known)
    if found is None:
        raise UnknownPageError("error.404_alert", id=id_[:16])
    return found


def by_script(request: Request) -> bool:
    """Whether a script of an open page asks, and not a person."""
    return request.headers.get("hx-request") == "true"


@cache
def asset(name: str) -> str:
    """The address of a static file, with its content's hash."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


@cache
def templates() -> Environment:
    """The templates, which escape what they are given."""
    return Environment(
        loader=PackageLoader("collector.http"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def problem(text: str, status: int) -> Response:
    """A refusal as words for the place where it was asked."""
    return HTMLResponse(templates().get_template("problem.html").render(problem=text, asset=asset), status)


def plotted(plot: Plot | None) -> JSONResponse:
    """A plot for the script that draws it. Raises `UnknownPageError` where there is none."""
    if plot is None:
        raise UnknownPageError("error.404_text")
    return JSONResponse(plot.as_json(), headers={"Cache-Control": "no-store"})
