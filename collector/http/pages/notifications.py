"""The page about what was told to people outside of the console, and what could not be."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from collector.http.api.notifications import retry, sight
from collector.http.pages.frame import UnknownPageError, by_script, context, problem, render
from collector.http.problems import Problem
from collector.http.signed import require
from collector.http.views import notifications as view
from collector.people import May
from collector.relational import CursorError

router = APIRouter(include_in_schema=False)


@router.get("/notifications")
def notifications(request: Request) -> Response:
    """What waits, what failed and why, what was sent."""
    services, t, now = context(request)
    owner = sight(require(request, May.WORK))
    show, after = (request.query_params.get(name) for name in ("show", "after"))
    try:
        page = view.page(services, show or "", after, owner, t, now)
    except CursorError:
        raise UnknownPageError("error.404_text") from None
    return render(request, "notifications.html", section="notifications", page=page)


@router.post("/notifications/{id_}/retry")
def try_again(request: Request, id_: str) -> Response:
    """Tries one again, and shows the page, or the one that asked."""
    services, t, _ = context(request)
    person = require(request, May.WORK)
    if not (id_.isascii() and id_.isdecimal() and len(id_) < 16):
        raise UnknownPageError("error.404_text")
    try:
        retry(services, int(id_), person)
    except Problem as refused:
        if refused.status_code != HTTPStatus.CONFLICT:
            raise UnknownPageError("error.404_text") from None
        if by_script(request):
            return problem(t("told.not_retriable"), HTTPStatus.CONFLICT)
    if by_script(request):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return RedirectResponse("/notifications", HTTPStatus.SEE_OTHER)
