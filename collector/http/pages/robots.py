"""The fleet, and one robot."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from collector.http.pages.frame import UnknownPageError, context, plotted, render
from collector.http.views import fleet as fleet_view
from collector.http.views import robot as robot_view
from collector.http.views.rows import place

router = APIRouter(include_in_schema=False)


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
    return plotted(robot_view.plot(services, where, subsystem, _range(request), t, now))


def _range(request: Request) -> str:
    wish = request.query_params.get("range", "")
    return wish if wish in robot_view.RANGES else robot_view.DEFAULT_RANGE
