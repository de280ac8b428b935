"""What every request passes: size and origin on the way in, protective headers on the way out."""

from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.http import problems

MAX_BODY: Final = 64 * 1024
MAX_FILE: Final = 16 * 1024 * 1024
_FILES: Final = frozenset({"/api/v1/registry/import", "/registry/import"})  # a file may come here
_DIGITS: Final = 12
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE: Final = frozenset({"same-origin", "none"})
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Refuses what another site's page could make a browser send, and bodies that are too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = _refusal(scope["method"], scope["path"], Headers(scope=scope))
        if refused is not None:
            await problems.answer(*refused)(scope, receive, _protected(send))
            return
        await self._app(scope, _limited(receive, _most(scope["path"])), _protected(send))


_Refusal = tuple[HTTPStatus, str]


def _refusal(method: str, path: str, headers: Headers) -> _Refusal | None:
    if method in _SAFE:
        return None
    refused = _foreign(headers) or _wrong_length(headers, _most(path))
    has_body = method != "DELETE"  # which no page of another site can send unasked
    return refused or (_wrong_type(headers) if has_body and path.startswith("/api/") else None)


def _foreign(headers: Headers) -> _Refusal | None:
    """Browsers say where a request comes from, in two headers; scripts send neither."""
    origin = headers.get("origin")
    from_elsewhere = origin is not None and origin.partition("://")[2] != headers.get("host")
    if not from_elsewhere and headers.get("sec-fetch-site", "none") in _OWN_SITE:
        return None
    return HTTPStatus.FORBIDDEN, f"a page of {problems.shown(origin)} may not change anything here"


def _most(path: str) -> int:
    return MAX_FILE if path in _FILES else MAX_BODY


def _wrong_length(headers: Headers, most: int) -> _Refusal | None:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()):
        return HTTPStatus.BAD_REQUEST, f"Content-Length must be a number, not {problems.shown(length)}"
    return _too_large(most) if len(length) > _DIGITS or int(length) > most else None


def _too_large(most: int) -> _Refusal:
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over {most} bytes"


def _wrong_type(headers: Headers) -> _Refusal | None:
    given = headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() == "application/json":
        return None
    detail = f"Content-Type must be application/json, not {problems.shown(given)}"
    return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail


def _limited(receive: Receive, most: int) -> Receive:
    """Counts a body whose length nobody announced."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(*_too_large(most))
        return message

    return counted


def _protected(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, text in _HEADERS.items():
                headers.setdefault(name, text)
        await send(message)

    return with_headers
