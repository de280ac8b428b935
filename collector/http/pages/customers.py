"""The pages of customers and of scores."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from collector.http.api import scores as api
from collector.http.pages.frame import GivenForm, UnknownPageError, context, render
from collector.http.signed import require, scope
from collector.http.views import customer as customer_view
from collector.http.views import customers as customers_view
from collector.http.views import score_page
from collector.http.views.rows import customer_url
from collector.people import May
from collector.relational.portfolio import Registered
from collector.scores.settings import KINDS

router = APIRouter(include_in_schema=False)
_NOTE: Final = 500


@router.get("/customers")
def customers(request: Request) -> Response:
    """Who needs somebody first."""
    services, t, now = context(request)
    filters = customers_view.Filters.read(request.query_params)
    page = customers_view.page(services, filters, scope(request), t, now)
    return render(request, "customers.html", section="customers", page=page)


@router.get("/customers/{id_:path}/behind/{figure}")
def behind(request: Request, id_: str, figure: str) -> Response:
    """A figure of a customer's page, robot by robot."""
    services, t, _ = context(request)
    page = customer_view.behind(services, _customer(request, id_).id, figure, t)
    if page is None:
        raise UnknownPageError("error.404_text")
    return render(request, "behind.html", section="customers", page=page)


@router.post("/customers/{id_:path}/pulse")
def pulse(request: Request, id_: str, form: GivenForm) -> Response:
    """What the CSM thinks of the customer."""
    services, t, now = context(request)
    person = require(request, May.WORK)
    found = _customer(request, id_)
    value, note = form.get("pulse", ""), form.get("note", "").strip()
    if value not in ("1", "2", "3", "4", "5") or len(note) > _NOTE:
        text = t("customers.pulse_refused", n=_NOTE)
        return _page(request, found, text, HTTPStatus.UNPROCESSABLE_ENTITY)
    services.relational.registry.set_pulse(found.id, int(value), note or None, person.id, now)
    return RedirectResponse(f"{customer_url(found.id)}#pulse", HTTPStatus.SEE_OTHER)


@router.get("/customers/{id_:path}")
def customer(request: Request, id_: str) -> Response:
    """Everything about one customer."""
    return _page(request, _customer(request, id_))


@router.get("/scores/{kind}/{id_:path}")
def score(request: Request, kind: str, id_: str, component: str = "") -> Response:
    """A score, its formulas, and one component robot by robot."""
    services, t, _ = context(request)
    found = api.read(services, kind, id_, scope(request)) if kind in KINDS else None
    if found is None:
        raise UnknownPageError("customers.no_score", id=id_[:64])
    page = score_page.page(services, found, component, t)
    return render(request, "score_page.html", section="customers", page=page)


def _page(request: Request, found: Registered, problem: str = "", status: int = HTTPStatus.OK) -> Response:
    services, t, now = context(request)
    page = customer_view.page(services, found, t, now)
    return render(request, "customer.html", status, section="customers", page=page, problem=problem)


def _customer(request: Request, id_: str) -> Registered:
    """The customer, if there is one and the person sees it."""
    services, _, _ = context(request)
    found, seen_by = services.relational.portfolio.customer(id_), scope(request)
    if found is None or (seen_by is not None and not services.relational.portfolio.sees(seen_by, id_)):
        raise UnknownPageError("customers.unknown", id=id_[:64])
    return found
