"""The start page: what to do first."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from collector.http.pages.frame import context, render
from collector.http.views import queue as queue_view

router = APIRouter(include_in_schema=False)


@router.get("/")
def queue(request: Request) -> Response:
    """What to do first."""
    services, t, now = context(request)
    filters = queue_view.Filters.read(request.query_params, services.catalogue.subsystems)
    return render(request, "queue.html", section="queue", page=queue_view.page(services, filters, t, now))
