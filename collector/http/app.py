"""The web application: API, pages, events, and what all of them share."""

from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from collector.http import problems
from collector.http.api import notifications as notifications_api
from collector.http.api import people as people_api
from collector.http.api import queue as queue_api
from collector.http.api import registry as registry_api
from collector.http.api import scores as scores_api
from collector.http.api import silences as silences_api
from collector.http.api import v1
from collector.http.gate import Gate
from collector.http.guard import Guard
from collector.http.pages import (
    alert,
    bulk,
    customers,
    frame,
    me,
    notifications,
    people,
    playbooks,
    queue,
    registry,
    robots,
    signin,
    silences,
    static,
)
from collector.http.services import Services
from collector.limited import Limited
from collector.stores import StoreError

_ROUTERS: Final = (
    v1.health,
    v1.router,
    scores_api.router,
    queue_api.router,
    silences_api.router,
    v1.monitoring,
    people_api.router,
    notifications_api.router,
    registry_api.router,
    signin.router,
    playbooks.router,
    me.router,
    people.router,
    notifications.router,
    registry.router,
    queue.router,
    bulk.router,
    alert.router,
    silences.router,
    robots.router,
    customers.router,
    static.router,
)
log = structlog.get_logger()
_limited = Limited()


def create(services: Services) -> FastAPI:
    """The application over these services; it starts and stops nothing itself."""
    app = FastAPI(
        title="Robovitals",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # their scripts come from elsewhere
        redoc_url=None,
    )
    app.state.services = services
    app.add_middleware(Gate, unavailable=_unavailable, refused=_refused)
    app.add_middleware(Guard)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    for kind in (StoreError, OperationalError, InterfaceError, PoolTimeoutError):
        app.add_exception_handler(kind, _unavailable)
    app.add_exception_handler(Exception, _failed)
    for router in _ROUTERS:
        app.include_router(router)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    if frame.wants_page(request):
        return frame.error_page(request, error.status_code, error)
    return problems.of_http(request, error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    return problems.of_validation(error)


async def _unavailable(request: Request, error: Exception) -> Response:
    """A full disk, a locked file, a server that is away: perhaps over soon."""
    cause = " ".join(str(getattr(error, "orig", None) or error).split())
    _limited.warning("store cannot answer", request.url.path, error=cause)
    if frame.wants_page(request):
        return frame.error_page(request, HTTPStatus.SERVICE_UNAVAILABLE)
    return problems.of_store(cause)


async def _failed(request: Request, error: Exception) -> Response:
    log.error("request failed", path=request.url.path, error=repr(error))
    if frame.wants_page(request):
        return frame.error_page(request, HTTPStatus.INTERNAL_SERVER_ERROR)
    return problems.of_fault()
