"""The page about what was told to people outside of the console, and what could not be."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from collector.http.api.notifications import retry
from collector.http.fields import whole_number
from collector.http.gate import local_path
from collector.http.pages.frame import GivenForm, UnknownPageError, by_script, context, problem, render, words
from collector.http.problems import Problem
from collector.http.signed import require, scope
from collector.http.views import notifications as view
from collector.people import May
from collector.relational import CursorError

router = APIRouter(include_in_schema=False)


@router.get("/notifications")
def notifications(request: Request) -> Response:
    """What waits, what failed and why, what was sent."""
    services, t, now = context(request)
    require(request, May.WORK)
    show, after = (request.query_params.get(name) for name in ("show", "after"))
    try:
        page = view.page(services, show or "", after, scope(request), t, now)
    except CursorError:
        raise UnknownPageError("error.404_text") from None
    return render(request, "notifications.html", section="notifications", page=page)


@router.post("/notifications/{id_}/retry")
def try_again(request: Request, id_: str, form: GivenForm) -> Response:
    """Tries one again, and shows the page that asked for it."""
    t = words(request)
    known = whole_number(id_)
    if known is None:
        raise UnknownPageError("error.404_text")
    try:
        retry(request, known)
    except Problem as refused:
        if refused.status_code == HTTPStatus.NOT_FOUND:
            raise UnknownPageError("error.404_text") from None
        if refused.status_code != HTTPStatus.CONFLICT:
            raise
        if by_script(request):
            return problem(t("told.not_retriable"), HTTPStatus.CONFLICT)
    if by_script(request):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return RedirectResponse(local_path(form.get("to", "/notifications")), HTTPStatus.SEE_OTHER)
