"""Signing in by password or by a link that does so once, and signing out."""

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from collector import credentials
from collector.http.gate import local_path
from collector.http.pages.frame import GivenForm, context, remember_language, render
from collector.http.services import Services
from collector.http.signed import COOKIE, signed_in
from collector.people import Person
from collector.relational.accounts import LONGEST_MS

router = APIRouter(include_in_schema=False)
_NAME: Final = 64


@router.get("/sign-in")
def sign_in_page(request: Request, to: str = "/") -> Response:
    """Name and password; whoever is signed in already goes on."""
    if signed_in(request) is not None:
        return RedirectResponse(local_path(to), HTTPStatus.SEE_OTHER)
    return _page(request, to)


@router.post("/sign-in")
def sign_in(request: Request, form: GivenForm) -> Response:
    """Signs in, and goes back to where one was."""
    services, t, now = context(request)
    name, to = form.get("name", "").strip().lower(), form.get("to", "/")
    wait = _wait(services, name, _address(request), now)
    if wait > 0:
        problem = t("signin.wait", length=t.duration(max(wait, 1_000)))
        return _page(request, to, name, problem, HTTPStatus.TOO_MANY_REQUESTS, wait)
    person = _proven(services, name, form.get("password", ""))
    if person is None:
        services.relational.accounts.sign_in_failed(name, _address(request), now)
        return _page(request, to, name, t("signin.refused"), HTTPStatus.UNAUTHORIZED)
    services.tries.by_name.forget(name)
    services.tries.by_address.take_back(_address(request))
    return _let_in(request, person, "password", to)


@router.get("/sign-in/link/{secret}")
def link_page(request: Request, secret: str) -> Response:
    """Whom a link signs in. Looking does not use it up: mail and chat programs look at links, too."""
    services, t, now = context(request)
    person = services.relational.accounts.whose_link(credentials.digest(secret), now)
    if person is None:
        return _page(request, "/", "", t("signin.link_over"), HTTPStatus.GONE)
    return render(request, "link.html", section="", whose=person, address=f"/sign-in/link/{quote(secret)}")


@router.post("/sign-in/link/{secret}")
def use_link(request: Request, secret: str) -> Response:
    """Signs in by a link, once."""
    services, t, now = context(request)
    person = services.relational.accounts.use_link(credentials.digest(secret), now)
    if person is None:
        return _page(request, "/", "", t("signin.link_over"), HTTPStatus.GONE)
    return _let_in(request, person, "link", "/")


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """Ends the session."""
    services, _, now = context(request)
    signed = signed_in(request)
    if signed is not None and signed.session is not None:
        services.relational.accounts.end_session(signed.session, now)
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    response.delete_cookie(COOKIE)
    return response


def _page(
    request: Request,
    to: str,
    name: str = "",
    problem: str = "",
    status: int = HTTPStatus.OK,
    wait_ms: int = 0,
) -> Response:
    services, _, _ = context(request)
    response = render(
        request,
        "signin.html",
        status,
        section="",
        to=local_path(to),
        name=name[:_NAME],
        problem=problem,
        nobody=services.relational.accounts.is_empty(),
    )
    if wait_ms:
        response.headers["Retry-After"] = str(-(-wait_ms // 1_000))
    return response


def _wait(services: Services, name: str, address: str, now: int) -> int:
    """How long to wait before the next try, in ms; else 0, and this try is counted."""
    by_address = services.tries.by_address.begin(address, now)  # first: who is held back tries no name
    return by_address or services.tries.by_name.begin(name[:_NAME], now)


def _proven(services: Services, name: str, password: str) -> Person | None:
    """The person, if the password is right; it takes as long to learn that there is nobody of that name."""
    person = services.relational.accounts.person(name)
    stored = services.relational.accounts.password(name)
    right = credentials.matches(stored, password)
    return person if right and person is not None and person.active else None


def _address(request: Request) -> str:
    return request.client.host if request.client else "?"


def _let_in(request: Request, person: Person, how: str, to: str) -> Response:
    """A new session, whatever session there was before."""
    services, _, now = context(request)
    before = signed_in(request)
    if before is not None and before.session is not None:
        services.relational.accounts.end_session(before.session, now)
    secret = credentials.secret()
    digest = credentials.digest(secret)
    services.relational.accounts.open_session(digest, person.id, now, how, _address(request))
    response = RedirectResponse(local_path(to), HTTPStatus.SEE_OTHER)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=LONGEST_MS // 1_000,
        httponly=True,
        samesite="lax",
        secure=_is_https(request),
    )
    if person.language is not None:
        remember_language(response, person.language)
    return response


def _is_https(request: Request) -> bool:
    """Behind a proxy, which says so, the browser's side counts."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
