"""The start page: what to do first; and the views of it that people keep."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from collector.http.gate import local_path
from collector.http.pages.frame import GivenForm, UnknownPageError, context, render
from collector.http.pages.refusals import refused
from collector.http.signed import person_of
from collector.http.views import queue as view
from collector.http.views.filters import Filters
from collector.http.views.groups import unfolded
from collector.http.views.people import reader
from collector.relational.listing import CursorError
from collector.relational.views import MAX_NAME, MAX_VIEWS, InvalidViewError, UnknownViewError

router = APIRouter(include_in_schema=False)


@router.get("/")
def queue(request: Request) -> Response:
    """What to do first, and why."""
    services, t, now = context(request)
    who = reader(request, services)
    filters = _filters(request, view.home(_chosen(request), who, services))
    try:
        page = view.page(services, filters, who, t, now)
    except CursorError:
        return RedirectResponse(filters.url(), HTTPStatus.SEE_OTHER)
    return render(request, "queue.html", section="queue", page=page, may_work=who.works)


@router.get("/queue/group")
def group(request: Request) -> Response:
    """What is under the fold of a customer."""
    services, t, now = context(request)
    who = reader(request, services)
    filters = _filters(request, Filters())
    query = view.query_of(services, filters, who, t, now)
    found = unfolded(services, query, filters, t, now)
    return render(request, "group.html", section="queue", group=found, may_work=who.works)


@router.post("/views/keep")
def keep(request: Request, form: GivenForm) -> Response:
    """Keeps filters under a name."""
    services, t, _ = context(request)
    query = form.get("query", "")
    try:
        kept = services.relational.views.save(person_of(request).id, form.get("name", ""), query)
    except InvalidViewError as error:
        name = form.get("name", "").strip()
        long = t("saved.name_long", n=MAX_NAME) if len(name) > MAX_NAME else t("saved.too_many", n=MAX_VIEWS)
        return refused(request, long if name else t("saved.name_needed"), error)
    return _back(f"/?{kept.query}")


@router.post("/views/{change}")
def change(request: Request, change: str, form: GivenForm) -> Response:
    """Forgets a view, or lets it be the one that opens first, or no more."""
    services, _, _ = context(request)
    person, name = person_of(request).id, form.get("name", "")
    try:
        match change:
            case "remove":
                services.relational.views.remove(person, name)
            case "choose":
                services.relational.views.choose(person, name)
            case "unchoose":
                services.relational.views.choose(person, None)
            case _:
                raise UnknownPageError("error.404_text")
    except UnknownViewError:
        pass  # somebody with the same name, in another tab, was faster
    return _back(form.get("back", "/"))


def _filters(request: Request, home: Filters) -> Filters:
    """What the address asks for; what is theirs, where it asks for nothing."""
    services, _, _ = context(request)
    asked = {name: value for name, value in request.query_params.items() if name != "lang"}
    return Filters.read(asked, services.catalogue.subsystems, home.whose) if asked else home


def _chosen(request: Request) -> str | None:
    services, _, _ = context(request)
    found = services.relational.views.chosen(person_of(request).id)
    return None if found is None else found.query


def _back(to: str) -> Response:
    return RedirectResponse(local_path(to), HTTPStatus.SEE_OTHER)
