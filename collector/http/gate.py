"""Lets nobody in who is not signed in, and no form that another page made.

Only health, static files and the sign-in itself answer without. Whoever is let in is found by `signed`.
"""

from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlsplit

from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector import credentials
from collector.http import problems
from collector.http.guard import MAX_FILE
from collector.http.services import Services
from collector.http.signed import COOKIE, FORM_FIELD, FORM_HEADER, Signed
from collector.people import Person, Role

Refusing = Callable[[Request, Exception], Awaitable[Response]]
OPERATOR: Final = Person("system", "system", Role.ENGINEER)  # a command on the collector's own machine
_OPEN: Final = ("/api/v1/health",)
_OPEN_BELOW: Final = ("/static/",)
_SIGN_IN: Final = "/sign-in"
_ASKED_AGAIN_MS: Final = 20_000
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FOR_SCRIPTS: Final = ("/api/", "/events", "/metrics")
_NO_TOKEN: Final = "sign in: send 'Authorization: Bearer rv_…'; people make such tokens on the page /me"  # noqa: S105 - an advice
_BAD_TOKEN: Final = "this token is unknown, expired or revoked; make another on the page /me"  # noqa: S105
_STALE_FORM: Final = (
    f"this form is of another sign-in; load the page again (scripts send its token as {FORM_HEADER})"
)


class Gate:
    """Stands before the whole application; `unavailable` and `refused` answer where the gate itself fails."""

    def __init__(self, app: ASGIApp, unavailable: Refusing, refused: Refusing) -> None:
        self._app = app
        self._unavailable = unavailable
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            signed = await run_in_threadpool(who_asks, request)
            scope.setdefault("state", {})["signed"] = signed
            answer, receive = await self._checked(request, signed)
        except SQLAlchemyError as error:
            answer = await self._unavailable(request, error)
        except HTTPException as error:
            answer = await self._refused(request, error)
        await (answer or self._app)(scope, receive, send)

    async def _checked(self, request: Request, signed: Signed | None) -> tuple[Response | None, Receive]:
        if _is_sign_in(request.scope["path"]):
            return None, request.receive
        if signed is None:
            return _ask_to_sign_in(request), request.receive
        if request.method in _SAFE or signed.session is None:
            return None, request.receive
        given, receive = await _given_token(request)
        if not credentials.same(given, signed.form_token):
            raise problems.Problem(HTTPStatus.FORBIDDEN, _STALE_FORM)
        return None, receive


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def _is_sign_in(path: str) -> bool:
    return path == _SIGN_IN or path.startswith(f"{_SIGN_IN}/")


def who_asks(request: Request) -> Signed | None:
    """By token where one is sent, whatever else is; else by the session in the cookie."""
    services: Services = request.app.state.services
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _by_token(services, token.strip())
    secret = request.cookies.get(COOKIE)
    if not secret:
        return None
    found = services.relational.accounts.signed_in(credentials.digest(secret), services.clock())
    if found is None:
        return None
    session, person = found
    return Signed(person, session.id, credentials.form_token(secret))


def still_signed_in(request: Request) -> Callable[[], Coroutine[None, None, bool]]:
    """Asks now and then whether who was let in may stay, for answers that last."""
    services: Services = request.app.state.services
    asked_at = services.clock()

    async def asked() -> bool:
        nonlocal asked_at
        if services.clock() - asked_at < _ASKED_AGAIN_MS:
            return True
        asked_at = services.clock()
        try:
            return await run_in_threadpool(who_asks, request) is not None
        except SQLAlchemyError:
            return True  # nobody can tell now

    return asked


def _by_token(services: Services, token: str) -> Signed | None:
    digest = credentials.digest(token)
    if services.operator is not None and credentials.same(digest, services.operator):
        return Signed(OPERATOR)
    person = services.relational.accounts.by_token(digest, services.clock())
    return None if person is None else Signed(person)


def _ask_to_sign_in(request: Request) -> Response:
    path = request.url.path
    if path.startswith(_FOR_SCRIPTS) or path.endswith(".json"):
        return _unauthorized(request)
    if request.headers.get("hx-request") == "true":
        address = sign_in_address(request.headers.get("hx-current-url", "/"))
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": address})
    asked = request.method in ("GET", "HEAD")
    back = f"{path}?{request.url.query}" if request.url.query else path
    to = back if asked else _own(request, request.headers.get("referer", "/"))
    return RedirectResponse(sign_in_address(to), HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})


def _unauthorized(request: Request) -> Response:
    sent = "authorization" in request.headers
    challenge = 'Bearer realm="robovitals"' + (', error="invalid_token"' if sent else "")
    detail = _BAD_TOKEN if sent else _NO_TOKEN
    return problems.answer(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})


def sign_in_address(to: str) -> str:
    """The sign-in page that leads back to where one was."""
    local = local_path(to)
    return _SIGN_IN if local == "/" else f"{_SIGN_IN}?to={quote(local)}"


def local_path(address: str) -> str:
    """Path and query of an address, to be used here; `/` where it is none to come back to."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if plain and "\\" not in path and not _is_sign_in(parts.path) else "/"


def _own(request: Request, referer: str) -> str:
    try:
        host = urlsplit(referer).netloc
    except ValueError:
        return "/"
    return referer if host in ("", request.headers.get("host")) else "/"


async def _given_token(request: Request) -> tuple[str, Receive]:
    """What the request has for a form's token, and its body again."""
    header = request.headers.get(FORM_HEADER)
    if header is not None:
        return header, request.receive
    body = await request.body()
    form = await Request(dict(request.scope), _again(body, request.receive)).form(max_part_size=MAX_FILE)
    given = form.get(FORM_FIELD)
    return given if isinstance(given, str) else "", _again(body, request.receive)


def _again(body: bytes, then: Receive) -> Receive:
    """The body once more, as if nobody had read it."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return await then()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
